// POST /v1/vectors, and POST /v1/search by vectors. Bodies are long rows of numbers: they are read
// without a tree of their own, on the pool when they are large.
#include "api/vectors.h"

#include <algorithm>
#include <map>

#include "api/document_fields.h"
#include "api/routes.h"
#include "base/sha256.h"
#include "base/text.h"
#include "models/embed.h"
#include "storage/vector_math.h"

namespace mainstay::api {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

/// A smaller body is read at once, in less than a thread's hand-over takes.
constexpr std::size_t kAtOnce = 32U << 10;
constexpr std::size_t kPassagesMax = storage::kAppendChunks;
constexpr std::size_t kModelMax = 256;
/// Passages that one reply may need; Documents::passages gives no more.
constexpr std::size_t kHitsMax = 10'000;
/// The model of vectors of which nobody named one.
constexpr std::string_view kUnnamed = "unnamed";

/// What POST /v1/vectors asks for.
struct NewVectors {
  storage::NewDocument document;
  std::string model;
  std::vector<std::vector<float>> vectors;  ///< of document.chunks
};

/// What a search by vectors asks for.
struct Asked {
  std::string model;
  std::vector<std::vector<float>> queries;
  bool many = false;  ///< `queries`, not `embedding`
  storage::DocumentFilter filter;
  std::uint32_t limit = 10;
};

Error wrong(std::string_view reason, std::string sentence, std::string field) {
  return Error::say(Errc::invalid, reason, std::move(sentence), std::move(field));
}

Result<object> object_in(const std::string& body, std::initializer_list<std::string_view> known) {
  auto parsed = read_json(body);
  if (!parsed.ok()) return parsed.error();
  object out;
  if (parsed->get(out) != simdjson::SUCCESS) {
    return wrong("invalid_type", "The body must be a JSON object.", "");
  }
  for (const auto& member : out) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    const std::string name(cut_utf8(member.key, 100));
    return wrong("unknown_field", "'" + name + "' is not known here.", name);
  }
  return out;
}

/// A text member; empty when it is missing.
Result<std::string> text_in(const object& from, std::string_view name, std::size_t max,
                            const std::string& path) {
  element value;
  if (from[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::string();
  std::string_view text;
  const std::string field = path + std::string(name);
  if (value.get(text) != simdjson::SUCCESS) {
    return wrong("invalid_type", "'" + field + "' must be a text.", field);
  }
  if (text.size() > max) {
    return Error::say(Errc::too_large, "field_too_long",
                      "'" + field + "' may have at most " + std::to_string(max) + " bytes.", field);
  }
  if (text.find('\0') != std::string_view::npos) {
    return wrong("control_character", "'" + field + "' holds a NUL.", field);
  }
  return std::string(text);
}

Result<std::vector<float>> vector_in(const element& from, const std::string& field) {
  auto values = models::read_vector(from);
  if (values.ok() && !values->empty()) return std::move(*values);
  return wrong("invalid_type", "'" + field + "' must be an array of numbers, or base64 of floats.",
               field);
}

Result<std::vector<std::string>> tags_of(const object& from) {
  std::vector<std::string> out;
  element value;
  if (from["tags"].get(value) != simdjson::SUCCESS) return out;
  array tags;
  if (value.get(tags) != simdjson::SUCCESS) {
    return wrong("invalid_type", "'tags' must be an array of texts.", "tags");
  }
  for (const auto& tag : tags) {
    std::string_view text;
    if (tag.get(text) != simdjson::SUCCESS) {
      return wrong("invalid_type", "'tags' must be an array of texts.", "tags");
    }
    out.emplace_back(text);
  }
  if (out.size() > storage::kTagsMax) {
    return wrong("too_many", "A document has at most 16 tags.", "tags");
  }
  return out;
}

/// The model of the space that is meant: the configured one, or one that clients fill themselves.
Result<std::string> model_in(const object& from, const Settings& settings) {
  auto model = text_in(from, "model", kModelMax, "");
  if (!model.ok()) return model;
  const auto& configured = settings.knowledge.embedding_model;
  if (model->empty()) *model = configured.empty() ? std::string(kUnnamed) : configured;
  if (*model == configured) return model;
  return std::string(storage::kGivenPrefix) + *model;
}

std::string shown(const std::string& model) {
  const bool given = model.starts_with(storage::kGivenPrefix);
  return given ? model.substr(storage::kGivenPrefix.size()) : model;
}

Status read_passages(const object& from, NewVectors& into) {
  array passages;
  if (from["passages"].get(passages) != simdjson::SUCCESS) {
    return wrong("missing_field", "'passages' must be an array.", "passages");
  }
  if (passages.size() == 0) return wrong("empty_field", "'passages' is empty.", "passages");
  if (passages.size() > kPassagesMax) {
    return wrong("too_many", "'passages' may hold " + std::to_string(kPassagesMax) + ".",
                 "passages");
  }
  std::uint64_t at = 0;
  for (const auto& each : passages) {
    const std::string path = "passages[" + std::to_string(into.vectors.size()) + "]";
    object passage;
    element values;
    if (each.get(passage) != simdjson::SUCCESS) {
      return wrong("invalid_type", "'" + path + "' must be an object.", path);
    }
    if (passage["embedding"].get(values) != simdjson::SUCCESS) {
      return wrong("missing_field", "'" + path + ".embedding' is required.", path + ".embedding");
    }
    auto text = text_in(passage, "text", storage::kAppendBytes, path + ".");
    if (!text.ok()) return text.error();
    auto heading = text_in(passage, "heading", 1024, path + ".");
    if (!heading.ok()) return heading.error();
    auto vector = vector_in(values, path + ".embedding");
    if (!vector.ok()) return vector.error();
    const auto dimension = static_cast<std::uint32_t>(
        into.vectors.empty() ? vector->size() : into.vectors.front().size());
    auto checked = storage::check_vector(*vector, dimension);
    if (!checked.ok()) return checked;
    const std::uint64_t end = at + text->size();
    into.document.chunks.push_back({std::move(*text), at, end, std::move(*heading)});
    into.vectors.push_back(std::move(*vector));
    at = end + 1;
  }
  into.document.size = Bytes{at};
  return done();
}

/// Of all that makes it this document and no other, however it was written down.
std::string digest_of(const NewVectors& made) {
  Sha256 digest;
  const auto add = [&digest](std::string_view piece) {
    digest.update(std::to_string(piece.size()) + ":");
    digest.update(piece);
  };
  add(made.model);
  add(made.document.title);
  add(made.document.source);
  digest.update(std::to_string(made.document.tags.size()));
  for (const auto& tag : made.document.tags) add(tag);
  for (std::size_t i = 0; i < made.vectors.size(); ++i) {
    add(made.document.chunks[i].heading);
    add(made.document.chunks[i].text);
    add(storage::bytes_of(made.vectors[i]));
  }
  return digest.hex();
}

Result<NewVectors> read_new(const std::string& body, const Settings& settings) {
  auto from = object_in(body, {"collection", "title", "source", "tags", "model", "passages"});
  if (!from.ok()) return from.error();
  NewVectors out;
  auto model = model_in(*from, settings);
  if (!model.ok()) return model.error();
  out.model = std::move(*model);
  auto name = text_in(*from, "collection", 128, "");
  if (!name.ok()) return name.error();
  auto collection = collection_named(*name);
  if (!collection.ok()) return collection.error();
  out.document.collection =
      collection->value_or(CollectionName(settings.knowledge.default_collection));
  auto title = text_in(*from, "title", 1024, "");
  if (!title.ok()) return title.error();
  out.document.title = std::move(*title);
  auto source = text_in(*from, "source", 2048, "");
  if (!source.ok()) return source.error();
  out.document.source = std::move(*source);
  auto tags = tags_of(*from);
  if (!tags.ok()) return tags.error();
  out.document.tags = std::move(*tags);
  auto read = read_passages(*from, out);
  if (!read.ok()) return read.error();
  out.document.media_type = "text/plain";
  out.document.sha256 = digest_of(out);
  return out;
}

Status read_queries(const object& from, Asked& into) {
  element value;
  if (from["embedding"].get(value) == simdjson::SUCCESS) {
    auto vector = vector_in(value, "embedding");
    if (!vector.ok()) return vector.error();
    into.queries.push_back(std::move(*vector));
  }
  if (from["embeddings"].get(value) != simdjson::SUCCESS) {
    if (!into.queries.empty()) return done();
    return wrong("missing_field", "'embedding' or 'embeddings' is required.", "embedding");
  }
  if (!into.queries.empty()) {
    return wrong("invalid_value", "Give 'embedding' or 'embeddings', not both.", "embeddings");
  }
  into.many = true;
  array queries;
  if (value.get(queries) != simdjson::SUCCESS || queries.size() == 0) {
    return wrong("invalid_type", "'embeddings' must be an array of vectors.", "embeddings");
  }
  if (queries.size() > storage::kVectorQueriesMax) {
    return wrong("too_many",
                 "'embeddings' may hold " + std::to_string(storage::kVectorQueriesMax) + ".",
                 "embeddings");
  }
  for (const auto& each : queries) {
    auto vector = vector_in(each, "embeddings[" + std::to_string(into.queries.size()) + "]");
    if (!vector.ok()) return vector.error();
    if (!into.queries.empty() && vector->size() != into.queries.front().size()) {
      return storage::check_vector(*vector,
                                   static_cast<std::uint32_t>(into.queries.front().size()));
    }
    into.queries.push_back(std::move(*vector));
  }
  return done();
}

Result<Asked> read_search(const std::string& body, const Settings& settings) {
  auto from = object_in(body, {"embedding", "embeddings", "model", "collection", "tags", "limit"});
  if (!from.ok()) return from.error();
  Asked out;
  auto model = model_in(*from, settings);
  if (!model.ok()) return model.error();
  out.model = std::move(*model);
  auto name = text_in(*from, "collection", 128, "");
  if (!name.ok()) return name.error();
  auto collection = collection_named(*name);
  if (!collection.ok()) return collection.error();
  out.filter.collection = std::move(*collection);
  auto tags = tags_of(*from);
  if (!tags.ok()) return tags.error();
  out.filter.tags = std::move(*tags);
  element limit;
  if ((*from)["limit"].get(limit) == simdjson::SUCCESS) {
    std::uint64_t wanted = 0;
    const std::uint64_t most = std::min(settings.knowledge.search_max, storage::kNearestMax);
    if (limit.get(wanted) != simdjson::SUCCESS || wanted < 1 || wanted > most) {
      return wrong("out_of_range",
                   "'limit' must be a whole number from 1 to " + std::to_string(most) + ".",
                   "limit");
    }
    out.limit = static_cast<std::uint32_t>(wanted);
  }
  auto read = read_queries(*from, out);
  if (!read.ok()) return read.error();
  return out;
}

/// The space that vectors of this model and dimension are put in. The configured model has one of
/// one dimension alone, which the model tells: a second one would be dropped in the background.
Co<Result<storage::VectorSpace>> space_for(const Rooms& rooms, std::string model,
                                           std::uint32_t dimension, Deadline by) {
  if (model.starts_with(storage::kGivenPrefix)) {
    co_return co_await rooms.stores.vectors().make(std::move(model), dimension, by);
  }
  auto space = co_await rooms.library.space_of_model(by);
  if (!space.ok() || space->dimension == dimension) co_return space;
  co_return wrong("vector_dimension",
                  "The vectors have " + std::to_string(dimension) + " dimensions, those of " +
                      space->model + " " + std::to_string(space->dimension) +
                      ". Name the set that they belong to as 'model'.",
                  "embedding");
}

/// Runs `read(body)`, on the pool when the body is large.
template <class T>
Co<Result<T>> parsed(const Rooms& rooms, std::string body,
                     Result<T> (*read)(const std::string&, const Settings&), Deadline by) {
  if (body.size() <= kAtOnce || rooms.pool == nullptr) co_return read(body, rooms.settings);
  auto work = [body = std::move(body), read, &settings = rooms.settings] {
    return read(body, settings);
  };
  co_return co_await offload(rooms.clock, *rooms.pool, std::move(work), by);
}

/// The hits of one query as a list; those whose passage is gone meanwhile are left out.
Json list_of(const std::vector<storage::VectorHit>& hits,
             const std::map<std::int64_t, const storage::Passage*>& passages) {
  Json out = Json::array();
  for (const auto& hit : hits) {
    const auto found = passages.find(hit.chunk);
    if (found != passages.end()) out.push_back(passage_json(*found->second, hit.score));
  }
  return out;
}

}  // namespace

bool asks_by_vector(const std::string& body) {
  for (const std::string_view name : {"\"embedding\"", "\"embeddings\""}) {
    for (auto at = body.find(name); at != std::string::npos; at = body.find(name, at + 1)) {
      const auto next = body.find_first_not_of(" \t\r\n", at + name.size());
      if (next != std::string::npos && body[next] == ':') return true;  // a key, not a text
    }
  }
  return false;
}

Co<Status> add_vectors(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  auto wanted = co_await parsed(rooms, std::move(*body), &read_new, context.by);
  if (!wanted.ok()) co_return wanted.error();
  const auto dimension = static_cast<std::uint32_t>(wanted->vectors.front().size());
  auto space = co_await space_for(rooms, wanted->model, dimension, context.by);
  if (!space.ok()) co_return space.error();
  wanted->document.id = DocumentId(make_id("doc_", rooms.clock, rooms.random));
  auto added = co_await rooms.stores.documents().add(context.caller.owner.tenant,
                                                     std::move(wanted->document), context.by);
  if (!added.ok()) co_return added.error();
  const auto& document = added->document;
  std::vector<storage::NewVector> vectors;
  vectors.reserve(wanted->vectors.size());
  for (std::size_t i = 0; i < wanted->vectors.size(); ++i) {
    vectors.push_back({storage::chunk_number(document.number, i), std::move(wanted->vectors[i])});
  }
  // The same request again finds the document and puts its vectors again.
  auto put = co_await rooms.stores.vectors().put(space->number, std::move(vectors), context.by);
  if (!put.ok()) co_return put.error();
  const Json out = {{"object", "vectors"},
                    {"document", document.id.text()},
                    {"collection", document.collection.text()},
                    {"model", shown(space->model)},
                    {"dimensions", space->dimension},
                    {"passages", *put},
                    {"existed", added->existed}};
  const int status = added->existed ? 200 : 201;
  auto sent = co_await reply_json(context, status, dump(out));
  co_return sent;
}

Co<Status> search_vectors(const Rooms& rooms, Context& context, std::string body) {
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) co_return permit.error();
  auto asked = co_await parsed(rooms, std::move(body), &read_search, context.by);
  if (!asked.ok()) co_return asked.error();
  const TenantId tenant = context.caller.owner.tenant;
  auto visible = co_await rooms.library.visible(tenant, asked->filter, context.by);
  if (!visible.ok()) co_return visible.error();
  storage::VectorSearch search;
  search.model = std::move(asked->model);
  search.queries = std::move(asked->queries);
  search.documents = std::move(*visible);
  search.nearest = asked->limit;
  auto hits = co_await rooms.stores.vectors().search(std::move(search), context.by);
  if (!hits.ok()) co_return hits.error();
  std::vector<std::int64_t> numbers;
  for (const auto& each : *hits) {
    for (const auto& hit : each) numbers.push_back(hit.chunk);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.size() > kHitsMax) {
    co_return wrong("out_of_range", "The queries ask for too many passages; ask for fewer at once.",
                    "limit");
  }
  auto passages =
      co_await rooms.stores.documents().passages(tenant, std::move(numbers), context.by);
  if (!passages.ok()) co_return passages.error();
  std::map<std::int64_t, const storage::Passage*> by_number;
  for (const auto& each : *passages) by_number.emplace(each.number, &each);
  Json out = {{"object", "list"}, {"data", Json::array()}};
  if (!asked->many) {
    out["data"] = list_of(hits->front(), by_number);
  } else {
    for (std::size_t q = 0; q < hits->size(); ++q) {
      out["data"].push_back(
          {{"object", "list"}, {"index", q}, {"data", list_of((*hits)[q], by_number)}});
    }
  }
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

}  // namespace mainstay::api
