// Passing over rows that cannot win must not change who wins.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "conformance/back_ends.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/document_search.h"

namespace mainstay::storage::sqlite {
namespace {

/// Words as a language has them: the n-th is as rare as n says.
std::string word(Random& random) {
  const auto at = static_cast<std::uint64_t>(
      std::exp(static_cast<double>(random.below(1'000'000)) / 1e6 * std::log(3000.0)));
  std::string out = "w";
  for (std::uint64_t left = at; left > 0; left /= 20) out += "bcdfghjklmnpqrstvwxz"[left % 20];
  return out;
}

std::string words(Random& random, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += word(random) + ' ';
  return out;
}

TEST(WordSearch, the_best_rows_are_those_that_a_look_at_every_row_finds) {
  constexpr std::size_t kChunks = 8000;
  SeededRandom random(51);
  Ground ground;
  TemporaryDir dir;
  auto stores = ground.open(dir.path());
  ASSERT_TRUE(stores.ok());
  const TenantId tenant("t");
  for (std::size_t at = 0; at < kChunks; at += 1000) {
    NewDocument document;
    document.id = DocumentId("d" + std::to_string(at));
    document.collection = CollectionName(at % 2000 == 0 ? "even" : "odd");
    document.sha256 = document.id.text();
    for (std::size_t i = at; i < at + 1000; ++i) {
      document.chunks.push_back({words(random, 5 + random.below(60)), i, i + 1, ""});
    }
    auto added = ground.run((*stores)->documents().add(tenant, std::move(document), ground.soon()));
    ASSERT_TRUE(added.ok()) << added.error().detail;
  }
  ASSERT_TRUE((*stores)->close().ok());
  Connection db(dir.path() + "/knowledge.db", Mode::read, std::chrono::seconds(5));
  for (int i = 0; i < 60; ++i) {
    PassageQuery asked;
    asked.tenant = tenant;
    asked.text = words(random, 1 + random.below(7));
    if (i % 3 == 0) asked.collection = CollectionName("odd");
    asked.limit = kChunks;  // so many that nothing is passed over
    const auto all = find_passages(db, asked).passages;
    for (const std::uint32_t limit : {1U, 10U}) {
      asked.limit = limit;
      const auto best = find_passages(db, asked).passages;
      ASSERT_EQ(best.size(), std::min<std::size_t>(limit, all.size())) << asked.text;
      for (std::size_t n = 0; n < best.size(); ++n) {
        EXPECT_EQ(best[n].number, all[n].number) << asked.text << " at " << n;
        EXPECT_DOUBLE_EQ(best[n].score, all[n].score) << asked.text;
      }
    }
  }
}

}  // namespace
}  // namespace mainstay::storage::sqlite
