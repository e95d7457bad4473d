// The Redis back end put together with the embedded one.
#include "storage/redis/open.h"

#include "storage/redis/leader.h"
#include "storage/redis/signal.h"

namespace mainstay::storage::redis {
namespace {

class RedisStores final : public Stores {
 public:
  RedisStores(std::unique_ptr<Client> client, const Limits& limits, Random& random,
              std::unique_ptr<Stores> embedded, TimeOf time)
      : embedded_(std::move(embedded)),
        client_(std::move(client)),
        leader_(*client_, random),
        jobs_(*client_, limits.jobs, leader_, turns_into(*embedded_), time),
        signal_(*client_, limits.signal, time) {}
  ~RedisStores() override { client_->close(); }

  Conversations& conversations() override { return embedded_->conversations(); }
  Documents& documents() override { return embedded_->documents(); }
  Vectors& vectors() override { return embedded_->vectors(); }
  EmbeddingCache& embedding_cache() override { return embedded_->embedding_cache(); }
  AccessKeys& access_keys() override { return embedded_->access_keys(); }
  JobStore& jobs() override { return jobs_; }
  Signal& signal() override { return signal_; }
  Leader& leader() override { return leader_; }
  Replies& replies() override { return embedded_->replies(); }
  Files& files() override { return embedded_->files(); }
  Uploads& uploads() override { return embedded_->uploads(); }
  Batches& batches() override { return embedded_->batches(); }
  StoreFigures figures() const override { return embedded_->figures(); }
  std::string jobs_trouble() const override {
    return client_->reachable() ? "" : "Redis cannot be reached";
  }
  std::vector<DatabaseFigures> databases() const override { return embedded_->databases(); }
  Status close() override {
    client_->close();
    return embedded_->close();
  }

 private:
  static StoreTurn turns_into(Stores& stores) {
    return [&stores](Owner owner, Turn turn, Deadline by) {
      return stores.conversations().append(std::move(owner), std::move(turn), by);
    };
  }

  std::unique_ptr<Stores> embedded_;
  std::unique_ptr<Client> client_;
  RedisLeader leader_;
  RedisJobs jobs_;
  RedisSignal signal_;
};

/// A configuration in which no result fits would let every job die at its end.
constexpr std::uint64_t kResultRoom = (1 << 20) - kBesideInput;
/// Of an event beside its type and data: its id, and the protocol's frames.
constexpr std::uint64_t kBesideEvent = 128;

Error too_small(std::string what) {
  return Error::say(Errc::invalid, "redis_misconfigured",
                    "redis.reply_max must be larger than " + std::move(what), "redis.reply_max");
}

/// A job is handed to its worker in one reply, and a listener its news. What does not fit would
/// break the connection each time it is asked for; such a job would begin in Redis, reach nobody,
/// and die when its leases are over.
Status check_sizes(const RedisSettings& settings, const Limits& limits) {
  if (limits.jobs.input_max + kBesideInput + kResultRoom > settings.reply_max.value) {
    return too_small(
        "jobs.input_max by 1 MiB or more: a job's input and result are read in one reply.");
  }
  const std::uint64_t news =
      limits.signal.bytes_max + kBesideEvent * std::uint64_t{limits.signal.events_max};
  if (news > settings.reply_max.value) {
    return too_small(
        "jobs.events.bytes_max and 128 bytes for each of jobs.events.events_max: what "
        "was told of a job is read in one reply.");
  }
  return done();
}

/// Jobs that the embedded store took before jobs went to Redis: no worker asks it any more.
void look_for_left_jobs(Stores& embedded, Log& log) {
  const auto left = embedded.jobs().figures().depth;
  if (left == 0) return;
  log.warn("redis.jobs_left",
           {{"jobs", left},
            {"what",
             "These unfinished jobs are in the data directory's database and do not run while "
             "storage.redis_url is set. Start once without it, until they have ended."}});
}

}  // namespace

Result<std::unique_ptr<Stores>> open(const StorageSettings& storage, const RedisSettings& settings,
                                     const Limits& limits, Clock& clock, Random& random, Log& log,
                                     Metrics& metrics, std::unique_ptr<Stores> embedded,
                                     TimeOf time) {
  auto sizes = check_sizes(settings, limits);
  if (!sizes.ok()) return sizes.error();
  auto client = Client::open(storage, settings, clock, random, log, metrics);
  if (!client.ok()) return client.error();
  look_for_left_jobs(*embedded, log);
  std::unique_ptr<Stores> out =
      std::make_unique<RedisStores>(std::move(*client), limits, random, std::move(embedded), time);
  return out;
}

}  // namespace mainstay::storage::redis
