// A plain socket, so that a look takes no connection from the pool of the upstream client.
#include "models/host_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace mainstay::models {
namespace {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
/// "HTTP/1.1 200" is all that is read.
constexpr std::size_t kStatusLine = 12;

class SocketProbe final : public HostProbe {
 public:
  SocketProbe(Executor executor, std::uint32_t port, std::string path)
      : socket_(executor),
        at_(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)),
        path_(std::move(path)) {}

  Co<HostReply> look() override {
    auto [refused] = co_await socket_.async_connect(at_, use_co);
    if (refused) co_return HostReply::closed;
    if (path_.empty()) co_return HostReply::ready;
    const std::string ask = "GET " + path_ +
                            " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(at_.port()) +
                            "\r\nConnection: close\r\n\r\n";
    const auto bytes = asio::buffer(ask);
    auto [unsent, sent] = co_await asio::async_write(socket_, bytes, use_co);
    if (unsent) co_return HostReply::not_yet;
    std::string line;
    std::array<char, 256> some{};
    while (line.size() < kStatusLine) {
      const auto into = asio::buffer(some);
      auto [failed, got] = co_await socket_.async_read_some(into, use_co);
      if (failed) co_return HostReply::not_yet;
      line.append(some.data(), got);
    }
    const int status = http_status_of(line);
    if (status < 200 || status > 299) co_return HostReply::not_yet;
    co_return HostReply::ready;
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
  const asio::ip::tcp::endpoint at_;
  const std::string path_;
};

}  // namespace

std::shared_ptr<HostProbe> HostProbe::make(Executor executor, std::uint32_t port,
                                           std::string path) {
  return std::make_shared<SocketProbe>(executor, port, std::move(path));
}

bool port_taken(std::uint32_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // To loopback this is answered at once: taken or refused.
  const bool taken = ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  ::close(fd);
  return taken;
}

int http_status_of(const std::string& line) {
  if (line.size() < kStatusLine || !line.starts_with("HTTP/1.")) return 0;
  int status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + (c - '0');
  }
  return line[8] == ' ' ? status : 0;
}

}  // namespace mainstay::models
