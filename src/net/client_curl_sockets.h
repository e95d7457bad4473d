// The sockets that libcurl holds, each worth one connection of the budget.
// Used by client_curl_engine.cpp alone.
#pragma once

#include <curl/curl.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <unordered_map>

namespace mainstay::net {

class Budget;

/// Known by number and inode, since libcurl does not say of each one when it closes it. Of the
/// transport's thread.
class CurlSockets {
 public:
  explicit CurlSockets(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}

  /// A new socket, which takes over a connection that the caller took from the budget; without
  /// one the connection is given back.
  curl_socket_t open(const curl_sockaddr& address);
  /// What libcurl asks to be closed.
  int close(curl_socket_t fd);
  /// Gives back the connections of sockets that libcurl has closed without asking. libcurl 7.88
  /// does so with each that had not become its connection's own: of a call that was left, or that
  /// ran out of time, while it connected or shook hands, and of the slower of two addresses.
  void sweep();
  std::size_t count() const { return open_.size(); }

 private:
  std::shared_ptr<Budget> budget_;
  std::unordered_map<curl_socket_t, ino_t> open_;
};

/// Whether the address that a name led to, as libcurl is about to connect to it, is a public one.
bool leads_outside(const curl_sockaddr& address);

}  // namespace mainstay::net
