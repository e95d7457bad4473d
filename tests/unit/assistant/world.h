// An assistant over scripted models and passages and a slow, breakable store, on a fake clock.
// Used by the assistant's tests.
#pragma once

#include <deque>

#include "assistant/assistant.h"
#include "storage/memory/conversations.h"
#include "unit/base/support.h"

namespace mainstay::assistant::test {

using namespace std::chrono_literals;

inline std::string words_chunk(const std::string& words) {
  return R"({"id":"c","choices":[{"index":0,"delta":{"content":")" + words + R"("}}]})";
}
inline const std::string kFinishChunk =
    R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
inline std::string completion(const std::string& words) {
  return R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":")" + words +
         R"("},"finish_reason":"stop"}],"usage":{}})";
}

/// A stream of given chunks; then its end, or an error.
class FakeStream final : public models::ChatStream {
 public:
  explicit FakeStream(std::deque<std::string> chunks, std::optional<Error> cut = {})
      : chunks_(std::move(chunks)), cut_(std::move(cut)) {}
  Co<Result<std::optional<models::ChatChunk>>> next(Deadline) override {
    if (chunks_.empty() && cut_) co_return *cut_;
    if (chunks_.empty()) co_return std::optional<models::ChatChunk>();
    models::ChatChunk chunk;
    chunk.json = std::move(chunks_.front());
    chunks_.pop_front();
    chunk.finish = chunk.json.find("finish_reason") != std::string::npos;
    chunk.token = !chunk.finish;
    if (chunk.finish) chunk.usage = {21, 13, true};
    co_return std::optional<models::ChatChunk>(std::move(chunk));
  }

 private:
  std::deque<std::string> chunks_;
  std::optional<Error> cut_;
};

class FakeModels final : public models::Models {
 public:
  Co<Result<models::Answer>> chat(models::ChatRequest request, Deadline by) override {
    asked.push_back(std::move(request));
    last_by = by;
    if (error) co_return *error;
    models::Answer answer;
    answer.by.provider = provider;
    answer.by.model = "model-x";
    answer.by.first_token_time = 42ms;
    if (asked.back().stream) {
      answer.stream = std::make_unique<FakeStream>(chunks, cut);
    } else {
      answer.reply = models::ChatReply{body, {11, 7, true}};
    }
    co_return answer;
  }
  Co<Result<std::vector<models::ModelInfo>>> list(Deadline) override {
    co_return std::vector<models::ModelInfo>();
  }
  std::vector<models::ProviderState> providers() const override { return {}; }
  std::size_t forget(TenantId) override { return 0; }

  std::string provider = "provider-x";
  std::string body = completion("Bern.");
  std::deque<std::string> chunks = {words_chunk("Be"), words_chunk("rn."), kFinishChunk};
  std::optional<Error> cut;
  std::optional<Error> error;
  std::vector<models::ChatRequest> asked;
  Deadline last_by = Deadline::never();
};

class FakePassages final : public models::PassageSource {
 public:
  Co<Result<std::vector<storage::Passage>>> find(storage::PassageQuery query, Deadline) override {
    asked.push_back(std::move(query));
    if (error) co_return *error;
    co_return found;
  }
  std::vector<storage::Passage> found;
  std::optional<Error> error;
  std::vector<storage::PassageQuery> asked;
};

/// The memory store behind a disk that takes its time, or fails.
class SlowConversations final : public storage::Conversations {
 public:
  explicit SlowConversations(Clock& clock) : clock_(clock) {}
  Co<Status> append(storage::Owner owner, storage::Turn turn, Deadline by) override {
    ++appends;
    append_by = by;
    bool waited = true;
    if (delay > 0s) waited = co_await sleep(clock_, delay);
    if (!waited) co_return Error::log(Errc::cancelled, "scripted cancel");
    if (append_error) co_return *append_error;
    turns.push_back(turn);
    auto stored = co_await inner.append(std::move(owner), std::move(turn), by);
    co_return stored;
  }
  Co<Result<std::vector<storage::StoredMessage>>> window(storage::Owner owner, ConversationId id,
                                                         Tokens budget, Deadline by) override {
    last_budget = budget;
    if (window_error) co_return *window_error;
    auto out = co_await inner.window(std::move(owner), std::move(id), budget, by);
    co_return out;
  }
  Co<Result<storage::PageOfConversations>> list(storage::Owner owner, ConversationId after,
                                                std::uint32_t limit, Deadline by) override {
    auto out = co_await inner.list(std::move(owner), std::move(after), limit, by);
    co_return out;
  }
  Co<Result<storage::PageOfConversations>> search(storage::Owner owner, std::string text,
                                                  ConversationId after, std::uint32_t limit,
                                                  Deadline by) override {
    auto out =
        co_await inner.search(std::move(owner), std::move(text), std::move(after), limit, by);
    co_return out;
  }
  Co<Status> rename(storage::Owner owner, ConversationId id, std::string title,
                    Deadline by) override {
    auto out = co_await inner.rename(std::move(owner), std::move(id), std::move(title), by);
    co_return out;
  }
  Co<Result<storage::ConversationInfo>> get(storage::Owner owner, ConversationId id,
                                            Deadline by) override {
    auto out = co_await inner.get(std::move(owner), std::move(id), by);
    co_return out;
  }
  Co<Result<std::vector<storage::StoredMessage>>> messages(storage::Owner owner, ConversationId id,
                                                           MessageId after, std::uint32_t limit,
                                                           Deadline by) override {
    auto out =
        co_await inner.messages(std::move(owner), std::move(id), std::move(after), limit, by);
    co_return out;
  }
  Co<Status> erase(storage::Owner owner, ConversationId id, Deadline by) override {
    auto out = co_await inner.erase(std::move(owner), std::move(id), by);
    co_return out;
  }

  storage::memory::MemoryConversations inner;
  Duration delay{};
  std::optional<Error> append_error;
  std::optional<Error> window_error;
  int appends = 0;
  Deadline append_by = Deadline::never();
  Tokens last_budget;
  std::vector<storage::Turn> turns;  ///< stored ones, as they came

 private:
  Clock& clock_;
};

struct World : SimTest {
  using Asked = Outcome<Result<models::Answer>>;
  using Chunk = Outcome<Result<std::optional<models::ChatChunk>>>;

  Question question(const std::string& text, bool stream = false) {
    Question out;
    out.owner = {TenantId("tenant-a"), UserId("user-a")};
    out.chat.body = R"({"messages":[{"role":"system","content":"Be brief."},)"
                    R"({"role":"user","content":")" +
                    text + R"("}]})";
    out.chat.index();
    out.chat.model = "auto";
    out.chat.stream = stream;
    out.chat.request = RequestId("req_" + std::to_string(++requests));
    out.received = clock.now();
    return out;
  }
  Question in_conversation(const std::string& text, bool stream = false) {
    Question out = question(text, stream);
    out.conversation = ConversationId("conv_a");
    return out;
  }
  Question over_documents(const std::string& text, bool stream = false) {
    Question out = question(text, stream);
    out.chat.collection = CollectionName("notes");
    storage::Passage passage;
    passage.document = DocumentId("doc_7");
    passage.title = "Atlas";
    passage.source = "atlas.md";
    passage.begin = 12;
    passage.end = 34;
    passage.text = "Bern is the capital.";
    passage.score = 2.5;
    passages.found = {passage};
    return out;
  }
  void begin(Question what, Asked& out) {
    if (!assistant) assistant.emplace(settings, clock, random, models, passages, store);
    start(io, assistant->ask(std::move(what), Deadline::in(clock, 60s)), out);
    clock.advance(0s);
  }
  Result<models::Answer> ask(Question what) {
    Asked out;
    begin(std::move(what), out);
    clock.run(1h);
    EXPECT_TRUE(out.done);
    return std::move(*out.value);
  }
  /// Reads a stream to its end; the error it ended with, if any.
  std::optional<Error> read(models::ChatStream& stream, std::vector<std::string>& into) {
    for (;;) {
      Chunk chunk;
      start(io, stream.next(Deadline::in(clock, 60s)), chunk);
      clock.run(1h);
      if (!chunk.done) return Error::log(Errc::internal, "the stream hangs");
      if (!chunk.value->ok()) return chunk.value->error();
      if (!(**chunk.value).has_value()) return std::nullopt;
      into.push_back((**chunk.value)->json);
    }
  }
  std::vector<storage::StoredMessage> messages(const char* conversation = "conv_a") {
    Outcome<Result<std::vector<storage::StoredMessage>>> out;
    start(io,
          store.inner.messages({TenantId("tenant-a"), UserId("user-a")},
                               ConversationId(conversation), MessageId(), 100, Deadline::never()),
          out);
    clock.advance(0s);
    return out.value->ok() ? **out.value : std::vector<storage::StoredMessage>();
  }

  void erase_conversation() {
    Outcome<Status> out;
    start(io,
          store.inner.erase({TenantId("tenant-a"), UserId("user-a")}, ConversationId("conv_a"),
                            Deadline::never()),
          out);
    clock.advance(0s);
    EXPECT_TRUE(out.done && out.value->ok());
  }

  Settings settings;
  SeededRandom random{11};
  FakeModels models;
  FakePassages passages;
  SlowConversations store{clock};
  std::optional<Assistant> assistant;
  int requests = 0;
};

}  // namespace mainstay::assistant::test
