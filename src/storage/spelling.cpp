// Distances between words, and the choice among near ones.
#include "storage/spelling.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "storage/words.h"

namespace mainstay::storage {
namespace {

/// Letters that the table of distances has room for: a spelled word and two more.
constexpr std::size_t kRow = kSpelledBytesMax + 3;

/// Latin with its extensions, Greek, Cyrillic, Armenian, Hebrew, Arabic: letters that words are
/// spelled with one by one.
bool spells(char32_t letter) {
  if (letter < 0x80) return letter >= U'a' && letter <= U'z';
  return letter >= 0xdf && letter < 0x700 && letter != 0xf7;
}

}  // namespace

std::u32string letters_of(std::string_view word) {
  std::u32string out;
  for (std::size_t at = 0; at < word.size();) {
    const auto lead = static_cast<unsigned char>(word[at]);
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    if (size == 1 || at + size > word.size()) {
      out += static_cast<char32_t>(lead);
      ++at;
      continue;
    }
    char32_t code = lead & (0xffu >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      code = (code << 6) | (static_cast<unsigned char>(word[at + i]) & 0x3f);
    }
    out += code;
    at += size;
  }
  return out;
}

bool is_spelled(std::string_view lower_word) {
  if (lower_word.size() < kSpelledLettersMin || lower_word.size() > kSpelledBytesMax) return false;
  const bool plain = std::all_of(lower_word.begin(), lower_word.end(),
                                 [](char c) { return c >= 'a' && c <= 'z'; });
  if (plain) return true;
  const std::u32string letters = letters_of(lower_word);
  return letters.size() >= kSpelledLettersMin &&
         std::all_of(letters.begin(), letters.end(), spells);
}

std::size_t spelling_distance(std::u32string_view a, std::u32string_view b, std::size_t max) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > max || a.size() >= kRow) return a == b ? 0 : max + 1;
  std::array<std::size_t, kRow> before_last{};
  std::array<std::size_t, kRow> last{};
  std::array<std::size_t, kRow> now{};
  for (std::size_t i = 0; i <= a.size(); ++i) last[i] = i;
  for (std::size_t j = 1; j <= b.size(); ++j) {
    now[0] = j;
    std::size_t best = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      const std::size_t replaced = last[i - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[i] = std::min({replaced, last[i] + 1, now[i - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[i] = std::min(now[i], before_last[i - 2] + 1);
      }
      best = std::min(best, now[i]);
    }
    // A swap reaches back two rows, so one row beyond the limit does not end it yet.
    if (best > max && j > 1 &&
        *std::min_element(last.begin(), last.begin() + 1 + static_cast<std::ptrdiff_t>(a.size())) >
            max) {
      return max + 1;
    }
    before_last = last;
    last = now;
  }
  return std::min(last[a.size()], max + 1);
}

std::size_t spelling_tolerance(std::size_t letters) {
  return letters <= 7 ? 1 : 2;
}

std::vector<std::string> trigrams_of(std::string_view word) {
  const std::string padded = "^" + std::string(word) + "$";
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < padded.size(); ++i) {
    if ((static_cast<unsigned char>(padded[i]) & 0xc0) != 0x80) starts.push_back(i);
  }
  starts.push_back(padded.size());
  std::vector<std::string> out;
  for (std::size_t i = 0; i + 3 < starts.size(); ++i) {
    std::string gram = padded.substr(starts[i], starts[i + 3] - starts[i]);
    if (std::find(out.begin(), out.end(), gram) == out.end()) out.push_back(std::move(gram));
  }
  return out;
}

std::vector<std::string> stand_ins(std::vector<Nearby> nearby) {
  std::erase_if(nearby, [](const Nearby& each) { return each.held == 0; });
  std::sort(nearby.begin(), nearby.end(), [](const Nearby& a, const Nearby& b) {
    return std::tie(a.distance, b.held, a.word) < std::tie(b.distance, a.held, b.word);
  });
  std::vector<std::string> out;
  std::vector<std::string> stems;
  for (const auto& each : nearby) {
    if (each.distance > nearby.front().distance || out.size() == kInsteadMax) break;
    if (is_stop_word(each.word)) continue;
    std::string root = stem(each.word);
    if (std::find(stems.begin(), stems.end(), root) != stems.end()) continue;
    stems.push_back(std::move(root));
    out.push_back(each.word);
  }
  return out;
}

}  // namespace mainstay::storage
