// Makes the ballast with posix_fallocate (a sparse file would reserve nothing) and takes it away.
#include "resources/disk_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace mainstay::resources {

DiskReserve::DiskReserve(std::string folder, const ResourceSettings& settings, Clock& clock)
    : path_(std::move(folder) + "/ballast.reserve"), settings_(settings), clock_(clock) {}

void DiskReserve::look(const DiskFigures& disk) {
  std::scoped_lock lock(mutex_);
  disk_ = disk;
  limits_ = disk_limits(disk, settings_);
  const auto next = step(state_, ReserveEvent::looked, disk_, limits_, clock_.now());
  state_ = next.state;
  perform(next.action);
}

void DiskReserve::write_failed() {
  std::scoped_lock lock(mutex_);
  const auto next = step(state_, ReserveEvent::write_failed, disk_, limits_, clock_.now());
  state_ = next.state;
  perform(next.action);
}

ReserveState DiskReserve::state() const {
  std::scoped_lock lock(mutex_);
  return state_;
}

void DiskReserve::perform(ReserveAction action) {
  if (action == ReserveAction::release) release();
  if (action == ReserveAction::make) {
    state_ = step(state_, make(), disk_, limits_, clock_.now()).state;
  }
  allowed_.store(state_.stop == WriteStop::none, std::memory_order_relaxed);
}

ReserveEvent DiskReserve::make() noexcept {
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const bool room = errno != ENOSPC && errno != EDQUOT && errno != EROFS;
    return room ? ReserveEvent::make_refused : ReserveEvent::make_failed;
  }
  const auto size = static_cast<off_t>(limits_.ballast);
  const int failure = ::posix_fallocate(fd, 0, size);
  // A ballast of an earlier, larger setting shrinks to this one.
  const bool cut = failure == 0 && ::ftruncate(fd, size) == 0;
  ::close(fd);
  if (cut) return ReserveEvent::made;
  ::unlink(path_.c_str());
  const bool full = failure == ENOSPC || failure == EDQUOT || failure == EFBIG;
  return full ? ReserveEvent::make_failed : ReserveEvent::make_refused;
}

void DiskReserve::release() noexcept {
  // Emptied first: on some file systems a full disk refuses the unlink but not the truncation.
  const int fd = ::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0) ::close(fd);
  ::unlink(path_.c_str());
}

}  // namespace mainstay::resources
