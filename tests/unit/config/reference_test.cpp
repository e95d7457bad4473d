// The generated documents are true. MAINSTAY_REGENERATE=1 writes them anew.
#include <sstream>

#include "config/table.h"
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

std::string file_text(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

void expect_file(const std::string& name, const std::string& text) {
  const std::string path = std::string(MAINSTAY_SOURCE_DIR) + "/" + name;
  if (std::getenv("MAINSTAY_REGENERATE") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(file_text(path) == text, true)
      << name << " is not what the table says; run config_tests with MAINSTAY_REGENERATE=1";
}

TEST(reference, the_page_in_docs_is_the_tables) {
  expect_file("docs/configuration.md", reference_markdown());
}

TEST(reference, the_example_file_is_the_tables) {
  expect_file("mainstay.example.toml", reference_toml());
}

class Example : public Setup {};

TEST_F(Example, the_example_file_loads_as_it_is_and_changes_nothing) {
  sources.flags = {{"profile", "desktop"}};
  const Loaded plain = loaded();
  toml(reference_toml());
  EXPECT_EQ(differences(plain.settings, loaded().settings), std::vector<std::string>{});
}

TEST_F(Example, the_example_file_with_every_key_switched_on_holds_the_defaults) {
  std::istringstream lines(reference_toml());
  std::string text;
  bool arrays = false;
  for (std::string line; std::getline(lines, line);) {
    arrays = arrays || line == "#[[providers]]";
    const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    if (key && line.starts_with("#api_key_file")) continue;
    text += (key ? line.substr(1) : line) + "\n";
  }
  EXPECT_TRUE(arrays);
  toml(text);
  const Loaded all = loaded();
  EXPECT_EQ(differences(all.settings, Settings{}),
            (std::vector<std::string>{"providers.openai", "routes.fast", "hosts.llama"}));
  // Every row but api_key and a provider's host, six of a host's, and the four elements themselves.
  EXPECT_EQ(all.origin.size(), rows().size() + provider_rows().size() - 2 + route_rows().size() +
                                   candidate_rows().size() + 6 + 4);
}

TEST(reference, json_lists_every_key_with_type_default_and_sentence) {
  const Json all = reference_json();
  ASSERT_EQ(all["settings"].size(), rows().size());
  EXPECT_EQ(all["providers"].size(), provider_rows().size());
  for (const Json& one : all["settings"]) {
    EXPECT_FALSE(one["type"].get<std::string>().empty());
    EXPECT_FALSE(one["default"].is_null()) << one["key"];
    EXPECT_FALSE(one["says"].get<std::string>().empty());
  }
}

}  // namespace
}  // namespace mainstay::config
