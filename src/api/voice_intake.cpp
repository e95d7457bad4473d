// Samples are kept as they came; what listens gets them at its own rate.
#include "api/voice_intake.h"

#include <algorithm>
#include <array>

namespace mainstay::api {
namespace {

constexpr std::uint64_t kBeforeMs = 1500;  ///< kept while nobody speaks: what a span begins with
constexpr std::size_t kSample = 2;
constexpr std::uint64_t kVoiceMs = media::kVoiceRate / 1000;  ///< samples that are listened to
constexpr std::uint64_t kFrame = kVoiceMs * 10;               ///< of them, for one look

media::VoiceRules rules_of(const IntakeRule& rule) {
  media::VoiceRules out;
  out.quiet_ms = rule.quiet_ms;
  out.after_ms = std::min(out.after_ms, rule.quiet_ms);
  out.span_ms = rule.longest_ms;
  return out;
}

std::int16_t sample_at(std::string_view bytes, std::size_t index) {
  const auto low = static_cast<unsigned char>(bytes[index * kSample]);
  const auto high = static_cast<unsigned char>(bytes[index * kSample + 1]);
  return static_cast<std::int16_t>(low | high << 8);
}

}  // namespace

VoiceIntake::VoiceIntake(IntakeRule rule, std::optional<char> half)
    : rule_(rule), activity_(rules_of(rule)), half_(half) {}

std::uint64_t VoiceIntake::to_input(std::uint64_t voice_sample) const noexcept {
  return voice_sample * rule_.rate / media::kVoiceRate;
}

std::uint64_t VoiceIntake::longest() const noexcept {
  return static_cast<std::uint64_t>(rule_.longest_ms) * rule_.rate / 1000;
}

std::size_t VoiceIntake::feed(std::string_view bytes) {
  std::string_view rest = bytes;
  while (!rest.empty() && heard_.empty() && !full_) rest.remove_prefix(take_step(rest));
  if (full_) {
    drop(rest);
    rest = {};
  }
  return bytes.size() - rest.size();
}

/// Whoever goes on after the longest question may fall silent meanwhile.
void VoiceIntake::pass_over(std::string_view bytes) {
  while (!bytes.empty() && goes_on_) bytes.remove_prefix(take_step(bytes));
  drop(bytes);
}

/// A byte more or less would make noise of all that follows.
void VoiceIntake::drop(std::string_view bytes) {
  if (bytes.empty()) return;
  const bool odd = (bytes.size() + (half_ ? 1 : 0)) % kSample != 0;
  half_ = odd ? std::optional<char>(bytes.back()) : std::nullopt;
}

/// In steps, so that what is kept stays bounded, however long a message is, and ends where
/// something can be heard, so that the pieces make no difference.
std::size_t VoiceIntake::take_step(std::string_view bytes) {
  if (half_ || bytes.size() < kSample) {
    if (!half_) {
      half_ = bytes.front();
      return 1;
    }
    const std::array<char, kSample> sample{*half_, bytes.front()};
    half_.reset();
    take_samples({sample.data(), kSample});
    return 1;
  }
  const std::uint64_t most = (step_end() - fed_) * kSample;
  const auto size = std::min<std::uint64_t>(bytes.size() / kSample * kSample, most);
  take_samples(bytes.substr(0, static_cast<std::size_t>(size)));
  return static_cast<std::size_t>(size);
}

void VoiceIntake::take_samples(std::string_view bytes) {
  kept_ += bytes;
  if (rule_.hands_free) listen(bytes);
  fed_ += bytes.size() / kSample;
  look();
}

/// Behind the sample that completes a frame of what listens; else the end of the question.
std::uint64_t VoiceIntake::step_end() const noexcept {
  if (!rule_.hands_free) return std::min(fed_ + rule_.rate / 10, from_ + longest());
  return to_input((given_ / kFrame + 1) * kFrame - 1) + 1;
}

/// The nearest sample for each one that is listened to: loudness needs no filter.
void VoiceIntake::listen(std::string_view bytes) {
  const std::uint64_t count = bytes.size() / kSample;
  std::array<std::int16_t, 512> block{};
  std::size_t n = 0;
  for (;;) {
    const std::uint64_t at = to_input(given_);
    if (at >= fed_ + count) break;
    block[n++] = sample_at(bytes, static_cast<std::size_t>(at - fed_));
    ++given_;
    if (n < block.size()) continue;
    activity_.feed(block);
    n = 0;
  }
  activity_.feed(std::span<const std::int16_t>(block.data(), n));
}

void VoiceIntake::look() {
  if (!rule_.hands_free) {
    if (fed_ - from_ < longest()) return;
    heard_.push_back({true, cut(from_, from_ + longest())});
    full_ = true;
    return;
  }
  while (const auto event = activity_.next()) {
    if (event->what == media::VoiceEvent::What::ended) {
      heard_end(event->span);
      continue;
    }
    // Where a span was cut the next one begins with the same voice.
    goes_on_ = cut_at_ == event->span.start;
    if (goes_on_) continue;
    open_ = true;
    from_ = to_input(event->span.start);
    heard_.push_back({false, {}});
  }
  const std::uint64_t before = kBeforeMs * rule_.rate / 1000;
  if (!open_ && fed_ > before) forget_before(fed_ - before);
}

void VoiceIntake::heard_end(media::VoiceSpan span) {
  cut_at_.reset();
  if (span.end - span.start >= rule_.longest_ms * kVoiceMs) cut_at_ = span.end;
  const std::uint64_t end = std::min(to_input(span.end), fed_);
  if (!goes_on_) heard_.push_back({true, cut(to_input(span.start), end)});
  open_ = false;
  goes_on_ = false;
  forget_before(end);
}

/// Moves the rest only when it is worth it.
void VoiceIntake::forget_before(std::uint64_t sample) {
  if (sample <= first_) return;
  const auto bytes = static_cast<std::size_t>(sample - first_) * kSample;
  if (bytes >= kept_.size()) {
    kept_ = std::string();
    first_ = fed_;
  } else if (bytes > kept_.size() / 2) {
    kept_.erase(0, bytes);
    first_ = sample;
  }
}

std::string VoiceIntake::cut(std::uint64_t from, std::uint64_t to) {
  from = std::max(from, first_);
  if (to <= from) return {};
  const auto at = static_cast<std::size_t>(from - first_) * kSample;
  if (at >= kept_.size()) return {};
  return kept_.substr(at, static_cast<std::size_t>(to - from) * kSample);
}

std::optional<VoiceIntake::Heard> VoiceIntake::next() {
  if (heard_.empty()) return std::nullopt;
  Heard out = std::move(heard_.front());
  heard_.pop_front();
  return out;
}

std::string VoiceIntake::stop() {
  std::string out;
  if (!full_ && (!rule_.hands_free || open_)) out = cut(from_, fed_);
  kept_ = std::string();
  first_ = fed_;
  from_ = fed_;
  open_ = false;
  goes_on_ = false;
  full_ = false;
  half_.reset();
  return out;
}

}  // namespace mainstay::api
