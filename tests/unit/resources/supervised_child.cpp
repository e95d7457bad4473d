// A program that behaves as its first argument says; a child for the supervisor's tests.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kSigns = 3;

void say(const std::string& sign) {
  [[maybe_unused]] const auto sent = ::send(kSigns, sign.data(), sign.size(), MSG_NOSIGNAL);
}

/// A beating heart: ready, then well, every 20 ms until it is killed.
[[noreturn]] void live(const char* sign = "WATCHDOG=1") {
  say("READY=1\nSTATUS=here");
  for (;;) {
    ::poll(nullptr, 0, 20);
    say(sign);
  }
}

void leave(int) {
  ::_exit(0);
}

void starve() {
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string as = argc > 1 ? argv[1] : "";
  std::signal(SIGTERM, as == "stubborn" ? SIG_IGN : leave);
  if (as == "fails") return 1;
  if (as == "misconfigured") return 78;
  if (as == "aborts") std::abort();
  if (as == "silent") {
    say("READY=1");
    starve();
  }
  if (as == "never-ready") starve();
  if (as == "stuck") live("ALIVE=1");
  if (as == "grandchild") {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      std::signal(SIGTERM, SIG_IGN);
      starve();
    }
    std::printf("grandchild %d\n", static_cast<int>(grandchild));
    std::fflush(stdout);
  }
  if (as == "floods") {
    say("READY=1");
    const std::string line(1000, 'x');
    for (;;) std::printf("%s\n", line.c_str());
  }
  if (as == "talks") {
    std::printf("out: %s\n", std::getenv("WORD"));
    std::fprintf(stderr, "err: %s\n", argv[2]);
    std::printf("%s\nlast words", std::string(100, 'y').c_str());
    return 3;
  }
  live();
}
