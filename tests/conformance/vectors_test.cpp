// What every back end of vectors must do.
#include "storage/vectors.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "conformance/back_ends.h"
#include "storage/sqlite/embedding_cache.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/vector_rows.h"
#include "storage/vector_math.h"

namespace mainstay::storage {
namespace {

class VectorsFace : public testing::TestWithParam<const char*> {
 protected:
  Vectors& face() { return back_end_->stores().vectors(); }
  Documents& documents() { return back_end_->stores().documents(); }
  /// A document of `chunks` chunks; gives its number.
  std::int64_t add(const std::string& id, std::uint64_t chunks, const TenantId& tenant) {
    NewDocument out;
    out.id = DocumentId(id);
    out.collection = CollectionName("notes");
    out.title = "Title of " + id;
    out.sha256 = "hash of " + id;
    for (std::uint64_t i = 0; i < chunks; ++i) {
      out.chunks.push_back({"text " + std::to_string(i) + " of " + id, i * 10, i * 10 + 9,
                            "Heading " + std::to_string(i)});
    }
    auto added = ground_.run(documents().add(tenant, std::move(out), ground_.soon()));
    EXPECT_TRUE(added.ok()) << (added.ok() ? "" : added.error().detail);
    return added.ok() ? added->document.number : 0;
  }
  std::int64_t add(const std::string& id, std::uint64_t chunks) { return add(id, chunks, clinic_); }
  void erase(const std::string& id) {
    ASSERT_TRUE(ground_.run(documents().erase(clinic_, DocumentId(id), ground_.soon())).ok());
    for (bool more = true; more;) {
      auto swept = ground_.run(documents().sweep(ground_.soon()));
      ASSERT_TRUE(swept.ok());
      more = *swept;
    }
  }
  VectorSpace make(const std::string& model, std::uint32_t dimension) {
    auto made = ground_.run(face().make(model, dimension, ground_.soon()));
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().detail);
    return made.ok() ? *made : VectorSpace();
  }
  std::string put(std::int64_t space, std::vector<NewVector> vectors) {
    auto stored = ground_.run(face().put(space, std::move(vectors), ground_.soon()));
    if (!stored.ok()) return stored.error().reason;
    return std::to_string(*stored);
  }
  Result<std::vector<std::vector<VectorHit>>> search(std::int64_t space,
                                                     std::vector<std::vector<float>> queries,
                                                     std::vector<std::int64_t> among,
                                                     std::uint32_t nearest = 10) {
    VectorSearch asked;
    asked.space = space;
    asked.queries = std::move(queries);
    asked.documents = std::make_shared<const DocumentSet>(std::move(among));
    asked.nearest = nearest;
    return ground_.run(face().search(std::move(asked), ground_.soon()));
  }
  std::vector<std::int64_t> found(std::int64_t space, const std::vector<float>& query,
                                  std::vector<std::int64_t> among, std::uint32_t nearest = 10) {
    auto got = search(space, {query}, std::move(among), nearest);
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.error().detail);
    std::vector<std::int64_t> out;
    if (!got.ok()) return out;
    for (const auto& hit : got->front()) out.push_back(hit.chunk);
    return out;
  }
  std::vector<std::int64_t> missing(std::int64_t space, std::int64_t after = 0,
                                    std::uint32_t limit = 100) {
    auto got = ground_.run(face().missing(space, after, limit, ground_.soon()));
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.error().detail);
    std::vector<std::int64_t> out;
    if (!got.ok()) return out;
    for (const auto& each : *got) out.push_back(each.chunk);
    return out;
  }
  std::vector<VectorSpace> spaces() {
    auto got = ground_.run(face().spaces(ground_.soon()));
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : std::vector<VectorSpace>();
  }

  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
  const TenantId clinic_{"clinic"};
  const TenantId school_{"school"};
};
INSTANTIATE_TEST_SUITE_P(Over, VectorsFace, testing::ValuesIn(kTalkBackEnds), back_end_name);

TEST_P(VectorsFace, the_nearest_are_found_best_first_with_their_cosines) {
  const auto d = add("one", 3);
  const auto space = make("local/small", 2);
  EXPECT_EQ(space.state, SpaceState::building);
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {1, 0}},
                               {chunk_number(d, 1), {3, 4}},  // of any length
                               {chunk_number(d, 2), {0, 2}}}),
            "3");
  auto got = search(space.number, {{2, 0}, {0, 1}}, {d}, 2);
  ASSERT_TRUE(got.ok()) << got.error().detail;
  ASSERT_EQ(got->size(), 2U);
  ASSERT_EQ((*got)[0].size(), 2U);
  EXPECT_EQ((*got)[0][0].chunk, chunk_number(d, 0));
  EXPECT_NEAR((*got)[0][0].score, 1, 1e-6);
  EXPECT_EQ((*got)[0][1].chunk, chunk_number(d, 1));
  EXPECT_NEAR((*got)[0][1].score, 0.6, 1e-6);
  EXPECT_EQ((*got)[1][0].chunk, chunk_number(d, 2));
  EXPECT_EQ((*got)[1][1].chunk, chunk_number(d, 1));
  EXPECT_NEAR((*got)[1][1].score, 0.8, 1e-6);
}

// Codes tell near from far, floats decide: the order is that of the floats.
TEST_P(VectorsFace, the_nearest_of_many_are_those_of_the_floats) {
  constexpr std::size_t kRows = 400;
  constexpr std::size_t kDimension = 24;
  SeededRandom random(61);
  const auto any = [&random](float around) {
    std::vector<float> out(kDimension);
    for (auto& each : out) {
      each = around + static_cast<float>(random.below(2001)) / 1000.0F - 1.0F;
    }
    to_unit_length(out);
    return out;
  };
  const auto d = add("many", kRows);
  const auto space = make("m", kDimension);
  std::vector<std::vector<float>> rows;
  std::vector<NewVector> vectors;
  for (std::size_t i = 0; i < kRows; ++i) {
    rows.push_back(any(2));  // all within a small angle, where codes err as much as rows differ
    vectors.push_back({chunk_number(d, i), rows.back()});
  }
  ASSERT_EQ(put(space.number, std::move(vectors)), "400");
  for (int asked = 0; asked < 20; ++asked) {
    const auto query = any(2);
    std::vector<std::pair<float, std::int64_t>> exact;
    for (std::size_t i = 0; i < kRows; ++i) {
      exact.emplace_back(-dot(query.data(), rows[i].data(), kDimension), chunk_number(d, i));
    }
    std::sort(exact.begin(), exact.end());
    std::vector<std::int64_t> nearest;
    for (std::size_t i = 0; i < 10; ++i) nearest.push_back(exact[i].second);
    EXPECT_EQ(found(space.number, query, {d}), nearest) << asked;
  }
}

TEST_P(VectorsFace, only_the_documents_of_the_filter_are_looked_at) {
  const auto a = add("a", 60);
  const auto b = add("b", 2, school_);
  const auto space = make("m", 2);
  std::vector<NewVector> near;
  for (std::uint64_t i = 0; i < 60; ++i) near.push_back({chunk_number(a, i), {1, 0}});
  EXPECT_EQ(put(space.number, std::move(near)), "60");
  EXPECT_EQ(put(space.number, {{chunk_number(b, 0), {-1, 0}}, {chunk_number(b, 1), {0, 1}}}), "2");
  // All sixty are nearer: a filter after the ranking would leave nothing.
  EXPECT_EQ(found(space.number, {1, 0}, {b}),
            (std::vector<std::int64_t>{chunk_number(b, 1), chunk_number(b, 0)}));
  EXPECT_EQ(found(space.number, {1, 0}, {a, b}, 62).size(), 62U);
  EXPECT_TRUE(found(space.number, {1, 0}, {}).empty());
  VectorSearch nobodys;
  nobodys.space = space.number;
  nobodys.queries = {{1, 0}};
  auto got = ground_.run(face().search(nobodys, ground_.soon()));
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->front().empty());
}

TEST_P(VectorsFace, a_vector_put_again_takes_the_place_of_the_older_one) {
  const auto d = add("one", 2);
  const auto space = make("m", 2);
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {1, 0}}, {chunk_number(d, 1), {0, 1}}}), "2");
  EXPECT_EQ(found(space.number, {1, 0}, {d}, 1).at(0), chunk_number(d, 0));
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {-1, 0}}, {chunk_number(d, 0), {0, -1}}}), "2");
  EXPECT_EQ(found(space.number, {0, -1}, {d}),
            (std::vector<std::int64_t>{chunk_number(d, 0), chunk_number(d, 1)}));
  EXPECT_EQ(spaces().at(0).vectors, 2U);
}

TEST_P(VectorsFace, missing_chunks_are_listed_with_what_is_to_be_embedded) {
  const auto a = add("a", 3);
  const auto b = add("b", 2);
  const auto space = make("m", 2);
  EXPECT_EQ(missing(space.number).size(), 5U);
  EXPECT_EQ(put(space.number, {{chunk_number(a, 1), {1, 0}}}), "1");
  const std::vector<std::int64_t> left = {chunk_number(a, 0), chunk_number(a, 2),
                                          chunk_number(b, 0), chunk_number(b, 1)};
  EXPECT_EQ(missing(space.number), left);
  EXPECT_EQ(missing(space.number, left[0]), (std::vector<std::int64_t>{left[1], left[2], left[3]}));
  EXPECT_EQ(missing(space.number, left[1], 1), (std::vector<std::int64_t>{left[2]}));
  EXPECT_TRUE(missing(space.number, left[3]).empty());
  auto got = ground_.run(face().missing(space.number, left[2], 1, ground_.soon()));
  ASSERT_TRUE(got.ok() && got->size() == 1);
  EXPECT_EQ(got->front().title, "Title of b");
  EXPECT_EQ(got->front().heading, "Heading 1");
  EXPECT_EQ(got->front().text, "text 1 of b");
}

TEST_P(VectorsFace, vectors_go_with_their_document) {
  const auto a = add("a", 40);
  const auto b = add("b", 1);
  const auto space = make("m", 2);
  std::vector<NewVector> vectors;
  for (std::uint64_t i = 0; i < 40; ++i) vectors.push_back({chunk_number(a, i), {1, 0}});
  vectors.push_back({chunk_number(b, 0), {0, 1}});
  EXPECT_EQ(put(space.number, vectors), "41");
  EXPECT_EQ(found(space.number, {1, 0}, {a, b}, 1).size(), 1U);
  erase("a");
  EXPECT_EQ(found(space.number, {1, 0}, {a, b}), (std::vector<std::int64_t>{chunk_number(b, 0)}));
  EXPECT_EQ(spaces().at(0).vectors, 1U);
  EXPECT_EQ(put(space.number, vectors), "1");  // those of chunks that are gone are left out
  EXPECT_TRUE(missing(space.number).empty());
}

TEST_P(VectorsFace, a_search_names_its_space_by_model_and_dimension_too) {
  const auto a = add("a", 2);
  const auto two = make("m", 2);
  make("m", 3);
  EXPECT_EQ(put(two.number, {{chunk_number(a, 0), {1, 0}}, {chunk_number(a, 1), {0, 1}}}), "2");
  const auto ask = [&](const std::string& model, std::vector<float> query) {
    VectorSearch asked;
    asked.model = model;
    asked.queries = {std::move(query)};
    asked.documents = std::make_shared<const DocumentSet>(std::vector<std::int64_t>{a});
    asked.nearest = 1;
    auto got = ground_.run(face().search(std::move(asked), ground_.soon()));
    if (!got.ok()) return got.error().reason;
    return std::to_string(got->front().empty() ? 0 : got->front().front().chunk);
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask("m", {0, 1}), std::to_string(chunk_number(a, 1)));
    EXPECT_EQ(ask("m", {0, 1, 0}), "0");
    EXPECT_EQ(ask("m", {1}), "vector_dimension");
    EXPECT_EQ(ask("other", {1, 0}), "unknown_vector_space");
  }
  EXPECT_EQ(put(two.number, {{chunk_number(a, 1), {1, 0}}, {chunk_number(a, 0), {0, 1}}}), "2");
  EXPECT_EQ(ask("m", {0, 1}), std::to_string(chunk_number(a, 0)));
  ASSERT_TRUE(ground_.run(face().drop(two.number, ground_.soon())).ok());
  EXPECT_EQ(ask("m", {0, 1}), "vector_dimension");
  EXPECT_NE(make("m", 2).number, two.number);
  EXPECT_EQ(ask("m", {0, 1}), "0");
}

TEST_P(VectorsFace, a_content_is_in_use_as_long_as_some_vector_has_it) {
  const auto a = add("a", 2);
  const auto b = add("b", 1);
  const auto first = make("m", 2);
  const auto second = make("n", 2);
  const auto in_use = [&] {
    auto got = ground_.run(face().contents_in_use({7, 8, 9, -10}, ground_.soon()));
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.error().detail);
    std::set<std::int64_t> out;
    if (got.ok()) out.insert(got->begin(), got->end());
    return out;
  };
  using Contents = std::set<std::int64_t>;
  EXPECT_EQ(in_use(), Contents{});
  EXPECT_EQ(put(first.number, {{chunk_number(a, 0), {1, 0}, 7},
                               {chunk_number(a, 1), {1, 1}, 8},
                               {chunk_number(b, 0), {0, 1}, 7}}),
            "3");
  EXPECT_EQ(put(second.number, {{chunk_number(a, 1), {1, 1}, -10}, {chunk_number(b, 0), {1, 0}}}),
            "2");
  EXPECT_EQ(in_use(), (Contents{-10, 7, 8}));
  EXPECT_EQ(put(first.number, {{chunk_number(a, 1), {1, 1}, 9}}), "1");
  EXPECT_EQ(in_use(), (Contents{-10, 7, 9}));
  erase("a");
  EXPECT_EQ(in_use(), Contents{7});
  ASSERT_TRUE(ground_.run(face().drop(first.number, ground_.soon())).ok());
  EXPECT_EQ(in_use(), Contents{});
  auto none = ground_.run(face().contents_in_use({}, ground_.soon()));
  EXPECT_TRUE(none.ok() && none->empty());
}

TEST_P(VectorsFace, one_space_serves_while_the_next_is_filled) {
  const auto d = add("one", 1);
  const auto first = make("m", 2);
  const auto second = make("m", 3);
  EXPECT_NE(first.number, second.number);
  EXPECT_EQ(make("m", 2).number, first.number);
  EXPECT_NE(make("n", 2).number, first.number);
  ASSERT_TRUE(ground_.run(face().serve(first.number, ground_.soon())).ok());
  EXPECT_EQ(put(first.number, {{chunk_number(d, 0), {1, 0}}}), "1");
  EXPECT_EQ(put(second.number, {{chunk_number(d, 0), {0, 0, 1}}}), "1");
  EXPECT_EQ(found(first.number, {1, 0}, {d}).size(), 1U);
  EXPECT_EQ(found(second.number, {0, 0, 1}, {d}).size(), 1U);
  ASSERT_TRUE(ground_.run(face().serve(second.number, ground_.soon())).ok());
  auto all = spaces();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].state, SpaceState::building);
  EXPECT_EQ(all[1].state, SpaceState::serving);
  EXPECT_EQ(all[1].dimension, 3U);
  EXPECT_EQ(all[1].model, "m");
  EXPECT_EQ(all[1].vectors, 1U);
  ASSERT_TRUE(ground_.run(face().drop(first.number, ground_.soon())).ok());
  EXPECT_EQ(spaces().size(), 2U);
  auto gone = search(first.number, {{1, 0}}, {d});
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().reason, "unknown_vector_space");
  EXPECT_EQ(found(second.number, {0, 0, 1}, {d}).size(), 1U);
}

TEST_P(VectorsFace, dropping_takes_all_vectors_of_a_large_space_and_no_others) {
  const auto d = add("one", 1300);
  const auto space = make("m", 2);
  const auto other = make("n", 2);
  std::vector<NewVector> vectors;
  for (std::uint64_t i = 0; i < 1300; ++i) {
    vectors.push_back({chunk_number(d, i), {1, static_cast<float>(i)}});
  }
  EXPECT_EQ(put(space.number, vectors), "1300");
  EXPECT_EQ(put(other.number, vectors), "1300");
  EXPECT_EQ(found(other.number, {1, 0}, {d}, 1000).size(), 1000U);
  ASSERT_TRUE(ground_.run(face().drop(space.number, ground_.soon())).ok());
  EXPECT_EQ(spaces().size(), 1U);
  EXPECT_EQ(spaces().at(0).vectors, 1300U);
  const auto again = make("m", 2);
  EXPECT_EQ(again.vectors, 0U);
  EXPECT_TRUE(found(again.number, {1, 0}, {d}).empty());
  EXPECT_EQ(found(other.number, {1, 0}, {d}, 1000).size(), 1000U);
}

TEST_P(VectorsFace, wrong_arguments_are_named) {
  const auto d = add("one", 1);
  const auto space = make("m", 2);
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {1}}}), "vector_dimension");
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {1, 2, 3}}}), "vector_dimension");
  EXPECT_EQ(put(space.number, {{chunk_number(d, 0), {1, infinite}}}), "vector_not_finite");
  EXPECT_EQ(put(space.number + 7, {{chunk_number(d, 0), {1, 2}}}), "unknown_vector_space");
  EXPECT_EQ(put(space.number, {}), "0");
  const auto refused = [&](std::vector<std::vector<float>> queries) {
    auto got = search(space.number, std::move(queries), {d});
    return got.ok() ? std::string("ok") : got.error().reason;
  };
  EXPECT_EQ(refused({{1}}), "vector_dimension");
  EXPECT_EQ(refused({{1, 2}, {infinite, 0}}), "vector_not_finite");
  EXPECT_EQ(refused({}), "ok");
  EXPECT_EQ(refused(std::vector<std::vector<float>>(kVectorQueriesMax, {1, 0})), "ok");
  EXPECT_EQ(refused(std::vector<std::vector<float>>(kVectorQueriesMax + 1, {1, 0})), "too_many");
  for (const std::uint32_t dimension : {0U, kDimensionMax + 1}) {
    auto made = ground_.run(face().make("m", dimension, ground_.soon()));
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().reason, "vector_dimension");
  }
  EXPECT_EQ(make("m", 1).dimension, 1U);
  EXPECT_EQ(make("m", kDimensionMax).dimension, kDimensionMax);
  for (auto unknown : {ground_.run(face().serve(99, ground_.soon())),
                       ground_.run(face().drop(99, ground_.soon()))}) {
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().reason, "unknown_vector_space");
  }
}

// The same steps on the back end and on plain maps, some of the calls failing before they do
// anything or after.
TEST_P(VectorsFace, failing_calls_leave_what_was_stored_or_not_and_nothing_else) {
  SeededRandom random(77);
  std::vector<std::int64_t> all;
  std::map<std::int64_t, std::string> names;
  const auto add_one = [&](int n) {
    const std::string id = "d" + std::to_string(n);
    const auto number_of = add(id, 6);
    names[number_of] = id;
    return number_of;
  };
  for (int i = 0; i < 4; ++i) all.push_back(add_one(i));
  const auto space = make("m", 3);
  std::map<std::int64_t, std::vector<float>> model;
  const auto number = [&] { return static_cast<float>(random.below(7)) - 3; };
  for (int step = 0; step < 60; ++step) {
    std::vector<NewVector> some;
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      const auto d = all[static_cast<std::size_t>(random.below(all.size()))];
      some.push_back({chunk_number(d, random.below(6)), {number(), number(), number()}});
    }
    const auto fate = random.below(4);
    if (fate == 1) some.front().values.pop_back();  // refused as a whole
    auto stored = ground_.run(face().put(space.number, some, ground_.soon()));
    EXPECT_EQ(stored.ok(), fate != 1);
    if (fate == 2) stored = ground_.run(face().put(space.number, some, ground_.soon()));  // again
    if (stored.ok()) {
      for (const auto& each : some) model[each.chunk] = each.values;
    }
    if (step % 9 == 8) {
      auto& place = all[static_cast<std::size_t>(random.below(all.size()))];
      const auto gone = std::exchange(place, add_one(100 + step));
      std::sort(all.begin(), all.end());
      erase(names.at(gone));
      std::erase_if(model, [&](const auto& each) { return document_number(each.first) == gone; });
    }
    const std::vector<float> query = {number(), 1, number()};
    auto got = search(space.number, {query}, all, 100);
    ASSERT_TRUE(got.ok()) << got.error().detail;
    std::set<std::int64_t> chunks;
    for (const auto& hit : got->front()) {
      chunks.insert(hit.chunk);
      auto a = query;
      auto b = model.at(hit.chunk);
      to_unit_length(a);
      to_unit_length(b);
      EXPECT_NEAR(hit.score, dot(a.data(), b.data(), 3), 1e-5);
    }
    ASSERT_EQ(chunks.size(), model.size()) << step;
  }
}

// Rows of an index that does not fit are told of; nothing partial is given.
TEST(SqliteVectorMemory, an_index_that_does_not_fit_is_an_error_and_fits_when_there_is_less) {
  Ground ground;
  TemporaryDir dir;
  VectorLimits limits;
  limits.memory = 64 << 10;
  auto opened = sqlite::open(ground.settings, dir.path() + "/data", ground.clock, ground.random,
                             *ground.log, ground.metrics, {}, {}, limits);
  ASSERT_TRUE(opened.ok());
  Stores& stores = **opened;
  const TenantId tenant("t");
  std::vector<std::int64_t> numbers;
  auto space = ground.run(stores.vectors().make("m", 64, ground.soon()));
  ASSERT_TRUE(space.ok());
  for (int i = 0; i < 4; ++i) {
    NewDocument document;
    document.id = DocumentId("d" + std::to_string(i));
    document.collection = CollectionName("c");
    document.sha256 = "h" + std::to_string(i);
    for (int k = 0; k < 200; ++k) document.chunks.push_back({"x", 0, 1, ""});
    auto added = ground.run(stores.documents().add(tenant, std::move(document), ground.soon()));
    ASSERT_TRUE(added.ok());
    numbers.push_back(added->document.number);
    std::vector<NewVector> vectors;
    for (std::uint64_t k = 0; k < 200; ++k) {
      vectors.push_back({chunk_number(numbers.back(), k), std::vector<float>(64, 1)});
    }
    ASSERT_TRUE(
        ground.run(stores.vectors().put(space->number, std::move(vectors), ground.soon())).ok());
  }
  VectorSearch asked;
  asked.space = space->number;
  asked.queries = {std::vector<float>(64, 1)};
  asked.documents = std::make_shared<const DocumentSet>(numbers);
  auto got = ground.run(stores.vectors().search(asked, ground.soon()));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().reason, "vector_memory");
  EXPECT_EQ(stores.vectors().figures().memory, 0U);
  EXPECT_EQ(ground.run(stores.vectors().spaces(ground.soon()))->front().vectors, 800U);
  for (const char* id : {"d0", "d1", "d2"}) {
    ASSERT_TRUE(ground.run(stores.documents().erase(tenant, DocumentId(id), ground.soon())).ok());
  }
  for (bool more = true; more;) more = *ground.run(stores.documents().sweep(ground.soon()));
  ground.clock.move(std::chrono::minutes(1));
  got = ground.run(stores.vectors().search(asked, ground.soon()));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got->front().size(), 10U);
  EXPECT_GT(stores.vectors().figures().memory, 200U * 64);
  EXPECT_LE(stores.vectors().figures().memory, limits.memory);
}

TEST(SqliteVectorPlans, no_query_scans_a_table_or_sorts) {
  TemporaryDir dir;
  sqlite::Connection db(dir.path() + "/x.db", sqlite::Mode::write, std::chrono::seconds(1));
  sqlite::migrate(sqlite::documents_schema(), db);
  for (const auto& queries : {sqlite::vector_queries(), sqlite::embedding_queries()}) {
    for (const auto& sql : queries) {
      std::string plan;
      sqlite::Query query(db, "EXPLAIN QUERY PLAN " + sql);
      while (query.step()) plan += query.text(3) + "\n";
      EXPECT_NE(plan.find("SEARCH"), std::string::npos) << sql << "\n" << plan;
      EXPECT_EQ(plan.find("SCAN"), std::string::npos) << sql << "\n" << plan;
      EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << sql << "\n" << plan;
    }
  }
}

}  // namespace
}  // namespace mainstay::storage
