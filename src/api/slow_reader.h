// Between an answer that others share and the client who asked for it first: what this client has
// not taken yet waits here, so that the others need not wait for it.
// Used by api (stream) alone.
#pragma once

#include <deque>
#include <string>

#include "api/context.h"
#include "base/event.h"
#include "base/task_group.h"

namespace mainstay::api {

/// On the exchange's loop alone. close() before it goes.
class SlowReader {
 public:
  /// Beyond cache.stream_buffer_max bytes write() waits, too.
  SlowReader(net::Exchange& exchange, const Rooms& rooms, Executor executor);
  /// Errors: those of the exchange, of this event or an earlier one; cancelled.
  Co<Status> write(std::string event);
  /// Returns when all is written.
  Co<Status> drain();
  Co<> close() { return tasks_.close(); }

 private:
  Co<> work();
  /// Until at most so much waits, or a write failed.
  Co<Status> wait_for(std::size_t bytes);

  net::Exchange& exchange_;
  const std::size_t most_;
  std::deque<std::string> waiting_;
  std::size_t bytes_ = 0;  ///< of `waiting_`, and of what is being written
  Status sent_;
  Event changed_;
  TaskGroup tasks_;
};

}  // namespace mainstay::api
