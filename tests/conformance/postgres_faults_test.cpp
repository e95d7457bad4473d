// A PostgreSQL server that dies, is full, is slow or cuts connections.   fault row 31
#include <atomic>

#include "conformance/postgres_rig.h"

namespace mainstay::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Has room for five connections beside those kept for administrators.
PostgresServer& frail_postgres() {
  static PostgresServer server(
      {"-c", "max_connections=8", "-c", "superuser_reserved_connections=3"});
  return server;
}

class PostgresFaults : public OnPostgres {
 protected:
  PostgresFaults() : OnPostgres(frail_postgres()) {}
  Psql& admin() {
    if (!admin_) admin_ = std::make_unique<Psql>(server_.admin_url(database_));
    return *admin_;
  }
  /// In no transaction, so that it sees what is now.
  Psql& watcher() {
    if (!watcher_) watcher_ = std::make_unique<Psql>(server_.admin_url(database_));
    return *watcher_;
  }
  /// Holds what appending to or erasing `id` must have.
  void lock(const std::string& id) {
    admin().tell("BEGIN");
    admin().tell("SELECT n FROM mainstay.conversation WHERE id = '" + id + "' FOR UPDATE");
  }
  void unlock() { admin().tell("ROLLBACK"); }
  std::string blocked() {
    return watcher().tell(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'");
  }
  std::string terminate() {
    return watcher().tell(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'");
  }
  /// Starts a call and gives back where its outcome will be.
  std::shared_ptr<std::optional<Status>> start(Co<Status> call) {
    auto out = std::make_shared<std::optional<Status>>();
    const auto ended = [out](std::exception_ptr thrown, Status status) {
      EXPECT_FALSE(thrown);
      out->emplace(std::move(status));
    };
    asio::co_spawn(ground_.io.get_executor(), std::move(call), ended);
    return out;
  }
  void run_for(Duration d) {
    ground_.io.restart();
    ground_.io.run_for(d);
  }
  template <class Condition>
  bool runs_until(Condition holds) {
    for (int i = 0; i < 400; ++i) {
      run_for(milliseconds(10));
      if (holds()) return true;
    }
    return false;
  }
  Status append_again_and_again(Turn turn) {
    Status stored;
    comes_true([&] {
      stored = append(turn);
      return stored.ok();
    });
    return stored;
  }

  std::unique_ptr<Psql> admin_;
  std::unique_ptr<Psql> watcher_;
};

TEST_F(PostgresFaults,
       fault_31_a_killed_server_refuses_clearly_and_comes_back_with_all_it_confirmed) {
  for (int n = 1; n <= 20; ++n) ASSERT_TRUE(append(turn_of("c1", n)).ok());
  server_.kill();
  auto failed = append(turn_of("c1", 21));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(failed.error().reason, "database_unavailable");
  EXPECT_GT(failed.error().retry_after.count(), 0);
  EXPECT_FALSE(stores().figures().writable);
  EXPECT_NE(stores().figures().why_not, "");
  // After the patience is over nobody waits any more.
  ground_.run(pause(settings_.patience));
  const TimePoint before = ground_.clock.now();
  EXPECT_FALSE(append(turn_of("c1", 21)).ok());
  EXPECT_LT(ground_.clock.now() - before, seconds(5));
  server_.start();
  EXPECT_TRUE(append_again_and_again(turn_of("c1", 21)).ok());
  EXPECT_EQ(get("c1")->messages, 42u);
  EXPECT_TRUE(stores().figures().writable);
  EXPECT_EQ(busy(), 0);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(PostgresFaults, it_is_found_again_without_anybody_asking) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  server_.kill();
  EXPECT_FALSE(append(turn_of("c1", 2)).ok());
  server_.start();
  EXPECT_TRUE(comes_true([&] { return stores().figures().writable; }));
}

TEST_F(PostgresFaults, a_start_without_a_server_says_where_it_looked) {
  settings_.start_timeout = milliseconds(300);
  std::string nowhere = url();
  nowhere.replace(nowhere.find("127.0.0.1:"), std::string::npos, "127.0.0.1:1/nothing");
  auto opened = try_open(nowhere);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, "database_unavailable");
  EXPECT_NE(opened.error().message.find("127.0.0.1:1/nothing"), std::string::npos);
  EXPECT_EQ(opened.error().detail.find(PostgresServer::kPassword), std::string::npos);
}

TEST_F(PostgresFaults, a_name_that_does_not_exist_is_said) {
  settings_.start_timeout = milliseconds(300);
  auto opened = try_open("postgres://app@no-such-host.invalid/talk");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, "database_unavailable");
  EXPECT_NE(opened.error().message.find("no-such-host.invalid"), std::string::npos);
}

TEST_F(PostgresFaults, a_server_that_comes_up_late_is_waited_for) {
  server_.kill();
  server_.start(false);
  auto opened = try_open(url());
  EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().detail);
  server_.kill();
  server_.start();
}

TEST_F(PostgresFaults, fault_31_with_five_connections_for_all_every_caller_is_served) {
  ASSERT_TRUE(append(turn_of("c0", 0)).ok());
  std::vector<std::shared_ptr<std::optional<Status>>> calls;
  for (int n = 1; n <= 100; ++n) {
    const std::string id = "c" + std::to_string(n);
    calls.push_back(start(talk().append(ann_, turn_of(id, n), ground_.soon())));
  }
  ASSERT_TRUE(runs_until([&] {
    return std::all_of(calls.begin(), calls.end(), [](const auto& c) { return c->has_value(); });
  }));
  for (const auto& call : calls) {
    EXPECT_TRUE((*call)->ok()) << ((*call)->ok() ? "" : (*call)->error().detail);
  }
  EXPECT_LE(open_connections(), 5);
  EXPECT_EQ(busy(), 0);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(PostgresFaults,
       fault_31_when_others_hold_all_connections_callers_are_told_and_served_later) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  terminate();
  std::vector<std::unique_ptr<Psql>> others;
  ASSERT_TRUE(comes_true([&] {
    others.push_back(std::make_unique<Psql>(url()));
    return !others.back()->up();
  }));
  auto refused = append(turn_of("c1", 2));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_EQ(refused.error().reason, "database_busy");
  EXPECT_GT(refused.error().retry_after.count(), 0);
  EXPECT_EQ(busy(), 0);
  EXPECT_EQ(open_connections(), 0);
  // A try that runs out of its caller's time a moment later does not make it a dead server.
  server_.suspend();
  refused = append(turn_of("c1", 2));
  server_.resume();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "database_busy");
  EXPECT_TRUE(stores().figures().writable);
  others.clear();
  EXPECT_TRUE(append_again_and_again(turn_of("c1", 2)).ok());
  EXPECT_EQ(get("c1")->messages, 4u);
}

TEST_F(PostgresFaults, the_pool_never_grows_beyond_its_bound_and_shrinks_again) {
  settings_.pool_size = 1;
  settings_.pool_overflow = 2;
  settings_.statement_timeout = seconds(3);
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  lock("c1");
  std::vector<std::shared_ptr<std::optional<Status>>> calls;
  for (int n = 2; n <= 6; ++n) {
    calls.push_back(start(talk().append(ann_, turn_of("c1", n), ground_.soon())));
  }
  ASSERT_TRUE(runs_until([&] { return blocked() == "3"; }));
  EXPECT_EQ(busy(), 3);
  EXPECT_EQ(open_connections(), 3);
  ASSERT_TRUE(runs_until([&] { return calls[3]->has_value() && calls[4]->has_value(); }))
      << "their wait has a bound";
  EXPECT_EQ((*calls[3])->error().reason, "database_busy");
  EXPECT_EQ((*calls[4])->error().reason, "database_busy");
  unlock();
  ASSERT_TRUE(runs_until([&] {
    return std::all_of(calls.begin(), calls.end(), [](const auto& c) { return c->has_value(); });
  }));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*calls[i])->ok()) << ((*calls[i])->ok() ? "" : (*calls[i])->error().detail);
  }
  EXPECT_TRUE(comes_true([&] { return busy() == 0; }));
  EXPECT_EQ(open_connections(), 1);
}

TEST_F(PostgresFaults, a_slow_statement_is_stopped_and_the_connection_used_again) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  const auto connects_before = connects();
  lock("c1");
  auto slow = append(turn_of("c1", 2));
  ASSERT_FALSE(slow.ok());
  EXPECT_EQ(slow.error().code, Errc::deadline);
  EXPECT_EQ(slow.error().reason, "write_timeout");
  EXPECT_EQ(blocked(), "0") << "the server goes on with it";
  unlock();
  EXPECT_EQ(get("c1")->messages, 2u);
  EXPECT_TRUE(append(turn_of("c1", 2)).ok());
  EXPECT_EQ(connects(), connects_before);
  EXPECT_EQ(busy(), 0);
}

TEST_F(PostgresFaults, a_caller_whose_time_is_over_is_answered_and_its_connection_thrown_away) {
  settings_.statement_timeout = seconds(3);
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  lock("c1");
  auto slow = ground_.run(talk().append(ann_, turn_of("c1", 2), in(milliseconds(100))));
  ASSERT_FALSE(slow.ok());
  EXPECT_EQ(slow.error().reason, "write_timeout");
  EXPECT_TRUE(comes_true([&] { return busy() == 0; }));
  EXPECT_EQ(open_connections(), 0);
  unlock();
  EXPECT_TRUE(append(turn_of("c1", 2)).ok());
  EXPECT_EQ(get("c1")->messages, 4u);
}

TEST_F(PostgresFaults, a_connection_cut_while_a_turn_is_stored_leaves_nothing_half_done) {
  settings_.statement_timeout = seconds(10);
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  lock("c1");
  auto call = start(talk().append(ann_, turn_of("c1", 2), ground_.soon()));
  ASSERT_TRUE(runs_until([&] { return blocked() == "1"; }));
  terminate();
  // Appending is safe to repeat: it comes back on a connection of its own.
  ASSERT_TRUE(runs_until([&] { return blocked() == "1"; }));
  EXPECT_FALSE(call->has_value());
  EXPECT_EQ(admin().tell("SELECT count(*) FROM mainstay.turn"), "1");
  EXPECT_EQ(admin().tell("SELECT count(*) FROM mainstay.message"), "2");
  unlock();
  ASSERT_TRUE(runs_until([&] { return call->has_value(); }));
  EXPECT_TRUE((*call)->ok());
  EXPECT_EQ(get("c1")->messages, 4u);
  EXPECT_EQ(admin().tell("SELECT count(*) FROM mainstay.turn"), "2");
  EXPECT_EQ(busy(), 0);
}

TEST_F(PostgresFaults, what_must_not_be_sent_twice_is_not_when_its_connection_is_cut) {
  settings_.statement_timeout = seconds(10);
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  lock("c1");
  auto call = start(talk().erase(ann_, ConversationId("c1"), ground_.soon()));
  ASSERT_TRUE(runs_until([&] { return blocked() == "1"; }));
  terminate();
  ASSERT_TRUE(runs_until([&] { return call->has_value(); }));
  EXPECT_EQ((*call)->error().reason, "database_unavailable");
  unlock();
  EXPECT_EQ(get("c1")->messages, 2u);
  EXPECT_EQ(busy(), 0);
}

TEST_F(PostgresFaults, idle_connections_that_the_server_ended_are_not_used) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  const std::string process =
      "/proc/" + watcher().tell("SELECT pid FROM pg_stat_activity WHERE usename = 'app'");
  EXPECT_EQ(terminate(), "1");
  EXPECT_TRUE(comes_true([&] { return !std::filesystem::exists(process); }));
  // Also what is never sent twice goes through: nothing of it was sent on the old connection.
  EXPECT_TRUE(ground_.run(talk().erase(ann_, ConversationId("c1"), ground_.soon())).ok());
}

TEST_F(PostgresFaults, a_connection_that_is_old_is_made_anew_and_one_long_idle_is_asked_first) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  const auto before = connects();
  ground_.clock.move(seconds(3599));
  ASSERT_TRUE(get("c1").ok());
  EXPECT_EQ(connects(), before);
  ground_.clock.move(seconds(1));
  ASSERT_TRUE(get("c1").ok());
  EXPECT_EQ(connects(), before + 1);
}

TEST_F(PostgresFaults, a_closed_store_refuses_at_once) {
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  ASSERT_TRUE(stores().close().ok());
  auto late = append(turn_of("c1", 2));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().reason, "storage_closed");
}

TEST_F(PostgresFaults, closing_answers_the_calls_that_are_under_way) {
  settings_.statement_timeout = seconds(10);
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  lock("c1");
  auto call = start(talk().append(ann_, turn_of("c1", 2), ground_.soon()));
  ASSERT_TRUE(runs_until([&] { return blocked() == "1"; }));
  EXPECT_TRUE(stores().close().ok());
  ASSERT_TRUE(runs_until([&] { return call->has_value(); }));
  EXPECT_FALSE((*call)->ok());
  unlock();
}

}  // namespace
}  // namespace mainstay::storage
