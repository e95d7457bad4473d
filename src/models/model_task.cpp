// Names that are known not to be of chat.
#include "models/model_task.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mainstay::models {
namespace {

/// Where in a name the word must stand.
enum class Where {
  anywhere,
  part,   ///< at the start of a part: of "baai/bge-m3", parts are "baai", "bge" and "m3"
  whole,  ///< nothing may stand beside it
};

struct Known {
  std::string_view word;
  Where where;
  std::string_view task;
};

/// The first that fits counts.
constexpr auto kKnown = std::to_array<Known>({
    {"whisper", Where::anywhere, "transcription"},
    {"transcribe", Where::anywhere, "transcription"},
    {"tts", Where::anywhere, "speech"},
    {"kokoro", Where::anywhere, "speech"},
    {"rerank", Where::anywhere, "rerank"},
    {"embed", Where::anywhere, "embedding"},
    {"minilm", Where::anywhere, "embedding"},
    {"bge-", Where::part, "embedding"},
    {"gte-", Where::part, "embedding"},
    {"e5-", Where::part, "embedding"},
    {"dall-e", Where::part, "image"},
    {"gpt-image", Where::part, "image"},
    {"sora", Where::part, "video"},
    {"omni-moderation", Where::part, "moderation"},
    {"text-moderation", Where::part, "moderation"},
    {"realtime", Where::part, "realtime"},
    // Of /v1/completions alone. Others' "-instruct" models chat.
    {"gpt-3.5-turbo-instruct", Where::part, "completion"},
    {"davinci-002", Where::whole, "completion"},
    {"babbage-002", Where::whole, "completion"},
});

bool starts_part(std::string_view name, std::size_t at) {
  return at == 0 || std::string_view("/-_:").find(name[at - 1]) != std::string_view::npos;
}

bool fits(std::string_view name, const Known& known) {
  if (known.where == Where::whole) return name == known.word;
  for (auto at = name.find(known.word); at != std::string_view::npos;
       at = name.find(known.word, at + 1)) {
    if (known.where == Where::anywhere || starts_part(name, at)) return true;
  }
  return false;
}

}  // namespace

std::string task_by_name(std::string_view id) {
  const std::string name = lower_ascii(id);
  const auto found = std::find_if(kKnown.begin(), kKnown.end(),
                                  [&](const Known& known) { return fits(name, known); });
  return found == kKnown.end() ? "chat" : std::string(found->task);
}

}  // namespace mainstay::models
