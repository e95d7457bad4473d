// Trace context (W3C traceparent) and request ids: what ties one request's lines together.
// Used by api (takes and gives them) and net (passes them on).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace mainstay {

/// Where we are in a trace. Ids are never all zero.
struct TraceContext {
  std::uint64_t trace_high = 0;
  std::uint64_t trace_low = 0;
  std::uint64_t span = 0;
  bool sampled = true;

  /// 32 lower-case hex digits.
  std::string trace_id() const;
  /// 16 lower-case hex digits.
  std::string span_id() const;
  /// The header's value, version 00.
  std::string traceparent() const;
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// Reads a `traceparent` header. Empty when it is not valid: the caller then starts a new trace.
/// Versions above 00 are read as their first four fields, as the standard asks.
std::optional<TraceContext> parse_traceparent(std::string_view header) noexcept;
/// A new trace.
TraceContext make_trace(Random& random) noexcept;
/// A new span of the same trace; what an outgoing call carries.
TraceContext child_of(const TraceContext& parent, Random& random) noexcept;

inline constexpr std::size_t kRequestIdMax = 128;
/// 1 to 128 characters of A-Z a-z 0-9 - _ . : / + =  so that an echoed id can forge nothing.
bool valid_request_id(std::string_view id) noexcept;

}  // namespace mainstay
