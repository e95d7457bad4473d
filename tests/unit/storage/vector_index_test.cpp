// Kernels, codes, sets of documents, and the index in memory.
#include "storage/vector_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "base/random.h"

namespace mainstay::storage {
namespace {

struct AlignedFree {
  void operator()(std::int8_t* at) const { std::free(at); }
};
using Aligned = std::unique_ptr<std::int8_t[], AlignedFree>;

Aligned aligned(std::size_t bytes) {
  Aligned out(static_cast<std::int8_t*>(std::aligned_alloc(kRowAlign, bytes)));
  std::memset(out.get(), 0, bytes);
  return out;
}

float gauss(Random& random) {
  // A sum of uniform numbers is near enough.
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.below(1 << 20)) / (1 << 20);
  return static_cast<float>(sum);
}

std::vector<float> random_vector(std::size_t dimension, Random& random) {
  std::vector<float> out(dimension);
  for (auto& each : out) each = gauss(random);
  return out;
}

/// Around one of a few centres, as embeddings are.
std::vector<float> clustered(const std::vector<std::vector<float>>& centres, Random& random) {
  auto out = random_vector(centres.front().size(), random);
  const auto& centre = centres[static_cast<std::size_t>(random.below(centres.size()))];
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = centre[i] + out[i] * 0.7F;
  to_unit_length(out);
  return out;
}

TEST(VectorKernels, every_kernel_gives_the_numbers_of_the_plain_one) {
  SeededRandom random(41);
  ASSERT_EQ(kernels().back().name, "plain");
  for (const std::size_t dimension : {1U, 7U, 63U, 64U, 65U, 384U, 1024U, 4096U}) {
    const std::size_t stride = stride_of(dimension);
    for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 9U}) {
      const auto query = aligned(stride);
      const auto codes = aligned(stride * rows);
      const auto any = [&] { return static_cast<std::int8_t>(int(random.below(255)) - 127); };
      for (std::size_t i = 0; i < dimension; ++i) query[i] = any();
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < dimension; ++i) codes[row * stride + i] = any();
      }
      std::vector<std::int32_t> expected(rows);
      kernels().back().dots(query.get(), codes.get(), rows, stride, expected.data());
      for (const auto& kernel : kernels()) {
        std::vector<std::int32_t> got(rows, -1);
        kernel.dots(query.get(), codes.get(), rows, stride, got.data());
        EXPECT_EQ(got, expected) << kernel.name << " " << dimension << " " << rows;
      }
    }
  }
}

TEST(VectorKernels, no_kernel_saturates_on_the_largest_codes) {
  for (const std::size_t dimension : {64U, 4096U, 16'384U}) {
    for (const int sign : {1, -1}) {
      const std::size_t stride = stride_of(dimension);
      const auto query = aligned(stride);
      const auto row = aligned(stride);
      std::memset(query.get(), 127, dimension);
      std::memset(row.get(), sign * 127, dimension);
      for (const auto& kernel : kernels()) {
        std::int32_t got = 0;
        kernel.dots(query.get(), row.get(), 1, stride, &got);
        EXPECT_EQ(got, sign * static_cast<std::int32_t>(dimension) * 127 * 127) << kernel.name;
      }
    }
  }
}

TEST(VectorMath, a_code_is_near_its_vector_and_never_the_lowest_byte) {
  SeededRandom random(42);
  for (const std::size_t dimension : {1U, 7U, 384U}) {
    auto values = random_vector(dimension, random);
    to_unit_length(values);
    EXPECT_NEAR(dot(values.data(), values.data(), dimension), 1, 1e-5);
    const Code code = encode(values);
    for (std::size_t i = 0; i < dimension; ++i) {
      EXPECT_GE(code.values[i], -127);
      EXPECT_NEAR(code.scale * static_cast<float>(code.values[i]), values[i], code.scale * 0.51F);
    }
    std::vector<float> back;
    ASSERT_TRUE(unpack_floats(bytes_of(values), dimension, back));
    EXPECT_EQ(back, values);
    EXPECT_FALSE(unpack_floats(bytes_of(values), dimension + 1, back));
    EXPECT_EQ(scale_of(pack(code)), code.scale);
  }
}

TEST(VectorMath, zeros_huge_and_tiny_numbers_have_a_direction_or_none) {
  std::vector<float> zeros(5, 0);
  to_unit_length(zeros);
  EXPECT_EQ(zeros, std::vector<float>(5, 0));
  EXPECT_EQ(encode(zeros).scale, 0);
  for (const float size : {1e38F, 1e-38F}) {
    std::vector<float> values(4, size);
    to_unit_length(values);
    EXPECT_NEAR(values[0], 0.5, 1e-6) << size;
  }
  EXPECT_FALSE(all_finite({0, std::numeric_limits<float>::infinity()}));
  EXPECT_FALSE(all_finite({std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_TRUE(all_finite({}));
}

TEST(DocumentSets, near_and_far_numbers_are_held_alike) {
  SeededRandom random(43);
  for (const std::uint64_t span : {200ULL, 1ULL << 20, 1ULL << 40}) {
    std::set<std::int64_t> all;
    while (all.size() < 100) all.insert(1 + static_cast<std::int64_t>(random.below(span)));
    const DocumentSet set(std::vector<std::int64_t>(all.begin(), all.end()));
    EXPECT_EQ(set.size(), 100U);
    for (const auto each : all) {
      EXPECT_TRUE(set.contains(each));
      EXPECT_EQ(set.contains(each + 1), all.contains(each + 1));
      EXPECT_EQ(set.contains(each - 1), all.contains(each - 1));
    }
    EXPECT_FALSE(set.contains(0));
    EXPECT_FALSE(set.contains(-5));
    EXPECT_LE(set.bytes(), (128U << 10) + 800);
  }
  EXPECT_FALSE(DocumentSet({}).contains(0));
}

TEST(DocumentSets, a_range_is_contained_only_as_a_whole) {
  std::vector<std::int64_t> far{3, 1'000'000'000};
  for (std::int64_t i = 10; i < 200; ++i) far.push_back(i);
  std::sort(far.begin(), far.end());
  std::vector<std::int64_t> near(far.begin(), far.end() - 1);
  for (const auto& all : {near, far}) {
    const DocumentSet set(all);
    EXPECT_TRUE(set.contains_all({10, 10}));
    EXPECT_TRUE(set.contains_all({10, 40}));
    EXPECT_FALSE(set.contains_all({9, 40}));
    EXPECT_FALSE(set.contains_all({190, 200}));
    EXPECT_FALSE(set.contains_all({10, 199}));  // long: not looked at
  }
  EXPECT_FALSE(DocumentSet({}).contains_all({1, 1}));
}

/// An index and the vectors that are in it.
struct Rig {
  explicit Rig(std::size_t dimension) : index(static_cast<std::uint32_t>(dimension)) {}
  /// Documents of `per` chunks each.
  void add(std::vector<float> values, std::int64_t per = 5) {
    const auto at = static_cast<std::int64_t>(all.size());
    const std::string packed = pack(encode(values));
    const IndexRow row{at + 1, chunk_number(1 + at / per, static_cast<std::uint64_t>(at % per)),
                       packed};
    index.append({&row, 1});
    chunks.push_back(row.chunk);
    all.push_back(std::move(values));
  }
  std::vector<std::int64_t> exact(const std::vector<float>& query, const DocumentSet& documents,
                                  std::size_t count) const {
    std::vector<std::pair<float, std::int64_t>> scored;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!documents.contains(document_number(chunks[i]))) continue;
      scored.emplace_back(-dot(query.data(), all[i].data(), query.size()), i + 1);
    }
    std::sort(scored.begin(), scored.end());
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < std::min(count, scored.size()); ++i) {
      out.push_back(scored[i].second);
    }
    return out;
  }
  std::vector<std::vector<Candidate>> look(const std::vector<std::vector<float>>& queries,
                                           const DocumentSet& documents, std::size_t keep,
                                           const Kernel& kernel = best_kernel()) const {
    std::vector<ScanQuery> ready;
    for (const auto& query : queries) ready.emplace_back(query);
    const RealClock clock;
    return *scan(*index.view(), ready, documents, keep, kernel, clock, Deadline::never());
  }
  VectorIndex index;
  std::vector<std::vector<float>> all;
  std::vector<std::int64_t> chunks;
};

DocumentSet documents_to(std::int64_t last, std::int64_t step = 1) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 1; i <= last; i += step) out.push_back(i);
  return DocumentSet(std::move(out));
}

// What the floats decide: recall@10 of the codes with an exact rerank of 40.
TEST(VectorIndexScan, forty_candidates_by_code_hold_the_ten_nearest) {
  SeededRandom random(44);
  std::vector<std::vector<float>> centres;
  for (int i = 0; i < 30; ++i) centres.push_back(random_vector(96, random));
  Rig rig(96);
  for (int i = 0; i < 6000; ++i) rig.add(clustered(centres, random));
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 40; ++i) queries.push_back(clustered(centres, random));
  for (const std::int64_t step : {1, 10}) {
    const auto documents = documents_to(1200, step);
    const auto found = rig.look(queries, documents, 40);
    std::size_t right = 0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::set<std::int64_t> numbers;
      for (const auto& each : found[q]) {
        numbers.insert(each.number);
        EXPECT_TRUE(documents.contains(document_number(each.chunk)));
        EXPECT_NEAR(
            each.score,
            dot(queries[q].data(), rig.all[static_cast<std::size_t>(each.number) - 1].data(), 96),
            0.02);
      }
      for (const auto each : rig.exact(queries[q], documents, 10)) right += numbers.count(each);
    }
    EXPECT_GE(static_cast<double>(right) / 400, 0.99) << step;
  }
}

TEST(VectorSketches, every_kernel_gives_the_sums_of_the_plain_one) {
  SeededRandom random(47);
  for (const std::size_t dimension : {1U, 64U, 65U, 384U, 4096U}) {
    for (const bool largest : {false, true}) {
      const std::size_t stride = stride_of(dimension);
      const auto query = aligned(stride);
      const auto rows = aligned(stride * kSketchRows * 3);
      for (std::size_t i = 0; i < stride * kSketchRows * 3; ++i) {
        rows[i] = static_cast<std::int8_t>(int(random.below(255)) - 127);
      }
      for (std::size_t i = 0; i < dimension; ++i) {
        query[i] = static_cast<std::int8_t>(largest ? 127 : int(random.below(255)) - 127);
        if (largest) rows[i] = 1;  // the first row agrees with all of it: the largest sum there is
      }
      std::vector<std::uint8_t> sketches(3 * sketch_bytes(stride));
      for (std::size_t block = 0; block < 3; ++block) {
        write_sketch(rows.get() + block * kSketchRows * stride, stride,
                     sketches.data() + block * sketch_bytes(stride));
      }
      const SketchTables tables(query.get(), stride);
      std::vector<std::uint16_t> expected(3 * kSketchRows);
      plain_sums(tables.data(), sketches.data(), 3, stride, expected.data());
      if (largest) {
        EXPECT_EQ(expected[0], *std::max_element(expected.begin(), expected.end()));
      }
      for (const auto& kernel : kernels()) {
        std::vector<std::uint16_t> got(3 * kSketchRows);
        kernel.sums(tables.data(), sketches.data(), 3, stride, got.data());
        EXPECT_EQ(got, expected) << kernel.name << " " << dimension;
        for (const std::uint16_t least : {std::uint16_t{0}, expected[40], std::uint16_t{0xffff}}) {
          const auto bits = kernel.reach(&expected[kSketchRows], least);
          EXPECT_EQ(bits, plain_reach(&expected[kSketchRows], least)) << kernel.name;
          EXPECT_EQ((bits & 1U << 8) != 0, expected[40] >= least);
        }
      }
    }
  }
}

/// How many of the ten nearest are among forty candidates of a view that sketches are used for.
double recall_by_sketches(Rig& rig, const std::vector<std::vector<float>>& queries,
                          const DocumentSet& documents) {
  std::size_t right = 0;
  for (const auto& query : queries) {
    const auto found = rig.look({query}, documents, 40)[0];
    std::set<std::int64_t> numbers;
    for (const auto& each : found) {
      EXPECT_TRUE(documents.contains(document_number(each.chunk)));
      numbers.insert(each.number);
    }
    for (const auto each : rig.exact(query, documents, 10)) right += numbers.count(each);
  }
  return static_cast<double>(right) / static_cast<double>(10 * queries.size());
}

TEST(VectorSketches, the_ten_nearest_of_many_rows_are_found_among_clusters) {
  SeededRandom random(48);
  std::vector<std::vector<float>> centres;
  for (int i = 0; i < 50; ++i) centres.push_back(random_vector(128, random));
  Rig rig(128);
  while (rig.all.size() < kSketchFrom + 1001) rig.add(clustered(centres, random));
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 30; ++i) queries.push_back(clustered(centres, random));
  for (const std::int64_t step : {1, 10}) {
    EXPECT_GE(recall_by_sketches(rig, queries, documents_to(5000, step)), 0.99) << step;
  }
}

// Nothing is near anything here: the hardest there is.
TEST(VectorSketches, most_of_the_ten_nearest_are_found_where_there_are_no_clusters) {
  SeededRandom random(49);
  Rig rig(384);
  const auto any = [&] {
    auto values = random_vector(384, random);
    to_unit_length(values);
    return values;
  };
  while (rig.all.size() < kSketchFrom + 17) rig.add(any());
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 20; ++i) queries.push_back(any());
  EXPECT_GE(recall_by_sketches(rig, queries, documents_to(5000)), 0.97);
}

TEST(VectorSketches, removed_rows_and_the_last_ones_without_a_sketch_are_known) {
  SeededRandom random(50);
  Rig rig(64);
  while (rig.all.size() < kSketchFrom + 40) {
    auto values = random_vector(64, random);
    to_unit_length(values);
    rig.add(std::move(values));
  }
  const auto last = static_cast<std::int64_t>(rig.all.size());
  EXPECT_EQ(rig.look({rig.all.back()}, documents_to(5000), 1)[0].at(0).number, last);
  rig.index.remove(std::vector<std::int64_t>{7, last});
  EXPECT_NE(rig.look({rig.all.back()}, documents_to(5000), 1)[0].at(0).number, last);
  EXPECT_NE(rig.look({rig.all[6]}, documents_to(5000), 1)[0].at(0).number, 7);
}

TEST(VectorIndexScan, all_kernels_and_one_or_many_queries_find_the_same) {
  SeededRandom random(45);
  Rig rig(7);
  for (int i = 0; i < 700; ++i) {
    auto values = random_vector(7, random);
    to_unit_length(values);
    rig.add(std::move(values));
  }
  std::vector<std::vector<float>> queries(rig.all.begin(), rig.all.begin() + 9);
  const auto documents = documents_to(140, 2);
  const auto together = rig.look(queries, documents, 12);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    for (const auto& kernel : kernels()) {
      const auto alone = rig.look({queries[q]}, documents, 12, kernel);
      ASSERT_EQ(alone[0].size(), together[q].size());
      for (std::size_t i = 0; i < alone[0].size(); ++i) {
        EXPECT_EQ(alone[0][i].number, together[q][i].number) << kernel.name;
        if (i > 0) {
          EXPECT_GE(alone[0][i - 1].score, alone[0][i].score);
        }
      }
    }
  }
}

TEST(VectorIndexScan, fewer_rows_than_asked_for_are_all_given) {
  Rig rig(3);
  const auto all = documents_to(10);
  EXPECT_TRUE(rig.look({{1, 0, 0}}, all, 5)[0].empty());
  for (int i = 0; i < 4; ++i) rig.add({1, 0, 0});
  EXPECT_EQ(rig.look({{1, 0, 0}}, all, 3)[0].size(), 3U);
  EXPECT_EQ(rig.look({{1, 0, 0}}, all, 4)[0].size(), 4U);
  const auto found = rig.look({{1, 0, 0}}, all, 5)[0];
  ASSERT_EQ(found.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found[i].number, static_cast<std::int64_t>(i) + 1);  // equal ones by number
  }
  EXPECT_TRUE(rig.look({{1, 0, 0}}, DocumentSet({}), 5)[0].empty());
  EXPECT_TRUE(rig.look({{1, 0, 0}}, all, 0)[0].empty());
}

TEST(VectorIndexScan, removed_rows_are_not_found_and_in_time_give_their_memory_back) {
  SeededRandom random(46);
  Rig rig(16);
  for (int i = 0; i < 4000; ++i) rig.add(random_vector(16, random));
  const auto before = rig.index.view();
  const std::uint64_t bytes = rig.index.bytes();
  std::vector<std::int64_t> gone;
  for (std::int64_t n = 1; n <= 1000; ++n) gone.push_back(n);
  EXPECT_EQ(rig.index.remove(gone), 1000U);
  EXPECT_EQ(rig.index.remove(gone), 0U);
  EXPECT_EQ(rig.index.dead(), 1000U);
  const auto left = rig.look({rig.all[5]}, documents_to(800), 4000)[0];
  EXPECT_EQ(left.size(), 3000U);
  for (const auto& each : left) EXPECT_GT(each.number, 1000);
  for (std::int64_t n = 1001; n <= 2500; ++n) gone.push_back(n);
  EXPECT_EQ(rig.index.remove(gone), 1500U);  // with the rest: compacted
  EXPECT_EQ(rig.index.dead(), 0U);
  EXPECT_EQ(rig.index.rows(), 1500U);
  EXPECT_LT(rig.index.bytes(), bytes);
  const auto found = rig.look({rig.all[3999]}, documents_to(800), 4000)[0];
  ASSERT_EQ(found.size(), 1500U);
  EXPECT_EQ(found[0].number, 4000);
  EXPECT_EQ(before->parts.back().segment->numbers[before->parts.back().rows - 1], 4000);
}

TEST(VectorIndexScan, a_view_does_not_change_while_rows_are_added) {
  Rig rig(3);
  for (int i = 0; i < 10; ++i) rig.add({1, 0, 0});
  const auto view = rig.index.view();
  for (int i = 0; i < 1000; ++i) rig.add({0, 1, 0});
  std::size_t rows = 0;
  for (const auto& part : view->parts) rows += part.rows;
  EXPECT_EQ(rows, 10U);
  EXPECT_EQ(rig.index.rows(), 1010U);
  EXPECT_EQ(rig.look({{0, 1, 0}}, documents_to(300), 2000)[0].size(), 1010U);
}

TEST(VectorIndexScan, a_scan_stops_at_its_deadline) {
  Rig rig(3);
  rig.add({1, 0, 0});
  std::vector<ScanQuery> queries;
  queries.emplace_back(std::vector<float>{1, 0, 0});
  const RealClock clock;
  const auto documents = documents_to(3);
  const Deadline past(clock.now());
  EXPECT_FALSE(scan(*rig.index.view(), queries, documents, 5, best_kernel(), clock, past));
}

}  // namespace
}  // namespace mainstay::storage
