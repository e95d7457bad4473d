// mainstay transcribe: what a recording says, in writing.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "app/commands.h"
#include "app/sound_files.h"
#include "app/terminal.h"
#include "base/json_fields.h"

namespace mainstay::app {
namespace {

constexpr std::uint64_t kKilobyte = 1000;
constexpr const char* kPath = "/v1/audio/transcriptions";

/// A bar while the recording is sent, then a line that grows while it is heard; both only where a
/// person looks, and gone when the words are there.
class Progress {
 public:
  explicit Progress(std::uint64_t size) : kilobytes_(size / kKilobyte) {
    bar_.emplace("Sending (KB)", kilobytes_);
  }
  void sent(std::uint64_t bytes) {
    if (!bar_) return;
    const std::uint64_t done = bytes / kKilobyte;
    if (done >= kilobytes_) {
      heard(0);
    } else if (done >= shown_ + kilobytes_ / 100) {
      shown_ = done;
      bar_->show(done, "");
    }
  }
  void heard(std::size_t characters) {
    bar_.reset();
    if (!is_terminal(STDERR_FILENO)) return;
    std::fprintf(stderr, "\r\033[KHearing … %zu characters", characters);
    std::fflush(stderr);
    line_ = true;
  }
  void clear() {
    bar_.reset();
    if (line_) std::fprintf(stderr, "\r\033[K");
    line_ = false;
  }

 private:
  const std::uint64_t kilobytes_;
  std::optional<ProgressBar> bar_;
  std::uint64_t shown_ = 0;
  bool line_ = false;
};

/// The text of a streamed transcription; shown as it comes where standard output is a terminal.
struct Listener {
  Progress& progress;
  const bool live;
  std::size_t characters = 0;
  std::string text;
  std::string error;
  bool done = false;

  void operator()(const net::SseEvent& event) {
    auto told = parse_json(event.data);
    if (!told.ok() || !told->is_object()) return;
    if (told->contains("error")) error = std::string(event.data);
    const std::string type = string_field(*told, "type");
    if (type == "transcript.text.delta") {
      const std::string delta = printable(string_field(*told, "delta"));
      characters += delta.size();
      if (live) {
        progress.clear();
        std::fputs(delta.c_str(), stdout);
        std::fflush(stdout);
      } else {
        progress.heard(characters);
      }
    } else if (type == "transcript.text.done") {
      text = printable(string_field(*told, "text"));
      done = true;
    }
  }
};

/// Text comes as it is heard.
Exit as_text(const Common& common, Remote& remote, Remote::Upload upload, Progress& progress) {
  Listener listener{progress, is_terminal(STDOUT_FILENO)};
  auto answer = remote.upload(kPath, std::move(upload),
                              [&listener](const net::SseEvent& event) { listener(event); });
  progress.clear();
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  if (!listener.error.empty()) return fail(common, error_of({502, listener.error, {}}));
  if (!listener.done) {
    return fail(common, Error::say(Errc::bad_upstream, "stream_cut", "The answer was cut off."));
  }
  // An engine that answers at once told no pieces.
  const bool told = listener.live && listener.characters > 0;
  std::printf("%s\n", told ? "" : listener.text.c_str());
  return Exit::ok;
}

Exit whole(const Common& common, Remote& remote, Remote::Upload upload, Progress& progress,
           bool json) {
  auto answer = remote.upload(kPath, std::move(upload), nullptr);
  progress.clear();
  if (!answer.ok()) return fail(common, answer.error());
  if (answer->status != 200) return fail(common, error_of(*answer));
  std::printf("%s%s", printable(answer->body).c_str(), json ? "\n" : "");
  return Exit::ok;
}

}  // namespace

Exit transcribe(const Common& common, const TranscribeOptions& options) {
  auto file = SoundFile::open(options.file);
  if (!file.ok()) return fail(common, file.error());
  auto remote = Remote::open(common);
  if (!remote.ok()) return fail(common, remote.error());
  const std::string format = common.json ? "json" : options.format;
  const bool streams = format == "text";
  Progress progress((*file)->size());
  (*file)->watch([&progress](std::uint64_t bytes) { progress.sent(bytes); });
  auto upload = form_of({{"model", options.model.empty() ? "auto" : options.model},
                         {"language", options.language},
                         {"response_format", format == "json" ? "verbose_json" : format},
                         {"stream", streams ? "true" : ""}},
                        *file, options.file);
  if (streams) return as_text(common, **remote, std::move(upload), progress);
  return whole(common, **remote, std::move(upload), progress, format == "json");
}

}  // namespace mainstay::app
