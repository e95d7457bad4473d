// Store and workers together on the fake clock, with dice: attempts fail, throw or never end,
// workers vanish, stores lose calls and answers, users cancel. A small model says what must hold.
#include <set>

#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

/// Each attempt decides by dice; what succeeded leaves one turn in its own conversation.
class DiceKind final : public Kind {
 public:
  DiceKind(Clock& clock, Random& random) : clock_(clock), random_(random) {
    limits_.timeout = 20s;
    limits_.attempts_max = 4;
    limits_.backoff = {100ms, 10s, 2};
  }
  std::string_view name() const noexcept override { return "dice"; }
  const KindLimits& limits() const noexcept override { return limits_; }
  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    return dump(input);
  }
  Co<Result<Outcome>> run(Run& run, Deadline) override {
    ++attempts;
    const std::uint64_t dice = random_.below(100);
    const auto how_long = std::chrono::milliseconds(random_.below(3000));
    if (dice >= 95) co_await sleep(clock_, 1h);  // out of time, or cut off
    co_await sleep(clock_, how_long);
    if (dice < 15) co_return Error::log(Errc::bad_upstream, "dice");
    if (dice < 17) co_return Error::log(Errc::invalid, "dice");
    if (dice < 20) throw std::runtime_error("dice");
    Outcome out;
    out.result = dump(Json{{"token", run.job().token}});
    storage::Turn turn;
    turn.conversation = ConversationId("conv_" + run.job().job.id.text());
    // Another request id each time: a second outcome would be seen as a second turn.
    turn.request = RequestId(run.job().job.id.text() + std::to_string(attempts));
    storage::StoredMessage message;
    message.id = MessageId("msg_" + turn.request.text());
    message.role = "user";
    message.json = "{}";
    turn.messages.push_back(std::move(message));
    out.effects.turn = std::move(turn);
    co_return out;
  }
  KindLimits limits_;
  std::uint64_t attempts = 0;

 private:
  Clock& clock_;
  Random& random_;
};

struct Simulation : JobsWorld {
  explicit Simulation(std::uint64_t seed) : dice(seed) {
    auto made = std::make_unique<DiceKind>(clock, dice);
    kind = made.get();
    kinds.add(std::move(made));
    settings.jobs.lease = Millis(6000);
    settings.storage.operation_timeout = Millis(1000);
    caller.owner = {TenantId("t"), UserId("sim")};
  }
  void TestBody() override {}

  void submit_some() {
    Order what = order({{"n", accepted.size()}}, "dice");
    what.priority = static_cast<JobClass>(dice.below(4));
    caller.owner.user = UserId("u" + std::to_string(dice.below(5)));
    if (dice.below(4) == 0) what.delay = std::chrono::milliseconds(dice.below(20'000));
    if (dice.below(10) == 0) what.expires_in = std::chrono::seconds(30 + dice.below(30));
    what.key = "k" + std::to_string(next_key++);
    auto out = try_submit(what);
    for (int i = 0; !out.ok() && out.error().code == Errc::unavailable && i < 20; ++i) {
      out = try_submit(what);  // a client that got no answer asks again with its key
    }
    if (out.ok()) accepted.insert(out->id.text());
  }
  void cancel_one() {
    if (accepted.empty()) return;
    auto it = accepted.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(dice.below(accepted.size())));
    auto out = run(desk().cancel(admin(), JobId(*it), soon()), 2s);
    if (out.ok()) cancelled.insert(*it);
  }
  /// A process is killed: its coroutines end wherever they are. Another one starts.
  void kill_one() {
    const std::size_t which = dice.below(workers.size());
    bool done = false;
    asio::co_spawn(io.get_executor(), workers[which]->close(),
                   [&done](std::exception_ptr) { done = true; });
    for (int i = 0; i < 1000 && !done; ++i) clock.advance(10ms);
    ASSERT_TRUE(done);
    workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(which));
    add_workers(1 + static_cast<std::uint32_t>(dice.below(3)));
  }
  void live() {
    store.dice = &dice;
    store.one_in = 20;
    for (int i = 0; i < 3; ++i) add_workers(2);
    for (int moment = 0; moment < 150; ++moment) {
      const auto event = dice.below(10);
      if (event < 6) submit_some();
      if (event == 6) cancel_one();
      if (event == 7) kill_one();
      clock.advance(std::chrono::milliseconds(dice.below(1500)));
    }
    store.one_in = 0;  // the faults are over: everything ends
    clock.advance(30min);
  }
  std::size_t turns_of(const std::string& id, const storage::Owner& owner) {
    auto out = run(conversations.messages(owner, ConversationId("conv_" + id), {}, 100, soon()));
    return out.ok() ? out->size() : 0;
  }
  void judge() {
    std::uint64_t succeeded = 0;
    for (const auto& id : accepted) {
      auto found = run(memory.get(std::nullopt, JobId(id), soon()));
      ASSERT_TRUE(found.ok()) << "lost: " << id;
      const auto& one = *found;
      EXPECT_TRUE(storage::ended(one.state)) << id << " is " << storage::name(one.state);
      EXPECT_LE(one.attempts, one.job.attempts_max) << id;
      const bool good = one.state == JobState::succeeded;
      EXPECT_EQ(turns_of(id, one.job.owner), good ? 1u : 0u) << id << ": effects";
      if (cancelled.contains(id)) EXPECT_EQ(one.state, JobState::cancelled) << id;
      if (one.state == JobState::dead) EXPECT_FALSE(one.failure.code.empty()) << id;
      succeeded += good ? 1 : 0;
    }
    EXPECT_EQ(memory.figures().completed, succeeded) << "outcomes twice";
    EXPECT_EQ(memory.figures().depth, 0u);
    EXPECT_GT(succeeded, accepted.size() / 2);
    for (const auto& one : workers) EXPECT_EQ(one->figures().busy, 0u);
  }

  SeededRandom dice;
  DiceKind* kind = nullptr;
  std::set<std::string> accepted;
  std::set<std::string> cancelled;
  int next_key = 0;
};

// proves Z10 Z15: accepted work is never lost and never counts twice, whatever fails.
class Simulated : public ::testing::TestWithParam<int> {};
TEST_P(Simulated, nothing_accepted_is_lost_and_nothing_counts_twice) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Simulation world(static_cast<std::uint64_t>(GetParam()));
  world.live();
  world.judge();
  EXPECT_GT(world.accepted.size(), 30u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, Simulated, ::testing::Range(1, 21));

TEST(SimulatedReplay, the_same_seed_lives_the_same_life) {
  const auto life = [](std::uint64_t seed) {
    Simulation world(seed);
    world.live();
    std::vector<std::string> out;
    for (const auto& id : world.accepted) {
      const auto one = world.job(JobId(id));
      out.push_back(id + std::string(storage::name(one.state)) + std::to_string(one.token));
    }
    return out;
  };
  EXPECT_EQ(life(5), life(5));
  EXPECT_NE(life(5), life(6));
}

}  // namespace
}  // namespace mainstay::jobs
