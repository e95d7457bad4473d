// The Wyoming server: Home Assistant uses Mainstay as its speech to text, text to speech and
// conversation agent over TCP. The protocol has no credentials, so who may connect is decided by
// address alone (docs/voice.md).
// Used by app/engine_wyoming.cpp, which owns it.
#pragma once

#include <memory>
#include <string>

#include "api/wyoming_session.h"
#include "telemetry/metrics.h"

namespace mainstay::api {

/// Whether open() would take these settings; binds nothing. Errors: invalid "invalid_config" with
/// the setting in `field`.
Status check_wyoming(const WyomingSettings& settings);

/// open() and stop() on the main thread; the connections live on `loop`, which runs elsewhere.
class WyomingServer {
 public:
  /// References outlive it.
  WyomingServer(const WyomingSettings& settings, Clock& clock, Log& log, Metrics& metrics,
                asio::io_context& loop, WyomingRooms rooms);
  /// stop() was called.
  ~WyomingServer();
  WyomingServer(const WyomingServer&) = delete;
  WyomingServer& operator=(const WyomingServer&) = delete;

  /// Binds wyoming.listen and takes connections. Errors: invalid "invalid_config" (no address, an
  /// address beyond this machine without wyoming.allow), "bad_address"; unavailable
  /// "address_in_use", "cannot_listen".
  Status open();
  /// Where it listens, "127.0.0.1:10700".
  std::string address() const;
  /// Takes no further connections and cuts those that are there. Blocks until all have ended.
  Status stop(Duration for_at_most);

 private:
  struct Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace mainstay::api
