// A log-linear histogram of nanoseconds: 64 steps in each power of two, so a value read back is
// within 1.6 % of the one recorded. Used by load.cpp.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mainstay::bench {

class Histogram {
 public:
  void add(std::int64_t ns) noexcept {
    const auto value = ns < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(ns);
    ++counts_[slot(value)];
    ++total_;
    if (value > max_) max_ = value;
  }
  std::uint64_t count() const noexcept { return total_; }
  double max_us() const noexcept { return static_cast<double>(max_) / 1000.0; }
  /// The smallest recorded value that `share` (0 to 1) of all values do not exceed, in
  /// microseconds.
  double at_us(double share) const noexcept {
    if (total_ == 0) return 0.0;
    auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    if (wanted >= total_) wanted = total_ - 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return middle(i) / 1000.0;
    }
    return max_us();
  }

 private:
  static constexpr unsigned kStepBits = 6;
  static constexpr std::size_t kSteps = std::size_t{1} << kStepBits;

  static std::size_t slot(std::uint64_t value) noexcept {
    if (value < kSteps) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kStepBits - 1;
    return (std::size_t{shift} + 1) * kSteps + static_cast<std::size_t>((value >> shift) - kSteps);
  }
  static double middle(std::size_t slot) noexcept {
    if (slot < kSteps) return static_cast<double>(slot);
    const auto shift = slot / kSteps - 1;
    const auto step = static_cast<double>(std::uint64_t{1} << shift);
    return (static_cast<double>(slot % kSteps + kSteps) + 0.5) * step;
  }

  std::array<std::uint64_t, kSteps * 60> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace mainstay::bench
