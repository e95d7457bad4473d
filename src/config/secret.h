// Secret: a setting that prints as stars.
#pragma once

#include <string>
#include <utility>

namespace mainstay {

/// A value that must not reach logs, dumps or `config show`. reveal() is the only way out.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }
  /// "****" when set, "" when not.
  const char* stars() const noexcept { return value_.empty() ? "" : "****"; }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace mainstay
