// Keys, rate and permits in their order, each refusal counted.
#include "admission/admission.h"

#include <cmath>

namespace mainstay::admission {
namespace {
constexpr auto kName = "mainstay_admission_refused_total";
constexpr auto kHelp = "Requests refused before any work was done.";
}  // namespace

Admission::Admission(const Settings& settings, Clock& clock, Metrics& metrics)
    : clock_(clock),
      enabled_(settings.limits.enabled),
      keys_(settings.auth),
      rate_(settings.limits),
      permits_(settings.limits, clock),
      denied_(metrics.counter(kName, kHelp, {{"reason", "denied"}})),
      limited_(metrics.counter(kName, kHelp, {{"reason", "rate"}})),
      overloaded_(metrics.counter(kName, kHelp, {{"reason", "capacity"}})) {
  metrics.gauge_from("mainstay_admission_in_use", "Permits in use.", {},
                     [this] { return double(permits_.in_use()); });
  metrics.gauge_from("mainstay_admission_waiting", "Requests waiting for a permit.", {},
                     [this] { return double(permits_.waiting()); });
  metrics.gauge_from("mainstay_admission_users", "Users with a rate bucket in memory.", {},
                     [this] { return double(rate_.users()); });
}

Result<Caller> Admission::identify(const Credentials& credentials) {
  auto caller = keys_.identify(credentials);
  if (!caller.ok()) denied_.add();
  return caller;
}

RateView Admission::count(const Caller& caller) {
  if (!enabled_) return {};
  RateView view = rate_.take(caller.owner.user, clock_.now());
  if (!view.allowed) limited_.add();
  return view;
}

Error Admission::refusal(const RateView& view) {
  const auto wait = std::chrono::ceil<std::chrono::seconds>(view.retry_after);
  Error e = Error::say(Errc::over_limit, "rate_limited",
                       "You have sent more than " + std::to_string(view.limit) +
                           " requests a minute. The next one is welcome in " +
                           std::to_string(wait.count()) + " s.");
  e.retry_after = std::chrono::ceil<std::chrono::milliseconds>(view.retry_after);
  return e;
}

Co<Result<Permit>> Admission::enter(Caller caller, Deadline by) {
  auto permit = co_await permits_.enter(std::move(caller.owner.user), by);
  if (!permit.ok()) overloaded_.add();
  co_return permit;
}

}  // namespace mainstay::admission
