// Upkeep: one process at a time, as often as the store says, through failures.
#include "jobs/upkeep.h"

#include "base/task_group.h"
#include "storage/local_leader.h"
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct UpkeepTest : JobsWorld {
  UpkeepTest() : group(clock, io.get_executor(), [](const auto&, const auto&) { ADD_FAILURE(); }) {}
  ~UpkeepTest() override {
    asio::co_spawn(io.get_executor(), group.close(), [](std::exception_ptr) {});
    clock.advance(0s);
  }
  void begin(storage::Leader& leader) {
    group.spawn("upkeep", keep_up(clock, *log, store, leader));
    clock.advance(0s);
  }
  storage::LocalRoles roles;
  TaskGroup group;
};

TEST_F(UpkeepTest, removes_what_was_kept_long_enough) {
  storage::LocalLeader leader(clock, roles);
  begin(leader);
  add_workers(1);
  const JobId id = go(Json::object());
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::succeeded);
  clock.advance(23h);
  EXPECT_TRUE(run(memory.get(std::nullopt, id, soon())).ok());
  clock.advance(2h);
  EXPECT_FALSE(run(memory.get(std::nullopt, id, soon())).ok());
}

TEST_F(UpkeepTest, only_the_leader_works_and_another_one_follows_it) {
  storage::LocalLeader first(clock, roles);
  storage::LocalLeader second(clock, roles);
  begin(first);
  clock.advance(10min);
  const int alone = store.calls["upkeep"];
  EXPECT_GT(alone, 0);
  begin(second);
  clock.advance(10min);
  EXPECT_LE(store.calls["upkeep"] - alone, alone + 1) << "twice the work means two at once";
  auto let_go = run(first.release(std::string(kUpkeepRole), soon()));
  EXPECT_TRUE(let_go.ok());
}

TEST_F(UpkeepTest, goes_on_after_a_failure) {
  storage::LocalLeader leader(clock, roles);
  store.faults["upkeep"].before = 3;
  begin(leader);
  clock.advance(10s);
  EXPECT_GE(store.calls["upkeep"], 4);
}

}  // namespace
}  // namespace mainstay::jobs
