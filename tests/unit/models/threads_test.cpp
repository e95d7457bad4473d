// Several event loops ask one router at once; meaningful under the thread sanitizer.
#include <latch>

#include "base/offload.h"
#include "world.h"

namespace mainstay::models::test {
namespace {

/// Answers at once, on any loop.
class PlainStream final : public ChatStream {
 public:
  Co<Result<std::optional<ChatChunk>>> next(Deadline) override {
    co_await asio::post(use_co);
    if (at_ == 20) co_return std::optional<ChatChunk>();
    ChatChunk chunk;
    chunk.json = "word-" + std::to_string(at_++);
    chunk.token = true;
    co_return std::optional<ChatChunk>(std::move(chunk));
  }

 private:
  int at_ = 0;
};

class PlainProvider final : public ChatProvider {
 public:
  const std::string& name() const noexcept override { return name_; }
  Co<Result<ChatReply>> complete(const ChatRequest&, Attempt, AttemptTimings&) override {
    co_await asio::post(use_co);
    if (calls.fetch_add(1) % 50 == 49) co_return broken();
    co_return ChatReply{"{\"plain\":1}", {}};
  }
  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest&, Attempt,
                                                 AttemptTimings&) override {
    co_await asio::post(use_co);
    ++calls;
    std::unique_ptr<ChatStream> out = std::make_unique<PlainStream>();
    co_return out;
  }
  Co<Result<std::vector<ModelInfo>>> models(Deadline) override {
    co_return std::vector<ModelInfo>();
  }
  std::atomic<int> calls{0};

 private:
  std::string name_ = "plain";
};

Co<> read_all(ChatStream& stream, Deadline by, std::vector<std::string>& words) {
  while (true) {
    auto chunk = co_await stream.next(by);
    if (!chunk.ok() || !chunk->has_value()) co_return;
    words.push_back((*chunk)->json);
  }
}

Co<> ask_many(Clock& clock, Router& router, int loop, std::atomic<int>& fine) {
  for (int i = 0; i < 150; ++i) {
    ChatRequest request;
    request.body = "{\"n\":" + std::to_string(i / 3) + "}";
    request.index();
    request.model = "plain/m";
    request.stream = i % 2 == 1;
    request.tenant = TenantId(loop % 2 == 0 ? "even" : "odd");
    request.cache.no_cache = i % 5 == 0;
    const Deadline by = Deadline::in(clock, 30s);
    auto answer = co_await router.chat(std::move(request), by);
    if (!answer.ok()) continue;
    std::vector<std::string> words;
    if (answer->stream) co_await read_all(*answer->stream, by, words);
    if (answer->reply || words.size() == 20) ++fine;
  }
}

TEST(router_threads, loops_share_cache_flights_and_providers) {
  RealClock clock;
  RealRandom random;
  LogSettings silent;
  silent.sink = "none";
  silent.level = "off";
  auto log = std::move(*Log::open(silent, clock));
  Metrics metrics;
  Settings settings;
  settings.cache.size_max = Bytes{64 << 10};  // small, so that it evicts
  settings.cache.entry_max = Bytes{4 << 10};
  std::vector<NamedProvider> providers(1);
  providers[0].provider = std::make_unique<PlainProvider>();
  providers[0].settings.concurrent_max = 2;  // so that calls wait for permits
  Router router(std::make_shared<const Settings>(settings), std::move(providers),
                std::make_unique<PlainProvider>(), Tools{clock, random, *log, metrics});
  constexpr int kLoops = 4;
  std::atomic<int> fine{0};
  std::vector<std::unique_ptr<asio::io_context>> loops;
  for (int i = 0; i < kLoops; ++i) loops.push_back(std::make_unique<asio::io_context>(1));
  for (int i = 0; i < kLoops; ++i) {
    for (int k = 0; k < 2; ++k) {
      asio::co_spawn(*loops[static_cast<std::size_t>(i)], ask_many(clock, router, i, fine),
                     [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
    }
  }
  OffloadPool pool("loops", kLoops, kLoops);
  std::latch done(kLoops);
  for (auto& loop : loops) {
    pool.submit([&loop, &done] {
      loop->run();
      done.count_down();
    });
  }
  done.wait();
  pool.stop();
  EXPECT_GT(fine.load(), kLoops * 2 * 150 * 8 / 10);
  EXPECT_EQ(router.providers()[0].in_flight, 0U);
  router.shrink_cache(1.0);
  loops.clear();
  log->stop(1s);
}

}  // namespace
}  // namespace mainstay::models::test
