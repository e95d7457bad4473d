// One coroutine writes what another brings.
#include "api/slow_reader.h"

namespace mainstay::api {

SlowReader::SlowReader(net::Exchange& exchange, const Rooms& rooms, Executor executor)
    : exchange_(exchange),
      most_(rooms.settings.cache.stream_buffer_max.value),
      changed_(rooms.clock),
      tasks_(rooms.clock, std::move(executor), [this](const std::string&, const std::string& what) {
        sent_ = Error::log(Errc::internal, "unexpected: " + what);
        changed_.notify();
      }) {
  tasks_.spawn("slow_reader", work());
}

Co<> SlowReader::work() {
  while (sent_.ok()) {
    if (waiting_.empty()) {
      auto woken = co_await changed_.wait(changed_.version(), Deadline::never());
      if (!woken) co_return;  // closed
      continue;
    }
    const std::string event = std::move(waiting_.front());
    waiting_.pop_front();
    sent_ = co_await exchange_.write(event);
    bytes_ -= event.size();
    changed_.notify();
  }
}

Co<Status> SlowReader::wait_for(std::size_t bytes) {
  while (sent_.ok() && bytes_ > bytes) {
    auto woken = co_await changed_.wait(changed_.version(), Deadline::never());
    if (!woken) co_return Error::log(Errc::cancelled, "the request was cancelled");
  }
  co_return sent_;
}

Co<Status> SlowReader::write(std::string event) {
  if (!sent_.ok()) co_return sent_;
  bytes_ += event.size();
  waiting_.push_back(std::move(event));
  changed_.notify();
  auto room = co_await wait_for(most_);
  co_return room;
}

Co<Status> SlowReader::drain() {
  auto all = co_await wait_for(0);
  co_return all;
}

}  // namespace mainstay::api
