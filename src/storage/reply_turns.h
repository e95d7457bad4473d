// Whose turn it is at an idempotency key, within one process: the first request runs, the others
// wait for its end.
// Used by the back ends of replies that belong to one process (memory, sqlite).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/event.h"
#include "storage/replies.h"

namespace mainstay::storage {

/// Thread-safe. As many turns as there are requests that run with a key: the listener bounds them.
class ReplyTurns {
 public:
  explicit ReplyTurns(Clock& clock) : clock_(clock) {}
  /// Waits for the turn. Errors: conflict, as Replies::begin() says.
  Co<Status> take(ReplyPlace place, std::string digest, Deadline by);
  /// What take() was given; empty when nobody has the turn.
  std::string digest_of(const ReplyPlace& place) const;
  void give(const ReplyPlace& place) noexcept;

  /// A turn that ends with this object, unless it is kept.
  class Held {
   public:
    Held(ReplyTurns& turns, const ReplyPlace& place) : turns_(turns), place_(place) {}
    ~Held() {
      if (!kept_) turns_.give(place_);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    void keep() noexcept { kept_ = true; }

   private:
    ReplyTurns& turns_;
    const ReplyPlace& place_;
    bool kept_ = false;
  };

 private:
  struct Turn {
    std::string digest;
    std::shared_ptr<Event> ended;
  };
  /// How an attempt to take the turn went; `ended` is empty when it was taken.
  struct Look {
    std::shared_ptr<Event> ended;
    std::uint64_t seen = 0;
    bool other = false;
  };
  Look look(const ReplyPlace& place, const std::string& digest);

  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<ReplyPlace, Turn> turns_;
};

}  // namespace mainstay::storage
