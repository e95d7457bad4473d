// A desk and workers over the memory store, a scripted kind, and a fake clock.
// Used by the tests of jobs.
#pragma once

#include <stdexcept>

#include "jobs/desk.h"
#include "jobs/workers.h"
#include "storage/local_signal.h"
#include "storage/memory/jobs.h"
#include "unit/base/support.h"
#include "unit/jobs/faulty_store.h"

namespace mainstay::jobs::test {

using namespace std::chrono_literals;
using storage::JobClass;
using storage::JobId;
using storage::JobState;

/// Does what its input says: {"ms": how long, "end": "ok" | "again" | "fatal" | "throw",
/// "until": attempts that fail before one succeeds, "tell": tokens, "stubborn": cannot be stopped}.
class ScriptKind final : public Kind {
 public:
  ScriptKind(Clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}
  std::string_view name() const noexcept override { return name_; }
  const KindLimits& limits() const noexcept override { return limits_; }
  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    if (input.contains("bad")) {
      return Error::say(Errc::invalid, "invalid_value", "'input.bad' is bad.", "input.bad");
    }
    return dump(input);
  }
  std::optional<admission::Use> use_of(const std::string&) const override { return use; }
  Co<Result<Outcome>> run(Run& run, Deadline) override {
    ++runs;
    ++at_work;
    most_at_work = std::max(most_at_work, at_work);
    struct Leave {
      ~Leave() { --kind.at_work; }
      ScriptKind& kind;
    };
    const Leave leave{*this};
    const Json input = *parse_json(run.job().job.input);
    const Duration whole = std::chrono::milliseconds(input.value("ms", 0));
    const int tokens = input.value("tell", 0);
    for (int i = 0; i < tokens; ++i) {
      Json data = Json::object();
      data["text"] = std::to_string(i) + " ";
      co_await run.tell("token", std::move(data));
      co_await sleep(clock_, whole / tokens);
    }
    if (tokens == 0 && whole > 0s) co_await sleep(clock_, whole);
    if (run.cancelled()) ++stopped;
    std::string end = input.value("end", "ok");
    if (run.job().attempts <= input.value("until", 0U)) end = "again";
    if (end == "throw") throw std::runtime_error("scripted");
    if (end == "fatal") co_return Error::say(Errc::invalid, "invalid_value", "Scripted: no.");
    if (end == "again") {
      Error error = Error::log(Errc::unavailable, "secret detail");
      error.retry_after = std::chrono::milliseconds(input.value("retry_after_ms", 0));
      co_return error;
    }
    Outcome out;
    out.result = dump(Json{{"attempt", run.job().attempts}});
    if (input.contains("turn")) {
      storage::Turn turn;
      turn.conversation = ConversationId(input.value("turn", ""));
      turn.request = RequestId(run.job().job.id.text());
      turn.title = "t";
      out.effects.turn = std::move(turn);
    }
    co_return out;
  }

  KindLimits limits_;
  std::optional<admission::Use> use;  ///< of each of its jobs
  int runs = 0;
  int stopped = 0;
  int at_work = 0;
  int most_at_work = 0;

 private:
  Clock& clock_;
  const std::string name_;
};

struct JobsWorld : SimTest {
  JobsWorld() {
    settings.log.sink = "none";
    log = std::move(*Log::open(settings.log, clock));
    settings.jobs.webhooks.secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    auto made = std::make_unique<ScriptKind>(clock, "script");
    script = made.get();
    script->limits_.timeout = 5min;
    script->limits_.lease = settings.jobs.lease;
    script->limits_.attempts_max = settings.jobs.attempts_max;
    script->limits_.backoff = {settings.jobs.backoff_min, settings.jobs.backoff_max, 2};
    kinds.add(std::move(made));
    auto hidden = std::make_unique<ScriptKind>(clock, "hidden");
    hidden->limits_.for_clients = false;
    hidden->limits_.timeout = 5min;
    kinds.add(std::move(hidden));
    caller = someone("ann");
  }
  ~JobsWorld() override { close_workers(); }

  static admission::Caller someone(const std::string& user) {
    admission::Caller out;
    out.owner = {TenantId("t"), UserId(user)};
    out.scopes = {admission::Scope::chat, admission::Scope::jobs, admission::Scope::knowledge};
    return out;
  }
  static admission::Caller admin() {
    admission::Caller out = someone("root");
    out.scopes = {admission::Scope::admin, admission::Scope::jobs};
    return out;
  }

  /// Runs a coroutine to its end; it may take up to `limit` of virtual time.
  template <class T>
  T run(Co<T> work, Duration limit = 0s) {
    mainstay::Outcome<T> out;
    start(io, std::move(work), out);
    clock.advance(0s);
    const TimePoint until = clock.now() + limit;
    while (!out.done && clock.now() < until) clock.advance(10ms);
    EXPECT_TRUE(out.done) << "it hangs";
    if (!out.done) std::abort();
    return std::move(*out.value);
  }

  Desk& desk() {
    if (!desk_) desk_.emplace(settings, clock, random, *log, admission, kinds, store, signal);
    return *desk_;
  }
  /// Workers of one process; started.
  Workers& add_workers(std::uint32_t slots, std::function<double()> factor = {}) {
    WorkersSetup setup;
    setup.name = "w" + std::to_string(workers.size() + 1);
    setup.slots = slots;
    setup.factor = std::move(factor);
    workers.push_back(std::make_unique<Workers>(settings, std::move(setup), clock, random, *log,
                                                metrics, kinds, store, signal, io.get_executor()));
    workers.back()->start();
    clock.advance(0s);
    return *workers.back();
  }
  void close_workers() {
    for (auto& one : workers) {
      bool done = false;
      asio::co_spawn(io.get_executor(), one->close(), [&done](std::exception_ptr) { done = true; });
      for (int i = 0; i < 1000 && !done; ++i) clock.advance(100ms);
      EXPECT_TRUE(done) << "workers hang at close";
    }
    workers.clear();
  }

  Order order(Json input, std::string kind = "script") {
    Order out;
    out.kind = std::move(kind);
    out.input = std::move(input);
    return out;
  }
  Result<storage::Submitted> try_submit(Order what) {
    return run(desk().submit(caller, std::move(what), soon()));
  }
  JobId submit(Order what) {
    auto out = try_submit(std::move(what));
    EXPECT_TRUE(out.ok()) << (out.ok() ? "" : out.error().detail);
    return out.ok() ? out->id : JobId();
  }
  JobId go(Json input) { return submit(order(std::move(input))); }
  storage::Job job(const JobId& id) {
    auto out = run(memory.get(std::nullopt, id, soon()));
    EXPECT_TRUE(out.ok()) << id.text();
    return out.ok() ? *out : storage::Job();
  }
  JobState state(const JobId& id) { return job(id).state; }
  /// Everything told of a job, as types.
  std::vector<std::string> told(const JobId& id) {
    auto heard = run(signal.hear(topic_of(id), {}, Deadline(clock.now())));
    std::vector<std::string> out;
    for (const auto& news : heard->news) out.push_back(news.type);
    return out;
  }
  Deadline soon() { return Deadline::in(clock, 5s); }

  Settings settings;
  SeededRandom random{7};
  std::unique_ptr<Log> log;
  Metrics metrics;
  storage::memory::MemoryConversations conversations;
  storage::memory::MemoryJobs memory{clock, storage::JobLimits(), conversations};
  FaultyStore store{memory};
  storage::LocalSignal signal{clock, storage::SignalLimits()};
  Kinds kinds;
  ScriptKind* script = nullptr;
  admission::Caller caller;
  admission::Admission admission{settings, clock, metrics};
  std::optional<Desk> desk_;
  std::vector<std::unique_ptr<Workers>> workers;
};

using Names = std::vector<std::string>;

}  // namespace mainstay::jobs::test
