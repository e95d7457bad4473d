// Memory accounts: which part of the program holds how much, and whether the whole grows.
// Used by app (registers the parts), the governor (reads) and api (shows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace mainstay::resources {

/// Slope of a figure over a bounded window, by least squares. Not thread-safe.
class Growth {
 public:
  /// Nothing counts before `warm_up` has passed since the first figure.
  Growth(Duration warm_up, Duration window);
  void add(double figure, TimePoint now);
  /// Percent of the mean an hour; empty until a quarter of the window has been seen.
  std::optional<double> percent_an_hour() const;

 private:
  static constexpr std::size_t kPoints = 120;  ///< of one window; closer figures are left out
  struct Point {
    TimePoint at;
    double figure = 0;
  };
  const Duration warm_up_;
  const Duration window_;
  std::optional<TimePoint> first_;
  std::deque<Point> points_;  ///< at most kPoints + 1
};

struct Account {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t cap = 0;  ///< 0: no cap of its own
};
/// One reading of the book.
struct Accounts {
  std::vector<Account> parts;  ///< by name
  std::uint64_t sum = 0;
  std::uint64_t resident = 0;    ///< of the process, so that the rest can be told
  std::uint64_t cap = 0;         ///< of the process; 0: unknown
  std::optional<double> growth;  ///< of `resident`, percent an hour
};

/// Thread-safe. A part is removed before what its function reads goes.
class MemoryBook {
 public:
  using Read = std::function<std::uint64_t()>;
  /// `read` gives the bytes held now; thread-safe and quick (an atomic). A name twice replaces. At
  /// most 64 parts.
  void add(std::string name, Read read, std::uint64_t cap);
  void remove(const std::string& name);
  /// Parts and their sum; the rest is left as it is.
  Accounts read() const;

 private:
  struct Part {
    Read read;
    std::uint64_t cap = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Part, std::less<>> parts_;
};

}  // namespace mainstay::resources
