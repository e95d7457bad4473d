// The order of jobs in memory, and the gate before it.
#include "storage/job_book.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace mainstay::storage {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const WallTime kWall = wall_from_micros(1'700'000'000'000'000);
const TimePoint kStart{seconds(500)};

Owner owner(const std::string& user) {
  return Owner{TenantId("tenant"), UserId(user)};
}

class Book : public testing::Test {
 protected:
  JobBook::Entry& add(const std::string& id, const std::string& user = "a",
                      JobClass priority = JobClass::interactive, const std::string& kind = "turn") {
    JobBook::NewEntry entry;
    entry.id = JobId(id);
    entry.owner = owner(user);
    entry.kind = kind;
    entry.priority = priority;
    entry.life.state = JobState::queued;
    return book_.insert(std::move(entry), now_);
  }
  JobBook::Entry& add_scheduled(const std::string& id, WallTime run_at) {
    JobBook::NewEntry entry;
    entry.id = JobId(id);
    entry.owner = owner("a");
    entry.kind = "turn";
    entry.life.state = JobState::scheduled;
    entry.life.run_at = run_at;
    return book_.insert(std::move(entry), now_);
  }
  void begin(JobBook::Entry& entry, TimePoint lease_until) {
    JobLife life = entry.life;
    life.state = JobState::running;
    book_.change(entry, life, now_, lease_until);
  }
  void ready(JobBook::Entry& entry) {
    JobLife life = entry.life;
    life.state = JobState::queued;
    book_.change(entry, life, now_);
  }
  /// Claims the next one; empty: none.
  std::string take(const std::vector<std::string>& kinds = {}) {
    JobBook::Entry* entry = book_.next(kinds);
    if (entry == nullptr) return "";
    begin(*entry, now_ + seconds(60));
    return entry->id.text();
  }
  std::string take_all() {
    std::string out;
    for (auto id = take(); !id.empty(); id = take()) out += (out.empty() ? "" : " ") + id;
    return out;
  }
  void fill_to(std::uint64_t depth) {
    while (book_.depth() < depth) add("fill" + std::to_string(filled_++), "filler");
  }
  void drain_to(std::uint64_t depth) {
    while (book_.depth() > depth) {
      book_.end(*book_.find(JobId("fill" + std::to_string(--filled_))), JobState::succeeded, now_);
    }
  }
  std::string answer(JobClass priority = JobClass::voice) {
    const auto status = book_.admit(owner("other"), priority, 0, now_);
    return status.ok() ? "in" : status.error().reason;
  }

  JobLimits limits_;
  JobBook book_{limits_};
  TimePoint now_ = kStart;
  int filled_ = 0;
};

TEST_F(Book, a_lower_class_runs_only_when_no_higher_one_is_ready) {
  add("background", "a", JobClass::background);
  add("batch", "b", JobClass::batch);
  add("interactive", "c", JobClass::interactive);
  add("voice", "d", JobClass::voice);
  EXPECT_EQ(take_all(), "voice interactive batch background");
}

TEST_F(Book, owners_take_turns_and_each_gets_its_oldest_first) {
  for (const char* id : {"a1", "a2", "a3"}) add(id, "a");
  for (const char* id : {"b1", "b2"}) add(id, "b");
  add("c1", "c");
  EXPECT_EQ(take_all(), "a1 b1 c1 a2 b2 a3");
}

TEST_F(Book, a_thousand_jobs_of_one_owner_delay_another_by_one_job) {
  for (int i = 0; i < 1000; ++i) add("a" + std::to_string(i), "a");
  EXPECT_EQ(take(), "a0");
  add("b0", "b");
  EXPECT_EQ(take(), "a1");
  EXPECT_EQ(take(), "b0");
  EXPECT_EQ(take(), "a2");
}

TEST_F(Book, the_same_user_of_two_tenants_is_two_owners) {
  add("a1", "a");
  add("a2", "a");
  JobBook::NewEntry other;
  other.id = JobId("x1");
  other.owner = Owner{TenantId("elsewhere"), UserId("a")};
  other.life.state = JobState::queued;
  book_.insert(std::move(other), now_);
  EXPECT_EQ(take_all(), "a1 x1 a2");
}

TEST_F(Book, a_job_that_comes_back_takes_its_place_among_its_owners) {
  add("a1");
  add("a2");
  add("a3");
  EXPECT_EQ(take(), "a1");
  EXPECT_EQ(take(), "a2");
  ready(*book_.find(JobId("a1")));
  EXPECT_EQ(take_all(), "a1 a3");
}

TEST_F(Book, an_end_that_is_undone_puts_the_job_back_in_its_place) {
  auto& first = add("a1");
  const std::uint64_t n = first.n;
  add("a2");
  book_.remove(first);
  JobBook::NewEntry back;
  back.id = JobId("a1");
  back.owner = owner("a");
  back.n = n;
  book_.insert(std::move(back), now_);
  EXPECT_GT(add("a3").n, n);
  EXPECT_EQ(take_all(), "a1 a2 a3");
}

TEST_F(Book, a_filter_takes_only_the_kinds_that_are_named) {
  add("t1", "a", JobClass::interactive, "turn");
  add("w1", "a", JobClass::interactive, "webhook");
  add("i1", "b", JobClass::batch, "ingest");
  EXPECT_EQ(take({"ingest", "webhook"}), "w1");
  EXPECT_EQ(take({"ingest", "webhook"}), "i1");
  EXPECT_EQ(take({"ingest", "webhook"}), "");
  EXPECT_EQ(take({"nothing"}), "");
  EXPECT_EQ(take(), "t1");
}

TEST_F(Book, a_scheduled_job_is_due_at_its_moment_and_in_the_order_of_moments) {
  add_scheduled("later", kWall + seconds(2));
  add_scheduled("sooner", kWall + seconds(1));
  EXPECT_EQ(take(), "");
  EXPECT_EQ(book_.due(kWall + seconds(1) - microseconds(1)), nullptr);
  JobBook::Entry* due = book_.due(kWall + seconds(1));
  ASSERT_NE(due, nullptr);
  EXPECT_EQ(due->id.text(), "sooner");
  ready(*due);
  EXPECT_EQ(book_.due(kWall + seconds(1) + microseconds(1)), nullptr);
  EXPECT_EQ(book_.due(kWall + seconds(2))->id.text(), "later");
}

TEST_F(Book, a_lease_is_over_at_its_moment_and_moves_when_extended) {
  auto& one = add("one");
  auto& two = add("two");
  begin(one, now_ + seconds(5));
  begin(two, now_ + seconds(6));
  EXPECT_EQ(book_.lease_over(now_ + seconds(5) - Duration(1)), nullptr);
  EXPECT_EQ(book_.lease_over(now_ + seconds(5)), &one);
  begin(one, now_ + seconds(7));  // running already: an extension
  EXPECT_EQ(book_.lease_over(now_ + seconds(5)), nullptr);
  EXPECT_EQ(book_.lease_over(now_ + seconds(7)), &two);
}

TEST_F(Book, only_waiting_jobs_expire) {
  auto& job = add("job");
  JobLife life = job.life;
  life.expires = kWall + seconds(3);
  book_.change(job, life, now_);
  EXPECT_EQ(book_.expired(kWall + seconds(3) - microseconds(1)), nullptr);
  EXPECT_EQ(book_.expired(kWall + seconds(3)), &job);
  begin(job, now_ + seconds(60));
  EXPECT_EQ(book_.expired(kWall + seconds(9)), nullptr);
  ready(job);
  EXPECT_EQ(book_.expired(kWall + seconds(9)), &job);
}

TEST_F(Book, the_next_timer_is_the_first_of_all_three) {
  EXPECT_FALSE(book_.next_timer(now_, kWall));
  auto& leased = add("leased");
  begin(leased, now_ + seconds(30));
  EXPECT_EQ(book_.next_timer(now_, kWall), now_ + seconds(30));
  auto& due = add_scheduled("due", kWall + seconds(20));
  EXPECT_EQ(book_.next_timer(now_, kWall), now_ + seconds(20));
  JobLife life = due.life;
  life.expires = kWall + seconds(10);
  book_.change(due, life, now_);
  EXPECT_EQ(book_.next_timer(now_, kWall), now_ + seconds(10));
  EXPECT_EQ(book_.next_timer(now_, kWall + seconds(11)), now_);  // past: at once
}

TEST_F(Book, far_wall_moments_are_looked_at_every_minute) {
  add_scheduled("due", kWall + std::chrono::hours(24 * 365 * 300));
  EXPECT_EQ(book_.next_timer(now_, kWall), now_ + std::chrono::minutes(1));
}

TEST_F(Book, waiting_jobs_of_an_owner_are_capped_exactly) {
  for (int have = 0; have < 12; ++have) {
    const auto status = book_.admit(owner("a"), JobClass::interactive, 10, now_);
    EXPECT_EQ(status.ok(), have < 10) << have;
    if (have >= 10) {
      EXPECT_EQ(status.error().code, Errc::over_limit);
      EXPECT_EQ(status.error().reason, "too_many_waiting_jobs");
    }
    add("a" + std::to_string(have));
  }
  EXPECT_EQ(book_.waiting(owner("a")), 12U);
  EXPECT_TRUE(book_.admit(owner("a"), JobClass::interactive, 0, now_).ok());
  EXPECT_TRUE(book_.admit(owner("b"), JobClass::interactive, 10, now_).ok());
  for (int i = 0; i < 3; ++i) take();  // what runs does not wait
  EXPECT_EQ(book_.waiting(owner("a")), 9U);
  EXPECT_TRUE(book_.admit(owner("a"), JobClass::interactive, 10, now_).ok());
}

TEST_F(Book, classes_are_refused_from_their_shares_of_the_depth) {
  const std::pair<JobClass, std::uint64_t> marks[] = {{JobClass::background, 3000},
                                                      {JobClass::batch, 3000},
                                                      {JobClass::interactive, 4500},
                                                      {JobClass::voice, 5000}};
  for (const auto& [priority, mark] : marks) {
    EXPECT_EQ(refused_from(limits_, priority), mark);
    fill_to(mark - 1);
    EXPECT_EQ(answer(priority), "in") << mark;
    fill_to(mark);
    EXPECT_EQ(answer(priority), "queue_overloaded") << mark;
    fill_to(mark + 1);
    EXPECT_EQ(answer(priority), "queue_overloaded") << mark;
    if (priority != JobClass::voice) EXPECT_EQ(answer(JobClass::voice), "in");
    if (priority == JobClass::voice) break;
    drain_to(mark);  // batch and background have the same mark
    drain_to(mark - 1);
  }
}

TEST_F(Book, a_full_queue_accepts_again_only_below_the_low_mark) {
  fill_to(5000);
  EXPECT_EQ(answer(), "queue_overloaded");
  for (const std::uint64_t depth : {4999U, 3001U, 3000U}) {
    drain_to(depth);
    EXPECT_EQ(answer(), "queue_overloaded") << depth;
  }
  drain_to(2999);
  EXPECT_EQ(answer(), "in");
  fill_to(4999);
  EXPECT_EQ(answer(), "in");  // and it stays open until the high mark
  fill_to(5000);
  EXPECT_EQ(answer(), "queue_overloaded");
  JobFigures figures;
  book_.fill(figures, now_);
  EXPECT_TRUE(figures.shedding);
  EXPECT_EQ(figures.refused_depth, 5U);
}

TEST(JobGateTest, retry_after_follows_the_drain_and_is_a_minute_at_most) {
  JobLimits limits;
  limits.depth_high = 500;
  limits.depth_low = 300;
  JobGate gate(limits);
  gate.depth_is(500);
  TimePoint now = kStart;
  EXPECT_EQ(gate.admit(500, JobClass::voice, now).error().retry_after, seconds(60));
  for (int i = 0; i < 2000; ++i) {  // twenty a second for long enough to be believed
    now += milliseconds(50);
    gate.drained(now);
  }
  EXPECT_NEAR(gate.drained_per_second(now), 20, 0.2);
  // 201 jobs must end before the queue is below its low mark.
  const auto wait = gate.admit(500, JobClass::voice, now).error().retry_after;
  EXPECT_NEAR(static_cast<double>(wait.count()), 10050, 150);
  EXPECT_EQ(gate.admit(300, JobClass::voice, now).error().retry_after, seconds(1));
  EXPECT_LT(gate.drained_per_second(now + seconds(30)), 1.1);
}

TEST_F(Book, counts_and_ages_are_those_of_the_entries) {
  auto& first = add("first", "a", JobClass::voice);
  now_ += seconds(3);
  add("second", "a", JobClass::voice);
  add_scheduled("third", kWall + seconds(9));
  book_.count_ended(JobClass::batch, JobState::dead, 2);
  now_ += seconds(4);
  JobFigures out;
  book_.fill(out, now_);
  EXPECT_EQ(out.by_state[0][1], 2U);
  EXPECT_EQ(out.by_state[1][0], 1U);
  EXPECT_EQ(out.by_state[2][4], 2U);
  EXPECT_EQ(out.depth, 3U);
  EXPECT_EQ(out.oldest_ready[0], seconds(7));
  EXPECT_EQ(out.oldest_ready[1], Duration{});
  begin(first, now_ + seconds(1));
  book_.end(first, JobState::succeeded, now_);
  book_.count_ended(JobClass::batch, JobState::dead, -1);
  JobFigures after;
  book_.fill(after, now_);
  EXPECT_EQ(after.by_state[0][1], 1U);
  EXPECT_EQ(after.by_state[0][3], 1U);
  EXPECT_EQ(after.by_state[2][4], 1U);
  EXPECT_EQ(after.oldest_ready[0], seconds(4));
  EXPECT_EQ(book_.find(JobId("first")), nullptr);
}

/// Moves 20,000 random times and compares with counting everything by hand.
TEST_F(Book, random_moves_keep_every_index_true) {
  SeededRandom random(11);
  std::map<std::string, JobBook::Entry*> all;
  int made = 0;
  const auto check = [&] {
    std::uint64_t states[kJobStates] = {};
    std::map<std::string, std::uint32_t> waiting;
    for (const auto& [id, entry] : all) {
      ++states[static_cast<std::size_t>(entry->life.state)];
      if (entry->life.state != JobState::running) ++waiting[entry->owner().user.text()];
    }
    EXPECT_EQ(book_.depth(), all.size());
    EXPECT_EQ(book_.ready(), states[1]);
    for (const char* user : {"0", "1", "2"}) EXPECT_EQ(book_.waiting(owner(user)), waiting[user]);
    EXPECT_EQ(book_.next({}) != nullptr, states[1] > 0);
    EXPECT_EQ(book_.due(WallTime::max()) != nullptr, states[0] > 0);
    EXPECT_EQ(book_.lease_over(TimePoint::max()) != nullptr, states[2] > 0);
  };
  for (int i = 0; i < 20'000; ++i) {
    now_ += Duration(1);
    if (all.empty() || random.below(3) == 0) {
      const std::string id = "job" + std::to_string(made++);
      all[id] = &add(id, std::to_string(random.below(3)), static_cast<JobClass>(random.below(4)),
                     "kind" + std::to_string(random.below(5)));
      continue;
    }
    auto at = std::next(all.begin(), static_cast<std::ptrdiff_t>(random.below(all.size())));
    JobLife life = at->second->life;
    const auto to = random.below(4);
    if (to == 3) {
      book_.end(*at->second, JobState::succeeded, now_);
      all.erase(at);
      continue;
    }
    life.state = static_cast<JobState>(to);
    life.run_at = kWall + seconds(random.below(10));
    life.expires = random.below(2) == 0 ? WallTime{} : kWall + seconds(random.below(10));
    book_.change(*at->second, life, now_, now_ + seconds(random.below(10)));
    if (i % 100 == 0) check();
  }
  check();
}

}  // namespace
}  // namespace mainstay::storage
