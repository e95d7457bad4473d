// Webhooks: signature, envelope, addresses, message.
#include "jobs/webhook.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/address.hpp>

#include "base/json.h"
#include "base/public_address.h"
#include "base/text.h"
#include "config/webhook_secret.h"
#include "jobs/webhook_address.h"

namespace mainstay::jobs {
namespace {

TEST(WebhookSignature, is_that_of_the_standards_published_example) {
  const auto key = config::webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 24u);
  EXPECT_EQ(webhook_signature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookEnvelope, comes_off_as_it_went_on) {
  for (const std::string input : {"{}", R"({"a":1})", R"({"b":"}{"})"}) {
    for (const std::string url : {"https://a.example/x?y=\"z\"", "http://b.example"}) {
      const std::string stored = with_webhook(input, url);
      EXPECT_TRUE(parse_json(stored).ok()) << stored;
      const auto parts = unwrap(stored);
      EXPECT_EQ(parts.input, input);
      EXPECT_EQ(parts.webhook, url);
    }
    EXPECT_EQ(unwrap(input).input, input);
    EXPECT_TRUE(unwrap(input).webhook.empty());
  }
}

TEST(WebhookAddress, must_be_http_with_a_host_and_nothing_hidden) {
  for (const char* good : {"https://a.example", "http://a.example:8080/x?y=1", "HTTPS://A.Example/",
                           "https://[2606:4700::1111]/x", "http://9.9.9.9", "https://a.example./x",
                           "https://a--b.example", "https://_a.example"}) {
    EXPECT_TRUE(check_webhook_url(good, {}).ok()) << good;
  }
  for (const char* bad : {"",
                          "a.example",
                          "ftp://a.example",
                          "https://",
                          "https:///x",
                          "https://u:p@a.example",
                          "https://a.example#f",
                          "https://a.example:0",
                          "https://a.example:65536",
                          "https://a.example:",
                          "https://a b",
                          "https://[::1",
                          "https://[zz]",
                          "https://a\\b",
                          "https://a.example/\n",
                          "https://\xC3\xA4.example",
                          "file:///etc/passwd",
                          "http://[fe80::1%lo]/",
                          "http://[2606:4700::1111%25eth0]/",
                          "http://./",
                          "http://../",
                          "http://a..b/",
                          "http://.a/",
                          "http://a.example../",
                          "http://-/",
                          "http://-a.example/",
                          "http://a-.example/",
                          "http://a.-b/"}) {
    auto checked = check_webhook_url(bad, {});
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_EQ(checked.error().reason, "invalid_webhook") << bad;
    EXPECT_EQ(checked.error().field, "webhook.url");
  }
  const std::string at_limit = "https://a.example/" + std::string(kWebhookUrlMax - 18, 'x');
  ASSERT_EQ(at_limit.size(), kWebhookUrlMax);
  EXPECT_TRUE(check_webhook_url(at_limit, {}).ok());
  EXPECT_FALSE(check_webhook_url(at_limit + "x", {}).ok());
  const std::string label(63, 'a');
  EXPECT_TRUE(check_webhook_url("http://" + label + ".example/", {}).ok());
  EXPECT_FALSE(check_webhook_url("http://" + label + "a.example/", {}).ok());
}

// proves G: server-side requests that clients ask for do not reach inside.
TEST(WebhookAddress, inside_addresses_are_refused_unless_the_operator_allows_the_host) {
  for (const char* inside :
       {"http://localhost./", "http://x.localhost./", "http://127.0.0.1./", "http://127.0.0.1/",
        "http://10.1.2.3", "http://[::1]:80/", "http://localhost/", "http://x.localhost",
        "http://169.254.169.254/", "http://[::ffff:192.168.0.1]/"}) {
    auto checked = check_webhook_url(inside, {});
    ASSERT_FALSE(checked.ok()) << inside;
    EXPECT_EQ(checked.error().reason, "webhook_address_refused") << inside;
  }
  EXPECT_TRUE(check_webhook_url("http://LOCALHOST:9/", {"localhost"}).ok());
  EXPECT_TRUE(check_webhook_url("http://localhost.:9/", {"localhost"}).ok());
  EXPECT_FALSE(check_webhook_url("http://localhost.evil.localhost/", {"localhost"}).ok());
}

TEST(PublicAddress, special_ranges_begin_and_end_where_they_should) {
  const auto is = [](const char* text) { return is_public(asio::ip::make_address(text)); };
  for (const char* inside : {"0.0.0.0",
                             "0.255.255.255",
                             "10.0.0.0",
                             "10.255.255.255",
                             "100.64.0.0",
                             "100.127.255.255",
                             "127.0.0.1",
                             "169.254.0.0",
                             "172.16.0.0",
                             "172.31.255.255",
                             "192.0.0.1",
                             "192.168.255.255",
                             "198.18.0.0",
                             "198.19.255.255",
                             "224.0.0.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "fe80::1",
                             "fc00::1",
                             "fdff::1",
                             "ff02::1",
                             "2001:db8::1",
                             "2002:7f00:1::",
                             "2001::1",
                             "::ffff:10.0.0.1",
                             "64:ff9b::a00:1",
                             "::10.0.0.1"}) {
    EXPECT_FALSE(is(inside)) << inside;
  }
  for (const char* outside :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00::1",
        "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
    EXPECT_TRUE(is(outside)) << outside;
  }
}

TEST(WebhookBody, names_the_end_and_what_came_of_it) {
  storage::Job job;
  job.job.id = storage::JobId("job_9");
  job.job.kind = "chat";
  job.state = storage::JobState::succeeded;
  job.token = 4;
  job.attempts = 2;
  job.created = WallTime(std::chrono::milliseconds(1'700'000'000'001));
  job.finished = WallTime(std::chrono::milliseconds(1'700'000'060'020));
  job.result = R"({"ok":true})";
  EXPECT_EQ(webhook_id(job), "job_9_4_succeeded");
  EXPECT_EQ(webhook_body(job, 100),
            R"({"type":"job.succeeded","timestamp":"2023-11-14T22:14:20.020Z","data":)"
            R"({"id":"job_9","kind":"chat","state":"succeeded","attempts":2,)"
            R"("created_at":"2023-11-14T22:13:20.001Z","finished_at":"2023-11-14T22:14:20.020Z",)"
            R"("result":{"ok":true}}})");
  EXPECT_EQ(webhook_body(job, 10).find("result\""), std::string::npos);
  job.state = storage::JobState::dead;
  job.failure = {"upstream_reset", "It broke."};
  EXPECT_NE(webhook_body(job, 100).find(R"("error":{"code":"upstream_reset")"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::jobs
