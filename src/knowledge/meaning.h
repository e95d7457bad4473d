// Search by meaning: keeps a vector of every passage in step with the documents, by the configured
// embedding model, and finds the passages nearest to a question.
// Used by library.cpp; made by app where knowledge.embedding_model is set.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/settings.h"
#include "models/embeddings.h"
#include "storage/documents.h"
#include "storage/vectors.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::knowledge {

/// Texts to vectors as it is in force now; `held` keeps it alive.
struct DeskInForce {
  std::shared_ptr<const void> held;
  models::EmbeddingDesk* desk = nullptr;
};

struct MeaningParts {
  const KnowledgeSettings settings;
  Clock& clock;
  Log& log;
  storage::Documents& documents;
  storage::Vectors& vectors;
  std::function<DeskInForce()> desk;  ///< any loop calls
};

/// Any loop may call, but keep_up() once. References outlive it.
class Meaning {
 public:
  Meaning(MeaningParts parts, Metrics& metrics);
  /// The nearest passages that the query's tenant and filter let through, best first. Nullopt when
  /// that cannot be said now: no index serves yet, the model does not answer, the index does not
  /// fit its memory, or `by` is near. Search goes on by words then.
  Co<std::optional<std::vector<storage::VectorHit>>> nearest(storage::PassageQuery query,
                                                             std::uint32_t limit, Deadline by);
  /// Makes vectors of what has none, for as long as the program runs: new passages within seconds.
  /// When the model was changed the index before serves until the new one is whole.
  Co<> keep_up();

 private:
  struct Serving {
    std::int64_t space = 0;
    std::string model;
  };
  struct Seen {
    std::uint64_t version = 0;
    std::shared_ptr<const storage::DocumentSet> documents;
  };
  Co<Result<std::shared_ptr<const storage::DocumentSet>>> documents_of(storage::PassageQuery query,
                                                                       Deadline by);
  Co<Result<storage::VectorSpace>> target(Deadline by);
  Co<Status> fill(storage::VectorSpace space);
  Co<Status> embed_some(storage::VectorSpace space, std::vector<storage::ChunkToEmbed> chunks);
  Co<Status> embed_each(storage::VectorSpace space, std::vector<storage::ChunkToEmbed> chunks);
  Co<Status> make_serve(storage::VectorSpace space);
  Co<Result<models::Embeddings>> embed(std::string model, std::vector<std::string> texts,
                                       models::EmbedPurpose purpose, Deadline by);
  Deadline soon() const;

  const MeaningParts parts_;
  Counter& made_;
  Counter& skipped_count_;
  Counter& without_;
  std::set<std::int64_t> skipped_;  ///< chunks that the model refuses; keep_up() alone
  std::mutex mutex_;
  std::optional<Serving> serving_;
  std::map<std::string, Seen> seen_;  ///< documents by tenant and filter, a few
};

/// What is embedded of a passage: where it stands, and its text.
std::string embedded_text(const storage::ChunkToEmbed& chunk);

}  // namespace mainstay::knowledge
