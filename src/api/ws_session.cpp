// The conversation on a WebSocket.
#include "api/ws_session.h"

#include "api/job_pages.h"

namespace mainstay::api {
namespace {

using net::CloseCode;

constexpr auto kFollow = std::chrono::seconds(30);  ///< one wait for events
constexpr auto kPause = std::chrono::seconds(1);    ///< after a failed one
constexpr std::uint32_t kEndsMax = 100;             ///< told after news were lost

}  // namespace

WsSession::WsSession(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge,
                     Executor executor)
    : rooms_(rooms),
      context_(context),
      socket_(socket),
      guest_(rooms, context, socket, std::move(badge), admission::Scope::jobs),
      gate_(rooms),
      tasks_(rooms.clock, executor, [&rooms](const std::string& task, const std::string& what) {
        rooms.log.error("websocket.failed", {{"task", task}, {"what", what}});
      }) {}

Deadline WsSession::soon() const {
  return Deadline::in(rooms_.clock, rooms_.settings.storage.operation_timeout);
}

/// What cannot be sent was said to nobody: the socket is closed then, and read() tells.
void WsSession::answer(const std::string& text) {
  [[maybe_unused]] auto sent = socket_.send(text);
}

Co<> WsSession::run() {
  if (guest_.begin()) co_await welcome();
  for (;;) {
    auto message = co_await guest_.read();
    if (!message.ok()) co_return;
    co_await handle(std::move(*message));
  }
}

Co<> WsSession::welcome() {
  auto follower = co_await rooms_.jobs->follow_all(context_.caller, std::string(), soon());
  if (!follower.ok()) {
    refuse({}, follower.error());
    socket_.close(CloseCode::try_again, "unavailable");
    co_return;
  }
  follower_ = std::move(*follower);
  answer(ready_message(context_.id.text(), follower_->place()));
}

Co<> WsSession::handle(net::WebSocketMessage message) {
  if (!message.text) {
    socket_.close(CloseCode::unsupported_data, "text_only");
    co_return;
  }
  std::string id;
  auto said = read_said(message.payload, id);
  if (!said.ok()) {
    refuse(id, said.error());
    co_return;
  }
  if (!guest_.known() && said->type != Said::Type::auth) {
    guest_.refuse_stranger(id);
    co_return;
  }
  co_await act(std::move(*said));
}

Co<> WsSession::act(Said said) {
  switch (said.type) {
    case Said::Type::auth:
      if (!guest_.auth(said.id, std::move(said.token), asked_)) break;
      co_await welcome();
      break;
    case Said::Type::submit:
      co_await submit(std::move(said));
      break;
    case Said::Type::cancel:
    case Said::Type::retry:
      co_await cancel_or_retry(std::move(said));
      break;
    case Said::Type::attach:
      co_await attach(std::move(said));
      break;
    case Said::Type::ping:
      answer(pong_message(said.id));
      break;
  }
}

Co<> WsSession::submit(Said said) {
  asked_ = true;
  auto admitted = gate_.admit_more(context_);
  if (!admitted.ok()) {
    refuse(said.id, admitted.error());
    co_return;
  }
  start_telling();
  said.order.client = client_;
  auto submitted = co_await rooms_.jobs->submit(context_.caller, std::move(said.order), soon());
  if (submitted.ok()) {
    answer(accepted_message(said.id, *submitted));
  } else {
    refuse(said.id, submitted.error());
  }
}

Co<> WsSession::cancel_or_retry(Said said) {
  asked_ = true;
  // As over HTTP, where deleting is never counted and a new attempt is.
  Result<storage::Job> job;
  if (said.type == Said::Type::cancel) {
    job = co_await rooms_.jobs->cancel(context_.caller, said.job, soon());
  } else {
    auto admitted = gate_.admit_more(context_);
    if (!admitted.ok()) {
      refuse(said.id, admitted.error());
      co_return;
    }
    start_telling();
    job = co_await rooms_.jobs->retry(context_.caller, said.job, soon());
  }
  if (job.ok()) {
    const char* what = said.type == Said::Type::cancel ? "job.cancel" : "job.retry";
    note_anothers(rooms_, context_, what, *job, storage::name(job->state));
    answer(job_message(said.id, *job));
  } else {
    refuse(said.id, job.error());
  }
}

Co<> WsSession::attach(Said said) {
  if (telling_) {
    refuse(said.id, Error::say(Errc::conflict, "already_attached",
                               "Events are told already: attach once, and before the first "
                               "submission."));
    co_return;
  }
  asked_ = true;
  if (!said.last_event_id.empty()) {
    auto follower = co_await rooms_.jobs->follow_all(context_.caller, said.last_event_id, soon());
    if (!follower.ok()) {
      refuse(said.id, follower.error());
      co_return;
    }
    follower_ = std::move(*follower);
  }
  client_ = std::move(said.client);
  answer(attached_message(said.id, follower_->place()));
  start_telling();
}

void WsSession::start_telling() {
  if (telling_ || !follower_) return;
  telling_ = true;
  tasks_.spawn("websocket.events", tell_events());
}

Co<> WsSession::tell_events() {
  for (;;) {
    auto events = co_await follower_->next(Deadline::in(rooms_.clock, kFollow));
    if (!events.ok()) {
      if (events.error().code == Errc::cancelled) co_return;
      rooms_.log.warn("websocket.events", {{"detail", events.error().detail}});
      [[maybe_unused]] auto slept = co_await sleep(rooms_.clock, kPause);
      continue;  // the follower keeps its place
    }
    bool missed = false;
    for (const auto& event : *events) {
      if (event.type == jobs::EventType::missed) {
        missed = true;
        answer(missed_message());
      } else if (is_for_us(event.client)) {
        auto sent = socket_.send(event_message(event));
        if (!sent.ok()) co_return;
      }
    }
    if (missed) co_await tell_ends();
  }
}

/// After news were lost: which of the latest jobs have ended, from their records.
Co<> WsSession::tell_ends() {
  storage::JobFilter filter;
  storage::JobId newest;
  const Deadline by = soon();
  auto page = co_await rooms_.jobs->list(context_.caller, std::move(filter), false,
                                         std::move(newest), kEndsMax, by);
  if (!page.ok()) co_return;
  for (const auto& job : page->items) {
    if (!storage::ended(job.state) || !is_for_us(job.job.client)) continue;
    answer(event_message(jobs::end_of(job, 0), true));
  }
}

}  // namespace mainstay::api
