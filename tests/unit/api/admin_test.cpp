// The admin endpoints: who may, what they say, what they leave in the audit.
#include <gtest/gtest.h>

#include <set>

#include "api/routes.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct AdminTest : World {
  static std::set<std::string> members(const Json& object) {
    std::set<std::string> out;
    for (const auto& [name, value] : object.items()) out.insert(name);
    return out;
  }
  /// The first at least has what the second asks for.
  static bool covers(const Json& object, std::initializer_list<const char*> wanted) {
    const auto have = members(object);
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const char* name) { return have.contains(name); });
  }
};

// proves security row 2: function access on every admin route
TEST_F(AdminTest, security_02_every_admin_route_refuses_strangers_and_ordinary_keys) {
  settings.auth.keys = {Secret("an-ordinary-key-00000000000000001")};
  for (const auto& route : routes()) {
    if (route.access != Access::admin) continue;
    std::string path(route.path);
    if (const auto brace = path.find("{id}"); brace != std::string::npos)
      path.replace(brace, 4, "7");
    Sent sent = post(path, "");
    sent.method = route.method;
    EXPECT_EQ(serve(sent)->status, 401) << path;
    Sent ordinary = sent;
    EXPECT_EQ(refused(serve(ordinary.with("x-api-key", "an-ordinary-key-00000000000000001"))),
              "403 admin_scope_required")
        << path;
  }
  EXPECT_TRUE(program.reload_asked_by.empty());
  EXPECT_EQ(desk->audit.total(), 0u);
}

TEST_F(AdminTest, the_local_user_is_no_administrator) {
  EXPECT_EQ(refused(serve(get("/admin/resources/health"))), "401 admin_key_required");
  EXPECT_EQ(serve(admin(get("/admin/resources/health")))->status, 200);
  Sent bearer = get("/admin/resources/health");
  EXPECT_EQ(serve(bearer.with("authorization", std::string("Bearer ") + kAdminKey))->status, 200);
}

// proves V4
TEST_F(AdminTest, resource_health_has_the_promised_fields) {
  const Json body = json(serve(admin(get("/admin/resources/health")))->body);
  EXPECT_EQ(members(body), (std::set<std::string>{"status", "checks", "timestamp"}));
  ASSERT_TRUE(covers(body["checks"], {"healthy", "http_client", "config_cache", "cleanup_tasks"}));
  EXPECT_EQ(body["checks"]["cleanup_tasks"], 3);
  EXPECT_EQ(body["checks"]["config_cache"], true);
}

TEST_F(AdminTest, a_refused_configuration_makes_the_resources_unhealthy) {
  program.figures.last_succeeded = false;
  const Json body = json(serve(admin(get("/admin/resources/health")))->body);
  EXPECT_EQ(body["status"], "unhealthy");
  EXPECT_EQ(body["checks"]["config_cache"], false);
}

// proves V4, V2
TEST_F(AdminTest, resource_stats_have_the_promised_fields) {
  program.figures.hits = 145;
  program.figures.misses = 3;
  program.figures.age = 234500ms;
  clock.advance(3600s);
  const Json body = json(serve(admin(get("/admin/resources/stats")))->body);
  const Json& manager = body["resource_manager"];
  ASSERT_TRUE(
      covers(manager, {"http_clients_created", "http_requests_made", "config_cache_hits",
                       "config_cache_misses", "config_cache_hit_rate", "cleanup_tasks_registered",
                       "startup_time", "shutdown_time", "uptime_seconds"}));
  EXPECT_EQ(manager["config_cache_hits"], 145);
  EXPECT_EQ(manager["config_cache_misses"], 3);
  EXPECT_DOUBLE_EQ(manager["config_cache_hit_rate"].get<double>(), 97.97);
  EXPECT_TRUE(manager["shutdown_time"].is_null());
  EXPECT_DOUBLE_EQ(manager["uptime_seconds"].get<double>(), 3600);
  const Json& cache = body["config_cache"];
  ASSERT_TRUE(covers(cache, {"hits", "misses", "hit_rate", "cache_age_seconds", "cached"}));
  EXPECT_DOUBLE_EQ(cache["cache_age_seconds"].get<double>(), 234.5);
  EXPECT_EQ(cache["cached"], true);
}

// proves V4
TEST_F(AdminTest, invalidating_the_cache_reads_the_configuration_and_is_audited) {
  const Json body = json(serve(admin(post("/admin/resources/cache/invalidate", "")))->body);
  EXPECT_EQ(members(body), (std::set<std::string>{"status", "message", "timestamp"}));
  EXPECT_EQ(body["status"], "success");
  EXPECT_EQ(body["message"], "Configuration cache invalidated successfully");
  EXPECT_EQ(program.reload_asked_by.size(), 1u);
  const auto audited = desk->audit.recent(10);
  ASSERT_EQ(audited.size(), 1u);
  EXPECT_EQ(audited[0].what, "cache.invalidate");
  EXPECT_EQ(audited[0].before, "version 1");
  EXPECT_EQ(audited[0].after, "version 2");
  EXPECT_EQ(audited[0].from, "127.0.0.1");
  EXPECT_EQ(audited[0].outcome, "done");
  EXPECT_FALSE(audited[0].who.empty());
}

TEST_F(AdminTest, a_reload_tells_what_changed_and_what_waits_for_a_restart) {
  const Json body = json(serve(admin(post("/admin/reload", "")))->body);
  EXPECT_EQ(body["changed"], Json::array({"log.level"}));
  EXPECT_EQ(body["restart_needed"], Json::array({"server.listen"}));
  EXPECT_EQ(body["unreachable"], Json::array({"provider-y"}));
  EXPECT_EQ(body["version"], 2);
  const auto message = body["message"].get<std::string>();
  EXPECT_NE(message.find("log.level"), std::string::npos);
  EXPECT_NE(message.find("restart: server.listen"), std::string::npos) << message;
}

TEST_F(AdminTest, a_refused_reload_says_why_and_is_audited_as_refused) {
  program.reload_error = Error::say(Errc::unprocessable, "invalid_config", "Line 3 is wrong.");
  auto reply = serve(admin(post("/admin/reload", "")));
  EXPECT_EQ(refused(reply), "422 invalid_config");
  EXPECT_NE(reply->body.find("Line 3 is wrong."), std::string::npos);
  ASSERT_EQ(desk->audit.total(), 1u);
  EXPECT_EQ(desk->audit.recent(1)[0].outcome, "invalid_config");
}

// proves M18
TEST_F(AdminTest, maintenance_refuses_new_work_with_its_message_and_ends) {
  const std::string on = R"({"enabled":true,"message":"Back at noon.","retry_after_seconds":90})";
  const Json set = json(serve(admin(post("/admin/maintenance", on)))->body);
  EXPECT_EQ(set["enabled"], true);
  EXPECT_EQ(set["message"], "Back at noon.");
  auto held = serve(chat());
  EXPECT_EQ(refused(held), "503 maintenance");
  EXPECT_NE(held->body.find("Back at noon."), std::string::npos);
  EXPECT_EQ(held->header("retry-after"), "90");
  EXPECT_EQ(serve(get("/health/ready"))->status, 200);
  EXPECT_EQ(serve(get("/v1/models"))->status, 200) << "looking is no new work";
  EXPECT_EQ(json(serve(admin(get("/admin/maintenance")))->body)["enabled"], true);
  EXPECT_EQ(serve(admin(post("/admin/maintenance", R"({"enabled":false})")))->status, 200);
  EXPECT_EQ(serve(chat())->status, 200);
  ASSERT_EQ(desk->audit.total(), 2u);
  EXPECT_EQ(desk->audit.recent(2)[1].before, "off");
  EXPECT_EQ(desk->audit.recent(2)[1].after, "on: Back at noon.");
}

TEST_F(AdminTest, maintenance_checks_its_fields_by_name) {
  const auto answer = [&](const std::string& body) {
    return refused(serve(admin(post("/admin/maintenance", body))));
  };
  EXPECT_EQ(answer("{}"), "400 missing_field");
  EXPECT_EQ(answer(R"({"enabled":1})"), "400 invalid_type");
  EXPECT_EQ(answer(R"({"enabled":true,"until":"noon"})"), "400 unknown_field");
  EXPECT_EQ(answer(R"({"enabled":true,"retry_after_seconds":0})"), "400 out_of_range");
  EXPECT_EQ(answer(R"({"enabled":true,"retry_after_seconds":86401})"), "400 out_of_range");
  const std::string longest(1000, 'x');
  EXPECT_EQ(answer(R"({"enabled":true,"message":")" + longest + "x\"}"), "413 field_too_long");
  EXPECT_EQ(desk->audit.total(), 0u);
  for (const char* seconds : {"1", "86400"}) {
    const std::string body =
        R"({"enabled":true,"message":")" + longest + R"(","retry_after_seconds":)" + seconds + "}";
    EXPECT_EQ(serve(admin(post("/admin/maintenance", body)))->status, 200) << seconds;
  }
}

// proves security row 38 (simple POST)
TEST_F(AdminTest, security_38_a_form_post_does_not_switch_maintenance) {
  Sent form = post("/admin/maintenance", R"({"enabled":true})");
  form.headers = {{"content-type", "text/plain"}};
  EXPECT_EQ(refused(serve(admin(form))), "415 unsupported_media_type");
}

TEST_F(AdminTest, the_audit_is_bounded_and_newest_first) {
  settings.admin.audit_max = 3;
  for (int i = 0; i < 4; ++i) serve(admin(post("/admin/cleanup", "")));
  const Json body = json(serve(admin(get("/admin/audit")))->body);
  ASSERT_EQ(body["data"].size(), 3u);
  EXPECT_EQ(body["total"], 4);
  EXPECT_EQ(body["data"][0]["number"], 4);
  EXPECT_EQ(body["data"][2]["number"], 2);
  EXPECT_EQ(json(serve(admin(get("/admin/audit?limit=1")))->body)["data"].size(), 1u);
  EXPECT_EQ(serve(admin(get("/admin/audit?limit=4")))->status, 400) << "above audit_max";
}

// proves V11
TEST_F(AdminTest, slow_requests_are_listed_at_the_threshold_and_above) {
  settings.admin.slow_threshold = 1000ms;
  settings.admin.slow_max = 2;
  const auto taking = [&](Duration time) {
    open();
    FakeExchange exchange(chat(), clock.now() - time);
    bool ended = false;
    asio::co_spawn(io.get_executor(), api->serve(exchange),
                   [&](std::exception_ptr) { ended = true; });
    while (!ended) clock.advance(0s);
  };
  taking(999ms);
  EXPECT_EQ(json(serve(admin(get("/admin/slow")))->body)["data"].size(), 0u);
  taking(1000ms);
  taking(1001ms);
  taking(5s);
  const Json body = json(serve(admin(get("/admin/slow")))->body);
  ASSERT_EQ(body["data"].size(), 2u) << "slow_max";
  EXPECT_EQ(body["total"], 3);
  EXPECT_EQ(body["data"][0]["total_ms"], 5000);
  EXPECT_EQ(body["data"][0]["route"], "/v1/chat/completions");
  EXPECT_EQ(body["data"][0]["provider"], "provider-x");
  EXPECT_EQ(body["threshold_ms"], 1000);
}

// proves K5
TEST_F(AdminTest, tasks_are_listed_and_cancelled_by_id) {
  const Json list = json(serve(admin(get("/admin/tasks")))->body);
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][1]["state"], "failed");
  const auto cancel = [&](const std::string& id) {
    Sent sent = get("/admin/tasks/" + id);
    sent.method = "DELETE";
    return serve(admin(sent));
  };
  EXPECT_EQ(cancel("7")->status, 202);
  for (const char* id : {"8", "x", "7x", "-7", "99999999999999999999"}) {
    EXPECT_EQ(refused(cancel(id)), "404 unknown_task") << id;
  }
}

// proves V8, K3
TEST_F(AdminTest, database_stats_tell_pages_and_query_timings) {
  const Json body = json(serve(admin(get("/admin/database/stats")))->body);
  const Json& database = body["databases"][0];
  EXPECT_EQ(database["pages"]["count"], 11);
  EXPECT_EQ(database["pages"]["free"], 2);
  EXPECT_EQ(database["queries"][0]["operation"], "append");
  EXPECT_DOUBLE_EQ(database["queries"][0]["mean_ms"].get<double>(), 1.234);
  const Json health = json(serve(get("/health/database"))->body);
  EXPECT_TRUE(covers(health["pool"], {"size", "open", "in_use", "idle", "waiting", "utilization"}));
}

// proves M18
TEST_F(AdminTest, health_sessions_counts_callers) {
  EXPECT_EQ(json(serve(get("/health/sessions"))->body)["active"], 0);
  serve(chat());
  serve(chat());
  const Json body = json(serve(get("/health/sessions"))->body);
  EXPECT_EQ(body["active"], 1) << "one caller, two requests";
  EXPECT_EQ(body["idle_timeout_seconds"], 1800);
}

TEST_F(AdminTest, with_a_listener_of_its_own_admin_is_nowhere_else) {
  open();
  const auto ask = [&](Api& door, const Sent& sent) {
    FakeExchange exchange(sent, clock.now());
    bool ended = false;
    asio::co_spawn(io.get_executor(), door.serve(exchange),
                   [&](std::exception_ptr) { ended = true; });
    while (!ended) clock.advance(0s);
    return exchange.status;
  };
  Api front(*rooms, Side::public_side);
  Api back(*rooms, Side::admin_side);
  const Sent stats = admin(get("/admin/tasks"));
  EXPECT_EQ(ask(front, stats), 404);
  EXPECT_EQ(ask(back, stats), 200);
  EXPECT_EQ(ask(back, get("/v1/models")), 404);
  EXPECT_EQ(ask(back, chat()), 404);
  EXPECT_EQ(ask(front, get("/v1/models")), 200);
  for (Api* door : {&front, &back}) EXPECT_EQ(ask(*door, get("/health/ready")), 200);
}

}  // namespace
}  // namespace mainstay::api
