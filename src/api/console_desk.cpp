// Seats and the doctor's word.
#include "api/console_desk.h"

namespace mainstay::api {
namespace {

HistoryShape shape_of(const ConsoleSettings& settings) {
  if (settings.history) return {};
  return {0, 1, 1};
}

}  // namespace

std::optional<WatchSeats::Seat> WatchSeats::take() {
  auto taken = taken_.load(std::memory_order_relaxed);
  do {
    if (taken >= seats_max_) return std::nullopt;
  } while (!taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed));
  return Seat(*this);
}

std::optional<DoctorsWord::Word> DoctorsWord::last() const {
  std::lock_guard lock(mutex_);
  return last_;
}

std::optional<DoctorsWord::Turn> DoctorsWord::begin() {
  if (asking_.exchange(true)) return std::nullopt;
  return Turn(*this);
}

void DoctorsWord::heard(Word word) {
  std::lock_guard lock(mutex_);
  last_ = std::move(word);
}

ConsoleDesk::ConsoleDesk(const ConsoleSettings& settings, Clock& clock)
    : keeps_history(settings.history),
      history(shape_of(settings)),
      sampled(clock),
      seats(settings.watchers_max) {}

}  // namespace mainstay::api
