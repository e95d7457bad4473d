// A router over scripted providers on a fake clock. Used by the router's tests.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "base/sim_clock.h"
#include "models/router.h"

namespace mainstay::models::test {

using namespace std::chrono_literals;

inline Error failure(Errc code, const char* reason, std::chrono::milliseconds retry_after = {}) {
  Error error = Error::log(code, std::string("scripted ") + reason);
  error.reason = reason;
  error.retry_after = retry_after;
  return error;
}
inline Error refused() {
  return failure(Errc::unavailable, "upstream_refused");
}
inline Error broken() {
  return failure(Errc::bad_upstream, "upstream_error");
}

/// One chunk of a scripted stream.
struct Piece {
  Duration after{};
  std::string text;
  bool token = true;
  bool finish = false;
};

/// What the provider does with one call.
struct Step {
  Duration delay{};
  std::optional<Error> error;  ///< instead of an answer
  std::string body = "{}";     ///< of a whole reply
  std::vector<Piece> pieces;   ///< of a stream
  std::optional<Error> cut;    ///< after the pieces, instead of the end marker
  bool silent = false;         ///< after the pieces: nothing more, ever
};

inline Step reply(std::string body, Duration delay = {}) {
  Step step;
  step.body = std::move(body);
  step.delay = delay;
  return step;
}
inline Step fails(Error error, Duration delay = {}) {
  Step step;
  step.error = std::move(error);
  step.delay = delay;
  return step;
}
inline Step streams(std::vector<std::string> words, Duration between = {}) {
  Step step;
  step.pieces.push_back({{}, R"({"role":"assistant"})", false, false});
  for (auto& word : words) step.pieces.push_back({between, std::move(word), true, false});
  step.pieces.push_back({{}, R"({"finish_reason":"stop"})", false, true});
  return step;
}

class FakeStream final : public ChatStream {
 public:
  /// `between` bounds every wait from the head on, as it does in a real client.
  FakeStream(Clock& clock, Step step, Duration between, int& open)
      : clock_(clock), step_(std::move(step)), between_(between), open_(open) {
    ++open_;
  }
  ~FakeStream() override { --open_; }
  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override {
    const bool over = at_ >= step_.pieces.size();
    const Duration wait = over ? Duration(step_.silent ? 24h : 0h) : step_.pieces[at_].after;
    const bool stalled = between_ < by.left(clock_.now());
    const Duration most = stalled ? between_ : by.left(clock_.now());
    const bool late = wait > most;
    const Duration shorter = late ? most : wait;
    bool waited = true;
    if (shorter > 0s) waited = co_await sleep(clock_, shorter);
    if (!waited) co_return failure(Errc::bad_upstream, "upstream_reset");
    if (late && stalled) co_return failure(Errc::deadline, "upstream_stalled");
    if (late) co_return Error::say(Errc::deadline, "upstream_timeout", "scripted stall");
    if (over && step_.cut) co_return *step_.cut;
    if (over) co_return std::optional<ChatChunk>();
    const Piece& piece = step_.pieces[at_++];
    ChatChunk chunk;
    chunk.json = piece.text;
    chunk.token = piece.token;
    chunk.finish = piece.finish;
    co_return std::optional<ChatChunk>(std::move(chunk));
  }

 private:
  Clock& clock_;
  Step step_;
  Duration between_;
  int& open_;
  std::size_t at_ = 0;
};

class FakeProvider final : public ChatProvider {
 public:
  FakeProvider(Clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }

  Co<Result<ChatReply>> complete(const ChatRequest& request, Attempt attempt,
                                 AttemptTimings& timings) override {
    Step step = begin(request, attempt);
    timings.connect = 3ms;
    const Duration most = attempt.by.sooner(clock_.now(), attempt.first_token).left(clock_.now());
    const bool late = step.delay > most;
    const Duration shorter = late ? most : step.delay;
    bool waited = true;
    if (shorter > 0s) waited = co_await sleep(clock_, shorter);
    --running;
    if (!waited) co_return failure(Errc::bad_upstream, "upstream_reset");  // cancelled
    if (late) co_return failure(Errc::deadline, "upstream_first_byte_timeout");
    if (step.error) co_return *step.error;
    Usage usage{11, 7, true};
    co_return ChatReply{step.body, usage};
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings&) override {
    Step step = begin(request, attempt);
    bool waited = true;
    if (step.delay > 0s) waited = co_await sleep(clock_, step.delay);
    --running;
    if (!waited) co_return failure(Errc::bad_upstream, "upstream_reset");
    if (step.error) co_return *step.error;
    std::unique_ptr<ChatStream> out =
        std::make_unique<FakeStream>(clock_, std::move(step), attempt.between_tokens, open);
    co_return out;
  }
  Co<Result<std::vector<ModelInfo>>> models(Deadline) override {
    ++probes;
    if (!listed) co_return unlisted;
    std::vector<ModelInfo> out;
    for (const auto& id : *listed) {
      ModelInfo info;
      info.id = id;
      out.push_back(info);
    }
    co_return out;
  }

  std::deque<Step> script;  ///< one for each call, then `always`
  Step always = reply("{\"always\":true}");
  std::optional<std::vector<std::string>> listed;  ///< empty optional: not up
  Error unlisted = refused();                      ///< why not, when it is empty
  int calls = 0;
  int probes = 0;
  int running = 0;
  int most_running = 0;
  int open = 0;  ///< streams not destroyed
  std::vector<TimePoint> at;
  std::vector<std::string> asked_models;
  Duration between_tokens{};  ///< of the last attempt

 private:
  Step begin(const ChatRequest&, const Attempt& attempt) {
    ++calls;
    most_running = std::max(most_running, ++running);
    at.push_back(clock_.now());
    asked_models.push_back(attempt.model);
    between_tokens = attempt.between_tokens;
    if (script.empty()) return always;
    Step step = std::move(script.front());
    script.pop_front();
    return step;
  }
  Clock& clock_;
  std::string name_;
};

/// One question asked, and what became of it.
struct Asked {
  std::optional<Result<Answer>> answer;
  std::vector<std::string> chunks;
  std::optional<Error> stream_error;
  bool ended = false;    ///< the stream ended with its end marker
  bool aborted = false;  ///< cancelled
  TimePoint answered{};
  std::shared_ptr<Hold> hold;
  asio::cancellation_signal signal;

  bool ok() const { return answer && answer->ok(); }
  /// Ended because it was cancelled, by exception or by value.
  bool cancelled() const {
    if (aborted) return true;
    if (stream_error) return stream_error->code == Errc::cancelled;
    return answer && !answer->ok() && answer->error().code == Errc::cancelled;
  }
  const std::string& body() const { return (**answer).reply->body; }
  const Attribution& by() const { return (**answer).by; }
  const Error& error() const { return answer->error(); }
};

inline Co<> ask_one(Clock& clock, Models& models, ChatRequest request, Deadline by, Asked& asked) {
  auto answer = co_await models.chat(std::move(request), by);
  asked.answered = clock.now();
  asked.answer.emplace(std::move(answer));
  if (!asked.ok() || !(**asked.answer).stream) co_return;
  ChatStream& stream = *(**asked.answer).stream;
  while (true) {
    auto chunk = co_await stream.next(by);
    if (!chunk.ok()) {
      asked.stream_error = chunk.error();
      break;
    }
    if (!chunk->has_value()) {
      asked.ended = true;
      break;
    }
    asked.chunks.push_back((*chunk)->json);
  }
  (**asked.answer).stream.reset();
}

class World : public ::testing::Test {
 protected:
  World() {
    LogSettings silent;
    silent.sink = "none";
    silent.level = "off";
    log = std::move(*Log::open(silent, clock));
    settings.models.default_model = "auto";
  }
  ~World() override {
    asked.clear();
    router.reset();
    log->stop(1s);
  }

  /// A configured provider; before build().
  FakeProvider& provider(const std::string& name, std::vector<std::string> models,
                         bool discovered = false) {
    auto made = std::make_unique<FakeProvider>(clock, name);
    FakeProvider& out = *made;
    NamedProvider named;
    named.provider = std::move(made);
    named.settings.name = name;
    named.settings.models = std::move(models);
    named.settings.concurrent_max = concurrent_max;
    named.discovered = discovered;
    providers.push_back(std::move(named));
    return out;
  }
  void build() {
    auto own = std::make_unique<FakeProvider>(clock, std::string(kBuiltIn));
    built_in = own.get();
    built_in->always = reply("{\"from\":\"documents\"}");
    const Tools tools{clock, random, *log, metrics};
    router = std::make_unique<Router>(std::make_shared<const Settings>(settings),
                                      std::move(providers), std::move(own), tools);
  }
  ChatRequest request(std::string body, bool stream = false) {
    ChatRequest out;
    out.body = std::move(body);
    out.index();
    out.model = "auto";
    out.stream = stream;
    out.tenant = TenantId("tenant-a");
    return out;
  }
  static std::string question(const std::string& text) {
    return R"({"messages":[{"role":"user","content":")" + text + R"("}]})";
  }
  /// Starts the question; run the clock to get on.
  Asked& start(ChatRequest what, Duration within = 60s) {
    asked.push_back(std::make_unique<Asked>());
    Asked& one = *asked.back();
    one.hold = std::make_shared<Hold>([this, &one] {
      asio::post(io, [&one] { one.signal.emit(asio::cancellation_type::terminal); });
    });
    what.hold = one.hold;
    asio::co_spawn(
        io, ask_one(clock, *router, std::move(what), Deadline::in(clock, within), one),
        asio::bind_cancellation_slot(one.signal.slot(), [&one](std::exception_ptr thrown) {
          if (!thrown) return;
          one.aborted = true;
          if (one.ok()) (**one.answer).stream.reset();
        }));
    return one;
  }
  Asked& ask(ChatRequest what, Duration within = 60s) {
    Asked& one = start(std::move(what), within);
    clock.run(within);
    return one;
  }
  Asked& ask(const std::string& text) { return ask(request(question(text))); }
  Asked& ask_stream(const std::string& text) { return ask(request(question(text), true)); }
  std::uint64_t counted(const char* name, Labels labels = {}) {
    return metrics.counter(name, help(name), std::move(labels)).value();
  }
  /// Help texts are checked by the registry; the tests need only those they read.
  static const char* help(std::string_view name) {
    if (name == "mainstay_cache_hits_total") return "Questions answered from the cache";
    if (name == "mainstay_cache_misses_total") return "Questions not found in the cache";
    if (name == "mainstay_coalesced_total") return "Questions that shared another's upstream call";
    if (name == "mainstay_cache_evictions_total") return "Answers dropped from the response cache";
    return "";
  }

  asio::io_context io;
  SimClock clock{io};
  SeededRandom random{7};
  std::unique_ptr<Log> log;
  Metrics metrics;
  Settings settings;
  std::uint32_t concurrent_max = 64;
  std::vector<NamedProvider> providers;
  FakeProvider* built_in = nullptr;
  std::unique_ptr<Router> router;
  std::vector<std::unique_ptr<Asked>> asked;
};

}  // namespace mainstay::models::test
