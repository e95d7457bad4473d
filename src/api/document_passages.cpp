// GET /v1/documents/{id}/passages: what a document was cut into, in its order.
#include <charconv>

#include "api/document_fields.h"
#include "api/document_upload.h"
#include "api/query.h"
#include "api/routes.h"

namespace mainstay::api {
namespace {

constexpr std::uint32_t kPageMax = 100;

/// A whole number of the query; nullopt: not asked for.
Result<std::optional<std::uint64_t>> number_of(const Query& query, const char* name) {
  const auto found = query.find(name);
  if (found == query.end()) return std::optional<std::uint64_t>();
  std::uint64_t n = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [stop, code] = std::from_chars(found->second.data(), end, n);
  if (code != std::errc() || stop != end || n > 1ULL << 53) {
    return Error::say(Errc::invalid, "out_of_range",
                      "'" + std::string(name) + "' must be a whole number from 0 on.", name);
  }
  return std::optional<std::uint64_t>(n);
}

/// The number of the last passage that begins at `byte` or before it, of a document of `count`.
Co<Result<std::uint64_t>> passage_at(const Rooms& rooms, const Context& context, DocumentId id,
                                     std::uint64_t count, std::uint64_t byte) {
  std::uint64_t low = 0;
  for (std::uint64_t high = count; high - low > 1;) {
    const std::uint64_t middle = low + (high - low) / 2;
    auto chunk = co_await rooms.stores.documents().chunks(context.caller.owner.tenant, id, middle,
                                                          1, context.by);
    if (!chunk.ok()) co_return chunk.error();
    const bool before = !chunk->empty() && chunk->front().begin <= byte;
    (before ? low : high) = middle;
  }
  co_return low;
}

Json part_json(const storage::Chunk& chunk, std::uint64_t number) {
  Json out = {{"number", number},
              {"heading", chunk.heading},
              {"position", {{"start", chunk.begin}, {"end", chunk.end}}},
              {"text", chunk.text}};
  if (chunk.page) out["page"] = *chunk.page;
  return out;
}

}  // namespace

Co<Status> list_passages(const Rooms& rooms, Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto limit = limit_of(*query, 50, kPageMax);
  if (!limit.ok()) co_return limit.error();
  auto from = number_of(*query, "from");
  if (!from.ok()) co_return from.error();
  auto at = number_of(*query, "at");
  if (!at.ok()) co_return at.error();
  DocumentId id(context.param);
  auto info = co_await known_document(rooms, context, id);
  if (!info.ok()) co_return info.error();
  // Of one that is still being read nobody sees a part.
  const std::uint64_t count = info->state == storage::DocumentState::ready ? info->chunks : 0;
  std::uint64_t first = from->value_or(0);
  if (*at && count > 0) {
    auto found = co_await passage_at(rooms, context, info->id, count, **at);
    if (!found.ok()) co_return found.error();
    first = *found;
  }
  std::vector<storage::Chunk> chunks;
  if (first < count) {
    auto read = co_await rooms.stores.documents().chunks(context.caller.owner.tenant, info->id,
                                                         first, *limit, context.by);
    if (!read.ok()) co_return read.error();
    chunks = std::move(*read);
  }
  Json out = {{"object", "list"}, {"data", Json::array()}, {"total", count}};
  for (const auto& chunk : chunks) out["data"].push_back(part_json(chunk, first++));
  out["has_more"] = first < count && !chunks.empty();
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
