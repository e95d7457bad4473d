// The console's server side: pages and their headers, who am I, keys, history, live, log, doctor.
#include "api/console.h"

#include <gtest/gtest.h>

#include "api/console_series.h"
#include "api/routes.h"
#include "resources/governor.h"
#include "telemetry/history_sampler.h"
#include "unit/api/job_world.h"
#include "unit/resources/tree.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::Scope;

struct ConsoleTest : JobWorld {
  static Sent page(std::string target) {
    Sent sent = get(std::move(target));
    return sent.with("accept-encoding", "gzip, deflate, br");
  }
  Sent looking(Sent sent) {
    if (looker.empty()) looker = key("board", {Scope::admin_read});
    return with_key(std::move(sent), looker);
  }
  /// A row of the history, `value` in its one column.
  void sample(std::int64_t at, float value) {
    prepare();
    ASSERT_TRUE(desk->console.history.column("load", "share", Fold::mean));
    const std::array<float, 1> row{value};
    desk->console.history.add(Step::second, at, row);
  }
  /// Serves a request to its end, second by second; `each` is called after each of them.
  Reply serve_over_time(Sent sent, std::size_t goes_after, const std::function<void(int)>& each) {
    open();
    auto exchange = std::make_unique<FakeExchange>(std::move(sent), clock.now());
    exchange->goes_after = goes_after;
    bool ended = false;
    asio::co_spawn(io.get_executor(), api->serve(*exchange),
                   [&](std::exception_ptr) { ended = true; });
    for (int second = 1; !ended && second < 1000; ++second) {
      clock.advance(1s);
      std::this_thread::yield();
      each(second);
    }
    EXPECT_TRUE(ended);
    return exchange;
  }
  std::string looker;
};

TEST_F(ConsoleTest, the_page_is_compressed_tagged_and_locked_down) {
  if (console_files().empty()) GTEST_SKIP() << "built without the console";
  auto reply = serve(page("/"));
  ASSERT_EQ(reply->status, 200);
  EXPECT_EQ(reply->content_type, "text/html; charset=utf-8");
  EXPECT_EQ(reply->header("content-encoding"), "gzip");
  EXPECT_EQ(reply->header("cache-control"), "no-cache");
  EXPECT_EQ(reply->header("vary"), "Accept-Encoding");
  EXPECT_EQ(reply->header("x-content-type-options"), "nosniff");
  EXPECT_EQ(reply->header("referrer-policy"), "no-referrer");
  EXPECT_EQ(reply->header("cross-origin-opener-policy"), "same-origin");
  EXPECT_NE(reply->header("permissions-policy").find("microphone=(self)"), std::string::npos);
  const std::string policy = reply->header("content-security-policy");
  for (const char* part :
       {"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'",
        "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"}) {
    EXPECT_NE(policy.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(reply->body.substr(0, 2), "\x1f\x8b");
  const std::string tag = reply->header("etag");
  EXPECT_TRUE(tag.starts_with('"') && tag.ends_with('"') && tag.size() > 20) << tag;
  Sent again = page("/");
  auto unchanged = serve(again.with("if-none-match", "\"other\", W/" + tag));
  EXPECT_EQ(unchanged->status, 304);
  EXPECT_EQ(unchanged->body, "");
  EXPECT_EQ(unchanged->header("etag"), tag);
  Sent lines = page("/");
  EXPECT_EQ(serve(lines.with("if-none-match", "\"other\"").with("if-none-match", tag))->status,
            304);
}

TEST_F(ConsoleTest, its_parts_are_found_by_their_names_alone) {
  if (console_files().empty()) GTEST_SKIP() << "built without the console";
  std::size_t total = 0;
  for (const auto& file : console_files()) {
    auto reply = serve(page(std::string(file.path)));
    EXPECT_EQ(reply->status, 200) << file.path;
    EXPECT_EQ(reply->content_type, file.type);
    EXPECT_EQ(reply->header("cache-control"),
              file.lasting ? "public, max-age=31536000, immutable" : "no-cache");
    total += reply->body.size();
  }
  EXPECT_LE(total, 60u * 1024) << "all that a browser loads, compressed";
  for (const char* path : {"/assets/nothing.js", "/assets/..", "/assets/%2e%2e", "/assets/"}) {
    EXPECT_EQ(refused(serve(page(path))), "404 unknown_path") << path;
  }
}

TEST_F(ConsoleTest, a_client_that_takes_no_gzip_is_told_in_words) {
  if (console_files().empty()) GTEST_SKIP() << "built without the console";
  auto reply = serve(get("/"));
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->content_type, "text/plain; charset=utf-8");
  EXPECT_NE(reply->body.find("/openapi.json"), std::string::npos);
  const std::string part(console_files().back().path);
  if (part != "/") EXPECT_EQ(refused(serve(get(part))), "406 gzip_required");
}

TEST_F(ConsoleTest, it_can_be_taken_away) {
  settings.console.enabled = false;
  EXPECT_EQ(refused(serve(page("/"))), "404 unknown_path");
  EXPECT_EQ(refused(serve(page("/assets/main.js"))), "404 unknown_path");
  EXPECT_EQ(refused(serve(post("/console/csp-report", "{}"))), "404 unknown_path");
}

TEST(ConsoleHeaders, gzip_is_taken_when_it_is_named_and_not_refused) {
  for (const char* yes : {"gzip", "gzip, br", "br;q=1.0, GZIP;q=0.5", "*", "x-gzip", "*;q=0.1"}) {
    EXPECT_TRUE(takes_gzip(yes)) << yes;
  }
  for (const char* no : {"", "br", "gzip;q=0", "gzip; q=0.000", "identity", "gzipped", "*;q=0"}) {
    EXPECT_FALSE(takes_gzip(no)) << no;
  }
}

TEST(ConsoleHeaders, a_tag_is_compared_whole) {
  EXPECT_TRUE(has_tag("\"abc\"", "\"abc\""));
  EXPECT_TRUE(has_tag("\"x\" , \"abc\"", "\"abc\""));
  EXPECT_TRUE(has_tag("*", "\"abc\""));
  EXPECT_FALSE(has_tag("", "\"abc\""));
  EXPECT_FALSE(has_tag("\"ab\"", "\"abc\""));
  EXPECT_FALSE(has_tag("abc", "\"abc\""));
}

TEST_F(ConsoleTest, reports_are_counted_bounded_and_logged_now_and_then) {
  const std::string report =
      R"({"csp-report":{"effective-directive":"script-src","blocked-uri":"inline"}})";
  EXPECT_EQ(serve(post("/console/csp-report", report))->status, 204);
  EXPECT_EQ(serve(post("/console/csp-report", "no JSON at all"))->status, 204);
  EXPECT_EQ(serve(post("/console/csp-report", std::string(16 * 1024, 'x')))->status, 204);
  EXPECT_EQ(serve(post("/console/csp-report", std::string(16 * 1024 + 1, 'x')))->status, 413);
  EXPECT_NE(metrics.text().find("mainstay_console_csp_reports_total 3"), std::string::npos);
}

TEST_F(ConsoleTest, who_am_i_says_what_each_kind_of_caller_may) {
  settings.limits.user.requests_per_minute = 30;
  const Json local = json(serve(get("/v1/me"))->body);
  EXPECT_EQ(local["how"], "local");
  EXPECT_EQ(local["user"], "local");
  EXPECT_TRUE(local["key"].is_null());
  EXPECT_EQ(local["may"]["chat"], true);
  EXPECT_EQ(local["may"]["look"], false);
  EXPECT_EQ(local["limits"]["requests_per_minute"], 30);
  EXPECT_EQ(local["serves"], json(R"({"api":true,"admin":true})"));
  const Json admin_says = json(serve(admin(get("/v1/me")))->body);
  EXPECT_EQ(admin_says["how"], "admin_key");
  EXPECT_EQ(admin_says["may"]["look"], true);
  EXPECT_EQ(admin_says["may"]["change"], true);
  const Json board = json(serve(looking(get("/v1/me")))->body);
  EXPECT_EQ(board["how"], "key");
  EXPECT_EQ(board["scopes"], Json::array({"admin:read"}));
  EXPECT_EQ(board["may"]["chat"], false);
  EXPECT_EQ(board["may"]["look"], true);
  EXPECT_EQ(board["may"]["change"], false);
}

// proves security row 2: a read-only administrator
TEST_F(ConsoleTest, security_02_one_who_may_look_changes_nothing) {
  sample(1, 1);
  for (const auto& route : routes()) {
    if (route.access != Access::admin || route.operation == "liveFigures") continue;
    std::string path(route.path);
    if (const auto brace = path.find("{id}"); brace != std::string::npos) {
      path.replace(brace, 4, "7");
    }
    Sent sent = looking(post(path, "{}"));
    sent.method = route.method;
    auto reply = serve(sent);
    if (route.method == "GET") {
      EXPECT_NE(reply->status, 403) << path;
      EXPECT_NE(reply->status, 401) << path;
    } else {
      EXPECT_EQ(refused(reply), "403 read_only_key") << route.method << " " << path;
    }
  }
  EXPECT_EQ(desk->audit.total(), 0u);
}

TEST_F(ConsoleTest, a_key_is_made_shown_once_used_and_revoked) {
  const std::string wish =
      R"({"name":"laptop","scopes":["chat"],"user":"ann","expires_in_seconds":3600,)"
      R"("most_urgent":"batch","limits":{"requests_per_minute":7,"tokens_per_day":5}})";
  auto made = serve(admin(post("/admin/keys", wish)));
  ASSERT_EQ(made->status, 201) << made->body;
  const Json key = json(made->body);
  const std::string secret = key["key"];
  EXPECT_TRUE(secret.starts_with("ms_"));
  EXPECT_EQ(key["state"], "active");
  EXPECT_EQ(key["scopes"], Json::array({"chat"}));
  EXPECT_EQ(key["expires_at"].get<std::int64_t>() - key["created_at"].get<std::int64_t>(), 3600);
  EXPECT_EQ(key["limits"]["requests_per_minute"], 7);
  const Json me = json(serve(with_key(get("/v1/me"), secret))->body);
  EXPECT_EQ(me["user"], "ann");
  EXPECT_EQ(me["most_urgent"], "batch");
  EXPECT_EQ(me["limits"]["requests_per_minute"], 7);
  auto list = serve(admin(get("/admin/keys")));
  EXPECT_EQ(json(list->body)["data"].size(), 1u);
  EXPECT_EQ(list->body.find(secret), std::string::npos);
  const std::string id = key["id"];
  auto gone = serve(admin(post("/admin/keys/" + id + "/revoke", "")));
  ASSERT_EQ(gone->status, 200) << gone->body;
  EXPECT_EQ(json(gone->body)["state"], "revoked");
  EXPECT_EQ(refused(serve(with_key(get("/v1/me"), secret))), "401 wrong_key");
  const auto audit = desk->audit.recent(10);
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[1].what, "key.create");
  EXPECT_EQ(audit[1].after.find(secret), std::string::npos);
  EXPECT_EQ(audit[0].what, "key.revoke");
  EXPECT_EQ(audit[0].outcome, "done");
}

TEST_F(ConsoleTest, a_wrong_wish_for_a_key_is_refused_by_its_field) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "400 missing_field"},
      {R"({"name":"a","scopes":[]})", "400 invalid_scopes"},
      {R"({"name":"a","scopes":["all"]})", "400 invalid_scopes"},
      {R"({"name":"a\nb"})", "400 invalid_name"},
      {R"({"name":"a","user":"u\u0007"})", "400 invalid_name"},
      {R"({"name":"a","expires_in_seconds":-1})", "400 invalid_value"},
      {R"({"name":"a","expires_in_seconds":1.5})", "400 invalid_value"},
      {R"({"name":"a","most_urgent":"now"})", "400 invalid_value"},
      {R"({"name":"a","limits":{"speed":1}})", "400 unknown_field"},
      {R"({"name":"a","limits":{"burst":4000000001}})", "400 invalid_value"},
      {R"({"name":"a","role":"admin"})", "400 unknown_field"},
  };
  for (const auto& [body, says] : cases) {
    EXPECT_EQ(refused(serve(admin(post("/admin/keys", body)))), says) << body;
  }
  Sent keyed = admin(post("/admin/keys", R"({"name":"a"})"));
  EXPECT_EQ(refused(serve(keyed.with("idempotency-key", "once"))), "400 invalid_idempotency_key");
  EXPECT_EQ(refused(serve(admin(post("/admin/keys/key_0000000000000000/revoke", "")))),
            "404 unknown_key");
  settings.auth.keys_max = 1;
  EXPECT_EQ(serve(admin(post("/admin/keys", R"({"name":"a"})")))->status, 201);
  EXPECT_EQ(refused(serve(admin(post("/admin/keys", R"({"name":"b"})")))), "429 too_many_keys");
}

TEST_F(ConsoleTest, history_gives_columns_since_a_moment) {
  for (std::int64_t at = 1; at <= 5; ++at) sample(at, static_cast<float>(at) / 4);
  const Json all = json(serve(admin(get("/admin/history")))->body);
  EXPECT_EQ(all["step_seconds"], 1);
  EXPECT_EQ(all["times"], json("[1,2,3,4,5]"));
  EXPECT_EQ(all["series"]["load"], json("[0.25,0.5,0.75,1,1.25]"));
  EXPECT_EQ(all["units"]["load"], "share");
  EXPECT_EQ(all["has_more"], false);
  const Json some = json(serve(admin(get("/admin/history?since=3.7&series=load")))->body);
  EXPECT_EQ(some["times"], json("[4,5]"));
  EXPECT_EQ(json(serve(admin(get("/admin/history?step=1m")))->body)["times"], Json::array());
  const Json unknown =
      json(serve(admin(get("/admin/history?since=4&series=load,,gpu,load")))->body);
  EXPECT_EQ(unknown["series"], json(R"({"load":[1.25],"gpu":[null]})"))
      << "what is not measured on this machine";
  EXPECT_EQ(refused(serve(admin(get("/admin/history?step=2s")))), "400 invalid_value");
  for (const char* since : {"yesterday", "-1", "1e99", "5x", "nan"}) {
    EXPECT_EQ(refused(serve(admin(get(std::string("/admin/history?since=") + since)))),
              "400 invalid_value")
        << since;
  }
}

TEST_F(ConsoleTest, one_reply_of_history_is_bounded_and_says_that_there_is_more) {
  prepare();
  std::vector<float> row(128, 1);
  for (int i = 0; i < 128; ++i) {
    ASSERT_TRUE(desk->console.history.column("c" + std::to_string(i), "count", Fold::mean));
  }
  for (std::int64_t at = 1; at <= 391; ++at) desk->console.history.add(Step::second, at, row);
  const Json first = json(serve(admin(get("/admin/history")))->body);
  EXPECT_EQ(first["times"].size(), 390u) << "128 columns of 390 rows are 49 920 figures";
  EXPECT_EQ(first["has_more"], true);
  const Json rest = json(serve(admin(get("/admin/history?since=390")))->body);
  EXPECT_EQ(rest["times"], json("[391]"));
  EXPECT_EQ(rest["has_more"], false);
}

TEST_F(ConsoleTest, live_begins_with_the_state_and_the_newest_sample) {
  for (std::int64_t at = 1; at <= 3; ++at) sample(at, static_cast<float>(at));
  auto reply = serve(admin(get("/admin/live")), [&](FakeExchange&) { not_ready = "stopping"; });
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->content_type, "text/event-stream");
  EXPECT_TRUE(reply->finished) << "a stop ends it";
  const std::string text = reply->streamed();
  EXPECT_TRUE(text.starts_with("retry: 1000\n\nevent: state\ndata: {")) << text;
  EXPECT_NE(text.find("id: 3\nevent: sample\ndata: {\"at\":3,\"values\":{\"load\":3}}\n\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("id: 2\n"), std::string::npos);
  EXPECT_EQ(desk->console.seats.taken(), 0u);
}

TEST_F(ConsoleTest, live_is_not_ready_for_the_reasons_that_health_ready_has) {
  prepare();
  resources::Tree tree;
  tree.machine_memory(1000, 900);
  tree.process(100, 3);
  resources::GovernorParts parts;
  parts.settings = settings.resources;
  parts.roots = tree.roots();
  parts.disks = {{"data", tree.path()}};
  parts.read_disk = [](const std::string&) {
    return std::optional(resources::DiskFigures{.total = 1'000'000'000, .free = 1000});
  };
  resources::Governor governor(std::move(parts), clock, *log, metrics);
  rooms->governor = &governor;
  governor.sample();
  not_ready = "stopping";  // ends the stream
  const std::string reasons = dump(json(serve(get("/health/ready"))->body)["reasons"]);
  auto reply = serve(admin(get("/admin/live")));
  rooms->governor = nullptr;
  EXPECT_NE(reasons.find("\"disk\""), std::string::npos) << reasons;
  const std::string text = reply->streamed();
  EXPECT_NE(text.find("\"ready\":false"), std::string::npos) << text;
  EXPECT_NE(text.find("\"reasons\":" + reasons), std::string::npos) << text;
}

TEST_F(ConsoleTest, live_goes_on_behind_the_last_event) {
  for (std::int64_t at = 1; at <= 400; ++at) sample(at, 1);
  const auto ids = [&](Sent sent) {
    auto reply = serve(std::move(sent), [&](FakeExchange&) { not_ready = "stopping"; });
    const std::string text = reply->streamed();
    std::size_t count = 0;
    for (auto found = text.find("id: "); found != std::string::npos;
         found = text.find("id: ", found + 1)) {
      ++count;
    }
    return count;
  };
  Sent again = admin(get("/admin/live"));
  EXPECT_EQ(ids(again.with("last-event-id", "398")), 2u);
  EXPECT_EQ(ids(admin(get("/admin/live?since=390"))), 10u);
  EXPECT_EQ(ids(admin(get("/admin/live?since=400"))), 0u);
  EXPECT_EQ(ids(admin(get("/admin/live?since=3"))), 300u) << "who missed more asks the history";
  Sent wrong = admin(get("/admin/live"));
  EXPECT_EQ(refused(serve(wrong.with("last-event-id", "3-4"))), "400 invalid_value");
}

TEST_F(ConsoleTest, a_sample_reaches_its_watcher_and_the_seat_is_given_back_when_it_goes) {
  settings.console.watchers_max = 1;
  sample(1, 1);
  const auto add_one = [&](int second) {
    sample(second + 1, 2);
    desk->console.sampled.notify();
  };
  auto reply = serve_over_time(admin(get("/admin/live")), 3, add_one);
  ASSERT_EQ(reply->pieces.size(), 3u);
  EXPECT_TRUE(reply->pieces[1].starts_with("id: 2\nevent: sample\n")) << reply->pieces[1];
  EXPECT_TRUE(reply->pieces[2].starts_with("id: 3\nevent: sample\n")) << reply->pieces[2];
  EXPECT_EQ(desk->console.seats.taken(), 0u);
}

TEST_F(ConsoleTest, the_state_is_sent_again_when_it_changed_and_only_then) {
  sample(1, 1);
  const auto play = [&](int second) {
    if (second == 3) program.figures.version = 9;
    if (second == 6) not_ready = "stopping";
  };
  auto reply = serve_over_time(admin(get("/admin/live")), SIZE_MAX, play);
  EXPECT_TRUE(reply->finished);
  ASSERT_EQ(reply->pieces.size(), 2u) << reply->streamed();
  EXPECT_TRUE(reply->pieces[1].starts_with("event: state\n")) << reply->pieces[1];
  EXPECT_NE(reply->pieces[1].find("\"config_version\":9"), std::string::npos);
}

TEST_F(ConsoleTest, a_stream_ends_by_itself_before_the_requests_time_is_over) {
  settings.server.request_timeout = 10s;
  sample(1, 1);
  int last = 0;
  auto reply =
      serve_over_time(admin(get("/admin/live")), SIZE_MAX, [&](int second) { last = second; });
  EXPECT_TRUE(reply->finished);
  EXPECT_EQ(last, 8);
}

TEST_F(ConsoleTest, more_watchers_than_seats_are_refused) {
  settings.console.watchers_max = 2;
  prepare();
  auto first = desk->console.seats.take();
  auto second = desk->console.seats.take();
  ASSERT_TRUE(first && second);
  auto reply = serve(admin(get("/admin/live")));
  EXPECT_EQ(refused(reply), "429 too_many_watchers");
  EXPECT_EQ(reply->header("retry-after"), "5");
  second.reset();
  auto seated = serve(admin(get("/admin/live")), [&](FakeExchange&) { not_ready = "stopping"; });
  EXPECT_EQ(seated->status, 200);
}

struct LogsTest : ConsoleTest {
  LogsTest() {
    settings.log.sink = "/dev/null";
    settings.log.level = "debug";
    settings.log.requests = false;
    log = std::move(*Log::open(settings.log, clock));
    log->keep_tail(64_KiB);
    log->info("thing.one", {{"id", "req_1"}});
    log->warn("thing.two", {{"id", "req_2"}});
    log->error("thing.three", {{"id", "req_1"}});
    log->stop(5s);  // the writer has passed the lines on
  }
  std::string events_of(const std::string& query) {
    const Json body = json(serve(admin(get("/admin/logs" + query)))->body);
    std::string out;
    for (const auto& line : body["data"]) {
      const Json parsed = json(line["line"].get<std::string>());
      out += (out.empty() ? "" : " ") + parsed["event"].get<std::string>();
    }
    return out;
  }
};

TEST_F(LogsTest, the_newest_lines_are_listed_and_filtered) {
  EXPECT_EQ(events_of(""), "thing.one thing.two thing.three");
  EXPECT_EQ(events_of("?level=warn"), "thing.two thing.three");
  EXPECT_EQ(events_of("?q=THING.T"), "thing.two thing.three");
  EXPECT_EQ(events_of("?request=req_1"), "thing.one thing.three");
  EXPECT_EQ(events_of("?limit=1"), "thing.three");
  EXPECT_EQ(events_of("?limit=1&before=3"), "thing.two");
  const Json body = json(serve(admin(get("/admin/logs?limit=2")))->body);
  EXPECT_EQ(body["format"], "json");
  EXPECT_EQ(body["kept"], true);
  EXPECT_EQ(body["has_more"], true);
  EXPECT_EQ(body["next"], 4);
  for (const char* wrong : {"?level=loud", "?level=off", "?follow=maybe", "?before=x"}) {
    EXPECT_EQ(refused(serve(admin(get(std::string("/admin/logs") + wrong)))), "400 invalid_value");
  }
  EXPECT_EQ(refused(serve(admin(get("/admin/logs?limit=1001")))), "400 out_of_range");
}

TEST_F(LogsTest, following_sends_what_there_is_and_goes_on_behind_an_event) {
  auto reply = serve(admin(get("/admin/logs?follow=true&level=warn")),
                     [&](FakeExchange&) { not_ready = "stopping"; });
  EXPECT_EQ(reply->content_type, "text/event-stream");
  const std::string text = reply->streamed();
  EXPECT_NE(text.find("id: 2\nevent: line\ndata: {\"number\":2,\"level\":\"warn\""),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("id: 1\n"), std::string::npos);
  not_ready = "";
  Sent again = admin(get("/admin/logs?follow=true"));
  auto rest = serve_over_time(again.with("last-event-id", "2"), SIZE_MAX,
                              [&](int) { not_ready = "stopping"; });
  ASSERT_EQ(rest->pieces.size(), 2u);
  EXPECT_TRUE(rest->pieces[1].starts_with("id: 3\n")) << rest->pieces[1];
}

TEST_F(ConsoleTest, a_log_that_keeps_no_tail_says_so) {
  const Json body = json(serve(admin(get("/admin/logs")))->body);
  EXPECT_EQ(body["kept"], false);
  EXPECT_EQ(body["data"], Json::array());
}

TEST_F(ConsoleTest, the_doctor_is_asked_once_a_minute) {
  const Json first = json(serve(admin(get("/admin/doctor")))->body);
  EXPECT_EQ(first["age_seconds"], 0);
  EXPECT_EQ(first["checks"][0]["check"], "memory");
  clock.advance(59s);
  EXPECT_EQ(json(serve(admin(get("/admin/doctor")))->body)["age_seconds"], 59);
  EXPECT_EQ(program.doctor_asked, 1);
  EXPECT_EQ(json(serve(admin(get("/admin/doctor?fresh=true")))->body)["age_seconds"], 0);
  EXPECT_EQ(program.doctor_asked, 2);
  clock.advance(60s);
  serve(admin(get("/admin/doctor")));
  EXPECT_EQ(program.doctor_asked, 3);
  auto turn = desk->console.doctor.begin();
  clock.advance(60s);
  EXPECT_EQ(refused(serve(admin(get("/admin/doctor")))), "503 doctor_busy");
}

TEST_F(ConsoleTest, a_conversation_is_renamed_and_found_by_its_title) {
  serve(chat(R"(,"conversation":"conv-1")"));
  serve(chat(R"(,"conversation":"conv-2")"));
  const Json renamed =
      json(serve(post("/v1/conversations/conv-1", R"({"title":"Trip to Zürich"})"))->body);
  EXPECT_EQ(renamed["title"], "Trip to Zürich");
  EXPECT_EQ(renamed["message_count"], 2);
  const Json found = json(serve(get("/v1/conversations?q=tRIP%20to%20z%C3%BC"))->body);
  ASSERT_EQ(found["data"].size(), 1u);
  EXPECT_EQ(found["data"][0]["id"], "conv-1");
  EXPECT_EQ(json(serve(get("/v1/conversations?q=nothing"))->body)["data"], Json::array());
  EXPECT_EQ(refused(serve(post("/v1/conversations/conv-9", R"({"title":"x"})"))),
            "404 unknown_conversation");
  EXPECT_EQ(refused(serve(post("/v1/conversations/conv-1", R"({"title":" "})"))),
            "400 empty_field");
  EXPECT_EQ(refused(serve(post("/v1/conversations/conv-1", R"({"title":"a\nb"})"))),
            "400 invalid_value");
  std::string longest;
  for (int i = 0; i < 200; ++i) longest += "ü";
  EXPECT_EQ(serve(post("/v1/conversations/conv-1", R"({"title":")" + longest + "\"}"))->status,
            200);
  EXPECT_EQ(refused(serve(post("/v1/conversations/conv-1", R"({"title":")" + longest + "ü\"}"))),
            "400 invalid_value");
}

TEST_F(ConsoleTest, the_series_of_the_api_leave_health_admin_and_the_console_out) {
  EXPECT_TRUE(is_api_route(R"(route="createChatCompletion",status="2xx")"));
  for (const char* other : {"health", "metrics", "console", "liveFigures", "whoAmI"}) {
    EXPECT_FALSE(is_api_route(std::string("route=\"") + other + "\"")) << other;
  }
  prepare();
  HistorySampler sampler(metrics, desk->console.history, console_series(), {});
  sampler.step(100, clock.now());
  serve(chat());
  serve(get("/health"));
  serve(admin(get("/admin/tasks")));
  clock.advance(1s);
  sampler.step(101, clock.now());
  const Json history = json(serve(admin(get("/admin/history?series=requests,errors")))->body);
  EXPECT_EQ(history["series"]["requests"], json("[1]"));
  EXPECT_EQ(history["series"]["errors"], json("[0]"));
}

}  // namespace
}  // namespace mainstay::api
