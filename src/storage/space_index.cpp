// Turns of reading, room, and what both back ends do with a view.
#include "storage/space_index.h"

#include <algorithm>

namespace mainstay::storage {
namespace {

/// An index that did not fit is tried again after this: documents may have gone since.
constexpr Duration kFullFor = std::chrono::seconds(30);
/// Rows that went unseen are noticed one by one; when they are this many more than a quarter, the
/// index is read anew.
constexpr std::uint64_t kStaleRows = 1024;
/// How long rows that went may stay unnoticed by an index that nothing is put into.
constexpr Duration kFreshFor = std::chrono::seconds(1);
/// One read of a load.
constexpr std::size_t kLoadRows = 8192;
constexpr std::size_t kLoadBytes = 1U << 20;
/// Candidates by code that are scored again by their floats (measured: 40 of 10 lose nothing).
constexpr std::size_t kRerankMin = 40;
constexpr std::size_t kRerankFactor = 4;

}  // namespace

SpaceIndex::SpaceIndex(Clock& clock, VectorSpace space_of, IndexMemory& memory)
    : space(std::move(space_of)),
      clock_(clock),
      memory_(memory),
      changed_(clock),
      index_(std::make_unique<VectorIndex>(dimension)) {}

SpaceIndex::~SpaceIndex() {
  memory_.used.fetch_sub(charged_);
}

SpaceIndex::Turn::~Turn() {
  if (index_ == nullptr) return;
  {
    std::lock_guard lock(index_->mutex_);
    index_->taken_ = false;
  }
  index_->changed_.notify();
}

bool SpaceIndex::take() {
  std::lock_guard lock(mutex_);
  return !std::exchange(taken_, true);
}

Co<Result<SpaceIndex::Turn>> SpaceIndex::turn(Deadline by) {
  for (;;) {
    const auto seen = changed_.version();
    if (take()) co_return Turn(this);
    auto woken = co_await changed_.wait(seen, by);
    if (!woken) co_return vectors_too_late();
  }
}

bool SpaceIndex::full() const {
  std::lock_guard lock(mutex_);
  return full_since_ && clock_.now() - *full_since_ < kFullFor;
}

std::int64_t SpaceIndex::loaded_to() const {
  std::lock_guard lock(mutex_);
  return loaded_to_;
}

bool SpaceIndex::add(const std::vector<IndexRow>& rows, std::int64_t upto) {
  std::lock_guard lock(mutex_);
  full_since_.reset();
  const std::uint64_t others = memory_.used.load() - charged_;
  if (!rows.empty() && others + index_->bytes_with(rows.size()) > memory_.most) {
    empty();
    full_since_ = clock_.now();
    return false;
  }
  index_->append(rows);
  loaded_to_ = upto;
  charge();
  return true;
}

void SpaceIndex::has_read(std::uint64_t puts) {
  std::lock_guard lock(mutex_);
  puts_read_ = puts;
  read_at_ = clock_.now();
}

bool SpaceIndex::fresh() const {
  std::lock_guard lock(mutex_);
  return read_at_ && puts_read_ == puts_.load() && clock_.now() - *read_at_ < kFreshFor;
}

bool SpaceIndex::stale(std::uint64_t stored) const {
  const auto [rows, dead] = figures();
  return rows - dead > stored + stored / 4 + kStaleRows;
}

void SpaceIndex::start_over() {
  std::lock_guard lock(mutex_);
  empty();
}

void SpaceIndex::remove(const std::vector<std::int64_t>& sorted_numbers) {
  std::lock_guard lock(mutex_);
  index_->remove(sorted_numbers);
  charge();
}

std::shared_ptr<const IndexView> SpaceIndex::view() const {
  std::lock_guard lock(mutex_);
  return index_->view();
}

SpaceIndex::Figures SpaceIndex::figures() const {
  std::lock_guard lock(mutex_);
  return {index_->rows(), index_->dead()};
}

void SpaceIndex::charge() {
  const std::uint64_t now = index_->bytes();
  memory_.used.fetch_add(now - charged_);  // unsigned: a negative difference wraps round rightly
  charged_ = now;
}

void SpaceIndex::empty() {
  read_at_.reset();
  index_ = std::make_unique<VectorIndex>(dimension);
  loaded_to_ = 0;
  charge();
}

SpaceIndexes::SpaceIndexes(Clock& clock, const VectorLimits& limits) : clock_(clock) {
  memory_.most = limits.memory;
}

SpaceIndexes::Index SpaceIndexes::find(std::int64_t space) const {
  std::lock_guard lock(mutex_);
  const auto known = indexes_.find(space);
  return known == indexes_.end() ? nullptr : known->second;
}

SpaceIndexes::Index SpaceIndexes::find(const std::string& model, std::size_t dimension) const {
  std::lock_guard lock(mutex_);
  for (const auto& [number, index] : indexes_) {
    if (index->dimension == dimension && index->space.model == model) return index;
  }
  return nullptr;
}

SpaceIndexes::Index SpaceIndexes::make(const VectorSpace& space) {
  std::lock_guard lock(mutex_);
  Index& index = indexes_[space.number];
  if (!index) index = std::make_shared<SpaceIndex>(clock_, space, memory_);
  return index;
}

Co<Result<SpaceIndexes::Index>> SpaceIndexes::of(Vectors& store, std::int64_t space, Deadline by) {
  auto known = find(space);
  if (known) co_return known;
  auto all = co_await store.spaces(by);
  if (!all.ok()) co_return all.error();
  for (const auto& each : *all) {
    if (each.number == space && each.state != SpaceState::leaving) co_return make(each);
  }
  co_return unknown_space();
}

Co<Result<SpaceIndexes::Index>> SpaceIndexes::of(Vectors& store, const VectorSearch& search,
                                                 Deadline by) {
  if (search.space != 0) co_return co_await of(store, search.space, by);
  const std::size_t dimension = search.queries.empty() ? 0 : search.queries.front().size();
  auto known = find(search.model, dimension);
  if (known) co_return known;
  auto all = co_await store.spaces(by);
  if (!all.ok()) co_return all.error();
  auto chosen = choose_space(*all, search.model, dimension);
  if (!chosen.ok()) co_return chosen.error();
  co_return make(*chosen);
}

void SpaceIndexes::unload(std::int64_t space) {
  std::lock_guard lock(mutex_);
  indexes_.erase(space);
}

VectorFigures SpaceIndexes::figures() const {
  VectorFigures out;
  out.memory = memory_.used.load();
  out.memory_max = memory_.most;
  out.searches = searches.load(std::memory_order_relaxed);
  out.loads = loads.load(std::memory_order_relaxed);
  out.kernel = best_kernel().name;
  std::lock_guard lock(mutex_);
  for (const auto& [space, index] : indexes_) {
    const auto figures = index->figures();
    out.rows += figures.rows;
    out.dead += figures.dead;
  }
  return out;
}

std::size_t rows_of_load(std::uint32_t dimension) {
  return std::clamp<std::size_t>(kLoadBytes / (dimension + 64), 64, kLoadRows);
}

std::size_t candidates_of(std::uint32_t nearest) {
  return std::max<std::size_t>(kRerankMin, kRerankFactor * nearest);
}

std::optional<std::vector<std::vector<Candidate>>> find_candidates(const IndexView& view,
                                                                   const VectorSearch& search,
                                                                   const Clock& clock,
                                                                   Deadline by) {
  std::vector<ScanQuery> queries;
  queries.reserve(search.queries.size());
  for (const auto& query : search.queries) queries.emplace_back(query);
  const std::size_t keep = candidates_of(search.nearest);
  return scan(view, queries, *search.documents, keep, best_kernel(), clock, by);
}

void keep_best(std::vector<VectorHit>& hits, std::uint32_t nearest) {
  std::sort(hits.begin(), hits.end(), [](const VectorHit& a, const VectorHit& b) {
    return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
  });
  if (hits.size() > nearest) hits.resize(nearest);
}

Error vectors_do_not_fit() {
  return Error::say(Errc::unavailable, "vector_memory",
                    "The vectors do not fit into knowledge.vector_memory; search by words, or "
                    "raise it.");
}

Error vectors_too_late() {
  return Error::say(Errc::deadline, "read_timeout", "Reading the stored data took too long.");
}

}  // namespace mainstay::storage
