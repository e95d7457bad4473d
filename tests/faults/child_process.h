// A jobs_child that was started: its lines, its end. Used by rig.h.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

extern char** environ;

namespace mainstay::faults {

class ChildProcess {
 public:
  /// `more`: NAME=value, beside the environment of this program.
  ChildProcess(const std::string& program, std::vector<std::string> words,
               std::vector<std::string> more) {
    words.insert(words.begin(), program);
    for (char** at = environ; *at != nullptr; ++at) more.emplace_back(*at);
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    const int failed = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr,
                                     pointers(words).data(), pointers(more).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    out_ = pipe[0];
    ::fcntl(out_, F_SETFL, O_NONBLOCK);
    if (failed != 0) throw std::runtime_error("cannot start " + program);
  }
  ~ChildProcess() {
    kill();
    ::close(out_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  int out() const { return out_; }
  /// Gives what it has printed to `hear`, line by line; false once it has ended and all was given.
  template <class Hear>
  bool read(Hear hear) {
    std::array<char, 65536> buffer{};
    for (;;) {
      const ssize_t got = ::read(out_, buffer.data(), buffer.size());
      if (got == 0) return false;
      if (got < 0) return true;
      text_.append(buffer.data(), static_cast<std::size_t>(got));
      std::size_t from = 0;
      for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n', from)) {
        hear(text_.substr(from, end - from));
        from = end + 1;
      }
      text_.erase(0, from);
    }
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// After its end: the signal that ended it, or 0.
  int wait() {
    if (pid_ <= 0) return signal_;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    signal_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return signal_;
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    for (auto& word : words) out.push_back(word.data());
    out.push_back(nullptr);
    return out;
  }
  pid_t pid_ = -1;
  int out_ = -1;
  int signal_ = 0;
  std::string text_;
};

}  // namespace mainstay::faults
