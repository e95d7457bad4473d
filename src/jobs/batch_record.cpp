// JSON of batches and of their lines.
#include "jobs/batch_record.h"

#include <array>

#include "base/json_fields.h"

namespace mainstay::jobs {
namespace {

constexpr std::array<std::string_view, kBatchStatuses> kNames = {
    "validating", "in_progress", "finalizing", "cancelling",
    "failed",     "completed",   "expired",    "cancelled"};
constexpr std::size_t kCustomIdMax = 512;

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}
Json time_json(WallTime at) {
  return at == WallTime{} ? Json() : Json(unix_seconds(at));
}

Json line_json(const std::string& id, const std::string& custom_id) {
  return {{"id", "batch_req_" + id},
          {"custom_id", custom_id},
          {"response", nullptr},
          {"error", nullptr}};
}

LineFault fault(const char* code, std::string message, const char* param = "") {
  return {code, std::move(message), param};
}

}  // namespace

std::string_view name(BatchStatus status) noexcept {
  return kNames[static_cast<std::size_t>(status)];
}

std::string record_text(const BatchRecord& r) {
  Json since = Json::array();
  for (const auto at : r.since) since.push_back(micros(at));
  return dump(Json{{"status", static_cast<int>(r.status)},
                   {"input_file", r.input_file},
                   {"endpoint", r.endpoint},
                   {"window", r.window},
                   {"metadata", r.metadata},
                   {"output_keep", r.output_keep.count()},
                   {"documents", r.documents},
                   {"key", r.key},
                   {"tokens_per_minute", r.tokens_per_minute},
                   {"tokens_per_day", r.tokens_per_day},
                   {"errors", r.errors},
                   {"output_file", r.output_file},
                   {"error_file", r.error_file},
                   {"created", micros(r.created)},
                   {"expires", micros(r.expires)},
                   {"since", std::move(since)},
                   {"total", r.total},
                   {"completed", r.completed},
                   {"failed", r.failed},
                   {"collected", r.collected},
                   {"offset", r.offset},
                   {"output_bytes", r.output_bytes},
                   {"error_bytes", r.error_bytes}});
}

Result<BatchRecord> record_of(const std::string& text) {
  auto parsed = parse_json(text);
  const auto status = parsed.ok() ? count_field(*parsed, "status", kBatchStatuses) : kBatchStatuses;
  if (status >= kBatchStatuses) return Error::log(Errc::corrupt, "a batch's record is unreadable");
  BatchRecord r;
  const auto at = [](std::uint64_t us) { return wall_from_micros(static_cast<std::int64_t>(us)); };
  r.status = static_cast<BatchStatus>(status);
  r.input_file = string_field(*parsed, "input_file");
  r.endpoint = string_field(*parsed, "endpoint");
  r.window = string_field(*parsed, "window");
  r.metadata = field(*parsed, "metadata");
  r.output_keep = std::chrono::seconds(count_field(*parsed, "output_keep"));
  r.documents = field(*parsed, "documents") != false;
  r.key = string_field(*parsed, "key");
  r.tokens_per_minute = count_field(*parsed, "tokens_per_minute");
  r.tokens_per_day = count_field(*parsed, "tokens_per_day");
  r.errors = array_field(*parsed, "errors");
  r.output_file = string_field(*parsed, "output_file");
  r.error_file = string_field(*parsed, "error_file");
  r.created = at(count_field(*parsed, "created"));
  r.expires = at(count_field(*parsed, "expires"));
  const Json& since = array_field(*parsed, "since");
  for (std::size_t i = 0; i < since.size() && i < kBatchStatuses; ++i) {
    if (since[i].is_number_unsigned()) r.since[i] = at(since[i].get<std::uint64_t>());
  }
  r.total = count_field(*parsed, "total");
  r.completed = count_field(*parsed, "completed");
  r.failed = count_field(*parsed, "failed");
  r.collected = count_field(*parsed, "collected");
  r.offset = count_field(*parsed, "offset");
  r.output_bytes = count_field(*parsed, "output_bytes");
  r.error_bytes = count_field(*parsed, "error_bytes");
  return r;
}

Json batch_json(const storage::BatchId& id, const BatchRecord& r) {
  const auto since = [&r](BatchStatus s) {
    return time_json(r.since[static_cast<std::size_t>(s)]);
  };
  Json out = {
      {"id", id.text()},
      {"object", "batch"},
      {"endpoint", r.endpoint},
      {"errors", nullptr},
      {"input_file_id", r.input_file},
      {"completion_window", r.window},
      {"status", std::string(name(r.status))},
      {"output_file_id", or_null(r.output_file)},
      {"error_file_id", or_null(r.error_file)},
      {"created_at", time_json(r.created)},
      {"in_progress_at", since(BatchStatus::in_progress)},
      {"expires_at", time_json(r.expires)},
      {"finalizing_at", since(BatchStatus::finalizing)},
      {"completed_at", since(BatchStatus::completed)},
      {"failed_at", since(BatchStatus::failed)},
      {"expired_at", since(BatchStatus::expired)},
      {"cancelling_at", since(BatchStatus::cancelling)},
      {"cancelled_at", since(BatchStatus::cancelled)},
      {"request_counts", {{"total", r.total}, {"completed", r.completed}, {"failed", r.failed}}},
      {"metadata", r.metadata}};
  if (!r.errors.empty()) out["errors"] = {{"object", "list"}, {"data", r.errors}};
  return out;
}

std::string output_id(const storage::BatchId& id) {
  return "file-" + id.text().substr(id.text().find('_') + 1) + "-output";
}
std::string error_id(const storage::BatchId& id) {
  return "file-" + id.text().substr(id.text().find('_') + 1) + "-errors";
}

ReadLine read_line(const std::string& text, std::string_view endpoint) {
  ReadLine out;
  auto parsed = parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) {
    out.fault = fault("invalid_json_line", "The line is not a JSON object.");
    return out;
  }
  const Json& id = field(*parsed, "custom_id");
  const std::string custom = id.is_string() ? id.get<std::string>() : std::string();
  if (custom.empty() || custom.size() > kCustomIdMax) {
    out.fault = fault("missing_required_parameter", "'custom_id' must be a text of 1 to 512 bytes.",
                      "custom_id");
  } else if (string_field(*parsed, "method") != "POST") {
    out.fault = fault("invalid_method", "'method' must be POST.", "method");
  } else if (string_field(*parsed, "url") != endpoint) {
    out.fault = fault("invalid_url", "'url' must be the batch's endpoint.", "url");
  } else if (!field(*parsed, "body").is_object()) {
    out.fault = fault("missing_required_parameter", "'body' must be an object.", "body");
  }
  out.line = {custom, std::string(endpoint), field(*parsed, "body")};
  return out;
}

ItemLine line_of(const std::string& custom_id, const storage::Job& job) {
  const std::string& id = job.job.id.text();
  Json line = line_json(id.substr(id.find('_') + 1), custom_id);
  ItemLine out;
  out.is_error = true;
  if (job.state == storage::JobState::succeeded) {
    auto result = parse_json(job.result);
    const Json none = Json::object();
    const Json& read = result.ok() ? *result : none;
    const auto status = count_field(read, "status_code", 500);
    line["response"] = {
        {"status_code", status}, {"request_id", id}, {"body", object_field(read, "body")}};
    out.is_error = status >= 400;
  } else if (job.state == storage::JobState::expired) {
    line["error"] = {{"code", "batch_expired"},
                     {"message", "The batch expired before this request was carried out."}};
  } else if (job.state == storage::JobState::cancelled) {
    line["error"] = {{"code", "request_cancelled"},
                     {"message", "The job of this request was cancelled; the batch went on."}};
  } else {
    line["error"] = {{"code", job.failure.code}, {"message", job.failure.message}};
  }
  out.text = dump(line) + "\n";
  return out;
}

ItemLine error_line(const storage::BatchId& batch, std::uint64_t index,
                    const std::string& custom_id, const std::string& code,
                    const std::string& message) {
  const std::string& id = batch.text();
  Json line = line_json(id.substr(id.find('_') + 1) + "-" + std::to_string(index), custom_id);
  line["error"] = {{"code", code}, {"message", message}};
  return {dump(line) + "\n", true};
}

}  // namespace mainstay::jobs
