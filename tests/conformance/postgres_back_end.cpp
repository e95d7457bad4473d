// Adds "postgres" to the back ends of the suites in this folder.
#include "conformance/postgres_rig.h"

namespace mainstay::storage {
namespace {

class InPostgres final : public BackEnd {
 public:
  explicit InPostgres(Ground& ground)
      : ground_(ground), database_(shared_postgres().new_database()) {}
  ~InPostgres() override {
    stores_.reset();
    shared_postgres().drop_database(database_);
  }
  Stores& stores() override {
    if (!stores_) {
      StorageSettings storage;
      storage.operation_timeout = std::chrono::seconds(20);
      storage.postgres_url = Secret(shared_postgres().url(database_));
      PostgresSettings settings;
      settings.pool_overflow = 4;
      auto opened = postgres::open(storage, settings, ground_.clock, ground_.random, *ground_.log,
                                   ground_.metrics, memory::open(ground_.clock));
      if (!opened.ok()) throw std::runtime_error(opened.error().detail);
      stores_ = std::move(*opened);
    }
    return *stores_;
  }

 private:
  Ground& ground_;
  const std::string database_;
  std::unique_ptr<Stores> stores_;
};

std::unique_ptr<BackEnd> make_postgres(Ground& ground) {
  return std::make_unique<InPostgres>(ground);
}
[[maybe_unused]] const bool kAdded = more_back_ends().emplace("postgres", &make_postgres).second;

}  // namespace
}  // namespace mainstay::storage
