// System calls on the ends of one process.
#include "media/child.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/text.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kWordsMax = 240;

}  // namespace

Child::~Child() {
  if (process_.pid > 0) resources::reap(process_.pid);
}

bool Child::gone() const noexcept {
  pollfd life{process_.life.get(), POLLIN, 0};
  return ::poll(&life, 1, 0) != 0;
}

bool Child::send(const std::string& order, int file) noexcept {
  iovec text{const_cast<char*>(order.data()), order.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof file)> beside{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = beside.data();
  message.msg_controllen = beside.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(head), &file, sizeof file);
  ++items;
  return ::sendmsg(process_.signs.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(order.size());
}

std::string Child::last_words() {
  std::string out;
  std::array<char, 4096> bytes{};
  for (int most = 16; most > 0; --most) {
    const auto got = ::read(process_.err.get(), bytes.data(), bytes.size());
    if (got <= 0) break;
    out.append(bytes.data(), static_cast<std::size_t>(got));
    if (out.size() > bytes.size()) out.erase(0, out.size() - bytes.size());
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  const auto line = out.rfind('\n');
  if (line != std::string::npos) out.erase(0, line + 1);
  return std::string(cut_utf8(to_utf8(out), kWordsMax));
}

resources::ChildExit Child::end() {
  if (process_.pid <= 0) return {};
  const pid_t pid = process_.pid;
  process_.pid = 0;
  return resources::reap(pid);
}

}  // namespace mainstay::media
