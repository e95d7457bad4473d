// What the settings alone cannot show to be wrong, though `mainstay serve` would refuse it:
// addresses of storage servers, and the files that settings name. Used by config_commands.cpp and
// doctor.cpp.
#pragma once

#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace mainstay::app {

/// The errors with which a start would end, in its own words; each names its setting in `field`.
/// Reads the files that settings name; connects to nobody and writes nothing.
std::vector<Error> unusable_settings(const Settings& settings);

/// Whether certificate and key can be read and belong together; ok without TLS.
Status check_tls(const ServerSettings& settings);

/// Whether the file of log.sink can be written or made. Errors: invalid "log_sink".
Status check_log_sink(const LogSettings& log);

}  // namespace mainstay::app
