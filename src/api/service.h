// Every request's way in and out: route, identity, limits, endpoint, error reply, log line,
// figures. Used by app. Thread-safe: the listener calls it on every loop.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "api/context.h"
#include "api/gate.h"
#include "net/server.h"

namespace mainstay::api {

/// Which routes a listener serves. `public_side`: all but admin's; `admin_side`: admin's and the
/// open ones. Paths of the other side are as if they did not exist.
enum class Side : std::uint8_t { both, public_side, admin_side };

class Api final : public net::Service {
 public:
  explicit Api(const Rooms& rooms, Side side = Side::both);
  ~Api() override;
  Co<> serve(net::Exchange& exchange) override;
  net::Response refusal(const Error& error) override;
  net::Response health() override;

 private:
  struct RouteFigures;
  Status admit(Context& context);
  bool served(const Route& route) const noexcept;
  Co<> refuse(Context& context, const Error& error);  ///< `error` outlives it
  void report(const Context& context);
  void note_slow(const Context& context, Duration total);
  void note_growth(const Context& context);
  void log_request(const Context& context, Duration total);
  Co<> answer_preflight(net::Exchange& exchange, std::string methods);
  Error unknown_path(const net::RequestHead& head) const;
  Co<> refuse_unrouted(net::Exchange& exchange, std::string allowed);
  RequestId request_id(const net::RequestHead& head);

  const Rooms& rooms_;
  const Side side_;
  const Gate gate_;
  resources::RequestMemory memory_;
  Counter& grown_;
  std::vector<std::unique_ptr<RouteFigures>> figures_;
  Counter& unrouted_;
  Histogram& first_token_;
  Counter& prompt_tokens_;
  Counter& completion_tokens_;
};

}  // namespace mainstay::api
