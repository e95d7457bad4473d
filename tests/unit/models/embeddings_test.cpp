// Embeddings: through the router's breakers and retries, and the desk's cache, batches, coalescing.
#include "models/embeddings.h"

#include <limits>

#include "world.h"

namespace mainstay::models::test {
namespace {

/// {length, first letter}: told apart and back to the text.
std::vector<float> vector_of(const std::string& text) {
  return {static_cast<float>(text.size()), static_cast<float>(text.empty() ? 0 : text.front())};
}

Embeddings embeddings_of(const EmbedRequest& request) {
  Embeddings out;
  for (const auto& text : request.texts) {
    out.vectors.push_back(vector_of(text));
    out.tokens += text.size();
  }
  return out;
}

class EmbeddingProvider final : public ChatProvider {
 public:
  EmbeddingProvider(Clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }
  Co<Result<ChatReply>> complete(const ChatRequest&, Attempt, AttemptTimings&) override {
    co_return broken();
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest&, Attempt,
                                                 AttemptTimings&) override {
    co_return broken();
  }
  Co<Result<Embeddings>> embed(const EmbedRequest& request, Attempt attempt,
                               AttemptTimings&) override {
    ++calls;
    asked_models.push_back(attempt.model);
    silence = attempt.between_tokens;
    [[maybe_unused]] auto waited = co_await sleep(clock_, 10ms);
    if (!failures.empty()) {
      const Error error = failures.front();
      failures.pop_front();
      co_return error;
    }
    Embeddings out = embeddings_of(request);
    if (spoil) spoil(out);
    co_return out;
  }
  Co<Result<std::vector<ModelInfo>>> models(Deadline) override { co_return refused(); }
  int calls = 0;
  std::deque<Error> failures;
  std::function<void(Embeddings&)> spoil;
  std::vector<std::string> asked_models;
  Duration silence{};  ///< that the last call allowed inside its reply

 private:
  Clock& clock_;
  std::string name_;
};

class RouterEmbeddings : public World {
 protected:
  EmbeddingProvider& embedder(const std::string& name) {
    auto made = std::make_unique<EmbeddingProvider>(clock, name);
    EmbeddingProvider& out = *made;
    NamedProvider named;
    named.provider = std::move(made);
    named.settings.name = name;
    named.settings.models = {"small-" + name};
    providers.push_back(std::move(named));
    return out;
  }
  Result<Answer> embed(const std::string& model, std::vector<std::string> texts) {
    EmbedRequest request;
    request.texts = std::move(texts);
    std::optional<Result<Answer>> got;
    asio::co_spawn(io, router->embed(std::move(request), model, Deadline::in(clock, 60s)),
                   [&](std::exception_ptr thrown, Result<Answer> answer) {
                     EXPECT_FALSE(thrown);
                     got.emplace(std::move(answer));
                   });
    clock.run(60s);
    EXPECT_TRUE(got);
    return got ? std::move(*got) : Result<Answer>();
  }
};

TEST_F(RouterEmbeddings, a_model_is_found_by_its_name_and_by_its_provider) {
  auto& one = embedder("one");
  build();
  for (const char* name : {"one/other", "small-one"}) {
    auto got = embed(name, {"abc", "de"});
    ASSERT_TRUE(got.ok()) << got.error().detail;
    ASSERT_TRUE(got->embeddings);
    EXPECT_EQ(got->embeddings->vectors[1], vector_of("de"));
    EXPECT_EQ(got->embeddings->dimension, 2U);
    EXPECT_EQ(got->embeddings->tokens, 5U);
    EXPECT_EQ(got->by.provider, "one");
  }
  EXPECT_EQ(one.asked_models, (std::vector<std::string>{"other", "small-one"}));
}

TEST_F(RouterEmbeddings, what_cannot_embed_is_named) {
  embedder("one");
  build();
  EXPECT_EQ(embed("auto", {"x"}).error().reason, "model_cannot_embed");
  EXPECT_EQ(embed(std::string(kBuiltIn), {"x"}).error().reason, "model_cannot_embed");
  EXPECT_EQ(embed("nobody", {"x"}).error().reason, "unknown_model");
}

TEST_F(RouterEmbeddings, a_provider_of_chat_alone_says_that_it_cannot) {
  provider("chatty", {"m"});
  build();
  const auto got = embed("chatty/m", {"x"});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Errc::unsupported);
  EXPECT_EQ(got.error().reason, "upstream_cannot");
}

TEST_F(RouterEmbeddings, failures_are_retried_and_routes_go_on_to_the_next) {
  auto& one = embedder("one");
  auto& two = embedder("two");
  RouteSettings route;
  route.model = "vectors";
  for (const char* name : {"one", "two"}) {
    CandidateSettings candidate;
    candidate.provider = name;
    candidate.model = "m";
    candidate.order = name[0] == 'o' ? 0 : 1;
    route.candidates.push_back(candidate);
  }
  settings.routes.push_back(route);
  build();
  one.failures = {failure(Errc::unavailable, "upstream_overloaded")};
  auto got = embed("vectors", {"x"});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->by.provider, "one");
  EXPECT_EQ(one.calls, 2);
  one.failures = {refused()};
  got = embed("vectors", {"x"});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->by.provider, "two");
  EXPECT_EQ(two.calls, 1);
  one.failures = {failure(Errc::invalid, "upstream_rejected")};
  got = embed("vectors", {"x"});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->by.provider, "two") << "it may take what the first one cannot";
  one.failures = two.failures = {failure(Errc::invalid, "upstream_rejected")};
  got = embed("vectors", {"x"});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().reason, "upstream_rejected");
}

TEST_F(RouterEmbeddings, the_wait_for_them_bounds_the_silence_after_the_head) {
  auto& one = embedder("one");
  build();
  ASSERT_TRUE(embed("one/m", {"x"}).ok());
  EXPECT_EQ(one.silence, Duration(settings.models.first_token_timeout));
}

TEST_F(RouterEmbeddings, the_breaker_opens_for_embeddings_too) {
  auto& one = embedder("one");
  settings.models.attempts_max = 1;
  build();
  for (int i = 0; i < 30; ++i) one.failures.push_back(broken());
  std::string last;
  for (int i = 0; i < 25; ++i) last = embed("one/m", {"x"}).error().reason;
  EXPECT_EQ(last, "circuit_open");
  EXPECT_LT(one.calls, 25);
}

TEST_F(RouterEmbeddings, a_reply_that_does_not_answer_is_a_bad_one) {
  auto& one = embedder("one");
  settings.models.breaker_calls_min = 1000;
  build();
  const std::vector<std::function<void(Embeddings&)>> ways = {
      [](Embeddings& e) { e.vectors.pop_back(); },
      [](Embeddings& e) { e.vectors.push_back({1, 2}); },
      [](Embeddings& e) { e.vectors[1] = {}; },
      [](Embeddings& e) { e.vectors = {{}, {}}; },
      [](Embeddings& e) { e.vectors[1] = {1, 2, 3}; },
      [](Embeddings& e) { e.vectors[0][1] = std::numeric_limits<float>::quiet_NaN(); },
      [](Embeddings& e) { e.vectors[1][0] = std::numeric_limits<float>::infinity(); }};
  for (const auto& way : ways) {
    one.spoil = way;
    const auto got = embed("one/m", {"a", "b"});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code, Errc::bad_upstream);
    EXPECT_EQ(got.error().reason, "upstream_bad_reply");
  }
  one.spoil = nullptr;
  EXPECT_TRUE(embed("one/m", {"a", "b"}).ok());
}

/// A router that answers by rule.
class ScriptedModels final : public Models {
 public:
  explicit ScriptedModels(Clock& clock) : clock_(clock) {}
  Co<Result<Answer>> chat(ChatRequest, Deadline) override { co_return broken(); }
  Co<Result<Answer>> embed(EmbedRequest request, std::string model, Deadline by) override {
    calls.push_back(request.texts);
    models.push_back(model);
    most = std::max(most, ++running);
    const Duration shorter = std::min<Duration>(delay, by.left(clock_.now()));
    auto waited = co_await sleep(clock_, shorter);
    --running;
    if (!waited) co_return failure(Errc::cancelled, "");
    if (shorter < delay) co_return failure(Errc::deadline, "upstream_timeout");
    for (const auto& text : request.texts) {
      if (text.starts_with("bad")) co_return failure(Errc::invalid, "upstream_rejected");
      if (text.starts_with("down")) co_return broken();
    }
    Answer answer;
    answer.embeddings = std::make_unique<Embeddings>(embeddings_of(request));
    answer.embeddings->dimension = 2;
    if (wide) {
      for (auto& each : answer.embeddings->vectors) each.push_back(1);
    }
    co_return answer;
  }
  Co<Result<std::vector<ModelInfo>>> list(Deadline) override { co_return refused(); }
  std::vector<ProviderState> providers() const override { return {}; }
  std::size_t forget(TenantId) override { return 0; }
  Duration delay = 10ms;
  bool wide = false;
  std::vector<std::vector<std::string>> calls;
  std::vector<std::string> models;
  int running = 0;
  int most = 0;

 private:
  Clock& clock_;
};

class MapCache final : public storage::EmbeddingCache {
 public:
  Co<Result<std::vector<std::optional<std::vector<float>>>>> find(
      std::vector<storage::EmbeddingKey> keys, Deadline) override {
    if (fails) co_return broken();
    std::vector<std::optional<std::vector<float>>> out;
    for (const auto& key : keys) {
      const auto found = all.find(key);
      out.push_back(found == all.end() ? std::nullopt : std::optional(found->second));
    }
    co_return out;
  }
  Co<Status> keep(std::vector<storage::KeptEmbedding> embeddings, Deadline) override {
    if (fails) co_return broken();
    for (auto& each : embeddings) {
      all[each.key] = std::move(each.values);
      contents_kept.push_back(each.content);
    }
    co_return done();
  }
  Co<Result<storage::KeptContents>> contents(std::int64_t, WallTime, std::uint32_t,
                                             Deadline) override {
    co_return broken();
  }
  Co<Status> erase(std::vector<std::int64_t>, Deadline) override { co_return broken(); }
  std::map<storage::EmbeddingKey, std::vector<float>> all;
  std::vector<std::int64_t> contents_kept;
  bool fails = false;
};

struct Wanted {
  std::optional<Result<Embeddings>> got;
  asio::cancellation_signal signal;
  bool ok() const { return got && got->ok(); }
  std::string why() const { return !got ? "nothing" : got->ok() ? "" : got->error().reason; }
};

class EmbeddingDesks : public testing::Test {
 protected:
  void build() { desk = std::make_unique<EmbeddingDesk>(models, &cache, settings, clock, metrics); }
  Wanted& start(std::vector<std::string> texts, Duration within = 60s,
                EmbedPurpose purpose = EmbedPurpose::document) {
    if (!desk) build();
    EmbedWish wish;
    wish.model = "p/m";
    wish.texts = std::move(texts);
    wish.purpose = purpose;
    wanted.push_back(std::make_unique<Wanted>());
    Wanted& one = *wanted.back();
    asio::co_spawn(io, desk->embed(std::move(wish), Deadline::in(clock, within)),
                   asio::bind_cancellation_slot(
                       one.signal.slot(), [&one](std::exception_ptr thrown, Result<Embeddings> r) {
                         if (thrown) r = Error::log(Errc::cancelled, "thrown");
                         one.got.emplace(std::move(r));
                       }));
    return one;
  }
  void run(Duration d = 60s) { clock.run(d); }
  static void expect_vectors(const Wanted& one, const std::vector<std::string>& texts) {
    ASSERT_TRUE(one.ok()) << one.why();
    ASSERT_EQ((*one.got)->vectors.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ((*one.got)->vectors[i], vector_of(texts[i])) << i;
    }
  }
  asio::io_context io;
  SimClock clock{io};
  Metrics metrics;
  ScriptedModels models{clock};
  MapCache cache;
  EmbeddingSettings settings;
  std::unique_ptr<EmbeddingDesk> desk;
  std::vector<std::unique_ptr<Wanted>> wanted;
};

TEST_F(EmbeddingDesks, vectors_come_in_the_order_of_the_texts_and_are_kept) {
  const std::vector<std::string> texts = {"aaa", "b", "cc", "b"};
  auto& first = start(texts);
  run();
  expect_vectors(first, texts);
  EXPECT_EQ((*first.got)->dimension, 2U);
  EXPECT_EQ((*first.got)->tokens, 6U);
  ASSERT_EQ(models.calls.size(), 1U);
  EXPECT_EQ(models.calls[0].size(), 3U);  // the same text goes up once
  auto& second = start({"cc", "new"});
  run();
  expect_vectors(second, {"cc", "new"});
  EXPECT_EQ(models.calls.at(1), std::vector<std::string>{"new"});
  EXPECT_EQ((*second.got)->tokens, 3U);
  build();  // another generation: what is on the disk is still known
  auto& third = start(texts);
  run();
  expect_vectors(third, texts);
  EXPECT_EQ(models.calls.size(), 2U);
}

TEST_F(EmbeddingDesks, a_question_is_kept_in_memory_alone_and_apart_from_a_passage) {
  start({"q"}, 60s, EmbedPurpose::query);
  run();
  start({"q"}, 60s, EmbedPurpose::query);
  run();
  EXPECT_EQ(models.calls.size(), 1U);
  EXPECT_TRUE(cache.all.empty());
  start({"q"}, 60s, EmbedPurpose::document);
  run();
  EXPECT_EQ(models.calls.size(), 2U);
  EXPECT_EQ(cache.all.size(), 1U);
  EXPECT_EQ(cache.contents_kept, std::vector<std::int64_t>{storage::content_mark("q")});
}

TEST_F(EmbeddingDesks, identical_texts_of_many_callers_are_one_upstream) {
  std::vector<Wanted*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&start({"same", "own " + std::to_string(i)}));
  run();
  for (int i = 0; i < 20; ++i) {
    expect_vectors(*all[static_cast<std::size_t>(i)], {"same", "own " + std::to_string(i)});
  }
  std::size_t same = 0;
  for (const auto& call : models.calls) {
    same += static_cast<std::size_t>(std::count(call.begin(), call.end(), "same"));
  }
  EXPECT_EQ(same, 1U);
}

TEST_F(EmbeddingDesks, batches_are_bounded_in_texts_tokens_and_number) {
  settings.batch_max = 3;
  settings.batch_tokens = 20;
  settings.at_once = 2;
  std::vector<std::string> texts;
  for (int i = 0; i < 10; ++i) texts.push_back("t" + std::to_string(i));
  texts.emplace_back(200, 'x');  // more than batch_tokens by itself
  std::vector<Wanted*> all;
  all.push_back(&start(texts));
  for (int i = 0; i < 6; ++i) all.push_back(&start({"other " + std::to_string(i)}));
  run();
  for (const auto* each : all) EXPECT_TRUE(each->ok()) << each->why();
  expect_vectors(*all[0], texts);
  EXPECT_EQ(models.most, 2);
  for (const auto& call : models.calls) {
    EXPECT_LE(call.size(), 3U);
    if (call.size() > 1) {
      EXPECT_LT(call.front().size() + call.back().size(), 100U);
    }
  }
}

TEST_F(EmbeddingDesks, a_failing_call_fails_its_texts_callers_alone) {
  settings.batch_max = 2;
  settings.at_once = 1;
  auto& first = start({"good 1", "good 2"});
  auto& second = start({"down 1", "down 2"});
  auto& third = start({"good 3", "good 4"});
  run();
  expect_vectors(first, {"good 1", "good 2"});
  EXPECT_EQ(second.why(), "upstream_error");
  expect_vectors(third, {"good 3", "good 4"});
}

TEST_F(EmbeddingDesks, a_refused_text_does_not_fail_those_that_shared_its_call) {
  settings.at_once = 1;
  auto& head = start({"head"});  // the others wait behind it and share a call
  auto& good = start({"good"});
  auto& bad = start({"bad"});
  auto& fine = start({"fine"});
  run();
  EXPECT_TRUE(head.ok());
  expect_vectors(good, {"good"});
  expect_vectors(fine, {"fine"});
  EXPECT_EQ(bad.why(), "upstream_rejected");
  EXPECT_EQ(models.calls.at(1).size(), 3U);
}

TEST_F(EmbeddingDesks, texts_of_a_cancelled_leader_are_embedded_for_those_that_wait) {
  settings.at_once = 1;
  models.delay = 1s;
  auto& leader = start({"shared"});
  auto& follower = start({"shared", "more"});
  clock.advance(100ms);
  leader.signal.emit(asio::cancellation_type::terminal);
  run();
  EXPECT_FALSE(leader.ok());
  ASSERT_TRUE(leader.got);
  expect_vectors(follower, {"shared", "more"});
  auto& again = start({"shared"});
  run();
  EXPECT_TRUE(again.ok());
}

TEST_F(EmbeddingDesks, a_leader_out_of_time_does_not_take_the_others_with_it) {
  settings.at_once = 1;
  models.delay = 1s;
  auto& hasty = start({"shared"}, 300ms);
  auto& patient = start({"shared"}, 30s);
  run();
  EXPECT_EQ(hasty.why(), "upstream_timeout");
  expect_vectors(patient, {"shared"});
}

TEST_F(EmbeddingDesks, a_follower_out_of_time_leaves_the_others_alone) {
  models.delay = 1s;
  auto& patient = start({"a"}, 30s);
  auto& hasty = start({"a"}, 300ms);
  run();
  EXPECT_EQ(hasty.why(), "upstream_timeout");
  expect_vectors(patient, {"a"});
  EXPECT_EQ(models.calls.size(), 1U);
}

TEST_F(EmbeddingDesks, waiting_texts_are_bounded) {
  settings.waiting_max = 5;
  settings.batch_max = 1;
  settings.at_once = 1;
  models.delay = 1s;
  auto& running = start({"a"});
  auto& first = start({"b", "c", "d", "e"});
  auto& full = start({"f"});  // the fifth that waits
  auto& above = start({"g"});
  auto& shared = start({"b"});  // on its way already, but counted by its own
  run();
  EXPECT_TRUE(running.ok() && first.ok());
  EXPECT_TRUE(full.ok()) << full.why();
  EXPECT_EQ(above.why(), "embeddings_busy");
  EXPECT_TRUE(shared.got.has_value());
}

TEST_F(EmbeddingDesks, a_cache_that_fails_is_done_without) {
  cache.fails = true;
  auto& one = start({"a", "b"});
  run();
  expect_vectors(one, {"a", "b"});
}

TEST_F(EmbeddingDesks, a_model_that_became_another_is_asked_anew_for_all) {
  start({"a"});
  run();
  models.wide = true;
  auto& both = start({"a", "b"});
  run();
  ASSERT_TRUE(both.ok()) << both.why();
  EXPECT_EQ((*both.got)->dimension, 3U);
  EXPECT_EQ((*both.got)->vectors[0].size(), 3U);
}

TEST_F(EmbeddingDesks, kept_vectors_are_bounded_and_given_back) {
  settings.cache_memory = Bytes{1000};
  cache.fails = true;
  for (int i = 0; i < 20; ++i) {
    start({"text " + std::to_string(i)});
    run();
    EXPECT_LE(desk->cache_bytes(), 1000U);
  }
  const auto held = desk->cache_bytes();
  EXPECT_GT(held, 500U);
  EXPECT_GE(desk->shrink_cache(0.5), held / 2);
  EXPECT_LE(desk->cache_bytes(), held / 2);
  const auto calls = models.calls.size();
  start({"text 19"});
  run();
  EXPECT_EQ(models.calls.size(), calls);  // the latest stayed
}

}  // namespace
}  // namespace mainstay::models::test
