// The rules of vectors, written as plainly as possible.
#include "storage/memory/vectors.h"

#include <algorithm>

#include "storage/memory/documents.h"
#include "storage/vector_math.h"

namespace mainstay::storage::memory {

std::vector<ChunkToEmbed> MemoryDocuments::chunks_after(std::int64_t after,
                                                        std::uint32_t limit) const {
  std::lock_guard lock(mutex_);
  std::vector<ChunkToEmbed> out;
  for (const auto& [number, document] : all_) {
    for (std::size_t seq = 0; seq < document.chunks.size() && out.size() < limit; ++seq) {
      const std::int64_t chunk = chunk_number(number, seq);
      if (chunk <= after) continue;
      const Chunk& from = document.chunks[seq];
      out.push_back({chunk, document.info.title, from.heading, from.text});
    }
  }
  return out;
}

bool MemoryDocuments::has_chunk(std::int64_t chunk) const {
  std::lock_guard lock(mutex_);
  const auto found = all_.find(document_number(chunk));
  return found != all_.end() && chunk < chunk_number(found->first, found->second.chunks.size());
}

/// Vectors of chunks that are gone are gone.
void MemoryVectors::purge(Space& space) {
  std::erase_if(space.vectors,
                [this](const auto& each) { return !documents_.has_chunk(each.first); });
}

VectorSpace MemoryVectors::shown(std::int64_t number, Space& space) {
  purge(space);
  return {number, space.model, space.dimension, space.state, space.vectors.size()};
}

Co<Result<std::vector<VectorSpace>>> MemoryVectors::spaces(Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<VectorSpace> out;
  for (auto& [number, space] : spaces_) out.push_back(shown(number, space));
  co_return out;
}

Co<Result<VectorSpace>> MemoryVectors::make(std::string model, std::uint32_t dimension, Deadline) {
  auto checked = check_dimension(dimension);
  if (!checked.ok()) co_return checked.error();
  std::lock_guard lock(mutex_);
  for (auto& [number, space] : spaces_) {
    if (space.model == model && space.dimension == dimension) co_return shown(number, space);
  }
  Space& space = spaces_[next_];
  space.model = std::move(model);
  space.dimension = dimension;
  co_return shown(next_++, space);
}

Co<Status> MemoryVectors::serve(std::int64_t space, Deadline) {
  std::lock_guard lock(mutex_);
  if (!spaces_.contains(space)) co_return unknown_space();
  for (auto& [number, each] : spaces_) {
    each.state = number == space ? SpaceState::serving : SpaceState::building;
  }
  co_return done();
}

Co<Result<std::uint64_t>> MemoryVectors::put(std::int64_t space, std::vector<NewVector> vectors,
                                             Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = spaces_.find(space);
  if (found == spaces_.end()) co_return unknown_space();
  auto checked = check_put(vectors, found->second.dimension);
  if (!checked.ok()) co_return checked.error();
  std::uint64_t stored = 0;
  for (auto& vector : vectors) {
    if (!documents_.has_chunk(vector.chunk)) continue;
    to_unit_length(vector.values);
    found->second.vectors[vector.chunk] = {std::move(vector.values), vector.content};
    ++stored;
  }
  co_return stored;
}

Co<Result<std::vector<ChunkToEmbed>>> MemoryVectors::missing(std::int64_t space, std::int64_t after,
                                                             std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  const auto found = spaces_.find(space);
  if (found == spaces_.end()) co_return unknown_space();
  limit = std::min(limit, kMissingMax);
  std::vector<ChunkToEmbed> out;
  for (;;) {
    auto chunks = documents_.chunks_after(after, kMissingMax);
    if (chunks.empty()) co_return out;
    for (auto& chunk : chunks) {
      if (out.size() == limit) co_return out;
      after = chunk.chunk;
      if (!found->second.vectors.contains(chunk.chunk)) out.push_back(std::move(chunk));
    }
  }
}

Co<Result<std::vector<std::vector<VectorHit>>>> MemoryVectors::search(VectorSearch search,
                                                                      Deadline) {
  std::lock_guard lock(mutex_);
  if (search.space == 0) {
    std::vector<VectorSpace> all;
    for (auto& [number, space] : spaces_) all.push_back(shown(number, space));
    const std::size_t dimension = search.queries.empty() ? 0 : search.queries.front().size();
    auto chosen = choose_space(all, search.model, dimension);
    if (!chosen.ok()) co_return chosen.error();
    search.space = chosen->number;
  }
  const auto found = spaces_.find(search.space);
  if (found == spaces_.end()) co_return unknown_space();
  auto checked = check_search(search, found->second.dimension);
  if (!checked.ok()) co_return checked.error();
  purge(found->second);
  std::vector<std::vector<VectorHit>> out(search.queries.size());
  if (!search.documents) co_return out;
  for (std::size_t q = 0; q < out.size(); ++q) {
    to_unit_length(search.queries[q]);
    for (const auto& [chunk, stored] : found->second.vectors) {
      const auto& values = stored.values;
      if (!search.documents->contains(document_number(chunk))) continue;
      out[q].push_back({chunk, dot(search.queries[q].data(), values.data(), values.size())});
    }
    std::sort(out[q].begin(), out[q].end(), [](const VectorHit& a, const VectorHit& b) {
      return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
    });
    const auto nearest = std::min(search.nearest, kNearestMax);
    if (out[q].size() > nearest) out[q].resize(nearest);
  }
  co_return out;
}

Co<Result<std::vector<std::int64_t>>> MemoryVectors::contents_in_use(
    std::vector<std::int64_t> contents, Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<std::int64_t> out;
  for (auto& [number, space] : spaces_) {
    purge(space);
    for (const auto& [chunk, stored] : space.vectors) {
      if (std::count(contents.begin(), contents.end(), stored.content) == 0) continue;
      out.push_back(stored.content);
    }
  }
  co_return out;
}

Co<Status> MemoryVectors::drop(std::int64_t space, Deadline) {
  std::lock_guard lock(mutex_);
  if (spaces_.erase(space) == 0) co_return unknown_space();
  co_return done();
}

VectorFigures MemoryVectors::figures() const {
  std::lock_guard lock(mutex_);
  VectorFigures out;
  out.kernel = "plain";
  for (const auto& [number, space] : spaces_) {
    out.rows += space.vectors.size();
    out.memory += space.vectors.size() * space.dimension * sizeof(float);
  }
  return out;
}

Co<Result<std::vector<std::optional<std::vector<float>>>>> MemoryEmbeddingCache::find(
    std::vector<EmbeddingKey> keys, Deadline) {
  std::lock_guard lock(mutex_);
  std::vector<std::optional<std::vector<float>>> out;
  for (const auto& key : keys) {
    const auto found = all_.find(key);
    if (found == all_.end()) {
      out.emplace_back();
      continue;
    }
    found->second.used = ++uses_;
    found->second.used_at = clock_.wall();
    out.emplace_back(found->second.values);
  }
  co_return out;
}

Co<Status> MemoryEmbeddingCache::keep(std::vector<KeptEmbedding> embeddings, Deadline) {
  std::lock_guard lock(mutex_);
  for (auto& each : embeddings) {
    const std::uint64_t bytes = each.values.size() * sizeof(float);
    Kept kept{std::move(each.values), each.content, ++last_row_, ++uses_, clock_.wall()};
    if (all_.try_emplace(each.key, std::move(kept)).second) bytes_ += bytes;
  }
  while (!all_.empty() && (all_.size() > limits_.cache_entries || bytes_ > limits_.cache_bytes)) {
    const auto oldest = std::min_element(
        all_.begin(), all_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    remove(oldest);
  }
  co_return done();
}

MemoryEmbeddingCache::All::iterator MemoryEmbeddingCache::remove(All::iterator at) {
  bytes_ -= at->second.values.size() * sizeof(float);
  return all_.erase(at);
}

Co<Result<KeptContents>> MemoryEmbeddingCache::contents(std::int64_t after, WallTime since,
                                                        std::uint32_t limit, Deadline) {
  std::lock_guard lock(mutex_);
  std::map<std::int64_t, const Kept*> by_row;
  for (const auto& [key, kept] : all_) by_row[kept.row] = &kept;
  KeptContents out;
  out.upto = after;
  std::uint32_t seen = 0;
  for (auto at = by_row.upper_bound(after); at != by_row.end() && seen < limit; ++at, ++seen) {
    out.upto = at->first;
    const Kept& kept = *at->second;
    const bool old = std::chrono::floor<std::chrono::hours>(kept.used_at) <
                     std::chrono::floor<std::chrono::hours>(since);
    if (kept.content != 0 && old) out.rows.push_back({kept.row, kept.content});
  }
  out.last = seen < limit;
  co_return out;
}

Co<Status> MemoryEmbeddingCache::erase(std::vector<std::int64_t> rows, Deadline) {
  std::lock_guard lock(mutex_);
  for (auto at = all_.begin(); at != all_.end();) {
    const bool gone = std::count(rows.begin(), rows.end(), at->second.row) > 0;
    at = gone ? remove(at) : std::next(at);
  }
  co_return done();
}

}  // namespace mainstay::storage::memory
