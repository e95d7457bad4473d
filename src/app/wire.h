// The only place that names inner rooms: which store and which providers the settings mean.
// Used by app/engine.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "media/audio.h"
#include "models/embeddings.h"
#include "models/hosts.h"
#include "models/models.h"
#include "models/passages.h"
#include "net/client.h"
#include "storage/stores.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::app {

/// The models room, with all providers behind it.
class WiredModels {
 public:
  virtual ~WiredModels() = default;
  virtual models::Models& models() = 0;
  /// Texts to vectors, cached; for knowledge.
  virtual models::EmbeddingDesk& embeddings() = 0;
  /// Looks once which providers are up and what they serve; for start-up.
  virtual Co<> probe(Deadline by) = 0;
  /// One round of looking after providers (those due are probed) and the cache.
  virtual Co<> look() = 0;
  /// Bytes that kept answers and vectors hold. Any thread, as the next.
  virtual std::size_t cache_bytes() const = 0;
  /// Gives back this share (0 to 1) of them, least worth first; returns bytes freed.
  virtual std::size_t shrink_cache(double fraction) = 0;
};

/// SQLite's stores; with storage.postgres_url conversations, keys, documents and vectors are in
/// PostgreSQL, with storage.redis_url jobs, signal and leader are in Redis. Blocks.
Result<std::unique_ptr<storage::Stores>> open_stores(const Settings& settings,
                                                     const std::string& data_dir, Clock& clock,
                                                     Random& random, Log& log, Metrics& metrics);

/// The keys alone, also beside a running server: keys.db, or PostgreSQL's. Blocks.
Result<std::unique_ptr<storage::AccessKeys>> open_access_keys(const Settings& settings,
                                                              const std::string& data_dir,
                                                              Clock& clock, Random& random,
                                                              Log& log, Metrics& metrics);

/// Looks whether the server of storage.postgres_url can be used, and changes nothing; gives what
/// was found. Blocks.
Result<std::string> inspect_postgres(const Settings& settings, Clock& clock, Random& random,
                                     Log& log, Metrics& metrics);

/// Whether the server of storage.redis_url takes a connection, its password and a PING; changes
/// nothing there, and gives what was found. Blocks, at most redis.connect_timeout and for as long
/// as the system looks for the address of a name. Errors: invalid "redis_url_invalid"; denied
/// "redis_denied"; unavailable "redis_unavailable".
Result<std::string> inspect_redis(const Settings& settings, const Clock& clock);

/// Whether an address that is given can be understood; connects to nobody. Errors: invalid
/// "redis_url_invalid", "postgres_url_invalid", as those of open_stores().
Status check_redis_url(const StorageSettings& settings);
Status check_postgres_url(const StorageSettings& settings);

/// What a thorough look at one file of the data directory found.
struct StoredFile {
  std::string file;
  std::uint64_t bytes = 0;
  std::string problem;  ///< empty when sound
  bool whole = true;    ///< false: there was no time for all of it
};
/// Blocks. Errors: conflict "data_dir_in_use" while a server runs; invalid "data_dir_unusable".
Result<std::vector<StoredFile>> inspect_stores(const std::string& data_dir, const Clock& clock,
                                               Deadline by);

/// References, `kept` (null: vectors are kept in memory alone) and `hosts` (null: providers are
/// called without their hosts being started) and `sound` (null: there is no built-in speech)
/// outlive the result.
Result<std::unique_ptr<WiredModels>> wire_models(
    const Settings& settings, Clock& clock, Random& random, Log& log, Metrics& metrics,
    net::Client& client, models::PassageSource& passages, storage::EmbeddingCache* kept,
    models::Hosts* hosts = nullptr, media::Audio* sound = nullptr);

}  // namespace mainstay::app
