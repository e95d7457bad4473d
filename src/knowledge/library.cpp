// From a client's text to stored chunks: check, extract, cut, store.
#include "knowledge/library.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "knowledge/fusion.h"

namespace mainstay::knowledge {
namespace {

constexpr std::uint32_t kDepth = 50;  ///< of each ranking

/// The text is the file that an error speaks of.
Error of_text(Error error) {
  if (error.field == "file") error.field = "text";
  return error;
}

Status check_format(const std::string& format) {
  auto type = type_of({}, {}, format);
  if (type.ok() && is_text(*type)) return done();
  return Error::say(Errc::invalid, "invalid_value",
                    "'format' must be one of text, markdown, html, csv, jsonl.", "format");
}

}  // namespace

Library::Library(const KnowledgeSettings& settings, Clock& clock, Random& random, OffloadPool& pool,
                 storage::Documents& documents, media::Decoders* decoders)
    : settings_(settings),
      clock_(clock),
      random_(random),
      documents_(documents),
      ingest_(ExtractTools{settings_, clock, pool, decoders}, documents),
      visible_(documents) {}

Co<Result<storage::Added>> Library::add(TenantId tenant, NewText text, Deadline by) {
  if (text.format.empty()) text.format = "text";
  auto known = check_format(text.format);
  if (!known.ok()) co_return known.error();
  NewFile file;
  file.id = DocumentId(make_id("doc_", clock_, random_));
  file.collection = std::move(text.collection);
  file.title = std::move(text.title);
  file.source = std::move(text.source);
  file.format = std::move(text.format);
  file.tags = std::move(text.tags);
  TextSource source(std::move(text.text));
  auto added = co_await ingest_.run(std::move(tenant), std::move(file), source, nullptr, true, by);
  if (!added.ok()) co_return of_text(added.error());
  co_return added;
}

Co<Result<storage::Added>> Library::ingest(TenantId tenant, NewFile file, ByteSource& source,
                                           IngestWatcher* watcher, bool last_attempt, Deadline by) {
  auto added =
      co_await ingest_.run(std::move(tenant), std::move(file), source, watcher, last_attempt, by);
  co_return added;
}

Co<Result<storage::Added>> Library::remake(TenantId tenant, NewFile file, IngestWatcher* watcher,
                                           bool last_attempt, Deadline by) {
  auto made =
      co_await ingest_.remake(std::move(tenant), std::move(file), watcher, last_attempt, by);
  co_return made;
}

Co<Result<std::vector<storage::Passage>>> Library::find(storage::PassageQuery query, Deadline by) {
  auto found = co_await search(std::move(query), by);
  if (!found.ok()) co_return found.error();
  co_return std::move(found->passages);
}

Co<Result<storage::Found>> Library::search(storage::PassageQuery query, Deadline by) {
  std::vector<std::string> texts(1, std::move(query.text));
  auto all = co_await search_all(std::move(query), std::move(texts), by);
  if (!all.ok()) co_return all.error();
  co_return std::move(all->front());
}

Co<Result<std::vector<storage::Found>>> Library::search_all(storage::PassageQuery query,
                                                            std::vector<std::string> texts,
                                                            Deadline by) {
  query.limit = std::min(query.limit, settings_.search_max);
  auto near = co_await nearest(query, texts, by);
  if (!near.ok()) co_return near.error();
  std::vector<storage::Found> out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    storage::PassageQuery one = query;
    one.text = std::move(texts[i]);
    Result<storage::Found> found = storage::Found();
    if (trim(one.text).empty()) {
      found = co_await newest(std::move(one), by);
    } else if ((*near)[i]) {
      found = co_await fused(std::move(one), std::move(*(*near)[i]), by);
    } else {
      found = co_await documents_.find(std::move(one), by);
    }
    if (!found.ok()) co_return found.error();
    out.push_back(std::move(*found));
  }
  co_return out;
}

/// By meaning, for each text; nullopt where words alone are to tell.
Co<Result<std::vector<Nearest>>> Library::nearest(const storage::PassageQuery& query,
                                                  const std::vector<std::string>& texts,
                                                  Deadline by) {
  std::vector<Nearest> out(texts.size());
  std::vector<std::string> questions;
  for (const auto& text : texts) {
    if (!trim(text).empty()) questions.push_back(text);
  }
  if (meaning_ == nullptr || questions.empty()) co_return out;
  storage::DocumentFilter filter = query;
  auto documents = co_await visible_.of(query.tenant, std::move(filter), by);
  if (!documents.ok()) co_return documents.error();
  const std::uint32_t depth = std::max(query.limit, kDepth);
  auto near = co_await meaning_->nearest(std::move(questions), std::move(*documents), depth, by);
  auto next = near.begin();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!trim(texts[i]).empty()) out[i] = std::move(*next++);
  }
  co_return out;
}

Co<Result<storage::VectorSpace>> Library::space_of_model(Deadline by) {
  if (meaning_ != nullptr) co_return co_await meaning_->space(by);
  co_return Error::log(Errc::unavailable, "there is no embedding model yet");
}

/// Both rankings are looked at deeper than is asked for: a passage that is far down in one may be
/// the best of both.
Co<Result<storage::Found>> Library::fused(storage::PassageQuery query,
                                          std::vector<storage::VectorHit> near, Deadline by) {
  const std::uint32_t limit = query.limit;
  const TenantId tenant = query.tenant;
  query.limit = std::max(limit, kDepth);
  auto words = co_await documents_.find(std::move(query), by);
  if (!words.ok()) co_return words.error();
  std::vector<Ranking> rankings(2);
  std::unordered_map<std::int64_t, storage::Passage> known;
  for (auto& passage : words->passages) {
    rankings[0].items.push_back(passage.number);
    known.emplace(passage.number, std::move(passage));
  }
  for (const auto& hit : near) rankings[1].items.push_back(hit.chunk);
  auto order = fuse(rankings);
  if (order.size() > limit) order.resize(limit);
  std::vector<std::int64_t> unknown;
  for (const auto& one : order) {
    if (!known.contains(one.item)) unknown.push_back(one.item);
  }
  auto others = co_await documents_.passages(tenant, std::move(unknown), by);
  if (!others.ok()) co_return others.error();
  for (auto& passage : *others) known.emplace(passage.number, std::move(passage));
  storage::Found out;
  out.corrected = std::move(words->corrected);
  for (const auto& one : order) {
    const auto found = known.find(one.item);
    if (found == known.end()) continue;  // it went meanwhile
    out.passages.push_back(std::move(found->second));
    out.passages.back().score = one.score;
  }
  co_return out;
}

Co<Result<storage::Found>> Library::newest(storage::PassageQuery query, Deadline by) {
  storage::Found out;
  auto page = co_await documents_.list(query.tenant, query.collection, DocumentId(), 1, by);
  if (!page.ok()) co_return page.error();
  if (page->items.empty()) co_return out;
  const storage::DocumentInfo& info = page->items.front();
  auto chunks = co_await documents_.chunks(query.tenant, info.id, 0, query.limit, by);
  if (!chunks.ok()) co_return chunks.error();
  for (auto& chunk : *chunks) {
    out.passages.push_back({info.id, info.collection, info.title, info.source,
                            std::move(chunk.heading), chunk.begin, chunk.end, std::move(chunk.text),
                            0});
  }
  co_return out;
}

}  // namespace mainstay::knowledge
