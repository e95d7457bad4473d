// The rules of kept replies, written as plainly as possible.
#include "storage/memory/replies.h"

#include "storage/job_life.h"

namespace mainstay::storage::memory {

std::optional<MemoryReplies::Kept> MemoryReplies::find(const ReplyPlace& place) const {
  std::lock_guard lock(mutex_);
  const auto found = all_.find(place);
  if (found == all_.end() || found->second.until <= clock_.wall()) return std::nullopt;
  return found->second;
}

std::uint32_t MemoryReplies::sweep_now() {
  std::uint32_t removed = 0;
  const WallTime now = clock_.wall();
  for (auto it = all_.begin(); it != all_.end() && removed < kReplySlice;) {
    const bool over = it->second.until <= now;
    removed += over ? 1 : 0;
    it = over ? all_.erase(it) : std::next(it);
  }
  return removed;
}

/// Removes the oldest of `owner` (null: of all) until the bounds hold, never the newest.
void MemoryReplies::make_room(const Owner* owner, std::uint64_t newest, std::uint64_t entries_max,
                              std::uint64_t bytes_max) {
  for (;;) {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    auto oldest = all_.end();
    for (auto it = all_.begin(); it != all_.end(); ++it) {
      if (owner != nullptr && it->first.owner != *owner) continue;
      ++entries;
      bytes += it->second.size;
      const bool may_go = it->second.made != newest;
      if (may_go && (oldest == all_.end() || it->second.made < oldest->second.made)) oldest = it;
    }
    if ((entries <= entries_max && bytes <= bytes_max) || oldest == all_.end()) return;
    all_.erase(oldest);
  }
}

void MemoryReplies::keep_now(const ReplyPlace& place, std::string digest, KeptReply reply,
                             const ReplyLimits& limits) {
  std::lock_guard lock(mutex_);
  sweep_now();
  const std::uint64_t size = size_of(place, reply);
  const WallTime until =
      clock_.wall() + std::chrono::duration_cast<WallTime::duration>(limits.keep);
  all_[place] = {std::move(digest), std::move(reply), size, ++made_, until};
  make_room(&place.owner, made_, limits.owner_entries_max, limits.owner_bytes_max);
  make_room(nullptr, made_, limits.entries_max, limits.bytes_max);
}

Co<Result<std::optional<KeptReply>>> MemoryReplies::begin(ReplyPlace place, std::string digest,
                                                          Deadline by) {
  auto taken = co_await turns_.take(place, digest, by);
  if (!taken.ok()) co_return taken.error();
  ReplyTurns::Held turn(turns_, place);
  auto found = find(place);
  if (!found) {
    turn.keep();
    co_return std::optional<KeptReply>();
  }
  if (found->digest != digest) co_return key_reused();
  co_return std::optional<KeptReply>(std::move(found->reply));
}

Co<Status> MemoryReplies::finish(ReplyPlace place, KeptReply reply, ReplyLimits limits, Deadline) {
  const ReplyTurns::Held turn(turns_, place);
  keep_now(place, turns_.digest_of(place), std::move(reply), limits);
  co_return done();
}

Co<Result<std::uint32_t>> MemoryReplies::sweep(Deadline) {
  std::lock_guard lock(mutex_);
  co_return sweep_now();
}

}  // namespace mainstay::storage::memory
