// What a command's exit code tells a script.
#include "app/exit_codes.h"

#include <gtest/gtest.h>

#include "app/remote.h"

namespace mainstay::app {
namespace {

int code_of(const Error& error) {
  return static_cast<int>(exit_for(error));
}

TEST(ExitCodes, each_kind_of_error_has_its_code) {
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    const auto code = static_cast<Errc>(i);
    int wanted = 1;
    if (code == Errc::over_limit || code == Errc::disk_full) wanted = 75;
    if (code == Errc::unavailable || code == Errc::deadline) wanted = 69;
    EXPECT_EQ(code_of(Error::log(code, "")), wanted) << name(code);
  }
}

TEST(ExitCodes, a_data_directory_in_use_is_worth_another_try) {
  EXPECT_EQ(code_of(Error::say(Errc::unavailable, "data_dir_in_use", "In use.")), 75);
  EXPECT_EQ(code_of(Error::say(Errc::conflict, "data_dir_in_use", "In use.")), 75);
}

TEST(ExitCodes, a_server_that_is_away_is_no_fault_of_the_settings_but_a_wrong_address_is) {
  for (const char* reason : {"database_unavailable", "database_busy", "redis_unavailable"}) {
    EXPECT_EQ(code_of(Error::say(Errc::unavailable, reason, "Away.")), 69) << reason;
  }
  for (const char* reason : {"postgres_url_invalid", "redis_misconfigured", "database_newer",
                             "bad_certificate", "invalid_config", "invalid_jwt_key", "log_sink"}) {
    EXPECT_EQ(code_of(Error::say(Errc::invalid, reason, "Wrong.")), 78) << reason;
  }
  EXPECT_EQ(code_of(Error::say(Errc::denied, "postgres_denied", "Wrong.")), 78);
}

TEST(ExitCodes, a_file_that_cannot_be_written_is_no_server_that_is_away) {
  EXPECT_EQ(code_of(Error::say(Errc::unavailable, "file_unwritable", "Cannot be written.")), 1);
}

TEST(ExitCodes, the_codes_are_those_of_sysexits) {
  EXPECT_EQ(static_cast<int>(Exit::ok), 0);
  EXPECT_EQ(static_cast<int>(Exit::failed), 1);
  EXPECT_EQ(static_cast<int>(Exit::usage), 2);
  EXPECT_EQ(static_cast<int>(Exit::unavailable), 69);
  EXPECT_EQ(static_cast<int>(Exit::try_later), 75);
  EXPECT_EQ(static_cast<int>(Exit::config), 78);
}

TEST(ErrorOf, an_answers_words_and_kind_are_kept) {
  HttpAnswer answer;
  answer.status = 429;
  answer.body =
      R"({"error":{"message":"Too many.","type":"rate_limit_error","param":null,"code":"rate_limited"}})";
  const Error error = error_of(answer);
  EXPECT_EQ(error.message, "Too many.");
  EXPECT_EQ(error.reason, "rate_limited");
  EXPECT_EQ(code_of(error), 75);
}

TEST(ErrorOf, an_answer_that_is_no_error_object_still_gives_an_error_with_words) {
  for (const char* body : {"", "not json", "[]", "null", "{}", R"({"error":"text"})",
                           R"({"error":[]})", R"({"error":{"message":5,"code":[]}})"}) {
    HttpAnswer answer;
    answer.status = 503;
    answer.body = body;
    Error error;
    EXPECT_NO_THROW(error = error_of(answer)) << body;
    EXPECT_FALSE(error.message.empty() && error.detail.empty()) << body;
    EXPECT_EQ(code_of(error), 69) << body;
  }
}

}  // namespace
}  // namespace mainstay::app
