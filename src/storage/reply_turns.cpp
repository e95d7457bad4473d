// Taking turns at idempotency keys.
#include "storage/reply_turns.h"

#include "storage/job_life.h"

namespace mainstay::storage {

ReplyTurns::Look ReplyTurns::look(const ReplyPlace& place, const std::string& digest) {
  std::lock_guard lock(mutex_);
  const auto [found, fresh] = turns_.try_emplace(place);
  Turn& turn = found->second;
  if (fresh) {
    turn = {digest, std::make_shared<Event>(clock_)};
    return {};
  }
  return {turn.ended, turn.ended->version(), turn.digest != digest};
}

Co<Status> ReplyTurns::take(ReplyPlace place, std::string digest, Deadline by) {
  for (;;) {
    const Look seen = look(place, digest);
    if (!seen.ended) co_return done();
    if (seen.other) co_return key_reused();
    const bool woken = co_await seen.ended->wait(seen.seen, by);
    if (woken) continue;
    co_return Error::say(Errc::conflict, "idempotent_request_running",
                         "The first request with this Idempotency-Key still runs. Send it again "
                         "later, with the same key.");
  }
}

std::string ReplyTurns::digest_of(const ReplyPlace& place) const {
  std::lock_guard lock(mutex_);
  const auto found = turns_.find(place);
  return found == turns_.end() ? std::string() : found->second.digest;
}

void ReplyTurns::give(const ReplyPlace& place) noexcept {
  std::shared_ptr<Event> ended;
  {
    std::lock_guard lock(mutex_);
    const auto found = turns_.find(place);
    if (found == turns_.end()) return;
    ended = std::move(found->second.ended);
    turns_.erase(found);
  }
  ended->notify();
}

}  // namespace mainstay::storage
