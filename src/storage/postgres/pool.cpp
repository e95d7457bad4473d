// Lending, waiting, and what happens when the server is away or full.
#include "storage/postgres/pool.h"

#include <algorithm>

namespace mainstay::storage::postgres {
namespace {

/// Time for asking an idle connection whether it still works.
constexpr Duration kCheckTime = std::chrono::seconds(1);
/// How long we make do with what we have after the server had no connection left.
constexpr Duration kCrowdedFor = std::chrono::milliseconds(250);
/// How long after that a server that does not answer counts as full, not as gone.
constexpr Duration kCrowdedRemembered = std::chrono::seconds(5);

Duration jittered(Random& random, Duration most) {
  const auto count = static_cast<std::uint64_t>(std::max<Duration::rep>(most.count(), 1));
  return Duration(static_cast<Duration::rep>(random.below(count)));
}

/// Keeps a number right also when the coroutine is destroyed in between.
class Counted {
 public:
  explicit Counted(std::size_t& number) : number_(number) { ++number_; }
  ~Counted() { --number_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& number_;
};

}  // namespace

struct Pool::Waiter {
  std::unique_ptr<Alarm> alarm;
  bool woken = false;
};

/// Whoever leaves with something still there to take wakes the next.
class Pool::PassOn {
 public:
  explicit PassOn(Pool& pool) : pool_(pool) {}
  ~PassOn() {
    if (!pool_.idle_.empty()) pool_.wake(false);
  }
  PassOn(const PassOn&) = delete;
  PassOn& operator=(const PassOn&) = delete;

 private:
  Pool& pool_;
};

PoolFigures::PoolFigures(Metrics& all)
    : metrics(all),
      open(all.gauge("mainstay_postgres_connections", "Connections to PostgreSQL.")),
      busy(all.gauge("mainstay_postgres_connections_busy", "Connections with a statement.")),
      waiting(all.gauge("mainstay_postgres_waiting", "Statements that wait for a connection.")),
      connects(all.counter("mainstay_postgres_connects_total", "Connections made.")),
      breaks(all.counter("mainstay_postgres_breaks_total", "Connections lost.")),
      refused(all.counter("mainstay_postgres_refused_total",
                          "Statements that got no connection in time.")) {}

Pool::Pool(PoolSetup& setup, Executor executor, TaskGroup& tasks)
    : setup_(setup), executor_(executor), tasks_(tasks) {}

Pool::~Pool() {
  stop();
}

void Pool::show() {
  setup_.figures.open.set(static_cast<std::int64_t>(connections()));
  setup_.figures.busy.set(static_cast<std::int64_t>(lent_));
  setup_.figures.waiting.set(static_cast<std::int64_t>(waiting_.size()));
}

/// While the server is crowded, one try at a time, and none before the next one is due.
bool Pool::may_open() const {
  const std::size_t most = setup_.settings.pool_size + setup_.settings.pool_overflow;
  if (connections() + opening_ >= most) return false;
  if (crowded_until_ == TimePoint{}) return true;
  return opening_ == 0 && setup_.clock.now() >= crowded_until_;
}

void Pool::wake(bool all) {
  // Each that is woken looks for itself, and leaves the queue.
  for (const auto& waiter : waiting_) {
    if (waiter->woken) continue;
    waiter->woken = true;
    waiter->alarm->ring();
    if (!all) break;
  }
}

std::unique_ptr<Pool::Lent> Pool::lend(std::unique_ptr<Connection> connection) {
  ++lent_;
  show();
  return std::make_unique<Lent>(*this, std::move(connection));
}

void Pool::take_back(std::unique_ptr<Connection> connection) {
  --lent_;
  if (!connection->alive()) setup_.figures.breaks.add();
  const bool wanted = !waiting_.empty() || connections() < setup_.settings.pool_size;
  if (wanted && connection->alive() && !stopping_) idle_.push_back(std::move(connection));
  connection.reset();
  wake(false);
  show();
}

/// What a failed connecting says about the server. A try that only ran out of its caller's time, a
/// moment after the server had no connection left, says nothing new.
void Pool::learn(const Connection& connection, const Error& error, Deadline by) {
  const TimePoint now = setup_.clock.now();
  const bool crowded_lately =
      crowded_until_ != TimePoint{} && now < crowded_until_ + kCrowdedRemembered;
  if (crowded_lately && connection.failure() == Failure::lost && by.passed(now)) return;
  const bool others = connections() > 0;
  if (connection.failure() == Failure::crowded || others) {
    crowded_until_ = now + kCrowdedFor;
    if (connection.failure() != Failure::crowded) {
      setup_.log.warn("postgres.connect_failed", {{"why", error.detail}});
    }
    return;
  }
  trouble_ = error;
  if (!up_) return;
  up_ = false;
  down_at_ = now;
  setup_.log.warn("postgres.down", {{"why", error.detail}});
  if (mending_ || stopping_) return;
  mending_ = true;
  tasks_.spawn("postgres mend", mend());
}

Co<Result<std::unique_ptr<Connection>>> Pool::open(Deadline by) {
  const Counted counted(opening_);
  auto connection = std::make_unique<Connection>(executor_, setup_.clock);
  auto connected = co_await connection->connect(setup_.address, setup_.settings, by);
  if (!connected.ok()) {
    learn(*connection, connected.error(), by);
    co_return connected.error();
  }
  setup_.figures.connects.add();
  crowded_until_ = TimePoint{};
  if (!up_) setup_.log.info("postgres.up", {{"server", setup_.address.shown}});
  up_ = true;
  co_return connection;
}

/// Tries for ever, with growing pauses of random length.
Co<> Pool::mend() {
  Duration most = setup_.settings.retry_base;
  while (!up_ && !stopping_) {
    const Duration pause = jittered(setup_.random, most);
    auto slept = co_await sleep(setup_.clock, pause);
    if (!slept) break;
    if (up_ || stopping_) break;
    most = std::min<Duration>(most * 2, setup_.settings.retry_cap);
    const Deadline by = Deadline::in(setup_.clock, setup_.settings.connect_timeout);
    auto opened = co_await open(by);
    if (opened.ok()) idle_.push_back(std::move(*opened));
  }
  mending_ = false;
  show();
  wake(true);
}

Co<Status> Pool::start(Deadline by) {
  for (;;) {
    Failure failure = Failure::none;
    Error error;
    {
      auto connection = std::make_unique<Connection>(executor_, setup_.clock);
      auto connected = co_await connection->connect(setup_.address, setup_.settings, by);
      if (connected.ok()) {
        setup_.figures.connects.add();
        up_ = true;
        idle_.push_back(std::move(connection));
        show();
        co_return done();
      }
      failure = connection->failure();
      error = connected.error();
    }
    const Deadline next = Deadline::in(setup_.clock, setup_.settings.retry_cap);
    if (failure == Failure::hopeless || by.sooner(next).at() == by.at()) co_return error;
    const Duration pause = jittered(setup_.random, setup_.settings.retry_cap);
    auto slept = co_await sleep(setup_.clock, pause);
    if (!slept) co_return closed();
  }
}

/// The idle connection that was used last and still works; none: null.
Co<std::unique_ptr<Connection>> Pool::usable() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    const TimePoint now = setup_.clock.now();
    if (now - connection->made() >= Duration(setup_.settings.recycle)) continue;
    if (!connection->quiet()) {
      setup_.figures.breaks.add();
      continue;
    }
    if (now - connection->used() < Duration(setup_.settings.check_interval)) co_return connection;
    const Counted counted(lent_);
    const Statement check("check", "SELECT 1");
    const Deadline by = Deadline::in(setup_.clock, kCheckTime);
    auto checked = co_await connection->run(check, false, by);
    if (checked.ok()) co_return connection;
    setup_.figures.breaks.add();
  }
  co_return nullptr;
}

/// Until somebody wakes us; the place in the queue goes with the wait.
Co<> Pool::wait(Deadline by) {
  auto waiter = std::make_shared<Waiter>();
  waiter->alarm = setup_.clock.alarm(executor_);
  waiting_.push_back(waiter);
  show();
  struct Leave {
    Pool& pool;
    const std::shared_ptr<Waiter>& waiter;
    ~Leave() {
      std::erase(pool.waiting_, waiter);
      pool.show();
    }
  };
  const Leave leave{*this, waiter};
  [[maybe_unused]] auto late = co_await waiter->alarm->wait_until(by.at());
}

Co<Result<std::unique_ptr<Pool::Lent>>> Pool::take(Deadline by) {
  const Deadline until = by.sooner(setup_.clock.now(), setup_.settings.acquire_timeout);
  const PassOn pass_on(*this);
  for (bool first = true;; first = false) {
    if (stopping_) co_return closed();
    // Who comes new goes behind those that wait already.
    if (!first || waiting_.empty()) {
      auto connection = co_await usable();
      if (connection) co_return lend(std::move(connection));
    }
    const TimePoint now = setup_.clock.now();
    Deadline next = until;
    if (!up_) {
      const TimePoint give_up = down_at_ + Duration(setup_.settings.patience);
      if (now >= give_up || until.passed(now)) {
        setup_.figures.refused.add();
        co_return unavailable(trouble_.detail);
      }
      next = until.sooner(Deadline(give_up));
    } else if ((!first || waiting_.empty()) && !until.passed(now) && may_open()) {
      auto opened = co_await open(until);
      if (opened.ok()) co_return lend(std::move(*opened));
      continue;
    } else if (crowded_until_ != TimePoint{}) {
      const TimePoint soon = std::max(crowded_until_, now + kCrowdedFor / 10);
      next = until.sooner(Deadline(soon));
    }
    if (until.passed(now) || waiting_.size() >= setup_.settings.queue_max) {
      setup_.figures.refused.add();
      co_return busy("postgres: no connection became free in time");
    }
    co_await wait(next);
  }
}

void Pool::stop() {
  stopping_ = true;
  idle_.clear();
  wake(true);
  show();
}

}  // namespace mainstay::storage::postgres
