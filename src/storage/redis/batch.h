// Calls of one script put together: while some are under way the next ones gather, and go out as
// one command. One item's failure is its own.
// Used by jobs.cpp.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>

#include "storage/redis/client.h"

namespace mainstay::storage::redis {

/// Many items, one EVALSHA. `head` writes what stands before the items. Thread-safe.
class Batch {
 public:
  /// Reads the whole reply into one reply for each item; those missing count as failed.
  using Split = std::function<std::vector<Reply>(Reply)>;
  Batch(Client& client, Script script, std::function<void(Command&)> head, Split split)
      : client_(client), script_(script), head_(std::move(head)), split_(std::move(split)) {}

  /// Adds the item's arguments to the next call. An item whose deadline has come is answered
  /// Errc::deadline, and may still happen.
  Co<Result<Reply>> run(std::vector<std::string> arguments, Deadline by);

 private:
  struct Item {
    explicit Item(Clock& clock) : answered(clock) {}
    Event answered;
    std::vector<std::string> arguments;
    TimePoint give_up{};
    std::mutex mutex;
    std::optional<Result<Reply>> reply;
    void answer(Result<Reply> with);
  };
  using Items = std::vector<std::shared_ptr<Item>>;
  bool put(std::shared_ptr<Item> item);
  Items take();
  void flush();
  void finished(const Items& items, Result<Reply> reply);

  Client& client_;
  const Script script_;
  const std::function<void(Command&)> head_;
  const Split split_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Item>> waiting_;
  bool posted_ = false;          ///< flush() is on its way
  std::uint32_t under_way_ = 0;  ///< on the client's thread alone
};

}  // namespace mainstay::storage::redis
