// The thread of the libcurl transport: its transfers, its multi loop, its commands.
// Used by client_curl.cpp alone.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/client_curl.h"
#include "net/client_curl_sockets.h"
#include "net/client_pool.h"

namespace mainstay::net {

struct EasyFree {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct MultiFree {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
struct ListFree {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyFree>;
using Multi = std::unique_ptr<CURLM, MultiFree>;
using Lines = std::unique_ptr<curl_slist, ListFree>;

/// One call's state, shared by the caller's loop and the curl thread.
struct Transfer {
  explicit Transfer(Clock& clock) : changed(clock) {}
  // Set by the caller before the start, read by the curl thread.
  Call call;
  long connect_ms = 0;
  std::uint64_t sent = 0;  ///< of a body with a source; the curl thread's own
  // The curl thread's own.
  Easy easy;
  Lines lines;
  std::size_t header_bytes = 0;
  bool oversized_head = false;
  bool inside = false;    ///< public_only, and the name led to an address that is not
  bool no_slot = false;   ///< failed since the budget gave no right to a connection
  bool reserved = false;  ///< holds such a right, not used yet
  bool counted = false;
  bool swept = true;                        ///< opened no socket since the last sweep
  CurlTransport::Engine* engine = nullptr;  ///< outlives every handle it runs
  // Shared, under the mutex.
  Event changed;
  std::mutex mutex;
  int status = 0;
  bool head_done = false;
  std::vector<Header> headers;
  std::string body;
  bool paused = false;
  bool finished = false;
  bool abandoned = false;
  bool wound_up = false;  ///< nobody reads on, but its end is welcome
  std::optional<Error> error;
  Duration connect{};
  bool reused = false;
};
using TransferPtr = std::shared_ptr<Transfer>;

/// The thread and its multi handle.
struct CurlTransport::Engine {
  Engine(std::shared_ptr<Budget> to, Log& out) : budget(std::move(to)), log(out), sockets(budget) {}

  bool submit(const TransferPtr& transfer);
  void resume(const TransferPtr& transfer);
  void abandon(const TransferPtr& transfer);
  void wind_up(const TransferPtr& transfer);
  void close();
  /// Asks for idle connections to be given up.
  void trim();

  void run();
  void take_commands(bool& stop);
  void start(const TransferPtr& transfer);
  void prepare(Transfer& t);
  void finish_done();
  void finish(const TransferPtr& transfer, CURLcode code);
  void remove(const TransferPtr& transfer);
  void end_all();
  void count_idle();
  void drop_idle();
  void end_wound_up();
  Multi new_multi() const;

  const std::shared_ptr<Budget> budget;
  Log& log;
  Multi multi;
  std::vector<Easy> spares;
  std::unordered_map<CURL*, TransferPtr> running;
  std::vector<std::pair<TimePoint, TransferPtr>> winding;  ///< closed at that time at the latest
  CurlSockets sockets;

  std::mutex mutex;
  std::vector<TransferPtr> to_start;
  std::vector<TransferPtr> to_resume;
  std::vector<TransferPtr> to_abandon;
  std::vector<TransferPtr> to_wind_up;
  std::size_t in_flight = 0;
  bool started = false;
  bool stopping = false;
  bool trimming = false;
  std::thread thread;  // lint: thread libcurl's multi loop blocks in its own poll
};

}  // namespace mainstay::net
