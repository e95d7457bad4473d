// Kept replies over SQLite, in the file of the conversations. Used by storage/sqlite/open.cpp.
#pragma once

#include <string>
#include <vector>

#include "storage/reply_turns.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/writer.h"

namespace mainstay::storage::sqlite {

/// Turns live in memory: one process holds the file, and its end frees them.
class SqliteReplies final : public Replies {
 public:
  SqliteReplies(Writer& writer, Readers& readers, Clock& clock)
      : writer_(writer), readers_(readers), clock_(clock), turns_(clock) {}
  Co<Result<std::optional<KeptReply>>> begin(ReplyPlace place, std::string digest,
                                             Deadline by) override;
  Co<Status> finish(ReplyPlace place, KeptReply reply, ReplyLimits limits, Deadline by) override;
  void forget(const ReplyPlace& place) noexcept override { turns_.give(place); }
  Co<Result<std::uint32_t>> sweep(Deadline by) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Clock& clock_;
  ReplyTurns turns_;
};

/// The texts of the queries whose plans a test looks at: none may scan a table.
std::vector<std::string> reply_queries();

}  // namespace mainstay::storage::sqlite
