// What all voices have in common: names of forms, cutting a text, the head of a WAV file.
#include "models/synthesize.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

struct FormName {
  AudioForm form;
  std::string_view name;
  std::string_view mime;
};
constexpr std::array<FormName, 6> kForms = {{{AudioForm::mp3, "mp3", "audio/mpeg"},
                                             {AudioForm::wav, "wav", "audio/wav"},
                                             {AudioForm::opus, "opus", "audio/ogg"},
                                             {AudioForm::flac, "flac", "audio/flac"},
                                             {AudioForm::pcm, "pcm", "audio/pcm"},
                                             {AudioForm::aac, "aac", "audio/aac"}}};

constexpr std::array<std::string_view, 13> kVoices = {
    "alloy", "ash",  "ballad", "cedar", "coral",   "echo", "fable",
    "marin", "nova", "onyx",   "sage",  "shimmer", "verse"};

const FormName& entry(AudioForm form) noexcept {
  return *std::find_if(kForms.begin(), kForms.end(),
                       [&](const FormName& each) { return each.form == form; });
}

/// Where [text] is cut so that the first part has at most `most` bytes: behind a clause, else
/// between words, else between characters.
std::size_t cut_at(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  const std::string_view head = cut_utf8(text, most);
  for (const std::string_view marks : {",;:", " \t\n"}) {
    const auto at = head.find_last_of(marks);
    if (at != std::string_view::npos && at + 1 > head.size() / 3) return at + 1;
  }
  return std::max<std::size_t>(head.size(), 1);
}

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Whether a sentence ends with the byte at `at`: a line's end, or a mark with a blank behind it
/// that no small letter follows ("e.g. this" goes on).
bool ends_at(std::string_view text, std::size_t at) {
  if (text[at] == '\n') return true;
  constexpr std::array<std::string_view, 3> kWide = {"\u3002", "\uff01", "\uff1f"};
  for (const auto mark : kWide) {
    if (at + 1 >= mark.size() && text.substr(at + 1 - mark.size(), mark.size()) == mark)
      return true;
  }
  if (text[at] != '.' && text[at] != '!' && text[at] != '?') return false;
  if (at + 1 >= text.size()) return true;
  if (!is_blank(text[at + 1])) return false;
  const auto next = text.find_first_not_of(" \t\r", at + 1);
  if (next == std::string_view::npos) return true;
  if (text[next] >= 'a' && text[next] <= 'z') return false;
  if (text[at] != '.') return true;
  // "3. ", "J. ", "Dr. ": what is counted or shortened, not a sentence of its own.
  constexpr std::array<std::string_view, 8> kShort = {"Mr", "Mrs", "Ms",   "Dr",
                                                      "St", "No",  "Prof", "vs"};
  const auto before = text.substr(0, at).find_last_of(" \t\n");
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::string_view word = text.substr(begin, at - begin);
  return word.size() > 1 && std::find(kShort.begin(), kShort.end(), word) == kShort.end();
}

void little(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
}

}  // namespace

std::string_view name(AudioForm form) noexcept {
  return entry(form).name;
}

std::string_view mime_of(AudioForm form) noexcept {
  return entry(form).mime;
}

std::optional<AudioForm> audio_form(std::string_view name) noexcept {
  for (const auto& each : kForms) {
    if (each.name == name) return each.form;
  }
  return std::nullopt;
}

Co<Result<std::unique_ptr<SpeechStream>>> Synthesizer::speak(const SpeechRequest&, Attempt,
                                                             AttemptTimings&) {
  co_return cannot("This provider does not speak.", "model");
}

Co<Result<std::vector<Voice>>> Synthesizer::voices(Deadline) {
  co_return std::vector<Voice>();
}

std::vector<std::string> spoken_pieces(std::string_view text, std::size_t most) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at + 1 < text.size() && !ends_at(text, at)) continue;
    std::string_view rest = text.substr(begin, at + 1 - begin);
    begin = at + 1;
    while (!rest.empty()) {
      const std::size_t n = cut_at(rest, most);
      const std::string_view piece = trim(rest.substr(0, n));
      if (!piece.empty()) out.emplace_back(piece);
      rest.remove_prefix(n);
    }
  }
  return out;
}

bool is_openai_voice(std::string_view name) noexcept {
  return std::find(kVoices.begin(), kVoices.end(), name) != kVoices.end();
}

std::span<const std::string_view> openai_voices() noexcept {
  return kVoices;
}

std::string wav_head(AudioShape shape, std::uint32_t bytes, std::uint32_t width) {
  constexpr std::uint32_t kUnknown = 0xFFFFFFFF;
  constexpr std::uint32_t kHead = 36;
  const bool known = bytes > 0 && bytes <= kUnknown - kHead;
  const std::uint32_t frame = shape.channels * width;
  std::string out = "RIFF";
  little(out, known ? bytes + kHead : kUnknown, 4);
  out += "WAVEfmt ";
  little(out, 16, 4);
  little(out, 1, 2);
  little(out, shape.channels, 2);
  little(out, shape.rate, 4);
  little(out, shape.rate * frame, 4);
  little(out, frame, 2);
  little(out, width * 8, 2);
  out += "data";
  little(out, known ? bytes : kUnknown, 4);
  return out;
}

}  // namespace mainstay::models
