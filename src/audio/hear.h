// Speech to text, offline: PocketSphinx with a model of English. The only place that knows it.
// Used by audio/orders.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace mainstay::audio {

struct Heard {
  std::string text;  ///< empty: nothing was understood
  double confidence = 0;
  /// Of the first and last word, from the span's start.
  double start = 0;
  double end = 0;
};

/// Loads the model from its folder, once; files are opened here alone. Why not, or nothing.
std::optional<std::string> load_model(const std::string& folder);

/// One span of voice at a time: begin, samples of media::kVoiceRate, end.
void begin_span();
void hear(std::span<const std::int16_t> samples);
Heard end_span();

}  // namespace mainstay::audio
