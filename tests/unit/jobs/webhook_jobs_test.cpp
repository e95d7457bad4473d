// Webhooks over the life of jobs: every end is delivered at least once, signed, and again until it
// is accepted.
#include "config/webhook_secret.h"
#include "jobs/kinds_inside.h"
#include "jobs/webhook.h"
#include "unit/jobs/tools_world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct WebhookJobsTest : ToolsWorld {
  WebhookJobsTest() { kinds.add(make_webhook_kind(tools())); }
  JobId submit_told(Json input) {
    Order what = order(std::move(input));
    what.webhook = "https://hooks.example/x";
    return submit(std::move(what));
  }
  std::string header(std::size_t letter, const char* name) {
    for (const auto& [key, value] : post.letters.at(letter).headers) {
      if (key == name) return value;
    }
    return {};
  }
  Names types() {
    Names out;
    for (const auto& letter : post.letters)
      out.push_back(parse_json(letter.body)->value("type", ""));
    return out;
  }
};

TEST_F(WebhookJobsTest, a_success_is_told_once_with_a_signature_that_fits) {
  add_workers(2);
  const JobId id = submit_told({{"ms", 100}});
  clock.advance(3h);
  ASSERT_EQ(types(), (Names{"job.succeeded"}));
  const auto& letter = post.letters[0];
  EXPECT_EQ(letter.url, "https://hooks.example/x");
  EXPECT_EQ(header(0, "content-type"), "application/json");
  EXPECT_EQ(header(0, "webhook-id"), id.text() + "_1_succeeded");
  const auto key = config::webhook_key(settings.jobs.webhooks.secret.reveal());
  EXPECT_EQ(header(0, "webhook-signature"),
            webhook_signature(*key, header(0, "webhook-id"),
                              std::stoll(header(0, "webhook-timestamp")), letter.body));
  EXPECT_NE(letter.body.find(R"("result":{"attempt":1})"), std::string::npos);
}

TEST_F(WebhookJobsTest, a_job_that_was_given_up_and_one_that_was_cancelled_are_told) {
  add_workers(1);
  submit_told({{"end", "fatal"}});
  clock.advance(1s);
  EXPECT_EQ(types(), (Names{"job.dead"}));
  const JobId id = submit_told({{"ms", 60'000}});
  clock.advance(1s);
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  clock.advance(1s);
  EXPECT_EQ(types(), (Names{"job.dead", "job.cancelled"}));
  clock.advance(5h);
  EXPECT_EQ(types().size(), 2u) << "the later look finds both reported";
}

TEST_F(WebhookJobsTest, each_of_two_cancellations_is_told) {
  const JobId id = submit_told({{"ms", 1}});
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
    add_workers(1);
    clock.advance(5h);
    close_workers();
    if (round == 0) ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  }
  ASSERT_EQ(types(), (Names{"job.cancelled", "job.cancelled"}));
  EXPECT_NE(header(0, "webhook-id"), header(1, "webhook-id"));
}

// proves G3: what has ended and was told does not stand in the queue.
TEST_F(WebhookJobsTest, a_delivery_takes_the_waiting_look_away) {
  Order what = order({{"ms", 100}});
  what.webhook = "https://hooks.example/x";
  what.key = "k1";
  submit(what);
  clock.advance(1s);
  submit(what);  // the same order again: no second look
  EXPECT_EQ(memory.figures().depth, 2u) << "the job and the look at it";
  add_workers(1);
  clock.advance(1s);
  EXPECT_EQ(memory.figures().depth, 0u);
  submit_told({{"end", "fatal"}});
  clock.advance(1s);
  EXPECT_EQ(memory.figures().depth, 0u);
  const JobId id = submit_told({{"ms", 60'000}});
  clock.advance(1s);
  ASSERT_TRUE(run(desk().cancel(caller, id, soon())).ok());
  clock.advance(1s);
  EXPECT_EQ(memory.figures().depth, 0u);
  EXPECT_EQ(types(), (Names{"job.succeeded", "job.dead", "job.cancelled"}));
}

TEST_F(WebhookJobsTest, a_job_that_is_run_again_is_looked_at_again) {
  const JobId id = submit_told({{"end", "fatal"}});
  add_workers(1);
  clock.advance(1s);
  ASSERT_EQ(types(), (Names{"job.dead"}));
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  clock.advance(1s);
  EXPECT_EQ(types(), (Names{"job.dead", "job.dead"}));
  EXPECT_EQ(memory.figures().depth, 0u) << "the second look went as the first one did";
  close_workers();
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  EXPECT_EQ(memory.figures().depth, 2u);
  store.faults["submit"].before = 1;  // the delivery cannot be handed in when the job dies again
  add_workers(1);
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::dead);
  EXPECT_EQ(types().size(), 2u);
  clock.advance(2h);
  EXPECT_EQ(types(), (Names{"job.dead", "job.dead", "job.dead"}));
  EXPECT_EQ(memory.figures().depth, 0u);
}

TEST_F(WebhookJobsTest, a_job_that_runs_for_hours_is_looked_at_until_it_ends) {
  script->limits_.timeout = 12h;
  submit_told({{"ms", 3 * 3'600'000}});
  add_workers(2);
  clock.advance(2h + 30min);
  EXPECT_EQ(memory.figures().depth, 2u) << "the job and the third look";
  clock.advance(1h);
  EXPECT_EQ(types(), (Names{"job.succeeded"}));
  EXPECT_EQ(memory.figures().depth, 0u);
}

TEST_F(WebhookJobsTest, a_failure_on_the_way_speaks_of_the_receiver) {
  add_workers(1);
  post.error = Error::say(Errc::unavailable, "upstream_unresolved",
                          "The model server's name could not be resolved.");
  submit_told({{"ms", 1}});
  clock.advance(72h);
  storage::JobFilter filter;
  filter.kind = "webhook";
  filter.state = JobState::dead;
  const auto page = run(memory.list(filter, {}, 10, soon()));
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].failure.code, "upstream_unresolved");
  EXPECT_EQ(page->items[0].failure.message,
            "The webhook's receiver has a name that could not be resolved.");
}

TEST_F(WebhookJobsTest, a_job_that_expired_is_told_though_no_attempt_saw_it) {
  Order what = order({{"ms", 1}});
  what.webhook = "https://hooks.example/x";
  what.expires_in = 60s;
  const JobId id = submit(what);
  clock.advance(61s);
  add_workers(1);
  clock.advance(10s);
  EXPECT_EQ(state(id), JobState::expired);
  EXPECT_EQ(types(), (Names{"job.expired"}));
}

TEST_F(WebhookJobsTest, an_end_whose_report_was_lost_is_found_by_the_later_look) {
  const JobId id = submit_told({{"end", "fatal"}});
  store.faults["submit"].before = 1;  // the delivery cannot be handed in when the job dies
  add_workers(2);
  clock.advance(1s);
  ASSERT_EQ(state(id), JobState::dead);
  EXPECT_TRUE(post.letters.empty());
  clock.advance(2h);
  EXPECT_EQ(types(), (Names{"job.dead"}));
}

TEST_F(WebhookJobsTest, deliveries_are_repeated_over_hours_with_the_same_id) {
  post.status = 500;
  add_workers(1);
  submit_told({{"ms", 1}});
  clock.advance(72h);
  ASSERT_EQ(post.letters.size(), settings.jobs.webhooks.attempts_max);
  for (std::size_t i = 0; i < post.letters.size(); ++i) {
    EXPECT_EQ(header(i, "webhook-id"), header(0, "webhook-id"));
    EXPECT_EQ(post.letters[i].body, post.letters[0].body);
  }
  const auto span = std::stoll(header(post.letters.size() - 1, "webhook-timestamp")) -
                    std::stoll(header(0, "webhook-timestamp"));
  EXPECT_GT(span, 3600);
}

TEST_F(WebhookJobsTest, a_job_that_is_forgotten_before_its_delivery_is_told_all_the_same) {
  post.status = 500;
  add_workers(1);
  const JobId id = submit_told({{"ms", 1}});
  clock.advance(1s);
  ASSERT_EQ(post.letters.size(), 1u);
  post.status = 204;
  store.faults["submit"].before = 1;
  EXPECT_FALSE(run(desk().erase(caller, id, soon())).ok());
  EXPECT_EQ(state(id), JobState::succeeded) << "nothing is lost where the message cannot be kept";
  ASSERT_TRUE(run(desk().erase(caller, id, soon())).ok());
  clock.advance(3h);
  ASSERT_EQ(post.letters.size(), 2u);
  EXPECT_EQ(post.letters[1].body, post.letters[0].body);
  EXPECT_EQ(header(1, "webhook-id"), header(0, "webhook-id"));
  EXPECT_EQ(memory.figures().depth, 0u) << "no look is left either";
}

TEST_F(WebhookJobsTest, a_job_that_expired_is_told_though_it_is_forgotten_before_the_look) {
  Order what = order({{"ms", 1}});
  what.webhook = "https://hooks.example/x";
  what.expires_in = 60s;
  const JobId id = submit(what);
  clock.advance(60s);
  ASSERT_EQ(state(id), JobState::expired);
  ASSERT_TRUE(run(desk().erase(caller, id, soon())).ok());
  add_workers(1);
  clock.advance(3h);
  EXPECT_EQ(types(), (Names{"job.expired"}));
}

TEST_F(WebhookJobsTest, what_was_told_is_not_told_again_when_its_job_is_forgotten) {
  add_workers(1);
  const JobId soon_gone = submit_told({{"ms", 1}});
  const JobId later_gone = submit_told({{"end", "fatal"}});
  clock.advance(1s);
  ASSERT_EQ(post.letters.size(), 2u);
  ASSERT_TRUE(run(desk().erase(caller, soon_gone, soon())).ok());
  clock.advance(49h);
  ASSERT_TRUE(
      run(memory.upkeep(soon())).ok());  // its delivery is forgotten, and the delivery's key
  ASSERT_TRUE(run(desk().erase(caller, later_gone, soon())).ok());
  clock.advance(3h);
  EXPECT_EQ(post.letters.size(), 2u);
}

TEST_F(WebhookJobsTest, the_message_of_a_forgotten_job_is_no_larger_than_an_input_may_be) {
  settings.jobs.input_max = Bytes{1000};
  settings.jobs.webhooks.result_max = Bytes{1 << 20};
  storage::Job job;
  job.job.id = JobId("job_1");
  job.state = JobState::succeeded;
  job.result = dump(Json{{"text", std::string(2000, 'x')}});
  const auto body = [&] {
    const auto letter = letter_of(job, "https://hooks.example/x", settings.jobs, clock, random);
    EXPECT_LE(letter.input.size(), settings.jobs.input_max.value);
    return *parse_json((*parse_json(letter.input))["letter"].value("body", ""));
  };
  EXPECT_FALSE(body()["data"].contains("result"));
  job.result = R"({"text":"short"})";
  EXPECT_EQ(body()["data"]["result"]["text"], "short");
}

TEST_F(WebhookJobsTest, receivers_that_hang_hold_up_no_work) {
  post.hangs = &clock;
  settings.limits.enabled = false;
  auto& one = add_workers(2);
  const int told = 3 * static_cast<int>(kDeliveriesMax);
  for (int n = 0; n < told; ++n) submit_told({{"ms", 1}});
  clock.advance(1s);
  EXPECT_EQ(script->runs, told);
  EXPECT_EQ(post.letters.size(), kDeliveriesMax) << "few at once";
  EXPECT_EQ(one.figures().busy, 0u) << "they are beside the slots";
  EXPECT_EQ(one.figures().running.size(), kDeliveriesMax);
  for (int n = 0; n < 4; ++n) go({{"ms", 1000}});
  clock.advance(2s + 10ms);
  EXPECT_EQ(script->runs, told + 4);
  EXPECT_EQ(script->most_at_work, 2);
  clock.advance(15s);
  EXPECT_EQ(post.letters.size(), 2 * kDeliveriesMax) << "the next ones, when the first gave up";
  storage::JobFilter filter;
  filter.kind = "webhook";
  filter.state = JobState::scheduled;
  const auto waiting = run(memory.list(filter, {}, 100, soon()));
  ASSERT_TRUE(waiting.ok());
  const auto late = std::find_if(waiting->items.begin(), waiting->items.end(),
                                 [](const auto& job) { return !job.failure.code.empty(); });
  ASSERT_NE(late, waiting->items.end());
  EXPECT_EQ(late->failure.code, "attempt_timeout");
  EXPECT_EQ(late->failure.message, "The attempt took longer than it may (jobs.webhooks.timeout).");
}

TEST_F(WebhookJobsTest, the_look_at_a_job_is_kept_though_the_queue_is_full) {
  storage::JobLimits few;
  few.depth_high = 10;  // of this class: 9
  few.depth_low = 5;
  storage::memory::MemoryJobs narrow(clock, few, conversations);
  Desk at_narrow(settings, clock, random, *log, admission, kinds, narrow, signal);
  for (int n = 0; n < 8; ++n) {
    ASSERT_TRUE(run(at_narrow.submit(caller, order({{"ms", n}}), soon())).ok());
  }
  Order what = order({{"ms", 1}});
  what.webhook = "https://hooks.example/x";
  const auto last = run(at_narrow.submit(caller, what, soon()));
  ASSERT_TRUE(last.ok());
  EXPECT_FALSE(run(at_narrow.submit(caller, order({{"ms", 1}}), soon())).ok());
  EXPECT_EQ(narrow.figures().depth, 10u);
  const auto look = run(narrow.get(std::nullopt, watch_id(last->id, 0), soon()));
  ASSERT_TRUE(look.ok());
  EXPECT_EQ(look->state, JobState::scheduled);
  ASSERT_TRUE(run(at_narrow.cancel(caller, last->id, soon())).ok());
  EXPECT_EQ(narrow.figures().depth, 10u) << "the news of the cancellation was handed in, too";
}

TEST_F(WebhookJobsTest, any_2xx_is_enough_and_410_is_the_end_of_it) {
  add_workers(1);
  for (const int status : {200, 299, 410}) {
    post.letters.clear();
    post.status = status;
    submit_told({{"ms", 1}});
    clock.advance(30h);
    EXPECT_EQ(post.letters.size(), 1u) << status;
  }
  for (const int status : {199, 300, 302, 404, 409, 411}) {
    post.letters.clear();
    post.status = status;
    submit_told({{"ms", 1}});
    clock.advance(1min);
    EXPECT_GT(post.letters.size(), 1u) << status;
    clock.advance(40h);
  }
}

TEST_F(WebhookJobsTest, an_address_that_turns_out_to_be_inside_is_not_tried_again) {
  add_workers(1);
  post.error = Error::say(Errc::forbidden, "webhook_address_refused", "Inside.");
  submit_told({{"ms", 1}});
  clock.advance(30h);
  EXPECT_EQ(post.letters.size(), 1u);
}

TEST_F(WebhookJobsTest, a_receiver_says_when_to_come_back) {
  add_workers(1);
  post.status = 503;
  post.retry_after = 50min;
  submit_told({{"ms", 1}});
  clock.advance(49min);
  EXPECT_EQ(post.letters.size(), 1u);
  clock.advance(2min);
  EXPECT_EQ(post.letters.size(), 2u);
}

TEST_F(WebhookJobsTest, deliveries_use_up_no_users_place_and_are_nobodys_to_see) {
  post.status = 500;
  add_workers(1);
  for (int i = 0; i < 10; ++i) {
    submit_told({{"ms", 1}});
    clock.advance(100ms);
  }
  EXPECT_TRUE(try_submit(order(Json::object())).ok());
  const auto mine = run(desk().list(caller, {}, false, {}, 100, soon()));
  for (const auto& item : mine->items) EXPECT_EQ(item.job.kind, "script");
}

}  // namespace
}  // namespace mainstay::jobs
