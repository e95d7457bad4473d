// fork, a few calls that are safe after it, exec.
#include "resources/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "resources/memory.h"
#include "resources/roots.h"
#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

/// Above the descriptors that the child is given, so that none is overwritten while they are set.
constexpr int kLowest = 10;

/// Both ends of a pipe or socket pair.
struct Ends {
  Descriptor ours;
  Descriptor theirs;
};

Descriptor moved_up(int fd) {
  const Descriptor low(fd);
  return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, kLowest));
}

bool make_pipe(Ends& ends) {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return false;
  ends.ours = moved_up(fds[0]);
  ends.theirs = moved_up(fds[1]);
  return ends.ours.get() >= 0 && ends.theirs.get() >= 0;
}

bool make_socket(Ends& ends) {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return false;
  ends.ours = moved_up(fds[0]);
  ends.theirs = moved_up(fds[1]);
  return ends.ours.get() >= 0 && ends.theirs.get() >= 0;
}

void do_not_block(const Descriptor& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Everything the child needs, made before the fork: after it nothing may be allocated.
struct Plan {
  const char* path;
  char** argv;
  char** env;
  int out;
  int err;
  int signs;
  int told;  ///< where the errno of a failure goes
  int null;
  pid_t parent;
};

/// Runs in the child: only what is safe after a fork.
[[noreturn]] void become(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != plan.parent) ::_exit(127);  // it died before that
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool placed = ::dup2(plan.null, 0) >= 0 && ::dup2(plan.out, 1) >= 0 &&
                      ::dup2(plan.err, 2) >= 0 && ::dup2(plan.signs, kSignsDescriptor) >= 0;
  if (placed) {
    ::close_range(kSignsDescriptor + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(plan.path, plan.argv, plan.env);
  }
  const int error = errno;
  [[maybe_unused]] const auto sent = ::write(plan.told, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Spawned spawn(const ChildProgram& program) {
  Spawned spawned;
  Ends out, err, signs, told;
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0 || !make_pipe(out) || !make_pipe(err) || !make_pipe(told) ||
      !make_socket(signs)) {
    spawned.error = errno;
    return spawned;
  }
  auto argv = pointers(program.argv);
  auto env = pointers(program.env);
  const Plan plan{program.path.c_str(), argv.data(),      env.data(),
                  out.theirs.get(),     err.theirs.get(), signs.theirs.get(),
                  told.theirs.get(),    null.get(),       ::getpid()};
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  if (pid < 0) {
    spawned.error = errno;
    return spawned;
  }
  ::setpgid(pid, pid);  // both sides: whoever comes first
  told.theirs = Descriptor();
  int error = 0;
  while (::read(told.ours.get(), &error, sizeof error) < 0 && errno == EINTR) {
  }
  // By number: glibc 2.36 declares pidfd_open without C linkage.
  Descriptor life(error == 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
  if (error == 0 && life.get() < 0) error = errno;
  if (error != 0) {
    reap(pid);
    spawned.error = error;
    return spawned;
  }
  for (const auto* end : {&out.ours, &err.ours, &signs.ours}) do_not_block(*end);
  spawned.process = {pid, std::move(life), std::move(out.ours), std::move(err.ours),
                     std::move(signs.ours)};
  return spawned;
}

ChildExit reap(pid_t pid) {
  kill_group(pid);  // while the leader's number is still taken
  ChildExit out;
  int status = 0;
  pid_t got = 0;
  do got = ::waitpid(pid, &status, 0);
  while (got < 0 && errno == EINTR);
  if (got != pid) return out;
  if (WIFSIGNALED(status)) {
    out.how = ChildExit::How::signal;
    out.value = WTERMSIG(status);
  } else {
    out.value = WEXITSTATUS(status);
  }
  return out;
}

void kill_group(pid_t pid) noexcept {
  if (pid > 0) ::kill(-pid, SIGKILL);
}

std::uint64_t kernel_kills() {
  const Roots roots;
  const MemoryFigures memory = read_memory(roots);
  if (memory.source == MemorySource::cgroup_v1 || memory.source == MemorySource::cgroup_v2 ||
      memory.events.oom_kill > 0) {
    return memory.events.oom_kill;
  }
  const auto text = read_small(roots.proc + "/vmstat");
  const auto count = text ? number_of(*text, "oom_kill") : std::nullopt;
  return count ? static_cast<std::uint64_t>(*count) : 0;
}

}  // namespace mainstay::resources
