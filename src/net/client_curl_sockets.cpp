// The count of libcurl's sockets, and what became of each.
#include "net/client_curl_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/public_address.h"
#include "net/client_pool.h"

namespace mainstay::net {
namespace {

/// 0: not open.
ino_t inode_of(curl_socket_t fd) {
  struct stat is{};
  return ::fstat(fd, &is) == 0 ? is.st_ino : 0;
}

}  // namespace

curl_socket_t CurlSockets::open(const curl_sockaddr& address) {
  const int fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (fd < 0) {
    budget_->give_back();
    return CURL_SOCKET_BAD;
  }
  budget_->created.fetch_add(1, std::memory_order_relaxed);
  const bool added = open_.insert_or_assign(fd, inode_of(fd)).second;
  if (!added) budget_->give_back();  // the number's last socket was closed without asking
  return fd;
}

int CurlSockets::close(curl_socket_t fd) {
  if (open_.erase(fd) > 0) budget_->give_back();
  return ::close(fd);
}

void CurlSockets::sweep() {
  const auto closed = [](const auto& socket) { return inode_of(socket.first) != socket.second; };
  for (auto n = std::erase_if(open_, closed); n > 0; --n) budget_->give_back();
}

bool leads_outside(const curl_sockaddr& address) {
  if (address.family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.addr, sizeof v4);
    return is_public(asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)));
  }
  if (address.family != AF_INET6 || address.addrlen < sizeof(sockaddr_in6)) return false;
  sockaddr_in6 v6{};
  // The struct's last member has room for what addrlen says, beyond its declared size.
  std::memcpy(&v6, static_cast<const void*>(&address.addr), sizeof v6);
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return is_public(asio::ip::address_v6(bytes));
}

}  // namespace mainstay::net
