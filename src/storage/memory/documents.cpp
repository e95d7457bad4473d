// The rules of documents, written as plainly as possible.
#include "storage/memory/documents.h"

#include <algorithm>
#include <cmath>

#include "storage/words.h"

namespace mainstay::storage::memory {
namespace {

constexpr double kSaturation = 1.2;  // k1 and b of BM25, as FTS5 has them
constexpr double kLength = 0.75;
constexpr double kTitleWeight = 2.0;
constexpr double kHeadingWeight = 3.0;

Error unknown() {
  return Error::say(Errc::not_found, "unknown_document", "There is no such document.", "document");
}

/// A chunk as BM25 sees it.
struct Counted {
  std::map<std::string, double> times;  ///< weighted by where the stem stands
  double length = 0;
  Passage passage;
};

void count(Counted& into, const std::string& text, double weight) {
  for (const auto& word : words_of(text)) {
    into.times[stem(word.text)] += weight;
    into.length += 1;
  }
}

}  // namespace

MemoryDocuments::All::const_iterator MemoryDocuments::find(const TenantId& tenant,
                                                           const DocumentId& id) const {
  return std::find_if(all_.begin(), all_.end(), [&](const auto& entry) {
    return entry.second.tenant == tenant && entry.second.info.id == id;
  });
}

Result<Added> MemoryDocuments::add_now(const TenantId& tenant, NewDocument document) {
  std::lock_guard lock(mutex_);
  Added added;
  std::vector<std::uint64_t> older;
  for (const auto& [n, each] : all_) {
    if (each.tenant == tenant && each.info.collection == document.collection) {
      if (each.info.sha256 == document.sha256) {
        added.document = each.info;
        added.existed = true;
        return added;
      }
      if (!document.source.empty() && each.info.source == document.source) older.push_back(n);
    }
  }
  for (const auto& [n, each] : all_) {
    if (each.info.id == document.id && std::find(older.begin(), older.end(), n) == older.end()) {
      return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
    }
  }
  for (const auto n : older) all_.erase(n);
  added.replaced = !older.empty();
  added.document = DocumentInfo{document.id,     document.collection,    document.title,
                                document.source, document.media_type,    document.sha256,
                                document.size,   document.chunks.size(), clock_.wall()};
  all_.emplace(next_++, Document{tenant, added.document, std::move(document.chunks)});
  return added;
}

Co<Result<Added>> MemoryDocuments::add(TenantId tenant, NewDocument document, Deadline) {
  co_return add_now(tenant, std::move(document));
}

Co<Result<PageOfDocuments>> MemoryDocuments::list(TenantId tenant,
                                                  std::optional<CollectionName> collection,
                                                  DocumentId after, std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  auto end = all_.cend();
  if (!after.empty()) {
    end = find(tenant, after);
    if (end == all_.cend()) co_return unknown();
  }
  PageOfDocuments out;
  for (auto at = std::make_reverse_iterator(end); at != all_.crend(); ++at) {
    const Document& each = at->second;
    if (each.tenant != tenant) continue;
    if (collection && each.info.collection != *collection) continue;
    if (out.items.size() == limit)
      out.more = true;
    else
      out.items.push_back(each.info);
  }
  co_return out;
}

Co<Result<DocumentInfo>> MemoryDocuments::get(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(tenant, id);
  if (found == all_.end()) co_return unknown();
  co_return found->second.info;
}

Co<Result<std::vector<Chunk>>> MemoryDocuments::chunks(TenantId tenant, DocumentId id,
                                                       std::uint64_t from, std::uint32_t limit,
                                                       Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(tenant, id);
  if (found == all_.end()) co_return unknown();
  std::vector<Chunk> out;
  const auto& all = found->second.chunks;
  for (std::size_t i = from; i < all.size() && out.size() < limit; ++i) out.push_back(all[i]);
  co_return out;
}

Co<Status> MemoryDocuments::erase(TenantId tenant, DocumentId id, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = find(tenant, id);
  if (found == all_.end()) co_return unknown();
  all_.erase(found);
  co_return done();
}

std::vector<Passage> MemoryDocuments::search_now(const PassageQuery& query) const {
  std::vector<Counted> counted;
  double lengths = 0;
  for (const auto& [n, each] : all_) {
    if (each.tenant != query.tenant) continue;
    if (query.collection && each.info.collection != *query.collection) continue;
    for (const auto& chunk : each.chunks) {
      Counted one;
      count(one, each.info.title, kTitleWeight);
      count(one, chunk.heading, kHeadingWeight);
      count(one, chunk.text, 1);
      one.passage = Passage{each.info.id,     each.info.collection, each.info.title,
                            each.info.source, chunk.heading,        chunk.begin,
                            chunk.end,        chunk.text,           0};
      lengths += one.length;
      counted.push_back(std::move(one));
    }
  }
  if (counted.empty()) return {};
  const double average = lengths / static_cast<double>(counted.size());
  for (const auto& word : search_words(query.text, 24)) {
    const std::string term = stem(word);
    double holding = 0;
    for (const auto& one : counted) holding += one.times.contains(term) ? 1 : 0;
    const double all = static_cast<double>(counted.size());
    const double rarity = std::max(1e-6, std::log((all - holding + 0.5) / (holding + 0.5)));
    for (auto& one : counted) {
      const auto found = one.times.find(term);
      if (found == one.times.end()) continue;
      const double times = found->second;
      one.passage.score += rarity * times * (kSaturation + 1) /
                           (times + kSaturation * (1 - kLength + kLength * one.length / average));
    }
  }
  std::vector<Passage> out;
  for (auto& one : counted) {
    if (one.passage.score > 0) out.push_back(std::move(one.passage));
  }
  std::sort(out.begin(), out.end(), [](const Passage& a, const Passage& b) {
    return std::tie(b.score, a.document, a.begin) < std::tie(a.score, b.document, b.begin);
  });
  if (out.size() > query.limit) out.resize(query.limit);
  return out;
}

Co<Result<std::vector<Passage>>> MemoryDocuments::search(PassageQuery query, Deadline) {
  std::lock_guard lock(mutex_);
  co_return search_now(query);
}

}  // namespace mainstay::storage::memory
