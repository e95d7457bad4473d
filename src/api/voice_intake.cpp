// Samples are kept as they came; what listens gets them at its own rate.
#include "api/voice_intake.h"

#include <algorithm>
#include <array>

namespace mainstay::api {
namespace {

constexpr std::uint64_t kBeforeMs = 1500;  ///< kept while nobody speaks: what a span begins with
constexpr std::size_t kSample = 2;

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

VoiceIntake::VoiceIntake(IntakeRule rule) : rule_(rule), activity_(rules_of(rule)) {}

std::uint64_t VoiceIntake::to_input(std::uint64_t voice_sample) const noexcept {
  return voice_sample * rule_.rate / media::kVoiceRate;
}

std::uint64_t VoiceIntake::longest() const noexcept {
  return static_cast<std::uint64_t>(rule_.longest_ms) * rule_.rate / 1000;
}

void VoiceIntake::feed(std::string_view bytes) {
  std::string whole;
  if (half_) {
    whole += *half_;
    whole += bytes;
    bytes = whole;
    half_.reset();
  }
  if (bytes.size() % kSample != 0) {
    half_ = bytes.back();
    bytes.remove_suffix(1);
  }
  // In steps, so that what is kept stays bounded, however long a message is.
  const std::size_t step = rule_.rate / 10 * kSample;
  while (!bytes.empty() && !full_) {
    const auto piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    kept_ += piece;
    if (rule_.hands_free) listen(piece);
    fed_ += piece.size() / kSample;
    look();
  }
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
    if (event->what == media::VoiceEvent::What::started) {
      open_ = true;
      from_ = to_input(event->span.start);
      heard_.push_back({false, {}});
    } else {
      open_ = false;
      const std::uint64_t end = std::min(to_input(event->span.end), fed_);
      heard_.push_back({true, cut(to_input(event->span.start), end)});
      forget_before(end);
    }
  }
  const std::uint64_t before = kBeforeMs * rule_.rate / 1000;
  if (!open_ && fed_ > before) forget_before(fed_ - before);
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
  full_ = false;
  half_.reset();
  return out;
}

}  // namespace mainstay::api
