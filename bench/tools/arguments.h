// `--name value` arguments of the bench tools. Used by upstream.cpp and load.cpp.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mainstay::bench {

class Arguments {
 public:
  /// Exits with 2 and `usage` when an argument has no `--` or no value.
  Arguments(int argc, char** argv, const char* usage) {
    for (int i = 1; i < argc; i += 2) {
      const std::string_view name = argv[i];
      if (!name.starts_with("--") || i + 1 >= argc) {
        std::fprintf(stderr, "%s\n", usage);
        std::exit(2);
      }
      values_.emplace_back(name.substr(2), argv[i + 1]);
    }
  }
  std::string text(std::string_view name, std::string fallback) const {
    for (const auto& [key, value] : values_) {
      if (key == name) fallback = value;
    }
    return fallback;
  }
  double number(std::string_view name, double fallback) const {
    const auto found = text(name, "");
    return found.empty() ? fallback : std::strtod(found.c_str(), nullptr);
  }
  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> found;
    for (const auto& [key, value] : values_) {
      if (key == name) found.push_back(value);
    }
    return found;
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace mainstay::bench
