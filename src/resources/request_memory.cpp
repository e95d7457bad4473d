// Counters that overlap is told by, and the resident size that is read now and then.
#include "resources/request_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <utility>

namespace mainstay::resources {
namespace {
constexpr Duration kFresh = std::chrono::milliseconds(50);
constexpr auto kRelaxed = std::memory_order_relaxed;
}  // namespace

RequestMemory::RequestMemory(Clock& clock, std::uint64_t report_above, Resident resident)
    : clock_(clock),
      report_above_(report_above),
      resident_(std::move(resident)),
      read_at_(std::numeric_limits<std::int64_t>::min()) {}

std::uint64_t RequestMemory::resident_now() noexcept {
  const std::int64_t now = clock_.now().time_since_epoch().count();
  std::int64_t seen = read_at_.load(kRelaxed);
  const bool stale =
      seen == std::numeric_limits<std::int64_t>::min() || now - seen >= kFresh.count();
  // One of those that find it old reads; the others go on with the old figure.
  if (stale && read_at_.compare_exchange_strong(seen, now, kRelaxed)) {
    last_.store(resident_(), kRelaxed);
  }
  return last_.load(kRelaxed);
}

RequestMemory::Start RequestMemory::begin() noexcept {
  Start start;
  start.resident = resident_now();
  start.explained = explained_.load(kRelaxed);
  start.begun = begun_.fetch_add(1, kRelaxed) + 1;
  const std::uint64_t before = start.begun - 1;
  const std::uint64_t ended = ended_.load(kRelaxed);
  start.beside = before > ended ? before - ended : 0;
  return start;
}

std::optional<RequestMemory::Report> RequestMemory::end(const Start& start) noexcept {
  ended_.fetch_add(1, kRelaxed);
  const std::uint64_t resident = resident_now();
  std::uint64_t explained = explained_.load(kRelaxed);
  for (;;) {
    const std::uint64_t known = start.resident + (explained - start.explained);
    if (resident <= known || resident - known <= report_above_) return std::nullopt;
    const std::uint64_t grown = resident - known;
    if (!explained_.compare_exchange_weak(explained, explained + grown, kRelaxed)) continue;
    return Report{grown, start.beside + (begun_.load(kRelaxed) - start.begun)};
  }
}

std::uint64_t resident_bytes() noexcept {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t got = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (got <= 0) return 0;
  char* next = nullptr;
  std::strtoull(text.data(), &next, 10);
  return std::strtoull(next, nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace mainstay::resources
