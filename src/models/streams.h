// The streams a router gives out: one that watches the provider, one that records for others.
// Used by the router alone.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/cache.h"
#include "models/flight.h"
#include "models/upstream.h"

namespace mainstay::models {

/// Where a finished answer goes.
struct Keep {
  ResponseCache* cache = nullptr;  ///< null: nowhere
  CacheKey key;
  CachedAnswer answer;   ///< all but the answer itself
  std::size_t most = 0;  ///< bytes recorded at most
};

/// Records a stream while its reader pulls it: for followers, and for the cache when it ends well.
class Recorder {
 public:
  Recorder(std::optional<Lead> lead, Keep keep, Clock& clock);
  Recorder(Recorder&& other) noexcept = default;
  Recorder& operator=(Recorder&&) = delete;
  /// What the reader is about to get.
  void hear(const Result<std::optional<ChatChunk>>& got);

 private:
  void record(const ChatChunk& chunk);
  void store();
  std::optional<Lead> lead_;
  Keep keep_;
  Clock* clock_;
  TimePoint started_;
  std::shared_ptr<ChunkTape> own_;  ///< without followers to share with
  WorthKeeping worth_;
};

/// A provider's stream whose first token is there: replays what was read while waiting for it,
/// bounds each further wait, and ends the call's accounting.
class WatchedStream final : public ChatStream {
 public:
  struct Parts {
    std::unique_ptr<ChatStream> inner;
    std::vector<ChatChunk> early;  ///< read before the first token and with it
    Upstream::Call call;
    Duration between_tokens{};
    Deadline by = Deadline::never();  ///< of the whole attempt
  };
  WatchedStream(Parts parts, Clock& clock) : parts_(std::move(parts)), clock_(clock) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override;
  /// Has it recorded from here on, without another stream around it.
  void record(Recorder recorder) { recorder_.emplace(std::move(recorder)); }

 private:
  Parts parts_;
  Clock& clock_;
  std::size_t replayed_ = 0;
  bool ended_ = false;
  std::optional<Error> broken_;
  std::optional<Recorder> recorder_;
};

/// Another stream, recorded.
class RecordedStream final : public ChatStream {
 public:
  RecordedStream(std::unique_ptr<ChatStream> inner, Recorder recorder)
      : inner_(std::move(inner)), recorder_(std::move(recorder)) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override;

 private:
  std::unique_ptr<ChatStream> inner_;
  Recorder recorder_;
};

}  // namespace mainstay::models
