// Coalescing: identical questions in flight share one upstream call. The first to come leads, those
// who come while it lasts follow, from the first chunk on.
// Used by the router alone.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/event.h"
#include "config/settings.h"
#include "models/cache_key.h"
#include "models/chunk_tape.h"
#include "models/models.h"

namespace mainstay::models {

/// One call in flight. Thread-safe; shared by the leader, the followers and the table.
class Flight {
 public:
  Flight(Clock& clock, CacheKey key, std::shared_ptr<Hold> hold, const CacheSettings& settings);

  // What the leader tells.

  /// The whole reply, or the failure, of a call that is not a stream; or a stream's failure before
  /// its first token.
  void finish(const ChatReply& reply, const Attribution& by);
  void finish(const Error& error, const Attribution& by);
  /// The stream has begun: followers may read.
  void begin(const Attribution& by);
  /// One chunk; false when the buffer is full and recording has stopped.
  bool append(const ChatChunk& chunk);
  /// The stream's end, or how it broke.
  void end(std::optional<Error> error);
  /// The recorded stream; null when it did not end well or was too long.
  std::shared_ptr<const ChunkTape> tape() const;

  // What a follower asks.

  /// False when it takes no more followers. On true leave() must follow, once.
  bool join();
  void leave();
  enum class Phase : std::uint8_t { waiting, streaming, finished };
  Phase phase() const;
  /// In phase finished.
  Result<ChatReply> outcome() const;
  /// In phases streaming and finished.
  Attribution attribution() const;
  /// The next chunk of the stream, or how it ended; `pending`: not there yet.
  struct Next {
    bool pending = false;
    std::optional<ChatChunk> chunk;
    std::optional<Error> error;
  };
  Next next(ChunkTape::Cursor& cursor) const;

  const CacheKey key;
  /// Notified after every change.
  Event changed;

 private:
  template <class Outcome>
  void finish_with(const Outcome& outcome, const Attribution& by);
  const std::shared_ptr<Hold> hold_;
  const std::uint32_t followers_max_;
  const std::size_t buffer_max_;
  mutable std::mutex mutex_;
  Phase phase_ = Phase::waiting;
  std::uint32_t followers_ = 0;
  bool open_ = true;  ///< takes followers
  bool recording_ = true;
  bool ended_ = false;
  std::optional<Error> error_;
  Result<ChatReply> outcome_;
  Attribution by_;
  std::shared_ptr<ChunkTape> tape_;
};

/// The flights of the program, by key. Thread-safe.
class FlightTable {
 public:
  FlightTable(Clock& clock, const CacheSettings& settings) : clock_(clock), settings_(settings) {}

  struct Seat {
    std::shared_ptr<Flight> flight;  ///< null: fly alone
    bool leader = false;
  };
  /// Joins the flight of that key, or starts one and leads it.
  Seat board(const CacheKey& key, const std::shared_ptr<Hold>& hold);
  /// Nobody joins it any more.
  void land(const Flight& flight);

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<CacheKey, std::shared_ptr<Flight>, CacheKeyHash> map;
  };
  Shard& shard(const CacheKey& key) { return shards_[key.bytes[31] % kShards]; }
  Clock& clock_;
  const CacheSettings settings_;
  Shard shards_[kShards];
};

/// What a leader owes its followers: however it leaves, they hear of it.
class Lead {
 public:
  Lead(FlightTable& table, std::shared_ptr<Flight> flight)
      : table_(&table), flight_(std::move(flight)) {}
  Lead(Lead&& other) noexcept : table_(other.table_), flight_(std::move(other.flight_)) {}
  Lead& operator=(Lead&&) = delete;
  /// Left without an end: the call was cancelled.
  ~Lead();
  void finish(const ChatReply& reply, const Attribution& by);
  void finish(const Error& error, const Attribution& by);
  void begin(const Attribution& by) { flight_->begin(by); }
  bool append(const ChatChunk& chunk) { return flight_->append(chunk); }
  void end(std::optional<Error> error);
  std::shared_ptr<const ChunkTape> tape() const { return flight_->tape(); }

 private:
  FlightTable* table_;
  std::shared_ptr<Flight> flight_;  ///< null: moved from, or landed
};

/// A follower's place; left when destroyed.
class Follow {
 public:
  explicit Follow(std::shared_ptr<Flight> joined) : flight(std::move(joined)) {}
  Follow(Follow&& other) noexcept = default;
  Follow& operator=(Follow&&) = delete;
  ~Follow() {
    if (flight) flight->leave();
  }
  std::shared_ptr<Flight> flight;
};

/// The stream as a follower reads it: all chunks from the first, then as they come.
class FollowerStream final : public ChatStream {
 public:
  /// `patience`: how long to wait for one chunk.
  FollowerStream(Follow place, Clock& clock, Duration patience)
      : place_(std::move(place)), clock_(clock), patience_(patience) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override;

 private:
  Follow place_;
  Clock& clock_;
  const Duration patience_;
  ChunkTape::Cursor cursor_;
};

/// A finished stream again, from its tape.
class ReplayStream final : public ChatStream {
 public:
  explicit ReplayStream(std::shared_ptr<const ChunkTape> tape) : tape_(std::move(tape)) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override;

 private:
  std::shared_ptr<const ChunkTape> tape_;
  ChunkTape::Cursor cursor_;
};

}  // namespace mainstay::models
