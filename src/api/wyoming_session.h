// One connection of the Wyoming server: events in, what they ask for, events out.
// Used by wyoming.cpp and tests. Knows no socket.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/context.h"
#include "api/wyoming_rules.h"
#include "net/wyoming_frames.h"

namespace mainstay::api {

/// A connection as the session sees it. On one loop.
class WyomingWire {
 public:
  virtual ~WyomingWire() = default;
  /// The next event; nullopt: the peer has closed. Errors: deadline (nothing came, or an event was
  /// not finished in time), invalid (no Wyoming event), unavailable (the connection broke).
  virtual Co<Result<std::optional<net::WyomingEvent>>> read() = 0;
  /// Sends all of it; waits while the peer is slow. Errors: as read()'s.
  virtual Co<Status> send(std::string bytes) = 0;
};

/// The configuration in force while a piece of work is done.
struct WyomingInForce {
  std::shared_ptr<const void> held;  ///< keeps what `rooms` refers to
  const Rooms* rooms = nullptr;
};
using WyomingRooms = std::function<WyomingInForce()>;

/// Serves until the peer has closed, broke the protocol or was silent for too long.
class WyomingSession {
 public:
  /// `peer`: the client's address without its port. References outlive it.
  WyomingSession(WyomingWire& wire, WyomingRooms rooms, const WyomingSettings& settings,
                 std::string peer);
  Co<> run();

 private:
  /// What one piece of work holds from its admission to its end.
  struct Work {
    WyomingInForce in_force;
    admission::Caller caller;
    admission::RateView rate;
    admission::Reservation reserved;
    admission::Permit permit;
    RequestId id;
    Deadline by = Deadline::never();
  };
  Co<Status> handle(net::WyomingEvent event);
  Co<Status> describe();
  Co<Status> hear();
  Co<Status> say(Json data);
  Co<Status> answer(Json data);
  Co<Result<std::string>> heard(std::string wav);
  Co<Status> spoken(std::string text, std::string voice, std::string language);
  Co<Result<std::string>> written(std::string question, std::string conversation);
  Co<Result<Work>> let_in(admission::Estimate estimate, std::string model);
  Co<Status> send(std::string type, Json data);
  Co<Status> fail(Error error);

  WyomingWire& wire_;
  const WyomingRooms rooms_;
  const WyomingSettings& settings_;
  const std::string peer_;
  WyomingRecording recording_;
  std::string language_;  ///< of the recording, as "transcribe" said
  bool wanted_ = false;   ///< a transcript was asked for
};

}  // namespace mainstay::api
