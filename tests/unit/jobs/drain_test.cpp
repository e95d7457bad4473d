// Stopping: what runs may finish, the rest is handed back, nothing new begins.
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct DrainTest : JobsWorld {
  std::uint32_t drain(Workers& one, Duration within) {
    const TimePoint began = clock.now();
    const auto back = run(one.drain(Deadline::in(clock, within)), within + 1s);
    took = clock.now() - began;
    return back;
  }
  Duration took{};
};

TEST_F(DrainTest, an_idle_worker_stops_at_once) {
  auto& one = add_workers(4);
  clock.advance(5s);
  EXPECT_EQ(drain(one, 30s), 0u);
  EXPECT_LE(took, 10ms);
}

TEST_F(DrainTest, what_runs_finishes_and_nothing_new_begins) {
  auto& one = add_workers(1);
  const JobId running = go({{"ms", 5000}});
  const JobId waiting = go({{"ms", 1}});
  clock.advance(1s);
  EXPECT_EQ(drain(one, 30s), 0u);
  EXPECT_LE(took, 4100ms);
  EXPECT_EQ(state(running), JobState::succeeded);
  EXPECT_EQ(state(waiting), JobState::queued);
  clock.advance(1h);
  EXPECT_EQ(state(waiting), JobState::queued);
}

// proves G: a graceful stop gives unfinished jobs back without charging an attempt.
TEST_F(DrainTest, what_cannot_finish_is_handed_back_within_the_deadline_and_not_charged) {
  auto& one = add_workers(2);
  const JobId a = go({{"ms", 100'000}});
  const JobId b = go({{"ms", 100'000}});
  const JobId quick = go({{"ms", 1}});
  clock.advance(1s);
  EXPECT_EQ(drain(one, 10s), 2u);
  EXPECT_LE(took, 10s);
  EXPECT_GE(took, 7s) << "they had their time";
  for (const auto& id : {a, b}) {
    EXPECT_EQ(state(id), JobState::queued);
    EXPECT_EQ(job(id).attempts, 0u);
  }
  EXPECT_EQ(script->at_work, 0);
  EXPECT_EQ(one.figures().given_back, 2u);
  add_workers(3);
  clock.advance(200s);
  for (const auto& id : {a, b, quick}) EXPECT_EQ(state(id), JobState::succeeded);
}

TEST_F(DrainTest, a_store_that_is_away_holds_no_stop_up) {
  auto& one = add_workers(1);
  const JobId id = go({{"ms", 100'000}});
  clock.advance(1s);
  store.faults["give_back"].before = 1;
  EXPECT_EQ(drain(one, 10s), 0u);
  EXPECT_LE(took, 10s);
  add_workers(1);
  clock.advance(200s);
  EXPECT_EQ(state(id), JobState::succeeded) << "its lease ends by itself";
}

TEST_F(DrainTest, closing_without_a_drain_leaves_jobs_to_their_leases) {
  add_workers(1);
  const JobId id = go({{"ms", 20'000}});
  clock.advance(1s);
  close_workers();
  EXPECT_EQ(script->at_work, 0);
  EXPECT_EQ(state(id), JobState::running);
  add_workers(1);
  clock.advance(100s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(job(id).attempts, 2u);
}

}  // namespace
}  // namespace mainstay::jobs
