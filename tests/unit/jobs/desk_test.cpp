// Orders: what is refused, what is changed, and who may see and end what.
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct DeskTest : JobsWorld {
  Error refused(Order what) {
    auto out = try_submit(std::move(what));
    EXPECT_FALSE(out.ok());
    return out.ok() ? Error() : out.error();
  }
};

TEST_F(DeskTest, an_order_becomes_a_job_of_its_caller) {
  Order what = order({{"ms", 5}});
  what.client = "tab-1";
  const JobId id = submit(std::move(what));
  const auto stored = job(id);
  EXPECT_TRUE(id.text().starts_with("job_"));
  EXPECT_EQ(stored.job.owner, caller.owner);
  EXPECT_EQ(stored.job.client, "tab-1");
  EXPECT_EQ(stored.job.input, R"({"ms":5})");
  EXPECT_EQ(stored.state, JobState::queued);
  EXPECT_EQ(told(id), (Names{"queued"}));
}

TEST_F(DeskTest, refuses_kinds_that_do_not_exist_or_are_not_for_clients) {
  for (const char* kind : {"", "other", "hidden"}) {
    const Error error = refused(order({}, kind));
    EXPECT_EQ(error.reason, "unknown_kind");
    EXPECT_EQ(error.field, "kind");
    EXPECT_EQ(error.message, "'kind' must be one of script.");
  }
  auto own = run(desk().submit_own(caller, order(Json::object(), "hidden"), soon()));
  EXPECT_TRUE(own.ok());
}

TEST_F(DeskTest, keys_of_a_batchs_requests_are_not_for_clients) {
  Order what = order(Json::object());
  what.key = "batch_0123:7";
  const Error error = refused(what);
  EXPECT_EQ(error.reason, "invalid_idempotency_key");
  EXPECT_EQ(error.field, "idempotency-key");
  EXPECT_TRUE(run(desk().submit_own(caller, what, soon())).ok());
  for (const char* fine : {"batch_0123", "batch_0123:", "batch_0123:x7", "my_batch_0123:7"}) {
    what.key = fine;
    EXPECT_TRUE(try_submit(what).ok()) << fine;
  }
}

TEST_F(DeskTest, a_kind_may_need_a_scope) {
  script->limits_.scope = admission::Scope::admin;
  const Error error = refused(order(Json::object()));
  EXPECT_EQ(error.code, Errc::forbidden);
  EXPECT_EQ(error.reason, "scope_required");
}

TEST_F(DeskTest, names_the_field_that_the_kind_refuses) {
  EXPECT_EQ(refused(order({{"bad", 1}})).field, "input.bad");
}

TEST_F(DeskTest, an_input_may_be_as_long_as_its_limit) {
  const Json input = {{"x", std::string(100, 'a')}};
  const std::size_t size = dump(input).size();
  script->limits_.input_max = Bytes{size};
  EXPECT_TRUE(try_submit(order(input)).ok());
  script->limits_.input_max = Bytes{size - 1};
  EXPECT_EQ(refused(order(input)).reason, "input_too_large");
}

TEST_F(DeskTest, a_class_above_the_callers_right_is_lowered_to_it) {
  caller.most_urgent = admission::Priority::batch;
  Order what = order(Json::object());
  what.priority = JobClass::voice;
  EXPECT_EQ(job(submit(what)).job.priority, JobClass::batch);
  what.priority = JobClass::background;
  EXPECT_EQ(job(submit(what)).job.priority, JobClass::background);
}

// proves G: at most limits.user.queued jobs of one user wait.
TEST_F(DeskTest, a_user_has_ten_waiting_jobs_and_no_more) {
  for (int i = 0; i < 10; ++i) go(Json::object());
  EXPECT_EQ(refused(order(Json::object())).reason, "too_many_waiting_jobs");
  caller = someone("bob");
  EXPECT_TRUE(try_submit(order(Json::object())).ok()) << "others are not concerned";
  EXPECT_TRUE(run(desk().submit_own(someone("ann"), order(Json::object()), soon())).ok());
}

TEST_F(DeskTest, a_key_with_a_limit_of_its_own_may_have_that_many_jobs_waiting) {
  caller.limits.queued = 12;
  for (int i = 0; i < 12; ++i) go(Json::object());
  EXPECT_EQ(refused(order(Json::object())).reason, "too_many_waiting_jobs");
  caller = someone("bob");
  caller.limits.queued = 1;
  go(Json::object());
  EXPECT_EQ(refused(order(Json::object())).reason, "too_many_waiting_jobs");
}

TEST_F(DeskTest, a_job_that_its_owner_runs_again_is_one_more_that_waits) {
  const JobId id = go({{"ms", 5}});
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  for (int i = 0; i < 8; ++i) go(Json::object());
  Order planned = order(Json::object());
  planned.delay = 1h;
  const JobId last = submit(planned);
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok()) << "the tenth";
  ASSERT_TRUE(run(desk().cancel(caller, last, soon())).ok());
  go(Json::object());
  EXPECT_EQ(run(desk().retry(caller, last, soon())).error().reason, "too_many_waiting_jobs");
  EXPECT_EQ(state(last), JobState::cancelled);
  EXPECT_TRUE(run(desk().retry(admin(), last, soon())).ok()) << "administrators mean it";
}

TEST_F(DeskTest, a_key_has_1_to_255_printable_characters) {
  Order what = order(Json::object());
  what.key = std::string(255, 'k');
  EXPECT_TRUE(try_submit(what).ok());
  for (const std::string& bad :
       {std::string(256, 'k'), std::string("a\tb"), std::string("\xc3\xa9"), std::string("\x7f")}) {
    what.key = bad;
    const Error error = refused(what);
    EXPECT_EQ(error.reason, "invalid_idempotency_key") << bad.size();
    EXPECT_EQ(error.field, "idempotency-key");
  }
}

TEST_F(DeskTest, a_repeated_key_gives_the_first_job_and_another_body_a_conflict) {
  Order what = order({{"ms", 1}});
  what.key = "k1";
  auto first = try_submit(what);
  auto again = try_submit(what);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->id, again->id);
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(told(first->id), (Names{"queued"})) << "told once";
  what.input = {{"ms", 2}};
  EXPECT_EQ(refused(what).reason, "idempotency_key_reused");
}

TEST_F(DeskTest, without_a_key_no_order_was_there_before) {
  store.submits_twice = true;
  const auto out = try_submit(order({{"ms", 1}}));
  ASSERT_TRUE(out.ok());
  EXPECT_FALSE(out->existed);
  EXPECT_EQ(told(out->id), (Names{"queued"}));
}

TEST_F(DeskTest, times_have_bounds) {
  settings.jobs.delay_max = Millis(1'000'000);
  Order what = order(Json::object());
  what.delay = 1000s;
  EXPECT_TRUE(try_submit(what).ok());
  what.delay = 1000s + 1ms;
  EXPECT_EQ(refused(what).field, "delay");
  what.delay = -1ms;
  EXPECT_EQ(refused(what).field, "delay");
  what.delay.reset();
  what.run_at = clock.wall() + 1001s;
  EXPECT_EQ(refused(what).field, "run_at");
  what.run_at = {};
  what.expires = clock.wall();
  EXPECT_EQ(refused(what).field, "expires");
  what.expires = clock.wall() + 10s;
  what.delay = 10s;
  EXPECT_EQ(refused(what).field, "expires") << "no later than it is planned for";
  what.expires = {};
  for (const Duration in : {Duration(0s), Duration(10s), Duration(2'000s + 1ms)}) {
    what.expires_in = in;
    EXPECT_EQ(refused(what).field, "expires_in") << millis(in);
  }
  EXPECT_EQ(refused(what).message, "A job may expire at most 2000 s from now.");
  what.expires_in = Duration(0s);
  EXPECT_EQ(refused(what).message,
            "'expires_in' must be a millisecond or more; without it the job never expires.");
  what = order(Json::object());
  what.repeat_every = 59s;
  EXPECT_EQ(refused(what).field, "repeat_every");
  what.repeat_every = 60s;
  const auto repeating = job(submit(what));
  EXPECT_EQ(repeating.job.run_at, clock.wall()) << "occurrences are counted from a moment";
  what = order(Json::object());
  what.attempts_max = settings.jobs.attempts_max + 1;
  EXPECT_EQ(refused(what).field, "attempts_max");
}

TEST_F(DeskTest, an_order_that_is_told_again_after_its_expiry_has_its_first_answer) {
  Order what = order({{"ms", 1}});
  what.key = "k1";
  what.expires = clock.wall() + 2s;
  const JobId first = submit(what);
  clock.advance(3s);
  const auto again = try_submit(what);
  ASSERT_TRUE(again.ok()) << again.error().detail;
  EXPECT_EQ(again->id, first);
  EXPECT_TRUE(again->existed);
  what.key = "k2";
  EXPECT_EQ(refused(what).field, "expires");
}

TEST_F(DeskTest, the_id_of_a_repeating_job_ends_its_repetition) {
  Order what = order({{"ms", 1}});
  what.repeat_every = 60s;
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(130s);
  EXPECT_EQ(script->runs, 3);
  EXPECT_EQ(run(desk().cancel_only(caller, id, soon())).error().reason, "job_ended");
  EXPECT_EQ(run(desk().cancel(someone("bob"), id, soon())).error().reason, "unknown_job");
  const auto stopped = run(desk().cancel(caller, id, soon()));
  ASSERT_TRUE(stopped.ok()) << stopped.error().detail;
  EXPECT_EQ(stopped->job.run_at, job(id).job.run_at + 180s);
  EXPECT_EQ(stopped->state, JobState::cancelled);
  clock.advance(1h);
  EXPECT_EQ(script->runs, 3);
  EXPECT_EQ(run(desk().cancel(caller, id, soon())).error().reason, "job_ended");
}

TEST_F(DeskTest, an_occurrence_that_was_run_again_ends_the_repetition_too) {
  Order what = order({{"end", "fatal"}, {"ms", 10'000}});
  what.repeat_every = 60s;
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(11s);
  ASSERT_EQ(state(id), JobState::dead);
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::running);
  const auto stopped = run(desk().cancel(caller, id, soon()));
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->job.id, id);
  EXPECT_EQ(memory.figures().depth, 0u) << "the one that was planned is cancelled as well";
  EXPECT_EQ(run(desk().cancel(caller, id, soon())).error().reason, "job_ended");
  clock.advance(1h);
  EXPECT_EQ(script->runs, 2);
}

TEST_F(DeskTest, an_occurrence_that_was_run_again_and_cancelled_alone_still_finds_the_next) {
  Order what = order({{"end", "fatal"}});
  what.repeat_every = 60s;
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(1s);
  close_workers();
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  ASSERT_TRUE(run(desk().cancel_only(caller, id, soon())).ok());
  EXPECT_EQ(memory.figures().depth, 1u);
  const auto next = run(desk().cancel(caller, id, soon()));
  ASSERT_TRUE(next.ok()) << next.error().detail;
  EXPECT_NE(next->job.id, id);
  EXPECT_EQ(memory.figures().depth, 0u);
}

TEST_F(DeskTest, an_occurrence_that_runs_late_is_found_too) {
  Order what = order({{"ms", 1}});
  what.repeat_every = 60s;
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::succeeded);
  close_workers();
  clock.advance(200s);  // the second one waits since 60 s
  const auto stopped = run(desk().cancel(caller, id, soon()));
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->job.run_at, job(id).job.run_at + 60s);
  EXPECT_EQ(memory.figures().depth, 0u);
}

TEST_F(DeskTest, an_occurrence_that_is_hundreds_of_moments_late_is_found_too) {
  Order what = order({{"ms", 1}});
  what.repeat_every = 60s;
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::succeeded);
  close_workers();
  clock.advance(511 * 60s);
  const auto stopped = run(desk().cancel(caller, id, soon()));
  ASSERT_TRUE(stopped.ok()) << stopped.error().detail;
  EXPECT_EQ(stopped->job.run_at, job(id).job.run_at + 60s);
  EXPECT_EQ(memory.figures().depth, 0u);
}

TEST_F(DeskTest, a_client_has_no_control_characters) {
  Order what = order({{"ms", 1}});
  for (const char* bad : {"a\nb", "a\tb", "a\rb", "\x01", "\x7f"}) {
    what.client = bad;
    EXPECT_EQ(refused(what).field, "client");
  }
  what.client = "caf\xC3\xA9 1";
  EXPECT_TRUE(try_submit(what).ok());
}

TEST_F(DeskTest, a_webhook_must_have_a_public_address_and_a_secret_to_sign_with) {
  Order what = order({{"ms", 1}});
  what.webhook = "http://10.0.0.1/hook";
  EXPECT_EQ(refused(what).reason, "webhook_address_refused");
  what.webhook = "gopher://x";
  EXPECT_EQ(refused(what).reason, "invalid_webhook");
  what.webhook = "https://hooks.example/x";
  const JobId id = submit(what);
  auto seen = run(desk().get(caller, id, soon()));
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->webhook, "https://hooks.example/x");
  EXPECT_EQ(seen->job.job.input, R"({"ms":1})");
  desk_.reset();
  settings.jobs.webhooks.secret = Secret();
  EXPECT_EQ(refused(what).reason, "webhooks_off");
}

TEST_F(DeskTest, an_input_cannot_name_a_webhook_past_the_check) {
  EXPECT_EQ(refused(order({{"mainstay:webhook", "http://10.0.0.1/"}})).reason, "unknown_field");
}

// proves K5: one user's jobs are nobody else's.
TEST_F(DeskTest, anothers_job_does_not_exist) {
  const JobId id = go(Json::object());
  const auto bob = someone("bob");
  EXPECT_EQ(run(desk().get(bob, id, soon())).error().code, Errc::not_found);
  EXPECT_EQ(run(desk().cancel(bob, id, soon())).error().code, Errc::not_found);
  EXPECT_EQ(run(desk().retry(bob, id, soon())).error().code, Errc::not_found);
  EXPECT_EQ(run(desk().erase(bob, id, soon())).error().code, Errc::not_found);
  EXPECT_EQ(run(desk().follow(bob, id, "", soon())).error().code, Errc::not_found);
  EXPECT_TRUE(run(desk().list(bob, {}, true, {}, 10, soon()))->items.empty())
      << "everybody's is for administrators";
  EXPECT_EQ(run(desk().list(admin(), {}, true, {}, 10, soon()))->items.size(), 1u);
  EXPECT_TRUE(run(desk().list(admin(), {}, false, {}, 10, soon()))->items.empty());
  EXPECT_TRUE(run(desk().get(admin(), id, soon())).ok());
  EXPECT_TRUE(run(desk().cancel(admin(), id, soon())).ok());
  EXPECT_EQ(state(id), JobState::cancelled);
}

TEST_F(DeskTest, a_cancelled_job_can_be_run_again_and_forgotten_when_it_has_ended) {
  const JobId id = go({{"ms", 5}});
  EXPECT_EQ(run(desk().erase(caller, id, soon())).error().reason, "job_not_ended");
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  EXPECT_EQ(run(desk().cancel(caller, id, soon())).error().reason, "job_ended");
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  EXPECT_EQ(told(id), (Names{"queued", "cancelled", "queued"}));
  add_workers(1);
  clock.advance(1s);
  EXPECT_EQ(state(id), JobState::succeeded);
  EXPECT_TRUE(run(desk().erase(caller, id, soon())).ok());
  EXPECT_EQ(run(desk().get(caller, id, soon())).error().code, Errc::not_found);
}

TEST_F(DeskTest, a_retry_is_told_before_anything_else_is_done) {
  Order what = order({{"end", "fatal"}, {"ms", 100}});
  what.webhook = "https://hooks.example/x";
  const JobId id = submit(what);
  add_workers(1);
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::dead);
  store.submit_takes = &clock;  // the look that follows lets the attempt pass by
  ASSERT_TRUE(run(desk().retry(caller, id, soon()), 5s).ok());
  clock.advance(2s);
  EXPECT_EQ(told(id), (Names{"queued", "started", "dead", "queued", "started", "dead"}));
}

TEST_F(DeskTest, a_page_has_its_limit) {
  settings.jobs.list_max = 3;
  for (int i = 0; i < 5; ++i) go(Json::object());
  const auto page = run(desk().list(caller, {}, false, {}, 100, soon()));
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items.size(), 3u);
  EXPECT_TRUE(page->more);
}

}  // namespace
}  // namespace mainstay::jobs
