// Letters and lists of scripts_life.cpp, as C++ sees them.
#include "storage/redis/job_codec.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/json_fields.h"

namespace mainstay::storage::redis {
namespace {

constexpr std::string_view kStates = "SQRGDCX";  // in the order of JobState

WallTime time_field(const Json& record, const char* key) {
  const Json& micros = field(record, key);
  return wall_from_micros(micros.is_number() ? micros.get<std::int64_t>() : 0);
}

/// What a record does not name is nothing or zero.
void name(Json& record, const char* key, const std::string& text) {
  if (!text.empty()) record[key] = text;
}
void name(Json& record, const char* key, std::int64_t number) {
  if (number != 0) record[key] = number;
}

}  // namespace

std::string owner_text(const Owner& owner) {
  const std::string& tenant = owner.tenant.text();
  return std::to_string(tenant.size()) + ":" + tenant + ":" + owner.user.text();
}

Owner owner_from(const std::string& text) {
  std::size_t size = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), size);
  const auto begin = static_cast<std::size_t>(end - text.data()) + 1;
  if (failed != std::errc() || begin > text.size() || text.size() - begin < size + 1) return {};
  return {TenantId(text.substr(begin, size)), UserId(text.substr(begin + size + 1))};
}

char letter(JobState state) noexcept {
  return kStates[static_cast<std::size_t>(state)];
}

JobState state_of(char letter) noexcept {
  const auto found = kStates.find(letter);
  return found == std::string_view::npos ? JobState::queued : static_cast<JobState>(found);
}

void append_job(std::vector<std::string>& out, const NewJob& job) {
  Json record = Json::object();
  record["id"] = job.id.text();
  record["o"] = owner_text(job.owner);
  record["c"] = std::to_string(static_cast<int>(job.priority));
  record["k"] = job.kind;
  record["A"] = job.attempts_max;
  name(record, "h", job.client);
  name(record, "x", job.key);
  name(record, "g", job.digest);
  name(record, "b", job.batch);
  name(record, "R", micros(job.run_at));
  name(record, "E", micros(job.expires));
  name(record, "V", job.repeat_every.count());
  Json::to_msgpack(record, out.emplace_back());
  out.push_back(job.input);
}

Result<Job> job_of(const Reply& reply) {
  const Json record = Json::from_msgpack(reply.at(0).text, true, false);
  if (!record.is_object()) {
    return Error::log(Errc::corrupt, "redis: a script gave something that is not a job");
  }
  Job out;
  out.job.id = JobId(string_field(record, "id"));
  out.job.owner = owner_from(string_field(record, "o"));
  const std::string priority = string_field(record, "c");
  out.job.priority =
      static_cast<JobClass>(priority.size() == 1 ? std::clamp(priority[0] - '0', 0, 3) : 1);
  out.job.kind = string_field(record, "k");
  if (out.job.kind.ends_with(kAtHome)) out.job.kind.resize(out.job.kind.size() - kAtHome.size());
  out.job.client = string_field(record, "h");
  out.job.input = reply.at(1).text;
  out.job.key = string_field(record, "x");
  out.job.digest = string_field(record, "g");
  out.job.batch = string_field(record, "b");
  out.job.run_at = time_field(record, record.contains("pR") ? "pR" : "R");
  out.job.expires = time_field(record, "E");
  out.job.attempts_max = static_cast<std::uint32_t>(count_field(record, "A"));
  out.job.repeat_every = std::chrono::seconds(count_field(record, "V"));
  const std::string state = string_field(record, "s");
  out.state = state_of(state.empty() ? 'Q' : state.front());
  out.attempts = static_cast<std::uint32_t>(count_field(record, "a"));
  out.token = count_field(record, "t");
  out.followed = record.contains("m");
  out.worker = string_field(record, "w");
  out.created = time_field(record, "C");
  out.started = time_field(record, "B");
  out.finished = time_field(record, "F");
  out.result = reply.at(2).text;
  const std::string failure = string_field(record, "f");
  const auto end = failure.find('\n');
  if (end != std::string::npos) out.failure = {failure.substr(0, end), failure.substr(end + 1)};
  return out;
}

}  // namespace mainstay::storage::redis
