// Batches over SQLite, in the file of the conversations. Used by storage/sqlite/open.cpp.
#pragma once

#include <string>
#include <vector>

#include "storage/batches.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

class SqliteBatches final : public Batches {
 public:
  SqliteBatches(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}
  Co<Status> add(BatchRow row, std::uint32_t open_max, Deadline by) override;
  Co<Status> save(BatchRow row, Deadline by) override;
  Co<Result<BatchRow>> get(Owner owner, BatchId id, Deadline by) override;
  Co<Result<PageOfBatches>> list(Owner owner, BatchId after, std::uint32_t limit,
                                 Deadline by) override;
  Co<Result<std::vector<BatchRow>>> open(std::uint32_t limit, Deadline by) override;
  Co<Result<std::vector<BatchRow>>> open_of(Owner owner, std::uint32_t limit, Deadline by) override;
  Co<Result<std::uint32_t>> sweep(WallTime before, Deadline by) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> batch_queries();

}  // namespace mainstay::storage::sqlite
