// What pages of other sites cannot do.
#include "admission/origin.h"

#include <gtest/gtest.h>

namespace mainstay::admission {
namespace {

using Names = std::vector<std::string>;
const Names kApps = {"https://app.example", "http://localhost:3000"};

std::string host(std::string_view name, const Names& allowed = {}) {
  auto checked = check_host(name, allowed);
  return checked.ok() ? "ok" : checked.error().reason;
}
std::string page(PageFacts facts, Place place = Place::api) {
  if (facts.method.empty()) facts.method = "POST";
  if (facts.host.empty()) facts.host = "127.0.0.1:8080";
  auto checked = check_page(facts, kApps, place);
  return checked.ok() ? "ok" : checked.error().reason;
}
std::string value(const std::vector<Header>& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (header.first == name) return header.second;
  }
  return "absent";
}

// proves security row 37
TEST(Host, security_37_only_names_of_this_machine_and_listed_ones_are_served) {
  for (const char* good :
       {"127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080", "[::1]", ""}) {
    EXPECT_EQ(host(good), "ok") << good;
  }
  for (const char* bad : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                          "localhost.evil.example", "127.0.0.1:80.evil.example", "localhost@evil",
                          "127.0.0.2", "[::2]", "[::1", "evil.example@127.0.0.1"}) {
    EXPECT_EQ(host(bad), "host_not_allowed") << bad;
  }
  const Names allowed = {"box.lan", "nas:9000"};
  EXPECT_EQ(host("BOX.lan", allowed), "ok");
  EXPECT_EQ(host("box.lan:8080", allowed), "ok");
  EXPECT_EQ(host("nas:9000", allowed), "ok");
  EXPECT_EQ(host("nas:9001", allowed), "host_not_allowed");
  EXPECT_EQ(host("box.lan.evil.example", allowed), "host_not_allowed");
  EXPECT_EQ(host("box.lan:80x", allowed), "host_not_allowed");
}

TEST(Host, which_listeners_serve_this_machine_alone) {
  for (const char* here : {"127.0.0.1:8080", "127.1.2.3:1", "localhost:0", "[::1]:8080"}) {
    EXPECT_TRUE(listens_on_loopback(here)) << here;
  }
  for (const char* beyond : {"0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "127.evil.example:80",
                             "localhost.evil.example:80"}) {
    EXPECT_FALSE(listens_on_loopback(beyond)) << beyond;
  }
}

// proves security rows 37 and 38
TEST(Page, security_38_foreign_and_null_origins_are_refused_and_nothing_is_reflected) {
  for (const char* bad :
       {"null", "https://evil.example", "https://app.example.evil.example", "http://app.example",
        "https://app.example:444", "https://app.example/", "http://127.0.0.1",
        "http://127.0.0.1:8081", "http://localhost:8080", "file://", "127.0.0.1:8080", "http://"}) {
    EXPECT_EQ(page({.origin = bad}), "origin_not_allowed") << bad;
    EXPECT_EQ(page({.method = "GET", .origin = bad}), "origin_not_allowed") << bad;
    const auto headers = cors_headers(bad, kApps);
    EXPECT_EQ(value(headers, "access-control-allow-origin"), "absent");
    EXPECT_EQ(value(headers, "vary"), "Origin");
  }
}

TEST(Page, the_servers_own_pages_listed_origins_and_programs_pass) {
  EXPECT_EQ(page({}), "ok");
  EXPECT_EQ(page({.origin = "http://127.0.0.1:8080"}), "ok");
  EXPECT_EQ(page({.origin = "https://app.example", .fetch_site = "cross-site"}), "ok");
  EXPECT_EQ(page({.host = "box.lan", .origin = "https://box.lan"}), "ok") << "behind a TLS proxy";
  EXPECT_EQ(page({.host = "box.lan:443", .origin = "https://box.lan"}), "ok");
  EXPECT_EQ(page({.host = "box.lan:80", .origin = "https://box.lan"}), "origin_not_allowed");
  EXPECT_EQ(page({.host = "[::1]", .origin = "http://[::1]"}), "ok");
}

TEST(Page, what_a_browser_says_is_from_another_site_may_only_read) {
  EXPECT_EQ(page({.method = "POST", .fetch_site = "cross-site"}), "origin_not_allowed");
  EXPECT_EQ(page({.method = "DELETE", .fetch_site = "cross-site"}), "origin_not_allowed");
  EXPECT_EQ(page({.method = "GET", .fetch_site = "cross-site"}), "ok") << "following a link";
  EXPECT_EQ(page({.method = "POST", .fetch_site = "same-origin"}), "ok");
  EXPECT_EQ(page({.method = "POST", .fetch_site = "none"}), "ok");
}

TEST(Page, security_38_admin_takes_no_body_that_a_page_could_send_without_asking) {
  for (const char* simple :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "text/plain; application/json", "application/jsonx"}) {
    EXPECT_EQ(page({.content_type = simple}, Place::admin), "unsupported_media_type") << simple;
    EXPECT_EQ(page({.content_type = simple}, Place::api), "ok");
  }
  EXPECT_EQ(page({.content_type = "application/json; charset=utf-8"}, Place::admin), "ok");
  EXPECT_EQ(page({}, Place::admin), "ok");
}

TEST(Cors, a_listed_origin_may_read_the_reply_without_credentials) {
  const auto headers = cors_headers("https://app.example", kApps);
  EXPECT_EQ(value(headers, "access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(value(headers, "access-control-allow-credentials"), "absent");
  EXPECT_NE(value(headers, "access-control-expose-headers").find("x-request-id"),
            std::string::npos);
  EXPECT_TRUE(cors_headers("https://app.example", {}).empty());
  EXPECT_EQ(value(cors_headers("", kApps), "vary"), "Origin");
}

TEST(Cors, a_preflight_is_answered_for_listed_origins_alone) {
  auto answer = preflight({.origin = "https://app.example",
                           .method = "POST",
                           .headers = "authorization,x-stainless-os",
                           .private_network = "true"},
                          "GET, POST", kApps);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(value(*answer, "access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(value(*answer, "access-control-allow-methods"), "GET, POST");
  EXPECT_EQ(value(*answer, "access-control-allow-headers"), "authorization,x-stainless-os");
  EXPECT_EQ(value(*answer, "access-control-allow-private-network"), "true");
  for (const char* bad : {"https://evil.example", "null", ""}) {
    EXPECT_FALSE(preflight({.origin = bad, .method = "POST"}, "POST", kApps).ok()) << bad;
  }
  const std::string long_list(1025, 'a');
  auto odd = preflight({.origin = "https://app.example", .headers = long_list}, "GET", kApps);
  EXPECT_EQ(value(*odd, "access-control-allow-headers"), "absent");
  odd = preflight({.origin = "https://app.example", .headers = "a\r\nb"}, "GET", kApps);
  EXPECT_EQ(value(*odd, "access-control-allow-headers"), "absent");
}

TEST(Cors, null_never_passes_even_when_it_is_listed) {
  const Names careless = {"null"};
  EXPECT_FALSE(
      check_page({.method = "GET", .host = "h", .origin = "null"}, careless, Place::api).ok());
  EXPECT_EQ(value(cors_headers("null", careless), "access-control-allow-origin"), "absent");
  EXPECT_FALSE(preflight({.origin = "null"}, "GET", careless).ok());
}

TEST(Proxy, a_request_that_a_proxy_passed_on_is_recognised) {
  EXPECT_FALSE(came_through_proxy({}));
  EXPECT_TRUE(came_through_proxy({.forwarded = "for=192.0.2.1"}));
  EXPECT_TRUE(came_through_proxy({.x_forwarded_for = "192.0.2.1"}));
  EXPECT_TRUE(came_through_proxy({.x_real_ip = "192.0.2.1"}));
  EXPECT_TRUE(came_through_proxy({.via = "1.1 proxy"}));
}

}  // namespace
}  // namespace mainstay::admission
