// uses: models
// Any bytes as a chat body: parse_chat() and the scanners behind it never leave their text, and
// what is accepted stays JSON through every edit.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "models/cache_key.h"
#include "models/chat.h"

using namespace mainstay;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // The scanners alone, on bytes that no parser has seen.
  const auto members = models::top_level(text);
  std::size_t before = 0;
  for (const auto& member : members) {
    CHECK(before <= member.begin && member.begin < member.value_begin);
    CHECK(member.value_begin <= member.end && member.end <= text.size());
    before = member.end;
    (void)models::decode_escapes(member.key);
  }
  std::vector<models::Edit> edits;
  edits.push_back({"model", "\"edited\""});
  edits.push_back({"user", ""});
  const std::string spliced = models::splice(text, members, edits);
  auto parsed = models::parse_chat(text, LimitSettings{}, "auto");
  if (!parsed.ok()) return 0;
  CHECK(parse_json(spliced).ok());
  auto& request = parsed->request;
  auto again = parse_json(request.body);
  CHECK(again.ok() && again->is_object());
  CHECK(models::find_member(request.members, "conversation") == nullptr);
  for (const auto& member : request.members) {
    CHECK(parse_json(member.value(request.body)).ok());
  }
  const std::string edited = models::splice(request.body, request.members, edits);
  auto tree = parse_json(edited);
  CHECK(tree.ok() && (*tree)["model"] == "edited" && !tree->contains("user"));
  (void)models::cache_key(request);
  return 0;
}
