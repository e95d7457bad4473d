// Members of a job.
#include "api/job_json.h"

#include "base/text.h"
#include "storage/job_life.h"

namespace mainstay::api {
namespace {

/// Seconds since 1970, or null for a time that is not set.
Json moment(WallTime at) {
  return at == WallTime{} ? Json(nullptr) : Json(unix_seconds(at));
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(to_utf8(text));
}

/// The store keeps what an earlier attempt failed of; a success shows no error.
Json failure_of(const storage::Job& job) {
  if (job.failure.code.empty() || job.state == storage::JobState::succeeded) return nullptr;
  return {{"code", job.failure.code}, {"message", to_utf8(job.failure.message)}};
}

}  // namespace

Json job_row(const storage::Job& job) {
  const storage::NewJob& order = job.job;
  const auto every = order.repeat_every.count();
  return {{"id", order.id.text()},
          {"object", "job"},
          {"kind", order.kind},
          {"state", std::string(name(job.state))},
          {"priority", std::string(name(order.priority))},
          {"client", text_or_null(order.client)},
          {"batch", text_or_null(order.batch)},
          {"attempts", job.attempts},
          {"attempts_max", order.attempts_max},
          {"created_at", unix_seconds(job.created)},
          {"run_at", moment(order.run_at)},
          {"expires_at", moment(order.expires)},
          {"started_at", moment(job.started)},
          {"finished_at", moment(job.finished)},
          {"repeat_every", every > 0 ? Json(every) : Json(nullptr)},
          {"next", text_or_null(storage::next_id_of(job).text())},
          {"error", failure_of(job)}};
}

Json admin_job_row(const storage::Job& job) {
  Json out = job_row(job);
  out["tenant"] = job.job.owner.tenant.text();
  out["user"] = job.job.owner.user.text();
  out["worker"] = text_or_null(job.worker);
  return out;
}

std::string whole_job(const Json& row, const storage::Job& job, const std::string& webhook) {
  Json head = row;
  head["webhook"] = webhook.empty() ? Json(nullptr) : Json{{"url", webhook}};
  std::string out = dump(head);
  out.pop_back();
  out += R"(,"input":)";
  out += job.job.input.empty() ? "null" : job.job.input;
  out += R"(,"result":)";
  out += job.result.empty() ? "null" : job.result;
  return out += '}';
}

Json submitted_json(const storage::Submitted& submitted, const std::string& kind) {
  return {{"id", submitted.id.text()},
          {"object", "job"},
          {"kind", kind},
          {"state", std::string(name(submitted.state))},
          {"existed", submitted.existed},
          {"waiting", submitted.waiting}};
}

}  // namespace mainstay::api
