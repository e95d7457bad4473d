// The queries use their indexes: SQLite's own plan says so.
#include "conformance/back_ends.h"
#include "storage/sqlite/batches.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/conversations.h"
#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/document_search.h"
#include "storage/sqlite/documents.h"
#include "storage/sqlite/files.h"
#include "storage/sqlite/replies.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/uploads.h"

namespace mainstay::storage::sqlite {
namespace {

std::string plan_of(Connection& db, const std::string& sql) {
  std::string out;
  Query query(db, "EXPLAIN QUERY PLAN " + sql);
  while (query.step()) out += query.text(3) + "\n";
  return out;
}

class Plans : public testing::Test {
 protected:
  TemporaryDir dir_;
};

// proves M12
TEST_F(Plans, no_conversation_query_scans_a_table_or_sorts) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  migrate(conversations_schema(), db);
  for (const auto& sql : conversation_queries()) {
    const std::string plan = plan_of(db, sql);
    EXPECT_NE(plan.find("SEARCH"), std::string::npos) << sql << "\n" << plan;
    EXPECT_EQ(plan.find("SCAN"), std::string::npos) << sql << "\n" << plan;
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << plan;
  }
}

// proves M12
TEST_F(Plans, the_log_is_read_by_user_and_time_through_its_index) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  migrate(conversations_schema(), db);
  int by_owner = 0;
  int by_time = 0;
  for (const auto& sql : conversation_queries()) {
    const std::string plan = plan_of(db, sql);
    by_owner +=
        plan.find("conversation_by_owner (tenant=? AND user=?") != std::string::npos ? 1 : 0;
    by_time += plan.find("turn_by_time (finished<?)") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(by_owner, 2);  // all, and from a place on
  EXPECT_EQ(by_time, 1);
}

TEST_F(Plans, no_query_of_replies_files_or_batches_scans_a_table_or_sorts) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  migrate(conversations_schema(), db);
  for (const auto& queries : {reply_queries(), file_queries(), upload_queries(), batch_queries()}) {
    for (const auto& sql : queries) {
      const std::string plan = plan_of(db, sql);
      EXPECT_NE(plan.find("SEARCH"), std::string::npos) << sql << "\n" << plan;
      EXPECT_EQ(plan.find("SCAN"), std::string::npos) << sql << "\n" << plan;
      EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << plan;
    }
  }
}

TEST_F(Plans, no_document_query_scans_a_table_or_sorts) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  migrate(documents_schema(), db);
  for (const auto& sql : document_queries()) {
    std::string plan = plan_of(db, sql);
    for (const char* table : {"words", "words_row", "spelling"}) {
      // How FTS5 says "by its index".
      const auto indexed = plan.find(std::string("SCAN ") + table + " VIRTUAL TABLE INDEX");
      if (indexed != std::string::npos) plan.erase(indexed, 4);
    }
    EXPECT_EQ(plan.find("SCAN"), std::string::npos) << sql << "\n" << plan;
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << plan;
  }
}

TEST_F(Plans, migrating_twice_changes_nothing) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  migrate(conversations_schema(), db);
  const auto version = db.number("PRAGMA schema_version");
  migrate(conversations_schema(), db);
  EXPECT_EQ(db.number("PRAGMA schema_version"), version);
  EXPECT_EQ(db.number("PRAGMA application_id"), 0x4d4e5354);
}

TEST_F(Plans, a_step_that_fails_leaves_the_version_before_it) {
  Connection db(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1));
  Schema schema = conversations_schema();
  schema.steps.push_back("CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1);");
  const auto last = schema.steps.size();
  EXPECT_THROW(migrate(schema, db), Failure);
  EXPECT_EQ(db.number("PRAGMA user_version"), static_cast<std::int64_t>(last) - 1);
  EXPECT_EQ(db.number("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'"), 0);
  schema.steps.back() = "CREATE TABLE extra (x);";
  migrate(schema, db);
  EXPECT_EQ(db.number("PRAGMA user_version"), static_cast<std::int64_t>(last));
}

TEST(Match, is_a_valid_expression_of_stems_within_marks) {
  EXPECT_EQ(match_expression({}, {"port", "server"}), "(\"\x02port\" OR \"\x02server\")");
  EXPECT_EQ(match_expression({tag_mark("a\"b")}, {"port"}), "\"\x01ga\"\"b\" AND (\"\x02port\")");
  EXPECT_EQ(match_expression({tag_mark("x")}, {}), "");
}

}  // namespace
}  // namespace mainstay::storage::sqlite
