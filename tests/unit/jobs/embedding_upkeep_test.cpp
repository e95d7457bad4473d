// Kept embeddings of passages go with the last vector of their content, not before, not at once.
#include "jobs/embedding_upkeep.h"

#include "base/task_group.h"
#include "storage/memory/open.h"
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct EmbeddingUpkeepTest : JobsWorld {
  EmbeddingUpkeepTest()
      : group(clock, io.get_executor(), [](const auto&, const auto&) { ADD_FAILURE(); }) {}
  ~EmbeddingUpkeepTest() override {
    asio::co_spawn(io.get_executor(), group.close(), [](std::exception_ptr) {});
    clock.advance(0s);
  }
  static storage::EmbeddingKey key_of(std::uint8_t n) {
    storage::EmbeddingKey key{};
    key[0] = n;
    return key;
  }
  void keep(std::uint8_t n, std::int64_t content) {
    std::vector<storage::KeptEmbedding> some;
    some.push_back({key_of(n), {1, 0}, content});
    ASSERT_TRUE(run(cache().keep(std::move(some), soon())).ok());
  }
  bool kept(std::uint8_t n) {
    auto got = run(cache().find({key_of(n)}, soon()));
    return got.ok() && got->front().has_value();
  }
  /// A document of one passage with a vector of this content in the space.
  void document(const std::string& id, std::int64_t space, std::int64_t content) {
    storage::NewDocument made;
    made.id = DocumentId(id);
    made.collection = CollectionName("c");
    made.sha256 = "hash of " + id;
    made.chunks.push_back({"text of " + id, 0, 1, ""});
    auto added = run(stores->documents().add(tenant, std::move(made), soon()));
    ASSERT_TRUE(added.ok());
    std::vector<storage::NewVector> vectors;
    vectors.push_back({storage::chunk_number(added->document.number, 0), {1, 0}, content});
    ASSERT_TRUE(run(stores->vectors().put(space, std::move(vectors), soon())).ok());
  }
  storage::EmbeddingCache& cache() { return stores->embedding_cache(); }

  const TenantId tenant{"clinic"};
  std::unique_ptr<storage::Stores> stores = storage::memory::open(clock, {}, {}, {});
  TaskGroup group;
};

TEST_F(EmbeddingUpkeepTest, those_of_content_that_is_gone_go_within_hours) {
  auto space = run(stores->vectors().make("m", 2, soon()));
  ASSERT_TRUE(space.ok());
  document("stays", space->number, 11);
  document("goes", space->number, 22);
  keep(1, 11);
  keep(2, 22);
  keep(3, 0);
  int let_go = 0;
  group.spawn("keep", keep_embeddings(clock, *log, stores->vectors(), cache(), [&] { ++let_go; }));
  clock.advance(5h);
  EXPECT_EQ(let_go, 0);
  ASSERT_TRUE(run(stores->documents().erase(tenant, DocumentId("goes"), soon())).ok());
  while (*run(stores->documents().sweep(soon()))) {
  }
  EXPECT_TRUE(kept(2)) << "a document that is read anew finds it, and it counts as used now";
  clock.advance(59min);
  EXPECT_EQ(let_go, 0);
  clock.advance(3h);
  EXPECT_EQ(let_go, 1);
  EXPECT_FALSE(kept(2));
  EXPECT_TRUE(kept(1) && kept(3));
}

}  // namespace
}  // namespace mainstay::jobs
