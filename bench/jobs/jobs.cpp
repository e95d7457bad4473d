// The whole life of jobs in one process: submitted with a key, claimed, completed with the fence,
// result stored; closed loop with a given number outstanding, or at a given rate. Prints one JSON
// object for each number; bench/suites reads them.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../tools/arguments.h"
#include "../tools/histogram.h"
#include "storage/memory/open.h"
#include "storage/redis/open.h"
#include "storage/sqlite/open.h"

namespace {
std::atomic<std::uint64_t> syncs{0};
}

// The storage library calls these: counted, then done.
extern "C" int fdatasync(int fd) {
  syncs.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
  syncs.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace mainstay::bench {
namespace {

using namespace std::chrono_literals;
using storage::Claim;
using storage::Claimed;
using storage::JobStore;

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "jobs: %s\n", what.c_str());
  std::exit(1);
}

void ended(std::exception_ptr thrown) {
  if (thrown) stop("a coroutine threw");
}

struct Options {
  std::string store;
  std::string dir;
  std::string claims;
  double seconds = 3;
  double warm = 0.5;
  double rate = 0;  ///< jobs a second; 0: as fast as they end
  std::size_t payload = 512;
  std::size_t owners = 16;
  std::size_t keep_seconds = 86'400;
  std::string url;          ///< of the Redis server
  std::string durability;   ///< what its append-only file does
  long server = 0;          ///< its process, whose CPU time counts too
  std::uint64_t wakes = 0;  ///< single submits to an idle worker, instead of a closed loop
  double idle = 0;          ///< seconds in which a worker waits and nothing comes
};

/// Of another process; 0 without one.
double cpu_seconds_of(long pid) {
  if (pid <= 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::stringstream rest(text.substr(end + 2));
  std::string word;
  for (int field = 3; field < 14; ++field) rest >> word;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) / double(::sysconf(_SC_CLK_TCK));
}

double cpu_seconds(long server) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return of(usage.ru_utime) + of(usage.ru_stime) + cpu_seconds_of(server);
}

/// How often a thread of this process has gone to sleep: what polls does it again and again.
std::uint64_t sleeps() {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) sum += std::stoull(line.substr(24));
    }
  }
  return sum;
}

/// The store under test with what it stands on.
struct Ground {
  explicit Ground(const Options& options) {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    StorageSettings settings;
    settings.job_claims = options.claims;
    storage::JobLimits limits;
    limits.depth_high = 1'000'000;
    limits.depth_low = 900'000;
    limits.keep_results = std::chrono::seconds(options.keep_seconds);
    limits.keep_keys = limits.keep_results;
    auto opened = open(options, settings, limits);
    if (!opened.ok()) stop(opened.error().detail);
    stores = std::move(*opened);
  }
  Result<std::unique_ptr<storage::Stores>> open(const Options& options, StorageSettings& settings,
                                                const storage::JobLimits& limits) {
    if (options.store == "sqlite") {
      return storage::sqlite::open(settings, options.dir, clock, random, *log, metrics, limits);
    }
    if (options.store != "redis") stop("no such store: " + options.store);
    settings.redis_url = options.url;
    settings.redis_durability = options.durability;
    return storage::redis::open(settings, RedisSettings{}, {limits, {}}, clock, random, *log,
                                metrics, storage::memory::open(clock));
  }
  RealClock clock;
  RealRandom random;
  std::unique_ptr<Log> log;
  Metrics metrics;
  std::unique_ptr<storage::Stores> stores;
};

/// One measured run on one loop.
class Run {
 public:
  Run(Ground& ground, const Options& options, std::size_t outstanding)
      : ground_(ground),
        options_(options),
        jobs_(ground.stores->jobs()),
        outstanding_(outstanding),
        input_("{\"text\":\"" + std::string(options.payload - 11, 'x') + "\"}"),
        slots_(ground.clock.alarm(io_.get_executor())) {}

  void go() {
    begin_ = ground_.clock.now() + seconds_of(options_.warm);
    end_ = begin_ + seconds_of(options_.seconds);
    for (std::size_t i = 0; i < outstanding_; ++i) {
      submitters_.push_back(std::make_unique<Submitter>(ground_.clock.alarm(io_.get_executor())));
      asio::co_spawn(io_.get_executor(), options_.rate > 0 ? submit_often(i) : submit(i), ended);
    }
    asio::co_spawn(io_.get_executor(), work(), ended);
    asio::co_spawn(io_.get_executor(), tend(), ended);
    asio::co_spawn(io_.get_executor(), measure(), ended);
    io_.run();
  }

 private:
  struct Submitter {
    explicit Submitter(std::unique_ptr<Alarm> a) : alarm(std::move(a)) {}
    std::unique_ptr<Alarm> alarm;
    TimePoint started;
  };
  static Duration seconds_of(double s) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
  }
  bool counts(TimePoint now) const { return now >= begin_ && now < end_; }

  storage::NewJob next_job(std::size_t submitter) {
    storage::NewJob job;
    job.id = storage::JobId(make_id("job_", ground_.clock, ground_.random));
    job.owner.tenant = TenantId("default");
    job.owner.user = UserId("user-" + std::to_string(submitter % options_.owners));
    job.kind = "bench";
    job.client = std::to_string(submitter);
    job.input = input_;
    job.key = make_id("", ground_.clock, ground_.random);
    job.digest = "digest-of-the-request";
    return job;
  }

  Co<> submit(std::size_t i) {
    const TimePoint started = ground_.clock.now();
    submitters_[i]->started = started;
    auto submitted = co_await jobs_.submit(next_job(i), 0, Deadline(started + 30s));
    if (!submitted.ok()) stop("submit: " + submitted.error().detail);
    const TimePoint now = ground_.clock.now();
    if (counts(now)) submit_.add((now - started).count());
  }

  /// At a rate: each submitter's next job at its time, and not before the last one has ended.
  Co<> submit_often(std::size_t i) {
    const double each = double(outstanding_) / options_.rate;
    TimePoint due = ground_.clock.now() + seconds_of(each * double(i) / double(outstanding_));
    while (ground_.clock.now() < end_) {
      [[maybe_unused]] auto slept = co_await submitters_[i]->alarm->wait_until(due);
      due += seconds_of(each);
      co_await submit(i);
      [[maybe_unused]] auto rung = co_await submitters_[i]->alarm->wait_until(TimePoint::max());
    }
    over();
  }

  /// As fast as they end: who completes a job submits its submitter's next one.
  Co<> complete(Claimed claimed) {
    const auto who = static_cast<std::size_t>(std::stoul(claimed.job.job.client));
    auto completed = co_await jobs_.complete(std::move(claimed.lease), R"({"ok":true})",
                                             storage::Effects(), soon());
    if (!completed.ok()) stop("complete: " + completed.error().detail);
    const TimePoint now = ground_.clock.now();
    Submitter& of = *submitters_[who];
    if (counts(now)) {
      whole_.add((now - of.started).count());
      ++jobs_done_;
    }
    --busy_;
    if (full_) slots_->ring();
    if (options_.rate > 0) {
      of.alarm->ring();
    } else if (now < end_) {
      co_await submit(who);
    } else {
      over();
    }
  }

  void over() {
    if (--running_submitters_ == 0) done_ = true;
  }

  Co<> work() {
    Claim form;
    form.worker = "worker-1";
    form.lease = 30s;
    while (!done_) {
      full_ = busy_ >= outstanding_;
      if (full_) {
        [[maybe_unused]] auto rung = co_await slots_->wait_until(ground_.clock.now() + 1s);
        continue;
      }
      Claim claim = form;
      claim.slots = static_cast<std::uint32_t>(outstanding_ - busy_);
      auto claimed = co_await jobs_.claim(std::move(claim), Deadline::in(ground_.clock, 300ms));
      if (!claimed.ok()) stop("claim: " + claimed.error().detail);
      busy_ += claimed->size();
      for (auto& one : *claimed) {
        asio::co_spawn(io_.get_executor(), complete(std::move(one)), ended);
      }
    }
  }

  Co<> tend() {
    auto alarm = ground_.clock.alarm(io_.get_executor());
    while (!done_) {
      auto tended = co_await jobs_.upkeep(soon());
      if (!tended.ok()) stop("upkeep: " + tended.error().detail);
      const Duration next = std::min<Duration>(*tended, 100ms);
      if (next == Duration{}) continue;
      [[maybe_unused]] auto slept = co_await alarm->wait_until(ground_.clock.now() + next);
    }
  }

  Co<> measure() {
    auto alarm = ground_.clock.alarm(io_.get_executor());
    [[maybe_unused]] auto warm = co_await alarm->wait_until(begin_);
    const double cpu = cpu_seconds(options_.server);
    const auto commits = ground_.stores->figures().commits;
    const auto synced = syncs.load();
    [[maybe_unused]] auto finished = co_await alarm->wait_until(end_);
    const double n = double(std::max<std::uint64_t>(jobs_done_, 1));
    std::printf(
        "{\"store\":\"%s\",\"claims\":\"%s\",\"outstanding\":%zu,\"rate\":%.0f,\"jobs\":%llu,"
        "\"jobs_s\":%.1f,"
        "\"submit_p50_ms\":%.3f,\"submit_p99_ms\":%.3f,\"end_p50_ms\":%.3f,\"end_p99_ms\":%.3f,"
        "\"cpu_us\":%.2f,\"commits_per_job\":%.4f,\"syncs_per_job\":%.4f}\n",
        options_.store.c_str(), options_.claims.c_str(), outstanding_, options_.rate,
        static_cast<unsigned long long>(jobs_done_), n / options_.seconds, submit_.at_us(0.5) / 1e3,
        submit_.at_us(0.99) / 1e3, whole_.at_us(0.5) / 1e3, whole_.at_us(0.99) / 1e3,
        (cpu_seconds(options_.server) - cpu) * 1e6 / n,
        double(ground_.stores->figures().commits - commits) / n, double(syncs.load() - synced) / n);
    std::fflush(stdout);
  }

  Deadline soon() { return Deadline::in(ground_.clock, 30s); }

  Ground& ground_;
  const Options& options_;
  JobStore& jobs_;
  const std::size_t outstanding_;
  asio::io_context io_{1};
  const std::string input_;
  std::unique_ptr<Alarm> slots_;
  std::vector<std::unique_ptr<Submitter>> submitters_;
  std::size_t running_submitters_ = outstanding_;
  std::size_t busy_ = 0;
  bool full_ = false;  ///< the worker waits for one of its jobs to end
  bool done_ = false;
  TimePoint begin_;
  TimePoint end_;
  Histogram submit_;
  Histogram whole_;
  std::uint64_t jobs_done_ = 0;
};

/// One job at a time to a worker that waits, and how long it waits when nothing comes.
class Waiting {
 public:
  Waiting(Ground& ground, const Options& options)
      : ground_(ground),
        options_(options),
        jobs_(ground.stores->jobs()),
        next_(ground.clock.alarm(io_.get_executor())) {}

  void go() {
    asio::co_spawn(io_.get_executor(), work(), ended);
    asio::co_spawn(io_.get_executor(), options_.idle > 0 ? rest() : submit_singly(), ended);
    io_.run();
  }

 private:
  /// Longer than any timer of the stores, so that a claim that is not woken shows.
  static constexpr Duration kAtMost = 10s;
  /// Sooner than the soonest timer that could wake a worker instead of the submission itself: what
  /// has begun is on the disk after 50 ms.
  static constexpr Duration kTimer = 40ms;

  Co<> submit_singly() {
    auto& all = delays_;
    for (std::uint64_t n = 0; n < options_.wakes; ++n) {
      storage::NewJob job;
      job.id = storage::JobId(make_id("job_", ground_.clock, ground_.random));
      job.owner.tenant = TenantId("default");
      job.owner.user = UserId("user");
      job.kind = "bench";
      job.input = R"({"text":")" + std::string(options_.payload - 11, 'x') + R"("})";
      begun_ = {};
      completed_ = false;
      auto submitted = co_await jobs_.submit(std::move(job), 0, soon());
      if (!submitted.ok()) stop("submit: " + submitted.error().detail);
      const TimePoint answered = ground_.clock.now();
      while (!completed_) {
        [[maybe_unused]] auto rung = co_await next_->wait_until(ground_.clock.now() + 1s);
      }
      // Both are told after the same commit: the worker may be the first to hear of it.
      const Duration took = std::max(begun_ - answered, Duration{});
      all.add(took.count());
      late_ += took > kTimer;
    }
    std::printf(
        "{\"store\":\"%s\",\"wakes\":%llu,\"late\":%llu,\"timeouts\":%llu,"
        "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        options_.store.c_str(), static_cast<unsigned long long>(options_.wakes),
        static_cast<unsigned long long>(late_), static_cast<unsigned long long>(timeouts_),
        all.at_us(0.5) / 1e3, all.at_us(0.99) / 1e3, all.max_us() / 1e3);
    std::fflush(stdout);
    stop_working();
  }

  Co<> rest() {
    auto alarm = ground_.clock.alarm(io_.get_executor());
    [[maybe_unused]] auto settled = co_await alarm->wait_until(ground_.clock.now() + 1s);
    const auto before = sleeps();
    const double cpu = cpu_seconds(0);
    const auto length =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.idle));
    [[maybe_unused]] auto over = co_await alarm->wait_until(ground_.clock.now() + length);
    std::printf("{\"store\":\"%s\",\"idle_s\":%.1f,\"sleeps\":%llu,\"cpu_ms\":%.2f}\n",
                options_.store.c_str(), options_.idle,
                static_cast<unsigned long long>(sleeps() - before), (cpu_seconds(0) - cpu) * 1e3);
    std::fflush(stdout);
    stop_working();
  }

  /// The claim that waits is let go with the loop, which outlives the store's threads.
  void stop_working() {
    done_ = true;
    [[maybe_unused]] auto closed = ground_.stores->close();
    io_.stop();
  }

  Co<> work() {
    while (!done_) {
      Claim claim;
      claim.worker = "worker-1";
      claim.lease = 30s;
      const Duration most = options_.idle > 0 ? Duration(1h) : kAtMost;
      auto claimed = co_await jobs_.claim(std::move(claim), Deadline::in(ground_.clock, most));
      if (!claimed.ok()) stop("claim: " + claimed.error().detail);
      timeouts_ += claimed->empty();
      for (auto& one : *claimed) {
        begun_ = ground_.clock.now();
        storage::Effects none;
        auto completed =
            co_await jobs_.complete(std::move(one.lease), "{}", std::move(none), soon());
        if (!completed.ok()) stop("complete: " + completed.error().detail);
        completed_ = true;
      }
      next_->ring();
    }
  }

  Deadline soon() { return Deadline::in(ground_.clock, 30s); }

  Ground& ground_;
  const Options& options_;
  JobStore& jobs_;
  asio::io_context io_{1};
  std::unique_ptr<Alarm> next_;
  TimePoint begun_;
  bool completed_ = false;
  bool done_ = false;
  std::uint64_t late_ = 0;
  std::uint64_t timeouts_ = 0;
  Histogram delays_;
};

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(
      argc, argv,
      "jobs [--store sqlite|redis] [--dir DIR] [--url URL] [--durability always|everysec] "
      "[--server PID] [--outstanding 1,16,256,1024] [--seconds S] [--rate N] [--payload BYTES] "
      "[--owners N] [--claims lazy|strict] [--keep SECONDS] [--wakes N] [--idle SECONDS]");
  Options options;
  options.store = arguments.text("store", "sqlite");
  options.claims = arguments.text("claims", "lazy");
  options.seconds = arguments.number("seconds", 3);
  options.rate = arguments.number("rate", 0);
  options.payload = std::size_t(std::max(11.0, arguments.number("payload", 512)));
  options.owners = std::size_t(std::max(1.0, arguments.number("owners", 16)));
  options.keep_seconds = std::size_t(arguments.number("keep", 86'400));
  options.url = arguments.text("url", "redis://127.0.0.1:6379");
  options.durability = arguments.text("durability", "always");
  options.server = long(arguments.number("server", 0));
  options.wakes = std::uint64_t(arguments.number("wakes", 0));
  options.idle = arguments.number("idle", 0);
  const std::string base = arguments.text("dir", "/var/tmp");
  std::stringstream numbers(arguments.text("outstanding", "1,16,256,1024"));
  for (std::string number; std::getline(numbers, number, ',');) {
    std::string form = base + "/mainstay-bench-jobs-XXXXXX";
    if (::mkdtemp(form.data()) == nullptr) stop("cannot make a directory in " + base);
    options.dir = form + "/data";
    {
      Ground ground(options);
      if (options.wakes > 0 || options.idle > 0) {
        Waiting(ground, options).go();
      } else {
        Run(ground, options, std::size_t(std::stoul(number))).go();
      }
      [[maybe_unused]] auto closed = ground.stores->close();
    }
    std::error_code ignored;
    std::filesystem::remove_all(form, ignored);
  }
  return 0;
}
