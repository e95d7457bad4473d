// Every request's way in and out: route, identity, limits, endpoint, error reply, log line,
// figures. Used by app. Thread-safe: the listener calls it on every loop.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "api/context.h"
#include "net/server.h"

namespace mainstay::api {

class Api final : public net::Service {
 public:
  explicit Api(const Rooms& rooms);
  ~Api() override;
  Co<> serve(net::Exchange& exchange) override;
  net::Response refusal(const Error& error) override;
  net::Response health() override;

 private:
  struct RouteFigures;
  Status admit(Context& context);
  Status check_host(const net::RequestHead& head) const;
  Co<> finish(Context& context, Status outcome);
  void report(const Context& context);
  void log_request(const Context& context, Duration total);
  Co<> refuse_unrouted(net::Exchange& exchange, std::string allowed);
  RequestId request_id(const net::RequestHead& head);

  const Rooms& rooms_;
  const bool loopback_only_;
  std::vector<std::unique_ptr<RouteFigures>> figures_;
  Counter& unrouted_;
  Histogram& first_token_;
  Counter& prompt_tokens_;
  Counter& completion_tokens_;
};

}  // namespace mainstay::api
