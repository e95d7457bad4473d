// Exit codes of every command (sysexits(3) where it has one); docs/cli.md lists them.
#pragma once

#include "base/error.h"

namespace mainstay::app {

enum class Exit : int {
  ok = 0,
  failed = 1,
  usage = 2,
  unavailable = 69,
  try_later = 75,
  config = 78,
};

/// The code for an error of a command.
inline Exit exit_for(const Error& error) {
  const auto& reason = error.reason;
  const bool settings = reason.ends_with("_url_invalid") || reason.ends_with("_misconfigured") ||
                        reason.ends_with("_denied") || reason == "bad_certificate" ||
                        reason == "invalid_config" || reason == "invalid_jwt_key" ||
                        reason == "log_sink" || reason == "audio_store_unusable";
  // A server that is away may be back at the next start.
  const bool away = reason == "database_unavailable" || reason == "database_busy";
  if (settings || (reason.starts_with("database_") && !away) || reason == "data_dir_unusable") {
    return Exit::config;
  }
  if (error.code == Errc::over_limit || error.code == Errc::disk_full ||
      error.reason == "data_dir_in_use") {
    return Exit::try_later;
  }
  // A file of the user's own, not a server that may be back.
  if (error.reason == "file_unwritable") return Exit::failed;
  if (error.code == Errc::unavailable || error.code == Errc::deadline) return Exit::unavailable;
  return Exit::failed;
}

}  // namespace mainstay::app
