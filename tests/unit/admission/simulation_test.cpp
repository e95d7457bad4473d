// The whole admission path under a seeded storm on simulated time: first everything at once
// (bursts, cancels, deadlines, changing capacity, maintenance), with what must always hold checked
// after each event; then the storm ends, and everything must come back to nothing.
// A failure names its seed; MAINSTAY_SEED=N runs that one alone.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstdlib>
#include <deque>
#include <map>

#include "admission/admission.h"
#include "base/random.h"
#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

enum class At : std::uint8_t { door, queue, work, gone };

/// One message on its way.
struct Message {
  Caller caller;
  std::string address;
  Priority priority = Priority::interactive;
  Duration patience{};
  Duration service{};
  std::uint64_t tokens = 0;
  std::uint64_t used = 0;
  At at = At::door;
  TimePoint asked{};
  bool cancelled = false;
  int endings = 0;
  std::string outcome;
  asio::cancellation_signal signal;
};

struct World {
  explicit World(std::uint64_t number) : seed(number), random(number) {
    LimitSettings& limits = settings.limits;
    limits.concurrent_max = below(1, 12);
    limits.queued_max = below(0, 30);
    limits.queue_timeout = std::chrono::seconds(below(1, 10));
    limits.share_every = below(2, 8);
    limits.users_max = random.below(2) == 0 ? 32 : 100'000;
    limits.user.requests_per_minute = below(5, 200);
    limits.user.queued = below(1, 10);
    limits.user.concurrent = random.below(2) == 0 ? 0 : below(1, 3);
    limits.user.tokens_per_minute = random.below(2) == 0 ? 0 : 20'000;
    limits.key.concurrent = random.below(3) == 0 ? 5 : 0;
    limits.model.tokens_per_day = random.below(3) == 0 ? 400'000 : 0;
    limits.address.requests_per_minute = random.below(3) == 0 ? 200 : 0;
    door.emplace(settings, clock, metrics);
  }
  std::uint32_t below(std::uint32_t least, std::uint32_t most) {
    return least + static_cast<std::uint32_t>(random.below(most - least + 1));
  }
  const Permits& permits() const { return door->permits(); }

  std::uint64_t seed;
  SeededRandom random;
  asio::io_context io;
  SimClock clock{io};
  Settings settings;
  Metrics metrics;
  std::optional<Admission> door;
  std::deque<Message> messages;
  std::uint32_t last_in_use = 0;
  std::uint32_t allowed_in_use = 0;  ///< the largest capacity since the last check
};

std::string end_of(const Error& error) {
  return error.reason.empty() ? std::string(name(error.code)) : error.reason;
}

/// Who got its permit must not have overtaken an older message of its own user and class.
void check_order(const World& world, const Message& entered) {
  for (const Message& other : world.messages) {
    if (&other == &entered) break;
    if (other.at != At::queue || other.cancelled) continue;
    if (other.caller.owner.user != entered.caller.owner.user) continue;
    if (other.priority != entered.priority) continue;
    const Duration waits = std::min<Duration>(other.patience, world.settings.limits.queue_timeout);
    ASSERT_FALSE(world.clock.now() < other.asked + waits) << "overtook its own user's older one";
  }
}

Co<std::string> visit(World& world, Message& message) {
  auto open = world.door->open();
  if (!open.ok()) co_return end_of(open.error());
  RateView view = world.door->count(message.caller, message.address);
  if (!view.allowed) co_return end_of(Admission::refusal(view));
  const Estimate estimate{.answer = message.tokens};
  auto held = world.door->reserve(message.caller, view, message.address, "model", estimate);
  if (!held.ok()) co_return end_of(held.error());
  message.at = At::queue;
  message.asked = world.clock.now();
  const Deadline by = Deadline::in(world.clock, message.patience);
  const Wish wish{message.priority, message.tokens};
  auto permit = co_await world.door->enter(message.caller, wish, by);
  if (!permit.ok()) co_return end_of(permit.error());
  message.at = At::work;
  check_order(world, message);
  [[maybe_unused]] auto done = co_await sleep(world.clock, message.service);
  held->settle(message.used);
  co_return "answered";
}

void send(World& world) {
  Message& message = world.messages.emplace_back();
  const auto who = world.random.below(8);
  message.caller.owner = {TenantId("t"), UserId("user-" + std::to_string(who))};
  message.caller.local = who >= 5;
  if (who < 4) message.caller.key = "key-" + std::to_string(who / 2);
  message.address = "192.0.2." + std::to_string(world.random.below(4));
  message.priority = static_cast<Priority>(world.random.below(4));
  message.patience = std::chrono::milliseconds(world.below(100, 30'000));
  message.service = std::chrono::milliseconds(world.below(1, 4'000));
  message.tokens = world.below(1, 6'000);
  message.used = world.below(0, 8'000);
  asio::co_spawn(world.io.get_executor(), visit(world, message),
                 asio::bind_cancellation_slot(
                     message.signal.slot(), [&message](std::exception_ptr thrown, std::string end) {
                       message.outcome = thrown ? "thrown" : std::move(end);
                       message.at = At::gone;
                       ++message.endings;
                     }));
}

/// What holds whenever everything that can run has run.
void check(World& world) {
  std::uint32_t working = 0;
  std::uint32_t waiting = 0;
  std::map<std::string, std::uint32_t> working_of;
  std::map<std::string, std::uint32_t> waiting_of;
  const LimitSettings& limits = world.settings.limits;
  for (const Message& message : world.messages) {
    ASSERT_LE(message.endings, 1);
    const std::string& user = message.caller.owner.user.text();
    if (message.at == At::work) {
      ++working;
      ++working_of[user];
    }
    if (message.at == At::queue) {
      ++waiting;
      ++waiting_of[user];
      const auto waited = world.clock.now() - message.asked;
      ASSERT_LE(waited, std::min<Duration>(message.patience, limits.queue_timeout));
    }
  }
  ASSERT_EQ(world.permits().in_use(), working) << "a permit was lost or given twice";
  ASSERT_EQ(world.permits().waiting(), waiting) << "a waiter was lost";
  ASSERT_LE(waiting, limits.queued_max);
  const std::uint32_t capacity = world.permits().capacity();
  ASSERT_LE(working, std::max({world.last_in_use, world.allowed_in_use, capacity}));
  bool somebody_may = false;
  for (const auto& [user, count] : waiting_of) {
    ASSERT_LE(count, limits.user.queued) << user;
    if (limits.user.concurrent == 0 || working_of[user] < limits.user.concurrent) {
      somebody_may = true;
    }
  }
  for (const auto& [user, count] : working_of) {
    if (limits.user.concurrent != 0) {
      ASSERT_LE(count, limits.user.concurrent) << user;
    }
  }
  ASSERT_FALSE(somebody_may && working < capacity) << "a free permit while somebody waits";
  world.last_in_use = working;
  world.allowed_in_use = capacity;
}

/// Somebody leaves, or several do, at times at the very moment at which they get their permit.
void leave(World& world) {
  const auto together = world.random.below(4) == 0 ? 5 : 1;
  if (world.random.below(4) == 0) world.door->set_factor(1);
  for (int i = 0; i < together && !world.messages.empty(); ++i) {
    const auto recent = std::min<std::size_t>(40, world.messages.size());
    Message& message = world.messages[world.messages.size() - 1 - world.random.below(recent)];
    message.cancelled = true;
    message.signal.emit(asio::cancellation_type::terminal);
  }
}

void one_event(World& world) {
  switch (world.random.below(16)) {
    case 0:
    case 1:
    case 2:
      leave(world);
      break;
    case 3:
      world.door->set_factor(static_cast<double>(world.random.below(5)) / 4);
      break;
    case 4:
      if (world.random.below(4) != 0) {
        world.door->maintenance().off();
      } else {
        world.door->maintenance().on({});
      }
      break;
    case 5:
      world.door->reclaim();
      break;
    case 6:
      for (int i = 0; i < 20; ++i) send(world);  // a burst
      break;
    default:
      send(world);
  }
}

void storm(World& world) {
  for (int event = 0; event < 150; ++event) {
    one_event(world);
    world.allowed_in_use = std::max(world.allowed_in_use, world.permits().capacity());
    world.clock.advance(0s);
    ASSERT_NO_FATAL_FAILURE(check(world)) << "event " << event;
    world.clock.advance(std::chrono::microseconds(world.random.below(400'000)));
    ASSERT_NO_FATAL_FAILURE(check(world)) << "after event " << event;
  }
}

void calm(World& world) {
  world.door->set_factor(1);
  world.door->maintenance().off();
  world.clock.advance(world.settings.limits.queue_timeout + 5s);
  ASSERT_NO_FATAL_FAILURE(check(world));
  EXPECT_EQ(world.permits().in_use(), 0u);
  EXPECT_EQ(world.permits().waiting(), 0u);
  EXPECT_EQ(world.permits().users(), 0u);
  std::map<std::string, int> ends;
  for (const Message& message : world.messages) {
    ASSERT_EQ(message.endings, 1);
    ++ends[message.outcome];
    if (!message.cancelled) {
      EXPECT_NE(message.outcome, "cancelled");
      EXPECT_NE(message.outcome, "thrown");
    }
  }
  const std::string text = world.metrics.text();
  const auto counted = [&text](const std::string& reason) {
    const std::string start = "mainstay_admission_refused_total{reason=\"" + reason + "\"} ";
    const auto found = text.find(start);
    return found == std::string::npos ? -1 : std::atoi(text.c_str() + found + start.size());
  };
  EXPECT_EQ(counted("rate"), ends["rate_limited"]);
  EXPECT_EQ(counted("tokens"), ends["tokens_limited"]);
  EXPECT_EQ(counted("concurrency"), ends["concurrency_limited"]);
  EXPECT_EQ(counted("user_queue"), ends["user_queue_full"]);
  EXPECT_EQ(counted("capacity"), ends["overloaded"]);
  EXPECT_EQ(counted("maintenance"), ends["maintenance"]);
  // Nothing is remembered of anybody once every bucket is full again.
  world.clock.advance(72h);
  world.door->reclaim();
  EXPECT_NE(world.metrics.text().find("\nmainstay_admission_users 0"), std::string::npos);
  send(world);
  world.messages.back().patience = 1min;
  world.clock.advance(5s);
  EXPECT_EQ(world.messages.back().outcome, "answered");
}

std::map<std::string, int> play(std::uint64_t seed) {
  World world(seed);
  storm(world);
  if (!::testing::Test::HasFatalFailure()) calm(world);
  std::map<std::string, int> ends;
  for (const Message& message : world.messages) ++ends[message.outcome];
  for (auto& message : world.messages) message.signal.emit(asio::cancellation_type::terminal);
  world.clock.advance(1h);
  return ends;
}

// proves M6, M3, fault rows 19 to 21
TEST(AdmissionSimulation, a_hundred_storms_keep_every_promise_and_end_in_calm) {
  std::map<std::string, int> ends;
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  if (const char* given = std::getenv("MAINSTAY_SEED"))
    first = last = std::strtoull(given, nullptr, 10);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("replay with MAINSTAY_SEED=" + std::to_string(seed));
    for (const auto& [end, count] : play(seed)) ends[end] += count;
    if (::testing::Test::HasFailure()) return;
  }
  if (first == last) return;
  // The storms are worth something: each way to end happened often.
  for (const char* end : {"answered", "rate_limited", "tokens_limited", "concurrency_limited",
                          "user_queue_full", "overloaded", "maintenance", "cancelled"}) {
    EXPECT_GT(ends[end], 20) << end;
  }
}

TEST(AdmissionSimulation, the_same_seed_gives_the_same_storm) {
  EXPECT_EQ(play(7), play(7));
}

}  // namespace
}  // namespace mainstay::admission
