// The line before the processes, and frames of one of them with deadlines.
#include "media/child_pool.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <csignal>
#include <cstring>
#include <deque>
#include <thread>

#include "base/bell.h"
#include "base/json_fields.h"
#include "media/child.h"

namespace mainstay::media {
namespace {

using Stream = asio::posix::basic_stream_descriptor<Executor>;
using ChildPtr = std::shared_ptr<Child>;

constexpr std::size_t kRead = 64 * 1024;
/// Exit code of a decoder that got no more memory.
constexpr int kNoMemory = 77;

/// "mainstay_decoder_started_total".
std::string metric(const ChildRules& rules, const char* what) {
  return "mainstay_" + rules.name + "_" + what;
}
Counter& outcome(Metrics& metrics, const ChildRules& rules, const char* which) {
  return metrics.counter(metric(rules, "items_total"), rules.items + ".", {{"outcome", which}});
}

}  // namespace

/// What items share with their pool.
struct ChildPool::Core : std::enable_shared_from_this<ChildPool::Core> {
  Core(ChildRules given, Clock& time, Log& lines, Metrics& metrics)
      : rules(std::move(given)),
        clock(time),
        log(lines),
        changed(time),
        makers(rules.makers ? rules.makers
                            : std::make_shared<OffloadPool>(rules.name, 1, kMakersQueue)),
        done(outcome(metrics, rules, "done")),
        refused(outcome(metrics, rules, "refused")),
        failed(outcome(metrics, rules, "failed")),
        killed(metrics.counter(metric(rules, "killed_total"),
                               "Processes killed: out of time, or nobody wanted the rest.")),
        started(metrics.counter(metric(rules, "started_total"), "Processes started.")),
        running_now(metrics.gauge(metric(rules, "running"), rules.items + " now.")),
        waiting_now(metrics.gauge(metric(rules, "waiting"), "Those that wait for a process.")) {}

  bool take_slot_now();
  void free_slot();
  ChildPtr take_idle();
  void give_back(ChildPtr child, std::uint64_t memory);
  void dispose(ChildPtr child);
  Co<Result<ChildPtr>> make_child(Deadline by);
  std::uint64_t new_item();

  const ChildRules rules;
  Clock& clock;
  Log& log;
  Event changed;
  /// Makes and ends the processes: they die with the thread that made them, so it is always this.
  const std::shared_ptr<OffloadPool> makers;
  Counter& done;
  Counter& refused;
  Counter& failed;
  Counter& killed;
  Counter& started;
  Gauge& running_now;
  Gauge& waiting_now;

  std::mutex mutex;
  bool closing = false;
  std::uint32_t running = 0;
  std::uint64_t next_ticket = 1;
  std::uint64_t next_item = 1;
  std::deque<std::uint64_t> line;  ///< at most rules.waiting_max
  std::deque<ChildPtr> idle;       ///< at most rules.most; the one that rested last at the end
};

namespace {

using Core = ChildPool::Core;

/// The right to keep one process busy.
class Slot {
 public:
  explicit Slot(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  Slot(Slot&&) noexcept = default;
  Slot& operator=(Slot&&) = delete;
  ~Slot() {
    if (core_) core_->free_slot();
  }

 private:
  std::shared_ptr<Core> core_;
};

/// A place in the line, left at its end however that comes.
class Waiting {
 public:
  explicit Waiting(Core& core) : core_(core) {
    std::lock_guard lock(core_.mutex);
    full_ = core_.line.size() >= core_.rules.waiting_max;
    if (full_) return;
    ticket_ = core_.next_ticket++;
    core_.line.push_back(ticket_);
    core_.waiting_now.add(1);
  }
  ~Waiting() {
    if (!full_) leave();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  bool full() const noexcept { return full_; }
  /// True when it is our turn: the slot is ours then.
  bool turn() {
    std::lock_guard lock(core_.mutex);
    if (core_.line.front() != ticket_ || core_.running >= core_.rules.most) return false;
    ++core_.running;
    core_.running_now.add(1);
    return true;
  }

 private:
  void leave() {
    {
      std::lock_guard lock(core_.mutex);
      const auto place = std::find(core_.line.begin(), core_.line.end(), ticket_);
      if (place != core_.line.end()) core_.line.erase(place);
      core_.waiting_now.add(-1);
    }
    core_.changed.notify();  // the next one may be first now
  }
  Core& core_;
  bool full_ = false;
  std::uint64_t ticket_ = 0;
};

bool is_closing(Core& core) {
  std::lock_guard lock(core.mutex);
  return core.closing;
}

Co<Result<Slot>> take_slot(std::shared_ptr<Core> core, IfBusy if_busy, Deadline by) {
  if (core->take_slot_now()) co_return Slot(core);
  if (if_busy == IfBusy::refuse) co_return core->rules.errors.busy();
  Waiting waiting(*core);
  if (waiting.full()) co_return core->rules.errors.busy();
  for (;;) {
    const auto seen = core->changed.version();
    if (is_closing(*core)) co_return core->rules.errors.busy();
    if (waiting.turn()) co_return Slot(core);
    auto woken = co_await core->changed.wait(seen, by);
    if (!woken && by.passed(core->clock.now())) co_return core->rules.errors.busy();
  }
}

class PipeDecoding final : public Decoding {
 public:
  PipeDecoding(std::shared_ptr<Core> core, Slot slot, ChildPtr child, std::uint64_t item,
               Duration time, Executor executor)
      : core_(std::move(core)),
        slot_(std::in_place, std::move(slot)),
        child_(std::move(child)),
        item_(item),
        left_(time),
        out_(executor, child_->out().release()),
        bell_(core_->clock, executor),
        bytes_(kRead, '\0') {}
  ~PipeDecoding() override {
    if (child_) abandon();
  }
  Co<Result<Frame>> next(Deadline by) override;

 private:
  Co<Result<Frame>> ended(Deadline by);
  Result<Frame> taken(Frame frame);
  Error nonsense(const std::string& detail);
  void abandon();
  void finish(const Json& head);

  const std::shared_ptr<Core> core_;
  std::optional<Slot> slot_;
  ChildPtr child_;  ///< null once the item has ended
  const std::uint64_t item_;
  Duration left_;  ///< that we wait for it
  Stream out_;
  Bell bell_;
  std::string bytes_;
  FrameReader reader_;
};

void PipeDecoding::abandon() {
  core_->killed.add();
  child_->kill();
  core_->dispose(std::move(child_));
  child_.reset();
  slot_.reset();
}

Error PipeDecoding::nonsense(const std::string& detail) {
  core_->failed.add();
  core_->log.warn("child.failed", {{"pool", core_->rules.name}, {"why", detail}});
  abandon();
  return core_->rules.errors.failed(detail);
}

/// The process is free for the next item.
void PipeDecoding::finish(const Json& head) {
  child_->out() = resources::Descriptor(out_.release());
  core_->give_back(std::move(child_), count_field(head, "memory"));
  child_.reset();
  slot_.reset();  // after the process is back: who takes the slot finds it there
}

Result<Frame> PipeDecoding::taken(Frame frame) {
  if (frame.item != item_) return nonsense("a frame of another item");
  const bool last = frame.is == Is::end || frame.is == Is::failed;
  if (last && !reader_.empty()) return nonsense("more than its last frame");
  if (frame.is == Is::end) {
    core_->done.add();
    finish(frame.head);
  } else if (frame.is == Is::failed) {
    core_->refused.add();
    finish(frame.head);
    return core_->rules.errors.of(string_field(frame.head, "reason"),
                                  string_field(frame.head, "detail"));
  }
  return frame;
}

/// Its process is gone: why?
Co<Result<Frame>> PipeDecoding::ended(Deadline by) {
  const ChildPtr child = std::move(child_);
  child_.reset();
  slot_.reset();
  const std::string words = child->last_words();
  const auto end = [child]() -> Result<resources::ChildExit> { return child->end(); };
  auto how = co_await offload(core_->clock, *core_->makers, end, by);
  core_->failed.add();
  using How = resources::ChildExit::How;
  const std::string detail = how.ok() ? resources::describe(*how) : "it ended";
  core_->log.warn("child.ended", {{"pool", core_->rules.name}, {"why", detail}, {"words", words}});
  if (how.ok() && how->how == How::signal && how->value == SIGXCPU) {
    co_return core_->rules.errors.slow();
  }
  if (how.ok() && how->how == How::code && how->value == kNoMemory) {
    co_return core_->rules.errors.memory(words);
  }
  co_return core_->rules.errors.failed(words.empty() ? detail : detail + ": " + words);
}

Co<Result<Frame>> PipeDecoding::next(Deadline by) {
  for (;;) {
    if (!child_) co_return Error::log(Errc::internal, "the decoding has ended");
    auto frame = reader_.next();
    if (!frame.ok()) co_return nonsense(frame.error().detail);
    if (*frame) co_return taken(std::move(**frame));
    const auto got = ::read(out_.native_handle(), bytes_.data(), bytes_.size());
    if (got > 0) {
      reader_.feed(std::string_view(bytes_).substr(0, static_cast<std::size_t>(got)));
      continue;
    }
    if (got == 0) co_return co_await ended(by);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return nonsense(std::strerror(errno));
    const TimePoint began = core_->clock.now();
    const Deadline until = by.sooner(began, left_);
    auto in_time = co_await bell_.ready(out_, Stream::wait_read, until);
    left_ -= core_->clock.now() - began;
    if (in_time) continue;
    const bool ours = left_ <= Duration::zero();
    core_->failed.add();
    if (ours) core_->log.warn("child.killed", {{"pool", core_->rules.name}, {"why", "deadline"}});
    abandon();
    if (ours) co_return core_->rules.errors.slow();
    co_return Error::log(Errc::deadline, "the caller's time is over");
  }
}

/// With what the pool adds: who is answered, and how much processor time there is.
std::string order_text(Json order, std::uint64_t item, const Core& core, Duration time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  order["item"] = item;
  order["seconds"] = static_cast<std::uint64_t>(seconds) * core.rules.cpus + 1;
  return dump(order);
}

}  // namespace

bool ChildPool::Core::take_slot_now() {
  std::lock_guard lock(mutex);
  if (closing || !line.empty() || running >= rules.most) return false;
  ++running;
  running_now.add(1);
  return true;
}

void ChildPool::Core::free_slot() {
  {
    std::lock_guard lock(mutex);
    --running;
    running_now.add(-1);
  }
  changed.notify();
}

std::uint64_t ChildPool::Core::new_item() {
  std::lock_guard lock(mutex);
  return next_item++;
}

/// One that is still there, the warmest first; null: none.
ChildPtr ChildPool::Core::take_idle() {
  for (;;) {
    ChildPtr child;
    {
      std::lock_guard lock(mutex);
      if (idle.empty()) return nullptr;
      child = std::move(idle.back());
      idle.pop_back();
    }
    if (!child->gone()) return child;
    log.warn("child.ended", {{"pool", rules.name}, {"why", "while it had nothing to do"}});
    dispose(std::move(child));
  }
}

void ChildPool::Core::give_back(ChildPtr child, std::uint64_t memory) {
  const bool worn = child->items >= rules.items_per_process || memory > rules.resident;
  child->rested = clock.now();
  child->resident = memory;
  {
    std::lock_guard lock(mutex);
    if (!worn && !closing && idle.size() < rules.most) {
      idle.push_back(std::move(child));
      return;
    }
  }
  child->kill();
  dispose(std::move(child));
}

/// Waits for its end elsewhere: that takes a moment.
void ChildPool::Core::dispose(ChildPtr child) {
  child->kill();
  [[maybe_unused]] const bool queued = makers->submit([child] { child->end(); });
}

Co<Result<ChildPtr>> ChildPool::Core::make_child(Deadline by) {
  if (rules.program.empty()) co_return rules.errors.missing();
  resources::ChildProgram what;
  what.path = rules.program;
  what.argv = rules.argv;
  what.env = {"LANG=C.UTF-8"};
  const auto errors = rules.errors;
  const auto make = [what, errors]() -> Result<ChildPtr> {
    auto made = resources::spawn(what);
    if (made.error != 0) {
      Error error = errors.missing();
      error.detail = what.path + ": " + std::strerror(made.error);
      return error;
    }
    return std::make_shared<Child>(std::move(made.process));
  };
  auto child = co_await offload(clock, *makers, make, by);
  if (child.ok()) started.add();
  co_return child;
}

std::uint32_t for_cores(std::uint32_t setting, std::uint32_t most) noexcept {
  return setting > 0 ? setting : std::clamp(std::thread::hardware_concurrency(), 1U, most);
}

ChildPool::ChildPool(ChildRules rules, Clock& clock, Log& log, Metrics& metrics)
    : core_(std::make_shared<Core>(std::move(rules), clock, log, metrics)) {}

ChildPool::~ChildPool() {
  close();
}

Co<Result<std::unique_ptr<Decoding>>> ChildPool::begin(ChildWork work, Deadline by, IfBusy busy) {
  const std::shared_ptr<Core> core = core_;
  auto slot = co_await take_slot(core, busy, by);
  if (!slot.ok()) co_return slot.error();
  const std::uint64_t item = core->new_item();
  ChildPtr child = core->take_idle();
  if (!child) {
    auto made = co_await core->make_child(by);
    if (!made.ok()) co_return made.error();
    child = std::move(*made);
  }
  const Duration time = work.deadline > Duration::zero() ? work.deadline : core->rules.deadline;
  const std::string text = order_text(std::move(work.order), item, *core, time);
  if (text.size() > kOrderMax) {
    core->dispose(std::move(child));
    co_return Error::log(Errc::invalid, "the order is too long");
  }
  if (!child->send(text, work.file.get())) {
    core->dispose(std::move(child));
    core->failed.add();
    co_return core->rules.errors.failed("it could not be reached");
  }
  const Executor executor = co_await asio::this_coro::executor;
  co_return std::unique_ptr<Decoding>(std::make_unique<PipeDecoding>(
      core, std::move(*slot), std::move(child), item, time, executor));
}

Co<> ChildPool::tidy() {
  const std::shared_ptr<Core> core = core_;
  for (;;) {
    const Duration rest = std::max<Duration>(core->rules.idle / 4, std::chrono::milliseconds(100));
    auto reached = co_await sleep(core->clock, rest);
    if (!reached) co_return;
    tidy_now();
  }
}

void ChildPool::tidy_now() {
  for (;;) {
    ChildPtr child;
    {
      std::lock_guard lock(core_->mutex);
      // The one at the front has rested longest.
      const bool none = core_->idle.empty();
      if (none || core_->clock.now() - core_->idle.front()->rested < core_->rules.idle) return;
      child = std::move(core_->idle.front());
      core_->idle.pop_front();
    }
    core_->dispose(std::move(child));
  }
}

void ChildPool::close() {
  std::deque<ChildPtr> rest;
  {
    std::lock_guard lock(core_->mutex);
    core_->closing = true;
    rest.swap(core_->idle);
  }
  core_->changed.notify();
  for (auto& child : rest) core_->dispose(std::move(child));
}

ChildFigures ChildPool::figures() const {
  ChildFigures out;
  {
    std::lock_guard lock(core_->mutex);
    out.running = core_->running;
    out.idle = static_cast<std::uint32_t>(core_->idle.size());
    out.waiting = static_cast<std::uint32_t>(core_->line.size());
    for (const auto& child : core_->idle) out.resident += child->resident;
  }
  out.done = core_->done.value();
  out.refused = core_->refused.value();
  out.failed = core_->failed.value();
  out.killed = core_->killed.value();
  out.started = core_->started.value();
  return out;
}

std::uint32_t ChildPool::size() const noexcept {
  return core_->rules.most;
}

}  // namespace mainstay::media
