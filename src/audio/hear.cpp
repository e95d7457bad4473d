// PocketSphinx 5prealpha. Its messages are thrown away: they would go to a file or the terminal.
#include "audio/hear.h"

#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace mainstay::audio {
namespace {

constexpr double kFrame = 0.01;  ///< seconds

struct FreeDecoder {
  void operator()(ps_decoder_t* decoder) const noexcept { ps_free(decoder); }
};
std::unique_ptr<ps_decoder_t, FreeDecoder>& decoder() {
  static std::unique_ptr<ps_decoder_t, FreeDecoder> one;
  return one;
}

/// Samples of the span; VoiceRules::span_ms is their bound.
std::vector<std::int16_t>& held() {
  static std::vector<std::int16_t> samples;
  return samples;
}

bool is_there(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0;
}

/// "<s>", "<sil>", "[NOISE]": what was heard that is no word.
bool is_word(const std::string& word) {
  return !word.empty() && word.front() != '<' && word.front() != '[' && word.front() != '+';
}

/// "read(2)" is the second way to say "read".
std::string plain(std::string word) {
  const auto mark = word.find('(');
  if (mark != std::string::npos && mark > 0) word.erase(mark);
  return word;
}

/// Words and the times of the first and last.
void read_words(ps_decoder_t* ps, Heard& out) {
  bool first = true;
  for (ps_seg_t* at = ps_seg_iter(ps); at != nullptr; at = ps_seg_next(at)) {
    const char* const said = ps_seg_word(at);
    const std::string word = said != nullptr ? said : "";
    if (!is_word(word)) continue;
    int from = 0;
    int to = 0;
    ps_seg_frames(at, &from, &to);
    if (first) out.start = from * kFrame;
    out.end = (to + 1) * kFrame;
    if (!first) out.text += ' ';
    out.text += plain(word);
    first = false;
  }
}

}  // namespace

std::optional<std::string> load_model(const std::string& folder) {
  if (decoder()) return std::nullopt;
  const std::string acoustic = folder + "/en-us";
  const std::string language = folder + "/en-us.lm.bin";
  const std::string words = folder + "/cmudict-en-us.dict";
  for (const auto& part : {acoustic, language, words}) {
    if (!is_there(part)) return part + " is not there";
  }
  err_set_logfp(nullptr);
  // Without its removal of noise: of 12 sentences spoken by eSpeak NG 34 of 62 words came out wrong
  // instead of 41, with another of its voices 50 instead of 53. People's voices and noisy rooms
  // were not tried.
  cmd_ln_t* const config =
      cmd_ln_init(nullptr, ps_args(), 1, "-hmm", acoustic.c_str(), "-lm", language.c_str(), "-dict",
                  words.c_str(), "-remove_noise", "no", "-logfn", "/dev/null", nullptr);
  if (config == nullptr) return "PocketSphinx takes no configuration";
  decoder().reset(ps_init(config));
  cmd_ln_free_r(config);
  if (!decoder()) return "PocketSphinx cannot use the model in " + folder;
  return std::nullopt;
}

void begin_span() {
  held().clear();
}

void hear(std::span<const std::int16_t> samples) {
  held().insert(held().end(), samples.begin(), samples.end());
}

Heard end_span() {
  ps_decoder_t* const ps = decoder().get();
  // As a whole: the loudness and colour of the voice are taken from all of it, which the first
  // seconds of a stranger need most.
  ps_start_utt(ps);
  ps_process_raw(ps, held().data(), held().size(), 0, 1);
  ps_end_utt(ps);
  Heard out;
  std::int32_t score = 0;
  if (ps_get_hyp(ps, &score) == nullptr) return out;
  read_words(ps, out);
  out.confidence = std::clamp(logmath_exp(ps_get_logmath(ps), ps_get_prob(ps)), 0.0, 1.0);
  return out;
}

}  // namespace mainstay::audio
