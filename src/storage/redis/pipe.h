// One connection to Redis that never gives up: commands go out together, replies come back in
// order, and when it breaks or falls silent it is made anew.
// Used by client.h. Everything here runs on the client's one thread.
#pragma once

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/random.h"
#include "config/settings.h"
#include "storage/redis/reply.h"
#include "storage/redis/url.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage::redis {

/// One command on its way. `done` is called once, on the client's thread; it does not throw.
struct Call {
  Command command;
  bool again = false;     ///< may be sent a second time when its reply was lost
  bool no_reply = false;  ///< what answers it comes as a push
  TimePoint give_up{};    ///< unsent at this moment: Errc::deadline
  Duration block{};       ///< how long the server may hold the reply back
  std::function<void(Result<Reply>)> done;
  TimePoint sent{};
  std::uint32_t tries = 0;
};

/// What the connections count, all of them together.
struct PipeFigures {
  explicit PipeFigures(Metrics& metrics);
  Counter& error_of_kind(const std::string& kind);
  Metrics& metrics;
  Counter& commands;
  Counter& connects;
  Counter& breaks;
  Gauge& up;
  Gauge& waiting;
  Histogram& latency;
};

/// What all connections of a client share.
struct PipeSetup {
  Address address;
  RedisSettings settings;
  std::string durability;            ///< storage.redis_durability
  std::vector<std::string> scripts;  ///< sources, loaded on each new connection
  Clock& clock;
  Random& random;
  Log& log;
  PipeFigures figures;
  /// Last reply on any of them: an idle connection needs no check of its own while another one
  /// hears the server, unless it takes pushes.
  TimePoint heard{};
  bool snapshots_told = false;  ///< the warning of check_snapshots() stands in the log
};

class Pipe {
 public:
  using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
  using Push = std::function<void(Reply)>;
  /// `pushed` takes what comes without having been asked for (a subscriber), and error replies to
  /// calls with no_reply; it may be empty.
  /// `connected` is called after each connecting, before waiting calls go out; it may be empty.
  Pipe(PipeSetup& setup, Executor executor, std::string name, Push pushed = {},
       std::function<void()> connected = {});

  void send(Call call);
  /// Both run until stop().
  Co<> run();
  Co<> watch();
  void stop();

  bool up() const noexcept { return up_; }
  std::size_t load() const noexcept { return waiting_.size() + sent_.size(); }
  /// Why it is not up; and whether another try cannot help while nobody changes something.
  const Error& trouble() const noexcept { return trouble_; }
  bool refused() const noexcept { return refused_; }
  bool tried() const noexcept { return failures_ > 0; }

 private:
  Co<Status> connect();
  Co<Status> connect_unix();
  Co<Status> greet();
  Co<Status> rewrite();
  Co<Result<Reply>> read_reply();
  Co<> serve();
  void flush();
  void written(error_code failed, std::uint64_t era);
  void take(Reply reply);
  void finish(Call call, Result<Reply> result);
  bool send_again(Call& call, const Reply& reply);
  void lost(const std::string& why);
  void refuse_waiting();
  Error unavailable() const;
  Duration pause();

  PipeSetup& setup_;
  Executor executor_;
  const std::string name_;
  Push pushed_;
  std::int64_t channels_ = 0;  ///< subscribed
  std::function<void()> connected_;
  Socket socket_;
  asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver_;
  std::unique_ptr<Alarm> retry_;
  std::unique_ptr<Alarm> tick_;
  std::unique_ptr<Parser> parser_;
  std::array<char, 1 << 16> input_{};
  std::string out_;  ///< being written
  std::deque<Call> waiting_;
  std::deque<Call> sent_;
  bool up_ = false;
  bool writing_ = false;
  bool stopping_ = false;
  bool refused_ = false;
  std::uint64_t era_ = 0;  ///< of the connection; what an earlier one still reports is ignored
  std::uint32_t failures_ = 0;
  TimePoint opening_by_{};  ///< while connecting
  TimePoint heard_{};       ///< last reply
  TimePoint lost_at_{};
  TimePoint next_try_{};
  std::string why_;
  Error trouble_ = Error::log(Errc::unavailable, "redis: not connected yet");
};

/// An error reply as ours. `what` for the log.
Error error_of(const Reply& reply);
/// The first word of an error reply, for metrics: one of a fixed list, else "other".
std::string kind_of(const Reply& reply);

}  // namespace mainstay::storage::redis
