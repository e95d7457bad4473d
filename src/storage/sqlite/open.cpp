// The two files of the back end, put together: lock, checks, migrations, threads.
#include "storage/sqlite/open.h"

#include "storage/sqlite/conversations.h"
#include "storage/sqlite/data_dir.h"
#include "storage/sqlite/documents.h"
#include "storage/sqlite/schema.h"

namespace mainstay::storage::sqlite {
namespace {

/// After a checkpoint the WAL file shrinks to this.
constexpr std::int64_t kJournalBytes = 16LL << 20;

Result<std::unique_ptr<Connection>> open_writer(const Schema& schema, const std::string& path,
                                                const StorageSettings& settings) {
  try {
    auto db = std::make_unique<Connection>(path, Mode::write, settings.busy_timeout);
    db->run("PRAGMA page_size = 4096; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
    const std::string mode = db->text("PRAGMA journal_mode = WAL");
    if (mode != "wal") {
      return Error::say(Errc::invalid, "data_dir_unusable",
                        "The file system of " + path +
                            " cannot share memory between programs, "
                            "which the database needs. Choose a local disk with storage.data_dir.",
                        "storage.data_dir");
    }
    // FULL: what was acknowledged survives a power cut; measured as nearly free under load.
    db->run("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0");
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
  Database(std::unique_ptr<Connection> db, const std::string& path, OffloadPool& pool,
           const Surroundings& around)
      : writer(std::move(db), around), readers(path, pool, around) {}
  Writer writer;
  Readers readers;
};

Result<std::unique_ptr<Database>> open_database(const Schema& schema, const DataDir& dir,
                                                OffloadPool& pool, Surroundings around) {
  auto path = dir.file(schema.file);
  if (!path.ok()) return path.error();
  auto checked = check_file(schema, *path);
  if (!checked.ok()) return checked.error();
  auto db = open_writer(schema, *path, around.settings);
  if (!db.ok()) return db.error();
  around.name = schema.name;
  return std::make_unique<Database>(std::move(*db), *path, pool, around);
}

class SqliteStores final : public Stores {
 public:
  SqliteStores(std::unique_ptr<DataDir> dir, std::unique_ptr<OffloadPool> pool,
               std::unique_ptr<Database> talk, std::unique_ptr<Database> knowledge, Clock& clock)
      : dir_(std::move(dir)),
        pool_(std::move(pool)),
        talk_(std::move(talk)),
        knowledge_(std::move(knowledge)),
        conversations_(talk_->writer, talk_->readers),
        documents_(knowledge_->writer, knowledge_->readers, clock) {}
  ~SqliteStores() override { [[maybe_unused]] auto closed = close(); }

  Conversations& conversations() override { return conversations_; }
  Documents& documents() override { return documents_; }

  StoreFigures figures() const override {
    StoreFigures out;
    for (const Database* database : {talk_.get(), knowledge_.get()}) {
      const Writer& writer = database->writer;
      out.commits += writer.commits();
      out.operations += writer.operations();
      out.failed += writer.failures();
      out.waiting += writer.waiting();
      if (out.why_not.empty()) out.why_not = writer.why_not();
    }
    out.writable = out.why_not.empty();
    return out;
  }

  Status close() override {
    // Readers first: while one is open the last connection cannot remove the WAL.
    pool_->stop();
    talk_->readers.close();
    knowledge_->readers.close();
    auto first = talk_->writer.close();
    auto second = knowledge_->writer.close();
    if (!first.ok()) return first;
    return second;
  }

 private:
  std::unique_ptr<DataDir> dir_;
  std::unique_ptr<OffloadPool> pool_;
  std::unique_ptr<Database> talk_;
  std::unique_ptr<Database> knowledge_;
  SqliteConversations conversations_;
  SqliteDocuments documents_;
};

}  // namespace

Result<std::unique_ptr<Stores>> open(const StorageSettings& settings, std::string data_dir,
                                     Clock& clock, [[maybe_unused]] Random& random, Log& log,
                                     Metrics& metrics) {
  const TimePoint start = clock.now();
  auto dir = DataDir::claim(std::move(data_dir));
  if (!dir.ok()) return dir.error();
  const Surroundings around{clock, log, metrics, settings, {}};
  auto pool = std::make_unique<OffloadPool>("read-db", settings.readers, settings.read_queue_max);
  auto talk = open_database(conversations_schema(), **dir, *pool, around);
  if (!talk.ok()) return talk.error();
  auto knowledge = open_database(documents_schema(), **dir, *pool, around);
  if (!knowledge.ok()) return knowledge.error();
  log.info("storage.open", {{"data_dir", (*dir)->path()},
                            {"sqlite", sqlite3_libversion()},
                            {"took_ms", clock.now() - start}});
  return std::unique_ptr<Stores>(std::make_unique<SqliteStores>(
      std::move(*dir), std::move(pool), std::move(*talk), std::move(*knowledge), clock));
}

}  // namespace mainstay::storage::sqlite
