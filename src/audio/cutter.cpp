// Events of VoiceActivity over a history of samples.
#include "audio/cutter.h"

#include <algorithm>

namespace mainstay::audio {
namespace {

constexpr std::uint64_t kPerMs = media::kVoiceRate / 1000;
/// How far before its confirmation a span may have begun, beside VoiceRules::before_ms.
constexpr std::uint64_t kLookBack = media::kVoiceRate;

}  // namespace

void Cutter::feed(std::span<const std::int16_t> samples) {
  history_.insert(history_.end(), samples.begin(), samples.end());
  fed_ += samples.size();
  voice_.feed(samples);
  follow();
}

void Cutter::finish() {
  voice_.finish();
  follow();
}

void Cutter::follow() {
  while (auto event = voice_.next()) {
    if (event->what == media::VoiceEvent::What::started) {
      open_ = true;
      begun_ = false;
      given_ = std::max(event->span.start, base_);
    } else {
      give(event->span.end, true);
      open_ = false;
    }
  }
  const std::uint64_t last_voice = voice_.position() - voice_.quiet_for();
  const std::uint64_t sure = last_voice + rules_.after_ms * kPerMs;
  if (open_) give(std::min(sure, fed_), false);
  const std::uint64_t back = kLookBack + rules_.before_ms * kPerMs;
  const std::uint64_t keep = open_ ? given_ : fed_ > back ? fed_ - back : 0;
  if (keep > base_) {
    const auto gone = static_cast<std::ptrdiff_t>(std::min(keep, fed_) - base_);
    history_.erase(history_.begin(), history_.begin() + gone);
    base_ += static_cast<std::uint64_t>(gone);
  }
}

void Cutter::give(std::uint64_t until, bool ends) {
  until = std::min(until, fed_);
  if (until <= given_ && !ends) return;
  CutPiece piece;
  piece.first = given_;
  piece.begins = !begun_;
  piece.ends = ends;
  if (until > given_) {
    const auto from = history_.begin() + static_cast<std::ptrdiff_t>(given_ - base_);
    piece.samples.assign(from, from + static_cast<std::ptrdiff_t>(until - given_));
    given_ = until;
  }
  begun_ = true;
  pieces_.push_back(std::move(piece));
}

std::optional<CutPiece> Cutter::next() {
  if (taken_ == pieces_.size()) {
    pieces_.clear();
    taken_ = 0;
    return std::nullopt;
  }
  return std::move(pieces_[taken_++]);
}

}  // namespace mainstay::audio
