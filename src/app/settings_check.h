// What the settings alone cannot show to be wrong, though `mainstay serve` would refuse it:
// addresses of storage servers, and the files of TLS. Used by config_commands.cpp and doctor.cpp.
#pragma once

#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace mainstay::app {

/// The errors with which a start would end, in its own words; each names its setting in `field`.
/// Reads the files of TLS; connects to nobody.
std::vector<Error> unusable_settings(const Settings& settings);

/// Whether certificate and key can be read and belong together; ok without TLS.
Status check_tls(const ServerSettings& settings);

}  // namespace mainstay::app
