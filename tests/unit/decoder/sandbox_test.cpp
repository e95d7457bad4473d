// What a process can still do once it is locked in.
// proves security row 42
#include "resources/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MAINSTAY_SANITIZED 1
#endif
#endif

namespace mainstay::resources {
namespace {

constexpr int kNotLocked = 200;

/// How a child ends that locks itself in and then does this: "errno 13", "0", "signal 31".
std::string locked_in(const SandboxRules& rules, const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter_sandbox(rules).ok()) ::_exit(kNotLocked);
    ::_exit(act());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  if (code == kNotLocked) return "could not be locked in";
  return code == 0 ? "fine" : "errno " + std::to_string(code);
}
std::string locked_in(const std::function<int()>& act) {
  return locked_in(SandboxRules(), act);
}

int open_errno(const char* path, int flags) {
  return ::open(path, flags, 0600) < 0 ? errno : 0;
}

const std::string kKilled = "signal " + std::to_string(SIGSYS);
const std::string kDenied = "errno " + std::to_string(EACCES);
const std::string kForbidden = "errno " + std::to_string(EPERM);

TEST(Sandbox, security_42_no_file_can_be_opened) {
  EXPECT_EQ(locked_in([] { return open_errno("/etc/passwd", O_RDONLY); }), kDenied);
  EXPECT_EQ(locked_in([] { return open_errno("/tmp/x", O_WRONLY | O_CREAT); }), kDenied);
  EXPECT_EQ(locked_in([] { return open_errno("/proc/self/mem", O_RDWR); }), kDenied);
}

TEST(Sandbox, security_42_no_socket_no_program_no_process) {
  EXPECT_EQ(locked_in([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }), kKilled);
  EXPECT_EQ(locked_in([] { return ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0; }), kKilled);
  EXPECT_EQ(locked_in([] {
              char* const none[] = {nullptr};
              return ::execve("/bin/true", none, none) < 0 ? errno : 0;
            }),
            kKilled);
  EXPECT_EQ(locked_in([] { return static_cast<int>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }),
            kKilled);
  EXPECT_EQ(locked_in([] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0; }), kKilled);
  EXPECT_EQ(locked_in([] { return ::kill(::getppid(), 0) < 0 ? errno : 0; }), kKilled);
}

TEST(Sandbox, what_is_merely_not_needed_is_refused_without_a_kill) {
  EXPECT_EQ(locked_in([] { return ::mkdir("/tmp/of-the-sandbox", 0700) < 0 ? errno : 0; }),
            kForbidden);
  EXPECT_EQ(locked_in([] { return ::unlink("/tmp/of-the-sandbox") < 0 ? errno : 0; }), kForbidden);
}

TEST(Sandbox, no_memory_can_be_run) {
  EXPECT_EQ(locked_in([] {
              void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return at == MAP_FAILED ? errno : 0;
            }),
            kForbidden);
}

TEST(Sandbox, no_file_grows_even_through_a_descriptor_that_was_open) {
  const int file = ::memfd_create("file", 0);
  EXPECT_EQ(locked_in([file] { return ::write(file, "x", 1) < 0 ? errno : 0; }),
            "signal " + std::to_string(SIGXFSZ));
  ::close(file);
}

TEST(Sandbox, named_folders_can_be_read_and_not_written) {
  std::string folder = (std::filesystem::temp_directory_path() / "sandbox-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/table";
  std::ofstream(file) << "text";
  SandboxRules rules;
  rules.readable = {folder, "/nonexistent/folder"};
  const auto reads = locked_in(rules, [&] { return open_errno(file.c_str(), O_RDONLY); });
  // A kernel without Landlock cannot tell folders apart: then nothing is opened.
  EXPECT_TRUE(reads == "fine" || reads == kDenied) << reads;
  EXPECT_EQ(locked_in(rules, [&] { return open_errno(file.c_str(), O_WRONLY); }), kDenied);
  EXPECT_EQ(locked_in(rules, [] { return open_errno("/etc/passwd", O_RDONLY); }), kDenied);
  EXPECT_EQ(locked_in(rules, [&] { return open_errno((folder + "/../../etc/passwd").c_str(), 0); }),
            kDenied);
  std::filesystem::remove_all(folder);
}

TEST(Sandbox, so_many_descriptors_and_no_more) {
  SandboxRules rules;
  rules.open_files = 16;
  EXPECT_EQ(locked_in(rules,
                      [&] {
                        int last = 0;
                        for (;;) {
                          const int fd = ::dup(1);
                          if (fd < 0) break;
                          last = fd;
                        }
                        return last < 16 && errno == EMFILE ? 0 : last;
                      }),
            "fine");
}

#ifndef MAINSTAY_SANITIZED
TEST(Sandbox, memory_has_an_end) {
  SandboxRules rules;
  rules.memory = 256 << 20;
  const auto take = [](std::size_t bytes) {
    return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? errno
               : 0;
  };
  EXPECT_EQ(locked_in(rules, [&] { return take(64 << 20); }), "fine");
  EXPECT_EQ(locked_in(rules, [&] { return take(256 << 20); }), "errno " + std::to_string(ENOMEM));
}

TEST(Sandbox, threads_only_where_they_are_allowed) {
  const auto start = [] {
    pthread_t thread{};
    const int failed =
        ::pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
    return failed != 0 ? failed : ::pthread_join(thread, nullptr);
  };
  SandboxRules rules;
  rules.threads = true;
  EXPECT_EQ(locked_in(rules, start), "fine");
  rules.threads = false;
  EXPECT_EQ(locked_in(rules, start), kKilled);
}
#endif

}  // namespace
}  // namespace mainstay::resources
