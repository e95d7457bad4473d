// What `config show` prints, and what differs between two snapshots.
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

class Show : public Setup {};

TEST_F(Show, every_value_has_its_default_and_origin) {
  toml("[server]\nbody_max = \"2MiB\"\n");
  const Json all = show(loaded());
  EXPECT_EQ(all["server.body_max"]["value"], "2MiB");
  EXPECT_EQ(all["server.body_max"]["default"], "10MiB");
  EXPECT_EQ(all["server.body_max"]["origin"], here(2));
  EXPECT_EQ(all["server.headers_max"]["value"], 100);
  EXPECT_EQ(all["server.headers_max"]["origin"], "default");
}

TEST_F(Show, secrets_and_passwords_in_addresses_print_as_stars) {
  toml(
      "storage.redis_url = \"redis://me:s3cret-1@h:6379/0\"\n"
      "auth.keys = [\"s3cret-2\", \"s3cret-3\"]\n"
      "[[providers]]\nname = \"p\"\nkind = \"openai\"\napi_key = \"s3cret-4\"\n");
  const Json all = show(loaded());
  EXPECT_EQ(dump(all).find("s3cret"), std::string::npos) << dump(all);
  EXPECT_EQ(all["auth.keys"]["value"], (Json{"****", "****"}));
  EXPECT_EQ(all["providers.p.api_key"]["value"], "****");
  EXPECT_EQ(all["storage.redis_url"]["value"], "redis://me:****@h:6379/0");
}

TEST_F(Show, passwords_of_any_signs_print_as_stars) {
  for (const char* words : {":Ab/s3cret+cd=", "me:s3?cret#/s3cret", "s3cret", ":s3cret@s3cret"}) {
    toml("storage.redis_url = \"redis://" + std::string(words) + "@h:6379/0\"\n");
    const Json all = show(loaded());
    EXPECT_EQ(dump(all).find("s3cret"), std::string::npos) << dump(all["storage.redis_url"]);
  }
}

TEST_F(Show, differences_name_providers_and_routes_and_never_values) {
  Settings a;
  Settings b;
  a.providers = {{.name = "gone"}, {.name = "same", .concurrent_max = 5}};
  b.providers = {{.name = "same", .concurrent_max = 5}, {.name = "new"}};
  b.providers[0].api_key = Secret("s3cret");
  a.routes = {{.model = "r", .candidates = {{.provider = "x", .weight = 1}}}};
  b.routes = {{.model = "r", .candidates = {{.provider = "x", .weight = 2}}}};
  b.auth.keys = {Secret("k")};
  EXPECT_EQ(differences(a, b),
            (std::vector<std::string>{"auth.keys", "providers.gone", "providers.same.api_key",
                                      "providers.new", "routes.r"}));
  EXPECT_TRUE(differences(b, b).empty());
}

TEST_F(Show, secrets_given_to_the_process_of_a_host_are_stars) {
  Loaded shown;
  HostSettings host;
  host.name = "llama";
  host.environment = {"HF_TOKEN=hf_canary", "EMPTY="};
  host.arguments = {"--api-key", "sk-canary", "--hf-token=hf_canary", "--max-tokens", "100",
                    "--API-KEY", "--verbose"};
  shown.settings.hosts = {host};
  const Json all = show(shown);
  EXPECT_EQ(all["hosts.llama.environment"]["value"],
            *parse_json(R"(["HF_TOKEN=****","EMPTY=****"])"));
  EXPECT_EQ(all["hosts.llama.arguments"]["value"],
            *parse_json(R"(["--api-key","****","--hf-token=****",
                            "--max-tokens","100","--API-KEY","--verbose"])"));
}

}  // namespace
}  // namespace mainstay::config
