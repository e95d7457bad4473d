// A decoder that does what the file it is given says; for the tests of media/decoders.h.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "media/frames.h"

namespace {

using mainstay::Json;
using mainstay::media::frame_head;
using mainstay::media::frame_text;
using mainstay::media::Is;

void put(const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto n = ::write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
    if (n <= 0) ::_exit(0);
    at += static_cast<std::size_t>(n);
  }
}

void end(std::uint64_t item, std::uint64_t memory = 1) {
  Json head = frame_head(item, Is::end);
  head["memory"] = memory;
  put(frame_text(head, ""));
}

[[noreturn]] void starve() {
  for (;;) ::pause();
}

/// Frames that no decoder sends.
void lie(const std::string& what, std::uint64_t item) {
  if (what == "garbage") put(std::string(100, 'x'));
  if (what == "long head") put(std::string("\xff\xff\x00\x00\x00\x00\x00\x00", 8));
  if (what == "long body") put(std::string("\x02\x00\x00\x00\x01\x00\x04\x00{}", 10));
  if (what == "other item") put(frame_text(frame_head(item + 1, Is::end), ""));
  if (what == "no kind") put(frame_text(Json{{"item", item}, {"is", "novel"}}, ""));
  if (what == "talks on") {
    const std::string last = frame_text(frame_head(item, Is::end), "");
    put(last + last);
  }
  starve();
}

void carry_out(const std::string& what, std::uint64_t item) {
  if (what == "crash") std::abort();
  if (what == "no memory") ::_exit(77);
  if (what == "too long") std::raise(SIGXCPU);
  if (what == "hang") starve();
  if (what == "half") {
    put(frame_text(frame_head(item, Is::start), "half").substr(0, 20));
    ::_exit(0);
  }
  if (what == "last words") {
    std::fprintf(stderr, "first line\nthis broke\n");
    ::_exit(3);
  }
  if (what == "good" || what == "grown") {
    put(frame_text(frame_head(item, Is::start), std::to_string(::getpid())));
    end(item, what == "grown" ? std::uint64_t{1} << 40 : 1);
  } else if (what.starts_with("refuse ")) {
    Json head = frame_head(item, Is::failed);
    head["reason"] = what.substr(7);
    head["detail"] = "as told";
    put(frame_text(head, ""));
  } else if (what == "much") {
    for (int i = 0; i < 40; ++i)
      put(frame_text(frame_head(item, Is::data), std::string(200'000, 'y')));
    end(item);
  } else {
    lie(what, item);
  }
}

}  // namespace

int main() {
  for (;;) {
    std::array<char, 4096> bytes{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> beside{};
    iovec text{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = beside.data();
    message.msg_controllen = beside.size();
    const auto got = ::recvmsg(mainstay::media::kOrders, &message, 0);
    if (got <= 0) return 0;
    auto order =
        mainstay::media::order_of(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (!order.ok() || head == nullptr) return 1;
    int file = -1;
    std::memcpy(&file, CMSG_DATA(head), sizeof file);
    std::array<char, 256> what{};
    const auto read = ::pread(file, what.data(), what.size(), 0);
    ::close(file);
    carry_out(std::string(what.data(), read > 0 ? static_cast<std::size_t>(read) : 0), order->item);
  }
}
