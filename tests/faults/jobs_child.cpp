// Hands jobs in and runs them, without end, and prints a line before and after each step: what the
// kill tests start and kill. The lines are the truth that the store is held against, see rig.h.
// Arguments are name=value; see Options.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/memory/open.h"
#include "storage/redis/open.h"
#include "storage/sqlite/open.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::faults {
namespace {

using namespace std::chrono_literals;
using namespace storage;

constexpr Duration kLease = 300ms;
constexpr std::uint32_t kSlots = 8;
constexpr int kProducers = 4;
constexpr int kTries = 400;

struct Options {
  std::string store;   ///< sqlite or redis
  std::string at;      ///< its folder, or its URL
  std::string role;    ///< producer, worker or both
  std::string tag;     ///< of this start, unlike any other
  std::string claims;  ///< lazy or strict
  std::string resend;  ///< file of keys that got no answer
  std::string die;     ///< POINT:N, kills itself there the Nth time
  std::uint64_t seed = 1;
  bool finish = false;  ///< hands nothing new in and ends when nothing is left
};

void say(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) ::_exit(3);
}

class Child {
 public:
  explicit Child(Options options) : options_(std::move(options)), dice_(options_.seed) {
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock_));
    const auto colon = options_.die.find(':');
    if (colon != std::string::npos) {
      die_at_ = std::stoull(options_.die.substr(colon + 1));
      options_.die.resize(colon);
    }
    std::ifstream keys(options_.resend);
    for (std::string key; std::getline(keys, key);) resend_.push_back(key);
  }

  int run() {
    auto opened = open();
    if (!opened.ok()) {
      say("fault open: " + opened.error().detail);
      return 2;
    }
    stores_ = std::move(*opened);
    say("up");
    if (options_.role != "worker") {
      for (int i = 0; i < kProducers; ++i) spawn(produce(i));
    }
    if (options_.role != "producer") {
      slots_ = clock_.alarm(io_.get_executor());
      spawn(work());
      spawn(tend());
    }
    if (options_.finish) spawn(finish());
    io_.run();
    [[maybe_unused]] auto closed = stores_->close();
    say("finished");
    return 0;
  }

 private:
  Result<std::unique_ptr<Stores>> open() {
    StorageSettings settings;
    settings.job_claims = options_.claims;
    JobLimits limits;
    limits.depth_high = 400;
    limits.depth_low = 300;
    limits.poison_after = 1'000'000;
    if (options_.store == "sqlite") {
      return sqlite::open(settings, options_.at, clock_, chance_, *log_, metrics_, limits);
    }
    settings.redis_url = options_.at;
    RedisSettings redis;
    redis.reply_timeout = Millis(2000);
    redis.retry_base = Millis(5);
    redis.retry_cap = Millis(50);
    redis.patience = Millis(500);
    return redis::open(settings, redis, {limits, {}}, clock_, chance_, *log_, metrics_,
                       memory::open(clock_));
  }
  void spawn(Co<> work) {
    asio::co_spawn(io_.get_executor(), std::move(work), [](std::exception_ptr thrown) {
      if (!thrown) return;
      say("fault a coroutine threw");
      ::_exit(6);
    });
  }
  void here(const char* point) {
    if (die_at_ == 0 || options_.die != point || ++passed_ != die_at_) return;
    ::kill(::getpid(), SIGKILL);
  }
  Deadline soon() { return Deadline::in(clock_, 5s); }
  Co<> pause(Duration d) { [[maybe_unused]] auto slept = co_await sleep(clock_, d); }
  bool chance(std::uint64_t of_thousand) { return dice_.below(1000) < of_thousand; }
  static bool passing(const Error& error) {
    return error.code == Errc::unavailable || error.code == Errc::deadline ||
           error.code == Errc::over_limit;
  }

  // Handing in.

  Co<> produce(int me) {
    for (int n = 0;; ++n) {
      std::string key;
      if (!resend_.empty()) {
        key = resend_.back();
        resend_.pop_back();
      } else if (options_.finish) {
        break;
      } else {
        key = options_.tag + "-" + std::to_string(me) + "-" + std::to_string(n);
        say("try " + key);
      }
      co_await hand_in(key);
      if (chance(250)) {
        co_await pause(std::chrono::milliseconds(dice_.below(20)));
      }
    }
    ++producers_done_;
  }

  /// The same for the same key but for its id, as a client does that knows no more.
  NewJob order(const std::string& key) {
    const auto kind_of = std::hash<std::string>{}(key);
    NewJob job;
    job.id = JobId(make_id("job_", clock_, chance_));
    job.owner = Owner{TenantId("t"), UserId("user-" + std::to_string(kind_of % 5))};
    job.kind = "work";
    job.priority = static_cast<JobClass>(kind_of / 5 % kJobClasses);
    job.input = R"({"text":")" + std::string(500, 'x') + R"("})";
    job.key = key;
    job.digest = "digest of " + key;
    job.attempts_max = 1'000'000;
    if (kind_of / 20 % 10 == 0) job.run_at = clock_.wall() + std::chrono::milliseconds(20);
    return job;
  }

  Co<> hand_in(std::string key) {
    for (int tries = 0; tries < kTries; ++tries) {
      auto job = order(key);
      here("before_submit");
      auto submitted = co_await stores_->jobs().submit(std::move(job), 0, soon());
      here("after_submit");
      if (submitted.ok()) {
        say("yes " + key + " " + submitted->id.text());
        if (chance(30)) {
          co_await call_off(submitted->id);
        }
        co_return;
      }
      if (!passing(submitted.error())) {
        say("fault submit: " + submitted.error().detail + submitted.error().reason);
        co_return;
      }
      co_await pause(5ms);
    }
  }

  /// Cancelled, and half of them run again.
  Co<> call_off(JobId id) {
    say("cancel? " + id.text());
    here("before_cancel");
    auto cancelled = co_await stores_->jobs().cancel(std::nullopt, id, soon());
    here("after_cancel");
    if (!cancelled.ok()) co_return;
    say("cancelled " + id.text());
    if (chance(500)) co_return;
    say("retry? " + id.text());
    here("before_retry");
    [[maybe_unused]] auto again = co_await stores_->jobs().retry(std::nullopt, id, 0, soon());
    here("after_retry");
  }

  // Running.

  Co<> work() {
    while (!done_) {
      if (busy_ >= kSlots) {
        [[maybe_unused]] auto rung = co_await slots_->wait_until(clock_.now() + 1s);
        continue;
      }
      Claim claim;
      claim.worker = "worker-" + options_.tag;
      claim.slots = kSlots - busy_;
      claim.lease = kLease;
      here("before_claim");
      auto claimed = co_await stores_->jobs().claim(std::move(claim), Deadline::in(clock_, 200ms));
      here("after_claim");
      if (!claimed.ok()) {
        if (!passing(claimed.error())) say("fault claim: " + claimed.error().detail);
        co_await pause(5ms);
        continue;
      }
      for (auto& one : *claimed) {
        say("run " + one.lease.id.text() + " " + std::to_string(one.lease.token));
        ++busy_;
        ++claimed_;
        spawn(attempt(std::move(one)));
      }
    }
  }

  Co<> attempt(Claimed claimed) {
    const auto fate = claimed.job.job.kind == "work" ? dice_.below(1000) : 999;
    if (fate < 150) {
      co_await fail(claimed.lease);
    } else if (fate < 180) {
      co_await give_back(claimed.lease);
    } else if (fate < 184) {
      co_await pause(kLease + 50ms);
      co_await complete(std::move(claimed));
    } else if (fate < 220) {
      here("before_extend");
      [[maybe_unused]] auto extended =
          co_await stores_->jobs().extend(claimed.lease, kLease, soon());
      here("after_extend");
      co_await pause(3ms);
      co_await complete(std::move(claimed));
    } else {
      co_await complete(std::move(claimed));
    }
    --busy_;
    slots_->ring();
  }

  /// What an attempt does, told apart from what any other attempt of the job does: a further job
  /// and a turn, each with the attempt's number in its name.
  Effects effects_of(const Claimed& claimed) {
    Effects out;
    const NewJob& job = claimed.job.job;
    if (job.kind != "work") return out;
    const std::string name = job.id.text() + "-t" + std::to_string(claimed.lease.token);
    NewJob mark;
    mark.id = JobId(name);
    mark.owner = job.owner;
    mark.kind = "mark";
    mark.batch = job.id.text();
    mark.attempts_max = 1'000'000;
    mark.input = "{}";
    out.follow_ups.push_back(std::move(mark));
    if (options_.store != "sqlite") return out;
    Turn turn;
    turn.conversation = ConversationId("c-" + job.id.text());
    turn.title = "title";
    turn.request = RequestId("r-" + name);
    turn.messages.push_back({MessageId("m-" + name), "assistant", "{}", Tokens{1}, clock_.wall()});
    turn.finished = clock_.wall();
    out.turn = std::move(turn);
    return out;
  }

  Co<> complete(Claimed claimed) {
    const std::string name = claimed.lease.id.text() + " " + std::to_string(claimed.lease.token);
    for (int tries = 0; tries < kTries; ++tries) {
      auto effects = effects_of(claimed);
      here("before_complete");
      auto ended = co_await stores_->jobs().complete(claimed.lease, R"({"done":true})",
                                                     std::move(effects), soon());
      here("after_complete");
      if (ended.ok()) {
        say("done " + name);
        co_return;
      }
      if (ended.error().reason == "stale_lease") {
        say("stale " + name);
        co_return;
      }
      if (!passing(ended.error())) {
        say("fault complete: " + ended.error().detail + ended.error().reason);
        co_return;
      }
      co_await pause(5ms);
    }
  }

  Co<> fail(Lease lease) {
    for (int tries = 0; tries < kTries; ++tries) {
      JobFailure why{"chance", "The dice said so."};
      const Duration again = std::chrono::milliseconds(dice_.below(20));
      here("before_fail");
      auto failed = co_await stores_->jobs().fail(lease, std::move(why), again, soon());
      here("after_fail");
      if (failed.ok() || !passing(failed.error())) co_return;
      co_await pause(5ms);
    }
  }

  Co<> give_back(Lease lease) {
    for (int tries = 0; tries < kTries; ++tries) {
      here("before_give_back");
      auto given = co_await stores_->jobs().give_back(lease, Duration::zero(), soon());
      here("after_give_back");
      if (given.ok() || !passing(given.error())) co_return;
      co_await pause(5ms);
    }
  }

  Co<> tend() {
    while (!done_) {
      auto tended = co_await stores_->jobs().upkeep(soon());
      const Duration next = tended.ok() ? std::min<Duration>(*tended, 50ms) : Duration(20ms);
      if (next > Duration{}) {
        co_await pause(next);
      }
    }
  }

  // The end.

  /// Ends when no job is left to run. The states are read one after the other while jobs move on
  /// from scheduled or running to queued to running, so in that order: a job missed in one is found
  /// in a later one, or was claimed here meanwhile.
  Co<> finish() {
    for (;;) {
      co_await pause(20ms);
      if (busy_ > 0 || (options_.role != "worker" && producers_done_ < kProducers)) continue;
      const std::uint64_t claimed = claimed_;
      bool empty = true;
      for (const JobState state :
           {JobState::scheduled, JobState::running, JobState::queued, JobState::running}) {
        JobFilter filter;
        filter.state = state;
        auto page = co_await stores_->jobs().list(std::move(filter), JobId(), 1, soon());
        empty = empty && page.ok() && page->items.empty();
      }
      if (empty && claimed == claimed_) break;
    }
    done_ = true;
    slots_->ring();
  }

  Options options_;
  RealClock clock_;
  RealRandom chance_;
  SeededRandom dice_;
  std::unique_ptr<Log> log_;
  Metrics metrics_;
  asio::io_context io_{1};
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<Alarm> slots_;
  std::vector<std::string> resend_;
  std::uint64_t die_at_ = 0;
  std::uint64_t passed_ = 0;
  std::uint32_t busy_ = 0;
  std::uint64_t claimed_ = 0;
  int producers_done_ = 0;
  bool done_ = false;
};

}  // namespace
}  // namespace mainstay::faults

int main(int count, char** values) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::map<std::string, std::string> given;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    const auto equals = word.find('=');
    if (equals == std::string::npos) return 64;
    given[word.substr(0, equals)] = word.substr(equals + 1);
  }
  mainstay::faults::Options options;
  options.store = given["store"];
  options.at = given["at"];
  options.role = given["role"];
  options.tag = given["tag"];
  options.claims = given["claims"];
  options.resend = given["resend"];
  options.die = given["die"];
  options.seed = std::stoull(given["seed"]);
  options.finish = given["finish"] == "1";
  return mainstay::faults::Child(std::move(options)).run();
}
