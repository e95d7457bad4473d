// Letters and lists of scripts_life.cpp, as C++ sees them.
#include "storage/redis/job_codec.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace mainstay::storage::redis {
namespace {

constexpr std::string_view kStates = "SQRGDCX";  // in the order of JobState
constexpr std::size_t kFields = 23;              // what follows is the scripts' own, but for:
constexpr std::size_t kPlanned = 28;             // when a repeating job was to run

WallTime time_of(const Reply& reply) {
  return wall_from_micros(reply.count());
}
std::string micros_text(WallTime t) {
  return std::to_string(micros(t));
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
  out.push_back(job.id.text());
  out.push_back(owner_text(job.owner));
  out.push_back(std::to_string(static_cast<int>(job.priority)));
  out.push_back(job.kind);
  out.push_back(job.client);
  out.push_back(job.input);
  out.push_back(job.key);
  out.push_back(job.digest);
  out.push_back(job.batch);
  out.push_back(micros_text(job.run_at));
  out.push_back(micros_text(job.expires));
  out.push_back(std::to_string(job.attempts_max));
  out.push_back(std::to_string(job.repeat_every.count()));
}

Result<Job> job_of(const Reply& reply) {
  if (reply.items.size() < kFields) {
    return Error::log(Errc::corrupt, "redis: a script gave a job with too few fields");
  }
  Job out;
  out.job.id = JobId(reply.at(0).text);
  out.job.owner = owner_from(reply.at(1).text);
  out.job.priority = static_cast<JobClass>(std::clamp<std::int64_t>(reply.at(2).count(), 0, 3));
  out.job.kind = reply.at(3).text;
  if (out.job.kind.ends_with(kAtHome)) out.job.kind.resize(out.job.kind.size() - kAtHome.size());
  out.job.client = reply.at(4).text;
  out.job.input = reply.at(5).text;
  out.job.key = reply.at(6).text;
  out.job.digest = reply.at(7).text;
  out.job.batch = reply.at(8).text;
  out.job.run_at = time_of(reply.at(9));
  if (!reply.at(kPlanned).text.empty()) out.job.run_at = time_of(reply.at(kPlanned));
  out.job.expires = time_of(reply.at(10));
  out.job.attempts_max = static_cast<std::uint32_t>(reply.at(11).count());
  out.job.repeat_every = std::chrono::seconds(reply.at(12).count());
  const std::string& state = reply.at(13).text;
  out.state = state_of(state.empty() ? 'Q' : state.front());
  out.attempts = static_cast<std::uint32_t>(reply.at(14).count());
  out.token = static_cast<std::uint64_t>(reply.at(15).count());
  out.worker = reply.at(17).text;
  out.created = time_of(reply.at(18));
  out.started = time_of(reply.at(19));
  out.finished = time_of(reply.at(20));
  out.result = reply.at(21).text;
  const std::string& failure = reply.at(22).text;
  const auto end = failure.find('\n');
  if (end != std::string::npos) out.failure = {failure.substr(0, end), failure.substr(end + 1)};
  return out;
}

}  // namespace mainstay::storage::redis
