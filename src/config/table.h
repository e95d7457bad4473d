// The table of settings: one row for each field of settings.h. It drives loading, bounds, show and
// the reference. Used inside config and by its tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings.h"

namespace mainstay::config {

/// Where a value is kept; its kind is the setting's type.
using Slot = std::variant<std::string*, std::uint32_t*, double*, bool*, Bytes*, Millis*,
                          std::vector<std::string>*, Secret*, std::vector<Secret>*>;

/// Accepted values of a number, both included. For texts: lengths; for lists: lengths.
struct Range {
  double min = 0;
  double max = 0;
};

/// What a text must look like beyond its length.
enum class Form : std::uint8_t { any, host_port, http_url, server_url, name };

/// When a change takes effect.
enum class Change : std::uint8_t { restart, live };

struct Row {
  const char* key;      ///< "server.body_max"; in arrays of tables the last part alone
  Slot (*slot)(void*);  ///< from the Settings (or the array's element) to the value
  Range range;
  const char* allowed;  ///< "a|b|c"; empty: any
  Form form;
  Change change;
  const char* says;  ///< one sentence
};

/// Rows of Settings, grouped by section, in the order of settings.h.
std::span<const Row> rows();
/// Those of the profile and [server] alone; rows() begins with them.
std::span<const Row> server_rows();
/// Those of [jobs] and what belongs to it, of [postgres] and of [embeddings] and [media]; rows()
/// has them at its end.
std::span<const Row> job_rows();
std::span<const Row> postgres_rows();
std::span<const Row> media_rows();
std::span<const Row> console_rows();
std::span<const Row> sound_rows();
std::span<const Row> audio_rows();
std::span<const Row> voice_rows();
std::span<const Row> hosting_rows();
std::span<const Row> upload_rows();
std::span<const Row> embedding_rows();
/// Rows of one [[providers]], [[routes]] and [[routes.candidates]] element.
std::span<const Row> provider_rows();
std::span<const Row> route_rows();
std::span<const Row> candidate_rows();
/// Rows of one [[hosts]] element.
std::span<const Row> host_rows();

/// The row of a key; also of "providers.<name>.<field>". Null when there is none.
const Row* find_row(std::string_view key);
/// Every key that may stand in a file, with the `_file` keys of secrets.
const std::vector<std::string>& known_keys();

bool is_secret(const Row& row);
/// "size", "duration", "integer", "number", "true/false", "text", "list of texts", "secret" …
std::string_view type_of(const Row& row);
/// The row's value in `object` (the Settings or the element) as it would be written in TOML;
/// secrets as stars.
std::string toml_value(const Row& row, void* object);
/// "1 to 100", "64KiB to 1GiB", "json, text"; empty when there is no bound worth saying.
std::string bounds_of(const Row& row);

}  // namespace mainstay::config
