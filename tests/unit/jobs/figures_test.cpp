// What /metrics shows of the job store.
#include "jobs/figures.h"

#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

struct FiguresTest : test::JobsWorld {
  bool shows(const std::string& line) {
    return metrics.text().find(line + "\n") != std::string::npos;
  }
};

TEST_F(FiguresTest, each_scrape_counts_anew_also_at_the_same_instant) {
  show_store(metrics, memory);
  EXPECT_TRUE(shows("mainstay_jobs_depth 0"));
  go({{"ms", 1000}});
  EXPECT_TRUE(shows("mainstay_jobs_depth 1"));
  EXPECT_TRUE(shows(R"(mainstay_jobs{class="interactive",state="queued"} 1)"));
  add_workers(1);
  EXPECT_TRUE(shows(R"(mainstay_jobs{class="interactive",state="running"} 1)"));
  EXPECT_TRUE(shows(R"(mainstay_jobs{class="interactive",state="queued"} 0)"));
  clock.advance(std::chrono::seconds(2));
  EXPECT_TRUE(shows("mainstay_jobs_completed_total 1"));
}

}  // namespace
}  // namespace mainstay::jobs
