// /v1/jobs and /admin/jobs over real memory stores.
// proves G6 G7 K5 (their parts of the api)
#include "jobs/news.h"
#include "unit/api/job_world.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::Scope;

struct JobsTest : JobWorld {
  JobsTest() { settings.limits.enabled = false; }
  Json got(const std::string& target) {
    auto reply = serve(get(target));
    EXPECT_EQ(reply->status, 200) << reply->body;
    return json(reply->body);
  }
  static std::string ids(const Json& page) {
    std::string out;
    for (const auto& row : page["data"]) out += row["id"].get<std::string>() + " ";
    return out;
  }
  /// A stream that lasts: served while the test goes on.
  struct Open {
    Reply exchange;
    bool ended = false;
  };
  std::unique_ptr<Open> follow(Sent sent) {
    prepare();
    auto out = std::make_unique<Open>();
    out->exchange = std::make_unique<FakeExchange>(std::move(sent), clock.now());
    Open* open = out.get();
    asio::co_spawn(io.get_executor(), api->serve(*open->exchange),
                   [open](std::exception_ptr thrown) {
                     open->ended = true;
                     EXPECT_FALSE(thrown);
                   });
    clock.advance(0s);
    return out;
  }
  /// The types of the events, in order.
  static std::string events(const std::string& text) {
    std::string out;
    for (auto at = text.find("event: "); at != std::string::npos; at = text.find("event: ", at)) {
      at += 7;
      out += (out.empty() ? "" : " ") + text.substr(at, text.find('\n', at) - at);
    }
    return out;
  }
  static std::string last_id(const std::string& text) {
    const auto at = text.rfind("id: ");
    return at == std::string::npos ? "" : text.substr(at + 4, text.find('\n', at) - at - 4);
  }
};

TEST_F(JobsTest, an_accepted_job_has_an_address_and_is_found_there) {
  prepare();
  auto reply = serve(post("/v1/jobs", R"({"kind":"slow","input":{"n":1},"priority":"batch"})"));
  ASSERT_EQ(reply->status, 202) << reply->body;
  const Json accepted = json(reply->body);
  const std::string id = accepted["id"];
  EXPECT_EQ(reply->header("location"), "/v1/jobs/" + id);
  EXPECT_EQ(accepted["state"], "queued");
  EXPECT_EQ(accepted["existed"], false);
  EXPECT_EQ(accepted["waiting"], 1);
  Json job = got("/v1/jobs/" + id);
  EXPECT_EQ(job["priority"], "batch");
  EXPECT_EQ(job["input"], json(R"({"n":1})"));
  EXPECT_EQ(job["result"], nullptr);
  EXPECT_EQ(job["error"], nullptr);
  complete(R"({"answer":42})");
  job = got("/v1/jobs/" + id);
  EXPECT_EQ(job["state"], "succeeded");
  EXPECT_EQ(job["result"]["answer"], 42);
  EXPECT_EQ(job["attempts"], 1);
  EXPECT_NE(job["finished_at"], nullptr);
}

TEST_F(JobsTest, what_is_wrong_with_an_order_is_named) {
  prepare();
  const struct {
    const char* body;
    const char* want;
    const char* field;
  } kCases[] = {
      {R"({"input":{}})", "400 missing_field", "kind"},
      {R"({"kind":"no"})", "400 unknown_kind", "kind"},
      {R"({"kind":5})", "400 invalid_type", "kind"},
      {R"({"kind":"slow","key":"k"})", "400 unknown_field", "key"},
      {R"({"kind":"slow","user":"bob"})", "400 unknown_field", "user"},
      {R"({"kind":"slow","input":{"bad":1}})", "400 invalid_value", "input.bad"},
      {R"({"kind":"slow","priority":"now"})", "400 invalid_value", "priority"},
      {R"({"kind":"slow","delay":-1})", "400 out_of_range", "delay"},
      {R"({"kind":"slow","expires":1})", "400 out_of_range", "expires"},
      {R"({"kind":"slow","expires":0})", "400 out_of_range", "expires"},
      {R"({"kind":"slow","expires":1e-9})", "400 out_of_range", "expires"},
      {R"({"kind":"slow","expires_in":0})", "400 out_of_range", "expires_in"},
      {R"({"kind":"slow","expires_in":1e-9})", "400 out_of_range", "expires_in"},
      {R"({"kind":"slow","expires_in":9,"expires":9e9})", "400 invalid_value", "expires_in"},
      {R"({"kind":"slow","delay":1,"run_at":1})", "400 invalid_value", "delay"},
      {R"({"kind":"slow","repeat_every":1})", "400 out_of_range", "repeat_every"},
      {R"({"kind":"slow","repeat_every":0})", "400 out_of_range", "repeat_every"},
      {R"({"kind":"slow","repeat_every":0.5})", "400 out_of_range", "repeat_every"},
      {R"({"kind":"slow","repeat_every":1e-9})", "400 out_of_range", "repeat_every"},
      {R"({"kind":"slow","repeat_every":3600.5})", "400 out_of_range", "repeat_every"},
      {R"({"kind":"slow","priority":""})", "400 invalid_value", "priority"},
      {R"({"kind":"slow","attempts_max":1001})", "400 out_of_range", "attempts_max"},
      {R"({"kind":"slow","attempts_max":1.5})", "400 out_of_range", "attempts_max"},
      {R"({"kind":"slow","client":"a\nb"})", "400 invalid_name", "client"},
      {R"({"kind":"slow","webhook":{}})", "400 missing_field", "webhook.url"},
      {R"({"kind":"slow","webhook":{"url":"https://x.example/","secret":"s"}})",
       "400 unknown_field", "webhook.secret"},
      {R"([])", "400 invalid_type", nullptr},
  };
  for (const auto& one : kCases) {
    auto reply = serve(post("/v1/jobs", one.body));
    EXPECT_EQ(refused(reply), one.want) << one.body;
    const Json param = json(reply->body)["error"]["param"];
    if (one.field != nullptr) EXPECT_EQ(param, one.field) << one.body;
  }
  EXPECT_EQ(ids(got("/v1/jobs")), "");
}

TEST_F(JobsTest, a_time_that_is_no_time_is_refused_with_what_to_do) {
  prepare();
  const auto said = [this](const std::string& times) {
    auto reply = serve(post("/v1/jobs", R"({"kind":"slow",)" + times + "}"));
    EXPECT_EQ(refused(reply), "400 out_of_range") << times;
    return json(reply->body)["error"]["message"].get<std::string>();
  };
  const std::string ahead = "A job may be planned at most 2592000 s ahead (jobs.delay_max).";
  for (const char* far : {"253402300799", "1e300", "1795438181000"}) {
    EXPECT_EQ(said(std::string(R"("run_at":)") + far), ahead) << far;
    EXPECT_EQ(said(std::string(R"("delay":)") + far), ahead) << far;
  }
  EXPECT_EQ(said(R"("delay":18446744133)"), ahead) << "a minute, were it counted round 64 bits";
  EXPECT_EQ(said(R"("expires_in":1e11)"), "A job may expire at most 5184000 s from now.");
  EXPECT_EQ(said(R"("expires_in":0)"),
            "'expires_in' must be a millisecond or more; without it the job never expires.");
  EXPECT_EQ(said(R"("expires":253402300799)"),
            "'expires' must be a moment later than now and before the year 5138, in seconds since "
            "1970; without it the job never expires.");
  EXPECT_EQ(said(R"("run_at":-1)"), "'run_at' must be a number of seconds, zero or more.");
}

TEST_F(JobsTest, a_success_shows_no_error_of_an_attempt_before_it) {
  prepare();
  auto reply = serve(post("/v1/jobs", R"({"kind":"slow"})"));
  const std::string path = "/v1/jobs/" + json(reply->body)["id"].get<std::string>();
  const storage::Lease lease = claim();
  const storage::JobFailure busy{"too_busy", "It was too busy."};
  ASSERT_TRUE(run(stores->jobs().fail(lease, busy, 1s, Deadline::in(clock, 1s))).ok());
  EXPECT_EQ(got(path)["error"]["code"], "too_busy");
  clock.advance(1s);
  complete(R"({"answer":42})");
  EXPECT_EQ(got(path)["state"], "succeeded");
  EXPECT_EQ(got(path)["error"], nullptr);
  EXPECT_EQ(got("/v1/jobs")["data"][0]["error"], nullptr);
}

// proves K5
TEST_F(JobsTest, a_key_makes_one_job_and_another_request_under_it_is_refused) {
  prepare();
  const auto keyed = [this](const std::string& body) {
    return serve(post("/v1/jobs", body).with("idempotency-key", "key-1"));
  };
  auto first = keyed(R"({"kind":"slow","input":{"n":1}})");
  ASSERT_EQ(first->status, 202);
  EXPECT_EQ(first->header("idempotent-replayed"), "absent");
  auto again = keyed(R"({ "kind":"slow", "input": { "n" : 1 } })");
  ASSERT_EQ(again->status, 200) << "white space does not matter";
  EXPECT_EQ(again->header("idempotent-replayed"), "true");
  EXPECT_EQ(json(again->body)["id"], json(first->body)["id"]);
  EXPECT_EQ(json(again->body)["existed"], true);
  EXPECT_EQ(refused(keyed(R"({"kind":"slow","input":{"n":2}})")), "409 idempotency_key_reused");
  EXPECT_EQ(refused(keyed(R"({"kind":"slow","input":{"n":1},"delay":60})")),
            "409 idempotency_key_reused");
  EXPECT_EQ(got("/v1/jobs")["data"].size(), 1u);
}

TEST_F(JobsTest, a_key_that_other_routes_refuse_is_refused) {
  prepare();
  const auto keyed = [](const std::string& key) {
    return post("/v1/jobs", R"({"kind":"slow"})").with("Idempotency-Key", key);
  };
  EXPECT_EQ(serve(keyed(std::string(255, 'k')))->status, 202);
  for (const std::string& bad : {std::string(), std::string(256, 'k'), std::string("a\tb"),
                                 std::string("\xc3\xa9"), std::string("\x01")}) {
    EXPECT_EQ(refused(serve(keyed(bad))), "400 invalid_idempotency_key") << bad.size();
  }
  for (const char* other : {"a", "b", ""}) {
    EXPECT_EQ(refused(serve(keyed("a").with("idempotency-key", other))),
              "400 invalid_idempotency_key")
        << other;
  }
  EXPECT_EQ(got("/v1/jobs")["data"].size(), 1u);
}

TEST_F(JobsTest, lists_are_filtered_and_come_in_pages) {
  const std::string a = submit();
  clock.advance(1s);
  const std::string b = submit(R"(,"delay":60)");
  clock.advance(1s);
  const std::string c = submit(R"(,"priority":"voice")");
  EXPECT_EQ(ids(got("/v1/jobs")), c + " " + b + " " + a + " ");
  EXPECT_EQ(ids(got("/v1/jobs?state=scheduled")), b + " ");
  EXPECT_EQ(ids(got("/v1/jobs?kind=slow&state=queued")), c + " " + a + " ");
  EXPECT_EQ(ids(got("/v1/jobs?kind=other")), "");
  const Json first = got("/v1/jobs?limit=2");
  EXPECT_EQ(first["has_more"], true);
  EXPECT_EQ(ids(got("/v1/jobs?limit=2&after=" + b)), a + " ");
  EXPECT_FALSE(first["data"][0].contains("input"));
  auto unknown = serve(get("/v1/jobs?after=job_none"));
  EXPECT_EQ(refused(unknown), "404 unknown_job");
  EXPECT_EQ(json(unknown->body)["error"]["param"], "after");
  unknown = serve(admin(get("/admin/jobs?after=job_none")));
  EXPECT_EQ(refused(unknown), "404 unknown_job");
  EXPECT_EQ(json(unknown->body)["error"]["param"], "after");
  EXPECT_EQ(refused(serve(get("/v1/jobs?state=lost"))), "400 invalid_value");
  EXPECT_EQ(refused(serve(get("/v1/jobs?limit=0"))), "400 out_of_range");
  EXPECT_EQ(serve(get("/v1/jobs?limit=" + std::to_string(settings.jobs.list_max)))->status, 200);
  EXPECT_EQ(refused(serve(get("/v1/jobs?limit=" + std::to_string(settings.jobs.list_max + 1)))),
            "400 out_of_range");
}

TEST_F(JobsTest, deleting_cancels_a_live_job_and_forgets_an_ended_one) {
  const std::string id = submit();
  auto first = serve(method("DELETE", "/v1/jobs/" + id));
  ASSERT_EQ(first->status, 200) << first->body;
  EXPECT_EQ(json(first->body)["cancelled"], true);
  EXPECT_EQ(json(first->body)["deleted"], false);
  EXPECT_EQ(got("/v1/jobs/" + id)["state"], "cancelled");
  auto second = serve(method("DELETE", "/v1/jobs/" + id));
  EXPECT_EQ(json(second->body)["deleted"], true);
  EXPECT_EQ(refused(serve(get("/v1/jobs/" + id))), "404 unknown_job");
  EXPECT_EQ(refused(serve(method("DELETE", "/v1/jobs/" + id))), "404 unknown_job");
}

TEST_F(JobsTest, a_dead_job_says_why_and_runs_again) {
  const std::string id = submit();
  EXPECT_EQ(refused(serve(post("/v1/jobs/" + id + "/retry", ""))), "409 job_not_ended");
  give_up();
  const Json dead = got("/v1/jobs/" + id);
  EXPECT_EQ(dead["state"], "dead");
  EXPECT_EQ(dead["error"]["code"], "too_hard");
  EXPECT_EQ(refused(serve(post("/v1/jobs/" + id + "/cancel", ""))), "409 job_ended");
  auto again = serve(post("/v1/jobs/" + id + "/retry", ""));
  ASSERT_EQ(again->status, 200) << again->body;
  EXPECT_EQ(json(again->body)["state"], "queued");
  complete("{}");
  EXPECT_EQ(refused(serve(post("/v1/jobs/" + id + "/retry", ""))), "409 job_succeeded");
}

// proves security 1 for jobs
TEST_F(JobsTest, anothers_job_is_answered_like_one_that_is_not_there) {
  const std::string ann = key("ann");
  const std::string bob = key("bob");
  const std::string far = key("ann", {Scope::jobs}, "north");
  const std::string id = submit("", ann);
  const std::pair<const char*, const char*> kWays[] = {
      {"GET", ""}, {"DELETE", ""}, {"POST", "/retry"}, {"POST", "/cancel"}, {"GET", "/events"}};
  for (const auto& stranger : {bob, far}) {
    for (const auto& [way, rest] : kWays) {
      auto his = serve(with_key(method(way, "/v1/jobs/" + id + rest), stranger));
      auto none = serve(with_key(method(way, std::string("/v1/jobs/job_none") + rest), stranger));
      EXPECT_EQ(refused(his), "404 unknown_job") << way << rest;
      EXPECT_EQ(his->body, none->body) << way << rest;
    }
    EXPECT_EQ(ids(json(serve(with_key(get("/v1/jobs"), stranger))->body)), "");
  }
  EXPECT_EQ(ids(json(serve(with_key(get("/v1/jobs"), ann))->body)), id + " ");
  EXPECT_EQ(refused(serve(with_key(get("/v1/jobs"), key("kim", {Scope::chat})))),
            "403 scope_required");
}

// proves G7
TEST_F(JobsTest, events_come_as_they_happen_and_end_with_the_job) {
  const std::string id = submit();
  auto stream = follow(get("/v1/jobs/" + id + "/events"));
  EXPECT_EQ(stream->exchange->status, 200);
  EXPECT_EQ(stream->exchange->content_type, "text/event-stream");
  EXPECT_EQ(events(stream->exchange->streamed()), "queued");
  EXPECT_FALSE(stream->ended);
  auto cancelled = serve(method("DELETE", "/v1/jobs/" + id));
  clock.advance(0s);
  EXPECT_EQ(events(stream->exchange->streamed()), "queued cancelled");
  EXPECT_TRUE(stream->ended);
  EXPECT_TRUE(stream->exchange->finished);
}

TEST_F(JobsTest, events_end_when_the_key_of_who_follows_them_is_revoked) {
  const std::string ann = key("ann");
  const std::string id = submit("", ann);
  auto stream = follow(with_key(get("/v1/jobs/" + id + "/events"), ann));
  clock.advance(1s);
  EXPECT_FALSE(stream->ended);
  list.keys.back().revoked = clock.wall();
  ++list.generation;
  admission->identity().accept(list);
  clock.advance(1s);
  EXPECT_TRUE(stream->ended);
  EXPECT_TRUE(stream->exchange->finished);
  EXPECT_EQ(events(stream->exchange->streamed()), "queued");
}

TEST_F(JobsTest, streams_of_a_revoked_key_are_no_attempts_and_others_attempts_end_no_stream) {
  settings.auth.keys = {Secret("short")};
  settings.auth.failures_free = 2;
  const std::string ann = key("ann");
  std::vector<std::unique_ptr<Open>> hers;
  const std::string id = submit("", ann);
  for (int i = 0; i < 5; ++i) {
    hers.push_back(follow(with_key(get("/v1/jobs/" + id + "/events"), ann)));
  }
  const std::string other = submit("", "short");
  auto his = follow(with_key(get("/v1/jobs/" + other + "/events"), "short"));
  list.keys.back().revoked = clock.wall();
  ++list.generation;
  admission->identity().accept(list);
  clock.advance(1s);
  for (const auto& stream : hers) EXPECT_TRUE(stream->ended);
  EXPECT_EQ(serve(with_key(get("/v1/jobs/" + other), "short"))->status, 200);
  while (serve(with_key(get("/v1/jobs"), "guess"))->status != 429) continue;
  EXPECT_EQ(serve(with_key(get("/v1/jobs/" + other), "short"))->status, 429);
  clock.advance(1s);
  EXPECT_FALSE(his->ended);
  clock.advance(settings.server.request_timeout);
  EXPECT_TRUE(his->ended);
}

TEST_F(JobsTest, a_job_that_was_retried_is_followed_beyond_its_first_end) {
  const std::string id = submit();
  serve(method("DELETE", "/v1/jobs/" + id));
  EXPECT_EQ(events(serve(get("/v1/jobs/" + id + "/events"))->streamed()), "queued cancelled");
  EXPECT_EQ(serve(post("/v1/jobs/" + id + "/retry", ""))->status, 200);
  auto stream = follow(get("/v1/jobs/" + id + "/events"));
  EXPECT_EQ(events(stream->exchange->streamed()), "queued cancelled queued");
  EXPECT_FALSE(stream->ended);
  serve(method("DELETE", "/v1/jobs/" + id));
  clock.advance(0s);
  EXPECT_EQ(events(stream->exchange->streamed()), "queued cancelled queued cancelled");
  EXPECT_TRUE(stream->ended);
}

TEST_F(JobsTest, an_end_that_nobody_told_comes_from_the_record) {
  const std::string id = submit();
  auto stream = follow(get("/v1/jobs/" + id + "/events"));
  complete(R"({"answer":42})");  // by a worker that told nobody
  clock.advance(0s);
  EXPECT_FALSE(stream->ended);
  for (int i = 0; i < 10 && !stream->ended; ++i) clock.advance(settings.jobs.events.recheck);
  EXPECT_TRUE(stream->ended);
  const std::string text = stream->exchange->streamed();
  EXPECT_EQ(events(text), "queued succeeded");
  EXPECT_NE(text.find(R"("result":{"answer":42})"), std::string::npos) << text;
}

TEST_F(JobsTest, a_client_that_comes_back_goes_on_behind_the_last_event_it_saw) {
  const std::string id = submit();
  const std::string target = "/v1/jobs/" + id + "/events";
  std::string place;
  {
    auto stream = follow(get(target));
    place = last_id(stream->exchange->streamed());
    ASSERT_FALSE(place.empty());
    auto cancelled = serve(method("DELETE", "/v1/jobs/" + id));
    clock.advance(0s);
    ASSERT_TRUE(stream->ended);
  }
  auto again = serve(get(target).with("last-event-id", place));
  EXPECT_EQ(again->status, 200);
  EXPECT_EQ(events(again->streamed()), "cancelled");
  const std::string end = last_id(again->streamed());
  for (const std::string& seen : {end, std::string(jobs::kMadeUp)}) {
    auto over = serve(get(target).with("last-event-id", seen));
    EXPECT_EQ(over->status, 204) << "browsers stop asking at this status";
    EXPECT_EQ(over->body, "");
  }
  EXPECT_NE(serve(get(target).with("last-event-id", "1-18446744073709551615"))->status, 400);
  for (const char* wrong : {"x", "1-", "-1", "1-2-3", "$", "+", "1-18446744073709551616",
                            "18446744073709551616-1", "1-99999999999999999999999"}) {
    EXPECT_EQ(refused(serve(get(target).with("last-event-id", wrong))), "400 invalid_value")
        << wrong;
  }
}

TEST_F(JobsTest, a_stream_ends_before_the_requests_time_and_at_the_stop) {
  const std::string id = submit();
  auto timed = follow(get("/v1/jobs/" + id + "/events"));
  auto stopped = follow(get("/v1/jobs/" + id + "/events"));
  for (int i = 0; i < 10; ++i) clock.advance(1s);
  EXPECT_FALSE(timed->ended);
  clock.advance(settings.server.request_timeout - 13s);
  EXPECT_FALSE(timed->ended);
  clock.advance(1s);
  clock.advance(1s);
  EXPECT_TRUE(timed->ended);
  EXPECT_TRUE(timed->exchange->finished);
  EXPECT_EQ(events(timed->exchange->streamed()), "queued");
  auto last = follow(get("/v1/jobs/" + id + "/events"));
  not_ready.store("stopping");
  clock.advance(1s);
  EXPECT_TRUE(last->ended && stopped->ended);
  EXPECT_TRUE(last->exchange->finished);
}

TEST_F(JobsTest, administrators_see_figures_and_anybodys_jobs_and_leave_a_trace) {
  const std::string ann = key("ann");
  const std::string id = submit("", ann);
  give_up();
  const std::string other = submit();
  const Json stats = json(serve(admin(get("/admin/jobs")))->body);
  EXPECT_EQ(stats["depth"], 1);
  EXPECT_EQ(stats["data"].size(), 2u);
  ASSERT_EQ(stats["dead"].size(), 1u);
  EXPECT_EQ(stats["dead"][0]["id"], id);
  EXPECT_EQ(stats["dead"][0]["user"], "ann");
  EXPECT_EQ(stats["classes"][1]["states"]["dead"], 1);
  EXPECT_EQ(stats["totals"]["submitted"], 2);
  EXPECT_EQ(ids(json(serve(admin(get("/admin/jobs?user=ann")))->body)), id + " ");
  EXPECT_EQ(refused(serve(admin(get("/admin/jobs?tenant=x")))), "400 missing_field");
  EXPECT_EQ(json(serve(admin(get("/admin/jobs/" + id)))->body)["input"], Json::object());
  const std::string looks = key("bob", {admission::Scope::admin_read});
  EXPECT_EQ(serve(with_key(get("/admin/jobs/" + id), looks))->status, 200);
  EXPECT_EQ(refused(serve(with_key(get("/v1/jobs/" + id), looks))).substr(0, 3), "403");
  auto again = serve(admin(post("/admin/jobs/" + id + "/retry", "")));
  EXPECT_EQ(json(again->body)["state"], "queued") << again->body;
  EXPECT_EQ(refused(serve(admin(post("/admin/jobs/" + id + "/retry", "")))), "409 job_not_ended");
  auto ended = serve(admin(post("/admin/jobs/" + other + "/cancel", "")));
  EXPECT_EQ(json(ended->body)["state"], "cancelled") << ended->body;
  const Json trail = json(serve(admin(get("/admin/audit")))->body)["data"];
  ASSERT_EQ(trail.size(), 3u);
  EXPECT_EQ(trail[0]["what"], "job.cancel");
  EXPECT_EQ(trail[0]["before"], "job " + other);
  EXPECT_EQ(trail[1]["outcome"], "job_not_ended");
  EXPECT_EQ(trail[2]["after"], "queued");
}

// proves the audit for jobs: each hand of an administrator on another's job is in it
TEST_F(JobsTest, an_administrator_who_acts_as_a_user_leaves_a_trace_on_others_jobs) {
  const std::string ann = key("ann");
  const std::string id = submit("", ann);
  const std::string at = "/v1/jobs/" + id;
  EXPECT_EQ(serve(admin(post(at + "/cancel", "")))->status, 200);
  EXPECT_EQ(serve(admin(post(at + "/retry", "")))->status, 200);
  EXPECT_EQ(serve(admin(method("DELETE", at)))->status, 200);
  EXPECT_EQ(serve(admin(method("DELETE", at)))->status, 200);
  EXPECT_EQ(refused(serve(admin(method("DELETE", at)))), "404 unknown_job");
  auto own = serve(admin(post("/v1/jobs", R"({"kind":"slow"})")));
  ASSERT_EQ(own->status, 202) << own->body;
  const std::string mine = json(own->body)["id"];
  EXPECT_EQ(serve(admin(method("DELETE", "/v1/jobs/" + mine)))->status, 200);
  const Json entries = json(serve(admin(get("/admin/audit")))->body)["data"];
  std::string trail;
  for (const auto& entry : entries) {
    EXPECT_EQ(entry["before"], "job " + id);
    trail += entry["what"].get<std::string>() + " " + entry["after"].get<std::string>() + ", ";
  }
  EXPECT_EQ(trail,
            "job.forget forgotten, job.cancel cancelled, job.retry queued, job.cancel cancelled, ");
}

TEST_F(JobsTest, without_a_store_the_endpoints_say_so) {
  for (const char* target : {"/v1/jobs", "/v1/jobs/x", "/v1/jobs/x/events"}) {
    EXPECT_EQ(refused(serve(get(target))), "503 jobs_unavailable") << target;
  }
  EXPECT_EQ(refused(serve(admin(get("/admin/jobs")))), "503 jobs_unavailable");
}

}  // namespace
}  // namespace mainstay::api
