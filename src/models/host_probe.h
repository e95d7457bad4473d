// One look whether a model host is ready: a connection to its port, and a GET of its path.
// Used by hosts_driver.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/co.h"

namespace mainstay::models {

enum class HostReply : std::uint8_t {
  closed,   ///< nobody takes connections
  not_yet,  ///< it takes them, but does not say 2xx
  ready
};

/// A look under way. The owner ends one that takes too long with close(); on its executor.
class HostProbe {
 public:
  /// 127.0.0.1:`port`; an empty path: a connection is enough.
  static std::shared_ptr<HostProbe> make(Executor executor, std::uint32_t port, std::string path);
  virtual ~HostProbe() = default;
  virtual Co<HostReply> look() = 0;
  virtual void close() = 0;
};

/// Whether a program listens on 127.0.0.1:`port`. Blocks for a moment.
bool port_taken(std::uint32_t port);

/// The status of "HTTP/1.1 200 OK"; 0 for anything else. Pure.
int http_status_of(const std::string& line);

}  // namespace mainstay::models
