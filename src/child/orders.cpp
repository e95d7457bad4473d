// Orders by recvmsg.
#include "child/orders.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "base/json_fields.h"
#include "child/libraries.h"

namespace mainstay::child {
namespace {

constexpr int kNoMemory = 77;  ///< exit code; media/child_pool.cpp knows it

[[noreturn]] void out_of_memory() {
  ::_exit(kNoMemory);
}

/// One datagram: a line of JSON and a descriptor.
struct Incoming {
  std::string text;
  int file = -1;
};

bool receive(Incoming& out) {
  std::array<char, media::kOrderMax> bytes{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof out.file)> beside{};
  iovec text{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = beside.data();
  message.msg_controllen = beside.size();
  ssize_t got = 0;
  do got = ::recvmsg(media::kOrders, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  out.text.assign(bytes.data(), static_cast<std::size_t>(got));
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return false;
  std::memcpy(&out.file, CMSG_DATA(head), sizeof out.file);
  return out.file >= 0;
}

void answer(const CarryOut& carry_out, const Json& order, int file) {
  grant_seconds(static_cast<std::uint32_t>(
      std::min<std::uint64_t>(count_field(order, "seconds"), kHardSeconds)));
  auto refused = carry_out(order, file);
  if (!refused) return;
  Json head = media::frame_head(count_field(order, "item"), media::Is::failed);
  head["reason"] = refused->reason;
  head["detail"] = refused->detail;
  end_with(std::move(head));
}

}  // namespace

void serve(const CarryOut& carry_out) {
  std::set_new_handler(&out_of_memory);
  let_go_of_libraries();
  for (;;) {
    Incoming incoming;
    if (!receive(incoming)) return;
    auto order = parse_json(incoming.text);
    if (!order.ok() || !order->is_object()) return;
    answer(carry_out, *order, incoming.file);
    ::close(incoming.file);
  }
}

void print(const Json& object) {
  std::printf("%s\n", dump(object).c_str());
  std::fflush(stdout);
}

}  // namespace mainstay::child
