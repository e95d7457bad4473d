// /v1/ws over a scripted socket and a real desk: who gets in, what is answered, who is told what.
// proves G10
#include <gtest/gtest.h>

#include "api/ws_messages.h"
#include "jobs/desk.h"
#include "unit/api/fake_socket.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::KeyWishes;
using admission::Scope;

/// A kind that nobody runs: its jobs wait.
class WaitingKind final : public jobs::Kind {
 public:
  explicit WaitingKind(std::string name) : name_(std::move(name)) {
    limits_.timeout = 1h;
    limits_.lease = 1h;
  }
  std::string_view name() const noexcept override { return name_; }
  const jobs::KindLimits& limits() const noexcept override { return limits_; }
  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    if (!input.contains("bad")) return dump(input);
    return Error::say(Errc::invalid, "invalid_value", "It is bad.", "input.bad");
  }
  Co<Result<jobs::Outcome>> run(jobs::Run&, Deadline) override { co_return jobs::Outcome{}; }

 private:
  std::string name_;
  jobs::KindLimits limits_;
};

struct Client {
  explicit Client(Clock& clock) : socket(clock) {}
  FakeSocket socket;
  std::unique_ptr<FakeExchange> exchange;
  bool ended = false;
};

struct WsTest : World {
  WsTest() {
    kinds.add(std::make_unique<WaitingKind>("slow"));
    kinds.add(std::make_unique<WaitingKind>("chat"));
    settings.limits.enabled = false;
  }
  ~WsTest() override {
    for (auto& client : clients) client->socket.close(net::CloseCode::going_away, "test");
    clock.advance(0s);
    for (auto& client : clients) EXPECT_TRUE(client->ended);
  }
  void prepare() {
    if (jobs) return;
    open();
    jobs.emplace(settings, clock, random, *log, *admission, kinds, stores->jobs(),
                 stores->signal());
    rooms->jobs = &*jobs;
  }
  std::string key(std::string user, admission::Scopes scopes = {Scope::jobs},
                  std::string tenant = "default") {
    prepare();
    KeyWishes wishes;
    wishes.name = "key " + std::to_string(list.keys.size());
    wishes.tenant = std::move(tenant);
    wishes.user = std::move(user);
    wishes.scopes = scopes;
    auto made = admission::make_key(std::move(wishes), clock);
    EXPECT_TRUE(made.ok());
    list.keys.push_back(made->row);
    accept();
    return made->text;
  }
  void accept() {
    ++list.generation;
    admission->identity().accept(list);
  }
  static Sent asking(const std::string& key = {}) {
    Sent sent = get("/v1/ws");
    if (key.empty()) return sent;
    return sent.with("authorization", "Bearer " + key);
  }
  /// Opens a socket; the client lives until the test ends.
  Client& connect(Sent sent) {
    prepare();
    auto client = std::make_unique<Client>(clock);
    client->exchange = std::make_unique<FakeExchange>(std::move(sent), clock.now());
    client->exchange->socket = &client->socket;
    Client& placed = *client;
    clients.push_back(std::move(client));
    asio::co_spawn(io.get_executor(), api->serve(*placed.exchange),
                   [&placed](std::exception_ptr thrown) {
                     placed.ended = true;
                     EXPECT_FALSE(thrown);
                   });
    clock.advance(0s);
    return placed;
  }
  /// The same, ready: what it was told of that is passed over.
  FakeSocket& ready(const std::string& key) {
    Client& client = connect(asking(key));
    const auto told = client.socket.take();
    EXPECT_EQ(told.size(), 1u);
    if (!told.empty()) {
      EXPECT_EQ(told[0]["type"], "ready");
      place = told[0]["place"];
    }
    return client.socket;
  }
  void say(FakeSocket& socket, std::string text) {
    socket.say(std::move(text));
    clock.advance(0s);
  }
  /// "type event id code" of each message told, as far as it has them.
  static std::string words(const std::vector<Json>& told) {
    std::string out;
    for (const auto& one : told) {
      if (!out.empty()) out += ", ";
      out += one["type"].get<std::string>();
      for (const char* key : {"event", "id"}) {
        if (one.contains(key)) out += " " + one[key].get<std::string>();
      }
      if (one.contains("error")) out += " " + one["error"]["code"].get<std::string>();
    }
    return out;
  }
  static std::string job_of(const std::vector<Json>& told) {
    for (const auto& one : told) {
      if (one.contains("job")) return one["job"];
    }
    return "none";
  }

  storage::AccessList list;
  jobs::Kinds kinds;
  std::optional<jobs::Desk> jobs;
  std::vector<std::unique_ptr<Client>> clients;
  std::string place;
};

TEST_F(WsTest, a_key_in_the_header_opens_the_socket_and_a_job_is_accepted) {
  FakeSocket& socket = ready(key("ann"));
  EXPECT_EQ(clients[0]->exchange->status, 101);
  say(socket, R"({"type":"submit","id":"a","kind":"slow","input":{"n":1}})");
  const auto told = socket.take();
  EXPECT_EQ(words(told), "accepted a, event queued");
  EXPECT_EQ(told[0]["state"], "queued");
  EXPECT_EQ(told[0]["existed"], false);
  EXPECT_EQ(told[0]["waiting"], 1);
  EXPECT_EQ(told[1]["job"], told[0]["job"]);
  EXPECT_EQ(told[1]["data"]["kind"], "slow");
  EXPECT_NE(told[1]["event_id"], "");
}

TEST_F(WsTest, chat_is_a_submit_whose_input_is_the_message) {
  FakeSocket& socket = ready(key("ann"));
  say(socket, R"({"type":"chat","id":"c","messages":[{"role":"user","content":"Hi"}],"key":"k1"})");
  const auto told = socket.take();
  EXPECT_EQ(words(told), "accepted c, event queued");
  EXPECT_EQ(told[1]["data"]["kind"], "chat");
  say(socket, R"({"type":"chat","id":"d","messages":[{"role":"user","content":"Hi"}],"key":"k1"})");
  const auto again = socket.take();
  EXPECT_EQ(words(again), "accepted d") << "the key was used: no second job";
  EXPECT_EQ(again[0]["existed"], true);
  EXPECT_EQ(again[0]["job"], told[0]["job"]);
}

TEST_F(WsTest, a_key_used_again_for_another_order_is_refused_and_over_http_it_is_the_same) {
  const std::string ann = key("ann");
  FakeSocket& socket = ready(ann);
  const std::string order = R"({"type":"submit","id":"c","kind":"slow","input":{"n":1},"key":"k1")";
  say(socket, order + "}");
  const auto told = socket.take();
  EXPECT_EQ(words(told), "accepted c, event queued");
  for (const char* more :
       {R"(,"delay":100})", R"(,"priority":"batch"})", R"(,"attempts_max":2})"}) {
    say(socket, order + more);
    const auto refusal = socket.take();
    ASSERT_EQ(refusal.size(), 1U);
    EXPECT_NE(dump(refusal[0]).find("idempotency_key_reused"), std::string::npos) << more;
  }
  say(socket, order + "}");
  EXPECT_EQ(socket.take()[0]["job"], told[0]["job"]);
  Sent same = post("/v1/jobs", R"({"input":{"n":1},"kind":"slow"})");
  same = same.with("authorization", "Bearer " + ann);
  const auto again = serve(same.with("idempotency-key", "k1"));
  EXPECT_EQ(again->status, 200) << again->body;
  EXPECT_EQ(json(again->body)["id"], told[0]["job"]);
}

TEST_F(WsTest, what_is_wrong_is_told_under_its_id_and_the_socket_stays) {
  FakeSocket& socket = ready(key("ann"));
  const struct {
    const char* text;
    const char* want;
  } kCases[] = {
      {"no json", "error invalid_json"},
      {"[]", "error invalid_type"},
      {R"({"id":"a"})", "error a missing_field"},
      {R"({"type":"dance","id":"a"})", "error a unknown_message_type"},
      {R"({"type":"submit","id":"a"})", "error a missing_field"},
      {R"({"type":"submit","id":"a","kind":"no","input":{}})", "error a unknown_kind"},
      {R"({"type":"submit","id":"a","kind":"slow","input":{"bad":1}})", "error a invalid_value"},
      {R"({"type":"submit","id":"a","kind":"slow","user":"bob"})", "error a unknown_field"},
      {R"({"type":"submit","id":"a","kind":"slow","client":"x"})", "error a unknown_field"},
      {R"({"type":"submit","id":"a","kind":"slow","delay":-1})", "error a out_of_range"},
      {R"({"type":"submit","id":"a","kind":"slow","priority":"now"})", "error a invalid_value"},
      {R"({"type":"submit","id":"a","kind":"slow","webhook":"x"})", "error a invalid_type"},
      {R"({"type":"submit","id":"a","kind":"slow","attempts_max":0})", "error a out_of_range"},
      {R"({"type":"cancel","id":"a"})", "error a missing_field"},
      {R"({"type":"cancel","id":"a","job":"job_none"})", "error a unknown_job"},
      {R"({"type":"retry","id":"a","job":"job_none"})", "error a unknown_job"},
      {R"({"type":"auth","id":"a","token":"x"})", "error a already_known"},
      {R"({"type":"ping","id":"p"})", "pong p"},
  };
  for (const auto& one : kCases) {
    say(socket, one.text);
    EXPECT_EQ(words(socket.take()), one.want) << one.text;
  }
  EXPECT_EQ(socket.closed, "");
  socket.say("binary", false);
  clock.advance(0s);
  EXPECT_EQ(socket.closed, "1003 text_only");
}

TEST_F(WsTest, a_job_is_cancelled_and_tried_again) {
  FakeSocket& socket = ready(key("ann"));
  say(socket, R"({"type":"submit","kind":"slow"})");
  const std::string job = job_of(socket.take());
  say(socket, R"({"type":"cancel","id":"c","job":")" + job + R"("})");
  auto told = socket.take();
  EXPECT_EQ(words(told), "job c, event cancelled");
  EXPECT_EQ(told[0]["state"], "cancelled");
  say(socket, R"({"type":"retry","id":"r","job":")" + job + R"("})");
  told = socket.take();
  EXPECT_EQ(words(told), "job r, event queued");
  EXPECT_EQ(told[0]["state"], "queued");
}

TEST_F(WsTest, an_administrators_hand_on_anothers_job_is_in_the_audit) {
  FakeSocket& ann = ready(key("ann"));
  say(ann, R"({"type":"submit","kind":"slow"})");
  const std::string job = job_of(ann.take());
  say(ann, R"({"type":"cancel","job":")" + job + R"("})");
  FakeSocket& board = connect(admin(asking())).socket;
  board.take();
  say(board, R"({"type":"retry","id":"r","job":")" + job + R"("})");
  say(board, R"({"type":"cancel","id":"c","job":")" + job + R"("})");
  EXPECT_EQ(words(board.take()), "job r, job c");
  const Json trail = json(serve(admin(get("/admin/audit")))->body)["data"];
  ASSERT_EQ(trail.size(), 2u) << "and nothing of what its owner did";
  EXPECT_EQ(trail[0]["what"], "job.cancel");
  EXPECT_EQ(trail[1]["what"], "job.retry");
  EXPECT_EQ(trail[1]["before"], "job " + job);
}

// proves security_01 for the socket: tenants, users and clients
TEST_F(WsTest, nobody_hears_or_touches_what_is_anothers) {
  FakeSocket& ann = ready(key("ann"));
  FakeSocket& bob = ready(key("bob"));
  FakeSocket& far = ready(key("ann", {Scope::jobs}, "other"));
  FakeSocket& admin_of_none = ready(key("eve", {Scope::jobs, Scope::chat, Scope::knowledge}));
  for (FakeSocket* one : {&bob, &far, &admin_of_none}) say(*one, R"({"type":"attach"})");
  for (FakeSocket* one : {&bob, &far, &admin_of_none}) EXPECT_EQ(words(one->take()), "attached");
  say(ann, R"({"type":"submit","kind":"slow","id":"1"})");
  const std::string job = job_of(ann.take());
  for (FakeSocket* one : {&bob, &far, &admin_of_none}) {
    say(*one, R"({"type":"cancel","id":"x","job":")" + job + R"("})");
    say(*one, R"({"type":"retry","id":"x","job":")" + job + R"("})");
    EXPECT_EQ(words(one->take()), "error x unknown_job, error x unknown_job");
  }
  say(bob, R"({"type":"submit","kind":"slow","id":"2"})");
  EXPECT_EQ(words(bob.take()), "accepted 2, event queued");
  EXPECT_EQ(words(ann.take()), "");
  EXPECT_EQ(words(far.take()), "");
  EXPECT_EQ(words(admin_of_none.take()), "");
}

TEST_F(WsTest, a_client_hears_its_own_jobs_and_those_of_no_client) {
  const std::string ann = key("ann");
  FakeSocket& phone = ready(ann);
  FakeSocket& desk = ready(ann);
  FakeSocket& any = ready(ann);
  say(phone, R"({"type":"attach","id":"p","client":"phone"})");
  say(desk, R"({"type":"attach","id":"d","client":"desk"})");
  say(any, R"({"type":"attach","id":"a"})");
  for (FakeSocket* one : {&phone, &desk, &any}) one->take();
  say(phone, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(phone.take()), "accepted 1, event queued");
  EXPECT_EQ(words(desk.take()), "");
  EXPECT_EQ(words(any.take()), "event queued");
  say(any, R"({"type":"submit","kind":"slow","id":"2"})");
  for (FakeSocket* one : {&phone, &desk}) EXPECT_EQ(words(one->take()), "event queued");
}

TEST_F(WsTest, after_a_reconnect_events_go_on_behind_the_last_one_once) {
  const std::string ann = key("ann");
  FakeSocket& first = ready(ann);
  say(first, R"({"type":"submit","kind":"slow","id":"1"})");
  auto told = first.take();
  const std::string job = job_of(told);
  const std::string last = told.back()["event_id"];
  first.close(net::CloseCode::normal, "gone");
  clock.advance(0s);
  FakeSocket& other = ready(ann);
  say(other, R"({"type":"cancel","job":")" + job + R"("})");
  FakeSocket& second = ready(ann);
  say(second, R"({"type":"attach","id":"a","last_event_id":")" + last + R"("})");
  told = second.take();
  EXPECT_EQ(words(told), "attached a, event cancelled");
  EXPECT_EQ(told[1]["job"], job);
  // A socket that asks from now on hears nothing old.
  FakeSocket& third = ready(ann);
  say(third, R"({"type":"attach","id":"a"})");
  EXPECT_EQ(words(third.take()), "attached a");
}

TEST_F(WsTest, what_happens_between_ready_and_attach_is_told) {
  const std::string ann = key("ann");
  FakeSocket& listener = ready(ann);
  FakeSocket& other = ready(ann);
  say(other, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(listener.take()), "") << "it has not attached yet";
  say(listener, R"({"type":"attach","id":"a"})");
  EXPECT_EQ(words(listener.take()), "attached a, event queued");
  say(listener, R"({"type":"attach","id":"b"})");
  EXPECT_EQ(words(listener.take()), "error b already_attached");
}

TEST_F(WsTest, a_place_ahead_of_all_events_is_unknown_and_does_not_silence_the_socket) {
  const std::string ann = key("ann");
  const std::string place = connect(asking(ann)).socket.take().at(0)["place"];
  FakeSocket& socket = ready(ann);
  const std::string ahead = place.substr(0, place.find('-')) + "-99999999";
  say(socket, R"({"type":"attach","id":"a","last_event_id":")" + ahead + R"("})");
  EXPECT_EQ(words(socket.take()), "attached a, missed");
  say(socket, R"({"type":"submit","kind":"slow","id":"1"})");
  const std::string told = words(socket.take());
  EXPECT_NE(told.find("event queued"), std::string::npos) << told;
}

TEST_F(WsTest, a_place_that_is_gone_is_told_and_ends_are_made_up) {
  const std::string ann = key("ann");
  FakeSocket& first = ready(ann);
  say(first, R"({"type":"submit","kind":"slow","id":"1"})");
  const std::string job = job_of(first.take());
  say(first, R"({"type":"cancel","job":")" + job + R"("})");
  FakeSocket& second = ready(ann);
  say(second, R"({"type":"attach","id":"a","last_event_id":"12345-67"})");
  const auto told = second.take();
  ASSERT_GE(told.size(), 3u);
  EXPECT_EQ(words({told[0], told[1]}), "attached a, missed");
  const Json& end = told.back();
  EXPECT_EQ(end["event"], "cancelled");
  EXPECT_EQ(end["job"], job);
  EXPECT_EQ(end["made_up"], true);
  EXPECT_FALSE(end.contains("event_id"));
}

TEST_F(WsTest, a_token_may_come_as_a_subprotocol) {
  const std::string ann = key("ann");
  Client& both =
      connect(get("/v1/ws").with("sec-websocket-protocol", "mainstay.v1, bearer." + ann));
  EXPECT_EQ(words(both.socket.take()), "ready");
  EXPECT_EQ(both.exchange->header("sec-websocket-protocol"), "mainstay.v1");
  Sent apart = get("/v1/ws").with("sec-websocket-protocol", "mainstay.v1");
  Client& second_line = connect(apart.with("sec-websocket-protocol", "bearer.ms_wrong"));
  EXPECT_EQ(second_line.exchange->status, 401);
  Client& alone = connect(get("/v1/ws").with("sec-websocket-protocol", "bearer." + ann));
  EXPECT_EQ(alone.exchange->header("sec-websocket-protocol"), "bearer." + ann);
  Client& none = connect(asking(ann));
  EXPECT_EQ(none.exchange->header("sec-websocket-protocol"), "absent");
  Client& wrong = connect(get("/v1/ws").with("sec-websocket-protocol", "bearer.ms_wrong"));
  EXPECT_EQ(wrong.exchange->status, 401);
}

TEST_F(WsTest, a_token_may_come_in_the_first_message) {
  settings.auth.required = true;
  const std::string ann = key("ann");
  Client& client = connect(asking());
  EXPECT_EQ(client.exchange->status, 101);
  EXPECT_EQ(words(client.socket.take()), "");
  say(client.socket, R"({"type":"auth","id":"a","token":")" + ann + R"("})");
  EXPECT_EQ(words(client.socket.take()), "ready");
  say(client.socket, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(client.socket.take()), "accepted 1, event queued");
}

TEST_F(WsTest, who_does_not_say_who_it_is_is_closed) {
  settings.auth.required = true;
  key("ann");
  Client& silent = connect(asking());
  clock.advance(9s);
  EXPECT_EQ(silent.socket.closed, "");
  clock.advance(1s);
  EXPECT_EQ(silent.socket.closed, "1008 auth_timeout");
  Client& eager = connect(asking());
  say(eager.socket, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(eager.socket.take()), "error 1 missing_key");
  EXPECT_EQ(eager.socket.closed, "1008 missing_key");
  Client& liar = connect(asking());
  say(liar.socket, R"({"type":"auth","id":"a","token":"ms_wrong"})");
  EXPECT_EQ(words(liar.socket.take()), "error a wrong_key");
  EXPECT_EQ(liar.socket.closed, "1008 wrong_key");
}

TEST_F(WsTest, the_local_user_needs_no_key_and_may_still_show_one) {
  prepare();
  Client& local = connect(asking());
  EXPECT_EQ(words(local.socket.take()), "ready");
  const std::string ann = key("ann");
  FakeSocket& annas = ready(ann);
  say(annas, R"({"type":"attach"})");
  say(local.socket, R"({"type":"auth","token":")" + ann + R"("})");
  EXPECT_EQ(words(local.socket.take()), "ready");
  say(local.socket, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(annas.take()), "attached, event queued");
}

TEST_F(WsTest, wrong_keys_scopes_queries_and_plain_requests_are_refused_before_the_upgrade) {
  const std::string ann = key("ann");
  EXPECT_EQ(refused(connect(asking("ms_wrong")).exchange), "401 wrong_key");
  EXPECT_EQ(refused(connect(asking(key("kim", {Scope::chat}))).exchange), "403 scope_required");
  Sent in_query = asking(ann);
  in_query.target = "/v1/ws?token=" + ann;
  EXPECT_EQ(refused(connect(std::move(in_query)).exchange), "400 invalid_query");
  EXPECT_EQ(refused(connect(asking(ann).with("origin", "https://evil.example")).exchange),
            "403 origin_not_allowed");
  auto plain = std::make_unique<FakeExchange>(asking(ann), clock.now());
  const auto reply = serve(asking(ann), [](FakeExchange& exchange) {
    exchange.upgrade_error = Error::say(Errc::invalid, "upgrade_required", "Ask for it.");
  });
  EXPECT_EQ(refused(reply), "426 upgrade_required");
  EXPECT_EQ(reply->header("sec-websocket-version"), "13");
}

// proves security_12: a revoked key ends its open sockets
TEST_F(WsTest, security_12_a_revoked_or_expired_key_closes_its_socket_within_five_seconds) {
  const std::string ann = key("ann");
  const std::string bob = key("bob");
  FakeSocket& revoked = ready(ann);
  FakeSocket& stays = ready(bob);
  clock.advance(60s);
  EXPECT_EQ(revoked.closed, "");
  list.keys.erase(list.keys.begin());
  accept();
  clock.advance(5s);
  EXPECT_EQ(revoked.closed, "1008 wrong_key");
  EXPECT_EQ(stays.closed, "");
}

TEST_F(WsTest, sockets_of_a_revoked_key_are_no_attempts_and_others_attempts_close_no_socket) {
  settings.auth.keys = {Secret("short")};
  settings.auth.failures_free = 0;
  const std::string ann = key("ann");
  FakeSocket& hers = ready(ann);
  FakeSocket& his = ready("short");
  list.keys.clear();
  accept();
  clock.advance(5s);
  EXPECT_EQ(hers.closed, "1008 wrong_key");
  EXPECT_EQ(serve(get("/v1/jobs").with("authorization", "Bearer short"))->status, 200);
  while (serve(get("/v1/jobs").with("authorization", "Bearer guess"))->status != 429) continue;
  EXPECT_EQ(serve(get("/v1/jobs").with("authorization", "Bearer short"))->status, 429);
  clock.advance(5s);
  EXPECT_EQ(his.closed, "");
}

TEST_F(WsTest, each_submission_counts_like_a_request) {
  settings.limits.enabled = true;
  settings.limits.user.requests_per_minute = 1;
  settings.limits.user.burst = 1;
  FakeSocket& socket = ready(key("ann"));
  for (const char* id : {"1", "2", "3"}) {
    say(socket, R"({"type":"submit","kind":"slow","id":")" + std::string(id) + R"("})");
  }
  std::string all;
  Json refusal;
  for (const auto& one : socket.take()) {
    if (one["type"] == "event") continue;
    all += words({one}) + ";";
    if (one["type"] == "error") refusal = one;
  }
  EXPECT_EQ(all, "accepted 1;accepted 2;error 3 rate_limited;");
  EXPECT_GT(refusal["retry_after_ms"], 0);
  say(socket, R"({"type":"ping"})");
  EXPECT_EQ(words(socket.take()), "pong");
}

TEST_F(WsTest, a_user_has_as_many_sockets_as_allowed_and_no_more) {
  settings.server.websocket.per_user = 2;
  const std::string ann = key("ann");
  ready(ann);
  FakeSocket& second = ready(ann);
  Client& third = connect(asking(ann));
  EXPECT_EQ(words(third.socket.take()), "error too_many_sockets");
  EXPECT_EQ(third.socket.closed, "1008 too_many_sockets");
  ready(key("bob"));
  second.close(net::CloseCode::normal, "bye");
  clock.advance(0s);
  ready(ann);
  EXPECT_EQ(desk->sockets.users(), 2u);
}

TEST_F(WsTest, under_maintenance_sockets_stay_and_submissions_wait) {
  FakeSocket& socket = ready(key("ann"));
  admission->maintenance().on({});
  say(socket, R"({"type":"submit","kind":"slow","id":"1"})");
  EXPECT_EQ(words(socket.take()), "error 1 maintenance");
  EXPECT_EQ(socket.closed, "");
}

TEST_F(WsTest, without_jobs_the_path_says_so) {
  open();
  EXPECT_EQ(refused(serve(asking())), "503 unavailable");
}

TEST(WsMessages, an_event_keeps_its_data_as_it_is) {
  jobs::Event event{"5-0", jobs::EventType::token, storage::JobId("job_1"), "phone",
                    R"({"job":"job_1","text":"a\"b"})"};
  EXPECT_EQ(event_message(event),
            R"({"type":"event","event":"token","event_id":"5-0","job":"job_1",)"
            R"("data":{"job":"job_1","text":"a\"b"}})");
}

}  // namespace
}  // namespace mainstay::api
