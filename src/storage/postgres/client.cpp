// From the caller's loop to the connections' thread and back; trying again where that is safe.
#include "storage/postgres/client.h"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "storage/postgres/schema.h"

namespace mainstay::storage::postgres {
namespace {

constexpr int kTriesMax = 4;
/// Others' transactions are short: a moment is enough.
constexpr std::uint64_t kAgainWithinMs = 20;

}  // namespace

/// Shared by one caller and the answer on its way; whoever is later finds it still there.
struct Client::Asked {
  Asked(Clock& clock, Statement s, Repeat r, Deadline d)
      : statement(std::move(s)), repeat(r), by(d), answered(clock) {}
  const Statement statement;
  const Repeat repeat;
  const Deadline by;
  Event answered;
  std::mutex mutex;
  std::optional<Result<Rows>> rows;

  void answer(Result<Rows> result) {
    {
      std::lock_guard lock(mutex);
      rows.emplace(std::move(result));
    }
    answered.notify();
  }
};

Client::Client(PoolSetup setup, const StorageSettings& storage)
    : setup_(std::move(setup)),
      operation_timeout_(storage.operation_timeout),
      verbs_(setup_.figures.metrics, "postgres"),
      guard_(asio::make_work_guard(io_)),
      tasks_(setup_.clock, io_.get_executor(),
             [this](const std::string& task, const std::string& what) {
               setup_.log.error("postgres.task_threw", {{"task", task}, {"what", what}});
             }),
      pool_(setup_, io_.get_executor(), tasks_) {}

Client::~Client() {
  close();
}

Result<std::unique_ptr<Client>> Client::open(const StorageSettings& storage,
                                             const PostgresSettings& settings, Clock& clock,
                                             Random& random, Log& log, Metrics& metrics,
                                             Schema schema) {
  auto address = parse_address(storage.postgres_url.reveal());
  if (!address.ok()) return address.error();
  PoolSetup setup{std::move(*address), settings, clock, random, log, PoolFigures(metrics)};
  std::unique_ptr<Client> client(new Client(std::move(setup), storage));
  auto started = client->start(schema);
  if (!started.ok()) return started.error();
  return client;
}

Status Client::start(Schema schema) {
  auto started = std::make_shared<std::promise<Status>>();
  auto result = started->get_future();
  const Deadline by = Deadline::in(setup_.clock, setup_.settings.start_timeout);
  asio::post(io_, [this, schema, started, by] {
    tasks_.spawn("postgres start", begin(schema, started, by));
  });
  thread_ = std::thread([this] {  // lint: thread named in client.h
    ::pthread_setname_np(::pthread_self(), "postgres");
    io_.run();
  });
  return result.get();
}

Co<> Client::begin(Schema schema, std::shared_ptr<std::promise<Status>> out, Deadline by) {
  auto status = co_await connect_and_look(schema, by);
  out->set_value(std::move(status));
}

Co<Status> Client::connect_and_look(Schema schema, Deadline by) {
  auto connected = co_await pool_.start(by);
  if (!connected.ok()) {
    Error error = connected.error();
    if (error.code == Errc::unavailable) {
      error.message = "PostgreSQL at " + setup_.address.shown +
                      " does not answer; start it or mend 'storage.postgres_url'.";
      error.field = "storage.postgres_url";
    }
    co_return error;
  }
  auto lent = co_await pool_.take(by);
  if (!lent.ok()) co_return lent.error();
  Connection& connection = (*lent)->connection();
  if (schema == Schema::look) co_return co_await look_at(connection, setup_.address.shown, by);
  co_return co_await migrate(connection, setup_.address.shown, by);
}

Co<Result<Rows>> Client::ask(Statement statement, Repeat repeat, Deadline by) {
  if (closed_) co_return postgres::closed();
  const TimePoint began = setup_.clock.now();
  const char* const verb = statement.verb();
  const Deadline until = by.sooner(began, operation_timeout_);
  auto asked = std::make_shared<Asked>(setup_.clock, std::move(statement), repeat, until);
  const auto seen = asked->answered.version();
  asio::post(io_, [this, asked] {
    if (tasks_.spawn("postgres ask", serve(asked)) == 0) asked->answer(postgres::closed());
  });
  [[maybe_unused]] auto woken = co_await asked->answered.wait(seen, until);
  std::optional<Result<Rows>> rows;
  {
    std::lock_guard lock(asked->mutex);
    rows = std::move(asked->rows);
    asked->rows.reset();
  }
  if (!rows) rows = too_late(repeat != Repeat::read);
  verbs_.finished(verb, setup_.clock.now() - began);
  if (!rows->ok()) {
    const Error& error = rows->error();
    verbs_.failed(error.reason.empty() ? std::string(name(error.code)) : error.reason);
    if (error.code != Errc::conflict) {
      setup_.log.error("storage.failed", {{"database", "postgres"},
                                          {"operation", verb},
                                          {"reason", error.reason},
                                          {"why", error.detail}});
    }
  }
  co_return std::move(*rows);
}

Co<> Client::serve(std::shared_ptr<Asked> asked) {
  // Also when the coroutine is destroyed by close(): nobody waits for nothing.
  struct Answer {
    Asked& asked;
    Result<Rows> rows;
    ~Answer() { asked.answer(std::move(rows)); }
  };
  Answer answer{*asked, postgres::closed()};
  answer.rows = co_await work(asked);
}

Co<Result<Rows>> Client::work(std::shared_ptr<Asked> asked) {
  const bool writes = asked->repeat != Repeat::read;
  for (int tries = 1;; ++tries) {
    auto lent = co_await pool_.take(asked->by);
    if (!lent.ok()) co_return lent.error();
    Connection& connection = (*lent)->connection();
    auto rows = co_await connection.run(asked->statement, writes, asked->by);
    if (rows.ok() || tries == kTriesMax || asked->by.passed(setup_.clock.now())) co_return rows;
    const Failure failure = connection.failure();
    const bool safe = asked->repeat != Repeat::once || !connection.sent();
    const bool again = failure == Failure::again || (failure == Failure::lost && safe);
    if (!again) co_return rows;
    lent->reset();
    if (failure != Failure::again) continue;
    const Duration pause = std::chrono::milliseconds(setup_.random.below(kAgainWithinMs) + 1);
    [[maybe_unused]] auto slept = co_await sleep(setup_.clock, pause);
  }
}

void Client::spawn(const char* task, Co<> work) {
  asio::post(
      io_, [this, task, work = std::move(work)]() mutable { tasks_.spawn(task, std::move(work)); });
}

void Client::close() {
  if (closed_.exchange(true) || !thread_.joinable()) return;
  asio::post(io_, [this] {
    pool_.stop();
    asio::co_spawn(io_.get_executor(), tasks_.close(),
                   [this](std::exception_ptr) { guard_.reset(); });
  });
  thread_.join();
}

}  // namespace mainstay::storage::postgres
