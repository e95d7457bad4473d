// Words of a reply as they go onto the wire.
// Used by the listener's connections. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/server.h"

namespace mainstay::net {

/// How the client finds the end of the body, and what becomes of the connection.
struct ReplyFraming {
  enum class Body : std::uint8_t { none, length, chunked, until_close };
  Body body = Body::length;
  std::uint64_t length = 0;
  bool close = false;
  bool say_keep_alive = false;  ///< HTTP/1.0 clients that asked for it
};

/// Appends status line, fields and blank line. `date` is a whole line.
void append_reply_head(std::string& out, const Response& response, const ReplyFraming& framing,
                       std::string_view date);

/// Appends "<hex>\r\n".
void append_chunk_size(std::string& out, std::size_t size);

/// "date: Tue, 15 Nov 1994 08:12:31 GMT\r\n".
std::string date_line(WallTime now);

}  // namespace mainstay::net
