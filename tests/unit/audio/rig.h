// Sound through real processes of mainstay-audio, and without any.
// Used by the tests of this folder.
#pragma once

#include <memory>
#include <string>

#include "audio/sound.h"
#include "media/audio.h"
#include "unit/audio/make_file.h"
#include "unit/media/child_rig.h"

namespace mainstay::audio::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What read_sound() gave, in this process.
struct Read : Listener {
  void begin(const Facts& given) override { facts = given; }
  void take(std::span<const std::int16_t> some) override {
    samples.insert(samples.end(), some.begin(), some.end());
  }
  Facts facts;
  Totals totals;
  std::vector<std::int16_t> samples;
  std::string refused;
};

inline media::SoundOrder order_of(std::uint32_t threads = 1) {
  media::SoundOrder out;
  out.seconds_max = 14'400;
  out.channels_max = 8;
  out.rate_max = 192'000;
  out.threads = threads;
  return out;
}

inline Read read(const std::string& bytes, media::SoundOrder order = order_of()) {
  Read out;
  auto file = media::memory_file(bytes);
  if (!file.ok()) {
    out.refused = "no memory file";
    return out;
  }
  auto refused = read_sound(order, file->get(), media::kVoiceRate, out, out.totals);
  if (refused) out.refused = refused->reason;
  return out;
}

struct Rig : media::test::ChildRig {
  SoundSettings settings;
  std::unique_ptr<media::Audio> audio;

  Rig() {
    settings.decoders = settings.recognisers = settings.speakers = 1;
    make(AUDIO);
  }
  void make(const std::string& program) {
    audio = std::make_unique<media::Audio>(settings, program, clock, *log, metrics);
  }
  static media::AudioInput input_of(const std::string& bytes, std::uint32_t pcm_rate = 0) {
    media::AudioInput out;
    out.file = std::move(*media::memory_file(bytes));
    out.pcm_rate = pcm_rate;
    return out;
  }

  struct Decoded {
    media::AudioFacts facts;
    media::AudioSummary summary;
    std::string pcm;
    std::vector<media::PcmPiece> pieces;
    std::vector<media::VoiceSpan> voice;
  };
  Co<Result<Decoded>> decode(media::AudioInput input, media::DecodeWish wish) {
    auto begun = co_await audio->decode(std::move(input), wish, soon());
    if (!begun.ok()) co_return begun.error();
    const auto stream = std::move(*begun);
    Decoded out;
    out.facts = stream->facts();
    for (;;) {
      auto piece = co_await stream->next(soon());
      if (!piece.ok()) co_return piece.error();
      if (!*piece) break;
      out.pcm += (*piece)->bytes;
      out.voice.insert(out.voice.end(), (*piece)->voice.begin(), (*piece)->voice.end());
      out.pieces.push_back(std::move(**piece));
    }
    out.summary = stream->summary();
    co_return out;
  }
  Result<Decoded> decoded(const std::string& bytes, media::DecodeWish wish = {}) {
    return run(decode(input_of(bytes), wish));
  }
  std::string outcome(const std::string& bytes) {
    auto out = decoded(bytes);
    return out.ok() ? "fine" : out.error().reason;
  }

  struct Made {
    std::string bytes;
    std::size_t pieces = 0;
    media::AudioSummary summary;
  };
  Co<Result<Made>> read_all(std::unique_ptr<media::AudioStream> stream) {
    Made out;
    for (;;) {
      auto piece = co_await stream->next(soon());
      if (!piece.ok()) co_return piece.error();
      if (!*piece) break;
      out.bytes += **piece;
      ++out.pieces;
    }
    out.summary = stream->summary();
    co_return out;
  }
  Co<Result<Made>> say(media::SpeakWish wish) {
    auto begun = co_await audio->speak(std::move(wish), soon());
    if (!begun.ok()) co_return begun.error();
    co_return co_await read_all(std::move(*begun));
  }
  Result<Made> spoken(const std::string& text, media::AudioFormat format = media::AudioFormat::wav,
                      const std::string& voice = "") {
    media::SpeakWish wish;
    wish.text = text;
    wish.voice = voice;
    wish.format = format;
    return run(say(std::move(wish)));
  }
  Co<Result<Made>> encode(media::AudioInput input, media::AudioFormat format) {
    auto begun = co_await audio->encode(std::move(input), format, soon());
    if (!begun.ok()) co_return begun.error();
    co_return co_await read_all(std::move(*begun));
  }

  struct HeardAll {
    std::string text;
    std::vector<media::HeardSegment> segments;
    media::AudioSummary summary;
  };
  Co<Result<HeardAll>> listen(media::AudioInput input) {
    auto begun = co_await audio->hear(std::move(input), soon());
    if (!begun.ok()) co_return begun.error();
    const auto stream = std::move(*begun);
    HeardAll out;
    for (;;) {
      auto segment = co_await stream->next(soon());
      if (!segment.ok()) co_return segment.error();
      if (!*segment) break;
      if (!out.text.empty()) out.text += ' ';
      out.text += (*segment)->text;
      out.segments.push_back(std::move(**segment));
    }
    out.summary = stream->summary();
    co_return out;
  }
  Result<HeardAll> heard(const std::string& bytes) { return run(listen(input_of(bytes))); }
};

}  // namespace mainstay::audio::test
