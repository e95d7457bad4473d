// Embeddings that are kept of passages which are no more. Used by app, once.
#pragma once

#include <functional>

#include "storage/embedding_cache.h"
#include "storage/vectors.h"
#include "telemetry/log.h"

namespace mainstay::jobs {

/// Removes kept embeddings of passages whose content no vector has, when nobody used them for an
/// hour: a document that is read anew finds those of its unchanged passages. Gives how many went.
Co<Result<std::uint64_t>> sweep_embeddings(Clock& clock, storage::Vectors& vectors,
                                           storage::EmbeddingCache& cache);

/// Does so each hour. `let_go` is called after some went: what memory holds of them is to go too.
/// Never returns; ends when cancelled. References outlive it.
Co<> keep_embeddings(Clock& clock, Log& log, storage::Vectors& vectors,
                     storage::EmbeddingCache& cache, std::function<void()> let_go);

}  // namespace mainstay::jobs
