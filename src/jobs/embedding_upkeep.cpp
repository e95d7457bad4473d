// Slices over the kept rows, each compared with the vectors there are.
#include "jobs/embedding_upkeep.h"

#include <algorithm>

namespace mainstay::jobs {
namespace {

constexpr Duration kPause = std::chrono::hours(1);
constexpr Duration kBreath = std::chrono::milliseconds(20);
constexpr Duration kSliceTime = std::chrono::seconds(30);
constexpr WallTime::duration kUnused = std::chrono::hours(1);
constexpr std::uint32_t kSlice = 1024;

/// Rows of a slice whose content is in no vector.
Co<Result<std::vector<std::int64_t>>> rows_of_none(storage::Vectors& vectors,
                                                   std::vector<storage::KeptContent> kept,
                                                   Deadline by) {
  std::vector<std::int64_t> contents;
  contents.reserve(kept.size());
  for (const auto& each : kept) contents.push_back(each.content);
  auto used = co_await vectors.contents_in_use(std::move(contents), by);
  if (!used.ok()) co_return used.error();
  std::sort(used->begin(), used->end());
  std::vector<std::int64_t> out;
  for (const auto& each : kept) {
    if (!std::binary_search(used->begin(), used->end(), each.content)) out.push_back(each.row);
  }
  co_return out;
}

}  // namespace

Co<Result<std::uint64_t>> sweep_embeddings(Clock& clock, storage::Vectors& vectors,
                                           storage::EmbeddingCache& cache) {
  const WallTime unused_since = clock.wall() - kUnused;
  std::uint64_t gone = 0;
  std::int64_t after = 0;
  for (;;) {
    const Deadline by = Deadline::in(clock, kSliceTime);
    auto slice = co_await cache.contents(after, unused_since, kSlice, by);
    if (!slice.ok()) co_return slice.error();
    after = slice->upto;
    const bool last = slice->last;
    if (!slice->rows.empty()) {
      auto rows = co_await rows_of_none(vectors, std::move(slice->rows), by);
      if (!rows.ok()) co_return rows.error();
      const std::uint64_t count = rows->size();
      if (count > 0) {
        auto erased = co_await cache.erase(std::move(*rows), by);
        if (!erased.ok()) co_return erased.error();
      }
      gone += count;
    }
    if (last) co_return gone;
    auto slept = co_await sleep(clock, kBreath);
    if (!slept) co_return gone;
  }
}

Co<> keep_embeddings(Clock& clock, Log& log, storage::Vectors& vectors,
                     storage::EmbeddingCache& cache, std::function<void()> let_go) {
  for (;;) {
    auto slept = co_await sleep(clock, kPause);
    if (!slept) co_return;
    auto gone = co_await sweep_embeddings(clock, vectors, cache);
    if (!gone.ok()) {
      log.warn("embeddings.sweep_failed", {{"error", gone.error().detail}});
    } else if (*gone > 0) {
      let_go();
      log.info("embeddings.swept", {{"gone", *gone}});
    }
  }
}

}  // namespace mainstay::jobs
