// Identity, limits and permits in their order, each refusal counted.
#include "admission/admission.h"

#include <algorithm>

namespace mainstay::admission {
namespace {

constexpr auto kName = "mainstay_admission_refused_total";
constexpr auto kHelp = "Requests refused before any work was done.";

/// A message takes a turn among users for each 2,048 tokens that it may use.
std::uint32_t turns_of(std::uint64_t tokens) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(8, 1 + tokens / 2048));
}

std::string user_of(const Caller& caller) {
  const std::string& tenant = caller.owner.tenant.text();
  const std::string& user = caller.owner.user.text();
  std::string out;
  out.reserve(tenant.size() + 1 + user.size());
  out.append(tenant).push_back('\0');
  out.append(user);
  return out;
}

Counter& refused(Metrics& metrics, const char* reason) {
  return metrics.counter(kName, kHelp, {{"reason", reason}});
}

}  // namespace

Admission::Admission(const Settings& settings, Clock& clock, Metrics& metrics)
    : clock_(clock),
      enabled_(settings.limits.enabled),
      tokens_reserved_(settings.limits.tokens_reserved),
      identity_(settings, clock),
      limits_(settings.limits, clock),
      permits_(settings.limits, clock),
      denied_(refused(metrics, "denied")),
      limited_(refused(metrics, "rate")),
      tokens_(refused(metrics, "tokens")),
      concurrent_(refused(metrics, "concurrency")),
      user_queue_(refused(metrics, "user_queue")),
      overloaded_(refused(metrics, "capacity")),
      maintained_(refused(metrics, "maintenance")) {
  metrics.gauge_from("mainstay_admission_in_use", "Permits in use.", {},
                     [this] { return double(permits_.in_use()); });
  metrics.gauge_from("mainstay_admission_permits", "Permits there are; pressure lowers them.", {},
                     [this] { return double(permits_.capacity()); });
  metrics.gauge_from("mainstay_admission_waiting", "Requests waiting for a permit.", {},
                     [this] { return double(permits_.waiting()); });
  metrics.gauge_from("mainstay_admission_waiting_max", "Requests that may wait at this pace.", {},
                     [this] { return double(permits_.queue_bound()); });
  metrics.gauge_from("mainstay_admission_users",
                     "Users, keys, addresses and models whose use is remembered.", {},
                     [this] { return double(limits_.entries()); });
  metrics.gauge_from(
      "mainstay_admission_service_seconds", "Mean time that a permit is held.", {},
      [this] { return std::chrono::duration<double>(permits_.service_time()).count(); });
}

Result<Caller> Admission::identify(const Credentials& credentials) {
  auto caller = identity_.identify(credentials);
  if (!caller.ok()) denied_.add();
  return caller;
}

Status Admission::open() {
  auto open = maintenance_.check();
  if (!open.ok()) maintained_.add();
  return open;
}

RateView Admission::count(const Caller& caller, std::string_view address) {
  if (!limited()) return {};
  const Ask ask{.caller = caller, .address = address, .part = Part::head};
  RateView view = limits_.take(ask, nullptr, clock_.now());
  if (!view.allowed) limited_.add();
  return view;
}

Result<Reservation> Admission::reserve(const Caller& caller, RateView& view,
                                       std::string_view address, std::string_view model,
                                       const Estimate& estimate) {
  Reservation held;
  if (!limited()) return held;
  Ask ask{.caller = caller,
          .address = address,
          .model = model,
          .tokens = tokens_of(estimate, tokens_reserved_.load(std::memory_order_relaxed)),
          .part = Part::body};
  const TimePoint now = clock_.now();
  const RateView found = limits_.take(ask, &held, now);
  view.tokens = found.tokens;
  if (!found.allowed) {
    ask.part = Part::head;
    const RateView left = limits_.take_back(ask, now);
    view.limit = left.limit;
    view.remaining = left.remaining;
    view.reset = left.reset;
  }
  const bool tighter = found.limit != 0 && (view.limit == 0 || found.remaining < view.remaining);
  if (tighter) {
    view.limit = found.limit;
    view.remaining = found.remaining;
    view.reset = found.reset;
  }
  if (found.allowed) return held;
  (found.over == Measure::requests     ? limited_
   : found.over == Measure::concurrent ? concurrent_
                                       : tokens_)
      .add();
  return refusal(found);
}

Ask Admission::later(const Caller& caller, const Use& use) const {
  return {.caller = caller,
          .address = {},
          .model = use.model,
          .tokens = tokens_of(use.estimate, tokens_reserved_.load(std::memory_order_relaxed)),
          .part = Part::later};
}

Status Admission::charge(const Caller& caller, const Use& use) {
  if (!limited()) return done();
  const RateView found = limits_.take(later(caller, use), nullptr, clock_.now());
  if (found.allowed) return done();
  (found.over == Measure::requests ? limited_ : tokens_).add();
  return refusal(found);
}

void Admission::give_back(const Caller& caller, const Use& use) {
  if (limited()) limits_.take_back(later(caller, use), clock_.now());
}

Co<Result<Permit>> Admission::enter(Caller caller, Deadline by) {
  return enter(std::move(caller), Wish{}, by);
}

Co<Result<Permit>> Admission::enter(Caller caller, Wish wish, Deadline by) {
  Permit at_once = permits_.try_enter();
  if (at_once) co_return at_once;
  Entrant entrant;
  entrant.user = user_of(caller);
  entrant.priority = capped(wish.priority, caller.most_urgent);
  entrant.anonymous = caller.local;
  entrant.cost = turns_of(wish.tokens);
  entrant.queued_max = caller.limits.queued;
  auto permit = co_await permits_.enter(std::move(entrant), by);
  if (permit.ok()) co_return permit;
  switch (permit.error().code) {
    case Errc::over_limit:
      user_queue_.add();
      break;
    case Errc::cancelled:
      break;
    default:
      overloaded_.add();
  }
  co_return permit;
}

void Admission::reclaim() {
  limits_.reclaim(clock_.now());
}

void Admission::apply(const LimitSettings& settings) {
  enabled_.store(settings.enabled, std::memory_order_relaxed);
  tokens_reserved_.store(settings.tokens_reserved, std::memory_order_relaxed);
  limits_.apply(settings);
  permits_.apply(settings);
}

}  // namespace mainstay::admission
