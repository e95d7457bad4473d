// From an error to what a client sees.
#include "api/status.h"

#include <gtest/gtest.h>

#include <set>

#include "base/json.h"

namespace mainstay::api {
namespace {

struct Row {
  Errc code;
  int status;
  const char* type;
};
constexpr Row kRows[] = {
    {Errc::invalid, 400, "invalid_request_error"},
    {Errc::denied, 401, "authentication_error"},
    {Errc::forbidden, 403, "permission_error"},
    {Errc::not_found, 404, "invalid_request_error"},
    {Errc::conflict, 409, "invalid_request_error"},
    {Errc::too_large, 413, "invalid_request_error"},
    {Errc::unsupported, 415, "invalid_request_error"},
    {Errc::unprocessable, 422, "invalid_request_error"},
    {Errc::over_limit, 429, "rate_limit_error"},
    {Errc::cancelled, 499, "server_error"},
    {Errc::bad_upstream, 502, "upstream_error"},
    {Errc::unavailable, 503, "overloaded_error"},
    {Errc::deadline, 504, "timeout_error"},
    {Errc::disk_full, 507, "overloaded_error"},
    {Errc::corrupt, 500, "server_error"},
    {Errc::internal, 500, "server_error"},
};

Json object_of(const Error& error) {
  auto parsed = parse_json(error_json(error));
  EXPECT_TRUE(parsed.ok());
  return (*parsed)["error"];
}

TEST(Status, every_kind_of_error_has_its_status_type_sentence_and_code) {
  std::set<Errc> seen;
  for (const Row& row : kRows) {
    EXPECT_TRUE(seen.insert(row.code).second);
    const Error error = Error::log(row.code, "secret words of the log");
    EXPECT_EQ(http_status(row.code), row.status) << name(row.code);
    const Json object = object_of(error);
    EXPECT_EQ(object["type"], row.type) << name(row.code);
    EXPECT_EQ(object["code"], name(row.code));
    EXPECT_TRUE(object["param"].is_null());
    EXPECT_GT(object["message"].get<std::string>().size(), 10u) << name(row.code);
    EXPECT_EQ(error_json(error).find("secret"), std::string::npos) << "detail is for the log alone";
  }
  // The last enumerator: a new one must get a row above.
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(Errc::internal) + 1);
}

TEST(Status, an_errors_own_words_reach_the_client) {
  const Error error =
      Error::say(Errc::invalid, "unknown_role", "The role is not known.", "messages[2].role");
  EXPECT_EQ(error_json(error),
            R"({"error":{"message":"The role is not known.","type":"invalid_request_error",)"
            R"("param":"messages[2].role","code":"unknown_role"}})");
  EXPECT_EQ(error_response(error).status, 400);
}

TEST(Status, words_that_hold_quotes_line_breaks_or_broken_utf8_stay_one_json_string) {
  Error error = Error::say(Errc::invalid, "a\"b", "q\" b\\ n\n t\t z\x01 \xff.", "f\"\r\n");
  const Json object = object_of(error);
  EXPECT_EQ(object["code"], "a\"b");
  EXPECT_EQ(object["param"], "f\"\r\n");
  EXPECT_TRUE(object["message"].get<std::string>().starts_with("q\" b\\ n\n t\t z\x01 "));
  EXPECT_EQ(error_json(error).find('\n'), std::string::npos) << "it fits one line of an event";
}

TEST(Status, when_to_come_back_is_said_in_whole_seconds_rounded_up_and_in_milliseconds) {
  Error error = Error::log(Errc::over_limit, "");
  EXPECT_EQ(error_response(error).headers.text(), "");
  const auto lines = [&error](int ms) {
    error.retry_after = std::chrono::milliseconds(ms);
    return error_response(error).headers.text();
  };
  EXPECT_EQ(lines(1), "retry-after: 1\r\nretry-after-ms: 1\r\n");
  EXPECT_EQ(lines(1999), "retry-after: 2\r\nretry-after-ms: 1999\r\n");
  EXPECT_EQ(lines(2000), "retry-after: 2\r\nretry-after-ms: 2000\r\n");
  EXPECT_EQ(lines(2001), "retry-after: 3\r\nretry-after-ms: 2001\r\n");
}

TEST(Status, clients_are_told_not_to_repeat_what_would_fail_again) {
  const auto told = [](Errc code, const char* reason, std::chrono::milliseconds later = {}) {
    Error error = Error::say(code, reason, "No.");
    error.retry_after = later;
    const std::string text(error_response(error).headers.text());
    return text.find("x-should-retry: false") != std::string::npos;
  };
  EXPECT_TRUE(told(Errc::conflict, "idempotency_key_reused"));
  EXPECT_TRUE(told(Errc::bad_upstream, "upstream_credentials"));
  EXPECT_TRUE(told(Errc::bad_upstream, "upstream_quota"));
  EXPECT_TRUE(told(Errc::over_limit, "tokens_limited"));
  EXPECT_FALSE(told(Errc::over_limit, "tokens_limited", std::chrono::milliseconds(5)));
  EXPECT_FALSE(told(Errc::conflict, "idempotent_request_running"));
  EXPECT_FALSE(told(Errc::conflict, "document_ingesting"));
  EXPECT_FALSE(told(Errc::bad_upstream, "upstream_error"));
  EXPECT_FALSE(told(Errc::unavailable, "overloaded"));
  EXPECT_FALSE(told(Errc::internal, ""));
}

TEST(Status, a_denied_caller_is_told_how_to_identify_itself) {
  EXPECT_EQ(error_response(Error::log(Errc::denied, "")).headers.text(),
            "www-authenticate: Bearer\r\n");
}

TEST(Status, a_body_that_came_too_late_is_the_clients_timeout) {
  EXPECT_EQ(error_response(Error::say(Errc::deadline, "request_timeout", "Too late.")).status, 408);
  EXPECT_EQ(error_response(Error::say(Errc::deadline, "upstream_timeout", "Too late.")).status,
            504);
}

}  // namespace
}  // namespace mainstay::api
