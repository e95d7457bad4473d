// Secrets in files and credentials, and the variables of other programs.
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

class Environment : public Setup {};

std::vector<std::string> revealed(const Settings& settings) {
  std::vector<std::string> out;
  for (const auto& key : settings.auth.keys) out.push_back(key.reveal());
  return out;
}

const ProviderSettings* provider(const Loaded& all, const std::string& name) {
  for (const auto& one : all.settings.providers) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

TEST_F(Environment, an_unknown_variable_is_refused_with_the_nearest_variable) {
  sources.environment = {{"MAINSTAY_SERVER__LISTENN", "h:1"}, {"OTHER_SERVER__LISTENN", "h:1"}};
  const auto one = problem();
  EXPECT_EQ(one.where, "MAINSTAY_SERVER__LISTENN");
  EXPECT_NE(one.says.find("did you mean MAINSTAY_SERVER__LISTEN?"), std::string::npos) << one.says;
}

TEST_F(Environment, the_clients_own_key_is_no_setting) {
  sources.environment = {{"MAINSTAY_API_KEY", "k"}};
  EXPECT_TRUE(problems().empty());
}

TEST_F(Environment, secrets_are_read_from_files_one_a_line) {
  sources.environment = {{"MAINSTAY_AUTH__KEYS_FILE", scratch.write("keys", "k-1\r\n\n k-2 \n")}};
  const Loaded all = loaded();
  EXPECT_EQ(revealed(all.settings), (std::vector<std::string>{"k-1", "k-2"}));
  EXPECT_EQ(all.origin.at("auth.keys"), "MAINSTAY_AUTH__KEYS_FILE");
}

TEST_F(Environment, a_providers_key_is_read_from_a_file) {
  toml("[[providers]]\nname = \"p\"\nkind = \"openai\"\napi_key_file = \"" +
       scratch.write("key", "sk-file\n") + "\"\n");
  EXPECT_EQ(provider(loaded(), "p")->api_key.reveal(), "sk-file");
}

TEST_F(Environment, a_secret_file_that_is_missing_empty_or_too_large_is_a_problem) {
  sources.environment = {{"MAINSTAY_AUTH__KEYS_FILE", scratch.path() + "/none"}};
  EXPECT_NE(problem().says.find("no such file"), std::string::npos);
  sources.environment = {{"MAINSTAY_PROVIDERS__OPENAI__API_KEY_FILE", scratch.write("e", "\n")}};
  EXPECT_EQ(problem().key, "providers.openai.api_key_file");
  EXPECT_NE(problem().says.find("is empty"), std::string::npos);
  sources.environment = {{"MAINSTAY_AUTH__KEYS_FILE", scratch.write("keys", " \n")}};
  EXPECT_NE(problem().says.find("is empty"), std::string::npos);
  sources.environment = {
      {"MAINSTAY_AUTH__KEYS_FILE", scratch.write("big", std::string(65537, 'k'))}};
  EXPECT_NE(problem().says.find("larger than 65536"), std::string::npos);
}

TEST_F(Environment, only_secrets_have_a_file_form) {
  sources.environment = {{"MAINSTAY_SERVER__LISTEN_FILE", "/etc/hostname"}};
  EXPECT_EQ(problem().key, "server.listen_file");
}

TEST_F(Environment, systemd_credentials_are_taken_below_variables) {
  scratch.write("creds/auth.keys", "from-systemd\n");
  scratch.write("creds/providers.openai.api_key", "sk-systemd\n");
  scratch.write("creds/other.program", "ignored");
  scratch.write("creds/server.listen", "not a secret: ignored");
  sources.environment = {{"CREDENTIALS_DIRECTORY", scratch.path() + "/creds"}};
  Loaded all = loaded();
  EXPECT_EQ(revealed(all.settings), (std::vector<std::string>{"from-systemd"}));
  EXPECT_EQ(all.origin.at("auth.keys"), "credential auth.keys");
  EXPECT_EQ(provider(all, "openai")->api_key.reveal(), "sk-systemd");
  sources.environment["MAINSTAY_AUTH__KEYS"] = "from-variable";
  EXPECT_EQ(revealed(loaded().settings), (std::vector<std::string>{"from-variable"}));
}

TEST_F(Environment, a_refused_secret_is_never_repeated) {
  toml("[auth]\nkeys = \"s3cret-text\"\n");
  EXPECT_EQ(problem().says.find("s3cret"), std::string::npos);
  toml("[auth]\nkeys = [\"s3cret\\u0007\"]\n");
  EXPECT_EQ(problem().says.find("s3cret"), std::string::npos);
}

TEST_F(Environment, a_variable_sets_a_field_of_a_configured_provider) {
  toml("[[providers]]\nname = \"My-AI\"\nkind = \"openai\"\nbase_url = \"http://h:1/v1\"\n");
  sources.environment = {{"MAINSTAY_PROVIDERS__MY_AI__API_KEY", "k-env"},
                         {"MAINSTAY_PROVIDERS__MY_AI__CONCURRENT_MAX", "9"}};
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.providers.size(), 1u);
  EXPECT_EQ(all.settings.providers[0].api_key.reveal(), "k-env");
  EXPECT_EQ(all.settings.providers[0].concurrent_max, 9u);
}

TEST_F(Environment, a_provider_made_by_variables_needs_a_kind_unless_its_name_is_one) {
  sources.environment = {{"MAINSTAY_PROVIDERS__OLLAMA__CONCURRENT_MAX", "3"}};
  EXPECT_EQ(provider(loaded(), "ollama")->base_url, "http://127.0.0.1:11434");
  sources.environment = {{"MAINSTAY_PROVIDERS__MINE__BASE_URL", "http://h:1"}};
  EXPECT_EQ(problem().key, "providers.mine.kind");
}

TEST_F(Environment, keys_that_users_already_have_add_providers) {
  sources.environment = {{"OPENAI_API_KEY", "sk-o"},
                         {"ANTHROPIC_API_KEY", "sk-a"},
                         {"GEMINI_API_KEY", "sk-g"},
                         {"OLLAMA_HOST", "box"}};
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.providers.size(), 4u);
  const std::tuple<const char*, const char*, const char*> expected[] = {
      {"openai", "https://api.openai.com/v1", "sk-o"},
      {"anthropic", "https://api.anthropic.com", "sk-a"},
      {"gemini", "https://generativelanguage.googleapis.com", "sk-g"},
      {"ollama", "http://box:11434", ""}};
  for (const auto& [name, url, key] : expected) {
    const auto* one = provider(all, name);
    ASSERT_NE(one, nullptr) << name;
    EXPECT_EQ(one->kind, name);
    EXPECT_EQ(one->base_url, url);
    EXPECT_EQ(one->api_key.reveal(), key);
  }
  EXPECT_EQ(all.origin.at("providers.openai.api_key"), "OPENAI_API_KEY");
  EXPECT_EQ(all.origin.at("providers.ollama.base_url"), "OLLAMA_HOST");
}

TEST_F(Environment, a_base_url_alone_adds_openai_and_empty_variables_add_nothing) {
  sources.environment = {{"OPENAI_BASE_URL", "http://127.0.0.1:9/v1"},
                         {"ANTHROPIC_API_KEY", ""},
                         {"OLLAMA_HOST", " "}};
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.providers.size(), 1u);
  EXPECT_EQ(all.settings.providers[0].base_url, "http://127.0.0.1:9/v1");
  EXPECT_EQ(all.origin.at("providers.openai.base_url"), "OPENAI_BASE_URL");
}

TEST_F(Environment, a_configured_provider_of_the_name_is_left_alone) {
  toml("[[providers]]\nname = \"openai\"\nkind = \"openai\"\nbase_url = \"http://own:1/v1\"\n");
  sources.environment = {{"OPENAI_API_KEY", "sk-must-not-go-there"}};
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.providers.size(), 1u);
  EXPECT_EQ(all.settings.providers[0].api_key.reveal(), "");
}

TEST_F(Environment, a_bad_address_of_another_program_is_named) {
  sources.environment = {{"OPENAI_BASE_URL", "nonsense"}};
  EXPECT_EQ(problem().where, "OPENAI_BASE_URL");
}

TEST_F(Environment, ollama_host_is_read_in_all_its_forms) {
  const std::pair<const char*, const char*> forms[] = {
      {"box", "http://box:11434"},           {"box:99", "http://box:99"},
      {":99", "http://127.0.0.1:99"},        {"0.0.0.0", "http://127.0.0.1:11434"},
      {"0.0.0.0:99", "http://127.0.0.1:99"}, {"http://0.0.0.0:99/", "http://127.0.0.1:99"},
      {"http://box", "http://box"},          {"https://box/sub/", "https://box/sub"},
      {"[::1]:99", "http://[::1]:99"},       {"[::]:99", "http://[::1]:99"},
      {"::1", "http://[::1]:11434"},
  };
  for (const auto& [given, url] : forms) {
    sources.environment = {{"OLLAMA_HOST", given}};
    const Loaded all = loaded();
    ASSERT_EQ(all.settings.providers.size(), 1u) << given;
    EXPECT_EQ(all.settings.providers[0].base_url, url) << given;
  }
}

TEST_F(Environment, the_process_environment_is_read) {
  ::setenv("MAINSTAY_TEST_PROBE", "a=b", 1);
  EXPECT_EQ(process_environment().at("MAINSTAY_TEST_PROBE"), "a=b");
  ::unsetenv("MAINSTAY_TEST_PROBE");
}

}  // namespace
}  // namespace mainstay::config
