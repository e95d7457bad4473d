// Starting, sharing out and ending the connections.
#include "storage/redis/client.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <future>

namespace mainstay::storage::redis {
namespace {

/// Shared by one caller and the reply on its way; whoever is later finds it still there.
struct Asked {
  Asked(Clock& clock, std::function<void(Reply, Owed)> unclaimed, Owed owed)
      : answered(clock), unclaimed(std::move(unclaimed)), owed(std::move(owed)) {}
  void take(Result<Reply> with) {
    {
      std::lock_guard lock(mutex);
      if (!left) {
        reply.emplace(std::move(with));
        answered.notify();
        return;
      }
    }
    if (with.ok() && unclaimed) unclaimed(std::move(*with), owed);
  }
  std::optional<Result<Reply>> give() {
    std::lock_guard lock(mutex);
    return std::exchange(reply, std::nullopt);
  }
  /// The caller waits no longer.
  void leave() {
    std::optional<Result<Reply>> last;
    {
      std::lock_guard lock(mutex);
      left = true;
      last = std::exchange(reply, std::nullopt);
    }
    if (last && last->ok() && unclaimed) unclaimed(std::move(**last), owed);
  }
  Event answered;
  const std::function<void(Reply, Owed)> unclaimed;
  const Owed owed;
  std::mutex mutex;
  std::optional<Result<Reply>> reply;
  bool left = false;
};

/// However its caller goes: returned, late, cancelled, thrown out.
struct Leaving {
  ~Leaving() { asked->leave(); }
  std::shared_ptr<Asked> asked;
};

}  // namespace

Client::Client(PipeSetup setup)
    : setup_(std::move(setup)),
      prefix_("{" + setup_.settings.prefix + "}:"),
      guard_(asio::make_work_guard(io_)),
      tasks_(setup_.clock, io_.get_executor(),
             [this](const std::string& task, const std::string& what) {
               setup_.log.error("redis.task_threw", {{"task", task}, {"what", what}});
             }) {}

Client::~Client() {
  close();
}

std::string Client::key(const std::string& rest) const {
  return prefix_ + rest;
}

Result<std::unique_ptr<Client>> Client::open(const StorageSettings& storage,
                                             const RedisSettings& settings, Clock& clock,
                                             Random& random, Log& log, Metrics& metrics) {
  auto address = parse_address(storage.redis_url);
  if (!address.ok()) return address.error();
  PipeSetup setup{
      std::move(*address), settings, storage.redis_durability, script_sources(), clock, random, log,
      PipeFigures(metrics)};
  std::unique_ptr<Client> client(new Client(std::move(setup)));
  for (std::uint32_t i = 0; i < settings.connections; ++i) {
    const std::string name = "commands-" + std::to_string(i);
    client->pipes_.push_back(std::make_unique<Pipe>(client->setup_, client->executor(), name));
    client->start(*client->pipes_.back(), name);
  }
  client->thread_ = std::thread([io = &client->io_] {  // lint: thread named in client.h
    ::pthread_setname_np(::pthread_self(), "redis");
    io->run();
  });
  auto started = client->wait_for_start();
  if (!started.ok()) return started.error();
  if (storage.redis_durability == "everysec") {
    log.warn("redis.everysec", {{"sentence",
                                 "A crash or power cut of Redis may lose the accepted "
                                 "jobs of its last seconds."}});
  }
  return client;
}

Status Client::wait_for_start() {
  auto started = std::make_shared<std::promise<Status>>();
  auto result = started->get_future();
  const TimePoint by = setup_.clock.now() + Duration(setup_.settings.start_timeout);
  spawn("start", [this, started, by] { return until_up(started, by); });
  return result.get();
}

Co<> Client::until_up(std::shared_ptr<std::promise<Status>> out, TimePoint by) {
  const Pipe& first = *pipes_.front();
  while (!first.up() && !first.refused() && setup_.clock.now() < by) {
    [[maybe_unused]] auto slept = co_await sleep(setup_.clock, std::chrono::milliseconds(5));
  }
  if (first.up()) {
    out->set_value(done());
    co_return;
  }
  Error error = first.trouble();
  if (!first.refused()) {
    error = Error::say(Errc::unavailable, "redis_unavailable",
                       "Redis at " + setup_.address.shown() +
                           " does not answer; start it ('systemctl start redis-server') or mend "
                           "'storage.redis_url'.",
                       "storage.redis_url");
    error.detail = first.trouble().detail;
  }
  out->set_value(std::move(error));
}

void Client::start(Pipe& pipe, const std::string& name) {
  asio::post(io_, [this, &pipe, name] {
    tasks_.spawn(name, pipe.run());
    tasks_.spawn(name + " watch", pipe.watch());
  });
}

void Client::spawn(std::string name, std::function<Co<>()> work) {
  asio::post(
      io_, [this, name = std::move(name), work = std::move(work)] { tasks_.spawn(name, work()); });
}

Pipe& Client::add(std::string name, Pipe::Push pushed, std::function<void()> connected) {
  others_.push_back(
      std::make_unique<Pipe>(setup_, executor(), name, std::move(pushed), std::move(connected)));
  start(*others_.back(), name);
  return *others_.back();
}

void Client::send(Call call) {
  Pipe* best = pipes_.front().get();
  for (const auto& pipe : pipes_) {
    if (!best->up() && pipe->up()) best = pipe.get();
    if (pipe->up() == best->up() && pipe->load() < best->load()) best = pipe.get();
  }
  best->send(std::move(call));
}

Co<Result<Reply>> Client::ask(Command command, Asking how, Deadline by) {
  if (closed_) co_return redis::closed();
  Owed owed = how.unclaimed ? owe() : Owed();
  const auto asked =
      std::make_shared<Asked>(setup_.clock, std::move(how.unclaimed), std::move(owed));
  const Leaving leaving{asked};
  const auto seen = asked->answered.version();
  Call call;
  call.command = std::move(command);
  call.again = how.again;
  call.give_up = by.at();
  call.done = [asked](Result<Reply> reply) { asked->take(std::move(reply)); };
  asio::post(io_, [this, in_order = how.in_order, call = std::move(call)]() mutable {
    if (in_order) return pipes_.front()->send(std::move(call));
    send(std::move(call));
  });
  [[maybe_unused]] auto woken = co_await asked->answered.wait(seen, by);
  // Who was cancelled may not come to use the reply, even where it is here already.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  if (cancelled && asked->unclaimed) co_return Error::log(Errc::cancelled, "redis: cancelled");
  auto reply = asked->give();
  if (!reply) co_return Error::log(Errc::deadline, "redis did not answer in time");
  co_return std::move(*reply);
}

Owed Client::owe() {
  std::lock_guard lock(owed_mutex_);
  ++owed_;
  return Owed(this, [](void* client) {
    auto& self = *static_cast<Client*>(client);
    std::lock_guard lock(self.owed_mutex_);
    if (--self.owed_ == 0) self.owed_gone_.notify_all();
  });
}

void Client::wait_for_owed() {
  std::unique_lock lock(owed_mutex_);
  owed_gone_.wait_for(lock, kOwedWait, [this] { return owed_ == 0; });
}

void Client::close() {
  if (closed_.exchange(true) || !thread_.joinable()) return;
  wait_for_owed();
  asio::post(io_, [this] {
    for (auto* list : {&pipes_, &others_}) {
      for (auto& pipe : *list) pipe->stop();
    }
    asio::co_spawn(io_.get_executor(), tasks_.close(),
                   [this](std::exception_ptr) { guard_.reset(); });
  });
  thread_.join();
}

Error closed() {
  return Error::say(Errc::unavailable, "storage_closed",
                    "The server is stopping; try again later.");
}

Command script_call(Client& client, Script script) {
  Command out("EVALSHA");
  out.add(script_sha(script)).add(1).add(client.key(""));
  return out;
}

}  // namespace mainstay::storage::redis
