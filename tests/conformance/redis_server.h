// A Redis server of our own: on a socket in a temporary directory, gone at the end of its object,
// also when the test program dies.
// Used by the suites in this folder and by bench.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace mainstay::storage {

class RedisServer {
 public:
  /// `options` in redis.conf's words, e.g. {"--maxmemory", "8mb"}; later ones win.
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string form = "/tmp/mainstay-redis-XXXXXX";
    dir_ = ::mkdtemp(form.data());
    try {
      start();
    } catch (const std::runtime_error&) {
      std::error_code ignored;
      std::filesystem::remove_all(dir_, ignored);
      throw;
    }
  }
  ~RedisServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string socket() const { return dir_ + "/redis.sock"; }
  std::string url() const { return "unix://" + socket(); }

  /// Starts it again where it was; returns when it answers (`wait`) or at once.
  void start(bool wait = true) {
    std::vector<std::string> words{"redis-server",
                                   "--port",
                                   "0",
                                   "--unixsocket",
                                   socket(),
                                   "--dir",
                                   dir_,
                                   "--appendonly",
                                   "yes",
                                   "--appendfsync",
                                   "always",
                                   "--save",
                                   "",
                                   "--logfile",
                                   dir_ + "/log",
                                   "--databases",
                                   "4",
                                   "--maxmemory-policy",
                                   "noeviction"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::unlink(socket().c_str());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    if (wait) wait_until_up();
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
  }
  /// False once it has ended by itself.
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  void pause() { ::kill(pid_, SIGSTOP); }
  void go_on() { ::kill(pid_, SIGCONT); }

  /// Sends one line as redis-cli would and gives back the first lines of the answer. Blocks.
  std::string tell(const std::string& line) {
    const int fd = connect();
    if (fd < 0) return "";
    const std::string text = line + "\r\n";
    std::string out;
    if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
      char buffer[65536];
      const ssize_t got = ::read(fd, buffer, sizeof(buffer));
      if (got > 0) out.assign(buffer, static_cast<std::size_t>(got));
    }
    ::close(fd);
    return out;
  }
  /// How often the server has run each command in all, from INFO commandstats.
  std::uint64_t calls(const std::string& command) {
    const std::string stats = tell("INFO commandstats");
    const auto at = stats.find("cmdstat_" + command + ":calls=");
    return at == std::string::npos ? 0 : std::stoull(stats.substr(at + command.size() + 15));
  }

 private:
  int connect() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    socket().copy(where.sun_path, sizeof(where.sun_path) - 1);
    timeval limit{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)) == 0) return fd;
    ::close(fd);
    return -1;
  }
  void wait_until_up() {
    for (int i = 0; i < 2000; ++i) {
      if (tell("PING").find("PONG") != std::string::npos || tell("PING").starts_with("-NOAUTH"))
        return;
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        throw std::runtime_error("redis-server did not start; is Debian's redis-server installed?");
      }
      ::poll(nullptr, 0, 5);
    }
    throw std::runtime_error("redis-server does not answer");
  }

  std::string dir_;
  std::vector<std::string> options_;
  pid_t pid_ = -1;
};

}  // namespace mainstay::storage
