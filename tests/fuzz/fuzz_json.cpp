// Fuzz target: outside bytes as JSON. What is read must survive writing and reading again.
// uses: base
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"

using mainstay::Json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  auto tree = mainstay::parse_json(text);
  auto element = mainstay::read_json(std::string(text));
  CHECK(tree.ok() == element.ok());  // one parser, two ways in
  if (tree.ok()) {
    const std::string once = mainstay::dump(*tree);
    auto again = mainstay::parse_json(once);
    CHECK(again.ok());
    CHECK(mainstay::dump(*again) == once);
  }

  // Any bytes become a JSON string that reads back as itself when they were valid UTF-8.
  std::string quoted;
  mainstay::append_json_string(quoted, text);
  auto read = mainstay::parse_json(quoted);
  if (read.ok()) {
    CHECK(read->is_string());
    CHECK(read->get_ref<const std::string&>() == text);
  }
  return 0;
}
