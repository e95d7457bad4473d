// The connections to one Redis server and the thread that drives them.
// Used by the job store, signal and leader of this room.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "base/event.h"
#include "base/task_group.h"
#include "storage/redis/pipe.h"
#include "storage/redis/scripts.h"

namespace mainstay::storage::redis {

/// While somebody holds it close() waits: a reply is on its way that must not be lost.
using Owed = std::shared_ptr<void>;

/// How a command is asked.
struct Asking {
  bool again = false;     ///< may be sent twice
  bool in_order = false;  ///< runs at the server in the order of such calls
  /// Gets the reply when who asked waits no longer, on any thread; may be empty. It holds what it
  /// is given until it is done with the reply. Must not throw.
  std::function<void(Reply, Owed)> unclaimed = {};
};

/// Commands go over a few pipelined connections; what blocks or subscribes has its own (add()).
/// Thread-safe but for add().
class Client {
 public:
  /// Connects and checks the server; blocks, at most settings.start_timeout. Errors: invalid
  /// "redis_url_invalid", "redis_misconfigured"; denied "redis_denied"; unavailable
  /// "redis_unavailable". References outlive it.
  static Result<std::unique_ptr<Client>> open(const StorageSettings& storage,
                                              const RedisSettings& settings, Clock& clock,
                                              Random& random, Log& log, Metrics& metrics);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Executor executor() { return io_.get_executor(); }
  Clock& clock() { return setup_.clock; }
  Log& log() { return setup_.log; }
  Metrics& metrics() { return setup_.figures.metrics; }
  const RedisSettings& settings() const { return setup_.settings; }
  /// A key of ours; all of them are in one hash slot.
  std::string key(const std::string& rest) const;

  /// Sends on the connection with the least to do. From the client's thread.
  void send(Call call);
  /// The same from any loop. An error reply comes as an Error.
  Co<Result<Reply>> ask(Command command, Asking how, Deadline by);
  Co<Result<Reply>> ask(Command command, bool again, Deadline by) {
    return ask(std::move(command), Asking{.again = again}, by);
  }
  /// A further connection, which lives as long as the client.
  Pipe& add(std::string name, Pipe::Push pushed = {}, std::function<void()> connected = {});
  /// Runs `work` on the client's thread, soon.
  template <class Work>
  void post(Work work) {
    asio::post(io_, std::move(work));
  }
  /// Starts a coroutine on the client's thread; it is cancelled by close().
  void spawn(std::string name, std::function<Co<>()> work);
  /// Ends connections and thread; calls under way fail, but for what is owed: that is waited for,
  /// at most kOwedWait. Blocks. Later calls fail at once.
  void close();
  static constexpr Duration kOwedWait = std::chrono::seconds(1);
  bool closed() const noexcept { return closed_; }
  /// Some connection is up. Any thread.
  bool reachable() const noexcept { return setup_.figures.up.value() > 0; }

 private:
  Client(PipeSetup setup);
  Status wait_for_start();
  Co<> until_up(std::shared_ptr<std::promise<Status>> out, TimePoint by);
  void start(Pipe& pipe, const std::string& name);
  Owed owe();
  void wait_for_owed();

  PipeSetup setup_;
  const std::string prefix_;
  std::mutex owed_mutex_;  // calls that never ran let go of it at the very end
  std::condition_variable owed_gone_;
  std::size_t owed_ = 0;
  asio::io_context io_{1};
  asio::executor_work_guard<Executor> guard_;
  TaskGroup tasks_;
  std::vector<std::unique_ptr<Pipe>> pipes_;   ///< for commands
  std::vector<std::unique_ptr<Pipe>> others_;  ///< waiting, subscribing
  std::atomic<bool> closed_{false};
  std::thread thread_;  // lint: thread drives all Redis connections, so that none needs a lock
};

/// The answer to calls after close().
Error closed();
/// EVALSHA of a script with the one key prefix all its keys are made from.
Command script_call(Client& client, Script script);

}  // namespace mainstay::storage::redis
