// The one error type: what went wrong, for a program, for a log and for a client.
// Used by every room. Knows nothing of HTTP: `api` maps Errc to a status.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace mainstay {

/// What kind of failure. `api/status.cpp` maps each to an HTTP status in one switch without
/// default.
enum class Errc {
  invalid,        ///< the caller's input is wrong (400)
  denied,         ///< no or wrong credentials (401)
  forbidden,      ///< known caller, not allowed (403)
  not_found,      ///< (404)
  conflict,       ///< (409)
  too_large,      ///< body or field over its limit (413)
  unsupported,    ///< content type or feature not supported (415)
  unprocessable,  ///< well-formed, but cannot be acted on (422)
  over_limit,     ///< the caller's quota (429)
  cancelled,      ///< the client went away (499)
  bad_upstream,   ///< a provider answered with an error or garbage (502)
  unavailable,    ///< our capacity, or nothing is up (503)
  deadline,       ///< out of time (504)
  disk_full,      ///< no room to store (507)
  corrupt,        ///< stored data failed its check (500)
  internal,       ///< a bug or an unexpected library failure (500)
};

/// The enum's name, e.g. "not_found"; for logs and metrics.
std::string_view name(Errc code) noexcept;

/// A failure as a value. Cheap to move.
struct Error {
  Errc code = Errc::internal;
  /// For the log only: may hold user text, paths, upstream words. Never sent to a client.
  std::string detail;
  /// Stable identifier for programs, e.g. "unknown_model"; listed in docs/errors.md. Empty:
  /// name(code).
  std::string reason = {};
  /// Sentence for the client: what is wrong and what to do. Empty: a general sentence for the code.
  std::string message = {};
  /// Path of the offending field, e.g. "messages[2].role". Empty when none.
  std::string field = {};
  /// When to come back; zero: not said.
  std::chrono::milliseconds retry_after{0};

  /// An error that a client may see: reason, sentence and, if any, the field.
  static Error say(Errc code, std::string_view reason, std::string message,
                   std::string field = {}) {
    Error e;
    e.code = code;
    e.detail = message;
    e.reason = reason;
    e.message = std::move(message);
    e.field = std::move(field);
    return e;
  }
  /// An error for the log; the client gets the general sentence of its code.
  static Error log(Errc code, std::string detail) {
    Error e;
    e.code = code;
    e.detail = std::move(detail);
    return e;
  }
};

}  // namespace mainstay
