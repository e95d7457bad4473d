// Parts with inlineData; names are from Gemini's REST reference (v1beta).
#include "models/gemini/audio.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/base64.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models::gemini {
namespace {

constexpr std::size_t kFirstPart = 200;  ///< bytes of text in the first call
constexpr std::size_t kFurtherPart = 1200;
constexpr const char* kUsualVoice = "Kore";

constexpr std::array<const char*, 30> kVoices = {
    "Zephyr",    "Puck",          "Charon",       "Kore",      "Fenrir",     "Leda",
    "Orus",      "Aoede",         "Callirrhoe",   "Autonoe",   "Enceladus",  "Iapetus",
    "Umbriel",   "Algieba",       "Despina",      "Erinome",   "Algenib",    "Rasalgethi",
    "Laomedeia", "Achernar",      "Alnilam",      "Schedar",   "Gacrux",     "Pulcherrima",
    "Achird",    "Zubenelgenubi", "Vindemiatrix", "Sadachbia", "Sadaltager", "Sulafat"};

std::string prompt_of(const TranscribeRequest& request) {
  std::string out = request.translate ? "Translate what is said in this recording into English."
                                      : "Transcribe what is said in this recording, word for word.";
  out +=
      " Reply with that text alone, without times, names of speakers or remarks. When nothing is "
      "said, reply with nothing.";
  if (!request.language.empty()) {
    out += " The language spoken has the code " + request.language + ".";
  }
  if (!request.prompt.empty()) out += " Words that may occur: " + request.prompt;
  return out;
}

/// The first candidate's parts. Errors: as of the reply.
Result<Json> parts_of(const std::string& text) {
  auto parsed = parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return not_understood("not a JSON object");
  if (parsed->contains("error")) return told_inside(text);
  const Json& candidates = array_field(*parsed, "candidates");
  if (candidates.empty()) {
    const std::string why = string_field(field(*parsed, "promptFeedback"), "blockReason");
    if (!why.empty()) return failed_inside("blocked: " + why);
    return not_understood("no candidates");
  }
  const Json& candidate = candidates.front();
  const std::string reason = string_field(candidate, "finishReason");
  if (!reason.empty() && reason != "STOP" && reason != "MAX_TOKENS") {
    return failed_inside(reason + ": " + string_field(candidate, "finishMessage"));
  }
  return Json(array_field(field(candidate, "content"), "parts"));
}

/// "audio/L16;codec=pcm;rate=24000". False: no PCM.
bool read_mime(const std::string& mime, AudioShape& shape) {
  const std::string lower = lower_ascii(mime);
  if (!lower.starts_with("audio/l16") && !lower.starts_with("audio/pcm")) return false;
  const auto at = lower.find("rate=");
  if (at == std::string::npos) return true;
  const char* begin = lower.data() + at + 5;
  std::uint32_t rate = 0;
  const auto [end, failed] = std::from_chars(begin, lower.data() + lower.size(), rate);
  if (failed != std::errc() || rate < 8000 || rate > 192'000) return false;
  shape.rate = rate;
  return true;
}

}  // namespace

std::string transcribe_body(const TranscribeRequest& request, const std::string& bytes) {
  const std::string mime = request.mime.empty() ? "audio/wav" : request.mime;
  std::string out = R"({"contents":[{"role":"user","parts":[{"text":)";
  append_json_string(out, prompt_of(request));
  out += R"(},{"inlineData":{"mimeType":)";
  append_json_string(out, mime);
  out += R"(,"data":")";
  out += to_base64(bytes);
  out += R"("}}]}])";
  if (request.temperature) {
    out += R"(,"generationConfig":{"temperature":)" + dump(Json(*request.temperature)) + "}";
  }
  out += '}';
  return out;
}

Result<Transcript> read_transcript(const std::string& text) {
  auto parts = parts_of(text);
  if (!parts.ok()) return parts.error();
  Transcript out;
  for (const auto& part : *parts) {
    if (!flag_field(part, "thought")) out.text += string_field(part, "text");
  }
  out.text = std::string(trim(out.text));
  return out;
}

std::vector<std::string> spoken_parts(const std::string& text) {
  std::vector<std::string> out;
  for (auto& sentence : spoken_pieces(text, kFurtherPart)) {
    const bool joins = out.size() > 1 && out.back().size() + sentence.size() < kFurtherPart;
    const bool begins = out.size() == 1 && out.front().size() + sentence.size() < kFirstPart;
    if (joins || begins) {
      out.back() += " " + sentence;
    } else {
      out.push_back(std::move(sentence));
    }
  }
  return out;
}

std::string speech_body(const SpeechRequest& request, const std::string& part) {
  const bool named = !request.voice.empty() && !is_openai_voice(request.voice);
  const std::string text = request.instructions.empty() ? part : request.instructions + ": " + part;
  const Json voice = {
      {"prebuiltVoiceConfig", {{"voiceName", named ? request.voice : kUsualVoice}}}};
  Json config = {{"responseModalities", Json::array({"AUDIO"})},
                 {"speechConfig", {{"voiceConfig", voice}}}};
  if (!request.language.empty()) config["speechConfig"]["languageCode"] = request.language;
  const Json said = {{"role", "user"}, {"parts", Json::array({Json{{"text", text}}})}};
  return dump(Json{{"contents", Json::array({said})}, {"generationConfig", std::move(config)}});
}

Result<SpokenPart> read_speech(const std::string& text) {
  auto parts = parts_of(text);
  if (!parts.ok()) return parts.error();
  SpokenPart out;
  for (const auto& part : *parts) {
    const Json& data = field(part, "inlineData");
    if (!data.is_object()) continue;
    if (!read_mime(string_field(data, "mimeType"), out.shape)) {
      return not_understood("the speech is no PCM");
    }
    auto bytes = from_base64(string_field(data, "data"));
    if (!bytes) return not_understood("the speech is no base64");
    out.pcm += *bytes;
  }
  if (out.pcm.size() % 2 != 0) out.pcm.pop_back();
  if (out.pcm.empty()) return not_understood("no speech in the reply");
  return out;
}

std::vector<Voice> prebuilt_voices() {
  std::vector<Voice> out;
  for (const char* name : kVoices) {
    Voice voice;
    voice.id = name;
    voice.name = name;
    out.push_back(std::move(voice));
  }
  return out;
}

}  // namespace mainstay::models::gemini
