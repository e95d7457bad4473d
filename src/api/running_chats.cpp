// One mutex: chats with a key begin and end a few thousand times a second at most, and each writes
// its reply to the disk besides.
#include "api/running_chats.h"

#include <algorithm>
#include <utility>

namespace mainstay::api {

bool RunningChats::add(const storage::ReplyPlace& place, std::shared_ptr<Hold> hold,
                       std::shared_ptr<assistant::EarlyEnd> early_end) {
  std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  const auto stopped = std::any_of(stopped_.begin(), stopped_.end(), [&](const Stopped& one) {
    return one.until > now && one.place == place;
  });
  if (stopped) return false;
  running_[place] = Running{std::move(hold), std::move(early_end)};
  return true;
}

bool RunningChats::remove(const storage::ReplyPlace& place) {
  bool dropped = false;
  {
    std::lock_guard lock(mutex_);
    const auto at = running_.find(place);
    if (at == running_.end()) return false;
    dropped = at->second.dropped;
    running_.erase(at);
  }
  ended_.notify();
  return dropped;
}

RunningChats::Stopping RunningChats::stop(const storage::ReplyPlace& place) {
  std::lock_guard lock(mutex_);
  // Also for one that runs: another try with its key may wait for it, and would take its place.
  remember(place);
  const auto at = running_.find(place);
  if (at == running_.end()) return Stopping::unknown;
  if (at->second.early_end->wish()) return Stopping::soon;
  drop(at->second);
  return Stopping::now;
}

void RunningChats::end_now(const storage::ReplyPlace& place) {
  std::lock_guard lock(mutex_);
  const auto at = running_.find(place);
  if (at != running_.end()) drop(at->second);
}

bool RunningChats::runs(const storage::ReplyPlace& place) {
  std::lock_guard lock(mutex_);
  return running_.contains(place);
}

Co<> RunningChats::ended(storage::ReplyPlace place, Deadline by) {
  for (bool in_time = true; in_time;) {
    const auto seen = ended_.version();
    if (!runs(place)) co_return;
    in_time = co_await ended_.wait(seen, by);
  }
}

/// A hold takes its own mutex alone, and cancelling merely posts.
void RunningChats::drop(Running& one) {
  if (std::exchange(one.dropped, true)) return;
  one.hold->drop();
  one.hold->client_gone();
}

void RunningChats::remember(const storage::ReplyPlace& place) {
  if (stopped_.size() >= kStoppedMax) stopped_.pop_front();
  stopped_.push_back({place, clock_.now() + kStopHolds});
}

}  // namespace mainstay::api
