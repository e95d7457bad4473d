// POST /v1/search: one question, or many at once.
#include <algorithm>

#include "api/document_fields.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/vectors.h"
#include "base/json_fields.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kQueryMax = 8192;
constexpr std::size_t kQueriesMax = 256;

Json found_json(const storage::Found& found) {
  Json out = {{"data", Json::array()}, {"corrected", Json::array()}};
  for (const auto& passage : found.passages)
    out["data"].push_back(passage_json(passage, passage.score));
  for (const auto& one : found.corrected) {
    out["corrected"].push_back({{"word", one.word}, {"instead", one.instead}});
  }
  return out;
}

Error bad(const char* reason, const std::string& sentence, const char* field) {
  return Error::say(Errc::invalid, reason, sentence, field);
}

/// A moment as seconds since 1970; absent: none.
Result<std::optional<WallTime>> moment_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::optional<WallTime>();
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 253'402'300'799ULL) {
    return bad("out_of_range",
               "'" + std::string(name) + "' must be a whole number of seconds since 1970.", name);
  }
  return std::optional<WallTime>(WallTime(std::chrono::seconds(found->get<std::uint64_t>())));
}

Result<std::uint32_t> limit_in(const Json& object, std::uint32_t most) {
  const auto found = object.find("limit");
  if (found == object.end()) return storage::PassageQuery().limit;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() < 1 ||
      found->get<std::uint64_t>() > most) {
    return bad("out_of_range",
               "'limit' must be a whole number from 1 to " + std::to_string(most) + ".", "limit");
  }
  return found->get<std::uint32_t>();
}

/// All but the question.
Result<storage::PassageQuery> filter_in(const Rooms& rooms, const Context& context,
                                        const Json& object) {
  storage::PassageQuery out;
  out.tenant = context.caller.owner.tenant;
  auto name = text_member(object, "collection", TextRule());
  if (!name.ok()) return name.error();
  auto collection = collection_named(*name);
  if (!collection.ok()) return collection.error();
  out.collection = std::move(*collection);
  auto tags = words_member(object, "tags", "tags");
  if (!tags.ok()) return tags.error();
  if (tags->size() > storage::kTagsMax) {
    return bad("out_of_range",
               "At most " + std::to_string(storage::kTagsMax) + " tags can be asked for.", "tags");
  }
  out.tags = std::move(*tags);
  auto from = moment_in(object, "created_from");
  if (!from.ok()) return from.error();
  out.created_from = *from;
  auto to = moment_in(object, "created_to");
  if (!to.ok()) return to.error();
  out.created_to = *to;
  auto document = text_member(object, "document", TextRule());
  if (!document.ok()) return document.error();
  if (!document->empty()) out.document = DocumentId(std::move(*document));
  auto limit = limit_in(object, rooms.settings.knowledge.search_max);
  if (!limit.ok()) return limit.error();
  out.limit = *limit;
  return out;
}

/// The questions; empty: there is one, as `query`.
Result<std::vector<std::string>> queries_in(const Json& object) {
  std::vector<std::string> out;
  const auto found = object.find("queries");
  if (found == object.end()) return out;
  if (object.contains("query")) {
    return bad("invalid_value", "Give 'query' or 'queries', not both.", "queries");
  }
  if (!found->is_array() || found->empty() || found->size() > kQueriesMax) {
    return bad("out_of_range",
               "'queries' must be a list of 1 to " + std::to_string(kQueriesMax) + " questions.",
               "queries");
  }
  for (std::size_t i = 0; i < found->size(); ++i) {
    const std::string path = "queries." + std::to_string(i);
    const Json& one = (*found)[i];
    if (!one.is_string()) return bad("invalid_type", "A question must be a text.", path.c_str());
    std::string text = one.get<std::string>();
    if (text.empty() || text.size() > kQueryMax) {
      return bad("out_of_range", "A question has 1 to " + std::to_string(kQueryMax) + " bytes.",
                 path.c_str());
    }
    out.push_back(std::move(text));
  }
  return out;
}

Co<Status> search_many(const Rooms& rooms, Context& context, storage::PassageQuery filter,
                       std::vector<std::string> queries) {
  auto found = co_await rooms.library.search_all(std::move(filter), queries, context.by);
  if (!found.ok()) co_return found.error();
  Json out = {{"object", "list"}, {"results", Json::array()}};
  for (std::size_t i = 0; i < queries.size(); ++i) {
    Json result = {{"query", std::move(queries[i])}};
    result.update(found_json((*found)[i]));
    out["results"].push_back(std::move(result));
  }
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace

Co<Status> search_documents(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  if (asks_by_vector(*body)) co_return co_await search_vectors(rooms, context, std::move(*body));
  auto object = object_of(*body, {"query", "queries", "collection", "tags", "document",
                                  "created_from", "created_to", "limit"});
  if (!object.ok()) co_return object.error();
  auto wanted = filter_in(rooms, context, *object);
  if (!wanted.ok()) co_return wanted.error();
  auto queries = queries_in(*object);
  if (!queries.ok()) co_return queries.error();
  if (queries->empty()) {
    auto text = text_member(*object, "query", TextRule{true, kQueryMax});
    if (!text.ok()) co_return text.error();
    wanted->text = std::move(*text);
  }
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  if (!queries->empty()) {
    co_return co_await search_many(rooms, context, std::move(*wanted), std::move(*queries));
  }
  auto found = co_await rooms.library.search(std::move(*wanted), context.by);
  if (!found.ok()) co_return found.error();
  Json out = {{"object", "list"}};
  out.update(found_json(*found));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
