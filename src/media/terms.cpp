// The table of words.
#include "media/terms.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "media/readability.h"
#include "media/unicode.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kPlacesMin = 1024;
constexpr std::uint64_t kLongLetters = 6;
/// Units of the text of long words, for each word that fits; with more the table thins out.
constexpr std::size_t kUnitsPerTerm = 2;
constexpr std::size_t kTextMax = (std::size_t{1} << 24) - 8;  ///< units that a place can name

std::uint8_t letters_in(std::string_view text) {
  std::uint8_t out = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.bytes == 0) break;
    if (next.code != kInvalid && is_letter(kind_of(next.code))) ++out;
    text.remove_prefix(next.bytes);
  }
  return out;
}

}  // namespace

TermTable::TermTable(std::size_t terms_max, std::uint64_t seed)
    : terms_max_(std::clamp<std::size_t>(terms_max, 16, kTextMax / kUnitsPerTerm)),
      seed_(seed),
      entries_(kPlacesMin),
      mask_(kPlacesMin - 1) {}

std::string_view TermTable::text_of(const Entry& entry) const noexcept {
  return {reinterpret_cast<const char*>(units_of(entry)), entry.bytes};
}

bool TermTable::same_text(const Entry& entry, const Word& word) const noexcept {
  return std::memcmp(units_of(entry), word.units.data(), word.bytes) == 0;
}

void TermTable::settle() {
  const std::size_t size = std::exchange(waiting_size_, 0);
  for (std::size_t i = 0; i < size; ++i) {
    const Word& word = waiting_[i];
    for (std::size_t at = word.hash & mask_;; at = (at + 1) & mask_) {
      Entry& entry = entries_[at];
      if (entry.count == 0) {
        insert(word);
        break;
      }
      if (same(entry, word)) {
        ++entry.count;
        break;
      }
    }
  }
}

void TermTable::sum_up(WordSums& sums, const Entry& entry, std::uint64_t times) noexcept {
  sums.words += times;
  sums.letters += entry.letters() * times;
  sums.syllables += entry.syllables * times;
  if (entry.letters() > kLongLetters) sums.long_words += times;
  for (std::size_t i = 0; entry.stop >> i != 0; ++i) {
    if ((entry.stop >> i & 1) != 0) sums.stop_words[i] += times;
  }
}

void TermTable::place(const Entry& entry) noexcept {
  std::size_t at = hash_of(units_of(entry), entry.bytes) & mask_;
  while (entries_[at].count != 0) at = (at + 1) & mask_;
  entries_[at] = entry;
}

void TermTable::grow() {
  std::vector<Entry> old((mask_ + 1) * 2);
  old.swap(entries_);
  mask_ = entries_.size() - 1;
  for (const auto& entry : old) {
    if (entry.count != 0) place(entry);
  }
}

void TermTable::insert(const Word& word) {
  Entry entry;
  entry.head = {word.units[0], word.units[1]};
  entry.count = 1;
  entry.bytes = static_cast<std::uint8_t>(word.bytes);
  const std::size_t units = entry.is_long() ? (word.bytes + 7) / 8 : 0;
  if (size_ >= terms_max_ || text_.size() + units > terms_max_ * kUnitsPerTerm) thin_out();
  if ((size_ + 1) * 4 > (mask_ + 1) * 3) grow();
  const std::string_view text(reinterpret_cast<const char*>(word.units.data()), word.bytes);
  entry.place = static_cast<std::uint32_t>(text_.size() << 8U) | letters_in(text);
  entry.syllables = static_cast<std::uint8_t>(syllables_of(text));
  entry.stop = stop_languages(text);
  text_.insert(text_.end(), word.units.begin(),
               word.units.begin() + static_cast<std::ptrdiff_t>(units));
  place(entry);
  ++size_;
}

void TermTable::add_long(std::uint64_t letters) {
  ++gone_.words;
  gone_.letters += letters;
  gone_.syllables += (letters + 2) / 3;
  ++gone_.long_words;
}

void TermTable::thin_out() {
  std::vector<std::uint64_t> counts;
  counts.reserve(size_);
  for (const auto& entry : entries_) {
    if (entry.count != 0) counts.push_back(entry.count);
  }
  const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  const std::uint64_t taken = *middle;
  error_ += taken;
  std::vector<Entry> old(entries_.size());
  old.swap(entries_);
  std::vector<std::uint64_t> old_text;
  old_text.swap(text_);
  size_ = 0;
  for (auto& entry : old) {
    if (entry.count == 0) continue;
    sum_up(gone_, entry, std::min(entry.count, taken));
    if (entry.count <= taken) continue;
    entry.count -= taken;
    if (entry.is_long()) {
      const auto from = old_text.begin() + static_cast<std::ptrdiff_t>(entry.text());
      entry.place = static_cast<std::uint32_t>(text_.size() << 8U | entry.letters());
      text_.insert(text_.end(), from, from + (entry.bytes + 7) / 8);
    }
    place(entry);
    ++size_;
  }
}

WordSums TermTable::sums() {
  settle();
  WordSums out = gone_;
  for (const auto& entry : entries_) {
    if (entry.count != 0) sum_up(out, entry, entry.count);
  }
  return out;
}

std::vector<Term> TermTable::top(std::size_t count, LanguageMask languages) {
  settle();
  std::vector<const Entry*> found;
  for (const auto& entry : entries_) {
    if (entry.count != 0 && entry.letters() >= 2 && (entry.stop & languages) == 0) {
      found.push_back(&entry);
    }
  }
  const auto before = [this](const Entry* a, const Entry* b) {
    return a->count != b->count ? a->count > b->count : text_of(*a) < text_of(*b);
  };
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(count, found.size()));
  std::partial_sort(found.begin(), end, found.end(), before);
  std::vector<Term> out;
  for (auto at = found.begin(); at != end; ++at) {
    out.push_back({std::string(text_of(**at)), (*at)->count});
  }
  return out;
}

}  // namespace mainstay::media
