// Attempts: outcomes, retries, leases, cancellation, time, slots.
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;
struct WorkersTest : JobsWorld {};

TEST_F(WorkersTest, a_job_runs_once_and_its_result_is_kept) {
  auto& workers_of_one = add_workers(1);
  const JobId id = go({{"ms", 100}});
  clock.advance(1s);
  const auto done = job(id);
  EXPECT_EQ(done.state, JobState::succeeded);
  EXPECT_EQ(done.result, R"({"attempt":1})");
  EXPECT_EQ(script->runs, 1);
  EXPECT_EQ(told(id), (Names{"queued", "started", "succeeded"}));
  const auto figures = workers_of_one.figures();
  EXPECT_EQ(figures.succeeded, 1u);
  EXPECT_EQ(figures.busy, 0u);
  EXPECT_TRUE(figures.running.empty());
}

TEST_F(WorkersTest, a_permanent_error_is_the_end_at_once) {
  add_workers(1);
  const JobId id = go({{"end", "fatal"}});
  clock.advance(1s);
  const auto dead = job(id);
  EXPECT_EQ(dead.state, JobState::dead);
  EXPECT_EQ(dead.failure.code, "invalid_value");
  EXPECT_EQ(dead.failure.message, "Scripted: no.");
  EXPECT_EQ(script->runs, 1);
  EXPECT_EQ(told(id), (Names{"queued", "started", "dead"}));
}

TEST_F(WorkersTest, other_errors_are_tried_again_until_attempts_are_used_up) {
  add_workers(1);
  const JobId twice = go({{"until", 2}});
  const JobId never = go({{"end", "again"}});
  clock.advance(1h);
  EXPECT_EQ(state(twice), JobState::succeeded);
  EXPECT_EQ(job(twice).attempts, 3u);
  const auto dead = job(never);
  EXPECT_EQ(dead.state, JobState::dead);
  EXPECT_EQ(dead.attempts, settings.jobs.attempts_max);
  EXPECT_EQ(dead.failure.code, "unavailable");
  EXPECT_EQ(dead.failure.message.find("secret detail"), std::string::npos)
      << "details are for the log";
}

TEST_F(WorkersTest, an_attempt_comes_no_sooner_than_the_error_says) {
  add_workers(1);
  const JobId id = go({{"until", 1}, {"retry_after_ms", 90'000}});
  clock.advance(89s);
  EXPECT_EQ(script->runs, 1);
  clock.advance(2s);
  EXPECT_EQ(state(id), JobState::succeeded);
}

TEST_F(WorkersTest, an_exception_is_caught_counted_and_tried_again) {
  auto& one = add_workers(1);
  const JobId id = go({{"end", "throw"}});
  clock.advance(1h);
  EXPECT_EQ(state(id), JobState::dead);
  EXPECT_EQ(job(id).failure.code, "internal");
  EXPECT_EQ(one.figures().threw, settings.jobs.attempts_max);
  const JobId next = go(Json::object());
  clock.advance(1s);
  EXPECT_EQ(state(next), JobState::succeeded) << "the worker goes on";
}

TEST_F(WorkersTest, an_attempt_has_a_time_limit) {
  script->limits_.timeout = 10s;
  auto& one = add_workers(1);
  Order what = order({{"ms", 60'000}});
  what.attempts_max = 1;
  const JobId slow = submit(what);
  clock.advance(10s - 1ms);
  EXPECT_EQ(state(slow), JobState::running);
  clock.advance(1ms);
  EXPECT_EQ(state(slow), JobState::dead);
  EXPECT_EQ(job(slow).failure.code, "attempt_timeout");
  EXPECT_EQ(one.figures().timed_out, 1u);
  EXPECT_EQ(script->at_work, 0) << "and its work has stopped";
}

// proves G: heartbeats keep a long job; no second worker runs it.
TEST_F(WorkersTest, a_job_longer_than_its_lease_runs_once) {
  script->limits_.timeout = 10min;
  add_workers(1);
  add_workers(1);
  const JobId id = go({{"ms", 200'000}});  // lease: 30 s
  clock.advance(250s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(script->runs, 1);
  EXPECT_EQ(store.calls["extend"], 19) << "every third of a lease";
}

TEST_F(WorkersTest, heartbeats_that_fail_for_a_while_lose_nothing) {
  add_workers(1);
  const JobId id = go({{"ms", 100'000}});
  clock.advance(1s);
  store.faults["extend"].before = 2;
  clock.advance(120s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(script->runs, 1);
}

TEST_F(WorkersTest, an_attempt_whose_lease_was_lost_stops_and_another_one_counts) {
  auto& one = add_workers(1);
  const JobId id = go({{"ms", 100'000}});
  clock.advance(1s);
  store.faults["extend"].before = 1000;  // silent for a whole lease
  clock.advance(30s);
  store.faults["extend"].before = 0;
  clock.advance(1s);
  EXPECT_EQ(one.figures().stale, 1u);
  EXPECT_EQ(script->at_work, 1) << "the second attempt";
  clock.advance(150s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_EQ(job(id).attempts, 2u);
  EXPECT_EQ(memory.figures().completed, 1u);
}

// proves G: cancelling reaches the running attempt within 250 ms.
TEST_F(WorkersTest, a_cancelled_job_stops_its_attempt_at_once) {
  auto& one = add_workers(1);
  const JobId id = go({{"ms", 60'000}});
  clock.advance(1s);
  ASSERT_EQ(script->at_work, 1);
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  clock.advance(250ms);
  EXPECT_EQ(script->at_work, 0);
  EXPECT_EQ(one.figures().cancelled, 1u);
  EXPECT_EQ(one.figures().busy, 0u);
  EXPECT_EQ(told(id), (Names{"queued", "started", "cancelled"}));
}

TEST_F(WorkersTest, a_late_word_of_a_cancellation_leaves_the_attempt_of_a_retry_alone) {
  auto& one = add_workers(1);
  const JobId id = go({{"ms", 60'000}});
  clock.advance(1s);
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  const auto word = run(signal.hear(std::string(kStopTopic), {}, Deadline(clock.now())));
  ASSERT_TRUE(word.ok());
  ASSERT_EQ(word->news.size(), 1u);
  clock.advance(1s);
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  clock.advance(1s);
  ASSERT_EQ(script->at_work, 1);
  const auto tell = [&](const std::string& data) {
    return run(signal.tell(std::string(kStopTopic), "cancel", data, soon())).ok();
  };
  ASSERT_TRUE(tell(word->news.front().data));
  clock.advance(1s);
  EXPECT_EQ(script->at_work, 1);
  EXPECT_EQ(state(id), JobState::running);
  ASSERT_TRUE(tell(dump(Json{{"job", id.text()}})));
  clock.advance(1s);
  EXPECT_EQ(script->at_work, 0) << "a word without a number is for all of them";
  EXPECT_EQ(one.figures().cancelled, 2u);
}

TEST_F(WorkersTest, a_cancellation_that_nobody_heard_is_found_by_the_heartbeat) {
  add_workers(1);
  const JobId id = go({{"ms", 60'000}});
  clock.advance(1s);
  ASSERT_TRUE(run(memory.cancel(std::nullopt, id, soon())).ok());
  clock.advance(10s);
  EXPECT_EQ(script->at_work, 0);
  EXPECT_EQ(state(id), JobState::cancelled);
}

TEST_F(WorkersTest, an_outcome_is_repeated_until_the_store_takes_it) {
  add_workers(1);
  const JobId before = go({{"turn", "conv_1"}});
  store.faults["complete"].before = 3;
  clock.advance(5s);
  EXPECT_EQ(state(before), JobState::succeeded);
  const JobId after = go({{"turn", "conv_1"}});
  store.faults["complete"] = {0, 2};  // it counted, but the answer was lost
  clock.advance(5s);
  EXPECT_EQ(state(after), JobState::succeeded);
  EXPECT_EQ(script->runs, 2);
  EXPECT_EQ(memory.figures().completed, 2u);
  const JobId failing = go({{"end", "fatal"}});
  store.faults["fail"] = {1, 1};
  clock.advance(5s);
  EXPECT_EQ(state(failing), JobState::dead);
}

TEST_F(WorkersTest, an_effect_that_can_never_be_stored_ends_the_job) {
  storage::Turn turn;
  turn.conversation = ConversationId("conv_bobs");
  turn.request = RequestId("r");
  ASSERT_TRUE(conversations.append_now(someone("bob").owner, turn).ok());
  add_workers(1);
  const JobId id = go({{"turn", "conv_bobs"}});
  clock.advance(5s);
  EXPECT_EQ(state(id), JobState::dead);
}

TEST_F(WorkersTest, only_free_slots_claim) {
  add_workers(3);
  for (int i = 0; i < 9; ++i) go({{"ms", 1000}});
  clock.advance(10s);
  EXPECT_EQ(script->most_at_work, 3);
  EXPECT_EQ(script->runs, 9);
  EXPECT_LE(store.most_claimed, 3u);
}

TEST_F(WorkersTest, pressure_takes_slots_away_and_gives_them_back) {
  double factor = 0.5;
  add_workers(4, [&factor] { return factor; });
  for (int i = 0; i < 4; ++i) go({{"ms", 5000}});
  clock.advance(1s);
  EXPECT_EQ(script->at_work, 2);
  factor = 0;
  clock.advance(10s);
  EXPECT_EQ(script->at_work, 0);
  EXPECT_EQ(script->runs, 2);
  factor = 0.01;  // as long as anything is allowed, one runs
  clock.advance(3s);
  EXPECT_EQ(script->at_work, 1);
  factor = 1;
  clock.advance(10s);
  EXPECT_EQ(script->runs, 4);
}

TEST_F(WorkersTest, a_job_of_a_kind_nobody_knows_is_dead_with_its_reason) {
  storage::NewJob odd;
  odd.id = JobId("job_odd");
  odd.owner = caller.owner;
  odd.kind = "from-tomorrow";
  odd.input = "{}";
  ASSERT_TRUE(run(memory.submit(odd, 0, soon())).ok());
  add_workers(1);
  clock.advance(1s);
  EXPECT_EQ(state(odd.id), JobState::dead);
  EXPECT_EQ(job(odd.id).failure.code, "unknown_kind");
}

TEST_F(WorkersTest, urgent_classes_go_first) {
  Order slow = order({{"ms", 100}});
  slow.priority = JobClass::background;
  const JobId background = submit(slow);
  slow.priority = JobClass::batch;
  const JobId batch = submit(slow);
  slow.priority = JobClass::voice;
  const JobId voice = submit(slow);
  add_workers(1);
  clock.advance(150ms);
  EXPECT_EQ(state(voice), JobState::succeeded);
  EXPECT_EQ(state(batch), JobState::running);
  EXPECT_EQ(state(background), JobState::queued);
}

TEST_F(WorkersTest, claims_go_on_after_the_store_was_away) {
  store.faults["claim"].before = 5;
  add_workers(1);
  const JobId id = go(Json::object());
  clock.advance(30s);
  EXPECT_EQ(state(id), JobState::succeeded);
}

TEST_F(WorkersTest, pieces_told_close_together_are_one_event_and_none_is_lost) {
  settings.jobs.events.token_interval = Millis(50);
  add_workers(1);
  const JobId id = go({{"ms", 1000}, {"tell", 1000}});
  clock.advance(5s);
  auto heard = run(signal.hear(topic_of(id), {}, Deadline(clock.now())));
  std::string text;
  std::size_t tokens = 0;
  for (const auto& news : heard->news) {
    if (news.type != "token") continue;
    ++tokens;
    text += parse_json(news.data)->value("text", "");
  }
  EXPECT_GE(tokens, 15u);
  EXPECT_LE(tokens, 25u);
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + " ";
  EXPECT_EQ(text, expected);
}

TEST_F(WorkersTest, a_piece_before_a_pause_is_told_without_the_next_one) {
  add_workers(1);
  const JobId id = go({{"ms", 40'000}, {"tell", 2}});
  clock.advance(200ms);
  EXPECT_EQ(told(id), (Names{"queued", "started", "token"}));
}

TEST_F(WorkersTest, all_pieces_are_told_before_the_store_knows_of_the_end) {
  settings.jobs.events.token_interval = Millis(50);
  store.faults["complete"].before = 1;
  add_workers(1);
  const JobId id = go({{"ms", 3}, {"tell", 3}});
  clock.advance(10ms);
  EXPECT_EQ(state(id), JobState::running);
  auto heard = run(signal.hear(topic_of(id), {}, Deadline(clock.now())));
  std::string text;
  for (const auto& news : heard->news) text += parse_json(news.data)->value("text", "");
  EXPECT_EQ(text, "0 1 2 ");
  clock.advance(1s);
  EXPECT_EQ(state(id), JobState::succeeded);
}

TEST_F(WorkersTest, waiting_and_running_times_are_measured_by_kind_and_class) {
  go({{"ms", 500}});
  clock.advance(2s);
  add_workers(1);
  clock.advance(2s);
  const std::string text = metrics.text();
  EXPECT_NE(text.find(R"(mainstay_jobs_run_seconds_count{kind="script",class="interactive"} 1)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(mainstay_jobs_wait_seconds_sum{kind="script",class="interactive"} 2)"),
            std::string::npos)
      << text;
}

TEST_F(WorkersTest, a_job_that_is_run_again_by_hand_has_not_waited_since_it_came_in) {
  add_workers(1);
  const JobId id = go({{"end", "fatal"}});
  clock.advance(10h);
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  clock.advance(1s);
  EXPECT_EQ(script->runs, 2);
  const std::string text = metrics.text();
  EXPECT_NE(text.find(R"(mainstay_jobs_wait_seconds_sum{kind="script",class="interactive"} 0)"),
            std::string::npos)
      << text;
}

TEST(WorkerSlots, follow_the_setting_or_the_cores) {
  EXPECT_EQ(worker_slots(7, 2), 7u);
  EXPECT_EQ(worker_slots(0, 4), 8u);
  EXPECT_EQ(worker_slots(0, 0), 2u);
}

}  // namespace
}  // namespace mainstay::jobs
