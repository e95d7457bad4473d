// The cache's key, bounds and worth; the tape of a stream.
#include "models/cache.h"

#include <gtest/gtest.h>

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;

ChatRequest request(std::string body) {
  ChatRequest out;
  out.body = std::move(body);
  out.index();
  out.model = "m-1";
  out.tenant = TenantId("t-1");
  return out;
}

TEST(cache_key, blanks_and_the_user_do_not_matter) {
  const auto key = cache_key(request(R"({"messages":[{"role":"user","content":"a b"}],"n":1})"));
  EXPECT_EQ(key,
            cache_key(request(
                "{ \"messages\" : [ {\"role\":\"user\",\n\"content\":\"a b\"} ] , \"n\": 1 }")));
  EXPECT_EQ(
      key,
      cache_key(request(R"({"messages":[{"role":"user","content":"a b"}],"user":"u-9","n":1})")));
  EXPECT_EQ(
      key,
      cache_key(request(R"({"user":"u-8","messages":[{"role":"user","content":"a b"}],"n":1})")));
}

TEST(cache_key, everything_else_does) {
  const auto base = request(R"({"messages":[{"role":"user","content":"a b"}],"n":1})");
  const auto key = cache_key(base);
  EXPECT_NE(key, cache_key(request(R"({"messages":[{"role":"user","content":"a  b"}],"n":1})")));
  EXPECT_NE(key, cache_key(request(R"({"messages":[{"role":"user","content":"a b"}],"n":2})")));
  EXPECT_NE(
      key,
      cache_key(request(R"({"messages":[{"role":"user","content":"a b","user":"x"}],"n":1})")));
  EXPECT_NE(key,
            cache_key(request(R"({"messages":[{"role":"user","content":"a b"}],"n":1,"seed":4})")));
  auto changed = base;
  changed.index();
  changed.tenant = TenantId("t-2");
  EXPECT_NE(key, cache_key(changed));
  changed.tenant = base.tenant;
  EXPECT_EQ(key, cache_key(changed));
  changed.model = "m-2";
  EXPECT_NE(key, cache_key(changed));
  changed.model = base.model;
  changed.stream = true;
  EXPECT_NE(key, cache_key(changed));
  changed.stream = false;
  changed.collection = CollectionName("c-1");
  EXPECT_NE(key, cache_key(changed));
}

TEST(cache_key, tenant_and_model_do_not_run_into_each_other) {
  auto one = request("{}");
  one.tenant = TenantId("ab");
  one.model = "c";
  auto two = request("{}");
  two.tenant = TenantId("a");
  two.model = "bc";
  EXPECT_NE(cache_key(one), cache_key(two));
}

ChatChunk chunk(std::string json, bool token = true, bool finish = false) {
  ChatChunk out;
  out.json = std::move(json);
  out.token = token;
  out.finish = finish;
  return out;
}

TEST(chunk_tape, gives_back_exactly_what_was_put_in) {
  ChunkTape tape;
  std::vector<ChatChunk> in{chunk(R"({"id":"c-1","delta":{"role":"assistant"}})", false),
                            chunk(R"({"id":"c-1","delta":{"content":"Hel"}})"),
                            chunk(R"({"id":"c-1","delta":{"content":"lo"}})"),
                            chunk(R"({"id":"c-1","delta":{"content":"lolo"}})"),
                            chunk("aa"),
                            chunk("aaa"),
                            chunk("aa"),
                            chunk(""),
                            chunk(R"({"finish_reason":"stop"})", false, true)};
  in.back().usage = {21, 34, true};
  for (const auto& each : in) tape.append(each);
  tape.finish();
  ChunkTape::Cursor cursor;
  for (const auto& each : in) {
    const auto out = tape.read(cursor);
    EXPECT_EQ(out.json, each.json);
    EXPECT_EQ(out.token, each.token);
    EXPECT_EQ(out.finish, each.finish);
    EXPECT_EQ(out.usage.known, each.usage.known);
    EXPECT_EQ(out.usage.prompt, each.usage.prompt);
    EXPECT_EQ(out.usage.completion, each.usage.completion);
  }
  EXPECT_EQ(cursor.at, tape.size());
}

TEST(chunk_tape, any_common_front_and_back_is_found_whatever_its_length) {
  for (std::size_t front = 0; front <= 20; ++front) {
    for (std::size_t back = 0; back <= 20; ++back) {
      ChunkTape tape;
      std::vector<std::string> texts;
      for (const char* middle : {"", "A", "BC", "A", "AA", ""}) {
        texts.push_back(std::string(front, 'x') + middle + std::string(back, 'x'));
      }
      for (const auto& text : texts) tape.append(chunk(text));
      ChunkTape::Cursor cursor;
      for (const auto& text : texts)
        ASSERT_EQ(tape.read(cursor).json, text) << front << " " << back;
    }
  }
}

TEST(chunk_tape, keeps_a_stream_in_a_fraction_of_its_bytes) {
  ChunkTape tape;
  std::size_t raw = 0;
  for (int i = 0; i < 500; ++i) {
    const auto each = chunk(
        R"({"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"word)" +
        std::to_string(i) + R"("},"finish_reason":null}]})");
    raw += each.json.size();
    tape.append(each);
  }
  tape.finish();
  EXPECT_LT(tape.bytes() * 3, raw);
}

class cache : public ::testing::Test {
 protected:
  static CacheKey key(unsigned char n) {
    CacheKey out;
    out.bytes[0] = n;
    return out;
  }
  CachedAnswer answer(std::size_t size, Duration cost = 1s, const char* tenant = "t-1") {
    CachedAnswer out;
    out.body = std::string(size, 'x');
    out.tenant = TenantId(tenant);
    out.stored = now;
    out.cost = cost;
    return out;
  }
  ResponseCache& it() {
    if (!made) made = std::make_unique<ResponseCache>(settings, metrics);
    return *made;
  }
  bool has(unsigned char n) { return it().find(key(n), now, std::nullopt).answer != nullptr; }
  std::uint64_t evicted(const char* reason) {
    return metrics
        .counter("mainstay_cache_evictions_total", "Answers dropped from the response cache",
                 {{"reason", reason}})
        .value();
  }
  static constexpr std::size_t kOver = ResponseCache::kEntryOverhead;
  CacheSettings settings;
  Metrics metrics;
  std::unique_ptr<ResponseCache> made;
  TimePoint now{1000s};
};

// proves Z3: the bound in bytes, at -1, 0 and +1
TEST_F(cache, holds_exactly_its_bytes_and_not_one_more) {
  settings.size_max = Bytes{2 * (1000 + kOver)};
  settings.entry_max = Bytes{2000};
  it().put(key(1), answer(1000));
  it().put(key(2), answer(999));
  EXPECT_EQ(it().entries(), 2U);
  it().put(key(2), answer(1000));
  EXPECT_EQ(it().entries(), 2U);
  EXPECT_EQ(it().bytes(), settings.size_max.value);
  it().put(key(2), answer(1001));
  EXPECT_EQ(it().entries(), 1U);
  EXPECT_TRUE(has(2));
  EXPECT_LE(it().bytes(), settings.size_max.value);
}

TEST_F(cache, an_answer_above_the_largest_entry_is_not_kept) {
  settings.entry_max = Bytes{100};
  it().put(key(1), answer(99));
  it().put(key(2), answer(100));
  it().put(key(3), answer(101));
  EXPECT_TRUE(has(1));
  EXPECT_TRUE(has(2));
  EXPECT_FALSE(has(3));
}

TEST_F(cache, an_answer_lives_for_its_ttl) {
  it().put(key(1), answer(10));
  now += settings.ttl - 1ns;
  EXPECT_TRUE(has(1));
  now += 1ns;
  EXPECT_FALSE(has(1));
  EXPECT_EQ(it().entries(), 0U);
  EXPECT_EQ(evicted("age"), 1U);
}

TEST_F(cache, max_age_is_a_narrower_ttl) {
  it().put(key(1), answer(10));
  now += 10s;
  EXPECT_TRUE(it().find(key(1), now, 10s).answer);
  EXPECT_FALSE(it().find(key(1), now + 1ns, 10s).answer);
  EXPECT_TRUE(has(1));
}

TEST_F(cache, a_stale_answer_is_kept_only_when_asked_for) {
  it().put(key(1), answer(10));
  now += settings.ttl;
  EXPECT_FALSE(it().find_stale(key(1), now).answer);
  settings.stale_if_error = true;
  made.reset();
  it().put(key(2), answer(10));
  now += settings.ttl;
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(it().find_stale(key(2), now).answer);
  now += settings.stale_max;
  EXPECT_FALSE(it().find_stale(key(2), now).answer);
  it().expire(now);
  EXPECT_EQ(it().entries(), 0U);
}

TEST_F(cache, the_cheap_and_long_unused_leave_first) {
  settings.size_max = Bytes{3 * (100 + kOver)};
  settings.entry_max = Bytes{100};
  it().put(key(1), answer(100, 60s));  // took a minute to get
  it().put(key(2), answer(100, 10ms));
  it().put(key(3), answer(100, 20ms));
  it().put(key(4), answer(100, 15ms));
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  for (unsigned char n = 5; n < 200; ++n) it().put(key(n), answer(100, 10ms));
  EXPECT_TRUE(has(1));
  EXPECT_GT(evicted("size"), 100U);
}

TEST_F(cache, even_the_dearest_leaves_when_never_used_again) {
  settings.size_max = Bytes{3 * (100 + kOver)};
  settings.entry_max = Bytes{100};
  it().put(key(1), answer(100, 1s));
  for (int n = 0; n < 400; ++n) {
    it().put(key(static_cast<unsigned char>(2 + n % 200)), answer(100, 100ms));
  }
  EXPECT_FALSE(has(1));
}

TEST_F(cache, forgetting_one_tenant_leaves_the_others) {
  it().put(key(1), answer(10, 1s, "t-1"));
  it().put(key(2), answer(10, 1s, "t-2"));
  it().put(key(3), answer(10, 1s, "t-2"));
  EXPECT_EQ(it().forget(TenantId("t-2")), 2U);
  EXPECT_TRUE(has(1));
  EXPECT_EQ(it().forget(TenantId()), 1U);
  EXPECT_EQ(it().bytes(), 0U);
}

TEST_F(cache, gives_memory_back_under_pressure) {
  for (unsigned char n = 0; n < 100; ++n) it().put(key(n), answer(1000));
  const auto before = it().bytes();
  const auto freed = it().shrink(0.5);
  EXPECT_GE(freed, before / 2);
  EXPECT_EQ(it().bytes(), before - freed);
  EXPECT_EQ(it().shrink(1.0), before - freed);
  EXPECT_EQ(it().entries(), 0U);
  EXPECT_EQ(evicted("pressure"), 100U);
}

}  // namespace
}  // namespace mainstay::models
