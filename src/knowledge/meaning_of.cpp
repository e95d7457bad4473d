// How far the vectors of one tenant's documents are: they are made in the order of the documents'
// numbers, of all tenants in turn.
#include <algorithm>

#include "knowledge/library.h"

namespace mainstay::knowledge {
namespace {

/// The part of the document under way that has its vectors.
Co<Result<double>> part_done(storage::Documents& documents, TenantId tenant, std::int64_t after,
                             Deadline by) {
  std::vector<std::int64_t> one{after};
  auto found = co_await documents.passages(tenant, std::move(one), by);
  if (!found.ok()) co_return found.error();
  if (found->empty()) co_return 0.0;
  auto info = co_await documents.get(tenant, found->front().document, by);
  if (!info.ok() || info->chunks == 0) co_return 0.0;  // it went meanwhile
  const auto seq = after - storage::chunk_number(storage::document_number(after), 0) + 1;
  co_return std::min(1.0, static_cast<double>(seq) / static_cast<double>(info->chunks));
}

}  // namespace

Co<Result<std::optional<MeaningOf>>> Library::meaning_of(TenantId tenant, Deadline by) {
  if (meaning_ == nullptr) co_return std::optional<MeaningOf>();
  MeaningOf out{meaning_->progress()};
  const storage::DocumentFilter all_of_them;
  if (out.state == MeaningState::whole) {
    auto all = co_await visible_.of(tenant, all_of_them, by);
    if (!all.ok()) co_return all.error();
    out.documents = out.done = (*all)->size();
    out.share = 1;
    co_return std::optional<MeaningOf>(std::move(out));
  }
  auto numbers = co_await documents_.visible(tenant, all_of_them, by);
  if (!numbers.ok()) co_return numbers.error();
  const std::int64_t under_way = storage::document_number(out.after);
  const auto at = std::lower_bound(numbers->begin(), numbers->end(), under_way);
  out.documents = numbers->size();
  out.done = static_cast<std::uint64_t>(at - numbers->begin());
  double part = 0;
  if (at != numbers->end() && *at == under_way && out.after > 0) {
    auto got = co_await part_done(documents_, std::move(tenant), out.after, by);
    if (!got.ok()) co_return got.error();
    part = *got;
  }
  if (part >= 1) ++out.done;
  const double sum = static_cast<double>(out.done) + (part < 1 ? part : 0);
  out.share = out.documents > 0 ? sum / static_cast<double>(out.documents) : 1;
  co_return std::optional<MeaningOf>(std::move(out));
}

}  // namespace mainstay::knowledge
