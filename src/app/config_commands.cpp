// mainstay config check, show, reference; and how every command loads its settings.
#include <cstdio>

#include "api/status.h"
#include "app/commands.h"
#include "app/settings_check.h"

namespace mainstay::app {

config::Sources sources_of(const Common& common) {
  config::Sources sources;
  sources.file = common.config_file;
  sources.file_required = !common.config_file.empty();
  sources.environment = config::process_environment();
  sources.flags = common.flags;
  return sources;
}

std::optional<config::Loaded> load_settings(const Common& common) {
  auto loaded = config::load(sources_of(common));
  if (loaded.ok()) return std::move(*loaded);
  print_error(common, loaded.error());
  return std::nullopt;
}

void print_error(const Common& common, const Error& error) {
  if (common.json) {
    std::printf("%s\n", api::error_json(error).c_str());
    return;
  }
  std::string text = error.message;
  if (text.empty()) text = std::string(name(error.code)) + ": " + error.detail;
  std::fprintf(stderr, "mainstay: %s\n", text.c_str());
}

Exit fail(const Common& common, const Error& error) {
  print_error(common, error);
  return exit_for(error);
}

namespace {

/// Those of the settings alone; when there are none, those that a start would find.
std::vector<config::Problem> problems_of(const Common& common) {
  const config::Sources sources = sources_of(common);
  std::vector<config::Problem> out = config::check(sources);
  if (!out.empty()) return out;
  const auto loaded = config::load(sources);
  if (!loaded.ok()) return {{"", "", loaded.error().message}};
  for (const Error& error : unusable_settings(loaded->settings)) {
    const auto from = loaded->origin.find(error.field);
    std::string says = error.message;
    const std::string name = error.field + ": ";  // which stands before it anyhow
    if (says.starts_with(name)) says.erase(0, name.size());
    out.push_back({from == loaded->origin.end() ? "" : from->second, error.field, std::move(says)});
  }
  return out;
}

}  // namespace

Exit config_check(const Common& common) {
  const auto problems = problems_of(common);
  if (common.json) {
    Json out = {{"ok", problems.empty()}, {"problems", Json::array()}};
    for (const auto& p : problems) {
      out["problems"].push_back({{"where", p.where}, {"key", p.key}, {"says", p.says}});
    }
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    for (const auto& p : problems) {
      const std::string where = p.where.empty() ? "" : p.where + ": ";
      const std::string key = p.key.empty() ? "" : p.key + ": ";
      std::fprintf(stderr, "%s%s%s\n", where.c_str(), key.c_str(), p.says.c_str());
    }
    if (problems.empty()) std::printf("The configuration is valid.\n");
  }
  return problems.empty() ? Exit::ok : Exit::config;
}

Exit config_show(const Common& common) {
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  std::printf("%s\n", config::show(*loaded).dump(2).c_str());
  return Exit::ok;
}

Exit config_reference(const Common& common, const std::string& format) {
  if (common.json || format == "json") {
    std::printf("%s\n", config::reference_json().dump(2).c_str());
  } else if (format == "toml") {
    std::printf("%s", config::reference_toml().c_str());
  } else {
    std::printf("%s", config::reference_markdown().c_str());
  }
  return Exit::ok;
}

}  // namespace mainstay::app
