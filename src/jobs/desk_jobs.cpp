// What a caller may do with jobs that exist: see, end, repeat, forget, follow.
#include "jobs/desk.h"
#include "jobs/webhook.h"
#include "storage/job_life.h"

namespace mainstay::jobs {
namespace {

/// Moments of a repetition that are gone through to find the occurrence that has not ended: one
/// that runs late stays behind the clock by as many.
constexpr int kOccurrencesTried = 512;

/// None: everybody's.
std::optional<storage::Owner> reach(const admission::Caller& caller) {
  if (caller.scopes.has(admission::Scope::admin)) return std::nullopt;
  return caller.owner;
}

}  // namespace

Co<Result<JobView>> Desk::get(admission::Caller caller, storage::JobId id, Deadline by) {
  auto job = co_await store_.get(reach(caller), std::move(id), by);
  if (!job.ok()) co_return job.error();
  Unwrapped parts = unwrap(std::move(job->job.input));
  JobView view;
  view.webhook = std::move(parts.webhook);
  view.job = std::move(*job);
  view.job.job.input = std::move(parts.input);
  co_return view;
}

Co<Result<PageOfViews>> Desk::list(admission::Caller caller, storage::JobFilter filter,
                                   bool everybody, storage::JobId after, std::uint32_t limit,
                                   Deadline by) {
  if (!everybody || !caller.scopes.has(admission::Scope::admin)) filter.owner = caller.owner;
  limit = std::min(std::max(1U, limit), settings_.list_max);
  auto page = co_await store_.list(std::move(filter), std::move(after), limit, by);
  if (!page.ok()) co_return page.error();
  PageOfViews out;
  out.items = std::move(page->items);
  out.more = page->more;
  co_return out;
}

Co<Result<storage::Job>> Desk::cancel(admission::Caller caller, storage::JobId id, Deadline by) {
  auto job = co_await cancel_only(caller, id, by);
  if (!job.ok() && job.error().reason != "job_ended") co_return job;
  storage::Job last;
  if (job.ok()) {
    last = *job;
  } else {
    auto ended = co_await store_.get(reach(caller), id, by);
    if (!ended.ok()) co_return job;
    last = std::move(*ended);
  }
  if (!storage::has_next(last)) co_return job;
  auto next = co_await cancel_next(std::move(caller), last, by);
  const bool none = !next.ok() && next.error().reason == "job_ended";
  // The job that was named is the answer where it was still to be cancelled itself.
  if (job.ok() && (next.ok() || none)) co_return job;
  co_return next;
}

/// The occurrence that comes or runs after one that has ended. Errors: conflict "job_ended": none.
Co<Result<storage::Job>> Desk::cancel_next(admission::Caller caller, storage::Job last,
                                           Deadline by) {
  storage::NewJob next = storage::next_occurrence_of(last.job, last.created, clock_.wall());
  for (int tried = 0; tried < kOccurrencesTried && next.run_at > last.job.run_at; ++tried) {
    auto found = co_await cancel_only(caller, next.id, by);
    // One that is there and has ended has no successor, or that would have been found.
    if (found.ok() || found.error().reason != "unknown_job") co_return found;
    next.run_at -= next.repeat_every;
    next.id = storage::occurrence_id(next.id, next.run_at);
  }
  co_return storage::job_ended();
}

Co<Result<storage::Job>> Desk::cancel_only(admission::Caller caller, storage::JobId id,
                                           Deadline by) {
  auto job = co_await store_.cancel(reach(caller), id, by);
  if (!job.ok()) co_return job.error();
  // The attempt that runs is stopped by this, wherever it is; its next heartbeat would do it too.
  Json stop = Json::object();
  stop["job"] = id.text();
  stop["token"] = job->token;
  auto told = co_await signal_.tell(std::string(kStopTopic), "cancel", dump(stop), by);
  if (!told.ok()) log_.warn("job.stop_untold", {{"job", id.text()}});
  Unwrapped parts = unwrap(std::move(job->job.input));
  job->job.input = std::move(parts.input);
  if (!parts.webhook.empty()) {
    storage::NewJob delivery = delivery_of(*job, storage::JobState::cancelled, parts.webhook,
                                           settings_.webhooks, clock_, random_);
    auto submitted = co_await store_.submit(std::move(delivery), 0, by);
    if (!submitted.ok()) log_.warn("job.webhook_late", {{"job", id.text()}});
  }
  Json more = Json::object();
  co_await tell(*job, EventType::cancelled, storage::JobState::cancelled, std::move(more), by);
  co_return job;
}

/// None for an administrator: no cap holds up what is repaired by hand. None for a job that has not
/// ended: the store says so.
Co<std::optional<admission::Use>> Desk::use_of_another_run(admission::Caller caller,
                                                           storage::JobId id, Deadline by) {
  if (!reach(caller) || !admission_.limited()) co_return std::nullopt;
  auto job = co_await store_.get(reach(caller), std::move(id), by);
  if (!job.ok() || !storage::ended(job->state)) co_return std::nullopt;
  co_return use_of(job->job.kind, std::move(job->job.input));
}

Co<Result<storage::Job>> Desk::retry(admission::Caller caller, storage::JobId id, Deadline by) {
  const auto use = co_await use_of_another_run(caller, id, by);
  if (use) {
    auto charged = admission_.charge(caller, *use);
    if (!charged.ok()) co_return charged.error();
  }
  auto job = co_await store_.retry(reach(caller), id, waiting_max(caller), by);
  if (use && !job.ok()) admission_.give_back(caller, *use);
  if (!job.ok()) co_return job.error();
  // At once: its attempt may begin, and end, before anything else is done here.
  Json more = Json::object();
  more["again"] = true;
  co_await tell(*job, EventType::queued, job->state, std::move(more), by);
  co_await watch_for_webhook(job->job, kLooksTried, by);
  job->job.input = unwrap(std::move(job->job.input)).input;
  co_return job;
}

Co<Status> Desk::erase(admission::Caller caller, storage::JobId id, Deadline by) {
  auto job = co_await store_.get(reach(caller), id, by);
  if (!job.ok()) co_return job.error();
  if (storage::ended(job->state)) {
    auto kept = co_await keep_letter(std::move(*job), by);
    if (!kept.ok()) co_return kept;
  }
  auto erased = co_await store_.erase(reach(caller), std::move(id), by);
  co_return erased;
}

/// A delivery asks for its job, so one that is still to come needs the message itself. The store
/// knows from its key whether there is one and how it went, for as long as keys are kept; later
/// than that a message is not sent again.
Co<Status> Desk::keep_letter(storage::Job job, Deadline by) {
  const std::string url = unwrap(job.job.input).webhook;
  const Duration age = clock_.wall() - job.finished;
  if (url.empty() || age >= settings_.keep_keys) co_return done();
  storage::NewJob letter = letter_of(job, url, settings_, clock_, random_);
  auto first = co_await store_.submit(letter, 0, by);
  if (!first.ok()) co_return first.error();
  if (!first->existed || storage::ended(first->state)) co_return done();
  letter.key += ":kept";
  letter.digest = letter.key;
  letter.id = storage::JobId(make_id("job_", clock_, random_));
  auto second = co_await store_.submit(std::move(letter), 0, by);
  if (!second.ok()) co_return second.error();
  co_return done();
}

Co<Result<std::unique_ptr<Follower>>> Desk::follow(admission::Caller caller, storage::JobId id,
                                                   std::string place, Deadline by) {
  auto job = co_await store_.get(reach(caller), id, by);
  if (!job.ok()) co_return job.error();
  FollowSetup setup;
  setup.topic = topic_of(id);
  setup.owner = caller.owner;
  setup.any_owner = !reach(caller).has_value();
  setup.job = id;
  setup.recheck = settings_.events.recheck;
  setup.followed_max = 1;
  setup.result_max = settings_.events.result_max.value;
  if (place == kMadeUp) {
    // The reader has the end that was taken from the record. Another one only after a retry.
    setup.end_was_seen = true;
    auto now = co_await signal_.place(setup.topic, by);
    if (!now.ok()) co_return now.error();
    place = std::move(*now);
  } else if (!place.empty()) {
    auto seen = co_await end_at(setup.topic, place, by);
    if (!seen.ok()) co_return seen.error();
    setup.end_was_seen = *seen;
  }
  setup.place = std::move(place);
  co_return std::make_unique<Follower>(std::move(setup), store_, signal_, clock_);
}

/// Whether the event at that place is a job's end.
Co<Result<bool>> Desk::end_at(std::string topic, std::string place, Deadline by) {
  const Deadline now = by.sooner(Deadline(clock_.now()));
  auto heard = co_await signal_.hear(std::move(topic), std::string(), now);
  if (!heard.ok()) co_return heard.error();
  for (const auto& news : heard->news) {
    if (news.at != place) continue;
    const auto type = event_type(news.type);
    co_return type.has_value() && ends(*type);
  }
  co_return false;
}

Co<Result<std::unique_ptr<Follower>>> Desk::follow_all(admission::Caller caller, std::string place,
                                                       Deadline by) {
  FollowSetup setup;
  setup.topic = topic_of(caller.owner);
  setup.owner = caller.owner;
  setup.recheck = settings_.events.recheck;
  setup.followed_max = settings_.events.followed_max;
  setup.result_max = settings_.events.result_max.value;
  if (place.empty()) {
    auto now = co_await signal_.place(setup.topic, by);
    if (!now.ok()) co_return now.error();
    place = std::move(*now);
  }
  setup.place = std::move(place);
  co_return std::make_unique<Follower>(std::move(setup), store_, signal_, clock_);
}

}  // namespace mainstay::jobs
