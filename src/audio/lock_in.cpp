// The model is read before the lock; eSpeak NG reads its dictionaries when a voice is chosen, so
// its folder stays readable where the kernel can tell folders apart, and its default voice is read
// before.
#include "audio/lock_in.h"

#include <sys/stat.h>

#include "audio/ffmpeg.h"
#include "audio/hear.h"
#include "audio/voices.h"
#include "base/version.h"
#include "child/orders.h"

namespace mainstay::audio {
namespace {

bool ready = true;

bool has_model(const std::string& folder) {
  struct stat about{};
  return ::stat((folder + "/en-us.lm.bin").c_str(), &about) == 0;
}

Json voices_json() {
  Json out = Json::array();
  for (const auto& voice : list_voices()) {
    out.push_back({{"id", voice.id}, {"language", voice.language}, {"name", voice.name}});
  }
  return out;
}

}  // namespace

bool loaded() {
  return ready;
}

Result<resources::Sandbox> lock_in(media::SoundRole role, const std::string& model,
                                   std::uint64_t memory) {
  child::open_memory_figures();
  resources::SandboxRules rules;
  rules.memory = memory;
  rules.cpu_seconds = child::kHardSeconds;
  rules.open_files = child::kOpenFiles;
  rules.threads = role == media::SoundRole::decode;  // long files
  if (role == media::SoundRole::hear) ready = !load_model(model).has_value();
  if (role == media::SoundRole::speak) {
    ready = start_voices() && choose_voice("en-us");
    if (ready) rules.readable = {voices_folder()};
  }
  return resources::enter_sandbox(rules);
}

Result<Json> probe(const std::string& model, std::uint64_t memory) {
  const bool hears = has_model(model);
  auto locked = lock_in(media::SoundRole::speak, model, memory);
  if (!locked.ok()) return locked.error();
  return Json{{"version", version()},
              {"ffmpeg", av_version_info()},
              {"espeak", ready ? voices_version() : ""},
              {"landlock", locked->landlock},
              {"hears", hears},
              {"speaks", ready},
              {"voices", ready ? voices_json() : Json::array()},
              {"variants", ready ? list_variants() : std::vector<std::string>()}};
}

}  // namespace mainstay::audio
