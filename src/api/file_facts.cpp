// Facts, purposes, bounds.
#include "api/file_facts.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/json.h"

namespace mainstay::api {
namespace {

constexpr std::int64_t kKeepMin = 3600;
constexpr std::int64_t kKeepMax = 30 * 24 * 3600;

}  // namespace

Json file_json(const storage::FileInfo& file) {
  Json out = {{"id", file.id.text()},    {"object", "file"},
              {"bytes", file.size},      {"created_at", unix_seconds(file.created)},
              {"expires_at", nullptr},   {"filename", file.name},
              {"purpose", file.purpose}, {"status", "processed"}};
  if (file.expires != WallTime{}) out["expires_at"] = unix_seconds(file.expires);
  return out;
}

Status check_purpose(const std::string& purpose) {
  constexpr std::array<std::string_view, 7> kPurposes = {
      "batch", "assistants", "fine-tune", "vision", "user_data", "evals", "ingest"};
  if (std::find(kPurposes.begin(), kPurposes.end(), purpose) != kPurposes.end()) return done();
  return Error::say(Errc::invalid, purpose.empty() ? "missing_field" : "invalid_value",
                    "'purpose' is batch, assistants, fine-tune, vision, user_data, evals or "
                    "ingest.",
                    "purpose");
}

Result<Duration> keep_of(const std::string& anchor, const std::string& keep) {
  std::int64_t seconds = 0;
  const char* end = keep.data() + keep.size();
  const auto [stop, failed] = std::from_chars(keep.data(), end, seconds);
  const bool whole = failed == std::errc() && stop == end;
  if (anchor != "created_at" || !whole || seconds < kKeepMin || seconds > kKeepMax) {
    return Error::say(Errc::invalid, "out_of_range",
                      "'expires_after' has the anchor created_at and 3600 to 2592000 seconds.",
                      "expires_after");
  }
  return Duration(std::chrono::seconds(seconds));
}

storage::FileLimits file_limits(const Settings& settings) {
  return {settings.files.owner_entries_max, settings.files.owner_bytes_max.value};
}

storage::FileInfo file_of_now(const Rooms& rooms, const Context& context, Duration keep) {
  storage::FileInfo out;
  out.owner = context.caller.owner;
  out.created = rooms.clock.wall();
  out.expires = out.created + std::chrono::duration_cast<WallTime::duration>(keep);
  return out;
}

Error no_place_for_files() {
  return Error::say(Errc::unavailable, "files_unavailable",
                    "This server has no place for files now. GET /health/ready says why.");
}

Deadline storage_time(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

}  // namespace mainstay::api
