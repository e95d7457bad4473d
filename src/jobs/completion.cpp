// From chat.completion.chunk objects to one chat.completion.
#include "jobs/completion.h"

#include "base/json_fields.h"

namespace mainstay::jobs {

Result<std::string> Completion::add(const models::ChatChunk& chunk) {
  const std::size_t before = transcript_.text().size();
  auto added = transcript_.add(chunk.json);
  if (!added.ok()) return added.error();
  if (chunk.usage.known) usage_ = chunk.usage;
  if (head_.is_null() || chunk.finish) {
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
      if (!reason.empty() && count_field(choice, "index") == 0) finish_ = reason;
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
  choice["finish_reason"] = finish_.empty() ? "stop" : finish_;
  out["choices"] = Json::array({std::move(choice)});
  if (usage_.known) {
    out["usage"] = Json{{"prompt_tokens", usage_.prompt},
                        {"completion_tokens", usage_.completion},
                        {"total_tokens", usage_.prompt + usage_.completion}};
  }
  if (!transcript_.citations().is_null()) out["citations"] = transcript_.citations();
  return dump(out);
}

}  // namespace mainstay::jobs
