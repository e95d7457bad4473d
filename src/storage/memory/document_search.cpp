// Every chunk is read for every question.
#include "storage/memory/document_search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "storage/document_rules.h"
#include "storage/spelling.h"
#include "storage/words.h"

namespace mainstay::storage::memory {
namespace {

constexpr double kSaturation = 1.2;  // k1 and b of BM25, as FTS5 has them
constexpr double kLength = 0.75;
constexpr double kTitleWeight = 2.0;
constexpr double kHeadingWeight = 3.0;

/// A chunk as BM25 sees it.
struct Counted {
  std::map<std::string, double> times;  ///< weighted by where the stem stands
  std::set<std::string> spelled;        ///< words that a mistyped one may have meant
  double length = 0;
  bool wanted = false;  ///< the filter lets it through
  Passage passage;
};

void count(Counted& into, const std::string& text, double weight) {
  for (const auto& word : words_of(text)) {
    into.times[stem(word.text)] += weight;
    into.length += 1;
    if (is_spelled(word.text)) into.spelled.insert(word.text);
  }
}

std::uint64_t holders(const std::vector<Counted>& chunks, const std::string& root) {
  std::uint64_t out = 0;
  for (const auto& one : chunks) out += one.times.contains(root) ? 1 : 0;
  return out;
}

std::vector<std::string> instead_of(const std::vector<Counted>& chunks, const std::string& word) {
  const std::u32string letters = letters_of(word);
  const std::size_t tolerance = spelling_tolerance(letters.size());
  std::set<std::string> known;
  for (const auto& one : chunks) known.insert(one.spelled.begin(), one.spelled.end());
  std::vector<Nearby> nearby;
  for (const auto& each : known) {
    const std::size_t distance = spelling_distance(letters, letters_of(each), tolerance);
    if (distance <= tolerance) nearby.push_back({each, distance, holders(chunks, stem(each))});
  }
  return stand_ins(std::move(nearby));
}

/// The stems to look for; fills what was corrected.
std::vector<std::string> wanted_by(const std::vector<Counted>& chunks, const PassageQuery& query,
                                   std::vector<Correction>& corrected) {
  std::vector<std::string> out;
  const auto want = [&out](std::string root) {
    if (std::find(out.begin(), out.end(), root) == out.end()) out.push_back(std::move(root));
  };
  std::size_t tried = 0;
  for (const auto& word : search_words(query.text, kSearchWordsMax)) {
    std::string root = stem(word);
    if (holders(chunks, root) > 0) {
      want(std::move(root));
      continue;
    }
    if (!query.forgiving || !is_spelled(word) || ++tried > kCorrectedMax) continue;
    Correction correction{word, instead_of(chunks, word)};
    if (correction.instead.empty()) continue;
    for (const auto& instead : correction.instead) want(stem(instead));
    corrected.push_back(std::move(correction));
  }
  return out;
}

void score(std::vector<Counted>& chunks, const std::string& root, double average) {
  const auto all = static_cast<double>(chunks.size());
  const auto held = static_cast<double>(holders(chunks, root));
  const double rarity = std::max(1e-6, std::log((all - held + 0.5) / (held + 0.5)));
  for (auto& one : chunks) {
    const auto found = one.times.find(root);
    if (found == one.times.end()) continue;
    const double times = found->second;
    one.passage.score += rarity * times * (kSaturation + 1) /
                         (times + kSaturation * (1 - kLength + kLength * one.length / average));
  }
}

}  // namespace

bool lets_through(const DocumentFilter& filter, const DocumentInfo& info) {
  if (filter.collection && info.collection != *filter.collection) return false;
  if (filter.document && info.id != *filter.document) return false;
  if (filter.created_from && info.created < *filter.created_from) return false;
  if (filter.created_to && info.created >= *filter.created_to) return false;
  return has_tags(info.tags, filter.tags);
}

Passage passage_of(const DocumentInfo& info, const Chunk& chunk, std::uint64_t seq) {
  Passage out{info.id,   info.collection, info.title, info.source, chunk.heading, chunk.begin,
              chunk.end, chunk.text,      0};
  out.number = chunk_number(info.number, seq);
  out.page = chunk.page;
  return out;
}

Found found_in(const std::vector<const MemoryDocuments::Document*>& documents,
               const PassageQuery& query) {
  Found out;
  std::vector<Counted> chunks;
  double lengths = 0;
  for (const auto* each : documents) {
    const bool wanted = lets_through(query, each->info);
    for (std::size_t i = 0; i < each->chunks.size(); ++i) {
      Counted one;
      count(one, each->info.title, kTitleWeight);
      count(one, each->chunks[i].heading, kHeadingWeight);
      count(one, each->chunks[i].text, 1);
      one.passage = passage_of(each->info, each->chunks[i], i);
      one.wanted = wanted;
      lengths += one.length;
      chunks.push_back(std::move(one));
    }
  }
  if (chunks.empty() || query.limit == 0) return out;
  const auto roots = wanted_by(chunks, query, out.corrected);
  const double average = lengths / static_cast<double>(chunks.size());
  for (const auto& root : roots) score(chunks, root, average);
  for (auto& one : chunks) {
    if (one.wanted && one.passage.score > 0) out.passages.push_back(std::move(one.passage));
  }
  std::sort(out.passages.begin(), out.passages.end(), [](const Passage& a, const Passage& b) {
    return std::tie(b.score, a.number) < std::tie(a.score, b.number);
  });
  if (out.passages.size() > query.limit) out.passages.resize(query.limit);
  write_as_found(out);
  return out;
}

}  // namespace mainstay::storage::memory
