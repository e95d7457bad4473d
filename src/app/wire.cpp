// Names every inner room, and nothing else does.
#include "app/wire.h"

#include <algorithm>

#include "models/anthropic/provider.h"
#include "models/builtin/engine.h"
#include "models/builtin/packer.h"
#include "models/extractive/provider.h"
#include "models/gemini/provider.h"
#include "models/ollama/provider.h"
#include "models/openai/provider.h"
#include "models/router.h"
#include "models/wyoming/provider.h"
#include "storage/postgres/address.h"
#include "storage/postgres/open.h"
#include "storage/redis/open.h"
#include "storage/sqlite/inspect.h"
#include "storage/sqlite/open.h"

namespace mainstay::app {
namespace {

using MadeProvider = Result<std::unique_ptr<models::ChatProvider>>;

MadeProvider make_provider(const ProviderSettings& provider, const Settings& settings, Clock& clock,
                           Random& random, net::Client& client, media::Audio* sound) {
  const auto& upstream = settings.upstream;
  if (provider.kind == "wyoming") return models::wyoming::make(provider, clock, sound);
  if (provider.kind == "ollama")
    return models::ollama::make(provider, upstream, clock, random, client);
  if (provider.kind == "gemini")
    return models::gemini::make(provider, upstream, clock, random, client);
  if (provider.kind == "anthropic") {
    return models::anthropic::make(provider, upstream, clock, random, client);
  }
  return models::openai::make(provider, upstream, client);
}

ProviderSettings local(std::string name, std::string kind, std::string base_url) {
  ProviderSettings out;
  out.name = std::move(name);
  out.kind = std::move(kind);
  out.base_url = std::move(base_url);
  return out;
}

/// Model servers on their usual loopback ports: Ollama, llama-server, LM Studio. One that is
/// configured already, or whose port is our own, is not looked for.
std::vector<ProviderSettings> discoverable(const Settings& settings) {
  std::vector<ProviderSettings> out;
  if (!settings.models.discover) return out;
  for (auto& candidate : {local("ollama", "ollama", "http://127.0.0.1:11434"),
                          local("llama-server", "openai", "http://127.0.0.1:8080/v1"),
                          local("lm-studio", "openai", "http://127.0.0.1:1234/v1")}) {
    const auto& listen = settings.server.listen;
    const std::string own_port = listen.substr(std::min(listen.size(), listen.rfind(':'))) + "/";
    const bool own = (candidate.base_url + "/").find(own_port) != std::string::npos;
    const bool known = std::any_of(
        settings.providers.begin(), settings.providers.end(), [&](const ProviderSettings& p) {
          return p.name == candidate.name || p.base_url == candidate.base_url;
        });
    if (!own && !known) out.push_back(candidate);
  }
  return out;
}

storage::JobLimits job_limits(const JobSettings& settings) {
  storage::JobLimits out;
  out.depth_high = settings.depth_high;
  out.depth_low = settings.depth_low;
  out.poison_after = settings.poison_after;
  out.keep_results = settings.keep_results;
  out.keep_dead = settings.keep_dead;
  out.keep_keys = settings.keep_keys;
  out.input_max = settings.input_max.value;
  return out;
}

storage::SignalLimits signal_limits(const JobEventSettings& settings) {
  storage::SignalLimits out;
  out.events_max = settings.events_max;
  out.bytes_max = static_cast<std::uint32_t>(settings.bytes_max.value);
  out.topics_max = settings.topics_max;
  out.keep = settings.keep;
  return out;
}

storage::VectorLimits vector_limits(const Settings& settings) {
  storage::VectorLimits out;
  out.memory = settings.knowledge.vector_memory.value;
  out.cache_entries = settings.embeddings.cache_entries;
  out.cache_bytes = settings.embeddings.cache_max.value;
  return out;
}

class RouterModels final : public WiredModels {
 public:
  RouterModels(std::unique_ptr<models::Router> router, storage::EmbeddingCache* kept,
               const Settings& settings, Clock& clock, Metrics& metrics)
      : router_(std::move(router)),
        embeddings_(*router_, kept, settings.embeddings, clock, metrics) {}
  models::Models& models() override { return *router_; }
  models::EmbeddingDesk& embeddings() override { return embeddings_; }
  Co<> probe(Deadline by) override { return router_->probe(by); }
  Co<> look() override { return router_->look(); }
  std::size_t cache_bytes() const override {
    return router_->cache_bytes() + embeddings_.cache_bytes();
  }
  std::size_t shrink_cache(double fraction) override {
    return router_->shrink_cache(fraction) + embeddings_.shrink_cache(fraction);
  }

 private:
  std::unique_ptr<models::Router> router_;
  models::EmbeddingDesk embeddings_;
};

}  // namespace

Result<std::unique_ptr<storage::Stores>> open_stores(const Settings& settings,
                                                     const std::string& data_dir, Clock& clock,
                                                     Random& random, Log& log, Metrics& metrics) {
  const storage::JobLimits jobs = job_limits(settings.jobs);
  const storage::SignalLimits signal = signal_limits(settings.jobs.events);
  const storage::DocumentLimits documents{settings.knowledge.vocabulary_max};
  auto stores = storage::sqlite::open(settings.storage, data_dir, clock, random, log, metrics, jobs,
                                      signal, vector_limits(settings), documents);
  if (stores.ok() && !settings.storage.postgres_url.empty()) {
    stores =
        storage::postgres::open(settings.storage, settings.postgres, clock, random, log, metrics,
                                std::move(*stores), documents, vector_limits(settings));
  }
  // Redis outermost: the turns of its jobs go to the conversations of what it holds.
  if (stores.ok() && !settings.storage.redis_url.empty()) {
    stores = storage::redis::open(settings.storage, settings.redis, {jobs, signal}, clock, random,
                                  log, metrics, std::move(*stores));
  }
  return stores;
}

Result<std::unique_ptr<storage::AccessKeys>> open_access_keys(const Settings& settings,
                                                              const std::string& data_dir,
                                                              Clock& clock, Random& random,
                                                              Log& log, Metrics& metrics) {
  if (!settings.storage.postgres_url.empty()) {
    return storage::postgres::open_access_keys(settings.storage, settings.postgres, clock, random,
                                               log, metrics);
  }
  return storage::sqlite::open_access_keys(settings.storage, data_dir, clock, log, metrics);
}

Result<std::string> inspect_postgres(const Settings& settings, Clock& clock, Random& random,
                                     Log& log, Metrics& metrics) {
  return storage::postgres::inspect(settings.storage, settings.postgres, clock, random, log,
                                    metrics);
}

Status check_postgres_url(const StorageSettings& settings) {
  if (settings.postgres_url.empty()) return done();
  auto address = storage::postgres::parse_address(settings.postgres_url.reveal());
  return address.ok() ? done() : Status(address.error());
}

Result<std::vector<StoredFile>> inspect_stores(const std::string& data_dir, const Clock& clock,
                                               Deadline by) {
  auto found = storage::sqlite::inspect(data_dir, clock, by);
  if (!found.ok()) return found.error();
  std::vector<StoredFile> out;
  for (auto& file : *found) {
    out.push_back({std::move(file.file), file.bytes, std::move(file.problem), file.whole});
  }
  return out;
}

Result<std::unique_ptr<WiredModels>> wire_models(const Settings& settings, Clock& clock,
                                                 Random& random, Log& log, Metrics& metrics,
                                                 net::Client& client,
                                                 models::PassageSource& passages,
                                                 storage::EmbeddingCache* kept,
                                                 models::Hosts* hosts, media::Audio* sound) {
  std::vector<models::NamedProvider> providers;
  const auto add = [&](const ProviderSettings& wanted, bool discovered) -> Status {
    auto made = make_provider(wanted, settings, clock, random, client, sound);
    if (!made.ok()) return made.error();
    models::NamedProvider provider{std::move(*made), wanted, discovered};
    if (hosts != nullptr) {
      auto door = hosts->door(wanted.host);
      if (!door.ok()) return door.error();
      provider.host = *door;
    }
    providers.push_back(std::move(provider));
    return done();
  };
  for (const auto& wanted : settings.providers) {
    auto added = add(wanted, false);
    if (!added.ok()) return added.error();
  }
  for (const auto& wanted : discoverable(settings)) {
    auto added = add(wanted, true);
    if (!added.ok()) return added.error();
  }
  std::unique_ptr<models::ChatProvider> built_in = std::make_unique<models::extractive::Extractive>(
      passages, clock, random, settings.models.extractive_sentences);
  auto router = std::make_unique<models::Router>(std::make_shared<const Settings>(settings),
                                                 std::move(providers), std::move(built_in),
                                                 models::Tools{clock, random, log, metrics});
  if (sound != nullptr) {
    router->add_speech(
        {models::builtin::make(*sound), models::builtin::make_packer(*sound, clock)});
  }
  std::unique_ptr<WiredModels> wired =
      std::make_unique<RouterModels>(std::move(router), kept, settings, clock, metrics);
  return wired;
}

}  // namespace mainstay::app
