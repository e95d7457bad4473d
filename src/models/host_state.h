// The life of all model hosts as one pure machine: when which is started, where it is placed, who
// must go for it, what counts as a failure. No I/O, no clock; step() is all that changes it.
// Used by hosts.cpp (the driver) and its tests.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "resources/pressure.h"

namespace mainstay::models {

enum class HostPhase : std::uint8_t {
  stopped,   ///< no process; the next use starts it
  waiting,   ///< wanted, but there is no room yet
  starting,  ///< its process runs, its port is still closed
  probing,   ///< its port takes connections, but it does not say that it is ready
  ready,
  stopping,  ///< told to end
  resting,   ///< it failed; tried again after a pause if somebody wants it
  degraded   ///< it failed too often, or can never fit: refused for a while
};
/// "stopped", "waiting", "starting", "probing", "ready", "stopping", "failed", "degraded".
const char* name(HostPhase phase) noexcept;

/// Why a host was told to end.
enum class HostStop : std::uint8_t { idle, room, memory, gpu, grew, asked, closing };
/// "idle", "room", "memory_pressure", "gpu_pressure", "grew", "asked", "shutdown".
const char* name(HostStop why) noexcept;
inline constexpr std::size_t kHostStops = 7;

/// Memory in bytes. What is not known is empty or zero.
struct GpuRoom {
  std::uint32_t index = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};
struct HostRoom {
  std::optional<std::uint64_t> free;  ///< that may still be taken
  std::uint64_t used = 0;
  std::uint64_t limit = 0;    ///< of all
  std::vector<GpuRoom> gpus;  ///< that have memory of their own
};
struct GpuShare {
  std::uint32_t index = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const GpuShare&, const GpuShare&) = default;
};

/// What one host is granted; from HostSettings.
struct HostRules {
  std::uint64_t memory = 0;      ///< bytes; 0: not told
  std::uint64_t gpu_memory = 0;  ///< bytes; 0: none
  Duration start_timeout = std::chrono::seconds(120);
  Duration stop_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(600);  ///< zero: never
  std::uint32_t restarts_max = 5;
  Duration restart_window = std::chrono::seconds(300);
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(30);
};

/// What they share; from HostingSettings.
struct HostBudget {
  std::uint64_t memory_max = 0;  ///< 0: no bound but the machine's
  std::uint64_t memory_spare = 0;
  std::uint64_t gpu_spare = 0;
  Duration patience = std::chrono::seconds(10);
};

struct HostState {
  std::string name;
  HostRules rules;
  HostPhase phase = HostPhase::stopped;
  TimePoint since{};          ///< in this phase
  std::uint32_t leases = 0;   ///< calls under way
  std::uint32_t waiting = 0;  ///< requests
  bool asked = false;         ///< an administrator wants it started
  /// It takes no further requests and ends after those under way.
  std::optional<HostStop> yields;
  TimePoint last_used{};
  TimePoint began{};     ///< its last start
  Duration load_time{};  ///< from start to ready, of the last start that came so far
  std::vector<GpuShare> placed;
  std::uint64_t memory = 0;       ///< as measured while it runs
  std::uint64_t memory_last = 0;  ///< as measured when it ran last
  std::uint64_t memory_peak = 0;  ///< the most of this run
  /// As measured when it was ended because it held more than was told: what it is taken for from
  /// then on. 0: it never was.
  std::uint64_t memory_grown = 0;
  std::uint64_t gpu_memory = 0;  ///< as measured while it runs
  HostStop stopped_for = HostStop::idle;
  TimePoint stop_by{};
  bool killed = false;
  bool too_large = false;        ///< degraded because it can never fit
  std::string why;               ///< what it waits for, or how it failed
  std::deque<TimePoint> failed;  ///< within the window; at most restarts_max + 1
  TimePoint again{};             ///< end of resting or degraded
  std::uint64_t starts = 0;
  std::uint64_t failures = 0;
  std::uint64_t evictions = 0;

  bool has_process() const noexcept {
    return phase == HostPhase::starting || phase == HostPhase::probing ||
           phase == HostPhase::ready || phase == HostPhase::stopping;
  }
  /// Ready and used by nobody.
  bool idle() const noexcept { return phase == HostPhase::ready && leases == 0 && waiting == 0; }
};

struct HostsState {
  HostBudget budget;
  HostRoom room;
  bool room_old = true;  ///< the machine must be looked at before anybody is started
  resources::Level memory_level = resources::Level::normal;
  resources::Level gpu_level = resources::Level::normal;
  TimePoint relieved{};  ///< when the last one was given up for pressure
  bool closing = false;
  std::vector<HostState> hosts;
};

// What happens. `host` is an index of HostsState::hosts.
/// One more request waits.
struct HostWanted {
  std::size_t host = 0;
};
/// One fewer waits: served, or gone.
struct HostUnwanted {
  std::size_t host = 0;
};
/// A call has ended.
struct HostReleased {
  std::size_t host = 0;
};
/// Its port took a connection.
struct HostConnected {
  std::size_t host = 0;
};
/// It says that it is ready.
struct HostAnswered {
  std::size_t host = 0;
};
/// Its process has ended or could not be made.
struct HostEnded {
  std::size_t host = 0;
  std::string why;
  bool mendable = true;  ///< false: the next start would fail the same way
};
struct HostMeasured {
  std::size_t host = 0;
  std::uint64_t memory = 0;
  std::uint64_t gpu_memory = 0;
};
/// The machine was looked at.
struct HostLooked {
  HostRoom room;
};
struct HostPressed {
  resources::Level memory = resources::Level::normal;
  resources::Level gpu = resources::Level::normal;
};
struct HostAskedStart {
  std::size_t host = 0;
};
struct HostAskedStop {
  std::size_t host = 0;
};
struct HostsClose {};
struct HostsTick {};  ///< time has passed
using HostEvent = std::variant<HostWanted, HostUnwanted, HostReleased, HostConnected, HostAnswered,
                               HostEnded, HostMeasured, HostLooked, HostPressed, HostAskedStart,
                               HostAskedStop, HostsClose, HostsTick>;

/// What the driver must do, in this order.
struct HostAction {
  enum class Kind : std::uint8_t {
    start,      ///< make its process; `gpus` are those it may see (empty: it is not placed)
    terminate,  ///< SIGTERM to its group; told once
    kill,       ///< SIGKILL to its group; told once
    wake        ///< those who wait for it look again
  };
  Kind kind = Kind::wake;
  std::size_t host = 0;
  std::vector<std::uint32_t> gpus = {};
};

/// The next state, in place, and what follows from it.
std::vector<HostAction> step(HostsState& state, const HostEvent& event, TimePoint now);

/// Takes a lease when the host is ready and takes requests.
bool take_lease(HostsState& state, std::size_t host, TimePoint now) noexcept;
/// Gives one back; true when step() must hear of it (HostReleased): the host is to end, or another
/// waits for its room.
bool give_lease(HostsState& state, std::size_t host, TimePoint now) noexcept;

/// Who must go, and where the host would be placed then. Pure; for step() and tests.
struct HostPlan {
  bool fits = false;                 ///< now, without anybody's end
  bool never = false;                ///< not even with the whole machine
  std::vector<GpuShare> gpus;        ///< when it fits
  std::vector<std::size_t> victims;  ///< idle ones to end and busy ones to yield, so that it fits
  std::string why;                   ///< what is missing; empty when it fits
};
/// `busy_too`: it waited so long that busy hosts shall yield.
HostPlan plan_host(const HostsState& state, std::size_t host, bool busy_too, TimePoint now);
/// What a host is worth keeping: its load time by the time it was idle. The least goes first.
double worth(const HostState& host, TimePoint now) noexcept;
/// Memory that a host takes when it runs, as far as is known.
std::uint64_t memory_need(const HostsState& state, const HostState& host) noexcept;
/// What its settings say of that.
std::uint64_t memory_told(const HostsState& state, const HostState& host) noexcept;
/// That it grew, how far, and which setting says less; empty when it did not.
std::string growth_of(const HostsState& state, const HostState& host);

}  // namespace mainstay::models
