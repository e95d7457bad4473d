// Programs of asr and tts with their models and voices.
#include "models/wyoming/info.h"

#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::models::wyoming {
namespace {

constexpr std::size_t kListedMost = 1000;  ///< models and voices believed

/// Absent counts as installed: not every server says it.
bool installed(const Json& entry) {
  const Json& said = field(entry, "installed");
  return !said.is_boolean() || said.get<bool>();
}

std::string first_language(const Json& entry) {
  const Json& languages = array_field(entry, "languages");
  if (languages.empty() || !languages.front().is_string()) return {};
  std::string language = lower_ascii(languages.front().get<std::string>());
  for (auto& c : language) {
    if (c == '_') c = '-';
  }
  return language;
}

ModelInfo model_of(const std::string& id, const char* task, const Json& entry,
                   const std::string& provider) {
  ModelInfo info;
  info.id = id;
  info.provider = provider;
  info.tools = false;
  info.task = task;
  info.description = std::string(cut_utf8(string_field(entry, "description"), 200));
  return info;
}

void read_voice(ServerInfo& out, const Json& entry, const std::string& program,
                const std::string& provider) {
  Voice voice;
  voice.id = string_field(entry, "name");
  if (voice.id.empty() || !installed(entry) || out.voices.size() >= kListedMost) return;
  voice.name = string_field(entry, "description", voice.id);
  voice.language = first_language(entry);
  voice.provider = provider;
  voice.model = program;
  out.voices.push_back(std::move(voice));
}

}  // namespace

ServerInfo read_info(const Json& data, const std::string& provider) {
  ServerInfo out;
  for (const auto& program : array_field(data, "asr")) {
    if (!installed(program)) continue;
    out.hears = true;
    const std::string name = string_field(program, "name");
    if (!name.empty()) out.programs.push_back(name);
    for (const auto& model : array_field(program, "models")) {
      const std::string id = string_field(model, "name");
      if (id.empty() || !installed(model) || out.models.size() >= kListedMost) continue;
      out.models.push_back(model_of(id, "transcription", model, provider));
    }
  }
  for (const auto& program : array_field(data, "tts")) {
    if (!installed(program)) continue;
    out.speaks = true;
    const std::string name = string_field(program, "name");
    if (name.empty() || out.models.size() >= kListedMost) continue;
    out.programs.push_back(name);
    out.models.push_back(model_of(name, "speech", program, provider));
    for (const auto& voice : array_field(program, "voices")) {
      read_voice(out, voice, name, provider);
    }
  }
  return out;
}

}  // namespace mainstay::models::wyoming
