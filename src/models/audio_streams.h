// The streams of transcribe() and speak() that a router gives out: watched, bounded, counted; made
// speech is kept for the next who asks for it.
// Used by the router alone.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "models/speech_cache.h"
#include "models/synthesize.h"
#include "models/transcribe.h"
#include "models/upstream.h"

namespace mainstay::models {

/// What bounds a stream's further steps.
struct Patience {
  Duration between{};               ///< two pieces
  Deadline by = Deadline::never();  ///< all of it
};

/// A transcription whose first piece is there.
class WatchedTranscript final : public TranscriptStream {
 public:
  struct Parts {
    std::unique_ptr<TranscriptStream> inner;
    TranscriptPiece first;
    Upstream::Call call;
    Patience patience;
    bool segments = false;  ///< were asked for
  };
  WatchedTranscript(Parts parts, Clock& clock) : parts_(std::move(parts)), clock_(clock) {}
  Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) override;

 private:
  Parts parts_;
  Clock& clock_;
  bool began_ = false;
  bool ended_ = false;
  std::optional<Error> broken_;
};

/// Where made speech is kept once all of it is there.
struct KeepSpeech {
  SpeechCache* cache = nullptr;  ///< null: nowhere
  CacheKey key;
  KeptSpeech speech;  ///< all but its bytes
};

/// Speech whose first piece is there.
class WatchedSpeech final : public SpeechStream {
 public:
  struct Parts {
    std::unique_ptr<SpeechStream> inner;
    std::string first;
    Upstream::Call call;
    Patience patience;
    KeepSpeech keep;
  };
  WatchedSpeech(Parts parts, Clock& clock) : parts_(std::move(parts)), clock_(clock) {}
  Co<Result<std::optional<std::string>>> next(Deadline by) override;
  AudioShape shape() const noexcept override { return parts_.inner->shape(); }

 private:
  void keep(const std::string& piece);
  void store();
  Parts parts_;
  Clock& clock_;
  bool began_ = false;
  bool ended_ = false;
  std::optional<Error> broken_;
};

/// Speech from the cache.
class KeptSpeechStream final : public SpeechStream {
 public:
  explicit KeptSpeechStream(std::shared_ptr<const KeptSpeech> kept) : kept_(std::move(kept)) {}
  Co<Result<std::optional<std::string>>> next(Deadline by) override;
  AudioShape shape() const noexcept override { return kept_->shape; }

 private:
  const std::shared_ptr<const KeptSpeech> kept_;
  std::size_t at_ = 0;
};

}  // namespace mainstay::models
