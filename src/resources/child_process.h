// Making one child process: in a group of its own, with pipes for what it prints and a socket for
// its signs of life; it dies with its parent. Linux 5.4 or newer.
// Used by supervisor.cpp.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "resources/child_life.h"

namespace mainstay::resources {

/// A descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const noexcept { return fd_; }
  /// Given away.
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Descriptor under which a child finds its end of the socket.
inline constexpr int kSignsDescriptor = 3;

struct ChildProgram {
  std::string path;               ///< "/proc/self/exe" is this program, also after an upgrade
  std::vector<std::string> argv;  ///< with its name first
  std::vector<std::string> env;   ///< NAME=VALUE
};

/// A process that was just made. Its ends here do not block.
struct ChildProcess {
  pid_t pid = 0;    ///< leader of its group; not yet waited for
  Descriptor life;  ///< a pidfd: readable once it has ended
  Descriptor out;   ///< what it prints
  Descriptor err;
  Descriptor signs;  ///< datagrams of the service manager's protocol
};

/// From a thread that lives as long as the child (which dies with it). Blocks until
/// the new program runs: milliseconds. The error of ChildExit: an errno.
struct Spawned {
  ChildProcess process;
  int error = 0;  ///< errno; 0: it runs
};
Spawned spawn(const ChildProgram& program);

/// Waits for a process that has ended, after killing what is left of its group.
ChildExit reap(pid_t pid);
/// SIGKILL for the whole group.
void kill_group(pid_t pid) noexcept;
/// Programs that the kernel killed for want of memory in this control group, so far.
std::uint64_t kernel_kills();

}  // namespace mainstay::resources
