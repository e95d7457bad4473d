// The strict reader of request heads: finds the end of a head, then cuts it into views.
// Used by the listener's connections, its tests and its fuzz target. Pure: no socket, no clock.
//
// Beast's parser joins folded lines, takes repeated equal lengths and ignores an unknown
// Transfer-Encoding; each of these lets two hosts disagree about where a request ends.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/server.h"

namespace mainstay::net {

/// Why a request is refused before it reaches the service.
enum class HeadFault : std::uint8_t {
  none,
  request_line,
  version,
  target_long,
  field,
  fields_many,
  head_large,
  line_end,
  host,
  origin_twice,
  length,
  length_twice,
  coding,
  framing_twice,
  expectation,
  encoding,
  timeout,
};

/// The error for Service::refusal().
Error to_error(HeadFault fault);
/// The status of that refusal; finer than the error's code can tell.
int status_of(HeadFault fault) noexcept;

struct HeadLimits {
  std::size_t bytes = 32 * 1024;  ///< request line and fields, with their line ends
  std::size_t fields = 100;
  std::size_t target = 8 * 1024;
};

/// What a head says about the connection.
struct HeadFlags {
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expect_continue = false;
};

/// Finds the blank line that ends a head, reading each byte once however slowly they come.
class HeadFinder {
 public:
  enum class State : std::uint8_t { more, complete, bad };
  explicit HeadFinder(HeadLimits limits) : limits_(limits) {}
  /// `bytes`: everything received of this request so far.
  State feed(std::string_view bytes);
  /// Bytes of the head with its blank line; after State::complete.
  std::size_t size() const noexcept { return line_; }
  HeadFault fault() const noexcept { return fault_; }
  void reset() noexcept { *this = HeadFinder(limits_); }

 private:
  State refuse(HeadFault fault) noexcept {
    fault_ = fault;
    return State::bad;
  }
  HeadLimits limits_;
  std::size_t line_ = 0;   ///< start of the line being looked at
  std::size_t seen_ = 0;   ///< bytes searched for a line end
  std::size_t lines_ = 0;  ///< complete lines before line_
  HeadFault fault_ = HeadFault::none;
};

/// Cuts a complete head. `head` and `fields` view `bytes`; `head.peer` and `.received` stay.
HeadFault parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head,
                     std::vector<HeaderView>& fields, HeadFlags& flags);

}  // namespace mainstay::net
