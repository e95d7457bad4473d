// Face: replies to POST requests that carried an Idempotency-Key, so that the same request sent
// again gets the same reply and is not carried out twice. Back ends: memory, sqlite.
// Used by api (idempotency).
#pragma once

#include <optional>
#include <string>

#include "storage/conversations.h"

namespace mainstay::storage {

/// What a reply is kept under: a key stands for one request of one owner at one endpoint.
struct ReplyPlace {
  Owner owner;
  std::string route;  ///< a constant word for the endpoint
  std::string key;
  friend auto operator<=>(const ReplyPlace&, const ReplyPlace&) = default;
};

struct KeptReply {
  int status = 200;
  std::string content_type;
  std::string headers;  ///< header lines ready for the wire
  std::string body;
  bool left_out = false;  ///< it was too large: that there was one is all that is known
};

/// Bounds of what is kept; where one is passed the oldest replies go first.
struct ReplyLimits {
  Duration keep = std::chrono::hours(24);
  std::uint64_t owner_entries_max = 1000;
  std::uint64_t owner_bytes_max = 16 << 20;
  std::uint64_t entries_max = 100'000;
  std::uint64_t bytes_max = 256 << 20;
};

/// Any loop may call; no call blocks it. Errors of every verb: unavailable, deadline, disk_full,
/// corrupt, and those named.
class Replies {
 public:
  virtual ~Replies() = default;
  /// The kept reply, or nothing: then the caller carries the request out, and everybody else with
  /// the same place waits until it calls finish() or forget(). Such a turn ends with the process.
  /// `digest`: of the whole request. Errors: conflict "idempotency_key_reused" (another digest),
  /// "idempotent_request_running" (the first one did not end before the deadline).
  virtual Co<Result<std::optional<KeptReply>>> begin(ReplyPlace place, std::string digest,
                                                     Deadline by) = 0;
  /// Keeps the reply and ends the turn, also where it gives an error: then the key is free again.
  /// After Ok the reply survives a crash, where the back end's other data does.
  virtual Co<Status> finish(ReplyPlace place, KeptReply reply, ReplyLimits limits, Deadline by) = 0;
  /// Ends the turn: the key is free again. Never waits; nothing happens when there is no turn.
  virtual void forget(const ReplyPlace& place) noexcept = 0;
  /// Removes a slice of what was kept long enough; gives how many. finish() does so too.
  virtual Co<Result<std::uint32_t>> sweep(Deadline by) = 0;
};

/// Replies removed in one step because their time is over.
inline constexpr std::uint32_t kReplySlice = 64;
/// What a reply counts for beside its texts.
inline constexpr std::uint64_t kReplyOverhead = 256;
inline std::uint64_t size_of(const ReplyPlace& place, const KeptReply& reply) noexcept {
  return place.key.size() + reply.headers.size() + reply.body.size() + kReplyOverhead;
}

}  // namespace mainstay::storage
