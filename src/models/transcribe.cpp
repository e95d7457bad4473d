// What all transcribers have in common.
#include "models/transcribe.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

/// A recording is never longer; a later time is no time of it.
constexpr double kSecondsMost = 30.0 * 24 * 3600;
/// Stretches and words of one recording; a longer list is not believed.
constexpr std::size_t kStretchesMost = 1'000'000;

class OnePiece final : public TranscriptStream {
 public:
  explicit OnePiece(Transcript whole) : whole_(std::move(whole)) {}
  Co<Result<std::optional<TranscriptPiece>>> next(Deadline) override {
    if (told_) co_return std::optional<TranscriptPiece>();
    told_ = true;
    TranscriptPiece piece;
    piece.delta = whole_.text;
    piece.whole = std::move(whole_);
    co_return std::optional<TranscriptPiece>(std::move(piece));
  }

 private:
  Transcript whole_;
  bool told_ = false;
};

bool is_time(double seconds) {
  return std::isfinite(seconds) && seconds >= 0 && seconds <= kSecondsMost;
}

template <class Stretch>
Status check_stretches(std::vector<Stretch>& stretches) {
  if (stretches.size() > kStretchesMost) return not_understood("too many segments");
  for (auto& each : stretches) {
    if (!is_time(each.start) || !is_time(each.end)) {
      return not_understood("a segment has no time that can be");
    }
    each.end = std::max(each.start, each.end);
    each.text = to_utf8(each.text);
  }
  return done();
}

}  // namespace

Co<Result<std::unique_ptr<TranscriptStream>>> Transcriber::transcribe(const TranscribeRequest&,
                                                                      Attempt, AttemptTimings&) {
  co_return cannot("This provider does not hear recordings.", "model");
}

Co<Result<Transcript>> whole_of(std::unique_ptr<TranscriptStream> stream, Deadline by) {
  for (;;) {
    auto piece = co_await stream->next(by);
    if (!piece.ok()) co_return std::move(piece.error());
    if (!piece->has_value()) co_return cut_off("a transcription without its end");
    if ((*piece)->whole) co_return std::move(*(*piece)->whole);
  }
}

std::unique_ptr<TranscriptStream> one_piece(Transcript whole) {
  return std::make_unique<OnePiece>(std::move(whole));
}

Status check_transcript(bool segments, Transcript& got) {
  got.text = to_utf8(got.text);
  got.language = to_utf8(cut_utf8(got.language, 64));
  if (!is_time(got.seconds)) return not_understood("the recording's length is none");
  auto checked = check_stretches(got.segments);
  if (!checked.ok()) return checked;
  checked = check_stretches(got.words);
  if (!checked.ok()) return checked;
  for (auto& segment : got.segments) {
    if (segment.confidence && !(*segment.confidence >= 0 && *segment.confidence <= 1)) {
      segment.confidence.reset();
    }
    got.seconds = std::max(got.seconds, segment.end);
  }
  for (const auto& word : got.words) got.seconds = std::max(got.seconds, word.end);
  if (segments && got.segments.empty() && !trim(got.text).empty()) {
    got.segments.push_back({0, got.seconds, got.text, std::nullopt, {}});
  }
  return done();
}

}  // namespace mainstay::models
