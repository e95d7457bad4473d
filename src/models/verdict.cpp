// The table of verdicts.
#include "models/verdict.h"

namespace mainstay::models {

Verdict verdict(const Error& error) noexcept {
  constexpr Verdict kCallers{Again::never, false, false};
  constexpr Verdict kOther{Again::never, true, false};
  constexpr Verdict kFailed{Again::never, true, true};
  const std::string& why = error.reason;
  switch (error.code) {
    case Errc::cancelled:
    case Errc::invalid:
    case Errc::too_large:
    case Errc::denied:
    case Errc::forbidden:
    case Errc::conflict:
    case Errc::unprocessable:
      return kCallers;
    case Errc::not_found:
    case Errc::unsupported:
    case Errc::disk_full:
    case Errc::corrupt:
    case Errc::internal:
      return kOther;
    case Errc::over_limit:
      return {Again::if_last, true, true};
    case Errc::unavailable:
      // Our own bounds say nothing about the provider.
      if (why == "upstream_pool_full" || why == "provider_busy" || why == "circuit_open") {
        return kOther;
      }
      if (why == "audio_missing" || why == "audio_busy" || why == "recogniser_missing" ||
          why == "voices_missing") {
        return kOther;
      }
      if (why == "host_busy" || why == "host_degraded" || why == "host_too_large" ||
          why == "host_not_ready" || why == "stopping") {
        return kOther;
      }
      // Nobody there: another candidate is the better next call.
      if (why == "upstream_refused" || why == "upstream_unresolved") {
        return {Again::if_last, true, true};
      }
      return {Again::yes, true, true};
    case Errc::deadline:
      if (why == "upstream_connect_timeout") return {Again::if_last, true, true};
      return kFailed;
    case Errc::bad_upstream:
      if (why == "upstream_credentials" || why == "upstream_too_large") return kOther;
      if (why == "upstream_bad_reply") return kFailed;
      return {Again::yes, true, true};
  }
  return kOther;
}

}  // namespace mainstay::models
