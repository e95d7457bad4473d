// Inputs that are no files on a disk: bytes in memory, and a socket pair that is fed while the
// other end is read.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>

#include "base/bell.h"
#include "media/audio.h"

namespace mainstay::media {
namespace {

using Stream = asio::posix::basic_stream_descriptor<Executor>;

Error none_left(const char* what) {
  return Error::log(Errc::over_limit,
                    std::string("sound: ") + what + ": errno " + std::to_string(errno));
}

class SocketFeed final : public LiveFeed {
 public:
  SocketFeed(int fd, Executor executor, Clock& clock)
      : clock_(clock), out_(executor, fd), bell_(clock, executor) {}
  ~SocketFeed() override { end(); }
  Co<Status> write(std::string bytes, Deadline by) override;
  void end() override {
    error_code ignored;
    if (out_.is_open()) out_.close(ignored);
  }

 private:
  Clock& clock_;
  Stream out_;
  Bell bell_;
};

Co<Status> SocketFeed::write(std::string bytes, Deadline by) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (!out_.is_open()) co_return Error::log(Errc::unavailable, "sound: the input was ended");
    const auto put = ::send(out_.native_handle(), bytes.data() + at, bytes.size() - at,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
      at += static_cast<std::size_t>(put);
      continue;
    }
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) {
      co_return Error::log(Errc::unavailable, "sound: nobody reads the input any more");
    }
    auto in_time = co_await bell_.ready(out_, Stream::wait_write, by);
    if (!in_time && by.passed(clock_.now())) {
      co_return Error::log(Errc::deadline, "sound: the input is not read");
    }
  }
  co_return done();
}

}  // namespace

Result<resources::Descriptor> memory_file(std::string_view bytes) {
  resources::Descriptor out(::memfd_create("sound", MFD_CLOEXEC));
  if (out.get() < 0) return none_left("memfd");
  while (!bytes.empty()) {
    const auto put = ::write(out.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return none_left("memory");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return out;
}

Result<LiveInput> live_input(std::uint32_t pcm_rate, Executor executor, Clock& clock) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return none_left("socketpair");
  }
  LiveInput out;
  out.input.file = resources::Descriptor(ends[0]);
  out.input.pcm_rate = pcm_rate;
  out.feed = std::make_unique<SocketFeed>(ends[1], executor, clock);
  return out;
}

}  // namespace mainstay::media
