// Four times more work than there is capacity for, then a quiet time: how much is finished in time,
// and how soon all is well again. The figures of the fault matrix, on simulated time.
#include <cmath>
#include <deque>
#include <set>

#include "admission/permits.h"
#include "base/random.h"
#include "unit/base/support.h"

namespace mainstay::admission {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kBurst{120};

struct Figures {
  double goodput = 0;  ///< finished within their patience during the burst, of what capacity allows
  Duration recovery{};  ///< from the burst's end until everybody is answered in time
};

/// Two permits, answers of two seconds in the mean: one a second is the capacity.
struct Burst {
  explicit Burst(std::uint64_t seed, bool everybody_is_anonymous)
      : random(seed), anonymous(everybody_is_anonymous) {
    settings.concurrent_max = 2;
    settings.queued_max = 1000;
    settings.queue_timeout = kPatience;
    permits.emplace(settings, clock);
  }
  double uniform() { return (double(random.next() >> 11) + 0.5) / 9007199254740992.0; }
  Duration exponential(Duration mean) {
    return std::chrono::duration_cast<Duration>(mean * -std::log(uniform()));
  }

  SeededRandom random;
  bool anonymous;
  LimitSettings settings;
  asio::io_context io;
  SimClock clock{io};
  std::optional<Permits> permits;
  TimePoint burst_end{};
  int in_time = 0;           ///< during the burst
  TimePoint last_failure{};  ///< arrival of the last one that was not served in time
};

/// A client that tries at most three times, as it is told, and gives up when its time is over.
Co<> client(Burst& burst, std::string user) {
  const TimePoint arrived = burst.clock.now();
  const Deadline by(arrived + kPatience);
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Entrant entrant{user, Priority::interactive, burst.anonymous, 1};
    auto permit = co_await burst.permits->enter(entrant, by);
    if (permit.ok()) {
      [[maybe_unused]] auto done = co_await sleep(burst.clock, burst.exponential(2s));
      const TimePoint now = burst.clock.now();
      const bool in_time = !by.passed(now);
      if (in_time && now < burst.burst_end) ++burst.in_time;
      if (!in_time) burst.last_failure = std::max(burst.last_failure, arrived);
      co_return;
    }
    const Duration wait = permit.error().retry_after;
    if (by.left(burst.clock.now()) <= wait) break;
    [[maybe_unused]] auto waited = co_await sleep(burst.clock, wait);
  }
  burst.last_failure = std::max(burst.last_failure, arrived);
}

void arrive(Burst& burst, Duration for_how_long, Duration gap, int& number) {
  const TimePoint end = burst.clock.now() + for_how_long;
  for (;;) {
    burst.clock.advance(burst.exponential(gap));
    if (burst.clock.now() >= end) return;
    asio::co_spawn(burst.io.get_executor(), client(burst, "user-" + std::to_string(++number)),
                   [](std::exception_ptr) {});
  }
}

Figures play(std::uint64_t seed, bool anonymous) {
  Burst burst(seed, anonymous);
  int number = 0;
  burst.burst_end = burst.clock.now() + 60s;
  arrive(burst, 60s, 2s, number);  // half of the capacity: the pace becomes known
  burst.in_time = 0;
  burst.burst_end = burst.clock.now() + kBurst;
  arrive(burst, kBurst, 250ms, number);
  arrive(burst, 20s, 1667ms, number);
  Figures figures;
  figures.goodput = burst.in_time / std::chrono::duration<double>(kBurst).count();
  figures.recovery = std::max(Duration::zero(), burst.last_failure - burst.burst_end);
  burst.clock.advance(1h);
  EXPECT_EQ(burst.permits->in_use(), 0u);
  EXPECT_EQ(burst.permits->waiting(), 0u);
  return figures;
}

// proves fault row 21
TEST(AdmissionBurst, fault_21_a_fourfold_burst_leaves_three_quarters_of_the_capacity_useful) {
  for (const bool anonymous : {false, true}) {
    double goodput = 0;
    Duration recovery{};
    constexpr int kSeeds = 20;
    for (int seed = 1; seed <= kSeeds; ++seed) {
      const Figures one = play(std::uint64_t(seed), anonymous);
      goodput += one.goodput / kSeeds;
      recovery = std::max(recovery, one.recovery);
    }
    RecordProperty(anonymous ? "goodput_anonymous" : "goodput_named", std::to_string(goodput));
    EXPECT_GE(goodput, 0.75) << "anonymous: " << anonymous;
    EXPECT_LE(recovery, 30s) << "anonymous: " << anonymous;
  }
}

}  // namespace
}  // namespace mainstay::admission
