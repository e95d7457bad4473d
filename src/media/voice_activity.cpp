// Frames of 10 ms, told apart by loudness over the floor.
#include "media/voice_activity.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mainstay::media {
namespace {

constexpr std::uint64_t kSamplesPerMs = kVoiceRate / 1000;
constexpr double kDeadDb = -100;        ///< what digital silence is taken for
constexpr std::uint32_t kFinding = 30;  ///< frames at the start whose quietest is the floor
constexpr double kFall = 0.2;           ///< share of the way down to a quieter frame
constexpr double kRiseQuiet = 0.05;     ///< share of the way up to a frame without voice
constexpr double kRiseVoice = 0.01;     ///< dB for each frame with voice: a fan that was turned on
constexpr std::uint32_t kHissing = 40;  ///< zero crossings of a frame that may be an s or f

struct Loudness {
  double db = kDeadDb;
  std::uint32_t crossings = 0;
};

/// Without a constant offset, which some microphones have.
Loudness loudness(std::span<const std::int16_t> frame) {
  const auto count = static_cast<double>(frame.size());
  double sum = 0;
  for (const auto sample : frame) sum += sample;
  const double mean = sum / count;
  double power = 0;
  Loudness out;
  bool above = frame.front() > mean;
  for (const auto sample : frame) {
    const double value = sample - mean;
    power += value * value;
    const bool now = value > 0;
    out.crossings += now != above ? 1 : 0;
    above = now;
  }
  constexpr double kFull = 32768.0 * 32768.0;
  const double share = power / count / kFull;
  if (share > 1e-10) out.db = std::max(kDeadDb, 10 * std::log10(share));
  return out;
}

std::uint64_t samples_of(std::uint32_t ms) {
  return ms * kSamplesPerMs;
}

}  // namespace

VoiceActivity::VoiceActivity(VoiceRules rules) : rules_(rules) {}

void VoiceActivity::feed(std::span<const std::int16_t> samples) {
  while (!samples.empty()) {
    const std::size_t take = std::min(samples.size(), kFrame - held_);
    std::copy_n(samples.begin(), take, frame_.begin() + static_cast<std::ptrdiff_t>(held_));
    held_ += take;
    samples = samples.subspan(take);
    if (held_ == kFrame) take_frame();
  }
}

void VoiceActivity::take_frame() {
  const Loudness heard = loudness(frame_);
  held_ = 0;
  const std::uint64_t from = position_;
  position_ += kFrame;
  if (frames_ < kFinding) {
    floor_db_ = frames_ == 0 ? heard.db : std::min(floor_db_, heard.db);
    ++frames_;
  }
  const bool voice = is_voice(heard.db, heard.crossings);
  follow_floor(heard.db);
  if (voice) {
    if (run_ == 0) run_start_ = from;
    ++run_;
    last_voice_ = position_;
  } else {
    run_ = run_ > 2 ? run_ - 2 : 0;  // a click does not add up to a word
  }
  if (!open_ && run_ * 10 >= std::max(rules_.onset_ms, 10U)) begin();
  if (!open_) return;
  if (position_ - last_voice_ >= samples_of(std::max(rules_.quiet_ms, 10U))) {
    end(std::min(position_, last_voice_ + samples_of(rules_.after_ms)));
  } else if (rules_.span_ms > 0 && position_ - start_ >= samples_of(rules_.span_ms)) {
    end(position_);
    start_ = position_;
    open_ = true;
    events_.push_back({VoiceEvent::What::started, {start_, position_}});
  }
}

bool VoiceActivity::is_voice(double db, std::uint32_t crossings) const noexcept {
  if (db <= rules_.least_db) return false;
  if (db > floor_db_ + rules_.over_floor_db) return true;
  // The end of a word may hiss more quietly than its vowels sound.
  return open_ && crossings >= kHissing && db > floor_db_ + rules_.over_floor_db / 2;
}

void VoiceActivity::follow_floor(double db) noexcept {
  if (db < floor_db_) {
    floor_db_ += kFall * (db - floor_db_);
  } else if (db > floor_db_ + rules_.over_floor_db) {
    floor_db_ += kRiseVoice;
  } else {
    floor_db_ += kRiseQuiet * (db - floor_db_);
  }
}

void VoiceActivity::begin() {
  const std::uint64_t before = samples_of(rules_.before_ms);
  start_ = std::max(last_end_, run_start_ > before ? run_start_ - before : 0);
  open_ = true;
  events_.push_back({VoiceEvent::What::started, {start_, position_}});
}

void VoiceActivity::end(std::uint64_t at) {
  open_ = false;
  run_ = 0;
  last_end_ = at;
  events_.push_back({VoiceEvent::What::ended, {start_, at}});
}

void VoiceActivity::finish() {
  const std::uint64_t all = position_ + held_;
  position_ = all;
  held_ = 0;
  if (open_) end(std::min(all, last_voice_ + samples_of(rules_.after_ms)));
}

std::optional<VoiceEvent> VoiceActivity::next() {
  if (events_.empty()) return std::nullopt;
  const VoiceEvent out = events_.front();
  events_.pop_front();
  return out;
}

}  // namespace mainstay::media
