// The query of a request's target.
// Used by api alone.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::api {

using Query = std::map<std::string, std::string, std::less<>>;

/// Percent-decodes `a=b&c=d`. Errors: invalid "invalid_query" (broken escape, not UTF-8, twice).
Result<Query> parse_query(std::string_view text);

/// Percent-decodes one segment of a path ('+' stays). Errors: invalid "invalid_path".
Result<std::string> decode_segment(std::string_view text);

/// A whole number between 1 and `max`; `fallback` when absent. Errors: invalid "out_of_range".
Result<std::uint32_t> limit_of(const Query& query, std::uint32_t fallback, std::uint32_t max);

/// A name a client chooses (conversation, collection): 1 to 128 of A-Z a-z 0-9 . _ : -
bool is_safe_name(std::string_view text) noexcept;

}  // namespace mainstay::api
