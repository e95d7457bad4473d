// Failed attempts to get in, by address: after some that are free, each costs a growing delay.
// Used by identity. Pure but for its mutex: time is given.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "config/settings.h"

namespace mainstay::admission {

/// The part of an address that one sender can change at will counts as one: a whole IPv6 /64. An
/// IPv4 address, also when mapped into IPv6, counts by itself.
std::uint64_t sender_of(const asio::ip::address& address);

/// Thread-safe. A fixed number of places in sets of eight; a full set forgets who has been quiet
/// longest.
class FailedAttempts {
 public:
  explicit FailedAttempts(std::uint32_t addresses_max);
  /// How long this sender still has to wait; zero: its attempt is looked at.
  Duration wait(std::uint64_t sender, TimePoint now) const;
  /// Notes a failure. Only of attempts that were looked at, so that hammering makes nothing longer.
  void failed(std::uint64_t sender, TimePoint now, const AuthSettings& settings);
  std::size_t size() const;

 private:
  static constexpr std::size_t kWays = 8;
  struct Place {
    std::uint64_t sender = 0;  ///< 0: free
    std::uint32_t failures = 0;
    TimePoint last{};
    TimePoint until{};
  };
  using Set = std::array<Place, kWays>;
  const Set& set_of(std::uint64_t sender) const;
  static const Place* find(const Set& set, std::uint64_t sender);

  mutable std::mutex mutex_;
  std::vector<Set> sets_;
};

}  // namespace mainstay::admission
