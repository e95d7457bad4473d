// A flag in front of a note.
#include "admission/maintenance.h"

namespace mainstay::admission {

void Maintenance::on(MaintenanceNote note) {
  std::lock_guard lock(mutex_);
  note_ = std::move(note);
  on_.store(true, std::memory_order_release);
}

void Maintenance::off() {
  on_.store(false, std::memory_order_release);
}

std::optional<MaintenanceNote> Maintenance::note() const {
  if (!on_.load(std::memory_order_acquire)) return std::nullopt;
  std::lock_guard lock(mutex_);
  return note_;
}

Status Maintenance::check() const {
  const auto note = this->note();
  if (!note) return done();
  Error e = Error::say(Errc::unavailable, "maintenance",
                       note->message.empty()
                           ? "The server is being maintained. Try again as Retry-After says."
                           : note->message);
  e.retry_after = note->retry_after;
  return e;
}

}  // namespace mainstay::admission
