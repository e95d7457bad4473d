// The recording stream and the ledger.
#include "assistant/turn.h"

#include <algorithm>

#include "assistant/prompt.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::assistant {
namespace {

Error answer_too_large() {
  return Error::say(Errc::bad_upstream, "answer_too_large",
                    "The model's answer is longer than a stored message may be "
                    "(conversations.message_max).");
}

/// `ledger` may be null: then only citations are added (a stateless question over documents).
class Recorder final : public models::ChatStream {
 public:
  Recorder(std::unique_ptr<models::ChatStream> from, Ledger* ledger, OpenTurn open,
           models::Attribution by, Json citations)
      : from_(std::move(from)),
        ledger_(ledger),
        open_(std::move(open)),
        by_(std::move(by)),
        citations_(std::move(citations)) {
    if (ledger_ != nullptr && open_.early_end) open_.early_end->recording();
  }

  Co<Result<std::optional<models::ChatChunk>>> next(Deadline by) override {
    auto chunk = co_await from_->next(by);
    if (!chunk.ok()) co_return chunk;
    if (!chunk->has_value()) {
      auto stored = co_await store();
      if (!stored.ok()) co_return stored.error();
      co_return chunk;
    }
    auto taken = take(**chunk);
    if (!taken.ok()) co_return taken.error();
    const auto early = open_.early_end;
    if (ledger_ == nullptr || early == nullptr || !early->wished()) co_return chunk;
    if (transcript_.size() > 0) {
      transcript_.leave_calls_out();
      if (transcript_.size() > 0) {
        auto stored = co_await store();
        if (!stored.ok()) co_return stored.error();
      }
      ledger_ = nullptr;
    }
    early->store();
    co_return chunk;
  }

 private:
  Status take(models::ChatChunk& chunk) {
    if (chunk.usage.known) usage_ = chunk.usage;
    if (ledger_ != nullptr) {
      auto added = transcript_.add(chunk.json);
      if (!added.ok()) return added;
      if (transcript_.size() > ledger_->message_max().value) return answer_too_large();
    }
    if (chunk.finish && !citations_.is_null()) {
      std::vector<models::Edit> edits;
      edits.push_back({"citations", dump(citations_)});
      chunk.json = models::splice(chunk.json, models::top_level(chunk.json), edits);
    }
    return done();
  }

  Co<Status> store() {
    if (ledger_ == nullptr) co_return done();
    Json citations = citations_.is_null() ? transcript_.citations() : citations_;
    Json message = transcript_.message();
    auto stored = co_await ledger_->close(std::move(open_), std::move(message),
                                          std::move(citations), by_, usage_);
    co_return stored;
  }

  std::unique_ptr<models::ChatStream> from_;
  Ledger* ledger_;
  OpenTurn open_;
  models::Attribution by_;
  Json citations_;
  Transcript transcript_;
  models::Usage usage_;
};

}  // namespace

Co<Status> Ledger::close(OpenTurn open, Json message, Json citations, models::Attribution by,
                         models::Usage usage) {
  storage::Turn& turn = open.turn;
  storage::StoredMessage answer;
  answer.role = "assistant";
  answer.json = dump(message);
  if (answer.json.size() > message_max_.value) co_return answer_too_large();
  // A provider's count is believed up to a token a byte: it decides what fits the next window.
  answer.tokens = usage.known
                      ? Tokens{std::min<std::uint64_t>(usage.completion, answer.json.size())}
                      : Tokens{tokens_of(message)};
  turn.messages.push_back(std::move(answer));
  turn.finished = clock_.wall();
  for (auto& stored : turn.messages) {
    stored.id = MessageId(make_id("msg_", clock_, random_));
    stored.created = turn.finished;
  }
  turn.provider = by.provider;
  turn.model = by.model;
  turn.prompt_tokens = Tokens{usage.prompt};
  turn.completion_tokens = Tokens{usage.completion};
  turn.first_token = by.first_token_time;
  turn.total = clock_.now() - open.started;
  if (!citations.is_null()) turn.citations = dump(citations);
  if (open.finished) {
    *open.finished = std::move(turn);
    co_return done();
  }
  const Deadline until = Deadline::in(clock_, timeout_);
  auto stored = co_await conversations_.append(std::move(open.owner), std::move(open.turn), until);
  co_return stored;
}

std::unique_ptr<models::ChatStream> record(std::unique_ptr<models::ChatStream> from, Ledger* ledger,
                                           OpenTurn open, models::Attribution by, Json citations) {
  return std::make_unique<Recorder>(std::move(from), ledger, std::move(open), std::move(by),
                                    std::move(citations));
}

}  // namespace mainstay::assistant
