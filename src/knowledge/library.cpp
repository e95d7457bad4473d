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
  query.limit = std::min(query.limit, settings_.search_max);
  if (trim(query.text).empty()) {
    storage::Found out;
    auto first = co_await newest(std::move(query), by);
    if (!first.ok()) co_return first.error();
    out.passages = std::move(*first);
    co_return out;
  }
  if (meaning_ == nullptr) co_return co_await documents_.find(std::move(query), by);
  co_return co_await fused(std::move(query), by);
}

/// Both rankings are looked at deeper than is asked for: a passage that is far down in one may be
/// the best of both.
Co<Result<storage::Found>> Library::fused(storage::PassageQuery query, Deadline by) {
  const std::uint32_t limit = query.limit;
  const std::uint32_t depth = std::max(limit, kDepth);
  storage::PassageQuery by_words = query;
  by_words.limit = depth;
  auto words = co_await documents_.find(std::move(by_words), by);
  if (!words.ok()) co_return words.error();
  const TenantId tenant = query.tenant;
  storage::DocumentFilter filter = query;
  auto documents = co_await visible_.of(tenant, std::move(filter), by);
  if (!documents.ok()) co_return documents.error();
  auto near = co_await meaning_->nearest(std::move(query.text), std::move(*documents), depth, by);
  if (!near) {
    if (words->passages.size() > limit) words->passages.resize(limit);
    co_return words;
  }
  std::vector<Ranking> rankings(2);
  std::unordered_map<std::int64_t, storage::Passage> known;
  for (auto& passage : words->passages) {
    rankings[0].items.push_back(passage.number);
    known.emplace(passage.number, std::move(passage));
  }
  for (const auto& hit : *near) rankings[1].items.push_back(hit.chunk);
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

Co<Result<std::vector<storage::Passage>>> Library::newest(storage::PassageQuery query,
                                                          Deadline by) {
  std::vector<storage::Passage> out;
  auto page = co_await documents_.list(query.tenant, query.collection, DocumentId(), 1, by);
  if (!page.ok()) co_return page.error();
  if (page->items.empty()) co_return out;
  const storage::DocumentInfo& info = page->items.front();
  auto chunks = co_await documents_.chunks(query.tenant, info.id, 0, query.limit, by);
  if (!chunks.ok()) co_return chunks.error();
  for (auto& chunk : *chunks) {
    out.push_back({info.id, info.collection, info.title, info.source, std::move(chunk.heading),
                   chunk.begin, chunk.end, std::move(chunk.text), 0});
  }
  co_return out;
}

}  // namespace mainstay::knowledge
