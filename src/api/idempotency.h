// Idempotency-Key on POST requests: the same request sent again gets the same reply and is carried
// out once; one that comes while the first runs waits for it.
// Used by api (service for every route; endpoints whose body is streamed call begin_keyed()).
#pragma once

#include <memory>
#include <string>

#include "api/context.h"
#include "assistant/early_end.h"
#include "storage/replies.h"

namespace mainstay::api {

/// The client's exchange, with the reply noted on its way. From begin() on the work goes on when
/// the client goes, so that it finds the reply when it comes again; and the reply is kept before
/// its last byte is sent. Lives on the request's loop.
class KeyedExchange final : public net::Exchange {
 public:
  KeyedExchange(net::Exchange& inner, std::string_view key) : inner_(inner), key_(key) {}
  ~KeyedExchange() override;
  KeyedExchange(const KeyedExchange&) = delete;
  KeyedExchange& operator=(const KeyedExchange&) = delete;

  const std::string& key() const noexcept { return key_; }
  /// Reads the body, which the endpoint then gets from memory.
  Co<Status> read_ahead(Bytes max, Deadline by);
  const std::string& body() const noexcept { return body_; }
  /// The turn at `place` is this request's: its reply is kept there. Errors: cancelled
  /// "chat_stopped"; the turn is over then.
  Status keep_at(const Rooms& rooms, storage::ReplyPlace place);
  /// For an answer that can be stopped; else null.
  const std::shared_ptr<assistant::EarlyEnd>& early_end() const noexcept { return early_end_; }
  /// Between two chunks: where the reader stopped the answer and what there was is stored, the
  /// rest is given up, unless others wait for it.
  void heed_early_end();
  /// The stream ends with an error: its reply is not kept, and the request may be tried again.
  void broke() noexcept { broke_ = true; }
  /// Sends what was kept; nothing is noted.
  Co<Status> replay(net::Response response);

  const net::RequestHead& head() const noexcept override { return inner_.head(); }
  Co<Result<std::string>> read_body(Bytes max, Deadline by) override;
  Co<Result<std::string>> read_piece(Bytes max, Deadline by) override;
  Co<Status> reply(net::Response response) override;
  Co<Status> begin(net::Response head) override;
  Co<Status> write(const std::string& piece) override;
  Co<Status> finish() override;
  Co<Result<net::WebSocket*>> upgrade(net::HeaderLines headers) override;
  void allow(TimePoint until) override { inner_.allow(until); }
  void abort() override;
  bool started() const noexcept override { return inner_.started(); }
  const std::shared_ptr<Hold>& hold() const noexcept override { return inner_.hold(); }

 private:
  void note(const net::Response& response);
  void note_body(std::string_view piece);
  Co<> settle();
  void forget() noexcept;
  bool leave_running();

  net::Exchange& inner_;
  const std::string key_;
  std::string body_;
  bool ahead_ = false;               ///< body_ is the request's body
  const Rooms* rooms_ = nullptr;     ///< null: no turn
  RunningChats* running_ = nullptr;  ///< in whose list it is
  std::shared_ptr<assistant::EarlyEnd> early_end_;
  storage::ReplyPlace place_;
  storage::KeptReply noted_;
  Status sent_;  ///< of a stream whose client went; the noting goes on
  bool broke_ = false;
  bool held_ = false;
};

/// Empty: the request has none. Errors: invalid "invalid_idempotency_key", also for two of them.
Result<std::string> idempotency_key(const net::RequestHead& head);

/// Null: the request carries no key, or its route is a job's, whose key the job keeps itself.
std::unique_ptr<KeyedExchange> keyed_exchange(net::Exchange& exchange, const Route& route);

/// In the place of the endpoint of a request with a key. Errors: the endpoint's and the body's;
/// those of idempotency_key() and of begin_keyed().
Co<Status> answer_once(const Rooms& rooms, Context& context);

/// Takes the turn of the request `digest`; true: a kept reply was sent and nothing is left to do.
/// Errors: of storage::Replies::begin(); conflict "idempotent_reply_too_large".
Co<Result<bool>> begin_keyed(const Rooms& rooms, Context& context, std::string digest);

}  // namespace mainstay::api
