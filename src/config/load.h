// Loading settings: defaults < profile < file < environment < flags, each value with its origin.
// Used by app (serve, config check|show|reference). Reads files; run it before the loops or
// offloaded.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/settings.h"

namespace mainstay::config {

/// Where to load from. `environment` is injected so that tests need no real one.
struct Sources {
  std::string file;            ///< empty: ./mainstay.toml, then the user's and /etc's, if any
  bool file_required = false;  ///< --config was given
  std::map<std::string, std::string> environment;
  std::vector<std::pair<std::string, std::string>> flags;  ///< key, value
  std::string root;  ///< put before /etc, /proc and /sys; for tests
};

/// One refused setting: where it came from ("mainstay.toml:12", "MAINSTAY_X", "--x"), the key and a
/// sentence with the allowed range or the nearest known name.
struct Problem {
  std::string where;
  std::string key;
  std::string says;
};

/// Settings and the origin of every value that is not a default.
struct Loaded {
  Settings settings;
  std::map<std::string, std::string> origin;  ///< key -> "mainstay.toml:12"
  std::string file;                           ///< the file read; empty: none
  std::string profile;                        ///< the profile in force; what `auto` chose
};

/// All problems are reported, not only the first. The error's message holds one line for each.
/// Errors: invalid (reason "invalid_config").
Result<Loaded> load(const Sources& sources);
/// The problems alone; empty when load() would succeed.
std::vector<Problem> check(const Sources& sources);
/// Effective values by key, with default and origin; secrets as stars.
Json show(const Loaded& loaded);
/// Every key: type, unit, default, bounds, sentence; as Markdown (docs/configuration.md) …
std::string reference_markdown();
/// … as an example file …
std::string reference_toml();
/// … and as JSON.
Json reference_json();
/// What SIGHUP does: load() again. The caller swaps the snapshot when it is ok and else keeps the
/// old.
Result<Loaded> reload(const Sources& sources);
/// Keys whose values differ, e.g. "log.level", "providers.openai.api_key", "routes.fast"; never a
/// value, so that secrets stay out.
std::vector<std::string> differences(const Settings& a, const Settings& b);
/// True when a change of the key takes effect only after a restart; true for unknown keys. Takes
/// what differences() gives.
bool needs_restart(const std::string& key);
/// Gives `next` the values of `boot` in every setting that needs a restart: what then is in force
/// is one consistent whole. Returns the keys where the two differed.
std::vector<std::string> keep_until_restart(Settings& next, const Settings& boot);
/// The process environment as a map.
std::map<std::string, std::string> process_environment();

}  // namespace mainstay::config
