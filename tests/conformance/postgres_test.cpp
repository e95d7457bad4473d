// What only PostgreSQL does: its schema, its rights and settings, its plans, many processes.
#include <thread>

#include "conformance/postgres_rig.h"
#include "storage/postgres/conversations.h"
#include "storage/postgres/schema.h"

namespace mainstay::storage {
namespace {

using std::chrono::seconds;

class Postgres : public OnPostgres {
 protected:
  std::string as_admin(const std::string& sql) {
    return Psql(server_.admin_url(database_)).tell(sql);
  }
  Error refused() { return refused(url()); }
  Error refused(const std::string& with) {
    auto opened = try_open(with);
    EXPECT_FALSE(opened.ok());
    const Error error = opened.ok() ? Error() : opened.error();
    EXPECT_EQ(error.message.find(PostgresServer::kPassword), std::string::npos);
    EXPECT_EQ(error.detail.find(PostgresServer::kPassword), std::string::npos);
    return error;
  }
};

TEST_F(Postgres, two_processes_see_the_same_conversations_and_keys) {
  auto other = try_open(url());
  ASSERT_TRUE(other.ok()) << other.error().detail;
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  auto there = (*other)->conversations().get(ann_, ConversationId("c1"), ground_.soon());
  auto seen = ground_.run(std::move(there));
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->messages, 2u);
  auto before = ground_.run((*other)->access_keys().generation(ground_.soon()));
  AccessKey key;
  key.id = "key_1";
  key.digest = "d";
  ASSERT_TRUE(ground_.run(stores().access_keys().add(key, 9, ground_.soon())).ok());
  auto after = ground_.run((*other)->access_keys().generation(ground_.soon()));
  EXPECT_NE(*before, *after);
  EXPECT_EQ(ground_.run((*other)->access_keys().list(ground_.soon()))->keys.size(), 1u);
}

TEST_F(Postgres, keys_can_be_made_without_a_server_running) {
  StorageSettings storage;
  storage.postgres_url = Secret(url());
  {
    auto keys = postgres::open_access_keys(storage, settings_, ground_.clock, ground_.random,
                                           *ground_.log, ground_.metrics);
    ASSERT_TRUE(keys.ok()) << keys.error().detail;
    AccessKey key;
    key.id = "key_1";
    ASSERT_TRUE(ground_.run((*keys)->add(key, 9, ground_.soon())).ok());
  }
  EXPECT_EQ(ground_.run(stores().access_keys().list(ground_.soon()))->keys.size(), 1u);
}

TEST_F(Postgres, many_processes_that_start_at_once_make_the_schema_once) {
  constexpr int kProcesses = 6;
  std::vector<std::unique_ptr<Ground>> grounds;
  std::vector<std::string> failures(kProcesses);
  std::vector<std::thread> threads;  // lint: thread each plays a process that starts
  for (int i = 0; i < kProcesses; ++i) grounds.push_back(std::make_unique<Ground>());
  for (std::size_t i = 0; i < kProcesses; ++i) {
    threads.emplace_back([&, i] {
      Ground& g = *grounds[i];
      StorageSettings storage;
      storage.postgres_url = Secret(url());
      auto opened = postgres::open(storage, settings_, g.clock, g.random, *g.log, g.metrics,
                                   memory::open(g.clock));
      if (!opened.ok()) failures[i] = opened.error().detail;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) EXPECT_EQ(failure, "");
  EXPECT_EQ(as_admin("SELECT number FROM mainstay.version"),
            std::to_string(postgres::schema_version()));
}

TEST_F(Postgres, a_newer_schema_is_refused_and_left_as_it_is) {
  stores();
  stores_.reset();
  as_admin("UPDATE mainstay.version SET number = 99; DROP FUNCTION mainstay.append");
  const Error error = refused();
  EXPECT_EQ(error.reason, "database_newer");
  EXPECT_NE(error.message.find("version 99"), std::string::npos);
  EXPECT_EQ(as_admin("SELECT number FROM mainstay.version"), "99");
  EXPECT_EQ(as_admin("SELECT count(*) FROM pg_proc WHERE proname = 'append'"), "0");
}

TEST_F(Postgres, a_schema_of_another_program_is_refused) {
  as_admin(
      "CREATE SCHEMA mainstay; CREATE TABLE mainstay.theirs (x int); "
      "GRANT ALL ON SCHEMA mainstay TO app");
  EXPECT_EQ(refused().reason, "database_foreign");
  EXPECT_EQ(as_admin("SELECT to_regclass('mainstay.version') IS NULL"), "t");
}

TEST_F(Postgres, an_empty_schema_that_an_administrator_made_is_used) {
  as_admin("REVOKE CREATE ON DATABASE " + database_ + " FROM app, PUBLIC; ALTER DATABASE " +
           database_ + " OWNER TO admin");
  const Error error = refused();
  EXPECT_EQ(error.reason, "postgres_misconfigured");
  EXPECT_NE(error.message.find("CREATE SCHEMA mainstay"), std::string::npos);
  as_admin("CREATE SCHEMA mainstay AUTHORIZATION app");
  EXPECT_TRUE(append(turn_of("c1", 1)).ok());
}

TEST_F(Postgres, looking_at_a_database_changes_nothing) {
  StorageSettings storage;
  storage.postgres_url = Secret(url());
  auto found = postgres::inspect(storage, settings_, ground_.clock, ground_.random, *ground_.log,
                                 ground_.metrics);
  ASSERT_TRUE(found.ok()) << found.error().detail;
  EXPECT_NE(found->find("127.0.0.1"), std::string::npos);
  EXPECT_EQ(as_admin("SELECT to_regnamespace('mainstay') IS NULL"), "t");
}

TEST_F(Postgres, a_database_of_another_encoding_is_refused) {
  const std::string other =
      server_.new_database("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
  const Error error = refused(server_.url(other));
  EXPECT_EQ(error.reason, "postgres_misconfigured");
  EXPECT_NE(error.message.find("SQL_ASCII"), std::string::npos);
}

TEST_F(Postgres, a_server_that_could_lose_data_is_refused) {
  Psql admin(server_.admin_url("postgres"));
  admin.tell("ALTER SYSTEM SET full_page_writes = off");
  admin.tell("SELECT pg_reload_conf()");
  const bool seen = comes_true(
      [&] { return Psql(server_.admin_url("postgres")).tell("SHOW full_page_writes") == "off"; });
  const Error error = refused();
  admin.tell("ALTER SYSTEM RESET full_page_writes");
  admin.tell("SELECT pg_reload_conf()");
  EXPECT_TRUE(seen);
  EXPECT_EQ(error.reason, "postgres_misconfigured");
  EXPECT_TRUE(comes_true([&] { return try_open(url()).ok(); }));
}

TEST_F(Postgres, a_commit_is_on_the_disk_also_where_the_database_says_otherwise) {
  as_admin("ALTER DATABASE " + database_ + " SET synchronous_commit = off");
  ASSERT_TRUE(append(turn_of("c1", 1)).ok());
  auto mine = as_admin(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = "
      "'app' AND application_name = 'mainstay'");
  EXPECT_EQ(mine, "1");
  // A session's own setting cannot be seen from outside: a function of the schema tells it.
  as_admin(
      "CREATE OR REPLACE FUNCTION mainstay.revoke_key(p_id text, p_at bigint) RETURNS text "
      "LANGUAGE "
      "plpgsql AS $$ BEGIN IF current_setting('synchronous_commit') = 'on' THEN RETURN 'ok'; END "
      "IF; RETURN 'unknown'; END $$");
  EXPECT_TRUE(ground_.run(stores().access_keys().revoke("x", WallTime{}, ground_.soon())).ok());
}

TEST_F(Postgres, a_wrong_password_or_database_is_said_without_repeating_it) {
  std::string wrong = url();
  wrong.replace(wrong.find("p4ss"), 4, "p5ss");
  const Error denied = refused(wrong);
  EXPECT_EQ(denied.reason, "postgres_denied");
  EXPECT_EQ(denied.code, Errc::denied);
  EXPECT_EQ(denied.message.find("p5ss"), std::string::npos);
  EXPECT_EQ(denied.detail.find("p5ss"), std::string::npos);
  EXPECT_EQ(refused(server_.url("nowhere")).reason, "postgres_denied");
}

TEST_F(Postgres, no_query_of_a_verb_reads_a_whole_table) {
  stores();
  Psql db(server_.admin_url(database_));
  db.tell(
      "INSERT INTO mainstay.conversation (id, tenant, owner, title, created, updated, messages) "
      "SELECT 'c' || i, 'clinic', 'user' || i % 50, 'x', i, i, 20 FROM generate_series(1, 2000) i");
  db.tell(
      "INSERT INTO mainstay.turn (conversation, request, first_seq, tokens, provider, model, "
      "prompt_tokens, completion_tokens, first_token, total, citations, finished) SELECT i, 'r' || "
      "j, j * 2 + 1, 10, '', '', 0, 0, 0, 0, '', i FROM generate_series(1, 2000) i, "
      "generate_series(0, 9) j");
  db.tell(
      "INSERT INTO mainstay.message (conversation, seq, turn, id, role, json, tokens, created) "
      "SELECT i, j, j / 2, 'm' || j, 'user', 'x', 5, i FROM generate_series(1, 2000) i, "
      "generate_series(1, 20) j");
  db.tell("ANALYZE");
  const std::vector<std::vector<std::string>> parameters = {
      {"'c7'", "'clinic'", "'user7'", "45"},         {"'c57'", "'clinic'", "'user7'"},
      {"'clinic'", "'user7'", "20", "900", "57"},    {"'c7'", "'clinic'", "'user7'"},
      {"'c7'", "'clinic'", "'user7'", "'m3'", "5"},  {"'c7'", "'clinic'", "'user7'"},
      {"'c7'", "'clinic'", "'user7'", "'new title'"}};
  const auto queries = postgres::conversation_queries();
  ASSERT_EQ(queries.size(), parameters.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::string sql = queries[i];
    for (std::size_t p = parameters[i].size(); p > 0; --p) {
      const std::string mark = "$" + std::to_string(p);
      for (auto at = sql.find(mark); at != std::string::npos; at = sql.find(mark)) {
        sql.replace(at, mark.size(), parameters[i][p - 1]);
      }
    }
    const std::string plan = db.tell("EXPLAIN " + sql);
    EXPECT_EQ(plan.find("Seq Scan"), std::string::npos) << sql << "\n" << plan;
    EXPECT_NE(plan.find("Index"), std::string::npos) << plan;
  }
  // Erasing looks for what refers to the conversation, and for nothing else.
  const std::string by_time = db.tell(
      "EXPLAIN SELECT n FROM mainstay.turn WHERE finished < 3 "
      "ORDER BY finished LIMIT 5");
  EXPECT_NE(by_time.find("turn_by_time"), std::string::npos) << by_time;
}

TEST_F(Postgres, a_window_of_a_long_conversation_walks_only_the_turns_that_fit) {
  stores();
  Psql db(server_.admin_url(database_));
  db.tell(
      "INSERT INTO mainstay.conversation (id, tenant, owner, title, created, updated, messages) "
      "VALUES ('long', 'clinic', 'ann', '', 1, 1, 40000)");
  db.tell(
      "INSERT INTO mainstay.turn (conversation, request, first_seq, tokens, provider, model, "
      "prompt_tokens, completion_tokens, first_token, total, citations, finished) SELECT 1, 'r' || "
      "j, j * 2 + 1, 10, '', '', 0, 0, 0, 0, '', j FROM generate_series(0, 19999) j");
  db.tell(
      "INSERT INTO mainstay.message (conversation, seq, turn, id, role, json, tokens, created) "
      "SELECT 1, j, (j + 1) / 2, 'm' || j, CASE j % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, "
      "'x', 5, 1 FROM generate_series(1, 40000) j");
  db.tell("ANALYZE");
  auto got = ground_.run(talk().window(ann_, ConversationId("long"), Tokens{45}, ground_.soon()));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  ASSERT_EQ(got->size(), 8u);
  EXPECT_EQ(got->front().id.text(), "m39993");
  db.tell("SELECT pg_stat_force_next_flush()");
  const std::string plan = db.tell(
      "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT * FROM "
      "mainstay.turn WHERE conversation = 1 ORDER BY n DESC LIMIT 1");
  EXPECT_NE(plan.find("rows=1"), std::string::npos) << plan;
}

}  // namespace
}  // namespace mainstay::storage
