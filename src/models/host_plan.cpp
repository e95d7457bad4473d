// Room: what a host needs, where it fits, and who goes for it.
#include <algorithm>

#include <fmt/format.h>

#include "models/host_state.h"

namespace mainstay::models {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
  return from > what ? from - what : 0;
}

/// Bytes of memory that will come back when the host ends: what it holds or was promised.
std::uint64_t held(const HostsState& state, const HostState& host) {
  return std::max(host.memory, memory_need(state, host));
}

/// The machine's free memory as it will be once all that runs has taken what it was promised, and
/// those in `gone` have ended.
class Room {
 public:
  Room(const HostsState& state, std::size_t host, const std::vector<std::size_t>& gone)
      : state_(state), self_(state.hosts[host]), gpus_(state.room.gpus) {
    const auto leaves = [&](std::size_t i) {
      return std::find(gone.begin(), gone.end(), i) != gone.end();
    };
    free_ = state.room.free;
    for (std::size_t i = 0; i < state.hosts.size(); ++i) {
      const HostState& other = state.hosts[i];
      if (i == host || !other.has_process()) continue;
      if (leaves(i)) {
        if (free_) *free_ += other.memory;
        for (const GpuShare& share : other.placed) give(share, other);
        continue;
      }
      committed_ += held(state, other);
      if (free_) free_ = less(*free_, less(memory_need(state, other), other.memory));
      for (const GpuShare& share : other.placed) take(share, other);
    }
  }

  bool memory_fits() const {
    const std::uint64_t need = memory_need(state_, self_);
    const HostBudget& budget = state_.budget;
    if (budget.memory_max > 0 && committed_ + need > budget.memory_max) return false;
    return !free_ || need == 0 || need + budget.memory_spare <= *free_;
  }

  /// Where it would be placed: one GPU if any has room, the one with most; else as few as possible.
  /// Empty: nowhere, or nothing is needed.
  std::vector<GpuShare> placement() const {
    std::vector<GpuShare> out;
    std::uint64_t left = self_.rules.gpu_memory;
    if (left == 0) return out;
    std::vector<GpuRoom> by_room = gpus_;
    std::sort(by_room.begin(), by_room.end(), [](const GpuRoom& a, const GpuRoom& b) {
      return a.free != b.free ? a.free > b.free : a.index < b.index;
    });
    for (const GpuRoom& gpu : by_room) {
      const std::uint64_t takes = std::min(left, less(gpu.free, state_.budget.gpu_spare));
      if (takes == 0) break;
      out.push_back({gpu.index, takes});
      left -= takes;
      if (left == 0) return out;
    }
    return {};
  }

  bool gpu_fits() const {
    return self_.rules.gpu_memory == 0 || gpus_.empty() || !placement().empty();
  }
  bool fits() const { return memory_fits() && gpu_fits(); }

 private:
  GpuRoom* find(std::uint32_t index) {
    for (GpuRoom& gpu : gpus_) {
      if (gpu.index == index) return &gpu;
    }
    return nullptr;
  }
  /// What it measured of its promise is gone from `free` already.
  static std::uint64_t measured(const GpuShare& share, const HostState& host) {
    return host.placed.size() == 1 ? host.gpu_memory
                                   : std::min<std::uint64_t>(share.bytes, host.gpu_memory);
  }
  void take(const GpuShare& share, const HostState& host) {
    if (GpuRoom* gpu = find(share.index)) {
      gpu->free = less(gpu->free, less(share.bytes, measured(share, host)));
    }
  }
  void give(const GpuShare& share, const HostState& host) {
    if (GpuRoom* gpu = find(share.index)) {
      gpu->free = std::min(gpu->total, gpu->free + measured(share, host));
    }
  }

  const HostsState& state_;
  const HostState& self_;
  std::optional<std::uint64_t> free_;
  std::uint64_t committed_ = 0;  ///< memory of the hosts that stay
  std::vector<GpuRoom> gpus_;
};

/// Not even an empty machine has room for it.
bool never_fits(const HostsState& state, const HostState& host) {
  const std::uint64_t need = memory_need(state, host);
  const HostBudget& budget = state.budget;
  if (budget.memory_max > 0 && need > budget.memory_max) return true;
  if (state.room.limit > 0 && need > state.room.limit) return true;
  if (host.rules.gpu_memory == 0 || state.room.gpus.empty()) return false;
  std::uint64_t total = 0;
  for (const GpuRoom& gpu : state.room.gpus) total += less(gpu.total, budget.gpu_spare);
  return host.rules.gpu_memory > total;
}

/// Those that may be ended for room, the least worth first; busy ones behind all idle ones.
std::vector<std::size_t> candidates(const HostsState& state, std::size_t host, bool busy_too,
                                    TimePoint now) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < state.hosts.size(); ++i) {
    const HostState& other = state.hosts[i];
    if (i == host || other.phase != HostPhase::ready) continue;
    if (other.idle() || busy_too) out.push_back(i);
  }
  std::sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) {
    const HostState& left = state.hosts[a];
    const HostState& right = state.hosts[b];
    if (left.idle() != right.idle()) return left.idle();
    const double one = worth(left, now);
    const double two = worth(right, now);
    return one != two ? one < two : a < b;
  });
  return out;
}

}  // namespace

double worth(const HostState& host, TimePoint now) noexcept {
  const Duration idle = host.leases > 0 ? Duration::zero() : now - host.last_used;
  return std::max(1.0, seconds(host.load_time)) / (1.0 + std::max(0.0, seconds(idle)));
}

std::uint64_t memory_told(const HostsState& state, const HostState& host) noexcept {
  // Without a GPU of its own memory, what would be there is in the machine's.
  return host.rules.memory + (state.room.gpus.empty() ? host.rules.gpu_memory : 0);
}

std::uint64_t memory_need(const HostsState& state, const HostState& host) noexcept {
  const std::uint64_t unsaid = host.rules.memory > 0 ? 0 : host.memory_last;
  return std::max(memory_told(state, host) + unsaid, host.memory_grown);
}

std::string growth_of(const HostsState& state, const HostState& host) {
  if (host.memory_grown == 0) return {};
  constexpr std::uint64_t kMiB = 1U << 20;
  const bool both = memory_told(state, host) > host.rules.memory;
  return fmt::format("it used {} MiB; its `memory`{} {} MiB", host.memory_grown / kMiB,
                     both ? " and `gpu_memory` say" : " says", memory_told(state, host) / kMiB);
}

HostPlan plan_host(const HostsState& state, std::size_t host, bool busy_too, TimePoint now) {
  HostPlan out;
  const HostState& self = state.hosts[host];
  out.never = never_fits(state, self);
  if (out.never) {
    out.why = "it needs more memory than there is";
    return out;
  }
  std::vector<std::size_t> gone;
  const Room as_it_is(state, host, gone);
  if (as_it_is.fits()) {
    out.fits = true;
    out.gpus = as_it_is.placement();
    return out;
  }
  out.why = as_it_is.memory_fits() ? "no GPU has room" : "no memory is free";
  // Those on their way out give their room back without being told.
  for (std::size_t i = 0; i < state.hosts.size(); ++i) {
    if (state.hosts[i].phase == HostPhase::stopping) gone.push_back(i);
  }
  const std::size_t leaving = gone.size();
  const auto enough = [&] { return Room(state, host, gone).fits(); };
  if (leaving > 0 && enough()) return out;
  for (const std::size_t victim : candidates(state, host, busy_too, now)) {
    gone.push_back(victim);
    if (!enough()) continue;
    // The last one may have made the earlier ones needless: the most worth stays first.
    for (std::size_t i = gone.size(); i-- > leaving;) {
      const std::size_t kept = gone[i];
      gone.erase(gone.begin() + static_cast<std::ptrdiff_t>(i));
      if (!enough()) gone.insert(gone.begin() + static_cast<std::ptrdiff_t>(i), kept);
    }
    out.victims.assign(gone.begin() + static_cast<std::ptrdiff_t>(leaving), gone.end());
    return out;
  }
  return out;
}

}  // namespace mainstay::models
