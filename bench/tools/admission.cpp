// What the door costs each request: identification, limits and the permit, one by one and together,
// in nanoseconds of one thread. Prints one JSON object; bench/suites/admission.py reads it.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "arguments.h"

namespace mainstay::bench {
namespace {

using namespace std::chrono_literals;
using admission::Admission;
using admission::Caller;
using admission::Credentials;

constexpr std::size_t kUsers = 1000;
volatile std::uint64_t sink = 0;  // so that no work is left out as useless

/// An engine's door with its callers.
struct Door {
  explicit Door(bool every_limit) {
    LimitSettings& limits = settings.limits;
    limits.user.requests_per_minute = 1'000'000;
    if (every_limit) {
      limits.user.tokens_per_minute = limits.user.tokens_per_day = 4'000'000'000;
      for (SubjectLimits* of : {&limits.key, &limits.address, &limits.model}) {
        of->requests_per_minute = 1'000'000;
        of->concurrent = 1'000'000;
        of->tokens_per_minute = of->tokens_per_day = 4'000'000'000;
      }
    }
    for (std::size_t i = 0; i < kUsers; ++i) {
      std::string key = std::to_string(i);
      key = "ms_" + std::string(43 - key.size(), 'x') + key;
      headers.push_back("Bearer " + key);
      addresses.push_back("192.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
      settings.auth.keys.emplace_back(std::move(key));
    }
    door.emplace(settings, clock, metrics);
    for (std::size_t i = 0; i < kUsers; ++i) callers.push_back(identify(i));
  }
  Caller identify(std::size_t i) {
    Credentials credentials;
    credentials.authorization = headers[i];
    auto caller = door->identify(credentials);
    if (!caller.ok()) {
      std::fprintf(stderr, "admission: a known key was refused: %s\n",
                   caller.error().message.c_str());
      std::exit(1);
    }
    return std::move(*caller);
  }
  /// Everything that one request meets.
  std::uint64_t whole(std::size_t i) {
    const Caller caller = identify(i);
    if (!door->open().ok()) return 0;
    admission::RateView view = door->count(caller, addresses[i]);
    const admission::Estimate estimate{.prompt_bytes = 2000, .answer = 100};
    auto held = door->reserve(caller, view, addresses[i], "model", estimate);
    if (!held.ok() || !view.allowed) {
      std::fprintf(stderr, "admission: a limit was reached\n");
      std::exit(1);
    }
    const admission::Permit permit = door->try_enter();
    held->settle(300);
    return view.remaining + (permit ? 1 : 0);
  }
  RealClock clock;
  Settings settings;
  Metrics metrics;
  std::vector<std::string> headers;
  std::vector<std::string> addresses;
  std::optional<Admission> door;
  std::vector<Caller> callers;
};

/// Median over `rounds` of the nanoseconds of one call; users in an order that caches do not like.
template <class F>
double nanoseconds(RealClock& clock, std::size_t rounds, F f) {
  constexpr std::size_t kCalls = 50'000;
  std::vector<double> found;
  for (std::size_t round = 0; round <= rounds; ++round) {
    const TimePoint start = clock.now();
    for (std::size_t i = 0; i < kCalls; ++i) sink = sink + f(i * 619 % kUsers);
    found.push_back(double((clock.now() - start).count()) / double(kCalls));
  }
  found.erase(found.begin());  // warming up
  std::nth_element(found.begin(), found.begin() + std::ptrdiff_t(found.size() / 2), found.end());
  return found[found.size() / 2];
}

/// Entering and leaving as an endpoint does that always awaits.
Co<> enter_often(Door& door, int times) {
  for (int i = 0; i < times; ++i) {
    Caller caller = door.callers[std::size_t(i) % kUsers];
    auto permit = co_await door.door->enter(std::move(caller), Deadline::never());
    sink = sink + (permit.ok() ? 1 : 0);
  }
}

double awaited(Door& door, std::size_t rounds) {
  constexpr int kCalls = 50'000;
  std::vector<double> found;
  for (std::size_t round = 0; round < rounds; ++round) {
    asio::io_context io(1);
    asio::co_spawn(io.get_executor(), enter_often(door, kCalls), [](std::exception_ptr) {});
    const TimePoint start = door.clock.now();
    io.run();
    found.push_back(double((door.clock.now() - start).count()) / double(kCalls));
  }
  std::sort(found.begin(), found.end());
  return found[found.size() / 2];
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv, "admission [--rounds N]");
  const auto rounds = std::size_t(std::max(1.0, arguments.number("rounds", 5)));
  Door usual(false);
  Door strict(true);
  auto& clock = usual.clock;
  const double identify =
      nanoseconds(clock, rounds, [&](std::size_t i) { return usual.identify(i).key.size(); });
  const double count = nanoseconds(clock, rounds, [&](std::size_t i) {
    return usual.door->count(usual.callers[i], usual.addresses[i]).remaining;
  });
  const double permit =
      nanoseconds(clock, rounds, [&](std::size_t) { return usual.door->try_enter() ? 1u : 0u; });
  const double waited = awaited(usual, rounds);
  const double whole = nanoseconds(clock, rounds, [&](std::size_t i) { return usual.whole(i); });
  const double all = nanoseconds(clock, rounds, [&](std::size_t i) { return strict.whole(i); });
  std::printf(
      "{\"identify_ns\":%.1f,\"count_ns\":%.1f,\"permit_ns\":%.1f,\"awaited_ns\":%.1f,"
      "\"whole_ns\":%.1f,\"every_limit_ns\":%.1f}\n",
      identify, count, permit, waited, whole, all);
  return 0;
}
