// The machine's clocks and alarms over Asio's steady timer.
#include "base/clock.h"

#include "base/deadline.h"

#include <boost/asio/basic_waitable_timer.hpp>

namespace mainstay {
namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// True while somebody waits, also when the wait ends by an exception (it was cancelled before).
class Waiting {
 public:
  explicit Waiting(bool& flag) : flag_(flag) { flag_ = true; }
  ~Waiting() { flag_ = false; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  bool& flag_;
};

class RealAlarm final : public Alarm {
 public:
  explicit RealAlarm(Executor executor) : timer_(executor) {}
  Co<bool> wait_until(TimePoint at) override {
    if (rung_) {
      rung_ = false;
      co_return false;
    }
    timer_.expires_at(std::chrono::steady_clock::time_point(at.time_since_epoch()));
    const Waiting waiting(waiting_);
    auto [failed] = co_await timer_.async_wait(use_co);
    rung_ = false;
    co_return !failed;
  }
  void ring() override {
    if (waiting_) timer_.cancel();
    if (!waiting_) rung_ = true;
  }

 private:
  Timer timer_;
  bool waiting_ = false;
  bool rung_ = false;
};

}  // namespace

TimePoint RealClock::now() const noexcept {
  return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

WallTime RealClock::wall() const noexcept {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::unique_ptr<Alarm> RealClock::alarm(Executor executor) {
  return std::make_unique<RealAlarm>(executor);
}

Co<bool> sleep(Clock& clock, Duration for_how_long) {
  auto executor = co_await asio::this_coro::executor;
  auto alarm = clock.alarm(executor);
  const TimePoint at = Deadline::in(clock, for_how_long).at();
  auto reached = co_await alarm->wait_until(at);
  co_return reached;
}

}  // namespace mainstay
