// Following jobs: in order, each event once, and no end is missed.
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct FollowerTest : JobsWorld {
  std::unique_ptr<Follower> follow(const JobId& id, std::string place = {}) {
    auto out = run(desk().follow(caller, id, std::move(place), soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? std::move(*out) : nullptr;
  }
  std::unique_ptr<Follower> follow_all(std::string place = {}) {
    auto out = run(desk().follow_all(caller, std::move(place), soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? std::move(*out) : nullptr;
  }
  /// What comes within `limit`.
  std::vector<Event> read(Follower& from, Duration limit = 0s) {
    std::vector<Event> out;
    const TimePoint until = clock.now() + limit;
    do {
      auto some = run(from.next(Deadline(until)), limit + 20ms);
      EXPECT_TRUE(some.ok());
      if (!some.ok()) break;
      for (auto& event : *some) out.push_back(std::move(event));
    } while (clock.now() < until && !from.finished());
    return out;
  }
  static Names types(const std::vector<Event>& events) {
    Names out;
    for (const auto& event : events) out.emplace_back(name(event.type));
    return out;
  }
  void tell(const storage::Owner& owner, const JobId& id, const char* type) {
    const auto stored = job(id);
    for (const auto& topic : {topic_of(id), topic_of(owner)}) {
      EXPECT_TRUE(run(signal.tell(topic, type, event_data(stored, stored.state, {}), soon())).ok());
    }
  }
};

TEST_F(FollowerTest, sees_a_job_from_its_beginning_to_its_end) {
  const JobId id = go({{"ms", 200}, {"tell", 2}});
  auto follower = follow(id);
  add_workers(1);
  const auto events = read(*follower, 10s);
  EXPECT_EQ(types(events), (Names{"queued", "started", "token", "token", "succeeded"}));
  EXPECT_TRUE(follower->finished());
  EXPECT_NE(events.back().data.find(R"("result":{"attempt":1})"), std::string::npos);
  EXPECT_TRUE(read(*follower).empty()) << "nothing after the end";
}

// proves G: events are resumed by their place without losing or repeating one.
TEST_F(FollowerTest, goes_on_behind_the_last_event_that_was_seen) {
  const JobId id = go({{"ms", 400}, {"tell", 4}});
  add_workers(1);
  clock.advance(2s);
  const auto all = read(*follow(id), 1s);
  ASSERT_EQ(types(all),
            (Names{"queued", "started", "token", "token", "token", "token", "succeeded"}));
  for (std::size_t seen = 0; seen < all.size(); ++seen) {
    auto follower = follow(id, all[seen].at);
    const auto rest = read(*follower, 1s);
    ASSERT_EQ(rest.size(), all.size() - seen - 1) << seen;
    for (std::size_t i = 0; i < rest.size(); ++i) EXPECT_EQ(rest[i].at, all[seen + 1 + i].at);
    EXPECT_TRUE(follower->finished());
  }
}

TEST_F(FollowerTest, an_end_that_nobody_told_is_made_up_from_the_record) {
  const JobId id = go({{"ms", 1}});
  auto follower = follow(id);
  EXPECT_EQ(types(read(*follower)), (Names{"queued"}));
  // Another process takes it and dies between the outcome and its news.
  storage::Claim claim;
  claim.worker = "other";
  claim.lease = 30s;
  auto got = run(memory.claim(std::move(claim), soon()));
  ASSERT_TRUE(run(memory.complete((*got)[0].lease, R"({"x":1})", {}, soon())).ok());
  const TimePoint before = clock.now();
  const auto events = read(*follower, 60s);
  ASSERT_EQ(types(events), (Names{"succeeded"}));
  EXPECT_LE(clock.now() - before, Duration(settings.jobs.events.recheck) + 100ms);
  EXPECT_EQ(events[0].at, kMadeUp);
  EXPECT_NE(events[0].data.find(R"("result":{"x":1})"), std::string::npos);
  auto later = follow(id, std::string(kMadeUp));
  EXPECT_TRUE(read(*later, 20s).empty()) << "its reader has it";
  EXPECT_TRUE(later->finished());
}

TEST_F(FollowerTest, a_job_that_had_ended_long_ago_gives_its_end) {
  const JobId id = go({{"ms", 1}});
  add_workers(1);
  clock.advance(1h);  // its news are gone
  auto follower = follow(id);
  EXPECT_EQ(types(read(*follower, 1s)), (Names{"missed", "succeeded"}));
}

TEST_F(FollowerTest, one_jobs_reader_is_told_when_its_events_were_lost) {
  const JobId id = go({{"ms", 1}});
  const auto first = read(*follow(id));
  ASSERT_EQ(types(first), (Names{"queued"}));
  tell(caller.owner, id, "started");
  for (int i = 0; i < 600; ++i) tell(caller.owner, id, "token");  // more than are kept
  for (const std::string& place : {first[0].at, std::string(), std::string("1-1")}) {
    const auto events = read(*follow(id, place), 100ms);
    ASSERT_GE(events.size(), 2u) << place;
    EXPECT_EQ(events[0].type, EventType::missed) << place;
    EXPECT_EQ(events[0].at, place);
    EXPECT_EQ(events[1].type, EventType::token) << place;
    const auto rest = read(*follow(id, events[1].at), 100ms);
    ASSERT_FALSE(rest.empty());
    EXPECT_EQ(rest[0].type, EventType::token) << "told once";
  }
}

TEST_F(FollowerTest, all_jobs_of_a_user_and_nobody_elses) {
  auto follower = follow_all();
  const JobId mine = go({{"ms", 100}});
  const auto me = caller;
  caller = someone("bob");
  const JobId others = go({{"ms", 50}});
  caller = me;
  add_workers(2);
  for (const auto& event : read(*follower, 3s)) EXPECT_EQ(event.job, mine);
  EXPECT_EQ(state(others), JobState::succeeded);
}

TEST_F(FollowerTest, a_late_word_of_a_job_that_has_begun_is_left_out) {
  const JobId id = go({{"ms", 100}});
  add_workers(1);
  clock.advance(1s);
  auto follower = follow_all();
  tell(caller.owner, id, "started");
  tell(caller.owner, id, "queued");
  tell(caller.owner, id, "succeeded");
  tell(caller.owner, id, "token");
  tell(caller.owner, id, "succeeded");
  EXPECT_EQ(types(read(*follower, 1s)), (Names{"started", "succeeded"}));
}

TEST_F(FollowerTest, a_retry_that_is_told_late_opens_no_job_that_has_ended_again) {
  const JobId id = go({{"end", "fatal"}});
  auto mine = follow_all();
  auto late = [&] {
    Json more = {{"again", true}};
    const std::string data = event_data(job(id), JobState::queued, more);
    for (const auto& topic : {topic_of(id), topic_of(caller.owner)}) {
      EXPECT_TRUE(run(signal.tell(topic, "queued", data, soon())).ok());
    }
  };
  add_workers(1);
  const Names once = {"started", "dead"};
  EXPECT_EQ(types(read(*mine, 1s)), once);
  auto resumed = follow(id, read(*follow(id), 1s).back().at);
  ASSERT_TRUE(run(memory.retry(std::nullopt, id, 0, soon())).ok());
  clock.advance(1s);
  late();
  EXPECT_EQ(types(read(*mine, 1min)), once);
  EXPECT_EQ(types(read(*resumed, 1min)), once);
  auto whole = follow(id);
  EXPECT_EQ(types(read(*whole, 1min)), (Names{"queued", "started", "dead", "started", "dead"}));
  EXPECT_TRUE(whole->finished());
  ASSERT_TRUE(run(desk().retry(caller, id, soon())).ok());
  clock.advance(1s);
  EXPECT_EQ(types(read(*mine, 1s)), (Names{"queued", "started", "dead"})) << "in its time";
}

TEST_F(FollowerTest, unfinished_jobs_of_a_user_end_though_nobody_tells) {
  const JobId before = go({{"ms", 1}});
  auto follower = follow_all();
  read(*follower, 100ms);
  storage::Claim claim;
  claim.worker = "other";
  claim.lease = 30s;
  auto got = run(memory.claim(std::move(claim), soon()));
  ASSERT_EQ(got->size(), 1u);
  ASSERT_TRUE(run(memory.complete((*got)[0].lease, "{}", {}, soon())).ok());
  const auto events = read(*follower, 20s);
  ASSERT_EQ(types(events), (Names{"succeeded"}));
  EXPECT_EQ(events[0].job, before);
  // The word that comes after all is no second end.
  tell(caller.owner, before, "succeeded");
  EXPECT_TRUE(read(*follower, 1s).empty());
}

TEST_F(FollowerTest, says_when_events_were_lost) {
  auto follower = follow_all();
  for (int i = 0; i < 5; ++i) go(Json::object());
  const auto first = read(*follower, 100ms);
  ASSERT_EQ(first.size(), 5u);
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(
        run(signal.tell(topic_of(caller.owner), "progress", R"({"job":"job_x"})", soon())).ok());
  }
  const auto rest = read(*follow_all(first[0].at), 100ms);
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest[0].type, EventType::missed);
  const auto unknown = read(*follow_all("1-1"), 100ms);
  ASSERT_FALSE(unknown.empty());
  EXPECT_EQ(unknown[0].type, EventType::missed);
}

TEST_F(FollowerTest, an_unknown_place_without_news_does_not_spin) {
  auto follower = follow_all("7-7");
  const auto events = read(*follower, 30s);
  EXPECT_EQ(types(events), (Names{"missed"}));
}

TEST_F(FollowerTest, watches_no_more_jobs_than_its_limit) {
  settings.jobs.events.followed_max = 2;
  caller.owner = {TenantId("t"), UserId("many")};
  auto follower = follow_all();
  for (int i = 0; i < 10; ++i) go(Json::object());
  EXPECT_EQ(read(*follower, 100ms).size(), 10u) << "all news come, whatever is remembered";
}

}  // namespace
}  // namespace mainstay::jobs
