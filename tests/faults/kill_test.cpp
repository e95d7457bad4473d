// Kill -9 and power cuts under load: what was confirmed happens, and happens once. The soak has
// the same with more cycles (soak/jobs).
#include <gtest/gtest.h>

#include "faults/rig.h"

namespace mainstay::faults {
namespace {

void expect_whole(const Report& report, int kills) {
  EXPECT_EQ(report.lost, 0U);
  EXPECT_EQ(report.twice, 0U);
  for (const auto& fault : report.faults) ADD_FAILURE() << fault;
  EXPECT_GE(report.kills, static_cast<std::uint64_t>(kills));
  EXPECT_GT(report.confirmed, static_cast<std::uint64_t>(kills));
  std::string points;
  for (const auto& [point, times] : report.kills_at) {
    points += "\n  " + std::to_string(times) + " " + point;
  }
  std::printf("%s%s\n", report.text().c_str(), points.c_str());
}

// proves fault 1 and 2 (kill -9 of each process, during a commit)
TEST(Killed, fifty_kills_lose_no_job_on_sqlite_and_repeat_no_effect) {
  Plan plan;
  expect_whole(kill_on_sqlite(plan), plan.cycles);
}

TEST(Killed, strict_claims_stand_the_same) {
  Plan plan;
  plan.cycles = 10;
  plan.seed = 2;
  plan.claims = "strict";
  expect_whole(kill_on_sqlite(plan), plan.cycles);
}

TEST(Killed, fifty_kills_of_server_producer_and_workers_lose_no_job_in_redis) {
  Plan plan;
  plan.seed = 3;
  expect_whole(kill_on_redis(plan), plan.cycles);
}

TEST(PowerCut, five_cuts_lose_no_confirmed_job_on_sqlite) {
  Plan plan;
  plan.cycles = 5;
  plan.seed = 4;
  plan.power = true;
  const auto report = kill_on_sqlite(plan);
  expect_whole(report, plan.cycles);
  EXPECT_GT(report.lost_writes, 0U) << "the disk lost nothing, so nothing was tested";
}

// The rig must see what is lost: here the disk says that it synced and did not.
TEST(PowerCut, a_disk_that_lies_about_syncing_is_found_out) {
  Plan plan;
  plan.cycles = 3;
  plan.seed = 6;
  plan.power = true;
  plan.disk_lies = true;
  const auto report = kill_on_sqlite(plan);
  // Jobs that are missing, or a database that is not one any more.
  EXPECT_GT(report.lost + report.faults.size(), 0U);
}

TEST(Truth, sees_a_lost_job_a_second_effect_and_a_second_job_of_a_key) {
  const auto job = [](const std::string& id, const std::string& kind, const std::string& of) {
    storage::Job out;
    out.job.id = storage::JobId(id);
    out.job.kind = kind;
    out.job.batch = of;
    out.state = storage::JobState::succeeded;
    out.token = 2;
    return out;
  };
  Truth truth;
  for (const char* line : {"try k1", "yes k1 job_1", "try k2", "yes k2 job_2", "done job_1 2"}) {
    truth.hear(line);
  }
  truth.hold_against({job("job_1", "work", ""), job("job_1-t1", "mark", "job_1"),
                      job("job_1-t2", "mark", "job_1")},
                     true);
  EXPECT_EQ(truth.report.twice, 1U);
  EXPECT_GE(truth.report.lost, 1U) << "job_2 is not there";
  truth.hear("yes k1 job_3");
  EXPECT_EQ(truth.report.twice, 2U);
}

TEST(PowerCut, five_cuts_of_the_server_lose_no_confirmed_job_in_redis) {
  Plan plan;
  plan.cycles = 5;
  plan.seed = 5;
  plan.power = true;
  expect_whole(kill_on_redis(plan), plan.cycles);
}

}  // namespace
}  // namespace mainstay::faults
