// The table against settings.h and against its own bounds; every key through every layer.
#include "config/table.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/text.h"
#include "config/loader.h"
#include "config/units.h"
#include "unit/config/support.h"

namespace mainstay::config {
namespace {

struct Field {
  std::string type;
  std::string name;
};

/// Struct name -> fields, read from the text of settings.h and of settings_*.h beside it.
std::map<std::string, std::vector<Field>> header_structs() {
  std::stringstream in;
  for (const auto& entry : std::filesystem::directory_iterator(MAINSTAY_SOURCE_DIR "/src/config")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("settings") && name.ends_with(".h")) {
      in << std::ifstream(entry.path()).rdbuf();
    }
  }
  std::map<std::string, std::vector<Field>> out;
  std::string current;
  const std::regex start(R"(^struct (\w+) \{)");
  const std::regex field(R"(^  ([\w:<>]+) (\w+)\s*(=|\{|;).*)");
  const std::regex type_alone(R"(^  [\w:<>]+$)");
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::string rest; std::regex_match(line, type_alone) && std::getline(in, rest)) {
      line += " " + std::string(trim(rest));  // a declaration that the formatter broke
    }
    if (std::regex_search(line, match, start)) current = match[1];
    if (line.starts_with("};")) current.clear();
    if (!current.empty() && std::regex_match(line, match, field)) {
      out[current].push_back({match[1], match[2]});
    }
  }
  return out;
}

void keys_of(const std::map<std::string, std::vector<Field>>& structs, const std::string& name,
             const std::string& prefix, std::set<std::string>& out) {
  for (const Field& field : structs.at(name)) {
    if (structs.contains(field.type)) {
      keys_of(structs, field.type, prefix + field.name + ".", out);
    } else if (field.type.find("Settings>") == std::string::npos) {
      out.insert(prefix + field.name);
    }
  }
}

std::set<std::string> table_keys(std::span<const Row> table) {
  std::set<std::string> out;
  for (const Row& row : table) EXPECT_TRUE(out.insert(row.key).second) << row.key;
  return out;
}

TEST(table, has_one_row_for_each_field_of_the_header_and_no_other) {
  const auto structs = header_structs();
  ASSERT_GE(structs.size(), 14u);
  const std::pair<const char*, std::span<const Row>> pairs[] = {
      {"Settings", rows()},
      {"ProviderSettings", provider_rows()},
      {"RouteSettings", route_rows()},
      {"CandidateSettings", candidate_rows()}};
  for (const auto& [name, table] : pairs) {
    std::set<std::string> fields;
    keys_of(structs, name, "", fields);
    EXPECT_EQ(table_keys(table), fields) << name;
  }
}

TEST(table, no_two_rows_share_a_place) {
  Settings settings;
  std::set<const void*> places;
  for (const Row& row : rows()) {
    const void* place = std::visit([](auto* p) -> const void* { return p; }, row.slot(&settings));
    EXPECT_TRUE(places.insert(place).second) << row.key;
  }
}

TEST(table, every_row_has_a_sentence_and_a_default_that_its_own_bounds_accept) {
  Settings settings;
  for (const Row& row : rows()) {
    const std::string says = row.says;
    EXPECT_TRUE(says.ends_with(".") && says.size() > 15) << row.key;
    if (is_secret(row)) continue;
    auto value = parse_json(toml_value(row, &settings));
    ASSERT_TRUE(value.ok()) << row.key;
    const std::string text = value->is_string()  ? value->get<std::string>()
                             : value->is_array() ? ""
                                                 : dump(*value);
    EXPECT_EQ(assign(row, &settings, Words{text}), "") << row.key << " " << text;
  }
}

/// A value that the row accepts and that differs from the default, as a variable would hold it.
std::string other_value(const Row& row) {
  Settings settings;
  const std::string allowed = row.allowed;
  if (!allowed.empty()) {
    const std::string now = trim(toml_value(row, &settings)).data();
    const auto bar = allowed.find('|');
    const std::string first = allowed.substr(0, bar);
    if (now != "\"" + first + "\"") return first;
    return allowed.substr(bar + 1, allowed.find('|', bar + 1) - bar - 1);
  }
  struct Other {
    const Row& row;
    std::string operator()(std::string*) const {
      if (row.form == Form::host_port) return "127.0.0.3:4711";
      if (row.form == Form::http_url) return "http://proxy.example:3128";
      return "other-text";
    }
    std::string operator()(bool* v) const { return *v ? "false" : "true"; }
    std::string operator()(double* v) const { return fmt::format("{}", *v / 2); }
    std::string operator()(std::uint32_t* v) const { return std::to_string(*v + 1); }
    std::string operator()(Bytes* v) const { return std::to_string(v->value + 1); }
    std::string operator()(Millis* v) const { return std::to_string(v->count() + 1); }
    std::string operator()(std::vector<std::string>*) const {
      const std::string_view key = row.key;
      if (key == "server.cors_origins") return "https://one.example,http://127.0.0.1:3000";
      return key == "auth.jwt.scopes" ? "chat,jobs" : "one,two";
    }
    std::string operator()(Secret*) const {
      const bool webhook = std::string_view(row.key) == "jobs.webhooks.secret";
      return webhook ? "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                     : "s3cret-of-thirty-two-bytes-or-more";
    }
    std::string operator()(std::vector<Secret>*) const { return "s3cret-1,s3cret-2"; }
  };
  return std::visit(Other{row}, row.slot(&settings));
}

/// The same value as TOML.
std::string as_toml(const Row& row, const std::string& words) {
  Settings settings;
  EXPECT_EQ(assign(row, &settings, Words{words}), "") << row.key;
  if (!is_secret(row)) return toml_value(row, &settings);
  if (std::holds_alternative<Secret*>(row.slot(&settings))) return "\"" + words + "\"";
  std::string out = "[";
  for (const auto& item : parse_list(words)) out += (out == "[" ? "\"" : ", \"") + item + "\"";
  return out + "]";
}

class Layers : public Setup {
 protected:
  /// Keys that must be given together with it, and values for them.
  static std::vector<std::pair<std::string, std::string>> mates(const std::string& key) {
    if (key == "server.tls_key") return {{"server.tls_certificate", "mate"}};
    if (key == "server.tls_certificate") return {{"server.tls_key", "mate"}};
    if (key == "auth.jwt.jwks_url" || key == "auth.jwt.public_key" || key == "auth.jwt.secret") {
      return {{"auth.jwt.issuer", "mate"}, {"auth.jwt.audience", "mate"}};
    }
    if (key == "auth.jwt.issuer" || key == "auth.jwt.audience") {
      const std::string other = key == "auth.jwt.issuer" ? "audience" : "issuer";
      return {{"auth.jwt." + other, "mate"}, {"auth.jwt.public_key", "mate"}};
    }
    if (key == "resources.memory_hard" || key == "resources.descriptors_hard" ||
        key == "resources.gpu_hard") {
      return {{key.substr(0, key.size() - 4) + "soft", "0.2"}};
    }
    return {};
  }
  void expect_set(const Row& row, const std::string& origin) {
    auto result = load(sources);
    ASSERT_TRUE(result.ok()) << row.key << ": " << result.error().message;
    Settings expected;
    ASSERT_EQ(assign(row, &expected, Words{other_value(row)}), "");
    EXPECT_EQ(toml_value(row, &result->settings), toml_value(row, &expected)) << row.key;
    EXPECT_EQ(result->origin[row.key], origin);
    const auto changed = differences(result->settings, Settings{});
    EXPECT_NE(std::find(changed.begin(), changed.end(), row.key), changed.end()) << row.key;
  }
};

TEST_F(Layers, every_key_is_read_from_the_file) {
  for (const Row& row : rows()) {
    std::string text = fmt::format("{} = {}\n", row.key, as_toml(row, other_value(row)));
    for (const auto& [mate, value] : mates(row.key)) {
      text += mate + " = " + (value == "mate" ? "\"mate\"" : value) + "\n";
    }
    toml(text);
    expect_set(row, here(1));
  }
}

TEST_F(Layers, every_key_is_read_from_the_environment) {
  for (const Row& row : rows()) {
    sources.environment = {{variable_of(row.key), other_value(row)}};
    for (const auto& [mate, value] : mates(row.key)) {
      sources.environment[variable_of(mate)] = value;
    }
    expect_set(row, variable_of(row.key));
  }
}

TEST_F(Layers, every_key_but_secrets_is_read_from_a_flag) {
  for (const Row& row : rows()) {
    sources.flags = {{row.key, other_value(row)}};
    for (const auto& mate : mates(row.key)) sources.flags.push_back(mate);
    if (is_secret(row)) {
      const auto refused = problem();
      EXPECT_NE(refused.says.find(variable_of(row.key)), std::string::npos) << refused.says;
      EXPECT_EQ(refused.says.find("s3cret"), std::string::npos);
    } else {
      expect_set(row, std::string("--") + row.key);
    }
  }
}

/// Numbers of the row one below, at and one above each bound.
void expect_bounds(const Row& row, void* object, double step) {
  const auto [low, high] = row.range;
  const auto text = [](double v) {
    return v == std::floor(v) ? std::to_string(static_cast<std::int64_t>(v)) : fmt::format("{}", v);
  };
  EXPECT_EQ(assign(row, object, Words{text(low)}), "") << row.key;
  EXPECT_EQ(assign(row, object, Words{text(low + step)}), "") << row.key;
  EXPECT_EQ(assign(row, object, Words{text(high)}), "") << row.key;
  EXPECT_EQ(assign(row, object, Words{text(high - step)}), "") << row.key;
  const std::string kept = toml_value(row, object);
  for (const double outside : {low - step, high + step}) {
    const std::string says = assign(row, object, Words{text(outside)});
    EXPECT_NE(says.find(bounds_of(row)), std::string::npos) << row.key << ": " << says;
    EXPECT_NE(says.find(text(outside)), std::string::npos) << row.key << ": " << says;
  }
  EXPECT_EQ(toml_value(row, object), kept) << "a refused value changes nothing: " << row.key;
}

TEST(table, numbers_are_accepted_at_their_bounds_and_refused_one_beyond) {
  Settings settings;
  ProviderSettings provider;
  CandidateSettings candidate;
  const auto all = [](std::span<const Row> table, void* object) {
    int count = 0;
    for (const Row& row : table) {
      const auto type = type_of(row);
      if (type == "integer" || type == "size" || type == "duration") {
        expect_bounds(row, object, 1);
        ++count;
      }
      if (type == "number") expect_bounds(row, object, 0.001), ++count;
    }
    return count;
  };
  EXPECT_GT(all(rows(), &settings), 60);
  EXPECT_EQ(all(provider_rows(), &provider), 5);
  EXPECT_EQ(all(candidate_rows(), &candidate), 2);
}

TEST(table, texts_are_bounded_at_their_length) {
  Settings settings;
  const Row& row = *find_row("models.default_model");
  EXPECT_EQ(assign(row, &settings, std::string(255, 'a')), "");
  EXPECT_EQ(assign(row, &settings, std::string(256, 'b')), "");
  EXPECT_NE(assign(row, &settings, std::string(257, 'c')), "");
  EXPECT_NE(assign(row, &settings, std::string()), "");
  EXPECT_EQ(settings.models.default_model, std::string(256, 'b'));
}

TEST(table, lists_are_bounded_at_their_length) {
  Settings settings;
  const Row& row = *find_row("server.allowed_hosts");
  for (const std::size_t size : {999u, 1000u}) {
    EXPECT_EQ(assign(row, &settings, std::vector<std::string>(size, "h")), "");
    EXPECT_EQ(settings.server.allowed_hosts.size(), size);
  }
  EXPECT_NE(assign(row, &settings, std::vector<std::string>(1001, "h")), "");
  EXPECT_EQ(settings.server.allowed_hosts.size(), 1000u);
}

TEST(table, a_file_is_strict_about_types) {
  Settings settings;
  EXPECT_NE(assign(*find_row("log.queue_max"), &settings, std::string("100")), "");
  EXPECT_NE(assign(*find_row("log.requests"), &settings, std::string("true")), "");
  EXPECT_NE(assign(*find_row("log.requests"), &settings, std::int64_t{1}), "");
  EXPECT_NE(assign(*find_row("server.threads"), &settings, 2.0), "");
  EXPECT_NE(assign(*find_row("log.sink"), &settings, std::int64_t{3}), "");
  EXPECT_NE(assign(*find_row("models.retry_budget_ratio"), &settings, std::nan("")), "");
  EXPECT_EQ(assign(*find_row("models.retry_budget_ratio"), &settings, std::int64_t{1}), "");
}

TEST(table, texts_with_control_characters_or_bad_utf8_are_refused_and_shown_escaped) {
  Settings settings;
  const Row& row = *find_row("log.sink");
  const std::string says = assign(row, &settings, std::string("a\x1b[31mb"));
  EXPECT_NE(says, "");
  EXPECT_EQ(says.find('\x1b'), std::string::npos);
  EXPECT_NE(assign(row, &settings, std::string("\xff\xfe")), "");
}

}  // namespace
}  // namespace mainstay::config
