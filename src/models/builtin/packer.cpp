// Two coroutines for each encoding: one feeds the process, the reader of the result pulls it.
#include "models/builtin/packer.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>

namespace mainstay::models::builtin {
namespace {

/// What feeder and reader share; lives until both have ended. On one loop.
struct Feeding {
  std::unique_ptr<SpeechStream> pcm;
  std::unique_ptr<media::LiveFeed> feed;
  Deadline by = Deadline::never();
  asio::cancellation_signal stop;
  std::optional<Error> failed;  ///< why the engine's sound ended early
};

/// Gives the engine's sound to the encoder. By itself it ends the feed in either case: the encoder
/// then ends, and the reader looks at `failed`.
Co<> feed_all(std::shared_ptr<Feeding> feeding) {
  const AudioShape shape = feeding->pcm->shape();
  const std::uint32_t channels = shape.form == AudioForm::pcm ? shape.channels : 1;
  std::string rest;
  for (;;) {
    auto piece = co_await feeding->pcm->next(feeding->by);
    if (!piece.ok()) {
      feeding->failed = piece.error();
      break;
    }
    if (!piece->has_value()) break;
    std::string mono =
        shape.form == AudioForm::pcm ? to_mono(**piece, channels, rest) : std::move(**piece);
    if (mono.empty()) continue;
    auto written = co_await feeding->feed->write(std::move(mono), feeding->by);
    if (!written.ok()) break;  // the encoder's own stream says why
  }
  feeding->feed->end();
}

class Packed final : public SpeechStream {
 public:
  Packed(std::shared_ptr<Feeding> feeding, std::unique_ptr<media::AudioStream> encoded,
         AudioForm form)
      : feeding_(std::move(feeding)), encoded_(std::move(encoded)) {
    shape_.form = form;
    shape_.rate = media::kSpokenRate;
  }
  ~Packed() override { feeding_->stop.emit(asio::cancellation_type::terminal); }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;

  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    for (;;) {
      auto piece = co_await encoded_->next(by);
      // Sound that broke off must not pass as a whole answer, however well it was encoded.
      const bool ends = !piece.ok() || !piece->has_value();
      if (ends && feeding_->failed) co_return *feeding_->failed;
      const bool empty = piece.ok() && piece->has_value() && (*piece)->empty();
      if (!empty) co_return std::move(piece);
    }
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  std::shared_ptr<Feeding> feeding_;
  std::unique_ptr<media::AudioStream> encoded_;
  AudioShape shape_;
};

/// PCM that goes out as it is, or behind a head that makes it a WAV file.
class Plain final : public SpeechStream {
 public:
  Plain(std::unique_ptr<SpeechStream> pcm, AudioForm form)
      : pcm_(std::move(pcm)), shape_(pcm_->shape()) {
    channels_ = shape_.channels;
    shape_.form = form;
    shape_.channels = 1;
    if (form == AudioForm::wav) head_ = wav_head(shape_, 0);
  }
  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    for (;;) {
      auto piece = co_await pcm_->next(by);
      if (!piece.ok() || !piece->has_value()) co_return std::move(piece);
      std::string mono = to_mono(**piece, channels_, rest_);
      if (mono.empty()) continue;
      std::string out = std::exchange(head_, std::string());
      out += mono;
      co_return std::optional<std::string>(std::move(out));
    }
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  std::unique_ptr<SpeechStream> pcm_;
  AudioShape shape_;
  std::uint32_t channels_ = 1;
  std::string head_;
  std::string rest_;
};

class Packer final : public SpeechPacker {
 public:
  Packer(media::Audio& audio, Clock& clock) : audio_(audio), clock_(clock) {}

  bool can(AudioForm form) const noexcept override {
    return media::audio_format(models::name(form)).has_value();
  }

  Co<Result<std::unique_ptr<SpeechStream>>> pack(std::unique_ptr<SpeechStream> sound,
                                                 AudioForm form, Deadline by) override {
    const AudioShape shape = sound->shape();
    const bool pcm = shape.form == AudioForm::pcm;
    const auto format = media::audio_format(models::name(form));
    std::unique_ptr<SpeechStream> made;
    const bool plain =
        form == AudioForm::wav || (form == AudioForm::pcm && shape.rate == media::kSpokenRate);
    if (pcm && plain) {
      made = std::make_unique<Plain>(std::move(sound), form);
      co_return made;
    }
    if (!format) {
      co_return Error::say(Errc::invalid, "audio_format_unsupported",
                           "Speech of this engine cannot be made in this format. Ask for mp3, wav, "
                           "opus, flac, aac or pcm.",
                           "response_format");
    }
    auto executor = co_await asio::this_coro::executor;
    auto live = media::live_input(pcm ? shape.rate : 0, executor, clock_);
    if (!live.ok()) co_return live.error();
    // The feeder goes first: encode() waits until the head of what it is given was read.
    auto feeding = std::make_shared<Feeding>();
    feeding->pcm = std::move(sound);
    feeding->feed = std::move(live->feed);
    feeding->by = by;
    auto held = std::make_shared<Held>(feeding);
    asio::co_spawn(
        executor, feed_all(feeding),
        asio::bind_cancellation_slot(feeding->stop.slot(), [feeding](std::exception_ptr) {}));
    auto encoded = co_await audio_.encode(std::move(live->input), *format, by);
    held->let_go();
    if (!encoded.ok()) {
      const Error error = feeding->failed.value_or(encoded.error());
      feeding->stop.emit(asio::cancellation_type::terminal);
      co_return error;
    }
    made = std::make_unique<Packed>(std::move(feeding), std::move(*encoded), form);
    co_return made;
  }

 private:
  /// Ends the feeder when the packing itself is cancelled.
  class Held {
   public:
    explicit Held(std::shared_ptr<Feeding> feeding) : feeding_(std::move(feeding)) {}
    ~Held() {
      if (feeding_) feeding_->stop.emit(asio::cancellation_type::terminal);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    void let_go() noexcept { feeding_.reset(); }

   private:
    std::shared_ptr<Feeding> feeding_;
  };

  media::Audio& audio_;
  Clock& clock_;
};

}  // namespace

std::string to_mono(const std::string& bytes, std::uint32_t channels, std::string& rest) {
  const std::size_t frame = std::size_t{std::max<std::uint32_t>(channels, 1)} * 2;
  std::string all = std::move(rest);
  rest = std::string();
  all += bytes;
  const std::size_t whole = all.size() - all.size() % frame;
  rest = all.substr(whole);
  all.resize(whole);
  if (frame == 2) return all;
  std::string out;
  out.reserve(whole / frame * 2);
  for (std::size_t at = 0; at < whole; at += frame) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < frame; i += 2) {
      const auto low = static_cast<unsigned char>(all[at + i]);
      const auto high = static_cast<unsigned char>(all[at + i + 1]);
      sum += static_cast<std::int16_t>(static_cast<std::uint16_t>(low | (high << 8U)));
    }
    const auto mean = static_cast<std::uint16_t>(sum / static_cast<std::int64_t>(frame / 2));
    out.push_back(static_cast<char>(mean & 0xFFU));
    out.push_back(static_cast<char>(mean >> 8U));
  }
  return out;
}

std::unique_ptr<SpeechPacker> make_packer(media::Audio& audio, Clock& clock) {
  return std::make_unique<Packer>(audio, clock);
}

}  // namespace mainstay::models::builtin
