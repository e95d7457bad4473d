// The pure parts of the PostgreSQL back end: addresses and error codes.
#include <gtest/gtest.h>

#include "storage/postgres/address.h"
#include "storage/postgres/errors.h"

namespace mainstay::storage::postgres {
namespace {

TEST(PostgresAddress, shows_where_without_the_password) {
  auto address = parse_address("postgres://ann:s3cret-db@db.example:6000/talk?sslmode=verify-full");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->shown, "db.example:6000/talk");
  EXPECT_EQ(address->host, "db.example");
  EXPECT_EQ(address->port, "6000");
}

TEST(PostgresAddress, leaves_what_need_not_be_resolved_to_libpq) {
  for (const char* url :
       {"postgresql:///talk?host=/run/postgresql", "postgres://a:1,b:2/talk",
        "postgres://name/talk?hostaddr=127.0.0.1", "postgres://[::1]/talk", "postgres:///talk"}) {
    auto address = parse_address(url);
    ASSERT_TRUE(address.ok()) << url;
    EXPECT_EQ(address->host, "") << url;
  }
}

TEST(PostgresAddress, an_unusable_one_is_refused_without_being_repeated) {
  for (const char* url : {"", "mysql://ann:s3cret-db@db/talk", "host=db password=s3cret-db",
                          "postgres://ann:s3cret-db@db/talk?nonsense=1",
                          "postgres://ann:"
                          "s3cret-db%zz@db/talk"}) {
    auto address = parse_address(url);
    ASSERT_FALSE(address.ok()) << url;
    EXPECT_EQ(address.error().reason, "postgres_url_invalid");
    EXPECT_EQ(address.error().message.find("s3cret-db"), std::string::npos);
    EXPECT_EQ(address.error().detail.find("s3cret-db"), std::string::npos);
  }
}

TEST(PostgresErrors, each_class_of_code_means_what_the_caller_can_do) {
  struct Row {
    const char* state;
    Failure failure;
    Errc code;
    const char* reason;
  };
  const Row rows[] = {
      {"", Failure::lost, Errc::unavailable, "database_unavailable"},
      {"08006", Failure::lost, Errc::unavailable, "database_unavailable"},
      {"57P01", Failure::lost, Errc::unavailable, "database_unavailable"},
      {"57P03", Failure::lost, Errc::unavailable, "database_unavailable"},
      {"25006", Failure::lost, Errc::unavailable, "database_unavailable"},
      {"28P01", Failure::hopeless, Errc::unavailable, "database_unavailable"},
      {"42501", Failure::hopeless, Errc::unavailable, "database_unavailable"},
      {"53300", Failure::crowded, Errc::unavailable, "database_busy"},
      {"40001", Failure::again, Errc::unavailable, "database_busy"},
      {"40P01", Failure::again, Errc::unavailable, "database_busy"},
      {"55P03", Failure::refused, Errc::unavailable, "database_busy"},
      {"53100", Failure::refused, Errc::disk_full, "database_full"},
      {"53200", Failure::refused, Errc::disk_full, "database_full"},
      {"57014", Failure::refused, Errc::deadline, "write_timeout"},
      {"23505", Failure::refused, Errc::conflict, "already_exists"},
      {"XX001", Failure::refused, Errc::corrupt, ""},
      {"42P01", Failure::refused, Errc::internal, ""},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(failure_of(row.state), row.failure) << row.state;
    const Error error = error_of(row.state, "told", true);
    EXPECT_EQ(error.code, row.code) << row.state;
    EXPECT_EQ(error.reason, row.reason) << row.state;
    EXPECT_NE(error.detail.find("told"), std::string::npos) << row.state;
  }
  EXPECT_EQ(error_of("57014", "told", false).reason, "read_timeout");
}

}  // namespace
}  // namespace mainstay::storage::postgres
