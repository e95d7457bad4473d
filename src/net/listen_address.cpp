// Reading and writing HOST:PORT.
#include "net/listen_address.h"

#include <boost/asio/io_context.hpp>
#include <charconv>

namespace mainstay::net {
namespace {

using Endpoint = asio::ip::tcp::endpoint;

Error bad_address(const std::string& key, const std::string& text) {
  return Error::say(Errc::invalid, "bad_address",
                    key + " = \"" + text + "\" is not HOST:PORT, e.g. \"127.0.0.1:8080\".");
}

}  // namespace

Result<Endpoint> listen_endpoint(const std::string& key, const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad_address(key, text);
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  if (host == "*") host = "0.0.0.0";
  std::uint32_t port = 0;
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [stop, wrong] = std::from_chars(begin, end, port);
  if (wrong != std::errc{} || stop != end || port > 65535) return bad_address(key, text);
  error_code failed;
  const auto address = asio::ip::make_address(host, failed);
  if (!failed) return Endpoint(address, static_cast<std::uint16_t>(port));
  asio::io_context io;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, std::to_string(port), failed);
  if (failed || found.empty()) return bad_address(key, text);
  return found.begin()->endpoint();
}

std::string text_of(const Endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = ":" + std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]" + port : host + port;
}

}  // namespace mainstay::net
