// What doctor says of the programs beside this one: for PDFs and images, and for sound.
#include <fmt/format.h>

#include "app/doctor.h"
#include "base/json_fields.h"
#include "base/version.h"
#include "media/audio.h"
#include "media/decoders.h"

namespace mainstay::app {

Findings decoder_findings(const Settings& settings) {
  auto probed = media::probe_decoder(media::find_decoder(settings.media.decoder));
  if (!probed.ok()) {
    return {{Mark::warn, "decoder", probed.error().message + " PDFs and images are refused.",
             "Install mainstay-decoder beside mainstay, or set media.decoder"}};
  }
  const std::string theirs = string_field(*probed, "version");
  const auto landlock = count_field(*probed, "landlock");
  const std::string says = fmt::format(
      "libvips {}, poppler {}; locked in by seccomp and {}", string_field(*probed, "libvips"),
      string_field(*probed, "poppler"),
      landlock > 0 ? fmt::format("Landlock {}", landlock)
                   : std::string("limits (this kernel has no Landlock: it opens no file at all)"));
  if (theirs != version()) {
    return {{Mark::warn, "decoder", says + "; its version is " + theirs,
             "Install mainstay-decoder of the same version as mainstay"}};
  }
  return {{Mark::fine, "decoder", says, ""}};
}

Findings sound_findings(const Settings& settings) {
  const auto means = media::audio_means(settings.sound, media::find_audio(settings.sound.program));
  if (!means.decodes) {
    return {{Mark::warn, "sound", means.why + " Recordings and speech need another engine.",
             "Install mainstay-audio beside mainstay, or set sound.program"}};
  }
  const std::string says = fmt::format(
      "FFmpeg {}; locked in by seccomp and {}", means.ffmpeg,
      means.landlock > 0 ? fmt::format("Landlock {}", means.landlock) : std::string("limits"));
  if (means.version != version()) {
    return {{Mark::warn, "sound", says + "; its version is " + means.version,
             "Install mainstay-audio of the same version as mainstay"}};
  }
  Findings out = {{Mark::fine, "sound", says, ""}};
  if (means.speaks && means.hears) {
    out.push_back({Mark::fine, "built-in speech",
                   fmt::format("PocketSphinx (English), eSpeak NG {} with {} voices", means.espeak,
                               means.voices.size()),
                   ""});
  } else {
    out.push_back({Mark::warn, "built-in speech", means.why,
                   "Install pocketsphinx-en-us and espeak-ng-data, or name other engines"});
  }
  return out;
}

}  // namespace mainstay::app
