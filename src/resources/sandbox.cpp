// Limits, Landlock by its three system calls (Debian 12 has no wrapper), seccomp by libseccomp.
#include "resources/sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace mainstay::resources {
namespace {

Error locked_out(const std::string& what) {
  return Error::log(Errc::unavailable, "sandbox: " + what + ": " + std::strerror(errno));
}

// --- limits
// ---------------------------------------------------------------------------------------

bool limit(decltype(RLIMIT_AS) what, rlim_t value) {
  rlimit now{};
  if (::getrlimit(what, &now) != 0) return false;
  const rlim_t bound = now.rlim_max < value ? now.rlim_max : value;
  const rlimit wanted{bound, bound};
  return ::setrlimit(what, &wanted) == 0;
}

Status set_limits(const SandboxRules& rules) {
  if (rules.memory > 0 && !limit(RLIMIT_AS, rules.memory)) return locked_out("RLIMIT_AS");
  if (rules.cpu_seconds > 0 && !limit(RLIMIT_CPU, rules.cpu_seconds)) {
    return locked_out("RLIMIT_CPU");
  }
  if (!limit(RLIMIT_NOFILE, rules.open_files)) return locked_out("RLIMIT_NOFILE");
  if (!limit(RLIMIT_FSIZE, 0)) return locked_out("RLIMIT_FSIZE");
  if (!limit(RLIMIT_CORE, 0)) return locked_out("RLIMIT_CORE");
  // It counts the threads of the user's every process, so it can only forbid all.
  if (!rules.threads && !limit(RLIMIT_NPROC, 0)) return locked_out("RLIMIT_NPROC");
  return done();
}

// --- Landlock
// -------------------------------------------------------------------------------------

// The kernel's words, of which Debian 12's headers know the first versions only.
struct LandlockRuleset {
  std::uint64_t files;
  std::uint64_t network;  ///< since version 4
};
struct [[gnu::packed]] LandlockBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};
constexpr std::uint32_t kAskVersion = 1;
constexpr int kBeneath = 1;
constexpr std::uint64_t kReadFile = 1ULL << 2;
constexpr std::uint64_t kReadFolder = 1ULL << 3;
constexpr std::uint64_t kTcp = 3;  ///< bind, connect

/// All rights on files that this version can take away.
std::uint64_t rights_of(int version) {
  const int count = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  return (1ULL << count) - 1;
}

/// A descriptor that closes itself.
class Opened {
 public:
  explicit Opened(int fd) : fd_(fd) {}
  ~Opened() {
    if (fd_ >= 0) ::close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

Status allow_reading(int ruleset, const std::string& path) {
  const Opened place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (place.get() < 0) return done();
  struct stat about{};
  if (::fstat(place.get(), &about) != 0) return locked_out(path);
  const bool folder = S_ISDIR(about.st_mode);
  const LandlockBeneath beneath{kReadFile | (folder ? kReadFolder : 0), place.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, kBeneath, &beneath, 0) != 0) {
    return locked_out("landlock_add_rule of " + path);
  }
  return done();
}

/// The version in force; 0 where the kernel has none, or a supervisor of ours refuses it.
Result<int> take_files_away(const SandboxRules& rules) {
  const auto version =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion));
  if (version <= 0) return 0;
  const LandlockRuleset wanted{rights_of(version), version >= 4 ? kTcp : 0};
  const std::size_t size = version >= 4 ? sizeof wanted : sizeof wanted.files;
  const Opened ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &wanted, size, 0)));
  if (ruleset.get() < 0) return locked_out("landlock_create_ruleset");
  for (const auto& path : rules.readable) {
    auto allowed = allow_reading(ruleset.get(), path);
    if (!allowed.ok()) return allowed.error();
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return locked_out("landlock_restrict_self");
  }
  return version;
}

// --- seccomp
// --------------------------------------------------------------------------------------

/// What decoding takes: memory, the descriptors at hand, time, the end.
constexpr std::array kAllowed = {SCMP_SYS(read),
                                 SCMP_SYS(readv),
                                 SCMP_SYS(pread64),
                                 SCMP_SYS(write),
                                 SCMP_SYS(writev),
                                 SCMP_SYS(lseek),
                                 SCMP_SYS(close),
                                 SCMP_SYS(fstat),
                                 SCMP_SYS(newfstatat),
                                 SCMP_SYS(stat),
                                 SCMP_SYS(lstat),
                                 SCMP_SYS(statx),
                                 SCMP_SYS(access),
                                 SCMP_SYS(faccessat),
                                 SCMP_SYS(faccessat2),
                                 SCMP_SYS(readlink),
                                 SCMP_SYS(readlinkat),
                                 SCMP_SYS(getdents64),
                                 SCMP_SYS(getcwd),
                                 SCMP_SYS(munmap),
                                 SCMP_SYS(mremap),
                                 SCMP_SYS(madvise),
                                 SCMP_SYS(brk),
                                 SCMP_SYS(futex),
                                 SCMP_SYS(set_robust_list),
                                 SCMP_SYS(rseq),
                                 SCMP_SYS(sched_yield),
                                 SCMP_SYS(sched_getaffinity),
                                 SCMP_SYS(sched_getattr),
                                 SCMP_SYS(gettid),
                                 SCMP_SYS(getpid),
                                 SCMP_SYS(exit),
                                 SCMP_SYS(exit_group),
                                 SCMP_SYS(rt_sigaction),
                                 SCMP_SYS(rt_sigprocmask),
                                 SCMP_SYS(rt_sigreturn),
                                 SCMP_SYS(sigaltstack),
                                 SCMP_SYS(restart_syscall),
                                 SCMP_SYS(clock_gettime),
                                 SCMP_SYS(clock_getres),
                                 SCMP_SYS(clock_nanosleep),
                                 SCMP_SYS(nanosleep),
                                 SCMP_SYS(gettimeofday),
                                 SCMP_SYS(time),
                                 SCMP_SYS(getrusage),
                                 SCMP_SYS(getrandom),
                                 SCMP_SYS(recvmsg),
                                 SCMP_SYS(poll),
                                 SCMP_SYS(ppoll),
                                 SCMP_SYS(sysinfo),
                                 SCMP_SYS(uname),
                                 SCMP_SYS(dup),
                                 SCMP_SYS(getuid),
                                 SCMP_SYS(geteuid),
                                 SCMP_SYS(getgid),
                                 SCMP_SYS(getegid)};

/// What only an intruder asks for.
constexpr std::array kDeadly = {SCMP_SYS(execve),
                                SCMP_SYS(execveat),
                                SCMP_SYS(fork),
                                SCMP_SYS(vfork),
                                SCMP_SYS(socket),
                                SCMP_SYS(socketpair),
                                SCMP_SYS(connect),
                                SCMP_SYS(bind),
                                SCMP_SYS(listen),
                                SCMP_SYS(accept),
                                SCMP_SYS(accept4),
                                SCMP_SYS(sendmsg),
                                SCMP_SYS(sendto),
                                SCMP_SYS(ptrace),
                                SCMP_SYS(process_vm_readv),
                                SCMP_SYS(process_vm_writev),
                                SCMP_SYS(pidfd_getfd),
                                SCMP_SYS(kill),
                                SCMP_SYS(tkill),
                                SCMP_SYS(mount),
                                SCMP_SYS(umount2),
                                SCMP_SYS(pivot_root),
                                SCMP_SYS(chroot),
                                SCMP_SYS(unshare),
                                SCMP_SYS(setns),
                                SCMP_SYS(bpf),
                                SCMP_SYS(perf_event_open),
                                SCMP_SYS(userfaultfd),
                                SCMP_SYS(io_uring_setup),
                                SCMP_SYS(keyctl),
                                SCMP_SYS(add_key),
                                SCMP_SYS(request_key),
                                SCMP_SYS(init_module),
                                SCMP_SYS(finit_module),
                                SCMP_SYS(kexec_load),
                                SCMP_SYS(memfd_create),
                                SCMP_SYS(open_by_handle_at)};

/// Adds rules to one filter and remembers the first that was refused.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release) {}
  bool made() const noexcept { return context_ != nullptr; }
  template <class... Arguments>
  void add(std::uint32_t action, int call, Arguments... arguments) {
    const std::array<scmp_arg_cmp, sizeof...(arguments)> list{arguments...};
    const int failed =
        ::seccomp_rule_add_array(context_.get(), action, call, sizeof...(arguments), list.data());
    if (failed != 0 && failed_ == 0) failed_ = failed;
  }
  /// Into force, for the one thread there is and all that it starts.
  Status load() {
    // Each call of the process passes the filter: what it calls most is looked at first.
    ::seccomp_syscall_priority(context_.get(), SCMP_SYS(read), 255);
    ::seccomp_syscall_priority(context_.get(), SCMP_SYS(lseek), 254);
    ::seccomp_syscall_priority(context_.get(), SCMP_SYS(write), 254);
    ::seccomp_syscall_priority(context_.get(), SCMP_SYS(futex), 253);
    // Threads that a library may have started already are locked in as well.
    const int synced = ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    if (failed_ == 0) failed_ = synced;
    if (failed_ == 0) failed_ = ::seccomp_load(context_.get());
    if (failed_ == 0) return done();
    errno = -failed_;
    return locked_out("seccomp");
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int failed_ = 0;
};

scmp_arg_cmp without(unsigned at, std::uint64_t mask) {
  return {at, SCMP_CMP_MASKED_EQ, mask, 0};
}
scmp_arg_cmp with(unsigned at, std::uint64_t mask) {
  return {at, SCMP_CMP_MASKED_EQ, mask, mask};
}
scmp_arg_cmp equal(unsigned at, std::uint64_t value) {
  return {at, SCMP_CMP_EQ, value, 0};
}

void allow_opening(Filter& filter, bool opens) {
  constexpr std::uint64_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
  for (const int flag : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND}) {
    filter.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), with(2, static_cast<unsigned>(flag)));
    filter.add(SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), with(1, static_cast<unsigned>(flag)));
  }
  const std::uint32_t reading = opens ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES);
  filter.add(reading, SCMP_SYS(openat), without(2, kWriting));
  filter.add(reading, SCMP_SYS(open), without(1, kWriting));
}

void allow_threads(Filter& filter, bool threads) {
  // clone3 hides its flags from the filter; ENOSYS makes glibc take clone.
  filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  constexpr std::uint64_t kThread = 0x00010000;  // CLONE_THREAD
  if (threads) filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), with(0, kThread));
  filter.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), without(0, threads ? kThread : 0));
}

Status filter_calls(const SandboxRules& rules, bool opens) {
  Filter filter;
  if (!filter.made()) return Error::log(Errc::unavailable, "sandbox: seccomp has no memory");
  for (const int call : kAllowed) filter.add(SCMP_ACT_ALLOW, call);
  for (const int call : kDeadly) filter.add(SCMP_ACT_KILL_PROCESS, call);
  allow_opening(filter, opens);
  allow_threads(filter, rules.threads);
  // No memory that can be both written and run: what comes in stays data.
  constexpr std::uint64_t kExecutable = 4;  // PROT_EXEC
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mmap), without(2, kExecutable));
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), without(2, kExecutable));
  for (const int get : {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC}) {
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), equal(1, static_cast<unsigned>(get)));
  }
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), equal(0, PR_SET_NAME));
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
  // They find out whether memory is there by writing it into a pipe.
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(pipe));
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(pipe2), equal(1, O_CLOEXEC));
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(pipe2), equal(1, 0));
#endif
#endif
  // Its own limits, which it can only lower; abort() signals its own thread.
  const auto self = static_cast<std::uint64_t>(::getpid());
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), equal(0, 0));
  filter.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), equal(0, self));
  filter.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), scmp_arg_cmp{0, SCMP_CMP_NE, self, 0});
  return filter.load();
}

}  // namespace

Result<Sandbox> enter_sandbox(const SandboxRules& rules) {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return locked_out("PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return locked_out("PR_SET_NO_NEW_PRIVS");
  auto landlock = take_files_away(rules);
  if (!landlock.ok()) return landlock.error();
  auto limited = set_limits(rules);
  if (!limited.ok()) return limited.error();
  Sandbox out;
  out.landlock = *landlock;
  out.opens = out.landlock > 0 && !rules.readable.empty();
  auto filtered = filter_calls(rules, out.opens);
  if (!filtered.ok()) return filtered.error();
  return out;
}

}  // namespace mainstay::resources
