// What Redis' error replies mean to us.
#include <array>

#include "storage/redis/pipe.h"

namespace mainstay::storage::redis {
namespace {

constexpr std::chrono::milliseconds kRetrySoon{1'000};
constexpr std::chrono::milliseconds kRetryLater{5'000};

bool starts(const Reply& reply, std::string_view word) {
  return reply.text.starts_with(word);
}

Error down(const Reply& reply) {
  Error error = Error::say(Errc::unavailable, "redis_unavailable",
                           "The job queue cannot be reached; try again shortly.");
  error.detail = "redis: " + reply.text;
  error.retry_after = kRetrySoon;
  return error;
}

Error full(const Reply& reply) {
  Error error = Error::say(Errc::disk_full, "redis_full",
                           "The job queue's server has no room left; try again later.");
  error.detail = "redis: " + reply.text;
  error.retry_after = kRetryLater;
  return error;
}

/// `stop-writes-on-bgsave-error`: the append-only file is whole, and there may be room.
Error stopped(const Reply& reply) {
  Error error = Error::say(Errc::unavailable, "redis_snapshot_failed",
                           "The job queue's server could not write its snapshot and takes nothing "
                           "until it can; try again later.");
  error.detail = "redis: " + reply.text;
  error.retry_after = kRetryLater;
  return error;
}

}  // namespace

std::string kind_of(const Reply& reply) {
  static constexpr std::array kKnown = {"LOADING", "OOM",       "READONLY", "MISCONF", "NOSCRIPT",
                                        "NOGROUP", "MOVED",     "BUSY",     "NOAUTH",  "WRONGPASS",
                                        "NOPERM",  "WRONGTYPE", "UNBLOCKED"};
  for (const char* word : kKnown) {
    if (starts(reply, word)) return word;
  }
  return reply.text.find("max number of clients") != std::string::npos ? "CLIENTS" : "other";
}

Error error_of(const Reply& reply) {
  const bool snapshot = reply.text.find("RDB snapshot") != std::string::npos;
  if (starts(reply, "MISCONF") && snapshot) return stopped(reply);
  if (starts(reply, "OOM") || starts(reply, "MISCONF")) return full(reply);
  if (starts(reply, "WRONGTYPE")) return Error::log(Errc::corrupt, "redis: " + reply.text);
  for (const char* word :
       {"LOADING", "READONLY", "BUSY", "MASTERDOWN", "MOVED", "ASK", "CLUSTERDOWN", "NOAUTH",
        "NOPERM", "WRONGPASS", "UNBLOCKED", "NOREPLICAS", "ERR max number of clients"}) {
    if (starts(reply, word)) return down(reply);
  }
  return Error::log(Errc::internal, "redis: " + reply.text);
}

}  // namespace mainstay::storage::redis
