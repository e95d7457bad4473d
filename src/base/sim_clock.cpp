// The fake clock's alarms: an ordered map of who waits until when.
#include "base/sim_clock.h"

#include <boost/asio/basic_waitable_timer.hpp>

namespace mainstay {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// Waits on a timer that never ends by itself; SimClock cancels it when virtual time is reached.
class SimAlarm final : public Alarm {
 public:
  SimAlarm(SimClock& clock, Executor executor) : clock_(clock), timer_(executor) {}
  ~SimAlarm() override { forget(); }

  Co<bool> wait_until(TimePoint at) override {
    if (rung_ || at <= clock_.now()) {
      const bool reached = !rung_;
      rung_ = false;
      co_return reached;
    }
    const Waiting waiting(*this, at);
    [[maybe_unused]] auto [ec] = co_await timer_.async_wait(use_co);
    rung_ = false;
    co_return reached_;
  }
  void ring() override {
    if (waiting_) timer_.cancel();
    if (!waiting_) rung_ = true;
  }
  void fire() {
    reached_ = true;
    timer_.cancel();
  }

 private:
  /// Listed with the clock while somebody waits, also when the wait ends by an exception (it was
  /// cancelled before).
  class Waiting {
   public:
    Waiting(SimAlarm& alarm, TimePoint at) : alarm_(alarm) {
      alarm_.key_ = {at, alarm_.clock_.next_id_++};
      if (at != TimePoint::max()) alarm_.clock_.waiting_.emplace(alarm_.key_, &alarm_);
      alarm_.reached_ = false;
      alarm_.timer_.expires_at(std::chrono::steady_clock::time_point::max());
      alarm_.waiting_ = true;
    }
    ~Waiting() {
      alarm_.waiting_ = false;
      alarm_.forget();
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    SimAlarm& alarm_;
  };
  void forget() { clock_.waiting_.erase(key_); }
  SimClock& clock_;
  Timer timer_;
  std::pair<TimePoint, std::uint64_t> key_{TimePoint::max(), 0};
  bool waiting_ = false;
  bool rung_ = false;
  bool reached_ = false;
};

std::unique_ptr<Alarm> SimClock::alarm(Executor executor) {
  return std::make_unique<SimAlarm>(*this, executor);
}

void SimClock::poll() {
  io_.restart();
  while (io_.poll() > 0) io_.restart();
}

void SimClock::move_to(TimePoint at) {
  if (at <= now()) return;
  wall_ = wall() + std::chrono::duration_cast<std::chrono::microseconds>(at - now());
  now_ = at;
}

void SimClock::run(Duration limit) {
  const TimePoint end = now() + limit;
  poll();
  while (!waiting_.empty() && waiting_.begin()->first.first <= end) {
    auto first = waiting_.begin();
    SimAlarm* alarm = first->second;
    move_to(first->first.first);
    waiting_.erase(first);
    alarm->fire();
    poll();
  }
}

void SimClock::advance(Duration d) {
  const TimePoint end = now() + d;
  run(d);
  move_to(end);
  poll();
}

}  // namespace mainstay
