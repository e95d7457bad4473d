// A wait of Asio's that ends by the injected clock at the latest. Used by whoever reads or writes a
// descriptor on its own: media, api, storage/postgres.
#pragma once

#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/deadline.h"

namespace mainstay {

/// One waiter at a time, on one executor. What rings may come after the bell is gone.
class Bell {
 public:
  Bell(Clock& clock, Executor executor) : clock_(clock), state_(std::make_shared<State>()) {
    state_->alarm = clock.alarm(std::move(executor));
  }

  /// Until `object`, a socket or descriptor of this executor, is ready for `what`; false when the
  /// deadline came first. A wake-up may be for nothing. `object` must outlive the wait.
  template <class Object>
  Co<bool> ready(Object& object, typename Object::wait_type what, Deadline by) {
    const auto start = [&object, what](auto ring) {
      object.async_wait(what, [ring](const auto&) { ring(); });
    };
    const auto cancel = [&object] {
      error_code ignored;
      if (object.is_open()) object.cancel(ignored);
    };
    auto in_time = co_await rung(start, cancel, by);
    co_return in_time;
  }

  /// The same for any operation: `start(ring)` begins it, and its handler calls `ring()` on this
  /// executor; `cancel()` is called when it has not by then.
  template <class Start, class Cancel>
  Co<bool> rung(Start start, Cancel cancel, Deadline by) {
    if (by.passed(clock_.now())) co_return false;
    state_->rung = false;
    start([state = state_] {
      state->rung = true;
      state->alarm->ring();
    });
    auto late = co_await state_->alarm->wait_until(by.at());
    if (!state_->rung) cancel();
    co_return !late;
  }

 private:
  struct State {
    bool rung = false;
    std::unique_ptr<Alarm> alarm;
  };
  Clock& clock_;
  const std::shared_ptr<State> state_;
};

}  // namespace mainstay
