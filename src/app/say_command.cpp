// mainstay say: a text spoken into a file.
#include <cstdio>
#include <string>

#include "app/commands.h"
#include "app/sound_files.h"

namespace mainstay::app {

Exit say(const Common& common, const SayOptions& options) {
  const std::string format = sound_format(options.format, options.out_file);
  auto out = SoundOut::open(options.out_file);
  if (!out.ok()) return fail(common, out.error());
  auto remote = Remote::open(common);
  if (!remote.ok()) return fail(common, remote.error());
  Json body = {{"input", options.text}, {"response_format", format}, {"speed", options.speed}};
  body["model"] = options.model.empty() ? "auto" : options.model;
  if (!options.voice.empty()) body["voice"] = options.voice;
  auto answer = (*remote)->call("POST", "/v1/audio/speech", dump(body));
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  auto written = (*out)->write(answer->body);
  if (!written.ok()) return fail(common, written.error());
  auto kept = (*out)->keep(format);
  if (!kept.ok()) return fail(common, kept.error());
  if (common.json && options.out_file != "-") {
    const Json done = {
        {"file", options.out_file}, {"format", format}, {"bytes", (*out)->written()}};
    std::printf("%s\n", dump(done).c_str());
  }
  return Exit::ok;
}

}  // namespace mainstay::app
