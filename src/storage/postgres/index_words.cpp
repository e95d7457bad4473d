// Cutting, stemming and counting. A stem's places are counted 1, 2, 3 …, since only their number
// and their weights tell anything here.
#include "storage/postgres/index_words.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "storage/spelling.h"
#include "storage/words.h"

namespace mainstay::storage::postgres {
namespace {

constexpr std::size_t kWordBytesMax = 128;
/// More of the same word in a text tell nothing: the n-th one counts 1 / (n * n) (ts_rank).
constexpr int kTimesMax = 8;
/// A tsvector holds a megabyte at most; beyond this much no further stems of a chunk are taken.
constexpr std::size_t kVectorBytesMax = 256 * 1024;
constexpr std::size_t kTitleBytesMax = 16 * 1024;

/// Stems of words that this call has met; notes those that are spelled.
class Stems {
 public:
  explicit Stems(SpelledWords& spelled) : spelled_(spelled) {}
  /// Empty: the word is not indexed.
  const std::string& of(const std::string& word, std::int64_t place) {
    const auto known = stems_.find(word);
    if (known != stems_.end()) return known->second;
    std::string root;
    if (word.size() <= kWordBytesMax && is_utf8(word)) root = stem(word);
    if (!root.empty() && is_spelled(word)) {
      spelled_.words.push_back(word);
      spelled_.stems.push_back(root);
      spelled_.places.push_back(place);
    }
    return stems_.emplace(word, std::move(root)).first->second;
  }

 private:
  SpelledWords& spelled_;
  std::unordered_map<std::string, std::string> stems_;
};

/// The stems of one chunk or title.
class Counted {
 public:
  Counted(Stems& stems, std::size_t bytes_max) : stems_(stems), bytes_max_(bytes_max) {}
  void add(std::string_view text, char weight, std::int64_t place) {
    WordCutter cutter(text);
    while (cutter.next(word_)) {
      const std::string& root = stems_.of(word_.text, place);
      if (root.empty()) continue;
      ++length;
      auto found = places_.find(root);
      if (found == places_.end()) {
        if (bytes_ > bytes_max_) continue;
        bytes_ += root.size() + 8;
        found = places_.emplace(root, std::string()).first;
      }
      std::string& weights = found->second;
      if (std::count(weights.begin(), weights.end(), weight) < kTimesMax) weights += weight;
    }
  }
  std::string vector() const {
    std::string out;
    for (const auto& [root, weights] : places_) {
      out += out.empty() ? "" : " ";
      out += lexeme(root);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        out += i == 0 ? ':' : ',';
        out += std::to_string(i + 1);
        if (weights[i] != 'D') out += weights[i];
      }
    }
    return out;
  }
  std::int64_t length = 0;

 private:
  Stems& stems_;
  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::string> places_;
  Word word_;
};

}  // namespace

std::string lexeme(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  out += '\'';
  return out;
}

IndexedChunks indexed(std::vector<Chunk> chunks) {
  IndexedChunks out;
  Stems stems(out.spelled);
  std::int64_t place = 0;
  for (auto& chunk : chunks) {
    Counted counted(stems, kVectorBytesMax);
    counted.add(chunk.heading, 'A', place);
    counted.add(chunk.text, 'D', place);
    out.begins.push_back(static_cast<std::int64_t>(chunk.begin));
    out.ends.push_back(static_cast<std::int64_t>(chunk.end));
    out.pages.push_back(chunk.page.value_or(0));
    out.headings.push_back(std::move(chunk.heading));
    out.texts.push_back(std::move(chunk.text));
    out.lengths.push_back(counted.length);
    out.words.push_back(counted.vector());
    ++place;
  }
  return out;
}

IndexedTitle indexed_title(std::string_view title) {
  IndexedTitle out;
  Stems stems(out.spelled);
  Counted counted(stems, kTitleBytesMax);
  counted.add(title, 'B', 0);
  out.words = counted.vector();
  return out;
}

std::string tenant_mark(const TenantId& tenant) {
  return lexeme("\1t" + tenant.text());
}

std::string collection_mark(std::int64_t collection) {
  return lexeme("\1c" + std::to_string(collection));
}

std::string any_of(const std::vector<std::string>& words) {
  std::string out = "(";
  for (const auto& word : words) {
    if (out.size() > 1) out += " | ";
    out += lexeme(word);
  }
  return out + ")";
}

}  // namespace mainstay::storage::postgres
