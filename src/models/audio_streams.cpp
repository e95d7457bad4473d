// Pulling, watching and keeping.
#include "models/audio_streams.h"

#include <algorithm>

namespace mainstay::models {
namespace {

constexpr std::size_t kReplayPiece = 64 * 1024;

Error left() {
  return Error::log(Errc::cancelled, "the request was cancelled");
}

}  // namespace

Co<Result<std::optional<TranscriptPiece>>> WatchedTranscript::next(Deadline by) {
  if (!began_) {
    began_ = true;
    co_return std::optional<TranscriptPiece>(std::move(parts_.first));
  }
  if (broken_) co_return *broken_;
  if (ended_) co_return std::optional<TranscriptPiece>();
  const Deadline until =
      by.sooner(parts_.patience.by).sooner(clock_.now(), parts_.patience.between);
  auto got = co_await parts_.inner->next(until);
  if (got.ok() && !got->has_value()) {
    Error cut = Error::log(Errc::bad_upstream, "a transcription without its end");
    cut.reason = "upstream_truncated";
    got = cut;
  }
  if (got.ok() && (*got)->whole) {
    auto checked = check_transcript(parts_.segments, *(*got)->whole);
    if (!checked.ok()) got = checked.error();
  }
  if (!got.ok()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    name_wait(got.error(), true, by.sooner(parts_.patience.by), clock_.now());
    parts_.call.failed(got.error());
    broken_ = got.error();
    co_return *broken_;
  }
  if ((*got)->whole) {
    ended_ = true;
    parts_.call.succeeded(clock_.now());
  }
  co_return std::move(got);
}

void WatchedSpeech::keep(const std::string& piece) {
  if (parts_.keep.cache == nullptr) return;
  std::string& bytes = parts_.keep.speech.bytes;
  if (bytes.size() + piece.size() > parts_.keep.cache->entry_max()) {
    parts_.keep.cache = nullptr;
    bytes = std::string();
    return;
  }
  bytes += piece;
}

void WatchedSpeech::store() {
  if (parts_.keep.cache == nullptr) return;
  KeptSpeech kept = std::move(parts_.keep.speech);
  kept.shape = parts_.inner->shape();
  kept.stored = clock_.now();
  kept.bytes.shrink_to_fit();
  parts_.keep.cache->put(parts_.keep.key, std::make_shared<const KeptSpeech>(std::move(kept)));
  parts_.keep.cache = nullptr;
}

Co<Result<std::optional<std::string>>> WatchedSpeech::next(Deadline by) {
  if (!began_) {
    began_ = true;
    keep(parts_.first);
    co_return std::optional<std::string>(std::move(parts_.first));
  }
  if (broken_) co_return *broken_;
  if (ended_) co_return std::optional<std::string>();
  const Deadline until =
      by.sooner(parts_.patience.by).sooner(clock_.now(), parts_.patience.between);
  auto got = co_await parts_.inner->next(until);
  if (!got.ok()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    name_wait(got.error(), true, by.sooner(parts_.patience.by), clock_.now());
    parts_.call.failed(got.error());
    broken_ = got.error();
    co_return *broken_;
  }
  if (got->has_value()) {
    keep(**got);
    co_return std::move(got);
  }
  ended_ = true;
  parts_.call.succeeded(clock_.now());
  store();
  co_return std::move(got);
}

Co<Result<std::optional<std::string>>> KeptSpeechStream::next(Deadline) {
  if (at_ >= kept_->bytes.size()) co_return std::optional<std::string>();
  std::string piece = kept_->bytes.substr(at_, kReplayPiece);
  at_ += piece.size();
  co_return std::optional<std::string>(std::move(piece));
}

}  // namespace mainstay::models
