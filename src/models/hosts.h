// Model hosts: the model servers that Mainstay starts on first use, looks after, and stops when
// they are idle or when their memory is needed. Docs: docs/hosts.md.
// Used by the router and the desks of speech (leases), app (makes it) and api (shows it).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/random.h"
#include "base/result.h"
#include "config/settings.h"
#include "models/host_state.h"
#include "resources/gpu.h"
#include "resources/pressure.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::models {

class Hosts;

/// Keeps a host ready for the length of one call; given back when destroyed. Empty: there is no
/// host to keep. Moves between threads.
class HostLease {
 public:
  HostLease() = default;
  HostLease(Hosts* from, std::size_t host) noexcept : from_(from), host_(host) {}
  HostLease(HostLease&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), host_(other.host_) {}
  HostLease& operator=(HostLease&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(host_, other.host_);
    return *this;
  }
  ~HostLease();
  explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  Hosts* from_ = nullptr;
  std::size_t host_ = 0;
};

/// One provider's view of its host; what a provider without one has is empty and costs nothing.
/// Copies freely; Hosts outlives it.
///   auto lease = co_await upstream.host.lease(by);  // starts the host, waits until it is ready
///   if (!lease.ok()) co_return lease.error();
///   ... the call; the lease lives until its last byte ...
class HostDoor {
 public:
  HostDoor() = default;
  HostDoor(Hosts* hosts, std::size_t host) noexcept : hosts_(hosts), host_(host) {}
  /// False: the provider's server runs elsewhere.
  explicit operator bool() const noexcept { return hosts_ != nullptr; }
  /// Waits until the host is ready; at once when it is, or when there is none. Errors: unavailable
  /// "host_busy" (too many wait), "host_degraded" (given up for now), "host_too_large" (can never
  /// fit), "host_not_ready" (`by` or hosting.wait_timeout came first), "stopping"; cancelled. Each
  /// says what to do, and lets the router go on to the next candidate.
  Co<Result<HostLease>> lease(Deadline by) const;
  /// A lease when the host is ready now, else an empty one; starts nothing. Without a host: empty.
  HostLease if_ready() const;
  /// "ready", "loading", "unavailable" (not started yet: the next request starts it) or "degraded";
  /// "ready" without a host. As ModelInfo::state.
  const char* state() const;
  bool ready() const { return hosts_ == nullptr || std::string_view(state()) == "ready"; }

 private:
  Hosts* hosts_ = nullptr;
  std::size_t host_ = 0;
};

/// One host as it is now; for /health/ready, /admin/hosts, status and tests.
struct HostFigures {
  std::string name;
  HostPhase phase = HostPhase::stopped;
  std::string why;       ///< what it waits for, or why it last ended; may be empty
  std::string said;      ///< the last line that its process printed; for administrators
  std::int64_t pid = 0;  ///< 0: it has no process
  std::uint32_t port = 0;
  std::uint32_t leases = 0;         ///< calls under way
  std::uint32_t waiting = 0;        ///< requests that wait for it
  std::vector<std::uint32_t> gpus;  ///< where it is placed
  std::uint64_t memory = 0;         ///< bytes, as last measured; 0: not yet
  std::uint64_t gpu_memory = 0;     ///< the same of its GPUs
  Duration phase_for{};             ///< in this phase
  Duration load_time{};             ///< of its last start; zero: none yet
  Duration again_in{};              ///< until the next try of a resting or degraded one
  std::uint64_t starts = 0;
  std::uint64_t failures = 0;
  std::uint64_t evictions = 0;
  std::uint64_t kept_memory = 0;  ///< bytes of its last end that did not come back
};

/// What Hosts asks of the machine. Called on its own thread; may block for some milliseconds.
struct HostMachine {
  /// Memory that may still be taken, and that is in use, in bytes; 0 and 0: not known.
  std::function<HostRoom()> room;
};

/// Thread-safe. Owns one thread, which makes and ends the processes (they die with it).
class Hosts {
 public:
  /// References outlive it.
  Hosts(const std::vector<HostSettings>& hosts, const HostingSettings& settings,
        HostMachine machine, Clock& clock, Random& random, Log& log, Metrics& metrics);
  /// stop() was called.
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  /// Starts the thread. Throws std::system_error when the system allows no thread.
  void run();
  /// The door to the host of that name; empty for an empty name. Errors: invalid "invalid_config".
  Result<HostDoor> door(const std::string& name);
  /// Ends all hosts, SIGTERM first, SIGKILL for whoever is there at `by`; who waits is told
  /// "stopping". Blocks until all are gone. Not from a loop. True when all went by themselves.
  bool stop(Duration for_at_most);

  /// The level of memory or GPU memory has changed; hosts are given up one after the other while it
  /// is raised.
  void pressure(resources::Level memory, resources::Level gpu);
  /// An administrator's wishes. start: also one that was given up. stop: at once when nobody uses
  /// it, else it takes no further requests and ends after those under way. It is started again by
  /// the next use. Errors: not_found "unknown_host".
  Status start_host(const std::string& name);
  Status stop_host(const std::string& name);

  std::vector<HostFigures> figures() const;
  bool empty() const noexcept;

 private:
  friend class HostLease;
  friend class HostDoor;
  struct Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace mainstay::models
