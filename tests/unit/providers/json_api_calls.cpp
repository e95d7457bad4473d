// Calling a JSON API: when a server says to come back, and what a refusal holds.
#include "net/json_api.h"

#include <gtest/gtest.h>

#include "fake_client.h"

namespace mainstay::net {
namespace {

using Ms = std::chrono::milliseconds;

Ms told(std::map<std::string, std::string> headers, WallTime at = {}) {
  FakeClient client;
  Script reply = script("application/json", "{}", 0, 429);
  for (auto& [name, value] : headers) reply.headers[name] = value;
  reply.at = at;
  client.scripts.push_back(std::move(reply));
  const auto got = run(
      call_api(client, Call{"GET", std::make_shared<const Url>(*Url::parse("http://a.example"))},
               CallTimers{}, Deadline::never()));
  return got.ok() && got->refusal ? got->refusal->retry_after : Ms(-1);
}

TEST(RetryAfter, seconds_and_milliseconds_are_understood) {
  EXPECT_EQ(told({{"retry-after", "2"}}), Ms(2000));
  EXPECT_EQ(told({{"retry-after", "1.5"}}), Ms(1500));
  EXPECT_EQ(told({{"retry-after", " 3 "}}), Ms(3000));
  EXPECT_EQ(told({{"retry-after-ms", "250"}, {"retry-after", "9"}}), Ms(250));
  EXPECT_EQ(told({{"retry-after", "86400"}}), Ms(86'400'000));
  EXPECT_EQ(told({{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                  {"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}}),
            Ms(60'000));
  EXPECT_EQ(told({{"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                  {"retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"}}),
            Ms(0));
  EXPECT_EQ(told({{"retry-after", "86401"}}), Ms(86'400'000));
  for (const std::size_t digits : {20u, 400u}) {  // more than 64 bits, and than a double holds
    EXPECT_EQ(told({{"retry-after", std::string(digits, '9')}}), Ms(86'400'000)) << digits;
    EXPECT_EQ(told({{"retry-after", "0." + std::string(digits, '0')}}), Ms(0)) << digits;
  }
}

TEST(RetryAfter, a_date_without_the_replys_own_is_counted_from_when_it_came) {
  const WallTime came(std::chrono::seconds(784'111'777));  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(told({{"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}}, came), Ms(60'000));
  EXPECT_EQ(told({{"retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"}}, came), Ms(0));
  EXPECT_EQ(told({{"date", "Sun, 06 Nov 1994 08:50:07 GMT"},
                  {"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}},
                 came),
            Ms(30'000))
      << "its own date goes first";
}

TEST(RetryAfter, anything_else_says_nothing) {
  for (const char* text : {"", "0", "-1", "nan", "inf", "1e400", "0x10", "2,5", "2 s",
                           "Fri, 31 Dec 1999 23:59:59 GMT"}) {
    EXPECT_EQ(told({{"retry-after", text}}), Ms(0)) << text;
  }
}

TEST(RetryAfter, a_reset_counts_only_for_a_limit_that_is_used_up) {
  EXPECT_EQ(told({{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "6m0s"}}),
            Ms(360'000));
  EXPECT_EQ(told({{"x-ratelimit-remaining-requests", "1"}, {"x-ratelimit-reset-requests", "6m0s"}}),
            Ms(0));
  EXPECT_EQ(told({{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "250ms"}}),
            Ms(250));
  EXPECT_EQ(told({{"x-ratelimit-remaining-requests", "0"},
                  {"x-ratelimit-reset-requests", "1s"},
                  {"x-ratelimit-remaining-tokens", "0"},
                  {"x-ratelimit-reset-tokens", "1h2m"}}),
            Ms(3'720'000));
  EXPECT_EQ(told({{"x-ratelimit-remaining-requests", "0"}}), Ms(0));
}

TEST(RetryAfter, durations_are_read_strictly) {
  EXPECT_EQ(duration_text("1h2m3.5s"), Ms(3'723'500));
  EXPECT_EQ(duration_text("34.074824224s"), Ms(34'075));
  EXPECT_EQ(duration_text("48h"), Ms(86'400'000));
  for (const char* text : {"", "5", "s", "-5s", "1x", "infs", "nans", "1s!", "1 s", "m", "1e9s"}) {
    EXPECT_EQ(duration_text(text), Ms(0)) << text;
  }
}

TEST(JsonApi, a_refusal_keeps_its_status_when_its_body_is_too_large_or_broken) {
  FakeClient client;
  const auto url = std::make_shared<const Url>(*Url::parse("http://a.example"));
  for (const std::size_t size : {65535U, 65536U, 65537U}) {
    client.scripts.push_back(script("text/plain", std::string(size, 'x'), 1000, 418));
    const auto got = run(call_api(client, Call{"GET", url}, CallTimers{}, Deadline::never()));
    ASSERT_TRUE(got.ok() && got->refusal);
    EXPECT_EQ(got->refusal->status, 418);
    EXPECT_EQ(got->refusal->body.size(), size > 65536 ? 0U : size);
  }
  Script broken = script("text/plain", "half", 0, 500);
  broken.at_end = Error::say(Errc::bad_upstream, "upstream_reset", "Reset.");
  client.scripts.push_back(broken);
  const auto got = run(call_api(client, Call{"GET", url}, CallTimers{}, Deadline::never()));
  ASSERT_TRUE(got.ok() && got->refusal);
  EXPECT_EQ(got->refusal->status, 500);
  EXPECT_EQ(client.open, 0);
}

TEST(JsonApi, redirects_are_not_followed_and_not_taken_for_answers) {
  FakeClient client;
  const auto url = std::make_shared<const Url>(*Url::parse("http://a.example"));
  for (const int status : {299, 300, 307, 399, 400}) {
    client.scripts.push_back(script("text/html", "moved", 0, status));
    const auto got = run(call_api(client, Call{"GET", url}, CallTimers{}, Deadline::never()));
    const bool redirect = status >= 300 && status < 400;
    ASSERT_EQ(got.ok(), !redirect) << status;
    if (redirect) EXPECT_EQ(got.error().reason, "upstream_bad_reply");
  }
  EXPECT_EQ(client.sent.size(), 5U);
}

TEST(JsonApi, a_compressed_reply_is_named_and_not_read) {
  FakeClient client;
  const auto url = std::make_shared<const Url>(*Url::parse("http://a.example"));
  for (const char* how : {"gzip", "deflate", " BR "}) {
    for (const int status : {200, 500}) {
      Script packed = script("application/json", "\x1f\x8b\x08", 0, status);
      packed.headers["content-encoding"] = how;
      client.scripts.push_back(std::move(packed));
      const auto got = run(call_api(client, Call{"GET", url}, CallTimers{}, Deadline::never()));
      ASSERT_EQ(got.ok(), status == 500) << how;
      if (got.ok()) {
        ASSERT_TRUE(got->refusal) << how;
        EXPECT_EQ(got->refusal->status, 500);
        EXPECT_TRUE(got->refusal->body.starts_with("(its words were compressed: "));
      } else {
        EXPECT_EQ(got.error().reason, "upstream_bad_reply");
        EXPECT_NE(got.error().message.find("compressed"), std::string::npos);
      }
    }
  }
  Script plain = script("application/json", "{}");
  plain.headers["content-encoding"] = "identity";
  client.scripts.push_back(std::move(plain));
  EXPECT_TRUE(run(call_api(client, Call{"GET", url}, CallTimers{}, Deadline::never()))->reply);
}

TEST(JsonApi, the_address_may_have_a_path_and_get_is_bounded) {
  FakeClient client;
  UpstreamSettings settings;
  settings.response_max = Bytes{10};
  HeaderLines headers;
  headers.add("x-key", "k1");
  const JsonApi api(client, *Url::parse("https://a.example/base/"), headers, settings);
  for (const std::size_t size : {9U, 10U, 11U}) {
    client.scripts.push_back(script("application/json", std::string(size, '1'), 4));
    const auto got = run(api.get("/models", Deadline::never()));
    ASSERT_EQ(got.ok(), size <= 10) << size;
    if (!got.ok()) EXPECT_EQ(got.error().reason, "upstream_too_large");
  }
  EXPECT_EQ(client.sent.at(0).address, "https://a.example/base/models");
  EXPECT_TRUE(client.sent.at(0).has("x-key: k1"));
  EXPECT_TRUE(client.sent.at(0).has("accept-encoding: identity\r\n"));
  EXPECT_TRUE(client.sent.at(0).has("user-agent: mainstay/"));
  client.scripts.push_back(script("application/json", "{}"));
  EXPECT_TRUE(run(api.post("/chat", "{}", CallTags{}, CallTimers{}, Deadline::never())).ok());
  EXPECT_FALSE(client.sent.back().has("x-request-id"));
  EXPECT_FALSE(client.sent.back().has("traceparent"));
}

}  // namespace
}  // namespace mainstay::net
