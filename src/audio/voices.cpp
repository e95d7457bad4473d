// eSpeak NG's C interface, synchronous.
#include "audio/voices.h"

#include <espeak-ng/speak_lib.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace mainstay::audio {
namespace {

constexpr int kPieceMillis = 200;

int rate = 0;
std::string folder;
const std::function<void(std::span<const std::int16_t>)>* taker = nullptr;

/// By language: the name of the voice's file. Filled while files can be opened.
std::map<std::string, std::string>& files() {
  static std::map<std::string, std::string> all;
  return all;
}

int give(short* samples, int count, espeak_EVENT*) {
  if (samples != nullptr && count > 0 && taker != nullptr) {
    (*taker)({samples, static_cast<std::size_t>(count)});
  }
  return 0;
}

}  // namespace

bool start_voices() {
  if (rate > 0) return true;
  rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, kPieceMillis, nullptr,
                           espeakINITIALIZE_DONT_EXIT);
  if (rate <= 0) return false;
  const char* path = nullptr;
  espeak_Info(&path);
  if (path != nullptr) folder = path;
  espeak_SetSynthCallback(&give);
  [[maybe_unused]] const auto all = list_voices();
  return true;
}

const std::string& voices_folder() {
  return folder;
}

std::string voices_version() {
  const char* path = nullptr;
  const char* const version = espeak_Info(&path);
  return version != nullptr ? version : "";
}

std::vector<VoiceName> list_voices() {
  std::vector<VoiceName> out;
  const espeak_VOICE** const voices = espeak_ListVoices(nullptr);
  for (std::size_t i = 0; voices != nullptr && voices[i] != nullptr; ++i) {
    const espeak_VOICE& voice = *voices[i];
    if (voice.languages == nullptr || voice.languages[0] == 0) continue;
    VoiceName one;
    one.language = voice.languages + 1;  // behind its priority
    one.id = one.language;
    one.name = voice.name != nullptr ? voice.name : "";
    const std::string file = voice.identifier != nullptr ? voice.identifier : "";
    if (!file.empty()) files().emplace(one.id, file.substr(file.rfind('/') + 1));
    const bool known = std::any_of(out.begin(), out.end(),
                                   [&one](const VoiceName& other) { return other.id == one.id; });
    if (!known) out.push_back(std::move(one));
  }
  return out;
}

std::vector<std::string> list_variants() {
  std::vector<std::string> out;
  espeak_VOICE wish{};
  wish.languages = "variant";
  const espeak_VOICE** const voices = espeak_ListVoices(&wish);
  for (std::size_t i = 0; voices != nullptr && voices[i] != nullptr; ++i) {
    const std::string file = voices[i]->identifier != nullptr ? voices[i]->identifier : "";
    const auto name = file.substr(file.rfind('/') + 1);
    if (file.starts_with("!v/") && !name.empty()) out.push_back(name);
  }
  return out;
}

bool choose_voice(const std::string& id) {
  // It would take a path for the name of a file.
  if (id.empty() || id.find_first_of("/.\\") != std::string::npos) return false;
  // A variant ("+f2") stands behind; what it is called by is the voice's file, not its language.
  const auto plus = std::min(id.find('+'), id.size());
  const auto known = files().find(id.substr(0, plus));
  const std::string name = known == files().end() ? id : known->second + id.substr(plus);
  return espeak_SetVoiceByName(name.c_str()) == EE_OK;
}

std::uint32_t voices_rate() {
  return static_cast<std::uint32_t>(std::max(rate, 0));
}

bool speak(const std::string& text, double speed,
           const std::function<void(std::span<const std::int16_t>)>& take) {
  const double words =
      std::clamp(espeakRATE_NORMAL * speed, double{espeakRATE_MINIMUM}, double{espeakRATE_MAXIMUM});
  espeak_SetParameter(espeakRATE, static_cast<int>(std::lround(words)), 0);
  taker = &take;
  const auto spoken = espeak_Synth(text.c_str(), text.size() + 1, 0, POS_CHARACTER, 0,
                                   espeakCHARS_UTF8 | espeakENDPAUSE, nullptr, nullptr);
  taker = nullptr;
  return spoken == EE_OK;
}

}  // namespace mainstay::audio
