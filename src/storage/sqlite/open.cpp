// The files of the back end, put together: lock, checks, migrations, threads.
#include "storage/sqlite/open.h"

#include <sqlite3.h>

#include <algorithm>

#include "storage/local_leader.h"
#include "storage/local_signal.h"
#include "storage/sqlite/access_keys.h"
#include "storage/sqlite/batches.h"
#include "storage/sqlite/conversations.h"
#include "storage/sqlite/data_dir.h"
#include "storage/sqlite/documents.h"
#include "storage/sqlite/embedding_cache.h"
#include "storage/sqlite/figures.h"
#include "storage/sqlite/files.h"
#include "storage/sqlite/jobs.h"
#include "storage/sqlite/memory.h"
#include "storage/sqlite/replies.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/uploads.h"
#include "storage/sqlite/vectors.h"

namespace mainstay::storage::sqlite {
namespace {

/// After a checkpoint the WAL file shrinks to this.
constexpr std::int64_t kJournalBytes = 16LL << 20;

Result<std::unique_ptr<Connection>> open_writer(const Schema& schema, const std::string& path,
                                                const StorageSettings& settings) {
  try {
    auto db = std::make_unique<Connection>(path, Mode::write, settings.busy_timeout);
    // What was acknowledged survives a power cut; and the files count on it (joined_writes.h).
    db->run("PRAGMA synchronous = FULL");
    db->run("PRAGMA page_size = " + std::to_string(schema.page_size));
    db->run("PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
    const std::string mode =
        db->text(schema.shared ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL");
    if (!schema.shared && mode != "wal") {
      return Error::say(Errc::invalid, "data_dir_unusable",
                        "The file system of " + path +
                            " cannot share memory between programs, "
                            "which the database needs. Choose a local disk with storage.data_dir.",
                        "storage.data_dir");
    }
    db->run("PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0");
    db->run("PRAGMA journal_size_limit = " + std::to_string(kJournalBytes));
    db->run("PRAGMA cache_size = -" + std::to_string(settings.reader_cache.value / 1024));
    migrate(schema, *db);
    return db;
  } catch (const Failure& failure) {
    return to_error(failure);
  }
}

/// One database file with its writer and readers.
struct Database {
  Database(std::unique_ptr<Connection> db, const std::string& path_to, OffloadPool& pool,
           const Surroundings& around)
      : path(path_to), writer(std::move(db), around), readers(path_to, pool, around) {}
  const std::string path;
  Writer writer;
  Readers readers;
};

/// A file that was looked at before it was opened for writing.
struct Opened {
  std::string path;
  std::unique_ptr<Connection> db;
};

Result<Opened> open_file(const Schema& schema, const DataDir& dir,
                         const StorageSettings& settings) {
  auto path = dir.file(schema.file);
  if (!path.ok()) return path.error();
  auto checked = check_file(schema, *path);
  if (!checked.ok()) return checked.error();
  auto db = open_writer(schema, *path, settings);
  if (!db.ok()) return db.error();
  return Opened{std::move(*path), std::move(*db)};
}

Result<std::unique_ptr<Database>> open_database(const Schema& schema, const DataDir& dir,
                                                OffloadPool& pool, Surroundings around) {
  auto opened = open_file(schema, dir, around.settings);
  if (!opened.ok()) return opened.error();
  around.name = schema.name;
  return std::make_unique<Database>(std::move(opened->db), opened->path, pool, around);
}

/// mainstay.db with the desk of its jobs.
struct Talk {
  std::unique_ptr<JobDesk> desk;  ///< outlives the writer that it rides with
  std::unique_ptr<Database> database;
};

Result<Talk> open_talk(const DataDir& dir, OffloadPool& pool, Surroundings around,
                       const JobLimits& limits) {
  const Schema& schema = conversations_schema();
  auto opened = open_file(schema, dir, around.settings);
  if (!opened.ok()) return opened.error();
  around.name = schema.name;
  DeskRules rules;
  rules.limits = limits;
  rules.strict_claims = around.settings.job_claims == "strict";
  rules.inputs_memory = around.settings.job_inputs_memory.value;
  rules.queue_max = around.settings.write_queue_max + limits.depth_high;
  Talk out;
  out.desk = std::make_unique<JobDesk>(around.clock, rules);
  try {
    out.desk->load(*opened->db);
  } catch (const Failure& failure) {
    return to_error(failure);
  }
  out.database = std::make_unique<Database>(std::move(opened->db), opened->path, pool, around);
  out.desk->start(out.database->writer);
  return out;
}

Result<std::unique_ptr<SqliteAccessKeys>> open_keys(const DataDir& dir, Surroundings around) {
  const Schema& schema = access_keys_schema();
  auto opened = open_file(schema, dir, around.settings);
  if (!opened.ok()) return opened.error();
  around.name = schema.name;
  auto writer = std::make_unique<Writer>(std::move(opened->db), around);
  return std::make_unique<SqliteAccessKeys>(std::move(writer));
}

class SqliteStores final : public Stores {
 public:
  SqliteStores(std::unique_ptr<DataDir> dir, std::unique_ptr<OffloadPool> pool, Talk talk,
               std::unique_ptr<Database> knowledge, std::unique_ptr<SqliteAccessKeys> keys,
               const Surroundings& around, const SignalLimits& signal, const VectorLimits& vectors,
               const DocumentLimits& documents)
      : dir_(std::move(dir)),
        pool_(std::move(pool)),
        desk_(std::move(talk.desk)),
        talk_(std::move(talk.database)),
        knowledge_(std::move(knowledge)),
        keys_(std::move(keys)),
        conversations_(talk_->writer, talk_->readers),
        documents_(knowledge_->writer, knowledge_->readers, around.clock, documents),
        jobs_(*desk_, talk_->readers, around.settings.operation_timeout),
        signal_(around.clock, signal),
        leader_(around.clock, roles_),
        replies_(talk_->writer, talk_->readers, around.clock),
        files_(talk_->writer, talk_->readers, around.clock),
        uploads_(talk_->writer, talk_->readers, around.clock),
        batches_(talk_->writer, talk_->readers),
        vectors_(knowledge_->writer, knowledge_->readers, around.clock, vectors),
        embeddings_(knowledge_->writer, knowledge_->readers, around.clock, vectors) {}
  ~SqliteStores() override { [[maybe_unused]] auto closed = close(); }

  Conversations& conversations() override { return conversations_; }
  Documents& documents() override { return documents_; }
  AccessKeys& access_keys() override { return *keys_; }
  JobStore& jobs() override { return jobs_; }
  Signal& signal() override { return signal_; }
  Leader& leader() override { return leader_; }
  Replies& replies() override { return replies_; }
  Files& files() override { return files_; }
  Uploads& uploads() override { return uploads_; }
  Batches& batches() override { return batches_; }
  Vectors& vectors() override { return vectors_; }
  EmbeddingCache& embedding_cache() override { return embeddings_; }

  StoreFigures figures() const override {
    StoreFigures out;
    out.memory = memory_used();
    for (const Database* database : {talk_.get(), knowledge_.get()}) {
      const Writer& writer = database->writer;
      out.commits += writer.commits();
      out.operations += writer.operations();
      out.failed += writer.failures();
      out.waiting += writer.waiting();
      out.readers_max += static_cast<std::uint32_t>(pool_->threads());
      out.readers_open += database->readers.open();
      out.readers_busy += database->readers.busy();
      if (out.why_not.empty()) out.why_not = writer.why_not();
      out.lost = out.lost || writer.lost();
    }
    out.waiting += keys_->writer().waiting();
    if (out.why_not.empty()) out.why_not = keys_->writer().why_not();
    out.lost = out.lost || keys_->writer().lost();
    out.writable = out.why_not.empty();
    out.reads_waiting = pool_->waiting();
    return out;
  }

  std::vector<DatabaseFigures> databases() const override {
    std::vector<DatabaseFigures> out;
    for (Database* database : {talk_.get(), knowledge_.get()}) {
      auto figures = figures_of(database->path, database->writer);
      add_readers(figures, database->readers);
      figures.readers_max = static_cast<std::uint32_t>(pool_->threads());
      figures.reads_waiting = pool_->waiting();
      out.push_back(std::move(figures));
    }
    const auto& schema = access_keys_schema();
    out.push_back(figures_of(dir_->path() + "/" + schema.file, keys_->writer()));
    return out;
  }

  Status close() override {
    // Readers first: while one is open the last connection cannot remove the WAL.
    pool_->stop();
    talk_->readers.close();
    knowledge_->readers.close();
    auto first = talk_->writer.close();
    auto second = knowledge_->writer.close();
    auto third = keys_->writer().close();
    if (!first.ok()) return first;
    if (!third.ok()) return third;
    return second;
  }

 private:
  std::unique_ptr<DataDir> dir_;
  std::unique_ptr<OffloadPool> pool_;
  std::unique_ptr<JobDesk> desk_;
  std::unique_ptr<Database> talk_;
  std::unique_ptr<Database> knowledge_;
  std::unique_ptr<SqliteAccessKeys> keys_;
  SqliteConversations conversations_;
  SqliteDocuments documents_;
  SqliteJobs jobs_;
  LocalSignal signal_;
  LocalRoles roles_;
  LocalLeader leader_;
  SqliteReplies replies_;
  SqliteFiles files_;
  SqliteUploads uploads_;
  SqliteBatches batches_;
  SqliteVectors vectors_;
  SqliteEmbeddingCache embeddings_;
};

}  // namespace

Result<std::unique_ptr<Stores>> open(const StorageSettings& settings, std::string data_dir,
                                     Clock& clock, [[maybe_unused]] Random& random, Log& log,
                                     Metrics& metrics, const JobLimits& jobs,
                                     const SignalLimits& signal, const VectorLimits& vectors,
                                     const DocumentLimits& documents) {
  const TimePoint start = clock.now();
  auto dir = DataDir::claim(std::move(data_dir));
  if (!dir.ok()) return dir.error();
  const Surroundings around{clock, log, metrics, settings, {}};
  auto pool = std::make_unique<OffloadPool>("read-db", settings.readers, settings.read_queue_max);
  auto talk = open_talk(**dir, *pool, around, jobs);
  if (!talk.ok()) return talk.error();
  auto knowledge = open_database(documents_schema(), **dir, *pool, around);
  if (!knowledge.ok()) return knowledge.error();
  auto keys = open_keys(**dir, around);
  if (!keys.ok()) return keys.error();
  log.info("storage.open", {{"data_dir", (*dir)->path()},
                            {"sqlite", sqlite3_libversion()},
                            {"took_ms", clock.now() - start}});
  return std::unique_ptr<Stores>(std::make_unique<SqliteStores>(
      std::move(*dir), std::move(pool), std::move(*talk), std::move(*knowledge), std::move(*keys),
      around, signal, vectors, documents));
}

Result<std::unique_ptr<AccessKeys>> open_access_keys(const StorageSettings& settings,
                                                     std::string data_dir, Clock& clock, Log& log,
                                                     Metrics& metrics) {
  auto dir = DataDir::share(std::move(data_dir));
  if (!dir.ok()) return dir.error();
  auto keys = open_keys(**dir, Surroundings{clock, log, metrics, settings, {}});
  if (!keys.ok()) return keys.error();
  return std::unique_ptr<AccessKeys>(std::move(*keys));
}

}  // namespace mainstay::storage::sqlite
