// mainstay ask --voice, -o: a question that is spoken, an answer that is spoken, or both.
#include <cstdio>
#include <memory>
#include <string>

#include "app/commands.h"
#include "app/sound_files.h"
#include "app/terminal.h"
#include "base/base64.h"
#include "base/json_fields.h"

namespace mainstay::app {
namespace {

/// Shows the events of a turn as they come, and writes its sound.
struct Teller {
  const Common& common;
  SoundOut* out;
  Json all = Json::object();  ///< what --json prints
  std::string error;
  Status wrote;
  bool done = false;

  void operator()(const net::SseEvent& event) {
    auto told = parse_json(event.data);
    if (!told.ok() || !told->is_object()) return;
    const std::string type = string_field(*told, "type");
    if (type == "transcript") {
      all["transcript"] = (*told)["text"];
      if (!common.json) {
        std::fprintf(stderr, "> %s\n", printable(string_field(*told, "text")).c_str());
      }
    } else if (type == "token" && !common.json) {
      std::fputs(printable(string_field(*told, "text")).c_str(), stdout);
      std::fflush(stdout);
    } else if (type == "citations") {
      all["citations"] = (*told)["citations"];
    } else if (type == "audio") {
      write(string_field(*told, "base64"));
    } else if (type == "speech_failed") {
      all["speech_error"] = (*told)["error"];
      const std::string why = string_field(field(*told, "error"), "message");
      std::fprintf(stderr, "mainstay: the answer is not spoken: %s\n", printable(why).c_str());
    } else if (type == "done") {
      done = true;
      for (const char* key : {"answer", "model", "provider", "conversation_id"}) {
        if (told->contains(key)) all[key] = (*told)[key];
      }
    } else if (type == "error") {
      error = std::string(event.data);
    }
  }
  void write(const std::string& base64) {
    auto bytes = from_base64(base64);
    if (bytes && out != nullptr && wrote.ok()) wrote = out->write(*bytes);
  }
};

FormFields fields_of(const AskOptions& options, const std::string& collection,
                     const std::string& format) {
  return {{"text", options.voice_file.empty() ? options.question : std::string()},
          {"model", options.model},
          {"collection", collection},
          {"conversation_id", options.conversation},
          {"voice", options.voice},
          {"format", format},
          {"speak", options.out_file.empty() ? "false" : "true"},
          {"audio", "inline"},
          {"response", "stream"}};
}

Exit finish(const Common& common, const AskOptions& options, Teller& teller, SoundOut* out,
            const std::string& format) {
  if (!common.json) std::printf("\n");
  if (!teller.error.empty()) return fail(common, error_of({502, teller.error, {}}));
  if (!teller.wrote.ok()) return fail(common, teller.wrote.error());
  if (!teller.done) {
    return fail(common, Error::say(Errc::bad_upstream, "stream_cut", "The answer was cut off."));
  }
  const bool unspoken = teller.all.contains("speech_error");
  if (out != nullptr && !unspoken) {
    auto kept = out->keep(format);
    if (!kept.ok()) return fail(common, kept.error());
    teller.all["file"] = options.out_file;
  }
  if (common.json) std::printf("%s\n", dump(teller.all).c_str());
  return unspoken ? Exit::failed : Exit::ok;
}

}  // namespace

Exit ask_aloud(const Common& common, const AskOptions& options) {
  if (options.out_file == "-") {
    return fail(common, Error::say(Errc::invalid, "terminal",
                                   "The answer's text goes to standard output: name a file for "
                                   "its sound."));
  }
  std::shared_ptr<SoundFile> file;
  if (!options.voice_file.empty()) {
    auto opened = SoundFile::open(options.voice_file);
    if (!opened.ok()) return fail(common, opened.error());
    file = std::move(*opened);
  }
  std::unique_ptr<SoundOut> out;
  const std::string format = sound_format(options.format, options.out_file);
  if (!options.out_file.empty()) {
    auto opened = SoundOut::open(options.out_file);
    if (!opened.ok()) return fail(common, opened.error());
    out = std::move(*opened);
  }
  auto remote = Remote::open(common);
  if (!remote.ok()) return fail(common, remote.error());
  const auto fields = fields_of(options, collection_of(**remote, options), format);
  auto upload = form_of(fields, std::move(file), options.voice_file);
  Teller teller{common, out.get()};
  auto answer = (*remote)->upload("/v1/voice", std::move(upload),
                                  [&teller](const net::SseEvent& event) { teller(event); });
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  return finish(common, options, teller, out.get(), format);
}

}  // namespace mainstay::app
