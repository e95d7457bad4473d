// Pulling, watching and recording streams.
#include "models/streams.h"

namespace mainstay::models {
namespace {

/// What a provider says inside a stream may quote the request, which is not kept for so long: the
/// log gets the status alone ("status 529: ...", or only words).
void leave_words_out(Error& error) {
  const bool with_status = error.detail.starts_with("status ");
  if (!with_status && error.reason != "upstream_error") return;
  const std::string status =
      with_status ? error.detail.substr(0, error.detail.find(':')) + ", " : "";
  error.detail = status + "reported inside the stream";
}

}  // namespace

Co<Result<std::optional<ChatChunk>>> WatchedStream::next(Deadline by) {
  if (replayed_ < parts_.early.size()) {
    Result<std::optional<ChatChunk>> early(std::move(parts_.early[replayed_++]));
    if (recorder_) recorder_->hear(early);
    co_return std::move(early);
  }
  if (broken_) co_return *broken_;
  if (ended_) co_return std::optional<ChatChunk>();
  // A provider that sends bytes is at work, though no token came of them: Anthropic pings, others
  // comment, while their model thinks. Each time starts the bound of a wait anew.
  Result<std::optional<ChatChunk>> got;
  do {
    const Deadline until = by.sooner(parts_.by).sooner(clock_.now(), parts_.between_tokens);
    got = co_await parts_.inner->next(until);
  } while (got.ok() && got->has_value() && (*got)->json.empty());
  if (!got.ok()) {
    Error& error = got.error();
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      error = Error::log(Errc::cancelled, "the request was cancelled");
    } else {
      name_wait(error, true, by.sooner(parts_.by), clock_.now());
      leave_words_out(error);
      parts_.call.failed(error);
      // The provider's quota is our capacity, not the caller's quota.
      if (error.code == Errc::over_limit) error.code = Errc::unavailable;
      broken_ = error;
    }
  } else if (!got->has_value()) {
    ended_ = true;
    parts_.call.succeeded(clock_.now());
  }
  if (recorder_) recorder_->hear(got);
  co_return std::move(got);
}

Co<Result<std::optional<ChatChunk>>> RecordedStream::next(Deadline by) {
  auto got = co_await inner_->next(by);
  recorder_.hear(got);
  co_return std::move(got);
}

Recorder::Recorder(std::optional<Lead> lead, Keep keep, Clock& clock)
    : lead_(std::move(lead)), keep_(std::move(keep)), clock_(&clock), started_(clock.now()) {
  if (!lead_ && keep_.cache != nullptr) own_ = std::make_shared<ChunkTape>();
}

void Recorder::hear(const Result<std::optional<ChatChunk>>& got) {
  if (!got.ok()) {
    if (lead_) lead_->end(got.error());
    own_.reset();
  } else if (got->has_value()) {
    record(**got);
  } else {
    if (lead_) lead_->end(std::nullopt);
    store();
  }
}

void Recorder::record(const ChatChunk& chunk) {
  if (keep_.cache != nullptr) worth_.hear(chunk);
  if (lead_) {
    lead_->append(chunk);
    return;
  }
  if (!own_) return;
  own_->append(chunk);
  if (own_->bytes() > keep_.most) own_.reset();
}

void Recorder::store() {
  if (keep_.cache == nullptr || !worth_) return;
  std::shared_ptr<const ChunkTape> tape;
  if (lead_) {
    tape = lead_->tape();
  } else if (own_) {
    own_->finish();
    tape = std::move(own_);
  }
  if (!tape) return;
  CachedAnswer answer = std::move(keep_.answer);
  answer.tape = std::move(tape);
  answer.stored = clock_->now();
  answer.cost += answer.stored - started_;
  keep_.cache->put(keep_.key, std::move(answer));
  keep_.cache = nullptr;
}

}  // namespace mainstay::models
