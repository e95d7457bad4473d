// Pulling events and bytes.
#include "models/openai/audio_streams.h"

#include "base/text.h"
#include "models/openai/audio.h"
#include "models/provider_error.h"

namespace mainstay::models::openai {
namespace {

constexpr std::size_t kHeardMax = 4U << 20;  ///< bytes of a transcript's deltas

}  // namespace

Result<std::optional<TranscriptPiece>> TranscriptEvents::parsed() {
  for (;;) {
    auto event = events_.next();
    if (!event.ok()) return event.error();
    if (!event->has_value()) return std::optional<TranscriptPiece>();
    const std::string_view data = trim((**event).data);
    if (data.empty()) continue;
    if (data == "[DONE]") {
      marked_ = true;
      return std::optional<TranscriptPiece>();
    }
    if ((**event).event == "error") return told_inside(data);
    auto piece = read_transcript_event(data);
    if (!piece.ok()) return piece.error();
    if (!piece->has_value()) continue;
    heard_ += (*piece)->delta;
    if (heard_.size() > kHeardMax) return not_understood("a transcript without an end");
    // A server that tells no pieces gives all of it with the end.
    if ((*piece)->whole && heard_.empty()) (*piece)->delta = (*piece)->whole->text;
    return piece;
  }
}

Co<Result<std::optional<TranscriptPiece>>> TranscriptEvents::next(Deadline by) {
  for (;;) {
    if (!reply_) co_return std::optional<TranscriptPiece>();
    auto piece = parsed();
    if (!piece.ok()) co_return piece.error();
    if (marked_) co_return cut_off("[DONE] without the whole transcript");
    if (piece->has_value()) {
      if ((*piece)->whole) {
        reply_->wind_up();
        reply_.reset();  // the connection is free for the next call
      }
      co_return std::move(piece);
    }
    auto bytes = co_await reply_->read(by);
    if (!bytes.ok()) co_return bytes.error();
    if (bytes->empty()) co_return cut_off("the stream ended without transcript.text.done");
    events_.feed(*bytes);
  }
}

Co<Result<std::optional<std::string>>> SpeechBody::next(Deadline by) {
  for (;;) {
    if (!reply_) co_return std::optional<std::string>();
    auto bytes = co_await reply_->read(by);
    if (!bytes.ok()) co_return bytes.error();
    if (bytes->empty()) {
      reply_.reset();
      continue;
    }
    std::string out = std::move(rest_);
    rest_ = std::string();
    out += *bytes;
    if (shape_.form == AudioForm::pcm && out.size() % 2 != 0) {
      rest_ = out.substr(out.size() - 1);
      out.pop_back();
    }
    if (!out.empty()) co_return std::optional<std::string>(std::move(out));
  }
}

}  // namespace mainstay::models::openai
