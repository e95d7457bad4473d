// Result<T>: a value or an Error; Status: success or an Error.
// Used by every room. [[nodiscard]] on the class, so that a result lost through co_await is caught.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace mainstay {

/// A value or an Error. Default-constructed it is an error "never set" (Asio needs that).
/// Reading the value of a failed result stops the process (CHECK).
template <class T>
class [[nodiscard]] Result {
 public:
  Result() : state_(std::in_place_index<1>, Error::log(Errc::internal, "result never set")) {}
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return const_cast<Result*>(this)->value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &const_cast<Result*>(this)->value(); }
  Error& error() {
    CHECK(!ok());
    return std::get<1>(state_);
  }
  const Error& error() const { return const_cast<Result*>(this)->error(); }

 private:
  T& value() {
    CHECK(ok());
    return std::get<0>(state_);
  }
  std::variant<T, Error> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}
  bool ok() const noexcept { return !error_.has_value(); }
  Error& error() {
    CHECK(error_.has_value());
    return *error_;
  }
  const Error& error() const { return const_cast<Status*>(this)->error(); }

 private:
  std::optional<Error> error_;
};

inline Status done() {
  return {};
}

}  // namespace mainstay
