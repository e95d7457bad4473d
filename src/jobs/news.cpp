// Topics, names of events, and their data.
#include "jobs/news.h"

#include <array>

namespace mainstay::jobs {
namespace {

constexpr std::array<std::string_view, 10> kNames = {
    "queued",    "started", "progress",  "token",   "attempt_failed",
    "succeeded", "dead",    "cancelled", "expired", "missed",
};

/// '/' separates the names, and '%' begins what stands for a character.
void append_name(std::string& out, const std::string& name) {
  for (const char c : name) {
    if (c == '/') {
      out += "%2F";
    } else if (c == '%') {
      out += "%25";
    } else {
      out += c;
    }
  }
}

EventType type_of_end(storage::JobState state) {
  switch (state) {
    case storage::JobState::succeeded:
      return EventType::succeeded;
    case storage::JobState::cancelled:
      return EventType::cancelled;
    case storage::JobState::expired:
      return EventType::expired;
    case storage::JobState::scheduled:
    case storage::JobState::queued:
    case storage::JobState::running:
    case storage::JobState::dead:
      break;
  }
  return EventType::dead;
}

}  // namespace

std::string_view name(EventType type) noexcept {
  return kNames[static_cast<std::size_t>(type)];
}

std::optional<EventType> event_type(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<EventType>(i);
  }
  return std::nullopt;
}

std::string topic_of(const storage::JobId& id) {
  return "job:" + id.text();
}

std::string topic_of(const storage::Owner& owner) {
  std::string out = "user:";
  append_name(out, owner.tenant.text());
  out += '/';
  append_name(out, owner.user.text());
  return out;
}

std::string event_data(const storage::Job& job, storage::JobState state, const Json& more) {
  Json data = Json::object();
  data["job"] = job.job.id.text();
  if (!job.job.client.empty()) data["client"] = job.job.client;
  data["kind"] = job.job.kind;
  data["state"] = std::string(storage::name(state));
  if (job.attempts > 0) data["attempt"] = job.attempts;
  if (more.is_object()) {
    for (const auto& [key, value] : more.items()) data[key] = value;
  }
  return dump(data);
}

std::optional<Event> event_of(const storage::News& news) {
  const auto type = event_type(news.type);
  if (!type) return std::nullopt;
  auto parsed = read_json(news.data);
  if (!parsed.ok()) return std::nullopt;
  std::string_view job;
  std::string_view client;
  if ((*parsed)["job"].get(job) != simdjson::SUCCESS) return std::nullopt;
  if ((*parsed)["client"].get(client) != simdjson::SUCCESS) client = {};
  return Event{news.at, *type, storage::JobId(std::string(job)), std::string(client), news.data};
}

Event end_of(const storage::Job& job, std::size_t result_max) {
  Json more = Json::object();
  const EventType type = type_of_end(job.state);
  if (type == EventType::succeeded && !job.result.empty() && job.result.size() <= result_max) {
    auto result = parse_json(job.result);
    if (result.ok()) more["result"] = std::move(*result);
  }
  if (type == EventType::dead) {
    more["error"] = Json{{"code", job.failure.code}, {"message", job.failure.message}};
  }
  return {std::string(kMadeUp), type, job.job.id, job.job.client, event_data(job, job.state, more)};
}

}  // namespace mainstay::jobs
