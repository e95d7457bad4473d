// What a request passes before its endpoint: each refusal, and which comes before which.
#include <gtest/gtest.h>

#include "api/routes.h"
#include "resources/governor.h"
#include "unit/api/world.h"
#include "unit/resources/tree.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::KeyWishes;
using admission::Priority;
using admission::Scope;

struct GateTest : World {
  /// A stored key; its text.
  std::string key(KeyWishes wishes) {
    open();
    if (wishes.name.empty()) wishes.name = "key " + std::to_string(list.keys.size());
    auto made = admission::make_key(std::move(wishes), clock);
    EXPECT_TRUE(made.ok());
    list.keys.push_back(made->row);
    ++list.generation;
    admission->identity().accept(list);
    return made->text;
  }
  std::string key_with(std::initializer_list<Scope> scopes) {
    KeyWishes wishes;
    wishes.scopes = admission::Scopes(scopes);
    return key(std::move(wishes));
  }
  static Sent with_key(Sent sent, const std::string& key) { return sent.with("x-api-key", key); }
  /// A governor over a machine of files, asked by the gate from now on.
  resources::Governor& machine() {
    if (governor) return *governor;
    open();
    calm();
    resources::GovernorParts parts;
    parts.settings = settings.resources;
    parts.roots = tree.roots();
    parts.cores = 2;
    parts.disks = {{"data", tree.path()}};
    parts.read_disk = [this](const std::string&) { return disk; };
    governor.emplace(std::move(parts), clock, *log, metrics);
    rooms->governor = &*governor;
    governor->sample();
    return *governor;
  }
  void calm() {
    tree.machine_memory(1000, 900);
    tree.process(100, 3);
  }
  void memory_at_its_end() {
    machine();
    tree.machine_memory(1000, 10);
    look();
  }
  void look() {
    clock.advance(1s);
    governor->sample();
  }

  storage::AccessList list;
  resources::Tree tree;
  std::optional<resources::DiskFigures> disk =
      resources::DiskFigures{.total = 1'000'000'000, .free = 900'000'000};
  std::optional<resources::Governor> governor;
};

/// One request with everything wrong, mended step by step: what is told first is what comes first.
TEST_F(GateTest, refusals_come_in_their_order_and_before_the_body_is_read) {
  settings.limits.user.requests_per_minute = 1;
  settings.limits.user.burst = 0;
  const std::string knowledge = key_with({Scope::knowledge});
  const std::string chats = key_with({Scope::chat});
  memory_at_its_end();
  admission->maintenance().on({"Back soon.", 5s});
  struct Request {
    std::string host = "evil.example";
    std::string origin = "http://evil.example.org";
    std::string key;
    std::string priority = "urgent";
  } request;
  const auto told = [&] {
    Sent sent = chat().with("host", request.host).with("x-priority", request.priority);
    if (!request.origin.empty()) sent.with("origin", request.origin);
    if (!request.key.empty()) sent.with("x-api-key", request.key);
    sent.peer = "192.0.2.7";
    const auto reply = serve(std::move(sent));
    EXPECT_EQ(reply->body_reads, 0);
    return refused(reply);
  };
  EXPECT_EQ(told(), "403 host_not_allowed");
  request.host = "localhost";
  EXPECT_EQ(told(), "403 origin_not_allowed");
  request.origin.clear();
  EXPECT_EQ(told(), "401 missing_key");
  request.key = "ms_wrong";
  EXPECT_EQ(told(), "401 wrong_key");
  request.key = knowledge;
  EXPECT_EQ(told(), "403 scope_required");
  request.key = chats;
  EXPECT_EQ(told(), "503 maintenance");
  admission->maintenance().off();
  EXPECT_EQ(told(), "400 invalid_value");
  EXPECT_EQ(told(), "429 rate_limited") << "the one before it was counted";
  clock.advance(60s);
  request.priority = "interactive";
  EXPECT_EQ(told(), "503 resource_pressure");
  EXPECT_TRUE(models.asked.empty());
  clock.advance(60s);
  calm();
  for (int i = 0; i < 600 && governor->sheds(resources::ShedPoint::authenticated_chat); ++i) look();
  EXPECT_EQ(serve(with_key(chat(), chats))->status, 200);
}

TEST_F(GateTest, what_a_proxy_passed_on_is_not_the_local_user) {
  for (const char* header : {"forwarded", "x-forwarded-for", "x-real-ip", "via"}) {
    EXPECT_EQ(refused(serve(chat().with(header, "1.1 proxy"))), "401 missing_key") << header;
    EXPECT_EQ(refused(serve(chat().with(header, "1.1 proxy").with("authorization", "Bearer any"))),
              "401 wrong_key")
        << header;
    EXPECT_EQ(refused(serve(chat().with(header, "1.1 proxy").with("x-api-key", "any"))),
              "401 wrong_key")
        << header;
    EXPECT_EQ(serve(chat().with(header, ""))->status, 200) << header;
    EXPECT_EQ(refused(serve(chat().with(header, "").with(header, "1.1 proxy"))), "401 missing_key")
        << header << ", added behind an empty line";
  }
  const std::string chats = key_with({Scope::chat});
  EXPECT_EQ(serve(with_key(chat(), chats).with("x-forwarded-for", "192.0.2.7"))->status, 200);
}

TEST_F(GateTest, each_scope_opens_its_own_routes) {
  const std::string chats = key_with({Scope::chat});
  const std::string knows = key_with({Scope::knowledge});
  const std::string works = key_with({Scope::jobs});
  for (const auto& route : routes()) {
    if (route.access == Access::open || route.access == Access::admin) continue;
    if (route.access == Access::socket) continue;  // ws_test.cpp
    std::string path(route.path);
    if (const auto id = path.find("{id}"); id != std::string::npos) path.replace(id, 4, "x");
    const auto told = [&](const std::string& key) {
      Sent sent = get(path);
      sent.method = route.method;
      const auto reply = serve(with_key(std::move(sent), key));
      return reply->status == 403 ? refused(reply) : "passed";
    };
    const bool any = route.access == Access::caller;
    const char* no = "403 scope_required";
    EXPECT_EQ(told(chats), any || route.access == Access::chat ? "passed" : no) << path;
    EXPECT_EQ(told(knows), any || route.access == Access::knowledge ? "passed" : no) << path;
    EXPECT_EQ(told(works), any || route.access == Access::jobs ? "passed" : no) << path;
  }
}

TEST_F(GateTest, open_routes_pass_whoever_asks_and_whatever_holds) {
  settings.auth.required = true;
  open();
  memory_at_its_end();
  admission->maintenance().on({});
  int seen = 0;
  for (const auto& route : routes()) {
    if (route.access != Access::open) continue;
    ++seen;
    Sent asked = get(std::string(route.path));
    asked.method = route.method;
    Sent far = asked;
    far.with("x-api-key", "ms_wrong").with("via", "1.1 proxy");
    far.peer = "192.0.2.7";
    const int status = serve(std::move(far))->status;
    // A program may be built without the console.
    const bool page = route.operation == "console" || route.operation == "consoleAsset";
    EXPECT_TRUE(status == route.status || (page && status == 404)) << route.path << " " << status;
    EXPECT_EQ(refused(serve(asked.with("host", "evil.example"))), "403 host_not_allowed")
        << route.path;
  }
  EXPECT_GE(seen, 4);
}

TEST_F(GateTest, looking_and_deleting_go_on_under_maintenance_and_pressure) {
  memory_at_its_end();
  admission->maintenance().on({});
  EXPECT_EQ(serve(get("/v1/models"))->status, 200);
  EXPECT_EQ(serve(get("/v1/documents"))->status, 200);
  Sent gone = get("/v1/documents/none");
  gone.method = "DELETE";
  EXPECT_EQ(serve(std::move(gone))->status, 404);
}

TEST_F(GateTest, a_broken_escape_in_the_path_is_told) {
  EXPECT_EQ(refused(serve(get("/v1/models/a%2"))), "400 invalid_path");
  EXPECT_EQ(refused(serve(get("/v1/models/a%ff"))), "400 invalid_path");
  EXPECT_EQ(serve(get("/v1/documents/a%2Fb"))->status, 404);
}

TEST_F(GateTest, a_machine_at_its_end_still_takes_voice_from_those_who_may) {
  KeyWishes slow;
  slow.scopes = {Scope::chat};
  slow.most_urgent = Priority::batch;
  const std::string batch = key(std::move(slow));
  memory_at_its_end();
  auto reply = serve(chat());
  EXPECT_EQ(refused(reply), "503 resource_pressure");
  EXPECT_EQ(reply->header("retry-after"), "5");
  EXPECT_EQ(serve(chat().with("x-priority", "Voice"))->status, 200);
  EXPECT_EQ(refused(serve(with_key(chat(), batch).with("x-priority", "voice"))),
            "503 resource_pressure");
  EXPECT_EQ(models.asked.size(), 1u);
}

TEST_F(GateTest, a_key_of_a_lower_class_cannot_raise_itself_by_asking_or_by_asking_for_nothing) {
  KeyWishes slow;
  slow.scopes = {Scope::chat};
  slow.most_urgent = Priority::batch;
  const std::string batch = key(std::move(slow));
  const std::string plain = key_with({Scope::chat});
  machine();
  tree.machine_memory(1000, 120);  // soft: background work goes, chats stay
  look();
  ASSERT_TRUE(governor->sheds(resources::ShedPoint::batch_jobs));
  ASSERT_FALSE(governor->sheds(resources::ShedPoint::authenticated_chat));
  for (const char* asked : {"", "voice", "interactive", "batch", "background"}) {
    Sent sent = chat();
    if (*asked != '\0') sent.with("x-priority", asked);
    EXPECT_EQ(refused(serve(with_key(std::move(sent), batch))), "503 resource_pressure") << asked;
  }
  EXPECT_EQ(serve(with_key(chat(), plain))->status, 200);
  EXPECT_EQ(serve(with_key(chat().with("x-priority", "voice"), plain))->status, 200);
  EXPECT_EQ(refused(serve(with_key(chat().with("x-priority", "batch"), plain))),
            "503 resource_pressure");
}

// proves fault row 5 (the gate's part)
TEST_F(GateTest, a_full_disk_refuses_what_is_stored_and_nothing_else) {
  machine();
  disk->free = 1000;
  look();
  ASSERT_FALSE(governor->writes_allowed());
  EXPECT_EQ(refused(serve(post("/v1/documents", R"({"text":"Bern is a city."})"))),
            "507 disk_full");
  EXPECT_EQ(refused(serve(chat(R"(,"conversation":"c")"))), "507 disk_full");
  EXPECT_EQ(serve(chat())->status, 200);
  EXPECT_EQ(serve(get("/v1/conversations"))->status, 200);
  EXPECT_EQ(serve(post("/v1/search", R"({"query":"Bern"})"))->status, 200);
  disk->free = 900'000'000;
  for (int i = 0; i < 600 && governor->sheds(resources::ShedPoint::uploads); ++i) look();
  EXPECT_TRUE(governor->writes_allowed());
  EXPECT_EQ(serve(post("/v1/documents", R"({"text":"Bern is a city."})"))->status, 201);
}

TEST_F(GateTest, who_tries_again_and_again_does_not_keep_a_disk_full) {
  machine();
  rooms->disk_was_full = [this] { governor->write_failed(); };
  disk->free = 1000;
  look();
  disk->free = 900'000'000;
  int full = 0;
  int short_of = 0;  // the disk's pressure falls more slowly
  int status = 507;
  for (int tries = 0; status != 201 && tries < 600; ++tries) {
    status = serve(post("/v1/documents", R"({"text":"Bern is a city."})"))->status;
    full += status == 507 ? 1 : 0;
    short_of += status == 503 ? 1 : 0;
    look();
  }
  EXPECT_EQ(status, 201);
  EXPECT_GE(full, 1);
  EXPECT_LE(full, 30);
  EXPECT_LT(full + short_of, 600);
}

TEST_F(GateTest, an_ipv6_network_counts_as_one_address) {
  settings.limits.address.requests_per_minute = 1;
  settings.auth.keys = {Secret("sk-right")};
  const auto status = [&](const char* peer) {
    Sent sent = chat().with("x-api-key", "sk-right");
    sent.peer = peer;
    return serve(std::move(sent))->status;
  };
  EXPECT_EQ(status("2001:db8:1:1::1"), 200);
  EXPECT_EQ(status("2001:db8:1:1:ffff::2"), 429);
  EXPECT_EQ(status("2001:db8:1:2::1"), 200);
  EXPECT_EQ(status("192.0.2.7"), 200);
  EXPECT_EQ(status("::ffff:192.0.2.7"), 429);
  EXPECT_EQ(status("192.0.2.8"), 200);
}

TEST_F(GateTest, limits_that_are_off_are_not_shown) {
  settings.limits.enabled = false;
  auto reply = serve(chat());
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->header("x-ratelimit-limit-requests"), "absent");
}

}  // namespace
}  // namespace mainstay::api
