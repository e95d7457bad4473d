// Search by meaning: keeps a vector of every passage in step with the documents, by the configured
// embedding model, and finds the passages nearest to a question.
// Used by library.cpp; made by app where knowledge.embedding_model is set.
#pragma once

#include <atomic>
#include <functional>
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

enum class MeaningState : std::uint8_t {
  whole,    ///< every passage has its vector
  filling,  ///< vectors are being made
  waiting,  ///< the model did not answer; it is asked again
};
std::string_view name(MeaningState state) noexcept;

/// How far the vectors are.
struct MeaningProgress {
  MeaningState state = MeaningState::whole;
  std::string model;       ///< the configured one
  std::string serves;      ///< the model that searches use now; empty: none yet
  std::int64_t after = 0;  ///< where not whole: what is numbered up to here has its vector
};

/// The same of one tenant's documents.
struct MeaningOf : MeaningProgress {
  std::uint64_t documents = 0;
  std::uint64_t done = 0;  ///< those whose passages all have vectors
  double share = 0;        ///< of the documents, with the part of the one that is under way
};

/// The hits of one question; none: by words alone.
using Nearest = std::optional<std::vector<storage::VectorHit>>;

/// Any loop may call, but keep_up() once. References outlive it.
class Meaning {
 public:
  Meaning(MeaningParts parts, Metrics& metrics);
  /// For each question the passages of these documents nearest to it, best first. Nullopt where
  /// that cannot be said now: no index serves yet, the model does not answer, the index does not
  /// fit its memory, or `by` is near. Search goes on by words then. The model is waited for
  /// embedding_patience, however many the questions are.
  Co<std::vector<Nearest>> nearest(std::vector<std::string> questions,
                                   std::shared_ptr<const storage::DocumentSet> documents,
                                   std::uint32_t limit, Deadline by);
  /// Where vectors of the configured model belong. Made when there is none: the model is asked how
  /// long its vectors are, since a space of another dimension would be dropped. Errors: as
  /// EmbeddingDesk::embed and Vectors::make.
  Co<Result<storage::VectorSpace>> space(Deadline by);
  /// Makes vectors of what has none, for as long as the program runs: new passages within seconds.
  /// When the model was changed the index before serves until the new one is whole.
  Co<> keep_up();
  MeaningProgress progress() const;

 private:
  struct Serving {
    std::int64_t space = 0;
    std::string model;
  };
  Co<Result<storage::VectorSpace>> target(Deadline by);
  Co<Result<storage::VectorSpace>> make_space(Deadline by);
  Co<std::vector<std::vector<float>>> vectors_of(std::string model,
                                                 std::vector<std::string> questions, Deadline by);
  Co<Status> fill(storage::VectorSpace space);
  void note(MeaningState state, std::optional<std::int64_t> after = {});
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
  mutable std::mutex mutex_;
  std::optional<Serving> serving_;
  MeaningState state_ = MeaningState::whole;
  std::int64_t after_ = 0;
};

/// What is embedded of a passage: where it stands, and its text.
std::string embedded_text(const storage::ChunkToEmbed& chunk);

}  // namespace mainstay::knowledge
