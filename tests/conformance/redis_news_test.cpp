// What a server does to news and to those who wait: it forgets other topics, is restored, stops
// for its snapshots, refuses to push, ends a blocking read; a connection falls silent.
#include <fstream>
#include <sstream>

#include "conformance/redis_rig.h"
#include "storage/redis/check.h"

namespace mainstay::storage {
namespace {

class NewsOnRedis : public OnRedis {
 protected:
  void log_to_file() {
    LogSettings logged;
    logged.sink = dir_.path() + "/log";
    ground_.log = std::move(*Log::open(logged, ground_.clock));
  }
  std::size_t logged(const std::string& event) {
    std::ifstream file(dir_.path() + "/log");
    std::size_t out = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.find('"' + event + '"') != std::string::npos) ++out;
    }
    return out;
  }
  /// The writer of the log has a thread of its own.
  bool soon_logged(const std::string& event, std::size_t times) {
    for (int i = 0; i < 500 && logged(event) < times; ++i) ground_.run(pause(milliseconds(10)));
    return logged(event) == times;
  }
  /// A field of CLIENT LIST for the first connection whose line holds `words`.
  static std::string field_of(RedisServer& server, const std::string& words,
                              const std::string& field) {
    std::istringstream list(server.tell("CLIENT LIST"));
    for (std::string line; std::getline(list, line);) {
      if (line.find(words) == std::string::npos) continue;
      const auto at = line.find(field + '=') + field.size() + 1;
      return line.substr(at, line.find(' ', at) - at);
    }
    return "";
  }
  std::string last_command(const std::string& connection) {
    return field_of(server(), " name=mainstay-" + connection + ' ', "cmd");
  }
  void tell(Signal& signal, const std::string& topic, const std::string& data) {
    EXPECT_TRUE(ground_.run(signal.tell(topic, "t", data, in(seconds(5)))).ok());
  }
  std::string hear(Signal& signal, const std::string& topic, const std::string& place,
                   Duration within = milliseconds(20)) {
    auto heard = ground_.run(signal.hear(topic, place, in(within)));
    EXPECT_TRUE(heard.ok());
    if (!heard.ok()) return heard.error().detail;
    std::string out;
    for (const auto& one : heard->news) out += one.data + " ";
    return out + (heard->missed ? "missed" : "");
  }
  std::string place(Signal& signal, const std::string& topic) {
    auto out = ground_.run(signal.place(topic, in(seconds(5))));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : "";
  }
  TemporaryDir dir_;
};

TEST(RedisNews, who_listens_to_a_quiet_topic_misses_nothing_when_others_are_forgotten) {
  Ground ground;
  ground.signal.keep = minutes(2);
  InRedis back(ground);
  Signal& signal = back.stores().signal();
  const auto listen = [&](const std::string& place) {
    const Deadline by = Deadline::in(ground.clock, milliseconds(20));
    auto heard = ground.run(signal.hear("quiet", place, by));
    EXPECT_TRUE(heard.ok() && !heard->missed);
    return heard.ok() ? heard->news.size() : 0;
  };
  const std::string early = *ground.run(signal.place("quiet", ground.soon()));
  std::string late;
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(listen(early), 0U) << i;
    if (!late.empty()) EXPECT_EQ(listen(late), 0U) << i;
    const std::string other = "other " + std::to_string(i);
    EXPECT_TRUE(ground.run(signal.tell(other, "t", "x", ground.soon())).ok());
    if (i == 1) late = *ground.run(signal.place("quiet", ground.soon()));
    ground.clock.move(seconds(25));  // followed all the time
  }
  EXPECT_TRUE(ground.run(signal.tell("quiet", "t", "x", ground.soon())).ok());
  EXPECT_EQ(listen(early), 1U);
  EXPECT_EQ(listen(late), 1U);
}

TEST_F(NewsOnRedis, jobs_that_the_embedded_store_still_holds_are_counted_in_the_log) {
  log_to_file();
  jobs();
  embedded_ = memory::open(ground_.clock);
  for (const int n : {1, 2}) {
    ASSERT_TRUE(ground_.run(embedded_->jobs().submit(job_of(n), 0, in(seconds(5)))).ok());
  }
  stores_ = open();
  EXPECT_TRUE(soon_logged("redis.jobs_left", 1)) << "of the second start, not of the first";
}

TEST_F(NewsOnRedis, a_server_that_lost_its_last_events_says_so_to_who_had_heard_them) {
  stores_ = open();
  auto& signal = stores_->signal();
  const std::string start = place(signal, "a");
  for (const char* word : {"1", "2", "3"}) tell(signal, "a", word);
  const std::string last = place(signal, "a");
  EXPECT_EQ(hear(signal, "a", last), "");
  server().tell("DEL " + key("t:a") + " " + key("m:a"));
  server().tell("SET " + key("news") + " 0");
  tell(signal, "a", "new");
  EXPECT_EQ(hear(signal, "a", last), "new missed");
  EXPECT_EQ(hear(signal, "a", start), "new ");
}

TEST_F(NewsOnRedis, what_may_not_be_pushed_is_kept_and_the_log_says_so_once) {
  log_to_file();
  server().tell("ACL SETUSER quiet on >pw ~* +@all resetchannels");
  url_ = "unix://quiet:pw@" + server().socket();
  stores_ = open();
  tell(stores_->signal(), "a", "one");
  tell(stores_->signal(), "a", "two");
  EXPECT_TRUE(soon_logged("redis.not_pushed", 1));
  auto other = open();  // is refused when it subscribes
  EXPECT_EQ(hear(other->signal(), "a", ""), "one two ");
  EXPECT_EQ(hear(other->signal(), "b", ""), "");
  EXPECT_TRUE(soon_logged("redis.not_pushed", 2));
  server().tell("ACL SETUSER quiet &" + key("*"));
  server().tell("CLIENT KILL USER quiet");
  const std::string from = place(other->signal(), "c");
  EXPECT_EQ(hear(other->signal(), "c", from), "");
  tell(stores_->signal(), "c", "three");
  EXPECT_EQ(hear(other->signal(), "c", from, seconds(10)), "three ");
  EXPECT_EQ(logged("redis.not_pushed"), 2U);
}

// As Debian has it: save points, and stop-writes-on-bgsave-error.
TEST_F(NewsOnRedis, a_server_that_stops_for_a_failed_snapshot_is_warned_of_and_not_called_full) {
  log_to_file();
  options_ = {"--save", "3600 1"};
  ASSERT_TRUE(submit(job_of(1)).ok());
  EXPECT_TRUE(soon_logged("redis.snapshots", 1));
  const auto dir = std::filesystem::path(server().socket()).parent_path();
  std::filesystem::create_directories(dir / "dump.rdb" / "in the way");
  for (int i = 0; i < 500; ++i) {
    if (server().tell("INFO persistence").find("bgsave_status:err") != std::string::npos) break;
    server().tell("BGSAVE");
    ground_.run(pause(milliseconds(10)));
  }
  EXPECT_EQ(reason_of(submit(job_of(2))), "redis_snapshot_failed");
  EXPECT_EQ(state(1), "redis_snapshot_failed");
  server().tell("CONFIG SET stop-writes-on-bgsave-error no");
  EXPECT_TRUE(submit(job_of(2)).ok());
  EXPECT_EQ(take(2).size(), 2U);
}

TEST(RedisCheck, warns_of_snapshots_that_can_stop_the_server) {
  const auto warned = [](const std::string& save, const std::string& stop) {
    redis::Reply config;
    config.kind = redis::Reply::Kind::list;
    for (const auto& word :
         {std::string("save"), save, std::string("stop-writes-on-bgsave-error"), stop}) {
      redis::Reply text;
      text.kind = redis::Reply::Kind::text;
      text.text = word;
      config.items.push_back(std::move(text));
    }
    return !redis::check_snapshots(config).empty();
  };
  EXPECT_TRUE(warned("3600 1 300 100", "yes"));
  EXPECT_FALSE(warned("", "yes"));
  EXPECT_FALSE(warned("3600 1", "no"));
}

Co<bool> claims_one(JobStore& store, Deadline by) {
  Claim claim{"waiting worker", {}, 1, minutes(1)};
  auto out = co_await store.claim(std::move(claim), by);
  co_return out.ok() && out->size() == 1;
}
Co<bool> submits_after(Co<bool> first, JobStore& store, Deadline by) {
  const bool fine = co_await std::move(first);
  if (!fine) co_return false;
  auto out = co_await store.submit(job_of(1), 0, by);
  co_return out.ok();
}

TEST_F(NewsOnRedis, a_worker_whose_blocking_read_was_refused_gets_the_next_job) {
  const auto unblock = [](RedisServer& server, Clock& clock, Deadline by) -> Co<bool> {
    std::string id;
    while (id.empty() && !by.passed(clock.now())) {
      co_await sleep(clock, milliseconds(10));
      id = field_of(server, " flags=b", "id");
    }
    co_return server.tell("CLIENT UNBLOCK " + id + " ERROR") == ":1\r\n";
  };
  auto other = open();
  std::vector<Co<bool>> both;
  both.push_back(claims_one(jobs(), in(seconds(5))));
  both.push_back(submits_after(unblock(server(), ground_.clock, in(seconds(4))), other->jobs(),
                               in(seconds(5))));
  EXPECT_EQ(run_all(ground_, std::move(both)), (std::vector<bool>{true, true}));
}

TEST_F(NewsOnRedis, workers_look_now_and_then_while_blocking_reads_are_refused) {
  server().tell("ACL SETUSER hasty on >pw ~* &* +@all -xread");
  url_ = "unix://hasty:pw@" + server().socket();
  const auto wait = [](Clock& clock) -> Co<bool> {
    co_return co_await sleep(clock, milliseconds(500));
  };
  auto other = open();
  jobs();
  const auto before = server().calls("evalsha");
  std::vector<Co<bool>> both;
  both.push_back(claims_one(jobs(), in(seconds(5))));
  both.push_back(submits_after(wait(ground_.clock), other->jobs(), in(seconds(5))));
  EXPECT_EQ(run_all(ground_, std::move(both)), (std::vector<bool>{true, true}));
  EXPECT_LE(server().calls("evalsha") - before, 20U);
}

/// Time passes, and the server answers the blocking reads meanwhile.
Co<bool> moves_on(TestClock& clock, RedisServer& server, int steps) {
  for (int i = 0; i < steps; ++i) {
    const auto before = server.calls("xread");
    while (server.calls("xread") < before + 3) {
      co_await sleep(clock, milliseconds(10));
    }
    clock.move(seconds(20));
    co_await sleep(clock, milliseconds(250));  // two looks at each connection
  }
  co_return true;
}

TEST_F(NewsOnRedis, idle_connections_are_checked_only_while_no_other_one_hears_but_that_for_news) {
  settings_.block = milliseconds(40);
  settings_.reply_timeout = minutes(1);
  jobs();
  std::vector<Co<bool>> both;
  both.push_back(claims_one(jobs(), in(minutes(10))));
  both.push_back(submits_after(moves_on(ground_.clock, server(), 6), jobs(), in(minutes(10))));
  const auto answers = run_all(ground_, std::move(both));
  ASSERT_TRUE(answers[0] && answers[1]);
  EXPECT_NE(last_command("news"), "ping") << "nobody listens";
  EXPECT_NE(last_command("commands-0"), "ping");
  [[maybe_unused]] auto heard =
      ground_.run(stores_->signal().hear("job 1", "", in(milliseconds(10))));
  // A push that does not come would show nothing.
  for (int i = 0; i < 100 && last_command("news") != "ping"; ++i) {
    ground_.clock.move(seconds(31));
    ground_.run(pause(milliseconds(50)));
  }
  EXPECT_EQ(last_command("news"), "ping");
  for (int i = 0; i < 100 && last_command("commands-0") != "ping"; ++i) {
    ground_.clock.move(seconds(31));  // the end of the last read may come after the first of these
    ground_.run(pause(milliseconds(150)));
  }
  EXPECT_EQ(last_command("commands-0"), "ping");
}

TEST_F(NewsOnRedis, news_told_by_one_process_are_heard_in_another_also_after_a_restart) {
  stores_ = open();
  auto other = open();
  auto place = ground_.run(other->signal().place("job 1", in(seconds(5))));
  ASSERT_TRUE(place.ok());
  const auto tells = [](Signal& signal, Clock& clock, std::string data, Deadline by) -> Co<bool> {
    auto slept = co_await sleep(clock, milliseconds(60));
    auto told = co_await signal.tell("job 1", "token", std::move(data), by);
    co_return slept&& told.ok();
  };
  const auto hears = [](Signal& signal, std::string from, std::string* out,
                        Deadline by) -> Co<bool> {
    auto heard = co_await signal.hear("job 1", std::move(from), by);
    if (!heard.ok() || heard->news.size() != 1) co_return false;
    *out = heard->news[0].at + " " + heard->news[0].data;
    co_return !heard->missed;
  };
  for (const std::string data : {"1", "2", "3"}) {
    if (data == "2") {
      server().kill();
      server().start();
      ground_.run(pause(milliseconds(400)));
    }
    std::string heard;
    std::vector<Co<bool>> both;
    both.push_back(hears(other->signal(), *place, &heard, in(seconds(10))));
    both.push_back(tells(stores_->signal(), ground_.clock, data, in(seconds(10))));
    const auto answers = run_all(ground_, std::move(both));
    ASSERT_TRUE(answers[0] && answers[1]) << data;
    EXPECT_EQ(heard.substr(heard.find(' ') + 1), data);
    *place = heard.substr(0, heard.find(' '));
  }
}

}  // namespace
}  // namespace mainstay::storage
