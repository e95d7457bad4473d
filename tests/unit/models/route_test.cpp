// Names, weights, `auto`, and the list of models.
#include "world.h"

namespace mainstay::models::test {
namespace {

class route : public World {
 protected:
  Asked& ask_model(const std::string& model) {
    auto what = request(question("q-" + std::to_string(++asked_count)));
    what.model = model;
    return ask(std::move(what));
  }
  int asked_count = 0;
};

TEST_F(route, auto_asks_the_first_configured_provider_for_its_default_model) {
  auto& one = provider("one", {"m-one", "m-other"});
  auto& two = provider("two", {"m-two"});
  build();
  auto& got = ask_model("auto");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.by().provider, "one");
  EXPECT_EQ(got.by().model, "m-one");
  EXPECT_EQ(one.asked_models, std::vector<std::string>{"m-one"});
  EXPECT_EQ(two.calls, 0);
}

TEST_F(route, auto_without_any_provider_is_the_built_in_answerer_and_not_degraded) {
  build();
  auto& got = ask_model("auto");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.by().provider, kBuiltIn);
  EXPECT_FALSE(got.by().degraded);
  EXPECT_EQ(built_in->asked_models, std::vector<std::string>{"mainstay/extractive"});
}

TEST_F(route, auto_uses_a_discovered_provider_only_after_it_was_found) {
  auto& found = provider("ollama", {}, true);
  build();
  EXPECT_EQ(ask_model("auto").by().provider, kBuiltIn);
  found.listed = {"nomic-embed-text", "llama3.2"};
  asio::co_spawn(io, router->probe(Deadline::in(clock, 10s)), [](std::exception_ptr) {});
  clock.run(0s);
  auto& got = ask_model("auto");
  EXPECT_EQ(got.by().provider, "ollama");
  EXPECT_EQ(got.by().model, "llama3.2");
}

TEST_F(route, auto_asks_none_that_is_known_by_its_name_for_something_else) {
  auto& found = provider("ollama", {}, true);
  build();
  const std::vector<std::pair<std::string, std::string>> known = {
      {"bge-m3:latest", "embedding"},
      {"BAAI/bge-small-en", "embedding"},
      {"all-minilm:22m", "embedding"},
      {"thenlper/gte-base", "embedding"},
      {"intfloat/multilingual-e5-large", "embedding"},
      {"text-embedding-3-small", "embedding"},
      {"mxbai-rerank-base-v1", "rerank"},
      {"dall-e-3", "image"},
      {"gpt-image-1", "image"},
      {"sora-2", "video"},
      {"omni-moderation-latest", "moderation"},
      {"gpt-4o-mini-tts", "speech"},
      {"whisper-1", "transcription"},
      {"gpt-4o-transcribe", "transcription"},
      {"gpt-4o-realtime-preview", "realtime"},
      {"davinci-002", "completion"},
      {"babbage-002", "completion"},
      {"gpt-3.5-turbo-instruct", "completion"},
      {"qwen2.5-7b-instruct", "chat"},
      {"phi-4:14b", "chat"}};
  found.listed.emplace();
  for (const auto& [id, task] : known) found.listed->push_back(id);
  asio::co_spawn(io, router->probe(Deadline::in(clock, 10s)), [](std::exception_ptr) {});
  clock.run(0s);
  EXPECT_EQ(ask_model("auto").by().model, "qwen2.5-7b-instruct");
  Result<std::vector<ModelInfo>> got;
  asio::co_spawn(io, router->list(Deadline::in(clock, 10s)),
                 [&](std::exception_ptr, auto listed) { got = std::move(listed); });
  clock.run(0s);
  for (const auto& [id, task] : known) {
    const std::string& name = id;
    const auto one = std::find_if(got->begin(), got->end(),
                                  [&](const ModelInfo& model) { return model.id == name; });
    ASSERT_NE(one, got->end()) << id;
    EXPECT_EQ(one->task, task) << id;
  }
  EXPECT_EQ(ask_model("bge-m3").by().model, "bge-m3") << "it can be asked for by its name";
}

TEST_F(route, of_the_models_listed_in_the_settings_auto_asks_the_first_of_chat) {
  provider("one", {"bge-m3", "llama3"});
  build();
  EXPECT_EQ(ask_model("auto").by().model, "llama3");
  providers.clear();
  provider("two", {"bge-m3"});
  build();
  EXPECT_EQ(ask_model("auto").by().model, "bge-m3") << "there is no other";
}

TEST_F(route, a_model_is_found_by_every_name_that_chat_takes) {
  provider("olla", {}).listed = {"llama3.2:latest", "qwen"};
  provider("late", {}).listed.reset();
  RouteSettings named;
  named.model = "house";
  named.candidates.push_back({"olla", "qwen", 1, 0});
  settings.routes.push_back(named);
  build();
  asio::co_spawn(io, router->probe(Deadline::in(clock, 10s)), [](std::exception_ptr) {});
  clock.run(0s);
  for (const char* name : {"olla/llama3.2:latest", "olla/llama3.2", "llama3.2", "llama3.2:latest",
                           "qwen", "olla/qwen", "house"}) {
    const auto found = router->find(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->id, name);
    EXPECT_EQ(found->provider, "olla") << name;
  }
  for (const char* name : {"olla/nothing", "nobody/qwen", "late/x", "x"}) {
    EXPECT_FALSE(router->find(name)) << name;
  }
}

TEST_F(route, watching_finds_a_provider_that_comes_and_notices_one_that_goes) {
  auto& found = provider("ollama", {}, true);
  build();
  const auto look = [this] {
    asio::co_spawn(io, router->look(), [](std::exception_ptr) {});
    clock.advance(0s);
  };
  look();
  EXPECT_FALSE(router->providers()[0].up);
  found.listed = {"qwen"};
  clock.advance(settings.models.discover_interval);
  look();
  EXPECT_TRUE(router->providers()[0].up);
  found.listed.reset();
  clock.advance(settings.models.discover_interval);
  look();
  EXPECT_FALSE(router->providers()[0].up);
  EXPECT_EQ(router->providers()[0].why, "upstream_refused");
}

TEST_F(route, gauges_of_a_provider_go_with_it) {
  provider("one", {"m-one"});
  build();
  for (const char* gauge : {"mainstay_provider_up", "mainstay_provider_limit"}) {
    EXPECT_NE(metrics.text().find(gauge + std::string("{provider=\"one\"}")), std::string::npos);
  }
  providers.clear();
  build();  // as a reload does: the next router first, then the last one goes
  EXPECT_EQ(metrics.text().find("mainstay_provider_up{provider=\"one\"}"), std::string::npos);
  EXPECT_EQ(metrics.text().find("mainstay_provider_limit{provider=\"one\"}"), std::string::npos);
}

TEST_F(route, models_are_listed_as_they_do_by_themselves) {
  auto& one = provider("one", {"small", "big"});
  build();
  const auto states = [this] {
    std::string out;
    Result<std::vector<ModelInfo>> got;
    asio::co_spawn(io, router->list(Deadline::in(clock, 10s)),
                   [&](std::exception_ptr, auto listed) { got = std::move(listed); });
    clock.run(0s);
    for (const auto& model : *got) {
      if (model.provider == "one") out += model.id + ":" + model.state + " ";
    }
    return out;
  };
  EXPECT_EQ(states(), "small:ready big:ready ");
  ask_model("one/small");
  one.always = fails(broken());
  ask_model("one/big");
  EXPECT_EQ(states(), "small:ready big:degraded ");
  one.always = fails(refused());
  ask_model("one/small");
  EXPECT_EQ(states(), "small:unavailable big:unavailable ");
}

TEST_F(route, a_server_without_a_list_of_models_is_up_all_the_same) {
  provider("one", {"m-one"}).unlisted = failure(Errc::not_found, "upstream_model_unknown");
  provider("two", {"m-two"}).unlisted = failure(Errc::bad_upstream, "upstream_credentials");
  build();
  asio::co_spawn(io, router->probe(Deadline::in(clock, 10s)), [](std::exception_ptr) {});
  clock.run(0s);
  EXPECT_TRUE(router->providers()[0].up);
  EXPECT_FALSE(router->providers()[1].up);
  EXPECT_EQ(router->providers()[1].why, "upstream_credentials");
}

TEST_F(route, a_provider_that_answers_is_not_asked_for_its_models_again) {
  auto& one = provider("one", {"m-one"});
  build();
  const auto probe = [&] {
    asio::co_spawn(io, router->probe(Deadline::in(clock, 10s)), [](std::exception_ptr) {});
    clock.run(0s);
  };
  clock.advance(settings.models.discover_interval);
  ask_model("auto");
  probe();
  EXPECT_EQ(one.probes, 0);
  clock.advance(settings.models.discover_interval);
  probe();
  EXPECT_EQ(one.probes, 1);
}

TEST_F(route, auto_prefers_what_answered_last) {
  provider("one", {"m-one"}).always = fails(refused());
  provider("two", {"m-two"});
  build();
  EXPECT_EQ(ask_model("auto").by().fallbacks, 1U);
  auto& second = ask_model("auto");
  EXPECT_EQ(second.by().provider, "two");
  EXPECT_EQ(second.by().fallbacks, 0U);
}

TEST_F(route, auto_asks_a_provider_for_its_models_when_none_are_known) {
  auto& one = provider("one", {});
  one.listed = {"text-embedding-3", "served"};
  build();
  auto& got = ask_model("auto");
  EXPECT_EQ(got.by().model, "served");
  EXPECT_EQ(one.probes, 1);
  ask_model("auto");
  EXPECT_EQ(one.probes, 1);
}

TEST_F(route, a_route_and_its_alias_reach_the_same_candidate) {
  provider("one", {"m-one"});
  provider("two", {"m-two"});
  RouteSettings named;
  named.model = "house";
  named.aliases = {"gpt-4o", "home/model"};
  named.candidates.push_back({"two", "inner-model", 1, 0});
  settings.routes.push_back(named);
  build();
  for (const char* model : {"house", "gpt-4o", "home/model"}) {
    auto& got = ask_model(model);
    EXPECT_EQ(got.by().provider, "two") << model;
    EXPECT_EQ(got.by().model, "inner-model") << model;
  }
}

TEST_F(route, weights_share_candidates_of_one_order) {
  auto& one = provider("one", {"m"});
  auto& two = provider("two", {"m"});
  auto& never = provider("three", {"m"});
  RouteSettings named;
  named.model = "house";
  named.candidates = {{"three", "m", 50, 1}, {"one", "m", 3, 0}, {"two", "m", 1, 0}};
  settings.routes.push_back(named);
  build();
  for (int i = 0; i < 400; ++i) ask_model("house");
  EXPECT_NEAR(one.calls, 300, 40);
  EXPECT_EQ(one.calls + two.calls, 400);
  EXPECT_EQ(never.calls, 0);
}

TEST_F(route, order_decides_who_is_tried_first) {
  auto& first = provider("one", {"m"});
  auto& second = provider("two", {"m"});
  first.always = fails(failure(Errc::bad_upstream, "upstream_bad_reply"));
  RouteSettings named;
  named.model = "house";
  named.candidates = {{"two", "m", 9, 7}, {"one", "m", 1, 2}};
  settings.routes.push_back(named);
  build();
  auto& got = ask_model("house");
  EXPECT_EQ(got.by().provider, "two");
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
}

TEST_F(route, a_provider_and_its_model_can_be_named) {
  provider("one", {"m-one"});
  auto& two = provider("two", {"m-two"});
  build();
  EXPECT_EQ(ask_model("two/meta/llama:8b").by().provider, "two");
  EXPECT_EQ(two.asked_models, std::vector<std::string>{"meta/llama:8b"});
  EXPECT_EQ(ask_model("mainstay/extractive").by().provider, kBuiltIn);
}

TEST_F(route, a_bare_model_reaches_the_provider_that_serves_it) {
  provider("one", {"m-one"});
  auto& two = provider("two", {"org/m-two"});
  build();
  EXPECT_EQ(ask_model("org/m-two").by().provider, "two");
  EXPECT_EQ(two.asked_models, std::vector<std::string>{"org/m-two"});
}

TEST_F(route, an_unknown_name_passes_through_to_a_provider_not_asked_yet) {
  provider("one", {"m-one"});
  auto& two = provider("two", {});
  build();
  EXPECT_EQ(ask_model("brand-new").by().provider, "two");
  EXPECT_EQ(two.asked_models, std::vector<std::string>{"brand-new"});
}

TEST_F(route, an_unknown_model_is_refused_with_the_nearest_name) {
  provider("one", {"mistral-small"});
  build();
  auto& got = ask_model("mistral-smal");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Errc::not_found);
  EXPECT_EQ(got.error().reason, "unknown_model");
  EXPECT_EQ(got.error().field, "model");
  EXPECT_NE(got.error().message.find("'mistral-small'"), std::string::npos);
}

TEST_F(route, a_route_without_a_configured_provider_says_so) {
  RouteSettings named;
  named.model = "house";
  named.candidates.push_back({"nobody", "m", 1, 0});
  settings.routes.push_back(named);
  build();
  EXPECT_EQ(ask_model("house").error().reason, "no_provider");
}

Co<> list_into(Models& models, Deadline by, std::vector<ModelInfo>& out) {
  auto listed = co_await models.list(by);
  if (listed.ok()) out = *listed;
}

TEST_F(route, the_list_names_every_model_once) {
  provider("one", {"shared", "m-one"});
  provider("two", {}).listed = {"shared", "m-two"};
  RouteSettings named;
  named.model = "house";
  named.aliases = {"home"};
  named.candidates.push_back({"one", "m-one", 1, 0});
  settings.routes.push_back(named);
  build();
  std::vector<ModelInfo> listed;
  asio::co_spawn(io, list_into(*router, Deadline::in(clock, 5s), listed),
                 [](std::exception_ptr) {});
  clock.run(5s);
  std::vector<std::string> ids;
  for (const auto& model : listed) ids.push_back(model.id + "@" + model.provider);
  EXPECT_EQ(ids, (std::vector<std::string>{"auto@mainstay", "house@route", "home@route",
                                           "shared@one", "m-one@one", "two/shared@two", "m-two@two",
                                           "mainstay/extractive@mainstay"}));
}

}  // namespace
}  // namespace mainstay::models::test
