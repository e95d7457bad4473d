// Bodies of POST /v1/responses, and chunks of models on their way into a Response: whatever bytes
// come, an answer or an error, and every refusal has a code.
// uses: api storage_memory
#include <algorithm>
#include <cstdint>
#include <string>

#include "api/response_order.h"
#include "api/response_writer.h"
#include "base/check.h"

using namespace mainstay;

namespace {

void read_order(const std::string& text) {
  auto order = api::response_order(text);
  if (!order.ok()) {
    CHECK(!order.error().reason.empty());
    return;
  }
  auto parsed = models::parse_chat(order->chat, LimitSettings{}, "auto");
  if (parsed.ok()) return;
  const Error error = api::in_words_of_responses(parsed.error(), order->origins);
  CHECK(!error.reason.empty() && error.field.find("messages[") != 0);
}

/// One chunk for each line.
void write_response(const std::string& text) {
  api::ResponseWriter writer({{"id", "resp_1"}}, true);
  writer.begin();
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (!writer.add(text.substr(at, end - at)).ok()) {
      writer.fail(Error::log(Errc::bad_upstream, "no chunk"));
      CHECK(writer.take_events().ends_with("\n\n"));
      return;
    }
    at = end + 1;
  }
  writer.finish({}, {});
  for (const auto& item : writer.response()["output"]) CHECK(item["status"] != "in_progress");
  CHECK(writer.take_events().ends_with("\n\n"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_order(text);
  write_response(text);
  api::ResponseWriter whole({{"id", "resp_2"}}, false);
  if (whole.add_whole(text).ok()) whole.finish({}, {});
  return 0;
}
