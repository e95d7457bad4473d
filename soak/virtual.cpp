// Days of work on the fake clock: a town of callers by day and night, rushes at every hour, people
// who leave, and then silence. Whatever the program remembers of them must be gone afterwards: who
// waits, works, has a session, has used up a quota, has an answer in the cache, and the heap
// itself. Built and started by soak/virtual; exits with 1 when something stays.
#include <malloc.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "admission/admission.h"
#include "api/sessions.h"
#include "base/random.h"
#include "base/sim_clock.h"
#include "models/cache.h"

namespace mainstay::soak {
namespace {

using namespace std::chrono_literals;

struct Plan {
  int rounds = 4;
  double rate = 12;  ///< arrivals a second, over a whole day
  std::uint64_t seed = 1;
};

/// One visit. It is in the town's list from its arrival to its end.
struct Visit {
  admission::Caller caller;
  std::string address;
  models::CacheKey question;
  std::size_t answer_bytes = 0;
  Duration service{};
  Duration patience{};
  std::uint64_t tokens = 0;
  asio::cancellation_signal leaves;
  std::list<Visit>::iterator place;
};

struct Town {
  explicit Town(const Plan& plan) : plan(plan), random(plan.seed) {
    LimitSettings& limits = settings.limits;
    limits.concurrent_max = 64;
    limits.user.concurrent = 8;
    limits.user.tokens_per_minute = 60'000;
    limits.user.tokens_per_day = 2'000'000;
    limits.key.concurrent = 40;
    limits.address.requests_per_minute = 600;
    limits.model.tokens_per_minute = 4'000'000;
    settings.cache.stale_if_error = true;
    door.emplace(settings, clock, metrics);
    sessions.emplace(settings.sessions.sessions_max);
    cache.emplace(settings.cache, metrics);
  }
  double uniform() { return (double(random.next() >> 11) + 0.5) / 9007199254740992.0; }
  Duration about(Duration mean) {
    return std::chrono::duration_cast<Duration>(mean * -std::log(uniform()));
  }

  const Plan plan;
  SeededRandom random;
  asio::io_context io;
  SimClock clock{io};
  Settings settings;
  Metrics metrics;
  std::optional<admission::Admission> door;
  std::optional<api::Sessions> sessions;
  std::optional<models::ResponseCache> cache;
  std::list<Visit> visits;
  std::list<Visit> gone;  ///< ended; freed outside of their own callbacks
  std::map<std::string, std::uint64_t> ends;
  std::uint64_t arrived = 0;
  std::uint64_t ended = 0;
};

/// What is held at one moment.
struct Held {
  std::uint64_t visits = 0;
  std::uint64_t permits = 0;
  std::uint64_t waiting = 0;
  std::uint64_t queue_users = 0;
  std::uint64_t limited = 0;  ///< users, keys, addresses, models remembered
  std::uint64_t sessions = 0;
  std::uint64_t cached = 0;
  std::uint64_t cached_bytes = 0;
};

std::uint64_t figure(const Metrics& metrics, const std::string& name) {
  const std::string text = metrics.text();
  const auto found = text.find("\n" + name + " ");
  if (found == std::string::npos) return 0;
  return std::strtoull(text.c_str() + found + name.size() + 2, nullptr, 10);
}

Held held(const Town& town) {
  Held out;
  out.visits = town.visits.size();
  out.permits = town.door->permits().in_use();
  out.waiting = town.door->permits().waiting();
  out.queue_users = town.door->permits().users();
  out.limited = figure(town.metrics, "mainstay_admission_users");
  out.sessions = town.sessions->figures().active;
  out.cached = town.cache->entries();
  out.cached_bytes = town.cache->bytes();
  return out;
}

void raise(Held& most, const Held& now) {
  most.visits = std::max(most.visits, now.visits);
  most.permits = std::max(most.permits, now.permits);
  most.waiting = std::max(most.waiting, now.waiting);
  most.queue_users = std::max(most.queue_users, now.queue_users);
  most.limited = std::max(most.limited, now.limited);
  most.sessions = std::max(most.sessions, now.sessions);
  most.cached = std::max(most.cached, now.cached);
  most.cached_bytes = std::max(most.cached_bytes, now.cached_bytes);
}

std::string end_of(const Error& error) {
  return error.reason.empty() ? std::string(name(error.code)) : error.reason;
}

Co<std::string> visit(Town& town, Visit& me) {
  const auto& owner = me.caller.owner;
  town.sessions->touch(owner.tenant.text(), owner.user.text(), town.clock.now());
  auto view = town.door->count(me.caller, me.address);
  if (!view.allowed) co_return end_of(admission::Admission::refusal(view));
  const admission::Estimate estimate{.prompt_bytes = 400, .answer = me.tokens};
  auto reserved = town.door->reserve(me.caller, view, me.address, "model", estimate);
  if (!reserved.ok()) co_return end_of(reserved.error());
  const auto kept = town.cache->find(me.question, town.clock.now(), std::nullopt);
  if (kept.answer) {
    reserved->settle(0);
    co_return "from the cache";
  }
  const Deadline by = Deadline::in(town.clock, me.patience);
  const admission::Wish wish{admission::Priority::interactive, me.tokens};
  auto permit = co_await town.door->enter(me.caller, wish, by);
  if (!permit.ok()) co_return end_of(permit.error());
  auto slept = co_await sleep(town.clock, me.service);
  if (!slept) co_return "left while it was answered";
  reserved->settle(me.tokens / 2);
  models::CachedAnswer answer;
  answer.body.assign(me.answer_bytes, 'a');
  answer.provider = "provider";
  answer.model = "model";
  answer.tenant = owner.tenant;
  answer.stored = town.clock.now();
  answer.cost = me.service;
  town.cache->put(me.question, std::move(answer));
  co_return "answered";
}

/// Every second caller is never seen again; the others are five hundred regulars, a few of whom ask
/// for more than is theirs. Two of five questions have been asked before.
void describe(Town& town, Visit& me) {
  const bool regular = town.random.below(2) == 0;
  const bool greedy = town.random.below(10) == 0;
  const auto who = !regular ? town.arrived + 1'000 : town.random.below(greedy ? 2 : 500);
  me.caller.owner = {TenantId("t-" + std::to_string(who % 7)), UserId("u-" + std::to_string(who))};
  if (regular && who % 2 == 0) me.caller.key = "key-" + std::to_string(who % 20);
  me.address = std::to_string(regular ? who % 100 : town.random.next());
  const auto question =
      town.random.below(5) < 2 ? town.random.below(300) : town.random.next() | (1ULL << 63);
  std::memcpy(me.question.bytes.data(), &question, sizeof question);
  me.answer_bytes = 200 + town.random.below(6'000);
  me.service = town.about(4s);
  me.patience = 1s + town.about(15s);
  me.tokens = 50 + town.random.below(2'000);
}

void arrive(Town& town) {
  Visit& me = town.visits.emplace_back();
  me.place = std::prev(town.visits.end());
  ++town.arrived;
  describe(town, me);
  asio::co_spawn(town.io.get_executor(), visit(town, me),
                 asio::bind_cancellation_slot(
                     me.leaves.slot(), [&town, &me](std::exception_ptr thrown, std::string end) {
                       ++town.ends[thrown ? "left" : end];
                       ++town.ended;
                       town.gone.splice(town.gone.end(), town.visits, me.place);
                     }));
  if (town.random.below(30) != 0) return;  // somebody leaves: the first, or one of the last
  auto leaver = town.visits.begin();
  if (town.random.below(2) == 0) {
    leaver = town.visits.end();
    for (auto back = town.random.below(12) + 1; back > 0 && leaver != town.visits.begin(); --back) {
      --leaver;
    }
  }
  leaver->leaves.emit(asio::cancellation_type::terminal);
}

/// As app does each minute.
void sweep(Town& town) {
  town.gone.clear();
  town.door->reclaim();
  while (town.sessions->expire(town.clock.now(), town.settings.sessions.idle_timeout) > 0) {
  }
  town.cache->expire(town.clock.now());
}

/// Nothing at night, twice the mean at noon, and four times more in the first minute of each hour.
double rate_at(const Plan& plan, Duration since_midnight) {
  const double day = std::chrono::duration<double>(since_midnight) / 24h;
  const double hour = std::fmod(day * 24, 1.0);
  const double rush = hour < 1.0 / 60 ? 4 : 1;
  return plan.rate * rush * (1 - std::cos(2 * 3.14159265358979 * day)) + 1e-6;
}

void work_a_day(Town& town, Held& most) {
  const TimePoint begin = town.clock.now();
  TimePoint next_sweep = begin + 1min;
  while (town.clock.now() - begin < 24h) {
    const double rate = rate_at(town.plan, town.clock.now() - begin);
    const Duration gap = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(-std::log(town.uniform()) / rate));
    town.clock.advance(std::min<Duration>(gap, next_sweep - town.clock.now()));
    if (town.clock.now() < next_sweep) {
      arrive(town);
      continue;
    }
    raise(most, held(town));
    sweep(town);
    next_sweep += 1min;
  }
}

void be_silent(Town& town, Duration how_long) {
  for (Duration passed{}; passed < how_long; passed += 1min) {
    town.clock.advance(1min);
    sweep(town);
  }
}

/// Bytes that the heap has given out; 0 where the allocator does not say (sanitizers).
std::uint64_t heap() {
  return ::mallinfo2().uordblks;
}

bool empty(const Held& h) {
  return h.visits + h.permits + h.waiting + h.queue_users + h.limited + h.sessions + h.cached +
             h.cached_bytes ==
         0;
}

void print_held(const char* when, const Held& h) {
  std::printf(
      "  %s: %llu visits, %llu permits, %llu waiting of %llu users, %llu limited, "
      "%llu sessions, %llu cached (%llu bytes)\n",
      when, (unsigned long long)h.visits, (unsigned long long)h.permits,
      (unsigned long long)h.waiting, (unsigned long long)h.queue_users,
      (unsigned long long)h.limited, (unsigned long long)h.sessions, (unsigned long long)h.cached,
      (unsigned long long)h.cached_bytes);
}

/// What stays of a finished round: tables keep the room they once had, so the first round is where
/// the heap begins, and every later one must end there. A table may double once more when a later
/// rush is larger: hence the tolerance.
constexpr std::uint64_t kTolerance = 256 * 1024;

int run(const Plan& plan) {
  Town town(plan);
  std::uint64_t first = 0;
  bool good = true;
  for (int round = 1; round <= plan.rounds; ++round) {
    town.ends.clear();
    const auto arrived = town.arrived;
    const auto expired = town.sessions->figures().expired;
    Held most;
    work_a_day(town, most);
    be_silent(town, 50h);
    const Held now = held(town);
    const std::uint64_t bytes = heap();
    if (round == 1) first = bytes;
    std::printf("round %d: %llu arrivals in 24 h, then 50 h of silence\n ", round,
                (unsigned long long)(town.arrived - arrived));
    for (const auto& [end, count] : town.ends) {
      std::printf(" %s %llu,", end.c_str(), (unsigned long long)count);
    }
    std::printf(" %llu sessions expired\n",
                (unsigned long long)(town.sessions->figures().expired - expired));
    print_held("most", most);
    print_held("left", now);
    std::printf("  heap: %llu bytes, %+lld against the first round\n", (unsigned long long)bytes,
                (long long)bytes - (long long)first);
    std::fflush(stdout);
    const bool grown = bytes > first + kTolerance;
    if (!empty(now) || grown || town.ended != town.arrived) good = false;
  }
  std::printf("%d virtual hours: %s\n", plan.rounds * 74,
              good ? "everything ended where it began" : "SOMETHING STAYED");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace mainstay::soak

int main(int argc, char** argv) {
  mainstay::soak::Plan plan;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--rounds") {
      plan.rounds = std::atoi(argv[i + 1]);
    } else if (name == "--rate") {
      plan.rate = std::strtod(argv[i + 1], nullptr);
    } else if (name == "--seed") {
      plan.seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: soak_virtual [--rounds N] [--rate R] [--seed N]\n");
      return 2;
    }
  }
  return mainstay::soak::run(plan);
}
