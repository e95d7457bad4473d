// From an Error to what a client sees: HTTP status and OpenAI's error JSON.
// Used by api alone; the only place where an Errc meets HTTP.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "net/server.h"

namespace mainstay::api {

int http_status(Errc code) noexcept;
/// {"error":{"message","type","param","code"}}; never holds Error::detail.
std::string error_json(const Error& error);
/// The stable code a client sees: Error::reason, or the name of its Errc.
std::string_view stable_code(const Error& error) noexcept;
/// What GET /health and /health/live say: a text without any look at the program.
inline constexpr std::string_view kAlive = R"({"status":"ok"})";
/// A whole reply, with Retry-After and retry-after-ms where the error says when to come back.
net::Response error_response(const Error& error);

}  // namespace mainstay::api
