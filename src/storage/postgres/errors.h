// What PostgreSQL's error codes (SQLSTATE) mean to us.
// Used inside storage/postgres. Pure.
#pragma once

#include <string>

#include "base/result.h"

namespace mainstay::storage::postgres {

/// What to do about a failed statement.
enum class Failure : std::uint8_t {
  none,
  refused,   ///< the statement itself: the connection is fine
  again,     ///< rolled back for the sake of others: try it again
  lost,      ///< the connection is gone, or the server must not be used for now
  crowded,   ///< the server has no connection left
  hopeless,  ///< password, database, rights: until somebody changes something
};

/// `state`: the five characters of SQLSTATE; empty when the connection broke.
Failure failure_of(const std::string& state);
/// `writes`: whether the statement was to change something. `detail` is for the log.
Error error_of(const std::string& state, const std::string& detail, bool writes);
/// One of a fixed list of words, for metrics.
const char* kind_of(const std::string& state);

Error unavailable(const std::string& why);
Error busy(const std::string& why);
Error closed();
Error too_late(bool writes);

}  // namespace mainstay::storage::postgres
