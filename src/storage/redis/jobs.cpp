// The verbs: arguments into scripts, answers out of them.
#include "storage/redis/jobs.h"

#include <algorithm>

#include "storage/job_gate.h"
#include "storage/job_life.h"
#include "storage/redis/job_codec.h"

namespace mainstay::storage::redis {
namespace {

/// Waiting claims look again after this long without a ring, whatever was missed. Leases that
/// others begin and let run out do not ring; upkeep finds them sooner.
constexpr Duration kLookAgain = std::chrono::minutes(5);
constexpr std::size_t kWishesMax = 64;
constexpr Duration kUpkeepMin = std::chrono::milliseconds(50);
constexpr Duration kUpkeepMax = std::chrono::seconds(30);
constexpr std::uint32_t kListSlice = 200;
constexpr std::size_t kRemovedMax = 100;  // of one slice of upkeep, as its script says

std::int64_t whole_micros(Duration d) {
  return std::chrono::ceil<std::chrono::microseconds>(d).count();
}

/// What a claim asks for, however many of it.
std::string wanted_by(const Claim& claim) {
  std::string out = claim.rationed_most > 0 ? claim.rationed : std::string();
  for (const auto& kind : claim.kinds) out += '\n' + kind;
  return out;
}

std::vector<Reply> elements(Reply reply) {
  return std::move(reply.items);
}

std::string owner_or_any(const std::optional<Owner>& owner) {
  return owner ? owner_text(*owner) : std::string();
}

}  // namespace

RedisJobs::RedisJobs(Client& client, const JobLimits& limits, const RedisLeader& leader,
                     StoreTurn turns, TimeOf time)
    : client_(client),
      clock_(client.clock()),
      limits_(limits),
      leader_(leader),
      turns_(std::move(turns)),
      time_(time),
      submits_(
          client, Script::submit, [this](Command& c) { head(c); },
          [this](Reply r) { return split_submit(std::move(r)); }),
      completes_(
          client, Script::complete, [this](Command& c) { head(c); }, elements),
      fails_(
          client, Script::fail, [this](Command& c) { head(c); }, elements),
      give_backs_(
          client, Script::give_back, [this](Command& c) { head(c); }, elements),
      extends_(
          client, Script::extend, [this](Command& c) { head(c); }, elements),
      bell_(std::make_unique<Bell>(client)) {
  known_.asking = true;
  refresh({});  // what was counted before
}

/// What every script of the store is told first.
void RedisJobs::head(Command& command) const {
  command.add(whole_micros(limits_.keep_results));
  command.add(whole_micros(limits_.keep_dead));
  command.add(whole_micros(limits_.keep_keys));
  command.add(limits_.poison_after).add(limits_.depth_high).add(limits_.depth_low);
  for (std::size_t c = 0; c < kJobClasses; ++c) {
    command.add(refused_from(limits_, static_cast<JobClass>(c)));
  }
  if (time_ == TimeOf::server) {
    command.add("");
  } else {
    command.add(micros(clock_.wall()));
  }
}

Command RedisJobs::command(Script script) const {
  Command out = script_call(client_, script);
  head(out);
  return out;
}

// Coming in.

std::vector<Reply> RedisJobs::split_submit(Reply reply) {
  {
    std::lock_guard lock(mutex_);
    shedding_ = reply.at(2).count() != 0;
    drain_.saw(static_cast<std::uint64_t>(reply.at(3).count()), clock_.now());
  }
  if (reply.items.empty()) return {};
  return std::move(reply.items.front().items);
}

Error RedisJobs::overloaded(JobClass priority, std::uint64_t depth) {
  constexpr double kMax = 60'000;
  constexpr double kMin = 1'000;
  std::lock_guard lock(mutex_);
  const std::uint64_t from = refused_from(limits_, priority);
  const std::uint64_t free_below =
      shedding_ ? std::min<std::uint64_t>(limits_.depth_low, from) : from;
  const auto surplus = static_cast<double>(depth - std::min(depth, free_below) + 1);
  const double rate = drain_.per_second();
  const double wait = rate * kMax / 1000 > surplus ? 1000 * surplus / rate : kMax;
  return queue_overloaded(
      std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(wait, kMin, kMax))));
}

namespace {

/// The number inside an answer of more than that.
std::uint64_t count_in(std::string text) {
  Reply number;
  number.kind = Reply::Kind::text;
  number.text = std::move(text);
  return static_cast<std::uint64_t>(number.count());
}

}  // namespace

Result<Submitted> RedisJobs::submitted(const NewJob& job, std::uint32_t waiting_max,
                                       const Reply& reply) {
  const std::string& text = reply.text;
  const auto colon = text.find(':');
  if (text.size() < 3 || colon == std::string::npos) {
    return Error::log(Errc::corrupt, "redis: submit answered '" + text + "'");
  }
  const std::uint64_t count = count_in(text.substr(2, colon - 2));
  Submitted out{JobId(text.substr(colon + 1)), state_of(text[1]), text[0] == 'o',
                static_cast<std::uint32_t>(count)};
  switch (text[0]) {
    case 'n':
      ++counts_.submitted;
      return out;
    case 'o':
      ++counts_.replayed;
      return out;
    case 'k':
      return key_reused();
    case 'e':
      return expires_too_early();
    case 'w':
      ++counts_.refused_user;
      return too_many_waiting(static_cast<std::uint32_t>(count), waiting_max);
    case 'd':
      ++counts_.refused_depth;
      return overloaded(job.priority, count);
    default:
      return Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
  }
}

Co<Result<Submitted>> RedisJobs::submit(NewJob job, std::uint32_t waiting_max, Deadline by) {
  std::vector<std::string> arguments{job.follow_up ? "-1" : std::to_string(waiting_max)};
  append_job(arguments, job);
  job.input.clear();
  auto reply = co_await submits_.run(std::move(arguments), by);
  if (!reply.ok()) co_return reply.error();
  co_return submitted(job, waiting_max, *reply);
}

// Running.

/// What is there now. `bell` and `timer`: what to wait for when there is nothing.
Co<Result<std::vector<Claimed>>> RedisJobs::claim_once(Claim claim, std::string* bell,
                                                       Duration* timer, Deadline by) {
  Command call = command(Script::claim);
  call.add(claim.worker).add(claim.slots).add(whole_micros(claim.lease));
  // A larger reply would break the connection, and the attempts in it would be nobody's.
  call.add(client_.settings().reply_max.value / 2);
  call.add(claim.rationed).add(claim.rationed_most).add(claims_.load());
  for (const auto& kind : claim.kinds) call.add(kind);
  Asking how;
  how.unclaimed = [this](const Reply& late, Owed owed) {
    try {
      give_back_unclaimed(late, std::move(owed));
    } catch (const std::bad_alloc&) {
      // The leases run out.
    }
  };
  auto reply = co_await client_.ask(std::move(call), std::move(how), by);
  if (!reply.ok()) co_return reply.error();
  *bell = reply->at(0).text;
  const auto wait = reply->at(1).count();
  *timer = wait < 0 ? kLookAgain : std::min<Duration>(std::chrono::microseconds(wait), kLookAgain);
  std::vector<Claimed> out;
  for (const auto& item : reply->at(2).items) {
    auto job = job_of(item);
    if (!job.ok()) co_return job.error();
    const Lease lease{job->job.id, job->token};
    out.push_back({std::move(*job), lease});
  }
  counts_.claimed += out.size();
  if (!out.empty()) ++claims_;
  if (!out.empty()) bell_->nudge();  // others wait for the ends of these leases, too
  co_return out;
}

/// Attempts have begun that nobody runs: who asked was cancelled, or waits no longer. Their jobs
/// wait again and are charged nothing.
void RedisJobs::give_back_unclaimed(const Reply& reply, Owed owed) {
  Call call;
  call.command = command(Script::give_back);
  bool some = false;
  for (const auto& item : reply.at(2).items) {
    const auto job = job_of(item);
    if (!job.ok()) continue;
    call.command.add(job->job.id.text()).add(job->token).add(0);
    some = true;
  }
  if (!some) return;
  call.again = true;
  call.give_up =
      clock_.now() + Duration(std::chrono::milliseconds(client_.settings().reply_timeout));
  call.done = [this, owed = std::move(owed)](const Result<Reply>& given) {
    if (given.ok()) return;  // else the leases run out
    client_.log().warn("redis.claim_lost", {{"error", given.error().detail}});
  };
  client_.post([this, call = std::move(call)]() mutable { client_.send(std::move(call)); });
}

/// While the bell is silent and no timer has come there is nothing that the last claim alike, of
/// whichever worker of this process, had not found. When its time is over, one of them looks.
RedisJobs::Nothing RedisJobs::nothing_since(const std::string& wanted) {
  std::lock_guard lock(mutex_);
  const auto found = nothing_.find(wanted);
  const bool silent = bell_->heard() && found != nothing_.end();
  if (!silent || found->second.seen != bell_->version()) return {};
  const TimePoint now = clock_.now();
  if (now < found->second.until) return found->second;
  found->second.until = now + Duration(client_.settings().reply_timeout);
  return {};
}

void RedisJobs::found_nothing(const std::string& wanted, const Nothing& nothing) {
  std::lock_guard lock(mutex_);
  if (nothing_.size() >= kWishesMax) nothing_.clear();
  nothing_[wanted] = nothing;
}

Co<Result<std::vector<Claimed>>> RedisJobs::claim(Claim claim, Deadline by) {
  const Duration answer_in = std::chrono::milliseconds(client_.settings().reply_timeout);
  const std::string wanted = wanted_by(claim);
  for (;;) {
    Nothing nothing;
    // Who does not wait looks: rings are heard while somebody waits.
    if (claim.slots > 0 && !by.passed(clock_.now())) nothing = nothing_since(wanted);
    if (nothing.until == TimePoint{}) {
      Duration timer{};
      nothing.seen = bell_->version();
      // Once asked, the answer is waited for, also beyond the deadline: it may hold jobs.
      const Deadline answer_by = Deadline::in(clock_, answer_in);
      auto taken = co_await claim_once(claim, &nothing.last, &timer, answer_by);
      if (!taken.ok() || !taken->empty() || claim.slots == 0) co_return taken;
      nothing.until = clock_.now() + timer;
      found_nothing(wanted, nothing);
    }
    if (by.passed(clock_.now())) co_return std::vector<Claimed>();
    const Deadline until = by.sooner(Deadline(nothing.until));
    auto woken = co_await bell_->wait(nothing.last, nothing.seen, until);
    if (!woken && !until.passed(clock_.now())) {
      co_return Error::log(Errc::cancelled, "claim was cancelled");
    }
    if (!woken && by.passed(clock_.now())) co_return std::vector<Claimed>();
  }
}

/// "ok" or "stale".
Status RedisJobs::outcome(const Reply& reply) {
  if (reply.text == "ok") return done();
  ++counts_.stale;
  return stale_lease();
}

Co<Status> RedisJobs::extend(Lease lease, Duration by_how_long, Deadline by) {
  std::vector<std::string> arguments{lease.id.text(), std::to_string(lease.token),
                                     std::to_string(whole_micros(by_how_long))};
  auto reply = co_await extends_.run(std::move(arguments), by);
  if (!reply.ok()) co_return reply.error();
  co_return outcome(*reply);
}

/// The turn lives in another store: it is stored first, and by its request id only once. The lease
/// is looked at before, so that a late worker stores nothing; one that becomes late in between
/// stores a turn that is the same as its successor's.
Co<Status> RedisJobs::store_turn(Lease lease, Turn turn, Deadline by) {
  auto job = co_await get(std::nullopt, lease.id, by);
  if (!job.ok() && job.error().code != Errc::not_found) co_return job.error();
  const bool mine = job.ok() && job->token == lease.token;
  if (mine && job->state == JobState::succeeded) co_return done();  // told again
  if (!mine || job->state != JobState::running) {
    ++counts_.stale;
    co_return stale_lease();
  }
  if (!turns_) co_return Error::log(Errc::internal, "redis jobs: no store for turns");
  co_return co_await turns_(job->job.owner, std::move(turn), by);
}

Co<Status> RedisJobs::complete(Lease lease, std::string result, Effects effects, Deadline by) {
  // A job is read in one reply: one whose result did not fit could never be read again.
  const std::uint64_t rest = limits_.input_max + kBesideInput;
  if (result.size() + rest > client_.settings().reply_max.value) {
    co_return Error::say(Errc::too_large, "result_too_large",
                         "The result is longer than a reply of Redis may be (redis.reply_max).");
  }
  if (effects.turn) {
    auto stored = co_await store_turn(lease, std::move(*effects.turn), by);
    if (!stored.ok()) co_return stored;
  }
  std::vector<std::string> arguments{lease.id.text(), std::to_string(lease.token),
                                     std::move(result), std::to_string(effects.follow_ups.size())};
  for (const auto& job : effects.follow_ups) append_job(arguments, job);
  auto reply = co_await completes_.run(std::move(arguments), by);
  if (!reply.ok()) co_return reply.error();
  if (reply->text == "ok") ++counts_.completed;
  co_return outcome(*reply);
}

Co<Result<JobState>> RedisJobs::fail(Lease lease, JobFailure failure, std::optional<Duration> again,
                                     Deadline by) {
  std::replace(failure.code.begin(), failure.code.end(), '\n', ' ');
  std::vector<std::string> arguments{lease.id.text(), std::to_string(lease.token),
                                     failure.code + "\n" + failure.message,
                                     std::to_string(again ? whole_micros(*again) : -1)};
  auto reply = co_await fails_.run(std::move(arguments), by);
  if (!reply.ok()) co_return reply.error();
  if (reply->text == "stale") {
    ++counts_.stale;
    co_return stale_lease();
  }
  ++counts_.failed_attempts;
  const JobState state = reply->text == "D" ? JobState::dead : JobState::scheduled;
  co_return state;
}

Co<Status> RedisJobs::give_back(Lease lease, Duration later, Deadline by) {
  std::vector<std::string> arguments{lease.id.text(), std::to_string(lease.token),
                                     std::to_string(whole_micros(later))};
  auto reply = co_await give_backs_.run(std::move(arguments), by);
  if (!reply.ok()) co_return reply.error();
  co_return outcome(*reply);
}

// By hand.

Co<Result<Reply>> RedisJobs::by_hand(Script script, std::optional<Owner> owner, JobId id,
                                     Deadline by, std::uint32_t waiting_max) {
  Command call = command(script);
  call.add(owner_or_any(owner)).add(id.text()).add(waiting_max);
  // A cancel, retry or erase that is told again would find its own work done.
  const bool again = script == Script::get;
  if (!again) ++counts_.by_hand;
  auto reply = co_await client_.ask(std::move(call), again, by);
  if (!reply.ok()) co_return reply.error();
  if (reply->text == "unknown") co_return unknown_job();
  if (reply->text == "ended") co_return job_ended();
  if (reply->text == "not_ended") co_return job_not_ended();
  if (reply->text == "succeeded") {
    JobLife life;
    life.state = JobState::succeeded;
    auto refused = step(life, {JobEvent::retry});
    co_return refused.error();
  }
  co_return std::move(*reply);
}

Co<Result<Job>> RedisJobs::job_by_hand(Script script, std::optional<Owner> owner, JobId id,
                                       Deadline by) {
  auto reply = co_await by_hand(script, std::move(owner), std::move(id), by);
  if (!reply.ok()) co_return reply.error();
  co_return job_of(*reply);
}

Co<Result<Job>> RedisJobs::cancel(std::optional<Owner> owner, JobId id, Deadline by) {
  return job_by_hand(Script::cancel, std::move(owner), std::move(id), by);
}
Co<Result<Job>> RedisJobs::retry(std::optional<Owner> owner, JobId id, std::uint32_t waiting_max,
                                 Deadline by) {
  auto reply = co_await by_hand(Script::retry, std::move(owner), std::move(id), by, waiting_max);
  if (!reply.ok()) co_return reply.error();
  if (reply->kind != Reply::Kind::text) co_return job_of(*reply);
  const bool depth = reply->text.starts_with('d');
  const std::uint64_t count = count_in(reply->text.substr(depth ? 2 : 1));
  if (depth) {
    ++counts_.refused_depth;
    co_return overloaded(static_cast<JobClass>(reply->text[1] - '0'), count);
  }
  ++counts_.refused_user;
  co_return too_many_waiting(static_cast<std::uint32_t>(count), waiting_max);
}
Co<Result<Job>> RedisJobs::get(std::optional<Owner> owner, JobId id, Deadline by) {
  return job_by_hand(Script::get, std::move(owner), std::move(id), by);
}

Co<Status> RedisJobs::erase(std::optional<Owner> owner, JobId id, Deadline by) {
  auto reply = co_await by_hand(Script::erase, std::move(owner), std::move(id), by);
  if (!reply.ok()) co_return reply.error();
  co_return done();
}

/// In slices, so that a long search does not hold up the server.
Co<Result<PageOfJobs>> RedisJobs::list(JobFilter filter, JobId after, std::uint32_t limit,
                                       Deadline by) {
  PageOfJobs out;
  std::string place = after.text();
  for (;;) {
    Command call = command(Script::list);
    call.add(owner_or_any(filter.owner));
    call.add(filter.state ? std::string(1, letter(*filter.state)) : std::string());
    call.add(filter.kind).add(filter.batch).add(place).add(kListSlice);
    call.add(list_mark(JobId(place)));
    auto reply = co_await client_.ask(std::move(call), true, by);
    if (!reply.ok()) co_return reply.error();
    if (reply->text == "unknown") co_return unknown_job();
    for (const auto& item : reply->at(1).items) {
      if (out.items.size() == limit) {
        out.more = true;
        co_return out;
      }
      auto job = job_of(item);
      if (!job.ok()) co_return job.error();
      job->job.input.clear();
      job->result.clear();
      out.items.push_back(std::move(*job));
    }
    place = reply->at(0).text;
    if (place.empty()) co_return out;
  }
}

Co<Result<Duration>> RedisJobs::upkeep(Deadline by) {
  Command call = command(Script::upkeep);
  call.add(static_cast<std::int64_t>(leader_.term("upkeep")));
  auto reply = co_await client_.ask(std::move(call), true, by);
  if (!reply.ok()) co_return reply.error();
  if (static_cast<std::size_t>(reply->at(1).count()) >= kRemovedMax) co_return Duration::zero();
  const auto next = reply->at(0).count();
  if (next < 0) co_return kUpkeepMax;
  co_return std::clamp<Duration>(std::chrono::microseconds(next), kUpkeepMin, kUpkeepMax);
}

}  // namespace mainstay::storage::redis
