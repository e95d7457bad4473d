// Putting one given value into one setting, with its type and bounds checked.
// Used by the layers of config and by its tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/table.h"

namespace mainstay::config {

/// Text of an environment variable, a flag or a file: read as whatever the setting needs.
struct Words {
  std::string text;
};
/// A value of a kind that no setting has; `what` names it, e.g. "a table".
struct Unfit {
  std::string what;
};
/// A value as it was given. std::string is a text of TOML, strict about its type.
using Given =
    std::variant<Words, std::string, std::int64_t, double, bool, std::vector<std::string>, Unfit>;

/// Puts `given` into the row's place in `object`. Empty when done, else a sentence that says what
/// is wrong and what is accepted; secrets are never repeated in it.
std::string assign(const Row& row, void* object, const Given& given);

/// "[v6]:80", "host:80" taken apart; false when it is not of that form.
bool is_host_port(std::string_view text);
/// http:// or https:// with a host and without user, blanks or control characters.
bool is_http_url(std::string_view text);
/// tcp://HOST:PORT, port not 0.
bool is_tcp_url(std::string_view text);

}  // namespace mainstay::config
