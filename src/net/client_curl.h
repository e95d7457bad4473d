// The libcurl transport: TLS, HTTP/2 and proxies, on one thread of its own.
// Used by client.cpp alone.
#pragma once

#include <memory>
#include <string>

#include "net/client.h"
#include "net/client_pool.h"

namespace mainstay::net {

/// Thread-safe. Opens its thread with the first call. Its connections count against the budget: a
/// socket is opened only when the budget gives a right for it.
class CurlTransport {
 public:
  CurlTransport(std::shared_ptr<Budget> budget, Log& log);
  ~CurlTransport();
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;
  /// As Client::send, on the caller's loop.
  Co<Result<std::unique_ptr<Reply>>> send(Call call, CallTimers timers, Deadline by);
  /// Ends running transfers with an error and joins the thread.
  void close();
  /// Asks for idle connections to be given up, for a call elsewhere. From any thread.
  void trim();

  struct Engine;

 private:
  std::shared_ptr<Engine> engine_;
};

}  // namespace mainstay::net
