// The door: who are you, may you, now? Asked before a request's body is read, and once more when it
// is known what the request wants.
// Used by api. Thread-safe.
#pragma once

#include <atomic>
#include <string_view>

#include "admission/identity.h"
#include "admission/limits.h"
#include "admission/maintenance.h"
#include "admission/permits.h"
#include "telemetry/metrics.h"

namespace mainstay::admission {

/// How a request may wait for its permit.
struct Wish {
  Priority priority = Priority::interactive;  ///< as asked for; the caller's right caps it
  std::uint64_t tokens = 0;                   ///< it may use; 0: not known
};

class Admission {
 public:
  Admission(const Settings& settings, Clock& clock, Metrics& metrics);
  /// Errors: see Identity::identify.
  Result<Caller> identify(const Credentials& credentials);

  /// Whether new work may start. Errors: unavailable "maintenance".
  Status open();
  /// Counts a request against its user, key and address, before its body is read; also fills the
  /// headers' figures. Never waits. `address`: the client's, without port; empty: not limited.
  RateView count(const Caller& caller, std::string_view address = {});
  /// The refusal that belongs to a view that was not allowed.
  static Error refusal(const RateView& view) { return admission::refusal(view); }
  /// Once model and size are known: counts against the model's requests, everybody's tokens, and
  /// how many are at work. `view` is what count() gave, and gets the token figures. When refused,
  /// what count() took is given back: all buckets are charged, or none.
  /// Errors: over_limit "rate_limited", "tokens_limited", "concurrency_limited".
  Result<Reservation> reserve(const Caller& caller, RateView& view, std::string_view address,
                              std::string_view model, const Estimate& estimate);
  /// Takes what work that runs later may use, for good: nobody settles it. Errors: over_limit
  /// "rate_limited" (of the model), "tokens_limited".
  Status charge(const Caller& caller, const Use& use);
  /// The work of charge() does not come about.
  void give_back(const Caller& caller, const Use& use);

  /// A permit at once, without waiting, when nobody waits; else an empty one: then enter().
  Permit try_enter() { return permits_.try_enter(); }
  /// Errors: see Permits::enter.
  Co<Result<Permit>> enter(Caller caller, Deadline by);
  Co<Result<Permit>> enter(Caller caller, Wish wish, Deadline by);

  bool limited() const noexcept { return enabled_.load(std::memory_order_relaxed); }
  const Permits& permits() const noexcept { return permits_; }
  /// Users, keys, addresses and models whose use is remembered. Takes each lock shortly.
  std::size_t limit_entries() const { return limits_.entries(); }
  /// The share of the permits that pressure leaves, 0 to 1.
  void set_factor(double factor) { permits_.set_factor(factor); }
  /// Who may call; app feeds it the stored keys and the issuer's.
  Identity& identity() noexcept { return identity_; }
  Maintenance& maintenance() noexcept { return maintenance_; }
  /// Forgets who used nothing up lately; to be called every minute or so. Takes each lock shortly.
  void reclaim();
  /// Takes the limits of new settings; whoever waits or works stays.
  void apply(const LimitSettings& settings);

 private:
  Ask later(const Caller& caller, const Use& use) const;
  Clock& clock_;
  std::atomic<bool> enabled_;
  std::atomic<std::uint32_t> tokens_reserved_;
  Identity identity_;
  Limits limits_;
  Permits permits_;
  Maintenance maintenance_;
  Counter& denied_;
  Counter& limited_;
  Counter& tokens_;
  Counter& concurrent_;
  Counter& user_queue_;
  Counter& overloaded_;
  Counter& maintained_;
};

}  // namespace mainstay::admission
