// What becomes of a sound's samples: frames of samples, of text, of another format.
#include "audio/orders.h"

#include <array>
#include <cmath>
#include <vector>

#include "audio/cutter.h"
#include "audio/encode.h"
#include "audio/hear.h"
#include "audio/mix.h"
#include "audio/resample.h"
#include "audio/sound.h"
#include "audio/voices.h"
#include "base/text.h"

namespace mainstay::audio {
namespace {

using child::end_with;
using child::send;
using media::Is;
using media::SoundOrder;
using media::SoundRole;
using media::SoundWant;

constexpr std::size_t kPiece = media::kVoiceRate;           ///< samples in a frame of a file: 1 s
constexpr std::size_t kLivePiece = media::kVoiceRate / 10;  ///< and of an input that is fed
constexpr std::size_t kBytes = 32 * 1024;                   ///< of an encoded file in a frame

double rounded(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

void send_start(const SoundOrder& order, const Facts& facts) {
  Json head = media::frame_head(order.item, Is::start);
  head["codec"] = facts.codec;
  head["container"] = facts.container;
  head["channels"] = facts.channels;
  head["rate"] = facts.rate;
  if (facts.seconds) head["seconds"] = rounded(*facts.seconds);
  send(head, "");
}

Json end_head(const SoundOrder& order, const Totals& totals) {
  Json head = media::frame_head(order.item, Is::end);
  head["samples"] = totals.samples;
  head["seconds"] = rounded(totals.seconds);
  head["bad"] = totals.bad;
  head["clipped"] = totals.clipped;
  head["cut_off"] = totals.cut_off;
  head["pieces"] = totals.pieces;
  return head;
}

std::string_view bytes_of(std::span<const std::int16_t> samples) {
  return {reinterpret_cast<const char*>(samples.data()), samples.size() * 2};
}

// --- samples

class ToSamples final : public Listener {
 public:
  ToSamples(const SoundOrder& order, bool live)
      : order_(order),
        enough_(live ? kLivePiece : kPiece),
        voice_(order.rules),
        cutter_(order.rules) {}
  void begin(const Facts& facts) override { send_start(order_, facts); }
  void take(std::span<const std::int16_t> samples) override {
    if (order_.drop_silence) {
      cutter_.feed(samples);
      take_cut();
      return;
    }
    if (order_.spans) voice_.feed(samples);
    hold(samples);
  }
  void finish() {
    voice_.finish();
    cutter_.finish();
    if (order_.drop_silence) take_cut();
    flush();
  }
  Json spans() {
    Json out = Json::array();
    while (auto event = voice_.next()) {
      if (event->what != media::VoiceEvent::What::ended) continue;
      out.push_back({event->span.start, event->span.end});
    }
    for (const auto& span : cut_) out.push_back({span.start, span.end});
    cut_.clear();
    return out;
  }
  std::uint64_t given() const noexcept { return given_; }

 private:
  void take_cut() {
    while (auto piece = cutter_.next()) {
      if (piece->begins) {
        flush();
        first_ = span_ = piece->first;
      }
      hold(piece->samples);
      if (piece->ends) {
        flush();
        cut_.push_back({span_, first_});
      }
    }
  }
  void hold(std::span<const std::int16_t> samples) {
    while (!samples.empty()) {
      const auto some = samples.first(std::min(samples.size(), enough_ - held_.size()));
      held_.insert(held_.end(), some.begin(), some.end());
      samples = samples.subspan(some.size());
      if (held_.size() == enough_) flush();
    }
  }
  void flush() {
    if (held_.empty()) return;
    Json head = media::frame_head(order_.item, Is::data);
    head["first"] = first_;
    Json ended = spans();
    if (!ended.empty()) head["voice"] = std::move(ended);
    send(head, bytes_of(held_));
    first_ += held_.size();
    given_ += held_.size();
    held_.clear();
  }

  const SoundOrder& order_;
  const std::size_t enough_;
  media::VoiceActivity voice_;
  Cutter cutter_;
  std::vector<std::int16_t> held_;
  std::uint64_t first_ = 0;
  std::uint64_t span_ = 0;
  std::uint64_t given_ = 0;
  std::vector<media::VoiceSpan> cut_;
};

std::optional<Refusal> decode(const SoundOrder& order, int file) {
  ToSamples out(order, is_live(file));
  Totals totals;
  auto refused = read_sound(order, file, media::kVoiceRate, out, totals);
  if (refused) return refused;
  out.finish();
  totals.samples = out.given();
  Json head = end_head(order, totals);
  Json spans = out.spans();
  if (!spans.empty()) head["voice"] = std::move(spans);
  end_with(std::move(head));
  return std::nullopt;
}

// --- text

class ToText final : public Listener {
 public:
  explicit ToText(const SoundOrder& order) : order_(order), cutter_(order.rules) {}
  void begin(const Facts& facts) override { send_start(order_, facts); }
  void take(std::span<const std::int16_t> samples) override {
    cutter_.feed(samples);
    listen();
  }
  void finish() {
    cutter_.finish();
    listen();
  }

 private:
  void listen() {
    while (auto piece = cutter_.next()) {
      if (piece->begins) {
        start_ = piece->first;
        begin_span();
      }
      hear(piece->samples);
      end_ = piece->first + piece->samples.size();
      if (piece->ends) say(end_span());
    }
  }
  void say(const Heard& heard) {
    if (heard.text.empty()) return;
    const double from = static_cast<double>(start_) / media::kVoiceRate;
    const double until = static_cast<double>(end_) / media::kVoiceRate;
    Json head = media::frame_head(order_.item, Is::page);
    const double start = std::clamp(from + heard.start, last_, std::max(until, last_));
    head["start"] = rounded(start);
    last_ = rounded(std::clamp(from + heard.end, start, std::max(until, start)));
    head["end"] = last_;
    head["confidence"] = rounded(heard.confidence);
    send(head, cut_utf8(heard.text, media::kBodyMax));
  }

  const SoundOrder& order_;
  Cutter cutter_;
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
  double last_ = 0;
};

std::optional<Refusal> recognise(const SoundOrder& order, int file) {
  ToText out(order);
  Totals totals;
  auto refused = read_sound(order, file, media::kVoiceRate, out, totals);
  if (refused) return refused;
  out.finish();
  end_with(end_head(order, totals));
  return std::nullopt;
}

// --- another format

/// Encoded bytes as frames, of at least `enough` bytes each but the last.
class ToBytes {
 public:
  ToBytes(const SoundOrder& order, std::size_t enough) : order_(order), enough_(enough) {
    encoder_ = make_encoder(order.format, [this](std::string_view bytes) { held_ += bytes; });
  }
  bool made() const noexcept { return encoder_ != nullptr; }
  void take(std::span<const std::int16_t> samples) {
    fine_ = fine_ && encoder_->feed(samples);
    samples_ += samples.size();
    if (held_.size() >= enough_) flush();
  }
  bool finish() {
    fine_ = fine_ && encoder_->finish();
    flush();
    return fine_;
  }
  std::uint64_t samples() const noexcept { return samples_; }

 private:
  void flush() {
    std::string_view rest = held_;
    while (!rest.empty()) {
      const auto some = rest.substr(0, media::kBodyMax);
      send(media::frame_head(order_.item, Is::data), some);
      rest.remove_prefix(some.size());
    }
    held_.clear();
  }
  const SoundOrder& order_;
  const std::size_t enough_;
  std::unique_ptr<Encoder> encoder_;
  std::string held_;
  bool fine_ = true;
  std::uint64_t samples_ = 0;
};

Refusal no_encoder(const SoundOrder& order) {
  return {"audio_encoder", order.format + ": " + complaints()};
}

class ToFormat final : public Listener {
 public:
  ToFormat(const SoundOrder& order, ToBytes& bytes) : order_(order), bytes_(bytes) {}
  void begin(const Facts& facts) override { send_start(order_, facts); }
  void take(std::span<const std::int16_t> samples) override { bytes_.take(samples); }

 private:
  const SoundOrder& order_;
  ToBytes& bytes_;
};

std::optional<Refusal> encode(const SoundOrder& order, int file) {
  ToBytes bytes(order, is_live(file) ? 1 : kBytes);
  if (!bytes.made()) return no_encoder(order);
  ToFormat out(order, bytes);
  Totals totals;
  auto refused = read_sound(order, file, media::kSpokenRate, out, totals);
  if (refused) return refused;
  if (!bytes.finish()) return no_encoder(order);
  end_with(end_head(order, totals));
  return std::nullopt;
}

// --- speech

std::string read_text(int file) {
  Source source(file);
  std::string out;
  std::array<char, 4096> some{};
  for (;;) {
    const auto got = source.read(some.data(), some.size());
    if (got <= 0) break;
    out.append(some.data(), static_cast<std::size_t>(got));
  }
  // eSpeak takes what stands behind a NUL for nothing, and other such characters for words.
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') c = ' ';
  }
  return out;
}

std::optional<Refusal> say(const SoundOrder& order, int file) {
  if (!choose_voice(order.voice)) return Refusal{"voice_unknown", order.voice};
  const std::string text = read_text(file);
  if (trim(text).empty()) return Refusal{"text_required", ""};
  ToBytes bytes(order, 1);
  if (!bytes.made()) return no_encoder(order);
  send_start(order, {"pcm_s16le", "speech", 1, media::kSpokenRate, std::nullopt, false, false});
  Resampler resampler(media::kSpokenRate,
                      [&bytes](std::span<const std::int16_t> some) { bytes.take(some); });
  std::vector<float> mono;
  const auto take = [&](std::span<const std::int16_t> samples) {
    mono.resize(samples.size());
    const std::int16_t* plane = samples.data();
    mix(&plane, 1, 1, samples.size(), mono.data());
    resampler.feed(mono, voices_rate());
  };
  const bool spoken = speak(text, order.speed, take);
  resampler.finish();
  if (!bytes.finish() || !spoken) return no_encoder(order);
  Totals totals;
  totals.samples = bytes.samples();
  totals.seconds = static_cast<double>(totals.samples) / media::kSpokenRate;
  end_with(end_head(order, totals));
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> carry_out(SoundRole role, const Json& object, int file) {
  const auto order = media::sound_order_of(object);
  if (!order.ok()) return Refusal{"", "an order of an unknown kind"};
  switch (order->want) {
    case SoundWant::decode:
      return decode(*order, file);
    case SoundWant::encode:
      return encode(*order, file);
    case SoundWant::hear:
      if (role != SoundRole::hear) return Refusal{"recogniser_missing", "another role"};
      return recognise(*order, file);
    case SoundWant::speak:
      if (role != SoundRole::speak) return Refusal{"voices_missing", "another role"};
      return say(*order, file);
  }
  return Refusal{"", ""};
}

}  // namespace mainstay::audio
