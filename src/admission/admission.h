// The door: who are you, may you, now? Asked before a request's body is read.
// Used by api. Thread-safe.
#pragma once

#include "admission/keys.h"
#include "admission/permits.h"
#include "admission/rate.h"
#include "telemetry/metrics.h"

namespace mainstay::admission {

class Admission {
 public:
  Admission(const Settings& settings, Clock& clock, Metrics& metrics);
  /// Errors: denied.
  Result<Caller> identify(const Credentials& credentials);
  /// Counts a request against its user; also fills the headers' figures. Never waits.
  RateView count(const Caller& caller);
  /// The refusal that belongs to a view that was not allowed.
  static Error refusal(const RateView& view);
  Co<Result<Permit>> enter(Caller caller, Deadline by);
  bool limited() const noexcept { return enabled_; }
  const Permits& permits() const noexcept { return permits_; }

 private:
  Clock& clock_;
  const bool enabled_;
  Keys keys_;
  RateLimiter rate_;
  Permits permits_;
  Counter& denied_;
  Counter& limited_;
  Counter& overloaded_;
};

}  // namespace mainstay::admission
