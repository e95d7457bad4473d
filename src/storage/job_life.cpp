// The table of a job's life, one function for each event, and the names of classes and states.
#include "storage/job_life.h"

#include <algorithm>
#include <array>

namespace mainstay::storage {
namespace {

constexpr std::array<std::string_view, kJobClasses> kClassNames = {"voice", "interactive", "batch",
                                                                   "background"};
constexpr std::array<std::string_view, kJobStates> kStateNames = {
    "scheduled", "queued", "running", "succeeded", "dead", "cancelled", "expired"};

template <class Enum, std::size_t N>
std::optional<Enum> among(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool over(WallTime moment, WallTime now) {
  return moment != WallTime{} && moment <= now;
}
bool used_up(const JobLife& life) {
  return life.attempts >= life.attempts_max;
}
bool waits(const JobLife& life) {
  return life.state == JobState::scheduled || life.state == JobState::queued;
}
/// The verb of a lease is told again: its attempt is still the last one, and it was what ended it.
bool told_again(const JobLife& life, const JobStep& step, AttemptEnd end) {
  return life.ended_by == end && step.token == life.token;
}
bool lease_is_current(const JobLife& life, const JobStep& step) {
  return life.state == JobState::running && step.token == life.token;
}

Result<JobLife> claim(JobLife life, const JobStep& step) {
  if (life.state != JobState::queued || over(life.expires, step.now)) return stale_lease();
  life.state = JobState::running;
  ++life.attempts;
  ++life.token;
  life.ended_by = AttemptEnd::none;
  return life;
}

Result<JobLife> complete(JobLife life, const JobStep& step) {
  if (told_again(life, step, AttemptEnd::completed)) return life;
  if (!lease_is_current(life, step)) return stale_lease();
  life.state = JobState::succeeded;
  life.silent = 0;
  life.ended_by = AttemptEnd::completed;
  return life;
}

Result<JobLife> fail(JobLife life, const JobStep& step) {
  if (told_again(life, step, AttemptEnd::failed)) return life;
  if (!lease_is_current(life, step)) return stale_lease();
  life.silent = 0;
  life.ended_by = AttemptEnd::failed;
  if (!step.again || used_up(life)) {
    life.state = JobState::dead;
    return life;
  }
  life.state = JobState::scheduled;
  life.run_at = step.now + std::chrono::ceil<std::chrono::microseconds>(*step.again);
  return life;
}

Result<JobLife> give_back(JobLife life, const JobStep& step) {
  if (told_again(life, step, AttemptEnd::given_back)) return life;
  if (!lease_is_current(life, step)) return stale_lease();
  life.state = JobState::queued;
  life.attempts -= life.attempts > 0 ? 1 : 0;
  life.silent = 0;
  life.ended_by = AttemptEnd::given_back;
  if (!step.again || step.again->count() <= 0) return life;
  life.state = JobState::scheduled;
  life.run_at = step.now + std::chrono::ceil<std::chrono::microseconds>(*step.again);
  return life;
}

/// A lease over is charged, and counted as silence; a restart is charged only, and takes the token
/// away too, since the attempt may still be running somewhere.
JobLife lost(JobLife life, const JobStep& step) {
  if (life.state != JobState::running) return life;
  if (step.token && step.token != life.token) return life;
  const bool restart = step.event == JobEvent::restart;
  if (restart) {
    ++life.token;
  } else {
    ++life.silent;
  }
  const bool poison = !restart && life.silent >= step.poison_after;
  life.state = used_up(life) || poison ? JobState::dead : JobState::queued;
  return life;
}

JobLife due(JobLife life, const JobStep& step) {
  if (life.state == JobState::scheduled && life.run_at <= step.now) life.state = JobState::queued;
  return life;
}

Result<JobLife> cancel(JobLife life) {
  if (ended(life.state)) return job_ended();
  life.state = JobState::cancelled;
  return life;
}

Result<JobLife> expire(JobLife life, const JobStep& step) {
  if (ended(life.state)) return job_ended();
  if (!waits(life) || !over(life.expires, step.now)) return life;
  life.state = JobState::expired;
  return life;
}

Result<JobLife> retry(JobLife life) {
  if (!ended(life.state)) return job_not_ended();
  if (life.state == JobState::succeeded) {
    return Error::say(Errc::conflict, "job_succeeded",
                      "The job has succeeded; submit a new one to run it again.");
  }
  life.state = JobState::queued;
  life.attempts = 0;
  life.silent = 0;
  ++life.token;  // so that each end has one of its own, also where no attempt comes before it
  life.run_at = WallTime{};
  life.expires = WallTime{};  // it was asked for again, whenever that is
  life.ended_by = AttemptEnd::none;
  return life;
}

}  // namespace

std::string_view name(JobClass c) noexcept {
  return kClassNames[static_cast<std::size_t>(c)];
}
std::optional<JobClass> job_class(std::string_view name) noexcept {
  return among<JobClass>(kClassNames, name);
}
std::string_view name(JobState s) noexcept {
  return kStateNames[static_cast<std::size_t>(s)];
}
std::optional<JobState> job_state(std::string_view name) noexcept {
  return among<JobState>(kStateNames, name);
}

Error stale_lease() {
  return Error::say(Errc::conflict, "stale_lease",
                    "This attempt is no longer the current one; its outcome was not recorded.");
}
Error job_ended() {
  return Error::say(Errc::conflict, "job_ended", "The job has ended already.");
}
Error job_not_ended() {
  return Error::say(Errc::conflict, "job_not_ended",
                    "The job has not ended yet; wait for its end or cancel it first.");
}
Error unknown_job() {
  return Error::say(Errc::not_found, "unknown_job", "There is no such job.", "job");
}
Error key_reused() {
  return Error::say(Errc::conflict, "idempotency_key_reused",
                    "This idempotency key was used for another request; use a new key.");
}

Status check_key(std::string_view key) {
  constexpr std::size_t kMax = 255;
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (!key.empty() && key.size() <= kMax && std::all_of(key.begin(), key.end(), printable)) {
    return done();
  }
  return Error::say(Errc::invalid, "invalid_idempotency_key",
                    "An Idempotency-Key is given once and has 1 to 255 printable ASCII characters.",
                    "idempotency-key");
}

std::string list_mark(const JobId& gone) {
  constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
  constexpr std::size_t kMade = 30;    // "job_" and 26 characters
  constexpr std::size_t kMicros = 18;  // more are no moment
  const std::string& text = gone.text();
  const std::string first = text.substr(0, kMade);
  const bool made = first.size() == kMade && first.starts_with("job_") &&
                    first.find_first_not_of(kDigits, 4) == std::string::npos;
  if (!made || text.size() == kMade) return made ? first : std::string();
  // A later occurrence: it came in before it was to run.
  const std::string run_at = text.substr(kMade + 1);
  const bool occurs = text[kMade] == '.' && !run_at.empty() && run_at.size() <= kMicros &&
                      run_at.find_first_not_of("0123456789") == std::string::npos;
  if (!occurs) return {};
  const std::uint64_t ms = std::stoull(run_at) / 1000;
  std::string out = "job_";
  for (int shift = 45; shift >= 0; shift -= 5) out += kDigits[(ms >> shift) & 31];
  return out;
}

Status check_expiry(const NewJob& job, WallTime now) {
  if (job.expires == WallTime{} || (job.expires > now && job.expires > job.run_at)) return done();
  return expires_too_early();
}
Error expires_too_early() {
  return Error::say(Errc::invalid, "out_of_range",
                    "A job must expire later than now and than it is planned for.", "expires");
}

JobFailure lost_attempt(JobEvent event) {
  if (event == JobEvent::restart) {
    return {"restarted", "The server was started again while this attempt ran."};
  }
  return {"lease_over", "The worker was not heard of before its lease ended."};
}

Result<JobLife> step(const JobLife& life, const JobStep& step) {
  switch (step.event) {
    case JobEvent::claim:
      return claim(life, step);
    case JobEvent::complete:
      return complete(life, step);
    case JobEvent::fail:
      return fail(life, step);
    case JobEvent::give_back:
      return give_back(life, step);
    case JobEvent::lease_over:
    case JobEvent::restart:
      return lost(life, step);
    case JobEvent::due:
      return due(life, step);
    case JobEvent::cancel:
      return cancel(life);
    case JobEvent::expire:
      return expire(life, step);
    case JobEvent::retry:
      return retry(life);
  }
  return Error::log(Errc::internal, "unknown event of a job");
}

JobLife first_life(const NewJob& job, WallTime now) {
  JobLife life;
  life.state = job.run_at > now ? JobState::scheduled : JobState::queued;
  life.attempts_max = std::max(job.attempts_max, 1U);
  life.run_at = job.run_at;
  life.expires = job.expires;
  return life;
}

void show_times(NewJob& job, const JobLife& life) {
  job.expires = life.expires;
  if (job.repeat_every.count() == 0) job.run_at = life.run_at;
}

JobState answer_of_fail(const JobLife& life) noexcept {
  return life.state == JobState::dead ? JobState::dead : JobState::scheduled;
}

WallTime next_occurrence(WallTime run_at, std::chrono::seconds every, WallTime now) {
  const std::chrono::microseconds step = every;
  if (step.count() <= 0) return run_at;
  if (run_at > now) return run_at + step;
  return run_at + ((now - run_at) / step + 1) * step;
}

NewJob next_occurrence_of(const NewJob& job, WallTime created, WallTime now) {
  NewJob next = job;
  const WallTime base = job.run_at == WallTime{} ? created : job.run_at;
  next.run_at = next_occurrence(base, job.repeat_every, now);
  if (job.expires != WallTime{}) next.expires = job.expires + (next.run_at - base);
  next.id = occurrence_id(job.id, next.run_at);
  return next;
}

JobId occurrence_id(const JobId& id, WallTime run_at) {
  const std::string& text = id.text();
  return JobId(text.substr(0, text.find('.')) + "." + std::to_string(micros(run_at)));
}

JobId next_id_of(const Job& job) {
  if (!makes_next(job, job.state)) return {};
  return next_occurrence_of(job.job, job.created, job.finished).id;
}

}  // namespace mainstay::storage
