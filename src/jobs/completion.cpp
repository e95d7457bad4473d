// From chat.completion.chunk objects to one chat.completion.
#include "jobs/completion.h"

#include "base/json_fields.h"
#include "models/shape.h"

namespace mainstay::jobs {

Result<std::string> Completion::add(const models::ChatChunk& chunk) {
  const std::size_t before = transcript_.text().size();
  auto added = transcript_.add(chunk.json);
  if (!added.ok()) return added.error();
  if (chunk.usage.known) usage_ = chunk.usage;
  // A chunk is read again for what few of them have.
  const bool thinks = chunk.json.find("\"reasoning\"") != std::string::npos;
  if (head_.is_null() || chunk.finish || thinks) {
    auto parsed = parse_json(chunk.json);
    if (!parsed.ok()) return parsed.error();
    if (head_.is_null()) {
      head_ = Json::object();
      for (const char* key : {"id", "created", "model", "system_fingerprint"}) {
        if (!field(*parsed, key).is_null()) head_[key] = field(*parsed, key);
      }
    }
    for (const auto& choice : array_field(*parsed, "choices")) {
      const std::string reason = string_field(choice, "finish_reason");
      if (count_field(choice, "index") != 0) continue;
      if (!reason.empty()) finish_ = reason;
      reasoning_ += string_field(field(choice, "delta"), "reasoning");
    }
  }
  return transcript_.text().substr(before);
}

std::string Completion::text() const {
  Json out = Json::object();
  out["id"] = string_field(head_, "id");
  out["object"] = "chat.completion";
  out["created"] = count_field(head_, "created");
  out["model"] = string_field(head_, "model");
  const std::string fingerprint = string_field(head_, "system_fingerprint");
  if (!fingerprint.empty()) out["system_fingerprint"] = fingerprint;
  Json choice = Json::object();
  choice["index"] = 0;
  choice["message"] = transcript_.message();
  if (!transcript_.thoughts().empty()) {
    choice["message"]["reasoning_content"] = transcript_.thoughts();
  }
  if (!reasoning_.empty()) choice["message"]["reasoning"] = reasoning_;
  choice["finish_reason"] = finish_.empty() ? "stop" : finish_;
  out["choices"] = Json::array({std::move(choice)});
  if (usage_.known) out["usage"] = models::usage_json(usage_);
  if (!transcript_.citations().is_null()) out["citations"] = transcript_.citations();
  return dump(out);
}

}  // namespace mainstay::jobs
