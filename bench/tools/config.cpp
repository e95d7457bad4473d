// Measures one read of the configuration, as every request makes it: on one thread, and on all
// cores at once while another thread swaps snapshots. Prints one line of JSON;
// bench/suites/config.py runs it.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "arguments.h"
#include "base/clock.h"
#include "config/settings.h"
#include "config/snapshot.h"

namespace mainstay::bench {
namespace {

constexpr std::size_t kReads = 2'000'000;
using Live = config::Live<Settings>;

/// Nanoseconds of one read; the sum keeps the compiler from leaving reads out.
template <class Read>
double nanoseconds(const RealClock& clock, std::atomic<std::uint64_t>& sink, Read read) {
  std::uint64_t sum = 0;
  const TimePoint start = clock.now();
  for (std::size_t i = 0; i < kReads; ++i) sum += read();
  const auto took = clock.now() - start;
  sink.fetch_add(sum);
  return static_cast<double>(took.count()) / static_cast<double>(kReads);
}

double median(std::vector<double> found) {
  std::sort(found.begin(), found.end());
  return found[found.size() / 2];
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay;
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv, "config [--rounds N]");
  const auto rounds = static_cast<std::size_t>(std::max(1.0, arguments.number("rounds", 5)));
  const RealClock clock;
  std::atomic<std::uint64_t> sink{0};
  Live live(std::make_shared<const Settings>());
  const auto get = [&] { return live.get()->limits.user.burst; };
  const auto peek = [&] { return live.peek().limits.user.burst; };
  std::vector<double> kept;
  std::vector<double> looked;
  std::vector<double> shared;
  for (std::size_t round = 0; round < rounds; ++round) {
    kept.push_back(nanoseconds(clock, sink, get));
    looked.push_back(nanoseconds(clock, sink, peek));
    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    std::vector<double> each(cores);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < cores; ++i) {
      threads.emplace_back([&, i] { each[i] = nanoseconds(clock, sink, get); });
    }
    for (int i = 0; i < 100; ++i) {
      live.swap(std::make_shared<const Settings>());
      std::this_thread::yield();
    }
    for (auto& thread : threads) thread.join();
    shared.push_back(*std::max_element(each.begin(), each.end()));
  }
  std::printf("{\"get_ns\":%.2f,\"peek_ns\":%.2f,\"shared_ns\":%.2f}\n", median(kept),
              median(looked), median(shared));
  return 0;
}
