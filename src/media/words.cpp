// The scan: plain ASCII words are taken eight bytes at a time, everything else by character.
#include "media/words.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mainstay::media {
namespace {

static_assert(std::endian::native == std::endian::little, "a word's first letter is its low byte");

constexpr std::uint64_t kHigh = 0x8080808080808080U;
constexpr std::uint64_t kCase = 0x2020202020202020U;
/// Bytes that a plain word and what follows it may be read from.
constexpr std::ptrdiff_t kMargin = static_cast<std::ptrdiff_t>(kTermBytes) + 8;

/// What the fast path does with a byte where no word is open.
enum class Byte : std::uint8_t { letter, other, slow };

constexpr std::array<Byte, 256> make_bytes() {
  std::array<Byte, 256> out{};
  for (std::size_t c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    out[c] = letter ? Byte::letter : digit || c >= 0x80 ? Byte::slow : Byte::other;
  }
  return out;
}
constexpr auto kBytes = make_bytes();

constexpr std::array<bool, 256> make_ends() {
  std::array<bool, 256> out{};
  for (std::size_t c = 0; c < 256; ++c) out[c] = kBytes[c] == Byte::other && c != '\'';
  return out;
}
/// Bytes that surely end a word that ends with a letter.
constexpr auto kEnds = make_ends();

std::uint64_t load(const char* at) {
  std::uint64_t out = 0;
  std::memcpy(&out, at, 8);
  return out;
}

/// The high bit of each byte that is no ASCII letter.
std::uint64_t not_letters(std::uint64_t bytes) {
  const std::uint64_t low = (bytes | kCase) & ~kHigh;
  const std::uint64_t from_a = low + 0x1f1f1f1f1f1f1f1fU;   // 'a' becomes 0x80
  const std::uint64_t after_z = low + 0x0505050505050505U;  // what follows 'z' does
  return (~from_a | after_z | bytes) & kHigh;
}

constexpr std::uint64_t packed(std::string_view word) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    out |= std::uint64_t{static_cast<unsigned char>(word[i])} << (8 * i);
  }
  return out;
}

/// Titles and the like: a point behind one ends no sentence.
constexpr std::array kAbbreviations = {
    packed("mr"),  packed("mrs"),  packed("ms"),  packed("dr"),    packed("prof"), packed("sr"),
    packed("jr"),  packed("st"),   packed("vs"),  packed("vol"),   packed("fig"),  packed("gen"),
    packed("col"), packed("capt"), packed("lt"),  packed("sgt"),   packed("rev"),  packed("hon"),
    packed("jan"), packed("feb"),  packed("apr"), packed("aug"),   packed("sept"), packed("oct"),
    packed("nov"), packed("dec"),  packed("cf"),  packed("pp"),    packed("ca"),   packed("bzw"),
    packed("nr"),  packed("mme"),  packed("sra"), packed("approx")};

bool has_case(CharKind kind) {
  return kind == CharKind::latin || kind == CharKind::greek || kind == CharKind::cyrillic ||
         kind == CharKind::armenian;
}

bool is_apostrophe(char32_t code) {
  return code == '\'' || code == 0x2019;
}

bool closes(char32_t code) {
  switch (code) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case 0xbb:
    case 0x2019:
    case 0x201d:
    case 0x203a:
    case 0x300d:
    case 0x300f:
      return true;
    default:
      return false;
  }
}

}  // namespace

void WordScan::feed(std::string_view piece) {
  while (held_size_ > 0 && !piece.empty()) {
    held_[held_size_++] = piece.front();
    piece.remove_prefix(1);
    drain();
  }
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (at != end) {
    if (run_ == Run::none) at = plain_text(at, end);
    if (at == end) return;
    const auto rest = static_cast<std::size_t>(end - at);
    const Decoded next = decode({at, rest});
    if (next.bytes == 0) {
      std::copy(at, end, held_.begin());
      held_size_ = rest;
      return;
    }
    take(next);
    at += next.bytes;
  }
}

void WordScan::finish() {
  for (; held_size_ > 0; --held_size_) take({kInvalid, 1});
  if (run_ != Run::none) end_word();
  if (joint_ != 0) between(joint_, kind_of(joint_));
  joint_ = 0;
  if (has_word_) end_sentence();
}

/// Characters in held_, as far as they are whole.
void WordScan::drain() {
  while (held_size_ > 0) {
    const Decoded next = decode({held_.data(), held_size_});
    if (next.bytes == 0) return;
    take(next);
    held_size_ -= next.bytes;
    std::copy_n(held_.begin() + next.bytes, held_size_, held_.begin());
  }
}

void WordScan::take(Decoded next) {
  if (next.code == kInvalid) {
    ++invalid_;
    on_char(kInvalid, CharKind::unassigned);
    return;
  }
  const CharKind kind = kind_of(next.code);
  if (next.bytes > 1) ++kinds_[static_cast<std::size_t>(kind)];
  on_char(next.code, kind);
}

/// Takes plain words and what stands between them; where it stops, on_char() goes on.
const char* WordScan::plain_text(const char* at, const char* end) {
  while (end - at > kMargin) {
    const auto c = static_cast<unsigned char>(*at);
    const Byte kind = kBytes[c];
    if (kind == Byte::letter) {
      if (!plain_word(at, end)) return at;
      // A space behind a word says nothing unless a sentence may have ended.
      if (*at == ' ') {
        ++at;
        after_word_ = false;
      }
    } else if (kind == Byte::other) {
      between(c, kind_of(c));
      ++at;
    } else {
      return at;
    }
  }
  return at;
}

/// Takes the word at `at`; false: it is not plain and nothing was taken.
bool WordScan::plain_word(const char*& at, const char* end) {
  const std::uint64_t first = load(at);
  const std::uint64_t others = not_letters(first);
  if (others != 0) [[likely]] {
    const auto bits = static_cast<unsigned>(std::countr_zero(others)) & ~7U;
    const std::size_t size = bits / 8;
    if (!kEnds[static_cast<unsigned char>(at[size])]) return false;
    const std::uint64_t word = (first | kCase) & ((std::uint64_t{1} << bits) - 1);
    word_begins((*at & 0x20) != 0);
    terms_.add(&word, size);
    last_word_ = word;
    last_bytes_ = size;
    at += size;
  } else {
    std::array<std::uint64_t, kTermBytes / 8> word{};
    std::size_t size = 0;
    for (std::size_t i = 0;; ++i) {
      if (i == word.size() || end - at < static_cast<std::ptrdiff_t>(size) + 16) return false;
      const std::uint64_t more = load(at + size);
      const std::uint64_t stop = not_letters(more);
      const auto bits = static_cast<unsigned>(std::countr_zero(stop)) & ~7U;
      if (stop == 0) {
        word[i] = more | kCase;
        size += 8;
        continue;
      }
      word[i] = (more | kCase) & ((std::uint64_t{1} << bits) - 1);
      size += bits / 8;
      break;
    }
    if (!kEnds[static_cast<unsigned char>(at[size])]) return false;
    word_begins((*at & 0x20) != 0);
    terms_.add(word.data(), size);
    last_word_ = word[0];
    last_bytes_ = size;
    at += size;
  }
  ++words_;
  has_word_ = true;
  after_word_ = true;
  last_han_ = 0;
  return true;
}

void WordScan::on_char(char32_t code, CharKind kind) {
  if (run_ != Run::none && goes_on(code, kind)) return;
  if (kind == CharKind::han) {
    on_han(code);
  } else if (is_letter(kind) || kind == CharKind::digit) {
    begin_word(code, kind,
               kind == CharKind::hiragana   ? Run::hiragana
               : kind == CharKind::katakana ? Run::katakana
                                            : Run::plain);
  } else if (kind != CharKind::mark) {
    between(code, kind);
  }
}

/// Whether the character was taken by the open word; if not the word has ended.
bool WordScan::goes_on(char32_t code, CharKind kind) {
  const bool digit = kind == CharKind::digit;
  if (joint_ != 0) {
    const char32_t joint = joint_;
    joint_ = 0;
    const bool joins = is_apostrophe(joint) ? is_letter(kind) && kind < CharKind::hiragana : digit;
    if (joins) {
      append(is_apostrophe(joint) ? U'\'' : joint, CharKind::punctuation);
      append(code, kind);
      return true;
    }
    end_word();
    between(joint, kind_of(joint));
    return false;
  }
  const bool letter = is_letter(kind) && kind != CharKind::han;
  const Run run = kind == CharKind::hiragana   ? Run::hiragana
                  : kind == CharKind::katakana ? Run::katakana
                                               : Run::plain;
  if (kind == CharKind::mark || ((letter || digit) && run == run_)) {
    append(code, kind);
    return true;
  }
  const bool after_letter = is_letter(last_) || last_ == CharKind::mark;
  if (run_ == Run::plain && ((is_apostrophe(code) && after_letter) ||
                             ((code == '.' || code == ',') && last_ == CharKind::digit))) {
    joint_ = code;
    return true;
  }
  end_word();
  return false;
}

void WordScan::begin_word(char32_t code, CharKind kind, Run run) {
  word_begins(has_case(kind) && lower_of(code) == code);
  units_ = {};
  bytes_ = 0;
  letters_ = 0;
  run_ = run;
  last_han_ = 0;
  append(code, kind);
}

void WordScan::append(char32_t code, CharKind kind) {
  if (kind != CharKind::punctuation) last_ = kind;
  if (is_letter(kind)) ++letters_;
  if (bytes_ > kTermBytes) return;
  std::array<char, 4> out{};
  const std::size_t size = encode(lower_of(code), out.data());
  if (bytes_ + size > kTermBytes) {
    bytes_ = kTermBytes + 1;
    return;
  }
  std::memcpy(reinterpret_cast<char*>(units_.data()) + bytes_, out.data(), size);
  bytes_ += size;
}

void WordScan::end_word() {
  if (letters_ > 0 && run_ != Run::hiragana) {
    if (bytes_ <= kTermBytes) {
      terms_.add(units_.data(), bytes_);
    } else {
      terms_.add_long(letters_);
    }
  }
  ++words_;
  run_ = Run::none;
  has_word_ = true;
  after_word_ = true;
  last_word_ = units_[0];
  last_bytes_ = bytes_;
}

/// A word of its own; what a text is about is told by pairs of them.
void WordScan::on_han(char32_t code) {
  word_begins(false);
  ++words_;
  has_word_ = true;
  after_word_ = true;
  last_bytes_ = 0;
  if (last_han_ != 0) {
    TermUnits pair{};
    char* const out = reinterpret_cast<char*>(pair.data());
    const std::size_t first = encode(last_han_, out);
    terms_.add(pair.data(), first + encode(code, out + first));
  }
  last_han_ = code;
}

void WordScan::word_begins(bool lower) {
  breaks_ = 0;
  if (mark_ == Mark::none) [[likely]]
    return;
  if (spaced_ && !(mark_ == Mark::soft && lower)) end_sentence();
  mark_ = Mark::none;
}

void WordScan::end_sentence() {
  ++sentences_;
  has_word_ = false;
  mark_ = Mark::none;
}

bool WordScan::is_abbreviation() const noexcept {
  if (last_bytes_ == 1) return last_word_ >= 'a' && last_word_ <= 'z';
  return last_bytes_ != 0 && last_bytes_ <= 8 &&
         std::find(kAbbreviations.begin(), kAbbreviations.end(), last_word_) !=
             kAbbreviations.end();
}

void WordScan::between(char32_t code, CharKind kind) {
  const bool after_word = after_word_;
  after_word_ = false;
  last_han_ = 0;
  if (kind == CharKind::space) {
    spaced_ = true;
    if (code == '\n') ++breaks_;
    if ((breaks_ >= 2 || code == 0x2029) && has_word_) end_sentence();
    return;
  }
  breaks_ = 0;
  on_mark(code, after_word);
}

void WordScan::on_mark(char32_t code, bool after_word) {
  if (!has_word_) return;
  switch (code) {
    case '.':
    case 0x2026:
      if (mark_ == Mark::none && !(after_word && code == '.' && is_abbreviation())) {
        mark_ = Mark::soft;
        spaced_ = false;
      }
      break;
    case '!':
    case '?':
    case 0x203d:
    case 0x589:
    case 0x61f:
    case 0x6d4:
    case 0x964:
    case 0x965:
      mark_ = Mark::hard;
      spaced_ = false;
      break;
    case 0x3002:
    case 0xff01:
    case 0xff1f:
    case 0xff61:
      end_sentence();
      break;
    default:
      if (mark_ != Mark::none && !spaced_ && !closes(code)) mark_ = Mark::none;
  }
}

}  // namespace mainstay::media
