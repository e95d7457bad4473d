// Following one job on a terminal or for a program.
// Used by jobs_command.cpp and ingest_sender.cpp.
#pragma once

#include <string>
#include <string_view>

#include "app/commands.h"
#include "app/remote.h"

namespace mainstay::app {

/// Prints the events of a job up to its end: pieces of an answer on standard output as they come,
/// the rest on standard error, a bar where the kind says how far it is; with --json one event a
/// line. Comes back after a break behind the last event seen. Exit::failed unless it succeeded.
Exit watch_job(const Common& common, Remote& remote, const std::string& id);

/// Whether the event of that name is a job's last one.
bool ends_job(std::string_view event);

}  // namespace mainstay::app
