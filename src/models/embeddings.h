// Texts to vectors for the rest of the program: cached by content, identical texts asked for once,
// many callers' texts in one call. Used by knowledge. Made by app beside the router.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/event.h"
#include "models/models.h"
#include "storage/embedding_cache.h"
#include "telemetry/metrics.h"

namespace mainstay::models {

struct EmbedWish {
  std::string model;  ///< "provider/model" or a route's name
  std::vector<std::string> texts;
  EmbedPurpose purpose = EmbedPurpose::document;
  std::uint32_t dimensions = 0;  ///< 0: the model's own
  RequestId request;
};

/// Vectors kept in memory, bounded in bytes, least lately used out first. Not thread-safe.
class RecentEmbeddings {
 public:
  using Values = std::shared_ptr<const std::vector<float>>;
  explicit RecentEmbeddings(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  /// Null: not kept.
  Values find(const storage::EmbeddingKey& key);
  void keep(const storage::EmbeddingKey& key, Values values);
  void forget(const storage::EmbeddingKey& key);
  /// Down to so many bytes.
  void shrink_to(std::uint64_t bytes);
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Entry {
    storage::EmbeddingKey key;
    Values values;
  };
  static std::uint64_t size_of(const Values& values);
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::list<Entry> order_;  ///< latest first
  std::map<storage::EmbeddingKey, std::list<Entry>::iterator> all_;
};

/// Any loop may call; the callers' coroutines themselves make the calls, each for whatever waits.
/// A call that fails fails the texts in it and nobody else's; when a provider refuses a text, those
/// of other callers in the same call are asked for again without it.
class EmbeddingDesk {
 public:
  /// All outlive it. `settings` is copied; without a `cache` (null) memory alone keeps.
  EmbeddingDesk(Models& models, storage::EmbeddingCache* cache, const EmbeddingSettings& settings,
                Clock& clock, Metrics& metrics);

  /// One vector for each text, in order. `tokens` counts what this call paid for. Errors: those of
  /// Models::embed; unavailable "embeddings_busy" (too many texts wait); deadline.
  Co<Result<Embeddings>> embed(EmbedWish wish, Deadline by);
  /// Bytes that kept vectors hold. Any thread.
  std::uint64_t cache_bytes() const;
  /// Gives back a share (0 to 1) of them; returns bytes freed.
  std::uint64_t shrink_cache(double fraction);

 private:
  using Values = RecentEmbeddings::Values;
  enum class State : std::uint8_t { waiting, running, done, failed };
  /// A text on its way; shared by all who want it.
  struct Slot {
    storage::EmbeddingKey key{};
    std::string text;
    std::size_t tokens = 0;
    std::uint64_t group = 0;  ///< the caller that brought it
    bool alone = false;       ///< with texts of the same caller only
    State state = State::waiting;
    std::uint32_t wanted = 0;  ///< callers that wait for it
    Values values;
    Error error;
  };
  using SlotPtr = std::shared_ptr<Slot>;
  /// Texts that may share a call.
  struct LaneKey {
    std::string model;
    EmbedPurpose purpose = EmbedPurpose::plain;
    std::uint32_t dimensions = 0;
    auto operator<=>(const LaneKey&) const = default;
  };
  struct Batch {
    LaneKey lane;
    std::vector<SlotPtr> slots;
  };
  class Ticket;
  class Run;
  struct KeyHash {
    std::size_t operator()(const storage::EmbeddingKey& key) const noexcept;
  };

  Co<Status> look_up(const std::vector<storage::EmbeddingKey>& keys, std::vector<Values>& found,
                     Deadline by);
  Co<Result<std::uint64_t>> fill(const EmbedWish& wish,
                                 const std::vector<storage::EmbeddingKey>& keys,
                                 std::vector<Values>& found, Deadline by);
  Co<Result<std::uint64_t>> drive(Ticket& ticket, RequestId request, Deadline by);
  Co<std::uint64_t> run(Batch batch, RequestId request, Deadline by);
  Co<> persist(const Batch& batch, Deadline by);
  std::optional<Batch> take(const LaneKey& lane);
  bool board(Ticket& ticket, const EmbedWish& wish, const std::vector<storage::EmbeddingKey>& keys,
             const std::vector<Values>& found);
  void leave(Ticket& ticket) noexcept;
  void settle(Run& run, Embeddings& got);
  void settle(Run& run, const Error& error);
  void give_back(Run& run) noexcept;
  void end(Slot& slot) noexcept;

  Models& models_;
  storage::EmbeddingCache* const cache_;
  const EmbeddingSettings settings_;
  Clock& clock_;
  Counter& hits_;
  Counter& misses_;
  Counter& coalesced_;
  Counter& calls_;
  Event changed_;
  mutable std::mutex mutex_;
  RecentEmbeddings recent_;
  std::map<LaneKey, std::deque<SlotPtr>> lanes_;
  std::unordered_map<storage::EmbeddingKey, SlotPtr, KeyHash> slots_;  ///< waiting or running
  std::size_t waiting_ = 0;
  std::uint32_t running_ = 0;
  std::uint64_t next_group_ = 1;
};

/// What decides an embedding, as one key.
storage::EmbeddingKey embedding_key(const EmbedWish& wish, std::string_view text);

}  // namespace mainstay::models
