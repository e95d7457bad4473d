// What a store on a server of its own can suffer: the server dies, hangs, fills up, forgets, loses
// its rank. Nothing that was acknowledged is lost, and everything mends itself.
#include <boost/asio/bind_cancellation_slot.hpp>

#include "conformance/redis_rig.h"
#include "storage/redis/job_codec.h"

namespace mainstay::storage {
namespace {

Co<bool> submits(JobStore& store, NewJob job, Deadline by) {
  auto out = co_await store.submit(std::move(job), 0, by);
  co_return out.ok();
}
Co<bool> kills(RedisServer& server, Clock& clock, Duration after) {
  auto slept = co_await sleep(clock, after);
  server.kill();
  server.start(false);
  co_return slept;
}
Co<bool> claims_one(JobStore& store, Deadline by) {
  Claim claim{"waiting worker", {}, 1, minutes(1)};
  auto out = co_await store.claim(std::move(claim), by);
  co_return out.ok() && out->size() == 1;
}

// proves Z10 for redis: with appendfsync always nothing acknowledged is lost.
TEST_F(OnRedis, fault_29_a_server_that_is_killed_and_started_again_has_lost_nothing) {
  settings_.patience = seconds(5);
  std::set<int> accepted;
  for (int cycle = 0; cycle < 5; ++cycle) {
    std::vector<Co<bool>> all;
    for (int i = 0; i < 150; ++i) {
      all.push_back(submits(jobs(), job_of(cycle * 150 + i), in(seconds(20))));
    }
    all.push_back(kills(server(), ground_.clock, microseconds(cycle * 900)));
    const auto answers = run_all(ground_, std::move(all));
    for (int i = 0; i < 150; ++i) {
      if (answers[static_cast<std::size_t>(i)]) accepted.insert(cycle * 150 + i);
    }
    server().kill();
    server().start();
  }
  EXPECT_GT(accepted.size(), 700U);  // they were sent again
  for (const int n : accepted) ASSERT_EQ(state(n), "queued") << n;
  std::set<std::string> begun;
  while (begun.size() < accepted.size()) {
    const auto taken = take(50);
    ASSERT_FALSE(taken.empty());
    for (const auto& one : taken) {
      EXPECT_TRUE(begun.insert(one.job.job.id.text()).second);
      EXPECT_TRUE(complete(one.lease).ok());
    }
  }
  for (const int n : accepted) ASSERT_EQ(state(n), "succeeded") << n;
}

// A reply beyond redis.reply_max broke the connection: the attempts had begun, and nobody had them.
TEST_F(OnRedis, a_claim_takes_no_more_than_one_reply_may_hold) {
  settings_.reply_max = Bytes{1 << 20};
  for (int n = 0; n < 24; ++n) {
    NewJob job = job_of(n, n % 3 == 0 ? "ann" : "bob");
    job.input = '"' + std::string(100'000, 'x') + '"';
    ASSERT_TRUE(submit(job).ok());
  }
  NewJob large = job_of(50);
  large.input = '"' + std::string(900'000, 'x') + '"';
  ASSERT_TRUE(submit(large).ok());
  std::set<std::string> begun;
  while (begun.size() < 25) {
    const auto taken = take(30);
    ASSERT_FALSE(taken.empty());
    ASSERT_LE(taken.size(), 5U);
    for (const auto& one : taken) {
      EXPECT_EQ(one.job.attempts, 1U);
      EXPECT_TRUE(begun.insert(one.job.job.id.text()).second);
    }
  }
  EXPECT_TRUE(take(30, minutes(1), milliseconds(50)).empty());
}

TEST_F(OnRedis, a_reply_that_cannot_hold_a_jobs_input_is_refused_at_the_start) {
  settings_.reply_max = Bytes{4 << 20};
  ground_.limits.input_max = 3 << 20;  // and a MiB for the rest of the job
  EXPECT_TRUE(try_open().ok());
  ++ground_.limits.input_max;
  const auto refused = try_open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "redis_misconfigured");
  EXPECT_EQ(refused.error().field, "redis.reply_max");
}

TEST_F(OnRedis, a_reply_that_cannot_hold_a_topics_news_is_refused_at_the_start) {
  settings_.reply_max = Bytes{1 << 20};
  ground_.signal.events_max = 512;
  ground_.signal.bytes_max = (1 << 20) - 512 * 128;
  EXPECT_TRUE(try_open().ok());
  ++ground_.signal.bytes_max;
  EXPECT_EQ(reason_of(try_open()), "redis_misconfigured");
}

// It was accepted, and then each look at the job broke the connections of everybody.
TEST_F(OnRedis, a_result_that_no_reply_could_hold_is_refused_and_the_job_can_end) {
  settings_.reply_max = Bytes{2 << 20};
  ground_.limits.input_max = 100'000;
  ASSERT_TRUE(submit(job_of(1)).ok());
  const auto taken = take();
  ASSERT_EQ(taken.size(), 1U);
  const std::size_t room = (2 << 20) - (64 << 10) - 100'000;
  Effects none;
  const auto too_long = ground_.run(
      jobs().complete(taken[0].lease, std::string(room + 1, 'x'), none, in(seconds(10))));
  EXPECT_EQ(reason_of(too_long), "result_too_large");
  EXPECT_EQ(state(1), "running");
  EXPECT_TRUE(
      ground_.run(jobs().complete(taken[0].lease, std::string(room, 'x'), none, in(seconds(10))))
          .ok());
  EXPECT_EQ(state(1), "succeeded");
}

// What a worker began while it was stopped had no owner until its lease was over.
class ClaimsCancelled : public OnRedis {
 protected:
  /// A claim is cancelled while the server, which stands still, has its command.
  void cancel_a_claim() {
    settings_.reply_timeout = milliseconds(10'000);
    ASSERT_TRUE(submit(job_of(1)).ok());
    server().pause();
    asio::cancellation_signal stop;
    bool ended = false;
    Claim claim{"worker", {}, 4, minutes(10)};
    asio::co_spawn(
        ground_.io.get_executor(), jobs().claim(std::move(claim), in(seconds(30))),
        asio::bind_cancellation_slot(
            stop.slot(),
            [&ended](std::exception_ptr, const Result<std::vector<Claimed>>&) { ended = true; }));
    ground_.io.restart();
    ground_.io.run_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(ended) << "the server holds the answer back";
    stop.emit(asio::cancellation_type::terminal);
    ground_.io.run();
    EXPECT_TRUE(ended);
    server().go_on();
  }
  void expect_an_uncharged_job() {
    const auto taken = take();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].job.attempts, 1U) << "the attempt that nobody ran is not charged";
  }
};

TEST_F(ClaimsCancelled, leave_their_jobs_to_others) {
  cancel_a_claim();
  expect_an_uncharged_job();
}

TEST_F(ClaimsCancelled, leave_them_also_where_the_store_is_closed_at_once) {
  cancel_a_claim();
  stores_.reset();
  expect_an_uncharged_job();
}

TEST_F(OnRedis, fault_30_a_server_that_hangs_is_answered_for_in_time_and_found_again) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  server().pause();
  const auto before = ground_.clock.now();
  const auto hung = submit(job_of(2), seconds(2));
  EXPECT_FALSE(hung.ok());
  EXPECT_LE(ground_.clock.now() - before, seconds(4));
  server().go_on();
  EXPECT_TRUE(accepts_again(3));
  EXPECT_EQ(state(1), "queued");
}

TEST_F(OnRedis, fault_30_after_flushall_groups_come_back_by_themselves) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  ASSERT_TRUE(submit(job_of(2)).ok());
  const auto before = take();
  ASSERT_EQ(before.size(), 1U);
  ASSERT_EQ(server().tell("FLUSHALL"), "+OK\r\n");
  EXPECT_EQ(reason_of(complete(before[0].lease)), "stale_lease");
  EXPECT_EQ(state(2), "unknown_job");
  ASSERT_TRUE(submit(job_of(3)).ok());
  const auto after = take();
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].lease.id, job_of(3).id);
  EXPECT_TRUE(complete(after[0].lease).ok());
}

TEST_F(OnRedis, a_waiting_worker_survives_flushall) {
  std::vector<Co<bool>> all;
  jobs();
  all.push_back(claims_one(jobs(), in(seconds(20))));
  const auto flush_and_submit = [](OnRedis&, RedisServer& server, Clock& clock, JobStore& store,
                                   Deadline by) -> Co<bool> {
    auto slept = co_await sleep(clock, milliseconds(50));
    server.tell("FLUSHALL");
    auto out = co_await store.submit(job_of(7), 0, by);
    co_return slept&& out.ok();
  };
  all.push_back(flush_and_submit(*this, server(), ground_.clock, jobs(), in(seconds(20))));
  const auto both = run_all(ground_, std::move(all));
  EXPECT_TRUE(both[0]);
  EXPECT_TRUE(both[1]);
}

// The silent worker: one that waited while the server went, and never woke again.
TEST_F(OnRedis, a_worker_that_waited_while_the_server_was_gone_gets_the_next_job) {
  const auto outage = [](RedisServer& server, Clock& clock, JobStore& store,
                         Deadline by) -> Co<bool> {
    auto slept = co_await sleep(clock, milliseconds(60));
    server.kill();
    slept = co_await sleep(clock, milliseconds(1200));
    server.start();
    for (int i = 0; i < 200; ++i) {
      auto out = co_await store.submit(job_of(8), 0, by);
      if (out.ok()) co_return slept;
      slept = co_await sleep(clock, milliseconds(20));
    }
    co_return false;
  };
  const auto patient = [](JobStore& store, Clock& clock, Deadline by) -> Co<bool> {
    while (!by.passed(clock.now())) {
      Claim claim{"waiting worker", {}, 1, minutes(1)};
      auto out = co_await store.claim(std::move(claim), by);
      if (out.ok()) co_return out->size() == 1;
      [[maybe_unused]] auto slept = co_await sleep(clock, milliseconds(50));
    }
    co_return false;
  };
  std::vector<Co<bool>> all;
  jobs();
  all.push_back(patient(jobs(), ground_.clock, in(seconds(20))));
  all.push_back(outage(server(), ground_.clock, jobs(), in(seconds(20))));
  const auto both = run_all(ground_, std::move(all));
  EXPECT_TRUE(both[0]);
  EXPECT_TRUE(both[1]);
}

TEST_F(OnRedis, while_the_server_is_gone_calls_are_refused_at_once_and_say_when_to_come_back) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  server().kill();
  ground_.run(pause(milliseconds(700)));
  const auto before = ground_.clock.now();
  const auto out = submit(job_of(2), seconds(10));
  EXPECT_LE(ground_.clock.now() - before, seconds(1));
  EXPECT_EQ(reason_of(out), "redis_unavailable");
  EXPECT_EQ(out.error().code, Errc::unavailable);
  EXPECT_GE(out.error().retry_after, milliseconds(1'000));
  server().start();
  EXPECT_TRUE(accepts_again(2));
}

TEST_F(OnRedis, when_memory_is_full_nothing_comes_in_and_what_runs_can_end) {
  options_ = {"--maxmemory", "12mb"};
  ASSERT_TRUE(submit(job_of(1)).ok());
  const auto running = take();
  ASSERT_EQ(running.size(), 1U);
  std::string refused;
  int n = 2;
  for (; n < 400 && refused.empty(); ++n) {
    NewJob job = job_of(n);
    job.input.assign(100'000, 'x');
    const auto out = submit(job);
    if (!out.ok()) refused = reason_of(out);
  }
  EXPECT_EQ(refused, "redis_full");
  EXPECT_EQ(state(n - 1), "unknown_job");  // refused as a whole
  EXPECT_EQ(state(n - 2), "queued");
  EXPECT_TRUE(complete(running[0].lease).ok());
  const auto next = take();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_TRUE(complete(next[0].lease).ok());
  server().tell("CONFIG SET maxmemory 0");
  EXPECT_TRUE(submit(job_of(n - 1)).ok());
}

TEST_F(OnRedis, a_server_that_became_a_replica_is_not_written_to_and_is_found_again) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  server().tell("REPLICAOF 127.0.0.1 1");
  const auto refused = submit(job_of(2), seconds(1));
  EXPECT_EQ(reason_of(refused), "redis_unavailable");
  server().tell("REPLICAOF NO ONE");
  EXPECT_TRUE(accepts_again(3));
  EXPECT_EQ(state(1), "queued");
}

TEST_F(OnRedis, what_is_under_our_keys_but_not_ours_is_an_error_and_spoils_nothing) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  server().tell("DEL " + key("all"));
  server().tell("SET " + key("all") + " foreign");
  const auto refused = submit(job_of(2));
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_EQ(state(2), "unknown_job");
  server().tell("DEL " + key("all"));
  ASSERT_TRUE(submit(job_of(2)).ok());
  EXPECT_EQ(take(9).size(), 2U);
}

TEST_F(OnRedis, a_job_that_is_not_ours_any_more_keeps_no_other_from_its_turn) {
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(submit(job_of(i)).ok());
  server().tell("DEL " + key("j:" + job_of(2).id.text()));
  server().tell("SET " + key("j:" + job_of(2).id.text()) + " foreign");
  std::vector<std::string> taken;
  for (int i = 0; i < 6; ++i) {
    for (const auto& one : take(2)) taken.push_back(one.job.job.id.text());
  }
  EXPECT_EQ(taken, (std::vector<std::string>{job_of(1).id.text(), job_of(3).id.text(),
                                             job_of(4).id.text()}));
}

TEST_F(OnRedis, a_claim_whose_last_step_fails_has_lost_no_job) {
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(submit(job_of(i)).ok());
  server().tell("DEL " + key("r"));
  server().tell("SET " + key("r") + " foreign");
  const auto failed =
      ground_.run(jobs().claim({"worker", {}, 9, milliseconds(50)}, in(milliseconds(1))));
  EXPECT_EQ(failed.error().code, Errc::corrupt);
  server().tell("DEL " + key("r"));
  // They ran without anybody who knew, which is over when their leases are.
  std::set<std::string> taken;
  while (taken.size() < 3) {
    const auto some = take(9);
    ASSERT_FALSE(some.empty());
    for (const auto& one : some) {
      EXPECT_EQ(one.job.attempts, 2U);
      EXPECT_TRUE(taken.insert(one.job.job.id.text()).second);
      EXPECT_TRUE(complete(one.lease).ok());
    }
  }
}

TEST_F(OnRedis, a_turn_that_a_failed_script_had_read_comes_first) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  const std::string stream = key("s:1");
  server().tell("XGROUP CREATE " + stream + " w 0");
  server().tell("XREADGROUP GROUP w claims COUNT 1 STREAMS " + stream + " >");
  ASSERT_TRUE(submit(job_of(2, "bob")).ok());
  const auto first = take();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].lease.id, job_of(1).id);
  EXPECT_EQ(take(5).size(), 1U);
  EXPECT_EQ(server().tell("XLEN " + stream), ":0\r\n");
}

TEST_F(OnRedis, an_owner_whose_lane_is_not_ours_any_more_keeps_no_other_from_its_turn) {
  for (int i = 1; i <= 2; ++i) ASSERT_TRUE(submit(job_of(i, "ann")).ok());
  ASSERT_TRUE(submit(job_of(3, "bob")).ok());
  ASSERT_TRUE(submit(job_of(4, "bob", JobClass::background)).ok());
  const std::string lane = key("b:1:" + redis::owner_text(user("ann")));
  server().tell("DEL \"" + lane + "\"");
  server().tell("SET \"" + lane + "\" foreign");
  for (const int id : {3, 4}) {
    const auto taken = take();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].lease.id, job_of(id).id);
  }
}

TEST_F(OnRedis, who_found_no_room_in_a_reply_has_the_next_turn) {
  settings_.reply_max = Bytes{1 << 20};
  const auto large = [](NewJob job) {
    job.input = '"' + std::string(300'000, 'x') + '"';
    return job;
  };
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(submit(large(job_of(i, "ann"))).ok());
  ASSERT_TRUE(submit(large(job_of(10, "bob"))).ok());
  EXPECT_EQ(take(4).size(), 1U);
  const auto second = take(4);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].lease.id, job_of(10).id);
}

// 11 of the list that every store must pass: a retry is one step.
TEST_F(OnRedis, fault_01_a_retry_whose_step_fails_leaves_the_attempt_as_it_was) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  const Lease lease = take().at(0).lease;
  server().tell("SET " + key("due") + " foreign");
  auto failed = ground_.run(jobs().fail(lease, {"x", "y"}, seconds(5), in(seconds(5))));
  EXPECT_EQ(failed.error().code, Errc::corrupt);
  server().tell("DEL " + key("due"));
  EXPECT_EQ(state(1), "running");
  failed = ground_.run(jobs().fail(lease, {"x", "y"}, Duration::zero(), in(seconds(5))));
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(*failed, JobState::scheduled);
  const auto again = take();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(reason_of(complete(lease)), "stale_lease");
  EXPECT_TRUE(complete(again[0].lease).ok());
}

TEST_F(OnRedis, of_two_processes_only_the_one_that_leads_now_does_the_upkeep) {
  stores_ = open();
  auto other = open();
  auto first = ground_.run(stores_->leader().hold("upkeep", milliseconds(80), in(seconds(5))));
  ASSERT_TRUE(first.ok() && *first);
  auto second = ground_.run(other->leader().hold("upkeep", seconds(30), in(seconds(5))));
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->has_value());
  ground_.run(pause(milliseconds(120)));
  second = ground_.run(other->leader().hold("upkeep", seconds(30), in(seconds(5))));
  ASSERT_TRUE(second.ok() && *second);
  EXPECT_GT(**second, **first);
  EXPECT_FALSE(ground_.run(jobs().upkeep(in(seconds(5)))).ok());
  EXPECT_TRUE(ground_.run(other->jobs().upkeep(in(seconds(5)))).ok());
  EXPECT_TRUE(ground_.run(other->leader().release("upkeep", in(seconds(5)))).ok());
  first = ground_.run(stores_->leader().hold("upkeep", seconds(30), in(seconds(5))));
  EXPECT_TRUE(first.ok() && *first);
  EXPECT_TRUE(ground_.run(jobs().upkeep(in(seconds(5)))).ok());
}

TEST_F(OnRedis, upkeep_removes_nothing_that_has_not_ended) {
  for (int n = 0; n < 40; ++n) ASSERT_TRUE(submit(job_of(n)).ok());
  const auto taken = take(20);
  ASSERT_EQ(taken.size(), 20U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ground_.run(jobs().upkeep(in(seconds(5)))).ok());
  for (const auto& one : taken) EXPECT_TRUE(complete(one.lease).ok());
  EXPECT_EQ(take(40).size(), 20U);
}

TEST_F(OnRedis, scripts_that_the_server_forgot_are_loaded_again) {
  ASSERT_TRUE(submit(job_of(1)).ok());
  server().tell("SCRIPT FLUSH");
  EXPECT_TRUE(submit(job_of(2)).ok());
  EXPECT_EQ(take(5).size(), 2U);
}

TEST_F(OnRedis, an_idle_worker_asks_the_server_once_in_each_blocking_time) {
  settings_.block = milliseconds(250);
  jobs();
  ground_.run(pause(milliseconds(100)));
  const auto scripts = server().calls("evalsha");
  EXPECT_TRUE(take(1, minutes(1), seconds(2)).empty());
  EXPECT_LE(server().calls("xread"), 10U);
  EXPECT_LE(server().calls("evalsha") - scripts, 3U);
}

// Workers ask again and again, as they must to follow their slots; the server need not hear of it.
TEST_F(OnRedis, workers_that_wait_again_cost_nothing_until_something_comes) {
  settings_.block = milliseconds(250);
  jobs();
  ground_.run(pause(milliseconds(100)));
  const auto scripts = server().calls("evalsha");
  for (int i = 0; i < 20; ++i) {
    std::vector<Co<bool>> both;
    both.push_back(claims_one(jobs(), in(milliseconds(30))));
    both.push_back(claims_one(jobs(), in(milliseconds(30))));
    EXPECT_EQ(run_all(ground_, std::move(both)), (std::vector<bool>{false, false}));
    (void)jobs().figures();
  }
  EXPECT_LE(server().calls("evalsha") - scripts, 5U);  // two looks, and figures once or twice
  auto other = open();
  EXPECT_TRUE(ground_.run(other->jobs().submit(job_of(1), 0, in(seconds(5)))).ok());
  EXPECT_EQ(take(1, minutes(1), seconds(10)).size(), 1U);  // told by the bell, from another process
  NewJob later = job_of(2);
  later.run_at = ground_.clock.wall() + seconds(1);
  EXPECT_TRUE(ground_.run(other->jobs().submit(std::move(later), 0, in(seconds(5)))).ok());
  for (int i = 0; i < 400; ++i) {
    if (!take(1, minutes(1), milliseconds(50)).empty()) return;
  }
  ADD_FAILURE() << "the delayed job never came";
}

TEST_F(OnRedis, who_listens_again_at_the_same_place_costs_nothing_until_something_is_told) {
  stores_ = open();
  auto& signal = stores_->signal();
  auto place = ground_.run(signal.place("job 1", in(seconds(5))));
  ASSERT_TRUE(place.ok());
  const auto listens = [&](Duration how_long) {
    auto heard = ground_.run(signal.hear("job 1", *place, in(how_long)));
    EXPECT_TRUE(heard.ok());
    return heard.ok() ? heard->news.size() : 0;
  };
  EXPECT_EQ(listens(milliseconds(200)), 0U);  // subscribed by now
  const auto scripts = server().calls("evalsha");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(listens(milliseconds(10)), 0U);
  EXPECT_LE(server().calls("evalsha") - scripts, 1U);
  auto other = open();
  EXPECT_TRUE(ground_.run(other->signal().tell("job 1", "token", "1", in(seconds(5)))).ok());
  EXPECT_EQ(listens(seconds(10)), 1U);
}

// As who reads what is left when a job has ended.
TEST_F(OnRedis, who_does_not_wait_hears_what_was_told_before) {
  stores_ = open();
  auto other = open();
  auto& signal = stores_->signal();
  auto place = ground_.run(signal.place("job 1", in(seconds(5))));
  ASSERT_TRUE(place.ok());
  for (int i = 0; i < 20; ++i) {
    auto before = ground_.run(signal.hear("job 1", *place, in(milliseconds(20))));
    ASSERT_TRUE(before.ok() && before->news.empty());
    EXPECT_TRUE(ground_.run(other->signal().tell("job 1", "token", "1", in(seconds(5)))).ok());
    auto heard = ground_.run(signal.hear("job 1", *place, Deadline(ground_.clock.now())));
    ASSERT_TRUE(heard.ok());
    ASSERT_EQ(heard->news.size(), 1U) << i;
    *place = heard->news[0].at;
  }
}

}  // namespace
}  // namespace mainstay::storage
