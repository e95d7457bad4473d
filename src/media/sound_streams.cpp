// Each stream takes frames of its own kind in their order; anything else is a failure.
#include "media/sound_streams.h"

#include <algorithm>
#include <cmath>

#include "base/json_fields.h"
#include "base/text.h"
#include "media/sound_reasons.h"

namespace mainstay::media {
namespace {

constexpr double kSecondsMost = 1e9;
constexpr std::size_t kWordMax = 32;  ///< of a codec's or container's name

std::uint32_t small(const Json& head, const char* key) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count_field(head, key), UINT32_MAX));
}

/// A time; nothing for what can be none.
std::optional<double> seconds(const Json& head, const char* key) {
  const Json& found = field(head, key);
  if (!found.is_number()) return std::nullopt;
  const double out = found.get<double>();
  if (!std::isfinite(out) || out < 0 || out > kSecondsMost) return std::nullopt;
  return out;
}

std::string word(const Json& head, const char* key) {
  return std::string(cut_utf8(to_utf8(string_field(head, key)), kWordMax));
}

AudioFacts facts_of(const Json& head) {
  AudioFacts out;
  out.codec = word(head, "codec");
  out.container = word(head, "container");
  out.channels = small(head, "channels");
  out.rate = small(head, "rate");
  out.seconds = seconds(head, "seconds");
  return out;
}

AudioSummary summary_of(const Json& head) {
  AudioSummary out;
  out.samples = count_field(head, "samples");
  out.seconds = seconds(head, "seconds").value_or(0);
  out.bad = count_field(head, "bad");
  out.clipped = count_field(head, "clipped");
  out.cut_off = flag_field(head, "cut_off");
  out.pieces = std::max(small(head, "pieces"), 1U);
  return out;
}

/// What all three have in common: the frames' order and the end.
class Frames {
 public:
  explicit Frames(std::unique_ptr<Decoding> decoding) : decoding_(std::move(decoding)) {}
  Co<Status> start(Deadline by) {
    auto frame = co_await decoding_->next(by);
    if (!frame.ok()) co_return frame.error();
    if (frame->is != Is::start) co_return sound_failed("a sound without its start");
    facts_ = facts_of(frame->head);
    co_return done();
  }
  /// nullopt at the end.
  Co<Result<std::optional<Frame>>> next(Is is, Deadline by) {
    if (!decoding_) co_return std::optional<Frame>();
    auto frame = co_await decoding_->next(by);
    if (!frame.ok() || frame->is == Is::end) decoding_.reset();
    if (!frame.ok()) co_return frame.error();
    if (frame->is == is) co_return std::optional<Frame>(std::move(*frame));
    decoding_.reset();
    if (frame->is != Is::end) co_return sound_failed("a sound with something else in it");
    summary_ = summary_of(frame->head);
    last_ = std::move(frame->head);
    co_return std::optional<Frame>();
  }
  void stop() { decoding_.reset(); }
  const AudioFacts& facts() const noexcept { return facts_; }
  const AudioSummary& summary() const noexcept { return summary_; }
  /// The head of the last frame, once; null before the end and after it was taken.
  std::optional<Json> take_last() { return std::exchange(last_, std::nullopt); }

 private:
  std::unique_ptr<Decoding> decoding_;  ///< null at the end
  AudioFacts facts_;
  AudioSummary summary_;
  std::optional<Json> last_;
};

/// False: they are no spans, or not behind what came before.
bool take_spans(const Json& head, std::uint64_t& last, std::vector<VoiceSpan>& out) {
  for (const Json& pair : array_field(head, "voice")) {
    if (!pair.is_array() || pair.size() != 2) return false;
    if (!pair[0].is_number_unsigned() || !pair[1].is_number_unsigned()) return false;
    const VoiceSpan span{pair[0].get<std::uint64_t>(), pair[1].get<std::uint64_t>()};
    if (span.start < last || span.end < span.start) return false;
    last = span.end;
    out.push_back(span);
  }
  return true;
}

class Samples final : public PcmStream {
 public:
  explicit Samples(std::unique_ptr<Decoding> decoding) : frames_(std::move(decoding)) {}
  Co<Status> start(Deadline by) { return frames_.start(by); }
  const AudioFacts& facts() const noexcept override { return frames_.facts(); }
  const AudioSummary& summary() const noexcept override { return frames_.summary(); }

  Co<Result<std::optional<PcmPiece>>> next(Deadline by) override {
    auto frame = co_await frames_.next(Is::data, by);
    if (!frame.ok()) co_return frame.error();
    PcmPiece out;
    out.first = position_;
    if (!*frame) co_return last(std::move(out));
    const Json& head = (*frame)->head;
    out.bytes = std::move((*frame)->body);
    out.first = count_field(head, "first");
    const bool fits = out.first >= position_ && out.bytes.size() % 2 == 0 &&
                      take_spans(head, last_voice_, out.voice);
    if (!fits) {
      frames_.stop();
      co_return sound_failed("samples out of their order");
    }
    position_ = out.first + out.bytes.size() / 2;
    co_return std::optional<PcmPiece>(std::move(out));
  }

 private:
  /// Spans that ended with the sound come in a piece of their own.
  Result<std::optional<PcmPiece>> last(PcmPiece out) {
    const auto head = frames_.take_last();
    if (!head || array_field(*head, "voice").empty()) return std::optional<PcmPiece>();
    if (!take_spans(*head, last_voice_, out.voice)) return sound_failed("spans out of order");
    return std::optional<PcmPiece>(std::move(out));
  }
  Frames frames_;
  std::uint64_t position_ = 0;
  std::uint64_t last_voice_ = 0;
};

class Segments final : public HearingStream {
 public:
  explicit Segments(std::unique_ptr<Decoding> decoding) : frames_(std::move(decoding)) {}
  Co<Status> start(Deadline by) { return frames_.start(by); }
  const AudioFacts& facts() const noexcept override { return frames_.facts(); }
  const AudioSummary& summary() const noexcept override { return frames_.summary(); }

  Co<Result<std::optional<HeardSegment>>> next(Deadline by) override {
    auto frame = co_await frames_.next(Is::page, by);
    if (!frame.ok()) co_return frame.error();
    if (!*frame) co_return std::optional<HeardSegment>();
    const Json& head = (*frame)->head;
    HeardSegment out;
    out.start = seconds(head, "start").value_or(-1);
    out.end = seconds(head, "end").value_or(-1);
    out.text = to_utf8((*frame)->body);
    out.confidence = std::clamp(seconds(head, "confidence").value_or(0), 0.0, 1.0);
    if (out.start < last_ || out.end < out.start || out.text.empty()) {
      frames_.stop();
      co_return sound_failed("segments out of their order");
    }
    last_ = out.end;
    co_return std::optional<HeardSegment>(std::move(out));
  }

 private:
  Frames frames_;
  double last_ = 0;
};

class Encoded final : public AudioStream {
 public:
  explicit Encoded(std::unique_ptr<Decoding> decoding) : frames_(std::move(decoding)) {}
  Co<Status> start(Deadline by) { return frames_.start(by); }
  const AudioSummary& summary() const noexcept override { return frames_.summary(); }

  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    auto frame = co_await frames_.next(Is::data, by);
    if (!frame.ok()) co_return frame.error();
    if (!*frame) co_return std::optional<std::string>();
    co_return std::optional<std::string>(std::move((*frame)->body));
  }

 private:
  Frames frames_;
};

template <class Face, class Made>
Co<Result<std::unique_ptr<Face>>> started(std::unique_ptr<Decoding> decoding, Deadline by) {
  auto out = std::make_unique<Made>(std::move(decoding));
  auto begun = co_await out->start(by);
  if (!begun.ok()) co_return begun.error();
  co_return std::unique_ptr<Face>(std::move(out));
}

}  // namespace

Co<Result<std::unique_ptr<PcmStream>>> pcm_stream(std::unique_ptr<Decoding> decoding, Deadline by) {
  return started<PcmStream, Samples>(std::move(decoding), by);
}
Co<Result<std::unique_ptr<HearingStream>>> hearing_stream(std::unique_ptr<Decoding> decoding,
                                                          Deadline by) {
  return started<HearingStream, Segments>(std::move(decoding), by);
}
Co<Result<std::unique_ptr<AudioStream>>> audio_stream(std::unique_ptr<Decoding> decoding,
                                                      Deadline by) {
  return started<AudioStream, Encoded>(std::move(decoding), by);
}

}  // namespace mainstay::media
