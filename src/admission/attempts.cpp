// A small set-associative table: no allocation after the start, however many addresses come.
#include "admission/attempts.h"

#include <algorithm>

namespace mainstay::admission {
namespace {

/// Marks IPv4: no IPv6 sender's prefix starts so (ff00::/8 is multicast).
constexpr std::uint64_t kFour = 0xffULL << 56;

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  return x;
}

}  // namespace

std::uint64_t sender_of(const asio::ip::address& address) {
  if (address.is_v4()) return kFour | address.to_v4().to_uint();
  const auto six = address.to_v6();
  if (six.is_v4_mapped()) {
    return kFour | asio::ip::make_address_v4(asio::ip::v4_mapped, six).to_uint();
  }
  const auto bytes = six.to_bytes();
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out = out << 8 | bytes[i];
  return out == 0 ? 1 : out;  // ::1; zero marks a free place
}

FailedAttempts::FailedAttempts(std::uint32_t addresses_max)
    : sets_(std::max<std::size_t>(1, addresses_max / kWays)) {}

const FailedAttempts::Set& FailedAttempts::set_of(std::uint64_t sender) const {
  return sets_[mixed(sender) % sets_.size()];
}

const FailedAttempts::Place* FailedAttempts::find(const Set& set, std::uint64_t sender) {
  for (const Place& place : set) {
    if (place.sender == sender) return &place;
  }
  return nullptr;
}

Duration FailedAttempts::wait(std::uint64_t sender, TimePoint now) const {
  std::lock_guard lock(mutex_);
  const Place* place = find(set_of(sender), sender);
  return place == nullptr ? Duration::zero() : std::max(Duration::zero(), place->until - now);
}

void FailedAttempts::failed(std::uint64_t sender, TimePoint now, const AuthSettings& settings) {
  std::lock_guard lock(mutex_);
  Set& set = const_cast<Set&>(set_of(sender));
  auto* place = const_cast<Place*>(find(set, sender));
  if (place == nullptr) {
    // Free places have never been touched, so they are the oldest.
    place = &*std::min_element(set.begin(), set.end(),
                               [](const Place& a, const Place& b) { return a.last < b.last; });
    *place = Place{sender, 0, now, TimePoint{}};
  }
  if (now - std::max(place->last, place->until) >= settings.failure_memory) place->failures = 0;
  place->last = now;
  ++place->failures;
  if (place->failures <= settings.failures_free) return;
  const std::uint32_t doublings = std::min(place->failures - settings.failures_free - 1, 30U);
  const Duration delay = std::min<Duration>(Duration(settings.failure_delay) * (1LL << doublings),
                                            settings.failure_delay_max);
  place->until = now + delay;
}

std::size_t FailedAttempts::size() const {
  std::lock_guard lock(mutex_);
  std::size_t out = 0;
  for (const Set& set : sets_) {
    for (const Place& place : set) out += place.sender != 0 ? 1 : 0;
  }
  return out;
}

}  // namespace mainstay::admission
