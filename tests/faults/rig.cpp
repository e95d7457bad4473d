// The cycles: who is killed where, what is started again, and the looks at the store.
#include "faults/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

#include "conformance/back_ends.h"
#include "conformance/redis_server.h"
#include "faults/child_process.h"
#include "faults/power_cut.h"
#include "storage/redis/open.h"

namespace mainstay::faults {
namespace {

using namespace std::chrono_literals;
using storage::Ground;
using storage::Job;
using storage::JobId;
using storage::RedisServer;
using storage::TemporaryDir;

/// Where a process of the given role can die of itself.
const std::vector<std::string>& points_of(const std::string& role) {
  static const std::vector<std::string> kProducer = {
      "before_submit", "after_submit", "before_cancel",
      "after_cancel",  "before_retry", "after_retry",
  };
  static const std::vector<std::string> kWorker = {
      "before_claim", "after_claim",   "before_complete",  "after_complete",  "before_fail",
      "after_fail",   "before_extend", "before_give_back", "after_give_back", "after_extend",
  };
  static const std::vector<std::string> kBoth = [] {
    auto all = kProducer;
    all.insert(all.end(), kWorker.begin(), kWorker.end());
    return all;
  }();
  return role == "producer" ? kProducer : role == "worker" ? kWorker : kBoth;
}
const std::vector<std::string> kDiskPoints = {"before_write", "after_write", "before_sync",
                                              "after_sync"};

/// How often a point is passed before the process dies there: seldom ones are passed seldom.
std::uint64_t times_of(const std::string& point, Random& dice) {
  for (const char* seldom : {"cancel", "retry", "extend", "give_back"}) {
    if (point.ends_with(seldom)) return 1 + dice.below(3);
  }
  if (point.ends_with("_write") || point.ends_with("_sync")) return 1 + dice.below(150);
  return 1 + dice.below(point.ends_with("fail") ? 12 : 60);
}

std::vector<Job> all_jobs(Ground& ground, storage::JobStore& jobs) {
  std::vector<Job> out;
  JobId last;
  for (bool more = true; more;) {
    auto page = ground.run(jobs.list({}, last, 500, ground.soon()));
    if (!page.ok()) throw std::runtime_error("cannot list: " + page.error().detail);
    for (auto& job : page->items) out.push_back(std::move(job));
    more = page->more && !out.empty();
    if (!out.empty()) last = out.back().job.id;
  }
  return out;
}

/// The messages of a succeeded job's conversation: one, however often it ran.
void hold_turns(Ground& ground, storage::Stores& stores, const std::vector<Job>& all,
                Truth& truth) {
  for (const auto& job : all) {
    if (job.job.kind != "work" || job.state != storage::JobState::succeeded) continue;
    const ConversationId conversation("c-" + job.job.id.text());
    auto found = ground.run(
        stores.conversations().messages(job.job.owner, conversation, {}, 10, ground.soon()));
    const std::size_t turns = found.ok() ? found->size() : 0;
    if (turns == 1) continue;
    turns == 0 ? ++truth.report.lost : truth.report.twice += turns - 1;
    truth.fault(job.job.id.text() + " has " + std::to_string(turns) + " turns");
  }
}

/// What both kinds of cycles share: starting children, hearing them, their kills.
class Cycles {
 public:
  Cycles(const Plan& plan, std::string store)
      : plan_(plan), store_(std::move(store)), dice_(plan.seed), dir_(plan.folder) {
    std::filesystem::create_directory(undo());
  }

 protected:
  std::string undo() const { return dir_.path() + "/undo"; }
  std::string data() const { return dir_.path() + "/data"; }

  std::unique_ptr<ChildProcess> start(const std::string& role, const std::string& at,
                                      const std::string& die, std::vector<std::string> more,
                                      bool finish = false) {
    const std::string keys = dir_.path() + "/keys";
    if (role != "worker") {
      std::ofstream out(keys);
      for (const auto& key : truth_.unanswered()) out << key << "\n";
    }
    const std::string tag = store_ + std::to_string(++started_);
    return std::make_unique<ChildProcess>(
        JOBS_CHILD,
        std::vector<std::string>{"store=" + store_, "at=" + at, "role=" + role, "tag=" + tag,
                                 "claims=" + plan_.claims, "resend=" + keys, "die=" + die,
                                 "seed=" + std::to_string(dice_.next() >> 1),
                                 std::string("finish=") + (finish ? "1" : "0")},
        std::move(more));
  }
  /// A point of this role with how often it is passed.
  std::string point(const std::vector<std::string>& points) {
    const std::string& one = points[dice_.below(points.size())];
    return one + ":" + std::to_string(times_of(one, dice_));
  }
  std::vector<std::string> disk(const std::string& folder, const std::string& die) const {
    std::vector<std::string> out{"LD_PRELOAD=" DISK_SHIM, "MAINSTAY_DISK=" + folder,
                                 "ASAN_OPTIONS=verify_asan_link_order=0"};
    if (plan_.power) out.push_back("MAINSTAY_DISK_UNDO=" + undo());
    if (!die.empty()) out.push_back("MAINSTAY_DISK_DIE=" + die);
    if (plan_.disk_lies) out.emplace_back("MAINSTAY_DISK_LIES=1");
    return out;
  }
  void cut_power(const std::string& folder) {
    const auto lost = PowerCut::cut(folder, undo(), dice_, truth_.report.kills % 2 == 0);
    truth_.report.lost_writes += lost.undone;
  }
  void killed_at(const std::string& point) {
    ++truth_.report.kills;
    ++truth_.report.kills_at[point.substr(0, point.find(':'))];
    if (plan_.talk && truth_.report.kills % 100 == 0) {
      std::fprintf(stderr, "%s: %s\n", store_.c_str(), truth_.report.text().c_str());
    }
  }
  TimePoint now() { return ground_.clock.now(); }
  /// Hears a child that ends by itself; a fault when it does not within a minute.
  void hear_to_the_end(ChildProcess& child) {
    const TimePoint until = now() + 60s;
    const auto hear = [&](const std::string& line) { truth_.hear(line); };
    while (child.read(hear)) {
      pollfd one{child.out(), POLLIN, 0};
      ::poll(&one, 1, 100);
      if (now() < until) continue;
      truth_.fault("the last process did not come to an end");
      child.kill();
    }
    if (child.wait() != 0) truth_.fault("the last process was killed");
  }

  const Plan plan_;
  const std::string store_;
  SeededRandom dice_;
  TemporaryDir dir_;
  Ground ground_;
  Truth truth_;
  std::uint64_t started_ = 0;
};

class OnSqlite : public Cycles {
 public:
  explicit OnSqlite(const Plan& plan) : Cycles(plan, "sqlite") {}

  Report run() {
    for (int n = 1; n <= plan_.cycles; ++n) {
      one();
      if (n % plan_.look_each == 0) look(false);
    }
    auto last = start("both", data(), "", {}, true);
    hear_to_the_end(*last);
    look(true);
    return truth_.report;
  }

 private:
  /// One life: it dies at its point, or after a while wherever it is.
  void one() {
    const auto way = dice_.below(3);
    std::string die, disk_die;
    if (way == 0) die = point(points_of("both"));
    if (way == 1) disk_die = point(kDiskPoints);
    std::vector<std::string> more;
    if (plan_.power || way == 1) more = disk(data(), disk_die);
    auto child = start("both", data(), die, std::move(more));
    TimePoint until = now() + 20s;  // of the start, at most
    const Duration life = std::chrono::milliseconds(20 + dice_.below(200));
    const auto hear = [&](const std::string& line) {
      if (line == "up") until = now() + life;
      truth_.hear(line);
    };
    bool in_time = false;
    while (child->read(hear)) {
      if (now() >= until) {
        in_time = true;
        child->kill();
        continue;
      }
      pollfd one{child->out(), POLLIN, 0};
      ::poll(&one, 1, static_cast<int>(millis(until - now())) + 1);
    }
    if (child->wait() != SIGKILL) truth_.fault("a process ended before it was killed");
    killed_at(in_time ? "any moment" : die + disk_die);
    if (plan_.power) cut_power(data());
  }

  void look(bool at_the_end) {
    auto stores = ground_.open(data());
    if (!stores.ok()) {
      truth_.fault("cannot be opened: " + stores.error().detail);
      return;
    }
    const auto all = all_jobs(ground_, (*stores)->jobs());
    truth_.hold_against(all, at_the_end);
    if (at_the_end) hold_turns(ground_, **stores, all, truth_);
    [[maybe_unused]] auto closed = (*stores)->close();
  }
};

/// A port that nobody listens on.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(where);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&where), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(where.sin_port);
}

class OnRedis : public Cycles {
 public:
  explicit OnRedis(const Plan& plan) : Cycles(plan, "redis"), port_(free_port()) {
    std::filesystem::create_directory(data());
    start_server();
    for (std::size_t i = 0; i < kRoles.size(); ++i) start_role(i);
  }

  Report run() {
    for (int n = 1; n <= plan_.cycles; ++n) one();
    for (auto& child : children_) {
      child.process->kill();
      hear(child);
    }
    server_.reset();
    start_server(false);
    auto last = start("both", url(), "", {}, true);
    hear_to_the_end(*last);
    look();
    return truth_.report;
  }

 private:
  struct Running {
    std::unique_ptr<ChildProcess> process;
    std::string die;
  };
  static inline const std::vector<std::string> kRoles = {"producer", "worker", "worker"};

  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  /// The server's files are in a folder of ours, which outlives its object.
  void start_server(bool may_die = true) {
    server_die_ = may_die && dice_.below(3) == 0 ? point(kDiskPoints) : "";
    for (const auto& setting : disk(data(), server_die_)) {
      const auto equals = setting.find('=');
      ::setenv(setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str(), 1);
    }
    const std::vector<std::string> options{
        "--port", std::to_string(port_), "--bind", "127.0.0.1", "--dir", data()};
    try {
      server_ = std::make_unique<RedisServer>(options);
    } catch (const std::runtime_error&) {
      server_.reset();  // it died at its point before it was up
    }
    for (const char* name : {"LD_PRELOAD", "MAINSTAY_DISK", "MAINSTAY_DISK_UNDO",
                             "MAINSTAY_DISK_DIE", "ASAN_OPTIONS"}) {
      ::unsetenv(name);
    }
  }
  void start_role(std::size_t i) {
    if (children_.size() <= i) children_.resize(i + 1);
    auto& child = children_[i];
    child.die = plan_.power || dice_.below(3) == 0 ? "" : point(points_of(kRoles[i]));
    child.process = start(kRoles[i], url(), child.die, {});
  }
  bool hear(Running& child) {
    return child.process->read([&](const std::string& line) { truth_.hear(line); });
  }

  /// Until somebody has died of itself, or a while has passed and somebody is killed.
  void one() {
    const TimePoint until = now() + std::chrono::milliseconds(40 + dice_.below(160));
    for (;;) {
      std::vector<pollfd> all;
      for (std::size_t i = 0; i < children_.size(); ++i) {
        if (!hear(children_[i])) {
          if (children_[i].process->wait() != SIGKILL) truth_.fault("a process ended by itself");
          killed_at(kRoles[i] + " " + children_[i].die);
          start_role(i);
          return;
        }
        all.push_back({children_[i].process->out(), POLLIN, 0});
      }
      if (!server_ || !server_->running()) return server_died(server_die_);
      if (now() >= until) break;
      ::poll(all.data(), all.size(), 10);
    }
    const auto whom = dice_.below(4);
    if (plan_.power || whom == 3) return server_died("any moment");
    auto& child = children_[whom];
    child.process->kill();
    hear(child);
    killed_at(kRoles[whom] + " any moment");
    start_role(whom);
  }
  void server_died(const std::string& where) {
    std::string died_at = where;
    for (int starts = 1;; ++starts) {
      server_.reset();
      killed_at("server " + died_at);
      if (plan_.power) cut_power(data());
      // Killed again while it made its file anew, it wants the tail mended as an operator does it.
      if (starts > 3) mend();
      start_server(starts < 3);
      if (server_) return;
      died_at = server_die_.empty() ? "that did not start" : server_die_;
      if (starts > 6) throw std::runtime_error("the server does not start again");
    }
  }
  void mend() {
    ++truth_.report.mended;
    for (const auto& file : std::filesystem::directory_iterator(data() + "/appendonlydir")) {
      if (!file.path().string().ends_with(".manifest")) continue;
      const std::string line = "yes | redis-check-aof --fix " + file.path().string() + " >&2";
      if (std::system(line.c_str()) != 0) truth_.fault("redis-check-aof could not mend the file");
    }
  }

  void look() {
    StorageSettings storage;
    storage.redis_url = url();
    auto stores = storage::redis::open(storage, RedisSettings{}, {ground_.limits, {}},
                                       ground_.clock, ground_.random, *ground_.log, ground_.metrics,
                                       storage::memory::open(ground_.clock));
    if (!stores.ok()) {
      truth_.fault("cannot be opened: " + stores.error().detail);
      return;
    }
    truth_.hold_against(all_jobs(ground_, (*stores)->jobs()), true);
    [[maybe_unused]] auto closed = (*stores)->close();
  }

  const int port_;
  std::unique_ptr<RedisServer> server_;
  std::string server_die_;
  std::vector<Running> children_;
};

}  // namespace

Report kill_on_sqlite(const Plan& plan) {
  return OnSqlite(plan).run();
}

Report kill_on_redis(const Plan& plan) {
  return OnRedis(plan).run();
}

}  // namespace mainstay::faults
