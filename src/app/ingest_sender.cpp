// A client of /v1/documents, /v1/uploads and /v1/jobs/{id}/events.
#include "app/ingest_sender.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "app/jobs_watch.h"
#include "app/terminal.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

constexpr std::uint64_t kTextMax = 1 << 20;  ///< of a text that is sent as JSON
constexpr std::uint64_t kFormMax = 8 << 20;  ///< of a file that is sent as a form
constexpr std::uint64_t kPartMin = 8 << 20;
constexpr std::uint64_t kPartsWanted = 5000;  ///< at most so many of a file
constexpr int kTries = 8;
constexpr int kLooks = 120;  ///< at a job's events that bring nothing
constexpr Duration kPause = std::chrono::seconds(1);
constexpr std::array<std::string_view, 11> kTextEndings = {".md",    ".markdown", ".txt", ".text",
                                                           ".html",  ".htm",      ".csv", ".tsv",
                                                           ".jsonl", ".ndjson",   ".log"};

bool has_text_ending(const std::string& path) {
  const std::string ending = lower_ascii(std::filesystem::path(path).extension().string());
  return std::find(kTextEndings.begin(), kTextEndings.end(), ending) != kTextEndings.end();
}

bool goes_as_text(const std::string& path, const std::string& bytes) {
  if (bytes.size() > kTextMax || bytes.find('\0') != std::string::npos) return false;
  // JSON holds UTF-8 alone: of other bytes the server says what they are, or where they go wrong.
  return is_utf8(bytes) && (has_text_ending(path) || !bytes.starts_with("%PDF-"));
}

std::string list_of(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

Error unreadable(const std::string& path) {
  return Error::say(Errc::unavailable, "file_unreadable",
                    "Cannot read '" + path + "': " + std::strerror(errno) + ".");
}

}  // namespace

struct Sender::Job {
  Job(const NamedFile& of, std::string at, int descriptor, std::uint64_t bytes)
      : file(of), place(std::move(at)), fd(descriptor), size(bytes) {}
  ~Job() { ::close(fd); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::string base_name() const { return std::filesystem::path(file.path).filename().string(); }
  Result<std::string> read(std::uint64_t at, std::uint64_t most) const {
    std::string out(most, '\0');
    std::size_t got = 0;
    while (got < most) {
      const ssize_t n = ::pread(fd, out.data() + got, most - got, static_cast<off_t>(at + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return unreadable(file.path);
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
  }
  std::uint64_t part_size() const {
    const std::uint64_t even = (size + kPartsWanted - 1) / kPartsWanted;
    return std::max(kPartMin, (even + kPartMin - 1) / kPartMin * kPartMin);
  }

  const NamedFile& file;
  const std::string place;
  const int fd;
  const std::uint64_t size;
};

/// Limits and breaks pass: the same request again, after the time that the server asks for.
Result<HttpAnswer> Sender::patiently(const Attempt& attempt) {
  for (int tries = 1;; ++tries) {
    auto answer = attempt();
    const bool busy = answer.ok() && (answer->status == 429 || answer->status == 503);
    const bool broken = !answer.ok();
    if (tries == kTries || (!busy && !broken)) return answer;
    const Duration asked = busy ? Duration(answer->retry_after) : kPause;
    remote_.pause(std::clamp<Duration>(asked, kPause, std::chrono::seconds(60)));
  }
}

Result<Json> Sender::patient_json(const Attempt& attempt) {
  auto answer = patiently(attempt);
  if (!answer.ok()) return answer.error();
  if (answer->status / 100 != 2) return error_of(*answer);
  return parse_json(answer->body);
}

Result<Json> Sender::store(const NamedFile& file, const std::string& place) {
  const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about{};
  if (fd < 0 || ::fstat(fd, &about) != 0) {
    const Error error = unreadable(file.path);
    if (fd >= 0) ::close(fd);
    return error;
  }
  const Job job(file, place, fd, static_cast<std::uint64_t>(about.st_size));
  if (job.size > kFormMax) return store_in_parts(job);
  ProgressBar bar(place + " Sending", job.size);
  bar.show(0, file.name);
  auto bytes = job.read(0, job.size);
  if (!bytes.ok()) return bytes.error();
  if (goes_as_text(file.path, *bytes)) return store_text(job, *bytes);
  return store_form(job, *bytes);
}

Result<Json> Sender::store_text(const Job& job, const std::string& text) {
  Json body = {
      {"text", text}, {"source", job.file.name}, {"format", format_of(job.file.path, text)}};
  if (!options_.collection.empty()) body["collection"] = options_.collection;
  if (!options_.tags.empty()) body["tags"] = options_.tags;
  return patient_json([&] { return remote_.call("POST", "/v1/documents", dump(body)); });
}

Result<Json> Sender::store_form(const Job& job, const std::string& bytes) {
  net::FormWriter form = new_form();
  if (!options_.collection.empty()) form.field("collection", options_.collection);
  if (!options_.tags.empty()) form.field("tags", list_of(options_.tags));
  form.field("source", job.file.name);
  form.begin_file("file", job.base_name());
  form.bytes(bytes);
  form.end();
  const std::string body = form.take();
  auto accepted =
      patient_json([&] { return remote_.send("/v1/documents", form.content_type(), body); });
  if (!accepted.ok()) return accepted;
  return follow(job, std::move(*accepted));
}

/// An upload of this file that an earlier run did not end; null: there is none.
Result<Json> Sender::begun_before(const Job& job) {
  auto open = patient_json([&] { return remote_.call("GET", "/v1/uploads", ""); });
  if (!open.ok()) return open;
  for (const auto& upload : array_field(*open, "data")) {
    const bool same = string_field(upload, "filename") == job.base_name() &&
                      count_field(upload, "bytes") == job.size &&
                      string_field(upload, "purpose") == "ingest";
    if (!same) continue;
    const std::string id = string_field(upload, "id");
    return patient_json([&] { return remote_.call("GET", "/v1/uploads/" + id, ""); });
  }
  return Json();
}

Result<std::string> Sender::send_part(const Job& job, const std::string& upload,
                                      std::string bytes) {
  net::FormWriter form = new_form();
  form.begin_file("data", job.base_name());
  form.bytes(bytes);
  bytes = std::string();
  form.end();
  const std::string body = form.take();
  auto part = patient_json(
      [&] { return remote_.send("/v1/uploads/" + upload + "/parts", form.content_type(), body); });
  if (!part.ok()) return part.error();
  return string_field(*part, "id");
}

/// What is there already is told by its digest: an earlier run need not be remembered.
Result<std::vector<std::string>> Sender::send_parts(const Job& job, const Json& upload) {
  std::map<std::string, std::string> there;
  for (const auto& part : array_field(upload, "parts")) {
    there[string_field(part, "sha256")] = string_field(part, "id");
  }
  const std::string id = string_field(upload, "id");
  ProgressBar bar(job.place + " Sending", job.size);
  std::vector<std::string> order;
  for (std::uint64_t at = 0; at < job.size;) {
    bar.show(at, job.file.name);
    auto bytes = job.read(at, std::min(job.part_size(), job.size - at));
    if (!bytes.ok()) return bytes.error();
    if (bytes->empty()) {
      return Error::say(Errc::unavailable, "file_unreadable",
                        "'" + job.file.path + "' became shorter while it was read.");
    }
    at += bytes->size();
    const auto known = there.find(sha256_hex(*bytes));
    if (known != there.end()) {
      order.push_back(known->second);
      continue;
    }
    auto sent = send_part(job, id, std::move(*bytes));
    if (!sent.ok()) return sent.error();
    order.push_back(std::move(*sent));
  }
  return order;
}

Result<Json> Sender::store_in_parts(const Job& job) {
  auto upload = begun_before(job);
  if (upload.ok() && upload->is_null()) {
    const Json wish = {{"filename", to_utf8(job.base_name())},
                       {"bytes", job.size},
                       {"mime_type", "application/octet-stream"},
                       {"purpose", "ingest"}};
    upload = patient_json([&] { return remote_.call("POST", "/v1/uploads", dump(wish)); });
  }
  if (!upload.ok()) return upload;
  auto order = send_parts(job, *upload);
  if (!order.ok()) return order.error();
  const std::string id = string_field(*upload, "id");
  const Json parts = {{"part_ids", *order}};
  auto whole = patient_json(
      [&] { return remote_.call("POST", "/v1/uploads/" + id + "/complete", dump(parts)); });
  if (!whole.ok()) return whole;
  Json body = {{"file_id", string_field(field(*whole, "file"), "id")}, {"source", job.file.name}};
  if (!options_.collection.empty()) body["collection"] = options_.collection;
  if (!options_.tags.empty()) body["tags"] = options_.tags;
  auto accepted = patient_json([&] { return remote_.call("POST", "/v1/documents", dump(body)); });
  if (!accepted.ok()) return accepted;
  return follow(job, std::move(*accepted));
}

namespace {

/// What the events of a job have told so far.
struct Followed {
  std::string place;
  std::string end;  ///< the event that ended it
  Json last;        ///< its data
  bool heard = false;
};

}  // namespace

Result<Json> Sender::follow(const Job& job, Json accepted) {
  const std::string id = string_field(accepted, "job");
  ProgressBar bar(job.place + " Reading", job.size);
  Followed so_far;
  const auto on_event = [&](const net::SseEvent& event) {
    so_far.place = event.id;
    so_far.heard = true;
    auto data = parse_json(event.data);
    if (!data.ok()) return;
    if (event.event == "progress") bar.show(count_field(*data, "bytes"), job.file.name);
    if (ends_job(event.event)) {
      so_far.end = event.event;
      so_far.last = std::move(*data);
    }
  };
  for (int looks = 0; looks < kLooks && so_far.end.empty(); ++looks) {
    so_far.heard = false;
    auto answer = remote_.events("/v1/jobs/" + id + "/events", so_far.place, on_event);
    if (!so_far.end.empty()) break;
    if (answer.ok() && answer->status == 403) return accepted;
    if (answer.ok() && answer->status >= 400 && answer->status < 500 && answer->status != 429) {
      return error_of(*answer);
    }
    if (so_far.heard) looks = 0;
    remote_.pause(kPause);
  }
  if (so_far.end == "succeeded") {
    if (so_far.last.contains("result")) return so_far.last["result"];
    return patient_json(
        [&] { return remote_.call("GET", "/v1/documents/" + string_field(accepted, "id"), ""); });
  }
  if (so_far.end.empty()) {
    return Error::say(Errc::unavailable, "server_unreachable",
                      "The server does not answer any more; job " + id + " goes on there.");
  }
  const Json& error = field(so_far.last, "error");
  const std::string why = string_field(error, "message");
  return Error::say(Errc::unprocessable, "ingest_failed",
                    why.empty() ? "The job that reads it was " + so_far.end + "." : why);
}

}  // namespace mainstay::app
