// The news of jobs: topics, types of events, and their data.
// Used by jobs (told by desk and workers) and api (event streams, WebSockets).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "storage/jobs.h"
#include "storage/signal.h"

namespace mainstay::jobs {

enum class EventType : std::uint8_t {
  queued,          ///< handed in, or handed in again by hand ("again": true)
  started,         ///< an attempt begins
  progress,        ///< what the kind tells
  token,           ///< a piece of a streamed answer
  attempt_failed,  ///< will be tried again ("error", "retry_in_ms")
  succeeded,       ///< "result", when it is not too long for news
  dead,            ///< "error"
  cancelled,
  expired,
  missed,  ///< events were lost between the last one and the next one
};
std::string_view name(EventType type) noexcept;
std::optional<EventType> event_type(std::string_view name) noexcept;
/// The last event of a job, unless it is tried again by hand.
constexpr bool ends(EventType type) noexcept {
  return type >= EventType::succeeded && type <= EventType::expired;
}

/// One event as a follower gets it.
struct Event {
  std::string at;  ///< its place: what a client gives as Last-Event-ID to go on behind it
  EventType type = EventType::queued;
  storage::JobId job;  ///< empty for `missed`
  std::string client;  ///< the client the job was handed in for; empty: any of the user's
  std::string data;    ///< JSON object: "job", "client", "kind", "state", and what the type adds
};

/// "job:<id>"
std::string topic_of(const storage::JobId& id);
/// "user:<tenant>/<user>", with '/' and '%' inside the names percent-encoded: no two users share
/// one.
std::string topic_of(const storage::Owner& owner);
/// Where workers hear which attempts to stop.
inline constexpr std::string_view kStopTopic = "jobs:stop";

/// The place of an end that was made up from the record.
inline constexpr std::string_view kMadeUp = "end";

/// An event's data; `more`'s members follow the common ones.
std::string event_data(const storage::Job& job, storage::JobState state, const Json& more);
/// What a news item says; nothing when it is none of ours.
std::optional<Event> event_of(const storage::News& news);
/// The event that belongs to a job's end. `result_max`: a longer result is left out.
Event end_of(const storage::Job& job, std::size_t result_max);

}  // namespace mainstay::jobs
