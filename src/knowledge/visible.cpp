// A filter as a text is the key; the documents' version says whether the set still holds.
#include "knowledge/visible.h"

namespace mainstay::knowledge {
namespace {

constexpr std::size_t kSeenMax = 64;

std::string key_of(const TenantId& tenant, const storage::DocumentFilter& filter) {
  std::string key;
  // With its length before it, no part can be taken for another one, whatever it holds.
  const auto add = [&key](std::string_view part) {
    key += std::to_string(part.size());
    key += ':';
    key += part;
  };
  add(tenant.text());
  add(filter.collection ? "c" + filter.collection->text() : "");
  add(filter.document ? "d" + filter.document->text() : "");
  add(filter.created_from ? std::to_string(micros(*filter.created_from)) : "");
  add(filter.created_to ? std::to_string(micros(*filter.created_to)) : "");
  for (const auto& tag : filter.tags) add(tag);
  return key;
}

}  // namespace

Co<Result<DocumentSetPtr>> VisibleDocuments::of(TenantId tenant, storage::DocumentFilter filter,
                                                Deadline by) {
  const std::uint64_t version = documents_.version();
  std::string key = key_of(tenant, filter);
  {
    std::lock_guard lock(mutex_);
    const auto found = seen_.find(key);
    if (found != seen_.end() && found->second.version == version) co_return found->second.documents;
  }
  auto numbers = co_await documents_.visible(std::move(tenant), std::move(filter), by);
  if (!numbers.ok()) co_return numbers.error();
  DocumentSetPtr made = std::make_shared<storage::DocumentSet>(std::move(*numbers));
  std::lock_guard lock(mutex_);
  if (seen_.size() >= kSeenMax) seen_.clear();
  seen_[std::move(key)] = Seen{version, made};
  co_return made;
}

}  // namespace mainstay::knowledge
