// Following one job on a terminal or for a program.
// Used by jobs_command.cpp and ingest_sender.cpp.
#pragma once

#include <string>
#include <string_view>

#include "app/commands.h"
#include "app/remote.h"

namespace mainstay::app {

/// Prints the events of a job up to its end: its result on standard output, pieces of an answer as
/// they come when that is a terminal; the rest on standard error, a bar where the kind says how far
/// it is; with --json one event a line. Comes back after a break behind the last event seen.
/// Exit::failed unless it succeeded and its whole result was printed.
Exit watch_job(const Common& common, Remote& remote, const std::string& id);

/// Whether the event of that name is a job's last one.
bool ends_job(std::string_view event);

}  // namespace mainstay::app
