// Text to speech, offline: eSpeak NG. The only place that knows it.
// Used by audio/orders.cpp and audio/lock_in.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mainstay::audio {

struct VoiceName {
  std::string id;
  std::string language;
  std::string name;
};

/// Starts eSpeak NG without any sound device. False: its data is not there.
bool start_voices();
/// Folder that it reads while it speaks.
const std::string& voices_folder();
std::string voices_version();
std::vector<VoiceName> list_voices();
/// Other ways in which any voice can sound: "f2", "m3", "whisper".
std::vector<std::string> list_variants();

/// False: there is no such voice.
bool choose_voice(const std::string& id);
/// Samples a second of what speak() gives.
std::uint32_t voices_rate();
/// Speaks UTF-8 with the chosen voice; `take` gets samples clause by clause. `speed` 1: 175 words a
/// minute; at most 450 and at least 80 are spoken.
bool speak(const std::string& text, double speed,
           const std::function<void(std::span<const std::int16_t>)>& take);

}  // namespace mainstay::audio
