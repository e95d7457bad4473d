// What every back end of kept embeddings must do.
#include "storage/embedding_cache.h"

#include <utility>

#include "conformance/back_ends.h"
#include "storage/sqlite/embedding_cache.h"
#include "storage/sqlite/schema.h"

namespace mainstay::storage {
namespace {

EmbeddingKey key_of(int n) {
  EmbeddingKey key{};
  key[0] = static_cast<std::uint8_t>(n);
  key[1] = static_cast<std::uint8_t>(n >> 8);
  key[31] = 7;
  return key;
}

class EmbeddingCacheFace : public testing::TestWithParam<const char*> {
 protected:
  EmbeddingCache& face() { return back_end_->stores().embedding_cache(); }
  void keep(int from, int to) {
    std::vector<KeptEmbedding> some;
    for (int i = from; i < to; ++i) some.push_back({key_of(i), {1.5F, static_cast<float>(i)}});
    ASSERT_TRUE(ground_.run(face().keep(std::move(some), ground_.soon())).ok());
  }
  std::vector<std::optional<std::vector<float>>> find(const std::vector<int>& wanted) {
    std::vector<EmbeddingKey> keys;
    for (const int n : wanted) keys.push_back(key_of(n));
    auto got = ground_.run(face().find(std::move(keys), ground_.soon()));
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : std::vector<std::optional<std::vector<float>>>();
  }
  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
};
INSTANTIATE_TEST_SUITE_P(Over, EmbeddingCacheFace, testing::ValuesIn(kBackEnds), back_end_name);

TEST_P(EmbeddingCacheFace, what_was_kept_is_found_by_its_key) {
  keep(1, 4);
  keep(2, 6);  // again: nothing changes
  const auto got = find({5, 9, 1, 5});
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[0], (std::vector<float>{1.5F, 5}));
  EXPECT_FALSE(got[1].has_value());
  EXPECT_EQ(got[2], (std::vector<float>{1.5F, 1}));
  EXPECT_EQ(got[3], got[0]);
  EXPECT_TRUE(find({}).empty());
}

TEST_P(EmbeddingCacheFace, those_of_passages_are_listed_when_nobody_used_them_and_erased) {
  const auto listed = [&](WallTime::duration ago, std::uint32_t limit) {
    std::vector<std::int64_t> out;
    std::int64_t after = 0;
    for (bool last = false; !last;) {
      auto slice =
          ground_.run(face().contents(after, ground_.clock.wall() - ago, limit, ground_.soon()));
      EXPECT_TRUE(slice.ok()) << (slice.ok() ? "" : slice.error().detail);
      if (!slice.ok()) return out;
      for (const auto& each : slice->rows) out.push_back(each.content);
      EXPECT_GE(slice->upto, after);
      after = slice->upto;
      last = slice->last;
    }
    return out;
  };
  std::vector<KeptEmbedding> some;
  for (int i = 1; i <= 5; ++i) some.push_back({key_of(i), {1, 2}, i == 3 ? 0 : i * 11});
  ASSERT_TRUE(ground_.run(face().keep(std::move(some), ground_.soon())).ok());
  const WallTime::duration hour = std::chrono::hours(1);
  EXPECT_TRUE(listed(hour, 100).empty());
  ground_.clock.move(std::chrono::hours(3));
  using Contents = std::vector<std::int64_t>;
  EXPECT_EQ(listed(hour, 100), (Contents{11, 22, 44, 55}));
  EXPECT_EQ(listed(hour, 2), (Contents{11, 22, 44, 55}));
  auto slice = ground_.run(face().contents(0, ground_.clock.wall() - hour, 9, ground_.soon()));
  ASSERT_TRUE(slice.ok() && slice->rows.size() == 4);
  const auto row = slice->rows[2].row;
  ASSERT_TRUE(ground_.run(face().erase({row, row, 4711}, ground_.soon())).ok());
  EXPECT_EQ(listed(hour, 3), (Contents{11, 22, 55}));
  EXPECT_FALSE(find({4})[0].has_value());
  EXPECT_TRUE(find({5})[0].has_value());
}

TEST(SqliteEmbeddings, a_use_counts_once_it_is_written_down_with_the_next_keep) {
  Ground ground;
  TemporaryDir dir;
  auto opened = ground.open(dir.path() + "/data");
  ASSERT_TRUE(opened.ok());
  EmbeddingCache& cache = (*opened)->embedding_cache();
  const auto keep = [&](int n) {
    std::vector<KeptEmbedding> one;
    one.push_back({key_of(n), {1, 2}, n});
    EXPECT_TRUE(ground.run(cache.keep(std::move(one), ground.soon())).ok());
  };
  const auto unused = [&] {
    const WallTime since = ground.clock.wall() - std::chrono::hours(1);
    auto slice = ground.run(cache.contents(0, since, 9, ground.soon()));
    return slice.ok() ? slice->rows.size() : 99;
  };
  keep(1);
  keep(2);
  ground.clock.move(std::chrono::hours(3));
  EXPECT_EQ(unused(), 2U);
  EXPECT_TRUE(ground.run(cache.find({key_of(2)}, ground.soon())).ok());
  keep(3);
  EXPECT_EQ(unused(), 1U);
}

TEST(SqliteEmbeddings, the_least_lately_used_go_when_there_are_too_many) {
  Ground ground;
  TemporaryDir dir;
  VectorLimits limits;
  limits.cache_entries = 600;
  auto opened = sqlite::open(ground.settings, dir.path() + "/data", ground.clock, ground.random,
                             *ground.log, ground.metrics, {}, {}, limits);
  ASSERT_TRUE(opened.ok());
  EmbeddingCache& cache = (*opened)->embedding_cache();
  const auto keep = [&](int from, int to) {
    std::vector<KeptEmbedding> some;
    for (int i = from; i < to; ++i) some.push_back({key_of(i), {1, 2}});
    EXPECT_TRUE(ground.run(cache.keep(std::move(some), ground.soon())).ok());
  };
  const auto known = [&](int n) {
    auto got = ground.run(cache.find({key_of(n)}, ground.soon()));
    return got.ok() && got->front().has_value();
  };
  keep(0, 600);
  EXPECT_TRUE(known(0) && known(599));
  ground.clock.move(std::chrono::hours(3));
  EXPECT_TRUE(known(1));  // used now; written down with the next keep
  keep(600, 601);
  EXPECT_TRUE(known(1));
  EXPECT_TRUE(known(600));
  EXPECT_FALSE(known(0));
  EXPECT_FALSE(known(256));
  EXPECT_TRUE(known(599));
}

}  // namespace
}  // namespace mainstay::storage
