// What stands behind the console's endpoints: the history, its watchers, what the doctor said last.
// Owned by AdminDesk; filled by app; used by console*.cpp and admin_{history,live,logs,doctor}.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/event.h"
#include "base/json.h"
#include "base/result.h"
#include "config/settings.h"
#include "telemetry/history.h"

namespace mainstay::api {

/// Places for streams that stay open. Thread-safe.
class WatchSeats {
 public:
  explicit WatchSeats(std::uint32_t seats_max) : seats_max_(seats_max) {}
  /// Given back when destroyed. The seats outlive it.
  class Seat {
   public:
    explicit Seat(WatchSeats& seats) noexcept : seats_(&seats) {}
    Seat(Seat&& other) noexcept : seats_(std::exchange(other.seats_, nullptr)) {}
    Seat& operator=(Seat&& other) noexcept {
      std::swap(seats_, other.seats_);
      return *this;
    }
    ~Seat() {
      if (seats_ != nullptr) seats_->taken_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    WatchSeats* seats_;
  };
  /// nullopt: all are taken.
  std::optional<Seat> take();
  std::uint32_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

 private:
  const std::uint32_t seats_max_;
  std::atomic<std::uint32_t> taken_{0};
};

/// What the doctor said last. Thread-safe.
class DoctorsWord {
 public:
  struct Word {
    Json said;
    TimePoint at{};
  };
  std::optional<Word> last() const;
  /// The turn of one who asks; ends when destroyed, also by a cancellation.
  class Turn {
   public:
    explicit Turn(DoctorsWord& of) noexcept : of_(&of) {}
    Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (of_ != nullptr) of_->asking_.store(false);
    }

   private:
    DoctorsWord* of_;
  };
  /// nullopt: somebody asks already.
  std::optional<Turn> begin();
  void heard(Word word);

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> asking_{false};
  std::optional<Word> last_;
};

/// Lives as long as the program. Thread-safe.
struct ConsoleDesk {
  ConsoleDesk(const ConsoleSettings& settings, Clock& clock);
  const bool keeps_history;
  History history;
  Event sampled;  ///< told after each new row
  WatchSeats seats;
  DoctorsWord doctor;
  std::atomic<std::int64_t> report_logged_at{0};  ///< seconds; of the last logged CSP report
};

}  // namespace mainstay::api
