// One attempt's life: the kind runs in one coroutine, another one watches over it: heartbeats,
// time, stops, news, and at the end the one outcome.
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "jobs/webhook.h"
#include "jobs/workers_inside.h"

namespace mainstay::jobs {
namespace {

constexpr Duration kTellTime = std::chrono::seconds(1);
constexpr Duration kRepeatMin = std::chrono::milliseconds(100);
constexpr Duration kRepeatMax = std::chrono::seconds(2);
/// News of one attempt that wait to be told; a kind that tells faster loses progress, not its end.
constexpr std::size_t kUnsaidMax = 64;

Error threw(const std::string& what) {
  return Error::log(Errc::internal, "the job's kind threw: " + what);
}

Error out_of_time(const Kind* kind) {
  const KindLimits limits = kind == nullptr ? KindLimits() : kind->limits();
  return Error::say(
      Errc::deadline, "attempt_timeout",
      "The attempt took longer than it may (" + std::string(limits.timeout_setting) + ").");
}

storage::JobFailure failure_of(const Error& error) {
  storage::JobFailure out;
  out.code = error.reason.empty() ? std::string(name(error.code)) : error.reason;
  out.message =
      error.message.empty() ? "The attempt failed; the server's log says more." : error.message;
  return out;
}

Json error_data(const storage::JobFailure& failure) {
  Json more = Json::object();
  more["error"] = Json{{"code", failure.code}, {"message", failure.message}};
  return more;
}

}  // namespace

Workers::Attempt::Attempt(Parts& owner, storage::Claimed what)
    : parts(owner), claimed(std::move(what)), woken(owner.clock.alarm(owner.executor)) {
  Unwrapped unwrapped = unwrap(std::move(claimed.job.job.input));
  claimed.job.job.input = std::move(unwrapped.input);
  webhook = std::move(unwrapped.webhook);
  kind = parts.kinds.find(claimed.job.job.kind);
  began = parts.clock.now();
  lease = parts.config.lease;
  lease_until = began + lease;
  next_beat = began + lease / 3;
  const Duration timeout =
      kind == nullptr ? Duration(parts.config.timeout) : kind->limits().timeout;
  until = Deadline::in(parts.clock, timeout);
}

Co<> Workers::Attempt::tell(std::string type, Json data) {
  const EventType what = type == "token" ? EventType::token : EventType::progress;
  if (what == EventType::token && !unsaid.empty() && unsaid.back().type == what) {
    std::string text = unsaid.back().data.value("text", std::string());
    text += data.value("text", std::string());
    unsaid.back().data["text"] = std::move(text);
  } else if (unsaid.size() < kUnsaidMax) {
    unsaid.push_back({what, std::move(data)});
  }
  if (saying) co_return;
  auto self = parts.running.find({claimed.job.job.id.text(), claimed.lease.token});
  if (self == parts.running.end()) co_return;
  const auto attempt = self->second;
  co_await parts.say(attempt, false);
  if (!unsaid.empty()) woken->ring();  // the watcher says the rest when its time has come
}

Co<bool> Workers::Attempt::rest(Duration how_long) {
  resting = true;
  woken->ring();  // the watcher looks whether a stop has begun already
  auto reached = co_await sleep(parts.clock, how_long);
  resting = false;
  co_return reached && !cancelled();
}

/// Tells what is unsaid, oldest first. Pieces of an answer wait for their interval unless `all`.
Co<> Workers::Parts::say(std::shared_ptr<Attempt> attempt, bool all) {
  if (attempt->saying) co_return;
  struct Saying {
    explicit Saying(bool& flag) : flag_(flag) { flag_ = true; }
    ~Saying() { flag_ = false; }
    Saying(const Saying&) = delete;
    Saying& operator=(const Saying&) = delete;
    bool& flag_;
  };
  const Saying saying(attempt->saying);
  while (!attempt->unsaid.empty() && (all || clock.now() >= due_at(*attempt))) {
    Attempt::Said said = std::move(attempt->unsaid.front());
    attempt->unsaid.pop_front();
    if (said.type == EventType::token) attempt->token_said = clock.now();
    storage::JobState state = storage::JobState::running;
    if (said.type == EventType::succeeded) state = storage::JobState::succeeded;
    if (said.type == EventType::dead) state = storage::JobState::dead;
    if (said.type == EventType::attempt_failed) state = storage::JobState::scheduled;
    const auto& job = attempt->claimed.job;
    const std::string data = event_data(job, state, said.data);
    const std::string what(name(said.type));
    const Deadline by = Deadline::in(clock, kTellTime);
    auto first = co_await signal.tell(topic_of(job.job.id), what, data, by);
    auto second = co_await signal.tell(topic_of(job.job.owner), what, data, by);
    if (!first.ok() || !second.ok()) log.debug("job.news_lost", {{"job", job.job.id.text()}});
  }
}

/// When the watcher may say something; never: there is nothing, or somebody says it already.
TimePoint Workers::Parts::say_at(const Attempt& attempt) const {
  return attempt.saying ? TimePoint::max() : due_at(attempt);
}

/// When the first unsaid thing may be said; never: there is none.
TimePoint Workers::Parts::due_at(const Attempt& attempt) const {
  if (attempt.unsaid.empty()) return TimePoint::max();
  const auto& first = attempt.unsaid.front();
  if (first.type != EventType::token || attempt.unsaid.size() > 1) return TimePoint{};
  return attempt.token_said + config.events.token_interval;
}

Co<> Workers::Parts::look_after(std::shared_ptr<Attempt> attempt) {
  struct Ended {  // however this coroutine ends, its slot becomes free
    ~Ended() { parts.ended(*attempt); }
    Parts& parts;
    std::shared_ptr<Attempt> attempt;
  };
  const Ended at_the_end{*this, attempt};
  attempt->unsaid.push_back({EventType::started, Json::object()});
  attempt->runner = tasks.spawn("job.run", run_kind(attempt));
  if (attempt->runner == 0) co_return;  // closing: the lease ends by itself
  co_await watch(attempt);
  if (!attempt->ended) tasks.cancel(attempt->runner);
  co_await settle(attempt);
  // Work that cannot be interrupted keeps its slot, though its outcome counts no more.
  while (!attempt->ended) {
    [[maybe_unused]] auto reached = co_await attempt->woken->wait_until(TimePoint::max());
  }
}

Co<> Workers::Parts::run_kind(std::shared_ptr<Attempt> attempt) {
  Result<Outcome> outcome;
  bool thrown = true;
  try {
    if (attempt->kind == nullptr) {
      outcome = Error::say(Errc::unprocessable, "unknown_kind",
                           "This server does not know jobs of this kind.");
    } else {
      outcome = co_await attempt->kind->run(*attempt, attempt->until);
    }
    thrown = false;
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) {
      outcome = Error::log(Errc::cancelled, "the attempt was cancelled");
      thrown = false;
    } else {
      outcome = jobs::threw(e.what());
    }
  } catch (const std::exception& e) {
    outcome = jobs::threw(e.what());
  } catch (...) {
    outcome = jobs::threw("something that is no std::exception");
  }
  if (thrown) {
    ++threw;
    log.error("job.threw", {{"job", attempt->claimed.job.job.id.text()},
                            {"kind", attempt->claimed.job.job.kind},
                            {"what", outcome.error().detail}});
  }
  // What a kind gives after it was stopped may be the half of it.
  if (attempt->why.load() != Stop::none) outcome = Error::log(Errc::cancelled, "stopped");
  attempt->outcome = std::move(outcome);
  attempt->ended = true;
  attempt->woken->ring();
}

/// Until the kind ended or the attempt is to stop.
Co<> Workers::Parts::watch(std::shared_ptr<Attempt> attempt) {
  while (!attempt->ended && attempt->why.load() == Stop::none) {
    const TimePoint now = clock.now();
    if (attempt->until.passed(now)) {
      stop(*attempt, Stop::timeout);
    } else if (now >= attempt->lease_until) {
      stop(*attempt, Stop::stale);
    } else if (attempt->resting && !taking) {
      stop(*attempt, Stop::drained);
    } else if (now >= attempt->next_beat) {
      co_await beat(attempt);
    } else if (now >= say_at(*attempt)) {
      co_await say(attempt, false);
    } else {
      const TimePoint next = std::min(
          {attempt->until.at(), attempt->next_beat, attempt->lease_until, say_at(*attempt)});
      [[maybe_unused]] auto reached = co_await attempt->woken->wait_until(next);
    }
  }
}

Co<> Workers::Parts::beat(std::shared_ptr<Attempt> attempt) {
  const TimePoint asked = clock.now();
  attempt->next_beat = asked + attempt->lease / 3;
  const Deadline by =
      Deadline::in(clock, attempt->lease / 3).sooner(Deadline(attempt->lease_until));
  auto extended = co_await store.extend(attempt->claimed.lease, attempt->lease, by);
  if (extended.ok()) {
    attempt->lease_until = asked + attempt->lease;  // the store counts from later
  } else if (extended.error().code == Errc::conflict) {
    stop(*attempt, Stop::stale);
  } else {
    attempt->next_beat = clock.now() + attempt->lease / 12;
    log.warn("job.heartbeat_failed",
             {{"job", attempt->claimed.job.job.id.text()}, {"error", extended.error().detail}});
  }
}

Co<> Workers::Parts::settle(std::shared_ptr<Attempt> attempt) {
  const Stop why = attempt->why.load();
  const auto& job = attempt->claimed.job.job;
  metrics
      .histogram("mainstay_jobs_run_seconds", "Time of one attempt of a job.",
                 {{"kind", job.kind}, {"class", std::string(name(job.priority))}})
      .observe(clock.now() - attempt->began);
  if (why == Stop::cancelled || why == Stop::stale) co_return;
  if (why == Stop::drained) {
    co_await hand_back(attempt, Duration::zero());
  } else if (why == Stop::timeout) {
    ++timed_out;
    Error late = out_of_time(attempt->kind);
    co_await settle_failure(attempt, std::move(late));
  } else if (attempt->outcome->ok()) {
    co_await settle_success(attempt, std::move(**attempt->outcome));
  } else if (attempt->later) {
    log.info("job.put_off", {{"job", job.id.text()},
                             {"kind", job.kind},
                             {"code", failure_of(attempt->outcome->error()).code},
                             {"ms", millis(*attempt->later)}});
    co_await hand_back(attempt, *attempt->later);
  } else {
    Error error = attempt->outcome->error();
    co_await settle_failure(attempt, std::move(error));
  }
}

Co<> Workers::Parts::settle_success(std::shared_ptr<Attempt> attempt, Outcome outcome) {
  const auto& job = attempt->claimed.job;
  if (!attempt->webhook.empty()) {
    outcome.effects.follow_ups.push_back(delivery_of(
        job, storage::JobState::succeeded, attempt->webhook, config.webhooks, clock, random));
  }
  Json more = Json::object();
  if (outcome.result.size() <= config.events.result_max.value) {
    auto result = parse_json(outcome.result);
    if (result.ok()) more["result"] = std::move(*result);
  }
  // Before the store knows of the end: who looks there and finds it waits for no more pieces.
  co_await say(attempt, true);
  auto completed = co_await complete(attempt, std::move(outcome));
  if (completed.ok()) {
    ++succeeded;
    attempt->unsaid.push_back({EventType::succeeded, std::move(more)});
    co_await say(attempt, true);
    co_return;
  }
  Error& error = completed.error();
  if (error.code == Errc::conflict && error.reason == "stale_lease") {
    ++stale;
    co_return;
  }
  if (worth_another(error)) {
    // The store did not answer before the lease was over: another attempt follows by itself.
    log.error("job.outcome_lost", {{"job", job.job.id.text()}, {"error", error.detail}});
    co_return;
  }
  co_await settle_failure(attempt, std::move(error));
}

Co<> Workers::Parts::settle_failure(std::shared_ptr<Attempt> attempt, Error error) {
  ++failed;
  const auto& job = attempt->claimed.job;
  std::optional<Duration> again;
  if (worth_another(error)) {
    Backoff backoff;
    if (attempt->kind != nullptr) backoff = attempt->kind->limits().backoff;
    again = delay_after(backoff, job.attempts, error.retry_after, random);
  }
  const storage::JobFailure failure = failure_of(error);
  log.info("job.attempt_failed", {{"job", job.job.id.text()},
                                  {"kind", job.job.kind},
                                  {"attempt", job.attempts},
                                  {"code", failure.code},
                                  {"detail", error.detail}});
  auto state = co_await fail(attempt, failure, again);
  if (!state.ok()) {
    if (state.error().code == Errc::conflict) ++stale;
    co_return;
  }
  Json more = error_data(failure);
  if (*state == storage::JobState::dead) {
    attempt->unsaid.push_back({EventType::dead, std::move(more)});
    co_await deliver_webhook(attempt, storage::JobState::dead);
  } else {
    if (again) more["retry_in_ms"] = millis(*again);
    attempt->unsaid.push_back({EventType::attempt_failed, std::move(more)});
  }
  co_await say(attempt, true);
}

/// False when the lease is over: nothing that is repeated could count.
Co<bool> Workers::Parts::wait_to_repeat(std::shared_ptr<Attempt> attempt, std::uint32_t* tries) {
  const Duration pause =
      std::min<Duration>(kRepeatMax, kRepeatMin * (1LL << std::min(*tries, 10U)));
  ++*tries;
  const TimePoint next = clock.now() + pause;
  if (next >= attempt->lease_until) co_return false;
  co_await sleep(clock, pause);
  if (clock.now() >= attempt->next_beat) {
    // A refusal is no news here: the outcome itself may have been what ended the lease.
    co_await beat(attempt);
  }
  co_return clock.now() < attempt->lease_until;
}

Co<Status> Workers::Parts::complete(std::shared_ptr<Attempt> attempt, Outcome outcome) {
  std::uint32_t tries = 0;
  for (;;) {
    auto completed = co_await store.complete(attempt->claimed.lease, outcome.result,
                                             outcome.effects, storage_deadline());
    if (completed.ok() || !worth_another(completed.error())) co_return completed;
    auto more = co_await wait_to_repeat(attempt, &tries);
    if (!more) co_return completed;
  }
}

Co<Result<storage::JobState>> Workers::Parts::fail(std::shared_ptr<Attempt> attempt,
                                                   storage::JobFailure failure,
                                                   std::optional<Duration> again) {
  std::uint32_t tries = 0;
  for (;;) {
    auto state = co_await store.fail(attempt->claimed.lease, failure, again, storage_deadline());
    if (state.ok() || !worth_another(state.error())) co_return state;
    auto more = co_await wait_to_repeat(attempt, &tries);
    if (!more) co_return state;
  }
}

Co<> Workers::Parts::hand_back(std::shared_ptr<Attempt> attempt, Duration later) {
  auto given = co_await store.give_back(attempt->claimed.lease, later, storage_deadline());
  if (given.ok()) {
    ++given_back;
  } else {
    log.warn("job.not_given_back",
             {{"job", attempt->claimed.job.job.id.text()}, {"error", given.error().detail}});
  }
}

Co<> Workers::Parts::deliver_webhook(std::shared_ptr<Attempt> attempt, storage::JobState state) {
  if (attempt->webhook.empty()) co_return;
  const auto& job = attempt->claimed.job;
  storage::NewJob delivery =
      delivery_of(job, state, attempt->webhook, config.webhooks, clock, random);
  auto submitted = co_await store.submit(std::move(delivery), 0, storage_deadline());
  if (!submitted.ok()) {
    // The job that looks after this one later delivers it.
    log.warn("job.webhook_late", {{"job", job.job.id.text()}, {"error", submitted.error().detail}});
  }
}

}  // namespace mainstay::jobs
