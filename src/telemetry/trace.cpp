// Trace context, as W3C Trace Context (level 1) writes it.
#include "telemetry/trace.h"

#include <fmt/format.h>

#include <algorithm>

namespace mainstay {
namespace {

/// Lower-case hex only, as the standard asks; empty when a character is not.
std::optional<std::uint64_t> hex(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  for (const char c : digits) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a') + 10;
    } else {
      return std::nullopt;
    }
    value = (value << 4) | digit;
  }
  return value;
}

std::uint64_t not_zero(Random& random) noexcept {
  std::uint64_t value = 0;
  while (value == 0) value = random.next();
  return value;
}

}  // namespace

std::string TraceContext::trace_id() const {
  return fmt::format("{:016x}{:016x}", trace_high, trace_low);
}

std::string TraceContext::span_id() const {
  return fmt::format("{:016x}", span);
}

std::string TraceContext::traceparent() const {
  return fmt::format("00-{:016x}{:016x}-{:016x}-{}", trace_high, trace_low, span,
                     sampled ? "01" : "00");
}

std::optional<TraceContext> parse_traceparent(std::string_view header) noexcept {
  constexpr std::size_t kSize = 55;
  if (header.size() < kSize) return std::nullopt;
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  const auto version = hex(header.substr(0, 2));
  if (!version || *version == 0xff) return std::nullopt;
  if (header.size() > kSize && (*version == 0 || header[kSize] != '-')) return std::nullopt;
  const auto high = hex(header.substr(3, 16));
  const auto low = hex(header.substr(19, 16));
  const auto span = hex(header.substr(36, 16));
  const auto flags = hex(header.substr(53, 2));
  if (!high || !low || !span || !flags) return std::nullopt;
  if ((*high == 0 && *low == 0) || *span == 0) return std::nullopt;
  return TraceContext{*high, *low, *span, (*flags & 1) != 0};
}

TraceContext make_trace(Random& random) noexcept {
  TraceContext out;
  out.trace_high = random.next();
  out.trace_low = not_zero(random);
  out.span = not_zero(random);
  return out;
}

TraceContext child_of(const TraceContext& parent, Random& random) noexcept {
  TraceContext out = parent;
  do {
    out.span = not_zero(random);
  } while (out.span == parent.span);
  return out;
}

bool valid_request_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > kRequestIdMax) return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  });
}

}  // namespace mainstay
