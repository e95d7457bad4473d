// Taking work into free slots, hearing of cancelled jobs, draining.
#include "jobs/workers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/json_fields.h"
#include "jobs/webhook.h"
#include "jobs/workers_inside.h"

namespace mainstay::jobs {
namespace {

/// While pressure leaves fewer slots, it is looked at this often.
constexpr Duration kLookAgain = std::chrono::seconds(1);
/// While no further webhook may be delivered: a delivery that ends does not wake a claim.
constexpr Duration kDeliverAgain = std::chrono::milliseconds(100);
constexpr Duration kPauseMin = std::chrono::milliseconds(100);
constexpr Duration kPauseMax = std::chrono::seconds(5);

}  // namespace

Workers::Parts::Parts(const Settings& settings, WorkersSetup with, Clock& the_clock,
                      Random& the_random, Log& the_log, Metrics& the_metrics,
                      const Kinds& the_kinds, storage::JobStore& the_store,
                      storage::Signal& the_signal, Executor on)
    : config(settings.jobs),
      operation_timeout(settings.storage.operation_timeout),
      setup(std::move(with)),
      clock(the_clock),
      random(the_random),
      log(the_log),
      metrics(the_metrics),
      kinds(the_kinds),
      store(the_store),
      signal(the_signal),
      executor(on),
      tasks(the_clock, on,
            [this](const std::string& task, const std::string& what) {
              log.error("jobs.task_failed", {{"task", task}, {"what", what}});
            }),
      freed(the_clock.alarm(on)),
      emptied(the_clock.alarm(on)) {}

Workers::Workers(const Settings& settings, WorkersSetup setup, Clock& clock, Random& random,
                 Log& log, Metrics& metrics, const Kinds& kinds, storage::JobStore& store,
                 storage::Signal& signal, Executor executor)
    : parts_(std::make_unique<Parts>(settings, std::move(setup), clock, random, log, metrics, kinds,
                                     store, signal, executor)) {}

Workers::~Workers() = default;

void Workers::start() {
  Parts& p = *parts_;
  p.taking = true;
  p.tasks.spawn("jobs.stops", p.hear_stops());
  p.taker = p.tasks.spawn("jobs.take", p.take_work());
}

std::uint32_t Workers::Parts::free_slots() const {
  std::uint32_t slots = setup.slots;
  if (setup.factor) {
    const double factor = std::clamp(setup.factor(), 0.0, 1.0);
    const double share = std::floor(factor * slots);
    slots = factor > 0 ? std::max(1U, static_cast<std::uint32_t>(share)) : 0;
  }
  const std::uint32_t used = busy.load();
  return slots > used ? slots - used : 0;
}

std::uint32_t Workers::Parts::free_deliveries() const {
  return kDeliveriesMax - std::min(kDeliveriesMax, delivering);
}

/// Claims never more than the free slots: a job that waits in here would lose its lease. A delivery
/// needs a free slot to be taken, and leaves it free.
Co<> Workers::Parts::take_work() {
  Duration pause = kPauseMin;
  while (taking) {
    const std::uint32_t slots = free_slots();
    if (slots == 0) {
      const bool squeezed = setup.factor && busy.load() < setup.slots;
      const TimePoint until = squeezed ? clock.now() + kLookAgain : TimePoint::max();
      [[maybe_unused]] auto reached = co_await freed->wait_until(until);
      continue;
    }
    storage::Claim claim;
    claim.worker = setup.name;
    claim.kinds = setup.kinds;
    claim.slots = slots;
    claim.lease = config.lease;
    claim.rationed = kWebhookKind;
    claim.rationed_most = free_deliveries();
    Duration longest = config.poll;
    if (claim.rationed_most == 0) longest = std::min(longest, kDeliverAgain);
    auto got = co_await store.claim(std::move(claim), Deadline::in(clock, longest));
    if (got.ok()) {
      pause = kPauseMin;
      for (auto& one : *got) begin(std::move(one));
      continue;
    }
    if (!taking) co_return;
    log.warn("jobs.claim_failed", {{"worker", setup.name}, {"error", got.error().detail}});
    co_await sleep(clock, pause);
    pause = std::min(pause * 2, kPauseMax);
  }
}

/// Cancelling a job stops its attempt at once. A word that is lost costs a third of a lease: the
/// next heartbeat is refused.
Co<> Workers::Parts::hear_stops() {
  const std::string topic(kStopTopic);
  std::string place;
  for (;;) {
    if (place.empty()) {
      auto now = co_await signal.place(topic, storage_deadline());
      if (now.ok()) place = std::move(*now);
    }
    if (place.empty()) {
      co_await sleep(clock, kPauseMax);
      continue;
    }
    auto heard = co_await signal.hear(topic, place, Deadline::in(clock, config.poll));
    if (!heard.ok()) {
      co_await sleep(clock, kPauseMin);
      continue;
    }
    for (const auto& news : heard->news) {
      place = news.at;
      auto data = parse_json(news.data);
      if (!data.ok()) continue;
      // Who does not say which attempt was cancelled means all.
      const bool says = field(*data, "token").is_number_unsigned();
      stop_job(string_field(*data, "job"),
               says ? count_field(*data, "token") : std::numeric_limits<std::uint64_t>::max());
    }
    if (heard->missed && heard->news.empty()) place.clear();
  }
}

/// Its attempts up to `last`: the word may come after the job was run again by hand.
void Workers::Parts::stop_job(const std::string& id, std::uint64_t last) {
  std::vector<std::shared_ptr<Attempt>> all;  // stopping may end one at once
  const auto end = running.upper_bound({id, last});
  for (auto it = running.lower_bound({id, 0}); it != end; ++it) all.push_back(it->second);
  for (const auto& attempt : all) stop(*attempt, Stop::cancelled);
}

void Workers::Parts::stop(Attempt& attempt, Stop why) {
  if (attempt.ended || attempt.why.load() != Stop::none) return;
  attempt.why = why;
  if (why == Stop::cancelled) ++cancelled;
  if (why == Stop::stale) ++stale;
  if (attempt.runner != 0) tasks.cancel(attempt.runner);
  attempt.woken->ring();
}

void Workers::Parts::begin(storage::Claimed one) {
  ++claimed;
  const storage::Job& job = one.job;
  const Labels labels = {{"kind", job.job.kind}, {"class", std::string(name(job.job.priority))}};
  const WallTime ready = std::max(job.created, job.job.run_at);
  if (job.token <= 1 && job.started >= ready) {
    metrics
        .histogram("mainstay_jobs_wait_seconds",
                   "Time from a job being ready to its first attempt.", labels)
        .observe(job.started - ready);
  }
  const Key key{job.job.id.text(), one.lease.token};
  auto attempt = std::make_shared<Attempt>(*this, std::move(one));
  running[key] = attempt;
  count_running(*attempt, 1);
  {
    std::lock_guard lock(mutex);
    shown[key] = {attempt->claimed.job.job.id, attempt->claimed.job.job.kind,
                  attempt->claimed.job.attempts, attempt->claimed.job.started};
  }
  tasks.spawn("job", look_after(std::move(attempt)));
}

void Workers::Parts::count_running(const Attempt& attempt, int by) {
  const bool delivers = attempt.claimed.job.job.kind == kWebhookKind;
  if (delivers) delivering += static_cast<std::uint32_t>(by);
  busy = static_cast<std::uint32_t>(running.size()) - delivering;
}

void Workers::Parts::ended(const Attempt& attempt) {
  const Key key{attempt.claimed.job.job.id.text(), attempt.claimed.lease.token};
  running.erase(key);
  count_running(attempt, -1);
  {
    std::lock_guard lock(mutex);
    shown.erase(key);
  }
  freed->ring();
  if (running.empty()) emptied->ring();
}

Co<std::uint32_t> Workers::drain(Deadline by) {
  Parts& p = *parts_;
  p.taking = false;
  p.tasks.cancel(p.taker);
  const std::uint64_t before = p.given_back.load();
  const Duration left = by.left(p.clock.now());
  const Duration reserve = std::min<Duration>(p.config.give_back_time, left / 4);
  const TimePoint soft = by.at() == TimePoint::max() ? by.at() : by.at() - reserve;
  for (const auto& [key, attempt] : p.running) attempt->woken->ring();  // who rests ends now
  while (!p.running.empty() && p.clock.now() < soft) {
    [[maybe_unused]] auto reached = co_await p.emptied->wait_until(soft);
  }
  const auto rest = p.running;
  for (const auto& [key, attempt] : rest) p.stop(*attempt, Stop::drained);
  while (!p.running.empty() && p.clock.now() < by.at()) {
    [[maybe_unused]] auto reached = co_await p.emptied->wait_until(by.at());
  }
  co_return static_cast<std::uint32_t>(p.given_back.load() - before);
}

Co<> Workers::close() {
  parts_->taking = false;
  co_await parts_->tasks.close();
}

WorkerFigures Workers::figures() const {
  const Parts& p = *parts_;
  WorkerFigures out;
  out.name = p.setup.name;
  out.slots = p.setup.slots;
  out.busy = p.busy.load();
  out.claimed = p.claimed.load();
  out.succeeded = p.succeeded.load();
  out.failed = p.failed.load();
  out.timed_out = p.timed_out.load();
  out.cancelled = p.cancelled.load();
  out.stale = p.stale.load();
  out.given_back = p.given_back.load();
  out.threw = p.threw.load();
  std::lock_guard lock(p.mutex);
  for (const auto& [key, job] : p.shown) out.running.push_back(job);
  return out;
}

std::uint32_t worker_slots(std::uint32_t setting, std::uint32_t cores) {
  return setting > 0 ? setting : std::max(2U, 2 * cores);
}

}  // namespace mainstay::jobs
