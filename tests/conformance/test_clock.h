// The machine's clocks, moved ahead by a test, or standing still until it moves them.
// Used by the suites in this folder, whose back ends have threads of their own.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace mainstay::storage {

/// Thread-safe. Alarms wait in real time: while the clock stands still, tests wait for news alone.
class TestClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    const auto frozen = steady_.load();
    return frozen.count() != 0 ? TimePoint(frozen) : real_.now() + ahead_.load();
  }
  WallTime wall() const noexcept override {
    const auto frozen = steady_.load();
    if (frozen.count() == 0) return real_.wall() + micros_of(ahead_.load());
    return stood_ + micros_of(frozen - started_);
  }
  std::unique_ptr<Alarm> alarm(Executor executor) override {
    return std::make_unique<Shifted>(*this, real_.alarm(executor));
  }

  /// From now on time moves by move() alone. Before the clock is used by other threads.
  void stand_still() {
    started_ = std::chrono::floor<std::chrono::microseconds>(real_.now().time_since_epoch());
    stood_ = real_.wall();
    steady_ = started_;
  }
  void move(Duration d) {
    if (steady_.load().count() != 0) {
      steady_ = steady_.load() + d;
    } else {
      ahead_ = ahead_.load() + d;
    }
  }

 private:
  class Shifted final : public Alarm {
   public:
    Shifted(TestClock& clock, std::unique_ptr<Alarm> real)
        : clock_(clock), real_(std::move(real)) {}
    Co<bool> wait_until(TimePoint at) override {
      TimePoint until = at;
      if (at != TimePoint::max()) until = clock_.real_.now() + (at - clock_.now());
      co_return co_await real_->wait_until(until);
    }
    void ring() override { real_->ring(); }

   private:
    TestClock& clock_;
    std::unique_ptr<Alarm> real_;
  };
  static std::chrono::microseconds micros_of(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d);
  }

  RealClock real_;
  std::atomic<Duration> ahead_{Duration{}};
  std::atomic<Duration> steady_{Duration{}};  ///< where it stands; zero: it runs
  Duration started_{};
  WallTime stood_{};
};

}  // namespace mainstay::storage
