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
  constexpr Verdict kCallers{Again::never, false, Blame::nobody};
  constexpr Verdict kOther{Again::never, true, Blame::nobody};
  constexpr Verdict kFailed{Again::never, true, Blame::model};
  // Nobody there: another candidate is the better next call.
  constexpr Verdict kAway{Again::if_last, true, Blame::server};
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
      // One that says "later" is up; it is left alone for as long as it says.
      return {Again::if_last, true, Blame::nobody};
    case Errc::unavailable:
      if (refused_by_us(error)) return kOther;
      if (why == "audio_missing" || why == "audio_busy" || why == "recogniser_missing" ||
          why == "voices_missing") {
        return kOther;
      }
      if (why == "stopping") return kOther;
      if (why == "upstream_refused" || why == "upstream_unresolved") return kAway;
      return {Again::yes, true, Blame::model};
    case Errc::deadline:
      if (why == "upstream_connect_timeout") return kAway;
      return kFailed;
    case Errc::bad_upstream:
      if (why == "upstream_credentials" || why == "upstream_forbidden" || why == "upstream_quota" ||
          why == "upstream_too_large" || why == "upstream_wrong_path") {
        return kOther;
      }
      if (why == "upstream_bad_reply") return kFailed;
      if (why == "upstream_tls_failed") return {Again::yes, true, Blame::server};
      return {Again::yes, true, Blame::model};
  }
  return kOther;
}

}  // namespace mainstay::models
