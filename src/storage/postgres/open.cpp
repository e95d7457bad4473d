// The PostgreSQL back end put together with the embedded one.
#include "storage/postgres/open.h"

#include "storage/postgres/access_keys.h"
#include "storage/postgres/conversations.h"
#include "storage/postgres/documents.h"
#include "storage/postgres/split_jobs.h"
#include "storage/postgres/vectors.h"

namespace mainstay::storage::postgres {
namespace {

class PostgresStores final : public Stores {
 public:
  PostgresStores(std::unique_ptr<Client> client, std::unique_ptr<Stores> embedded, Clock& clock,
                 Random& random, const DocumentLimits& documents, const VectorLimits& vectors)
      : embedded_(std::move(embedded)),
        client_(std::move(client)),
        conversations_(*client_),
        keys_(*client_),
        documents_(*client_, clock, documents),
        vectors_(*client_, clock, random, vectors),
        jobs_(embedded_->jobs(), conversations_) {}
  ~PostgresStores() override { client_->close(); }

  Conversations& conversations() override { return conversations_; }
  Documents& documents() override { return documents_; }
  Vectors& vectors() override { return vectors_; }
  EmbeddingCache& embedding_cache() override { return embedded_->embedding_cache(); }
  AccessKeys& access_keys() override { return keys_; }
  JobStore& jobs() override { return jobs_; }
  Signal& signal() override { return embedded_->signal(); }
  Leader& leader() override { return embedded_->leader(); }
  Replies& replies() override { return embedded_->replies(); }
  Files& files() override { return embedded_->files(); }
  Uploads& uploads() override { return embedded_->uploads(); }
  Batches& batches() override { return embedded_->batches(); }
  std::string jobs_trouble() const override { return embedded_->jobs_trouble(); }

  StoreFigures figures() const override {
    StoreFigures out = embedded_->figures();
    if (out.writable && !client_->reachable()) {
      out.writable = false;
      out.why_not = kAway;
    }
    return out;
  }

  std::vector<DatabaseFigures> databases() const override {
    auto out = embedded_->databases();
    DatabaseFigures here;
    const PoolFigures& pool = client_->figures();
    const PostgresSettings& settings = client_->settings();
    here.name = "postgres";
    here.readers_max = settings.pool_size + settings.pool_overflow;
    here.readers_open = static_cast<std::uint32_t>(pool.open.value());
    here.readers_busy = static_cast<std::uint32_t>(pool.busy.value());
    here.reads_waiting = static_cast<std::uint64_t>(pool.waiting.value());
    here.timings = client_->verbs().timings();
    for (const auto& timing : here.timings) here.operations += timing.count;
    here.failed = pool.refused.value();
    if (!client_->reachable()) here.why_not = kAway;
    out.push_back(std::move(here));
    return out;
  }

  Status close() override {
    client_->close();
    return embedded_->close();
  }

 private:
  static constexpr const char* kAway = "PostgreSQL cannot be reached";
  std::unique_ptr<Stores> embedded_;
  std::unique_ptr<Client> client_;
  PostgresConversations conversations_;
  PostgresAccessKeys keys_;
  PostgresDocuments documents_;
  PostgresVectors vectors_;
  SplitJobs jobs_;
};

/// Keys with the client that they need.
class OwnKeys final : public AccessKeys {
 public:
  explicit OwnKeys(std::unique_ptr<Client> client) : client_(std::move(client)), keys_(*client_) {}
  Co<Status> add(AccessKey key, std::uint32_t keys_max, Deadline by) override {
    return keys_.add(std::move(key), keys_max, by);
  }
  Co<Result<AccessList>> list(Deadline by) override { return keys_.list(by); }
  Co<Result<std::uint64_t>> generation(Deadline by) override { return keys_.generation(by); }
  Co<Status> revoke(std::string id, WallTime at, Deadline by) override {
    return keys_.revoke(std::move(id), at, by);
  }
  Co<Status> used(std::vector<KeyUse> uses, Deadline by) override {
    return keys_.used(std::move(uses), by);
  }
  Co<Status> revoke_token(RevokedToken token, WallTime now, std::uint32_t revoked_max,
                          Deadline by) override {
    return keys_.revoke_token(std::move(token), now, revoked_max, by);
  }

 private:
  std::unique_ptr<Client> client_;
  PostgresAccessKeys keys_;
};

}  // namespace

Result<std::unique_ptr<Stores>> open(const StorageSettings& storage,
                                     const PostgresSettings& settings, Clock& clock, Random& random,
                                     Log& log, Metrics& metrics, std::unique_ptr<Stores> embedded,
                                     const DocumentLimits& documents, const VectorLimits& vectors) {
  const TimePoint start = clock.now();
  auto client = Client::open(storage, settings, clock, random, log, metrics);
  if (!client.ok()) return client.error();
  log.info("postgres.open", {{"server", (*client)->server()}, {"took_ms", clock.now() - start}});
  std::unique_ptr<Stores> out = std::make_unique<PostgresStores>(
      std::move(*client), std::move(embedded), clock, random, documents, vectors);
  return out;
}

Result<std::unique_ptr<AccessKeys>> open_access_keys(const StorageSettings& storage,
                                                     const PostgresSettings& settings, Clock& clock,
                                                     Random& random, Log& log, Metrics& metrics) {
  auto client = Client::open(storage, settings, clock, random, log, metrics);
  if (!client.ok()) return client.error();
  std::unique_ptr<AccessKeys> out = std::make_unique<OwnKeys>(std::move(*client));
  return out;
}

Result<std::string> inspect(const StorageSettings& storage, const PostgresSettings& settings,
                            Clock& clock, Random& random, Log& log, Metrics& metrics) {
  const TimePoint start = clock.now();
  auto client = Client::open(storage, settings, clock, random, log, metrics, Schema::look);
  if (!client.ok()) return client.error();
  return "PostgreSQL at " + (*client)->server() + " answered in " +
         std::to_string(millis(clock.now() - start)) + " ms";
}

}  // namespace mainstay::storage::postgres
