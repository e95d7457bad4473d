// What doctor says of the decoder for PDFs and images.
#include <fmt/format.h>

#include "app/doctor.h"
#include "base/json_fields.h"
#include "base/version.h"
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

}  // namespace mainstay::app
