// The api over scripted models and memory stores, on a fake clock.
// Used by the api's tests.
#pragma once

#include <atomic>
#include <deque>

#include "api/analyze.h"
#include "api/running_chats.h"
#include "api/service.h"
#include "models/audio_streams.h"
#include "storage/memory/open.h"
#include "unit/api/fake_exchange.h"
#include "unit/api/fake_program.h"
#include "unit/base/support.h"

namespace mainstay::api::test {

using namespace std::chrono_literals;

class FakeStream final : public models::ChatStream {
 public:
  FakeStream(std::deque<std::string> chunks, std::optional<Error> cut, int& read)
      : chunks_(std::move(chunks)), cut_(std::move(cut)), read_(read) {}
  Co<Result<std::optional<models::ChatChunk>>> next(Deadline) override {
    if (chunks_.empty() && cut_) co_return *cut_;
    if (chunks_.empty()) co_return std::optional<models::ChatChunk>();
    ++read_;
    models::ChatChunk chunk;
    chunk.json = std::move(chunks_.front());
    chunks_.pop_front();
    if (chunks_.empty()) chunk.usage = {17, 5, true};
    co_return std::optional<models::ChatChunk>(std::move(chunk));
  }

 private:
  std::deque<std::string> chunks_;
  std::optional<Error> cut_;
  int& read_;
};

class FakeModels final : public models::Models {
 public:
  explicit FakeModels(Clock& clock) : clock_(clock) {}
  Co<Result<models::Answer>> embed(models::EmbedRequest request, std::string, Deadline) override {
    models::Answer answer;
    answer.by = by;
    answer.embeddings = std::make_unique<models::Embeddings>();
    answer.embeddings->vectors.resize(request.texts.size(), {1, 0});
    answer.embeddings->dimension = 2;
    co_return answer;
  }
  Co<Result<models::Answer>> chat(models::ChatRequest request, Deadline) override {
    asked.push_back(std::move(request));
    if (asked.back().hold && keeps) asked.back().hold->keep();
    if (hangs) {
      bool waited = co_await sleep(clock_, 24h);
      waited = co_await sleep(clock_, 24h);  // after a cancellation this one throws
      if (!waited) co_return Error::log(Errc::cancelled, "scripted");
    }
    if (error) co_return *error;
    models::Answer answer;
    answer.by = by;
    if (asked.back().stream) {
      answer.stream = std::make_unique<FakeStream>(chunks, cut, chunks_read);
    } else {
      answer.reply = models::ChatReply{body, {11, 7, true}};
    }
    co_return answer;
  }
  Co<Result<models::Answer>> transcribe(models::TranscribeRequest, std::string, Deadline) override {
    models::Answer answer;
    answer.by = by;
    models::Transcript heard;
    heard.text = "what was said";
    heard.seconds = 2;
    answer.transcript = models::one_piece(std::move(heard));
    co_return answer;
  }
  Co<Result<models::Answer>> speak(models::SpeechRequest request, std::string, Deadline) override {
    models::Answer answer;
    answer.by = by;
    models::KeptSpeech spoken;
    spoken.bytes = "sound of " + request.text;
    spoken.shape.form = request.form;
    answer.speech = std::make_unique<models::KeptSpeechStream>(
        std::make_shared<const models::KeptSpeech>(std::move(spoken)));
    co_return answer;
  }
  Co<Result<std::vector<models::Voice>>> voices(Deadline) override {
    models::Voice voice;
    voice.id = "v";
    voice.name = "Vee";
    voice.provider = "provider-x";
    co_return std::vector<models::Voice>{voice};
  }
  Co<Result<std::vector<models::ModelInfo>>> list(Deadline) override { co_return infos; }
  std::vector<models::ProviderState> providers() const override { return states; }
  std::size_t forget(TenantId) override { return 0; }

  models::Attribution by;
  std::string body =
      R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Bern."}}]})";
  std::deque<std::string> chunks = {R"({"n":1})", R"({"n":2})", R"({"n":3})"};
  std::optional<Error> cut;
  std::optional<Error> error;
  bool keeps = false;  ///< somebody else joins each answer
  std::optional<models::ModelInfo> find(const std::string& id) const override {
    for (const auto& info : others) {
      if (info.id == id) return info;
    }
    return std::nullopt;
  }
  std::vector<models::ModelInfo> infos;
  std::vector<models::ModelInfo> others;  ///< found by name, not listed
  std::vector<models::ProviderState> states;
  std::vector<models::ChatRequest> asked;
  int chunks_read = 0;
  bool hangs = false;  ///< never answers

 private:
  Clock& clock_;
};

class NoClient final : public net::Client {
 public:
  Co<Result<std::unique_ptr<net::Reply>>> send(net::Call, net::CallTimers, Deadline) override {
    co_return Error::log(Errc::internal, "the api calls nobody itself");
  }
  net::ClientFigures figures() const override { return {}; }
  void close() override {}
};

inline Settings quiet_settings() {
  Settings settings;
  settings.log.sink = "none";
  settings.log.level = "off";
  return settings;
}

struct World : SimTest {
  World() {
    log = std::move(*Log::open(settings.log, clock));
    models.by.provider = "provider-x";
    models.by.model = "model-x";
    models.by.attempts = 3;
    models.by.cache = models::CacheState::miss;
  }
  ~World() override { log->stop(1s); }

  /// Makes the rooms with the settings as they are; at the first request.
  void open() {
    if (api) return;
    admission.emplace(settings, clock, metrics);
    library.emplace(settings.knowledge, clock, random, pool, stores->documents());
    assistant.emplace(settings, clock, random, models, *library, stores->conversations());
    rooms.reset(new Rooms{settings, clock, random, *log, metrics, *admission, *assistant, models,
                          *library, *stores, client, not_ready, settings.server.listen});
    desk.emplace(settings, clock, *log);
    desk->program = &program;
    rooms->admin = &*desk;
    rooms->analyze = &analyze;
    rooms->running_chats = &running_chats;
    api.emplace(*rooms);
  }
  using Reply = std::unique_ptr<FakeExchange>;
  /// Serves one request to its end. The pool of the library answers in real time.
  Reply serve(Sent sent, const std::function<void(FakeExchange&)>& prepare = {}) {
    open();
    auto exchange = std::make_unique<FakeExchange>(std::move(sent), clock.now());
    if (prepare) prepare(*exchange);
    bool ended = false;
    asio::co_spawn(io.get_executor(), api->serve(*exchange), [&](std::exception_ptr thrown) {
      ended = true;
      if (!thrown) return;
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        ADD_FAILURE() << "serve() threw " << e.what();
      }
    });
    while (!ended) {
      clock.advance(0s);
      if (!ended) std::this_thread::yield();
    }
    return exchange;
  }
  static Sent get(std::string target) {
    Sent sent;
    sent.target = std::move(target);
    return sent;
  }
  static Sent post(std::string target, std::string body) {
    Sent sent;
    sent.method = "POST";
    sent.target = std::move(target);
    sent.body = std::move(body);
    return sent.with("content-type", "application/json");
  }
  static Sent chat(const std::string& more = "") {
    return post("/v1/chat/completions",
                R"({"messages":[{"role":"user","content":"Capital?"}])" + more + "}");
  }
  static Json json(const std::string& text) {
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed.ok()) << text;
    return parsed.ok() ? *parsed : Json();
  }
  /// A request with the admin key, which open() makes known.
  static constexpr const char* kAdminKey = "admin-key-of-the-tests-000000000001";
  Sent admin(Sent sent) {
    open();
    admission->identity().accept_admin(admission::key_digest(kAdminKey));
    return sent.with("x-api-key", kAdminKey);
  }
  /// "STATUS code" of an error reply, whose shape is checked.
  static std::string refused(const Reply& reply) {
    const Json body = json(reply->body);
    EXPECT_TRUE(body.is_object() && body.contains("error")) << reply->body;
    if (!body.is_object() || !body.contains("error")) return std::to_string(reply->status);
    const Json& error = body["error"];
    for (const char* member : {"message", "type", "param", "code"}) {
      EXPECT_TRUE(error.contains(member)) << reply->body;
    }
    EXPECT_NE(error["message"], "");
    EXPECT_EQ(reply->replies, 1);
    return std::to_string(reply->status) + " " + error["code"].get<std::string>();
  }

  Settings settings = quiet_settings();
  SeededRandom random{5};
  std::unique_ptr<Log> log;
  Metrics metrics;
  OffloadPool pool{"test", 1, 16};
  AnalyzeDesk analyze{pool};
  RunningChats running_chats{clock};
  FakeModels models{clock};
  std::unique_ptr<storage::Stores> stores = storage::memory::open(clock);
  NoClient client;
  std::atomic<const char*> not_ready{""};
  std::optional<admission::Admission> admission;
  std::optional<knowledge::Library> library;
  std::optional<assistant::Assistant> assistant;
  FakeProgram program{clock};
  std::optional<AdminDesk> desk;
  std::unique_ptr<Rooms> rooms;
  std::optional<Api> api;
};

}  // namespace mainstay::api::test
