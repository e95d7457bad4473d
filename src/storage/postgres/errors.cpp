// The classes of SQLSTATE that matter here; Appendix A of PostgreSQL's manual lists them all.
#include "storage/postgres/errors.h"

namespace mainstay::storage::postgres {
namespace {

constexpr std::chrono::milliseconds kRetrySoon{1'000};
constexpr std::chrono::milliseconds kRetryLater{5'000};

Error full(const std::string& detail) {
  Error error = Error::say(Errc::disk_full, "database_full",
                           "The database server has no room left; try again later.");
  error.detail = detail;
  error.retry_after = kRetryLater;
  return error;
}

}  // namespace

Failure failure_of(const std::string& state) {
  if (state.empty() || state.starts_with("08")) return Failure::lost;
  if (state == "40001" || state == "40P01") return Failure::again;
  if (state == "53300") return Failure::crowded;
  // Shut down, crashed, starting up; or it became a standby, which takes no writes.
  if (state.starts_with("57P") || state == "25006") return Failure::lost;
  if (state.starts_with("28") || state == "3D000" || state == "42501") return Failure::hopeless;
  return Failure::refused;
}

const char* kind_of(const std::string& state) {
  switch (failure_of(state)) {
    case Failure::none:
      return "none";
    case Failure::again:
      return "serialization";
    case Failure::lost:
      return "lost";
    case Failure::crowded:
      return "crowded";
    case Failure::hopeless:
      return "denied";
    case Failure::refused:
      break;
  }
  if (state == "57014") return "timeout";
  if (state == "23505") return "conflict";
  return state.starts_with("53") ? "resources" : "other";
}

Error error_of(const std::string& state, const std::string& detail, bool writes) {
  const std::string why = "postgres: " + (state.empty() ? "" : state + " ") + detail;
  if (state == "23505") {
    Error error =
        Error::say(Errc::conflict, "already_exists", "Something with this id exists already.");
    error.detail = why;
    return error;
  }
  if (state == "57014") {
    Error error = too_late(writes);
    error.detail = why;
    return error;
  }
  if (state == "53100" || state == "53200") return full(why);
  if (state.starts_with("XX00")) return Error::log(Errc::corrupt, why);
  switch (failure_of(state)) {
    case Failure::lost:
    case Failure::hopeless:
      return unavailable(why);
    case Failure::again:
    case Failure::crowded:
      return busy(why);
    case Failure::none:
    case Failure::refused:
      break;
  }
  if (state == "55P03" || state.starts_with("53")) return busy(why);
  return Error::log(Errc::internal, why);
}

Error unavailable(const std::string& why) {
  Error error = Error::say(Errc::unavailable, "database_unavailable",
                           "The database cannot be reached; try again shortly.");
  error.detail = why;
  error.retry_after = kRetrySoon;
  return error;
}

Error busy(const std::string& why) {
  Error error = Error::say(Errc::unavailable, "database_busy",
                           "The database is busy with other requests; try again shortly.");
  error.detail = why;
  error.retry_after = kRetrySoon;
  return error;
}

Error closed() {
  return Error::say(Errc::unavailable, "storage_closed",
                    "The server is stopping; try again later.");
}

Error too_late(bool writes) {
  if (!writes) {
    return Error::say(Errc::deadline, "read_timeout", "Reading the stored data took too long.");
  }
  return Error::say(Errc::deadline, "write_timeout", "Storing took too long; it may still happen.");
}

}  // namespace mainstay::storage::postgres
