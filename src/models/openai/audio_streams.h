// A provider's reply as transcripts and speech come in.
// Used by openai's provider.cpp alone.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "models/synthesize.h"
#include "models/transcribe.h"
#include "net/client.h"
#include "net/sse.h"

namespace mainstay::models::openai {

/// transcript.text.delta and transcript.text.done, until the latter.
class TranscriptEvents final : public TranscriptStream {
 public:
  TranscriptEvents(std::unique_ptr<net::Reply> reply, Bytes event_max)
      : reply_(std::move(reply)), events_(event_max) {}
  Co<Result<std::optional<TranscriptPiece>>> next(Deadline by) override;

 private:
  /// nullopt: more bytes are needed.
  Result<std::optional<TranscriptPiece>> parsed();
  std::unique_ptr<net::Reply> reply_;
  net::SseParser events_;
  std::string heard_;    ///< all deltas
  bool marked_ = false;  ///< [DONE] came without the event that ends it
};

/// The bytes of a reply to POST /audio/speech.
class SpeechBody final : public SpeechStream {
 public:
  SpeechBody(std::unique_ptr<net::Reply> reply, AudioForm form) : reply_(std::move(reply)) {
    shape_.form = form;
  }
  Co<Result<std::optional<std::string>>> next(Deadline by) override;
  AudioShape shape() const noexcept override { return shape_; }

 private:
  std::unique_ptr<net::Reply> reply_;
  AudioShape shape_;
  std::string rest_;  ///< of a sample that came in part
};

}  // namespace mainstay::models::openai
