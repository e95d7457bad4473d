// Files, layers, problems and cross-checks.
#include "config/load.h"

#include "unit/config/support.h"

namespace mainstay::config {
namespace {

class Load : public Setup {};

TEST_F(Load, nothing_configured_gives_the_defaults) {
  sources.flags = {{"profile", "desktop"}};
  const Loaded all = loaded();
  EXPECT_EQ(differences(all.settings, Settings{}),
            (std::vector<std::string>{"profile", "limits.users_max"}));
  EXPECT_EQ(all.file, "");
}

TEST_F(Load, layers_go_over_each_other_in_order_and_origins_tell) {
  sources.flags = {{"profile", "sbc"}, {"storage.batch_max", "44"}};
  sources.environment = {{"MAINSTAY_STORAGE__BATCH_MAX", "33"},
                         {"MAINSTAY_STORAGE__READ_QUEUE_MAX", "333"}};
  toml("[storage]\nreaders = 3\nbatch_max = 22\nread_queue_max = 222\n");
  const Loaded all = loaded();
  EXPECT_EQ(all.settings.storage.batch_max, 44u);
  EXPECT_EQ(all.settings.storage.read_queue_max, 333u);
  EXPECT_EQ(all.settings.storage.readers, 3u);
  EXPECT_EQ(all.settings.storage.reader_cache, 1_MiB);
  EXPECT_EQ(all.settings.storage.write_queue_max, 4096u);
  EXPECT_EQ(all.origin.at("storage.batch_max"), "--storage.batch_max");
  EXPECT_EQ(all.origin.at("storage.read_queue_max"), "MAINSTAY_STORAGE__READ_QUEUE_MAX");
  EXPECT_EQ(all.origin.at("storage.readers"), here(2));
  EXPECT_EQ(all.origin.at("storage.reader_cache"), "profile sbc");
  EXPECT_FALSE(all.origin.contains("storage.write_queue_max"));
  EXPECT_EQ(all.profile, "sbc");
}

TEST_F(Load, a_value_out_of_range_names_file_line_key_value_and_range) {
  toml("[server]\n\nthreads = 257\n");
  const auto one = problem();
  EXPECT_EQ(one.where, here(3));
  EXPECT_EQ(one.key, "server.threads");
  EXPECT_EQ(one.says, "must be a whole number from 0 to 256, not 257");
}

TEST_F(Load, no_two_listeners_share_an_address) {
  toml("[server]\nlisten = \"127.0.0.1:81\"\nadmin_listen = \"127.0.0.1:81\"\n");
  EXPECT_EQ(problem().says, "must differ from server.listen");
  toml("[server]\nhealth_listen = \"127.0.0.1:82\"\nadmin_listen = \"127.0.0.1:82\"\n");
  EXPECT_EQ(problem().key, "server.admin_listen");
  toml("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n");
  EXPECT_TRUE(problems().empty()) << "port 0 is another one each time";
}

TEST_F(Load, a_key_is_set_off_from_what_is_said_of_it) {
  sources.flags = {{"a", "1"}};
  auto result = load(sources);
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(result.error().message.starts_with("--a: a: there is no such setting"));
}

TEST_F(Load, a_misspelt_key_is_refused_with_the_nearest_name) {
  toml("[server]\nlisen = \"127.0.0.1:1\"\n");
  const auto one = problem();
  EXPECT_EQ(one.where, here(2));
  EXPECT_EQ(one.key, "server.lisen");
  EXPECT_NE(one.says.find("\"server.listen\""), std::string::npos) << one.says;
}

TEST_F(Load, tokens_need_an_issuer_an_audience_and_one_kind_of_key) {
  const std::string named = "[auth.jwt]\nissuer = \"i\"\naudience = \"a\"\n";
  toml(named + "secret = \"" + std::string(32, 's') + "\"\n");
  EXPECT_EQ(loaded().settings.auth.jwt.issuer, "i");
  toml(named + "secret = \"" + std::string(31, 's') + "\"\n");
  EXPECT_EQ(problem().key, "auth.jwt.secret");
  toml(named + "public_key = \"k.pem\"\njwks_url = \"https://i.example/keys\"\n");
  EXPECT_EQ(problem().key, "auth.jwt");
  toml("[auth.jwt]\naudience = \"a\"\npublic_key = \"k.pem\"\n");
  EXPECT_EQ(problem().key, "auth.jwt.issuer");
  toml("[auth.jwt]\nissuer = \"i\"\npublic_key = \"k.pem\"\n");
  EXPECT_EQ(problem().key, "auth.jwt.audience");
  toml(named + "public_key = \"k.pem\"\nscopes = [\"chat\", \"root\"]\n");
  EXPECT_EQ(problem().key, "auth.jwt.scopes");
  toml("[auth.jwt]\nissuer = \"i\"\naudience = \"a\"\n");
  EXPECT_EQ(problem().key, "auth.jwt.issuer") << "nobody would be asked for a token";
}

TEST_F(Load, an_origin_or_a_host_that_could_never_match_is_refused) {
  for (const char* origin : {"*", "https://a.example/", "a.example", "https://",
                             "HTTPS://a.example", "https://*.example", "https://u@a.example"}) {
    toml("server.cors_origins = [\"https://app.example\", \"" + std::string(origin) + "\"]\n");
    EXPECT_EQ(problem().key, "server.cors_origins") << origin;
  }
  toml("server.cors_origins = [\"http://[::1]:3000\", \"chrome-extension://abc\"]\n");
  EXPECT_TRUE(problems().empty());
  toml("server.allowed_hosts = [\"http://box\"]\n");
  EXPECT_EQ(problem().key, "server.allowed_hosts");
}

// `config show` prints secrets as stars, which are easily pasted back.
TEST_F(Load, a_secret_of_stars_is_refused) {
  toml("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"****\"\n");
  EXPECT_NE(problem().says.find("is no secret"), std::string::npos);
}

TEST_F(Load, a_name_that_is_taken_is_told_with_the_line_of_the_later_one) {
  const std::string provider = "[[providers]]\nname = \"a\"\nkind = \"ollama\"\n";
  toml(provider + provider);
  EXPECT_EQ(problem().where, here(4));
  const std::string route =
      "[[routes]]\nmodel = \"m\"\n[[routes.candidates]]\nprovider = \"a\"\nmodel = \"x\"\n";
  toml(provider + route + route);
  EXPECT_EQ(problem().where, here(9));
}

TEST_F(Load, a_misspelt_section_is_refused) {
  toml("[sever]\nlisten = \"127.0.0.1:1\"\n");
  EXPECT_NE(problem().says.find("\"server.listen\""), std::string::npos);
  toml("[server]\n[nonsense]\n");
  EXPECT_EQ(problem().key, "nonsense");
}

TEST_F(Load, a_section_given_as_a_value_is_refused) {
  const std::string given[][2] = {{"server", "server = 3\n"},
                                  {"models", "models = []\n"},
                                  {"limits", "[[limits]]\nenabled = true\n"},
                                  {"limits.user", "[[limits.user]]\nburst = 1\n"},
                                  {"server.websocket", "server.websocket = \"x\"\n"}};
  for (const auto& [key, text] : given) {
    toml(text);
    const Problem told = problem();
    EXPECT_EQ(told.where, here(1));
    EXPECT_EQ(told.key, key);
    EXPECT_EQ(told.says, "must be a section: [" + key + "] with its settings below it");
  }
  toml("");
  sources.environment["MAINSTAY_SERVER"] = "3";
  EXPECT_EQ(problem().where, "MAINSTAY_SERVER");
  EXPECT_NE(problem().says.find("is a section"), std::string::npos);
}

TEST_F(Load, a_table_or_a_list_given_as_a_value_is_refused_with_what_is_expected) {
  const std::string given[][3] = {
      {"log.level", "[log.level]\nx = 1\n", "not a table"},
      {"log.level", "[[log.level]]\nx = 1\n", "not a list of tables"},
      {"server.listen", "server.listen = [\"a\"]\n", "must be a text, not a list"},
      {"server.cors_origins", "[server.cors_origins]\nx = 1\n",
       "must be a list of texts, not a table"},
      {"server.cors_origins", "server.cors_origins = [{x = 1}]\n",
       "must be a list of texts, not a list of tables"}};
  for (const auto& [key, text, says] : given) {
    toml(text);
    const Problem told = problem();
    EXPECT_EQ(told.where, here(1)) << text;
    EXPECT_EQ(told.key, key);
    EXPECT_NE(told.says.find(says), std::string::npos) << told.says;
  }
}

TEST_F(Load, all_problems_of_all_layers_are_reported_at_once) {
  toml(
      "[server]\nbody_max = \"1B\"\nthreads = \"four\"\n[log]\nlevel = \"loud\"\nqueue_max = "
      "1.5\n");
  sources.environment = {{"MAINSTAY_SERVER__IDLE_TIMEOUT", "soon"}, {"MAINSTAY_NO_SUCH", "1"}};
  sources.flags = {{"server.listen", "nowhere"}, {"upstream.keepalive_max", "101"}};
  const auto all = problems();
  std::vector<std::string> keys;
  for (const auto& one : all) keys.push_back(one.key);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys,
            (std::vector<std::string>{"log.level", "log.queue_max", "no_such", "server.body_max",
                                      "server.idle_timeout", "server.listen", "server.threads",
                                      "upstream.keepalive_max"}));
  auto result = load(sources);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::invalid);
  EXPECT_EQ(result.error().reason, "invalid_config");
  const auto& text = result.error().message;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7) << text;
  EXPECT_NE(text.find(here(5) + ": log.level: must be one of debug, info, warn, error, off"),
            std::string::npos)
      << text;
}

TEST_F(Load, broken_toml_names_the_line) {
  toml("[server]\nlisten = \n");
  EXPECT_EQ(problem().where, here(2));
  toml("[log]\nlevel = \"info\"\nlevel = \"warn\"\n");
  EXPECT_EQ(problem().where, here(3));
  toml("a = \"\xff\"\n");
  EXPECT_EQ(problem().where, here(1));
}

TEST_F(Load, a_file_that_was_asked_for_must_be_there_and_be_a_file) {
  sources.file = scratch.path() + "/absent.toml";
  EXPECT_TRUE(problems().empty());
  sources.file_required = true;
  EXPECT_NE(problem().says.find("no such file"), std::string::npos);
  sources.file = scratch.path();
  EXPECT_NE(problem().says.find("not a regular file"), std::string::npos);
}

TEST_F(Load, files_up_to_one_mebibyte_are_read) {
  const std::string head = "log.level = \"warn\"\n#";
  for (const int extra : {-1, 0, 1}) {
    toml(head +
         std::string((1u << 20) - head.size() + static_cast<std::size_t>(extra + 1) - 1, 'x'));
    EXPECT_EQ(problems().size(), extra == 1 ? 1u : 0u) << extra;
  }
}

TEST_F(Load, the_usual_places_are_searched_in_order) {
  sources.file.clear();
  scratch.write("root/etc/mainstay/mainstay.toml", "storage.readers = 11\n");
  EXPECT_EQ(loaded().settings.storage.readers, 11u);
  sources.environment["HOME"] = scratch.path() + "/home";
  scratch.write("home/.config/mainstay/mainstay.toml", "storage.readers = 12\n");
  EXPECT_EQ(loaded().settings.storage.readers, 12u);
  sources.environment["XDG_CONFIG_HOME"] = scratch.path() + "/xdg";
  scratch.write("xdg/mainstay/mainstay.toml", "storage.readers = 13\n");
  EXPECT_EQ(loaded().settings.storage.readers, 13u);
  sources.environment["MAINSTAY_CONFIG"] = scratch.write("own.toml", "storage.readers = 14\n");
  EXPECT_EQ(loaded().settings.storage.readers, 14u);
}

TEST_F(Load, providers_and_routes_are_read_with_every_field) {
  toml(R"([[providers]]
name = "near"
kind = "ollama"
[[providers]]
name = "far"
kind = "openai"
base_url = "https://far.example/v1"
api_key = "k-far"
models = ["m1", "m2"]
default_model = "m2"
concurrent_max = 7
[[routes]]
model = "fast"
aliases = ["quick", "small"]
extractive_fallback = false
[[routes.candidates]]
provider = "far"
model = "m1"
weight = 3
order = 2
[[routes.candidates]]
provider = "mainstay"
model = "extractive"
)");
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.providers.size(), 2u);
  EXPECT_EQ(all.settings.providers[0].base_url, "http://127.0.0.1:11434");
  const auto& far = all.settings.providers[1];
  EXPECT_EQ(far.name, "far");
  EXPECT_EQ(far.kind, "openai");
  EXPECT_EQ(far.base_url, "https://far.example/v1");
  EXPECT_EQ(far.api_key.reveal(), "k-far");
  EXPECT_EQ(far.models, (std::vector<std::string>{"m1", "m2"}));
  EXPECT_EQ(far.default_model, "m2");
  EXPECT_EQ(far.concurrent_max, 7u);
  ASSERT_EQ(all.settings.routes.size(), 1u);
  const auto& route = all.settings.routes[0];
  EXPECT_EQ(route.model, "fast");
  EXPECT_EQ(route.aliases, (std::vector<std::string>{"quick", "small"}));
  EXPECT_FALSE(route.extractive_fallback);
  ASSERT_EQ(route.candidates.size(), 2u);
  EXPECT_EQ(route.candidates[0].provider, "far");
  EXPECT_EQ(route.candidates[0].model, "m1");
  EXPECT_EQ(route.candidates[0].weight, 3u);
  EXPECT_EQ(route.candidates[0].order, 2u);
  EXPECT_EQ(all.origin.at("providers.far.concurrent_max"), here(11));
}

TEST_F(Load, fields_that_an_element_needs_are_asked_for) {
  toml(
      "[[providers]]\nmodels = []\n[[routes]]\nmodel = \"x\"\n[[routes]]\n"
      "[[routes.candidates]]\nweight = 1\n");
  std::vector<std::string> keys;
  for (const auto& one : problems())
    keys.push_back(one.key + "@" + one.where.substr(one.where.rfind(':')));
  for (const char* key :
       {"providers.?.name@:1", "providers.?.kind@:1", "routes.x.candidates@:3", "routes.?.model@:5",
        "routes.?.candidates.1.provider@:6", "routes.?.candidates.1.model@:6"}) {
    EXPECT_NE(std::find(keys.begin(), keys.end(), key), keys.end()) << key;
  }
}

TEST_F(Load, an_unknown_field_of_a_provider_is_refused_with_the_nearest) {
  toml("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_kye = \"hidden\"\n");
  const auto one = problem();
  EXPECT_EQ(one.where, here(4));
  EXPECT_NE(one.says.find("providers.api_key"), std::string::npos);
}

TEST_F(Load, an_unknown_kind_of_provider_is_refused_with_the_known_ones) {
  toml("[[providers]]\nname = \"a\"\nkind = \"opnai\"\n");
  EXPECT_EQ(problem().says,
            "must be one of openai, ollama, gemini, anthropic, wyoming, not \"opnai\"");
}

TEST_F(Load, arrays_of_tables_given_as_something_else_are_refused) {
  toml("providers = [1, 2]\nroutes = \"x\"\n");
  EXPECT_EQ(problems().size(), 2u);
}

TEST_F(Load, a_candidate_must_name_a_known_provider) {
  toml(
      "[[providers]]\nname = \"ollama\"\nkind = \"ollama\"\n[[routes]]\nmodel = \"m\"\n"
      "[[routes.candidates]]\nprovider = \"olama\"\nmodel = \"x\"\n");
  const auto one = problem();
  EXPECT_EQ(one.where, here(7));
  EXPECT_EQ(one.key, "routes.m.candidates.1.provider");
  EXPECT_NE(one.says.find("did you mean \"ollama\""), std::string::npos);
}

TEST_F(Load, names_are_used_once) {
  toml(
      "[[providers]]\nname = \"a-b\"\nkind = \"openai\"\n[[providers]]\nname = \"A_b\"\n"
      "kind = \"openai\"\n");
  EXPECT_EQ(problem().key, "providers.A_b");
  toml(
      "[[routes]]\nmodel = \"m\"\naliases = [\"n\"]\n[[routes.candidates]]\n"
      "provider = \"mainstay\"\nmodel = \"x\"\n[[routes]]\nmodel = \"n\"\n"
      "[[routes.candidates]]\nprovider = \"mainstay\"\nmodel = \"x\"\n");
  EXPECT_EQ(problem().key, "routes.n");
}

TEST_F(Load, pairs_that_do_not_fit_are_refused_and_equal_ones_are_not) {
  const std::pair<const char*, const char*> fits[] = {
      {"upstream.connections_max = 20\nupstream.keepalive_max = 20", ""},
      {"upstream.connections_max = 19\nupstream.keepalive_max = 20", "upstream.keepalive_max"},
      {"models.breaker_window = 4\nmodels.breaker_calls_min = 4", ""},
      {"models.breaker_window = 4\nmodels.breaker_calls_min = 5", "models.breaker_calls_min"},
      {"models.retry_base = 30\nmodels.retry_cap = 30", ""},
      {"models.retry_base = 31\nmodels.retry_cap = 30", "models.retry_base"},
      {"models.breaker_open = 31\nmodels.breaker_open_max = 30", "models.breaker_open"},
      {"cache.entry_max = 100001\ncache.size_max = 100000", "cache.entry_max"},
      {"knowledge.chunk_tokens = 64\nknowledge.chunk_overlap_tokens = 63", ""},
      {"knowledge.chunk_tokens = 64\nknowledge.chunk_overlap_tokens = 64",
       "knowledge.chunk_overlap_tokens"},
      {"server.tls_key = \"k.pem\"", "server.tls_key"},
      {"server.tls_certificate = \"c.pem\"", "server.tls_certificate"},
      {"server.tls_certificate = \"c.pem\"\nserver.tls_key = \"k.pem\"", ""},
      {"server.listen = \"h:1\"\nserver.health_listen = \"h:1\"", "server.health_listen"},
  };
  for (const auto& [text, key] : fits) {
    toml(text);
    if (*key == '\0') {
      EXPECT_TRUE(problems().empty()) << text;
    } else {
      EXPECT_EQ(problem().key, key) << text;
    }
  }
}

TEST_F(Load, a_reload_that_fails_says_why_and_one_that_works_gives_the_new_values) {
  toml("log.level = \"warn\"\n");
  const Loaded before = loaded();
  toml("log.level = \"loud\"\n");
  EXPECT_FALSE(reload(sources).ok());
  toml("log.level = \"debug\"\nstorage.readers = 5\n");
  auto after = reload(sources);
  ASSERT_TRUE(after.ok());
  const auto changed = differences(before.settings, after->settings);
  EXPECT_EQ(changed, (std::vector<std::string>{"storage.readers", "log.level"}));
  EXPECT_TRUE(needs_restart("storage.readers"));
  EXPECT_FALSE(needs_restart("log.level"));
  EXPECT_TRUE(needs_restart("no.such.key"));
}

TEST_F(Load, hosts_are_read_and_give_their_providers_an_address) {
  toml(R"([[hosts]]
name = "llama"
command = "llama-server"
arguments = ["--port", "{port}"]
port = 8123
memory = "6GiB"
idle_timeout = "5m"
[[providers]]
name = "a"
kind = "openai"
host = "llama"
[[providers]]
name = "b"
kind = "ollama"
host = "llama"
[[providers]]
name = "c"
kind = "wyoming"
host = "llama"
[[providers]]
name = "d"
kind = "openai"
host = "llama"
base_url = "http://127.0.0.1:8123/other"
)");
  const Loaded all = loaded();
  ASSERT_EQ(all.settings.hosts.size(), 1u);
  EXPECT_EQ(all.settings.hosts[0].arguments, (std::vector<std::string>{"--port", "{port}"}));
  EXPECT_EQ(all.settings.hosts[0].memory, 6_GiB);
  EXPECT_EQ(all.settings.hosts[0].idle_timeout, std::chrono::minutes(5));
  std::vector<std::string> urls;
  for (const auto& provider : all.settings.providers) urls.push_back(provider.base_url);
  EXPECT_EQ(urls,
            (std::vector<std::string>{"http://127.0.0.1:8123/v1", "http://127.0.0.1:8123",
                                      "tcp://127.0.0.1:8123", "http://127.0.0.1:8123/other"}));
}

TEST_F(Load, a_query_in_a_providers_address_is_refused) {
  const std::string head = "[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = ";
  for (const char* url : {"https://x.example/v1?api-version=3", "https://x.example/v1#part"}) {
    toml(head + "\"" + url + "\"\n");
    EXPECT_EQ(problem().key, "providers.a.base_url") << url;
    EXPECT_EQ(problem().says.find("api-version"), std::string::npos) << "may hold a secret";
  }
  toml(head + "\"https://x.example/v1\"\n");
  EXPECT_TRUE(problems().empty());
}

TEST_F(Load, hosts_must_have_a_name_a_command_and_a_port_of_their_own) {
  toml("[[hosts]]\nname = \"a\"\n");
  const auto missing = check(sources);
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0].key, "hosts.a.command");
  EXPECT_EQ(missing[1].key, "hosts.a.port");
  const std::string one = "command = \"x\"\nport = 8123\n";
  toml("[[hosts]]\nname = \"a\"\n" + one + "[[hosts]]\nname = \"b\"\n" + one);
  EXPECT_EQ(problem().key, "hosts.b.port");
  toml("[[hosts]]\nname = \"a\"\n" + one + "environment = [\"X\"]\n");
  EXPECT_EQ(problem().key, "hosts.a.environment");
  toml("[[hosts]]\nname = \"a\"\n" + one + "ready_path = \"health\"\n");
  EXPECT_EQ(problem().key, "hosts.a.ready_path");
  toml("[[hosts]]\nname = \"llama\"\n" + one +
       "[[providers]]\nname = \"p\"\nkind = \"openai\"\nhost = \"lama\"\n");
  EXPECT_EQ(problem().key, "providers.p.host");
  EXPECT_NE(problem().says.find("llama"), std::string::npos);
}

TEST_F(Load, a_slip_in_the_port_of_a_hosts_arguments_is_told_and_nothing_else_in_braces) {
  const std::string one = "[[hosts]]\nname = \"a\"\ncommand = \"x\"\nport = 8123\narguments = ";
  for (const char* slip : {"{prot}", "--port={prot}", "{port}{ptor}"}) {
    toml(one + "[\"" + slip + "\"]\n");
    EXPECT_EQ(problem().key, "hosts.a.arguments") << slip;
    EXPECT_NE(problem().says.find("{port}"), std::string::npos);
  }
  for (const char* fine :
       {"['{\"a\":1}']", "['{\"prot\":1}']", "['{port}', '{part}']", "['exec x ${prot}']",
        "['{{prot}}']", "['{host} {messages}']", "['{}', '{', '}{']", "['{prot ']"}) {
    toml(one + fine + "\n");
    EXPECT_TRUE(problems().empty()) << fine;
  }
}

TEST(hosts, other_hosts_wait_for_a_restart) {
  Settings boot;
  boot.hosts = {{.name = "a", .command = "x"}};
  Settings next = boot;
  next.hosts[0].command = "y";
  next.hosts.push_back({.name = "b"});
  EXPECT_EQ(differences(boot, next), (std::vector<std::string>{"hosts.a", "hosts.b"}));
  EXPECT_TRUE(needs_restart("hosts.a"));
  const auto kept = keep_until_restart(next, boot);
  EXPECT_EQ(kept.size(), 2u);
  EXPECT_TRUE(differences(boot, next).empty());
}

}  // namespace
}  // namespace mainstay::config
