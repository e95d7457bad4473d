// Jobs that come in when an allocation fails: each is stored whole or not at all, in the order in
// memory and on the disk.
#include "conformance/back_ends.h"
#include "failing_new.h"
#include "storage/sqlite/jobs.h"
#include "storage/sqlite/schema.h"

namespace mainstay::storage {
namespace {

using sqlite::Connection;
using sqlite::JobDesk;

constexpr int kFar = 1000;  ///< more allocations than any of these steps makes

NewJob job_of(int n) {
  NewJob out;
  // Long enough that every text is an allocation of its own.
  const std::string tag = " with many characters " + std::to_string(n);
  out.id = JobId("job" + tag);
  out.owner = owner_of("tenant" + tag, "user" + tag);
  out.kind = "kind" + tag;
  out.batch = "batch" + tag;
  out.key = "key" + tag;
  out.digest = "digest" + tag;
  out.input = "{}";
  out.repeat_every = std::chrono::hours(1);
  return out;
}

TEST(BookWithoutMemory, a_job_whose_allocation_failed_has_never_come_in) {
  for (int nth = 1;; ++nth) {
    ASSERT_LT(nth, kFar) << "the failing never ends";
    JobBook book{JobLimits()};
    const auto entry = [](int n) {
      const NewJob job = job_of(n);
      JobBook::NewEntry out;
      out.id = job.id;
      out.owner = job.owner;
      out.kind = job.kind;
      out.life = first_life(job, WallTime{});
      return out;
    };
    book.insert(entry(1), TimePoint{});
    bool failed = false;
    JobBook::NewEntry second = entry(2);
    fail_new(nth);
    try {
      book.insert(std::move(second), TimePoint{});
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    fail_new(0, 0);
    if (!failed) {
      EXPECT_GT(nth, 3) << "nothing was made to fail";
      return;
    }
    EXPECT_EQ(book.find(job_of(2).id), nullptr);
    EXPECT_EQ(book.depth(), 1U);
    EXPECT_EQ(book.ready(), 1U);
    EXPECT_EQ(book.waiting(job_of(2).owner), 0U);
    EXPECT_EQ(book.next({job_of(2).kind}), nullptr);
    book.insert(entry(2), TimePoint{});
    EXPECT_EQ(book.depth(), 2U);
    EXPECT_EQ(book.next({job_of(2).kind})->id, job_of(2).id);
    book.end(*book.find(job_of(2).id), JobState::succeeded, TimePoint{});
    EXPECT_EQ(book.next({})->id, job_of(1).id);
  }
}

/// The desk, with one allocation of one of its steps failing.
class FailingDesk final : public sqlite::Rider {
 public:
  enum class Step : std::uint8_t { none, prepare, apply };
  explicit FailingDesk(JobDesk& desk) : desk_(desk) {}
  /// The next such step fails at its `nth` allocation. While nothing is handed in.
  void fail(Step step, int nth) {
    nth_ = nth;
    failed_ = 0;
    step_ = step;
  }
  /// Whether it did, once an answer is there.
  bool failed() const { return failed_ > 0; }

  bool urgent() const noexcept override { return desk_.urgent(); }
  TimePoint wakes() const noexcept override { return desk_.wakes(); }
  void take() override { desk_.take(); }
  bool prepare(bool last) override {
    const Failing failing(*this, Step::prepare);
    return desk_.prepare(last);
  }
  bool apply(Connection& db, TimePoint until) override {
    const Failing failing(*this, Step::apply);
    return desk_.apply(db, until);
  }
  void settled(const std::shared_ptr<const Error>& error, bool again) noexcept override {
    desk_.settled(error, again);
  }
  void closed(const std::shared_ptr<const Error>& why) noexcept override { desk_.closed(why); }

 private:
  struct Failing {
    Failing(FailingDesk& desk, Step step) : in(desk), on(desk.step_ == step) {
      if (!on) return;
      in.step_ = Step::none;
      fail_new(in.nth_);
    }
    ~Failing() {
      if (!on) return;
      in.failed_ = failed_news();
      fail_new(0, 0);
    }
    Failing(const Failing&) = delete;
    Failing& operator=(const Failing&) = delete;
    FailingDesk& in;
    const bool on;
  };
  JobDesk& desk_;
  std::atomic<Step> step_{Step::none};
  std::atomic<int> nth_{0};
  std::atomic<int> failed_{0};
};

class JobsWithoutMemory : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { close(); }
  void open() {
    auto db = std::make_unique<Connection>(dir_.path() + "/x.db", sqlite::Mode::write,
                                           std::chrono::seconds(1));
    db->run("PRAGMA journal_mode = WAL");
    migrate(sqlite::conversations_schema(), *db);
    sqlite::DeskRules rules;
    rules.inputs_memory = 1U << 20;
    desk_ = std::make_unique<JobDesk>(ground_.clock, rules);
    desk_->load(*db);
    const sqlite::Surroundings around{ground_.clock, *ground_.log, ground_.metrics,
                                      ground_.settings, "test"};
    pool_ = std::make_unique<OffloadPool>("read", 1, 16);
    readers_ = std::make_unique<sqlite::Readers>(dir_.path() + "/x.db", *pool_, around);
    writer_ = std::make_unique<sqlite::Writer>(std::move(db), around);
    desk_->start(*writer_);
    failing_ = std::make_unique<FailingDesk>(*desk_);
    writer_->carry(*failing_);
    jobs_ = std::make_unique<sqlite::SqliteJobs>(*desk_, *readers_, std::chrono::seconds(20));
  }
  void close() {
    EXPECT_TRUE(writer_->close().ok());
    jobs_.reset();
    writer_.reset();
    failing_.reset();
    pool_.reset();
    readers_.reset();
    desk_.reset();
  }
  Result<Submitted> submit(int n) {
    return ground_.run(jobs_->submit(job_of(n), 0, ground_.soon()));
  }
  std::vector<Claimed> take(std::uint32_t slots) {
    Claim claim{"worker", {}, slots, std::chrono::hours(1)};
    auto out = ground_.run(jobs_->claim(std::move(claim), Deadline(ground_.clock.now())));
    EXPECT_TRUE(out.ok());
    return out.ok() ? std::move(*out) : std::vector<Claimed>();
  }
  bool is_there(int n) { return ground_.run(jobs_->get({}, job_of(n).id, ground_.soon())).ok(); }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<OffloadPool> pool_;
  std::unique_ptr<JobDesk> desk_;
  std::unique_ptr<sqlite::Readers> readers_;
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<FailingDesk> failing_;
  std::unique_ptr<sqlite::SqliteJobs> jobs_;
};

TEST_F(JobsWithoutMemory, any_one_allocation_may_fail_while_a_job_comes_in) {
  std::uint64_t stored = 0;
  int refused = 0;
  int n = 0;
  for (const auto step : {FailingDesk::Step::prepare, FailingDesk::Step::apply}) {
    for (int nth = 1;; ++nth) {
      ASSERT_LT(nth, kFar) << "the failing never ends";
      failing_->fail(step, nth);
      const auto got = submit(++n);
      const bool failed = failing_->failed();
      if (!got.ok()) {
        ++refused;
        EXPECT_EQ(got.error().reason, "out_of_memory") << nth << ": " << got.error().detail;
        EXPECT_FALSE(is_there(n)) << nth;
        EXPECT_EQ(desk_->figures().depth, stored) << nth;
        EXPECT_EQ(desk_->figures().submitted, stored) << nth;
        const auto again = submit(n);
        ASSERT_TRUE(again.ok()) << nth << ": " << again.error().detail;
        EXPECT_FALSE(again->existed) << nth << ": its key was free";
      }
      ++stored;
      EXPECT_EQ(desk_->figures().depth, stored) << nth;
      if (!failed) break;
    }
  }
  EXPECT_GT(refused, 3) << "nothing was made to fail";
  close();
  open();
  EXPECT_EQ(desk_->figures().depth, stored);
  EXPECT_EQ(take(kFar).size(), stored) << "each is in the order, once";
}

TEST_F(JobsWithoutMemory, any_one_allocation_may_fail_while_an_outcome_brings_further_jobs) {
  int n = 0;
  int refused = 0;
  for (int nth = 1;; ++nth) {
    ASSERT_LT(nth, kFar) << "the failing never ends";
    ASSERT_TRUE(submit(++n).ok());
    const auto taken = take(1);
    ASSERT_EQ(taken.size(), 1U) << nth;
    const auto complete = [&](int follow_up) {
      Effects effects;
      effects.follow_ups.push_back(job_of(follow_up));
      effects.follow_ups.back().run_at = ground_.clock.wall() + std::chrono::hours(9);
      return ground_.run(jobs_->complete(taken[0].lease, "{}", std::move(effects), ground_.soon()));
    };
    failing_->fail(FailingDesk::Step::apply, nth);
    const int follow_up = ++n;
    const auto before = desk_->figures();
    const auto got = complete(follow_up);
    const bool failed = failing_->failed();
    if (!got.ok()) {
      ++refused;
      EXPECT_EQ(got.error().reason, "out_of_memory") << nth << ": " << got.error().detail;
      EXPECT_FALSE(is_there(follow_up)) << nth;
      EXPECT_EQ(desk_->figures().depth, before.depth) << nth;
      EXPECT_EQ(desk_->figures().completed, before.completed) << nth;
      const auto again = complete(follow_up);
      EXPECT_TRUE(again.ok()) << nth << ": the lease is good still";
    }
    EXPECT_TRUE(is_there(follow_up)) << nth;
    EXPECT_EQ(desk_->figures().depth, before.depth + 1) << nth << ": the next one, the follow-up";
    EXPECT_EQ(desk_->figures().completed, before.completed + 1) << nth;
    if (!failed) break;
  }
  EXPECT_GT(refused, 3) << "nothing was made to fail";
}

}  // namespace
}  // namespace mainstay::storage
