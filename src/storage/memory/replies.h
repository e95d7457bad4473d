// Kept replies in plain containers. Used by storage/memory/open.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "storage/reply_turns.h"

namespace mainstay::storage::memory {

/// Thread-safe; only begin() waits, for another request's end.
class MemoryReplies final : public Replies {
 public:
  explicit MemoryReplies(Clock& clock) : clock_(clock), turns_(clock) {}
  Co<Result<std::optional<KeptReply>>> begin(ReplyPlace place, std::string digest,
                                             Deadline by) override;
  Co<Status> finish(ReplyPlace place, KeptReply reply, ReplyLimits limits, Deadline by) override;
  void forget(const ReplyPlace& place) noexcept override { turns_.give(place); }
  Co<Result<std::uint32_t>> sweep(Deadline by) override;

 private:
  struct Kept {
    std::string digest;
    KeptReply reply;
    std::uint64_t size = 0;
    std::uint64_t made = 0;  ///< order of arrival
    WallTime until{};
  };
  using All = std::map<ReplyPlace, Kept>;
  std::optional<Kept> find(const ReplyPlace& place) const;
  void keep_now(const ReplyPlace& place, std::string digest, KeptReply reply,
                const ReplyLimits& limits);
  std::uint32_t sweep_now();
  void make_room(const Owner* owner, std::uint64_t newest, std::uint64_t entries_max,
                 std::uint64_t bytes_max);

  Clock& clock_;
  ReplyTurns turns_;
  mutable std::mutex mutex_;
  All all_;
  std::uint64_t made_ = 0;
};

}  // namespace mainstay::storage::memory
