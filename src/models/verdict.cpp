// The table of verdicts.
#include "models/verdict.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mainstay::models {

bool refused_by_us(const Error& error) noexcept {
  constexpr auto kOurs = std::to_array<std::string_view>(
      {"circuit_open", "provider_busy", "upstream_pool_full", "host_busy", "host_degraded",
       "host_not_ready", "host_too_large"});
  return std::find(kOurs.begin(), kOurs.end(), error.reason) != kOurs.end();
}

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
      if (refused_by_us(error)) return kOther;
      if (why == "audio_missing" || why == "audio_busy" || why == "recogniser_missing" ||
          why == "voices_missing") {
        return kOther;
      }
      if (why == "stopping") return kOther;
      // Nobody there: another candidate is the better next call.
      if (why == "upstream_refused" || why == "upstream_unresolved") {
        return {Again::if_last, true, true};
      }
      return {Again::yes, true, true};
    case Errc::deadline:
      if (why == "upstream_connect_timeout") return {Again::if_last, true, true};
      return kFailed;
    case Errc::bad_upstream:
      if (why == "upstream_credentials" || why == "upstream_quota" || why == "upstream_too_large") {
        return kOther;
      }
      if (why == "upstream_bad_reply") return kFailed;
      return {Again::yes, true, true};
  }
  return kOther;
}

}  // namespace mainstay::models
