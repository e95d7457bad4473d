// A provider's refusal as the Error that provider.h promises.
// Used by the inner rooms of the providers. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mainstay::models {

/// What a provider says of a failure.
struct Complaint {
  std::string words;  ///< for the log and, for a rejected request, for the caller
  bool told = false;  ///< they stood in JSON, in a member for them
  std::string code;   ///< its own names for the failure, of which some are known here
  std::string type;
  std::string param;  ///< the member it named
};
/// From an error body of any provider; `words` as words_of().
Complaint complaint_of(std::string_view body);

Error refused_by_provider(int status, Complaint said, std::chrono::milliseconds retry_after);

/// An error inside a reply of status 200: by the status that it names as its code (400 to 599, a
/// number or its digits), else as failed_inside().
Error told_inside(std::string_view body);

/// The sentence inside a JSON error body of any provider: error.message, error (a string), message;
/// else the body's start.
std::string words_of(std::string_view body);

/// The answer could not be understood: bad_upstream "upstream_bad_reply".
Error not_understood(std::string detail);
/// The stream ended without its end marker: bad_upstream "upstream_truncated".
Error cut_off(std::string detail);
/// The provider reported a failure inside a reply that had begun: bad_upstream "upstream_error".
Error failed_inside(std::string words);
/// The provider cannot do what was asked for: unsupported "upstream_cannot".
Error cannot(std::string message, std::string field);

}  // namespace mainstay::models
