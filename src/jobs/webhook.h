// Webhooks: where a job keeps the address to tell, which jobs tell it, and the signature.
// Used by jobs: desk (orders), workers (ends), the kind "webhook" (deliveries).
#pragma once

#include <string>
#include <string_view>

#include "config/settings.h"
#include "storage/jobs.h"

namespace mainstay::jobs {

inline constexpr std::string_view kWebhookKind = "webhook";

/// A job's input as it is stored with the address to tell of its end: one member in front of the
/// kind's own. No kind's own input begins so; the desk refuses it.
inline constexpr std::string_view kEnvelope = R"({"mainstay:webhook":)";
std::string with_webhook(const std::string& input, std::string_view url);
struct Unwrapped {
  std::string input;    ///< the kind's own
  std::string webhook;  ///< empty: none
};
Unwrapped unwrap(std::string stored);

/// The job that tells `url` of the end `state`. Its key makes it one for each end, however often
/// it is handed in; its owner is nobody's, so that it uses up no user's place.
storage::NewJob delivery_of(const storage::Job& job, storage::JobState state,
                            const std::string& url, const JobWebhookSettings& settings,
                            const Clock& clock, Random& random);
/// The same with the message inside, for a job that is about to be forgotten.
storage::NewJob letter_of(const storage::Job& job, const std::string& url,
                          const JobSettings& settings, const Clock& clock, Random& random);
/// The job that looks at `job` later, for an end that nobody reported (it expired, or its workers
/// vanished). A job may have several, one after the other; `number` tells them apart, from 0 on.
storage::NewJob watch_of(const storage::NewJob& job, std::uint32_t number, const std::string& url,
                         const JobWebhookSettings& settings, const Clock& clock, Random& random);
/// The id of that one: known to who wants it no more.
storage::JobId watch_id(const storage::JobId& job, std::uint32_t number);
/// Looks of one job that are gone through to find the one that waits.
inline constexpr std::uint32_t kLooksTried = 32;

/// Standard Webhooks: "v1," and base64 of HMAC-SHA256 over "id.seconds.body".
std::string webhook_signature(const std::string& key, std::string_view id, std::int64_t seconds,
                              std::string_view body);
/// The same for all deliveries of one end.
std::string webhook_id(const storage::Job& job);
/// The message: {"type":"job.succeeded","timestamp":…,"data":{…}}.
std::string webhook_body(const storage::Job& job, std::size_t result_max);

/// RFC 3339 in UTC with milliseconds.
std::string rfc3339(WallTime at);

}  // namespace mainstay::jobs
