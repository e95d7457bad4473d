// Result<T>: a value or an Error; Status: success or an Error.
// Used by every room. [[nodiscard]] on the class, so that a result lost through co_await is caught.
#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace mainstay {

/// An Error elsewhere, copied with its owner: what succeeds, which is most, stays small in a
/// coroutine's frame and cheap to move. Null: success for a Status, "never set" for a Result.
/// What an error was moved out of holds a mark, so that a Status that failed never reads as
/// success.
class ErrorBox {
 public:
  ErrorBox() = default;
  explicit ErrorBox(Error error) : error_(made(std::move(error))) {}
  ErrorBox(const ErrorBox& other) : error_(copy_of(other)) {}
  ErrorBox(ErrorBox&& other) noexcept : error_(other.leave()) {}
  ErrorBox& operator=(const ErrorBox& other) {
    if (this != &other) error_.reset(copy_of(other));
    return *this;
  }
  ErrorBox& operator=(ErrorBox&& other) noexcept {
    if (this != &other) error_.reset(other.leave());
    return *this;
  }
  ~ErrorBox() = default;
  bool empty() const noexcept { return error_ == nullptr; }
  Error& get() {
    if (empty()) error_.reset(made(Error::log(Errc::internal, "result never set")));
    if (error_.get() == mark()) {
      error_.reset(made(Error::log(Errc::internal, "result moved away")));
    }
    return *error_;
  }

 private:
  static Error* mark() noexcept { return reinterpret_cast<Error*>(&mark_); }
  struct Release {
    void operator()(Error* error) const noexcept {
      if (error != mark()) std::default_delete<Error>{}(error);
    }
  };
  static Error* made(Error error) { return std::make_unique<Error>(std::move(error)).release(); }
  static Error* copy_of(const ErrorBox& other) {
    Error* const error = other.error_.get();
    return error == nullptr || error == mark() ? error : made(*error);
  }
  Error* leave() noexcept {
    Error* const error = error_.release();
    if (error != nullptr) error_.reset(mark());
    return error;
  }
  alignas(Error) static inline char mark_ = 0;
  std::unique_ptr<Error, Release> error_;
};

/// A value or an Error. Default-constructed it is an error "never set" (Asio needs that).
/// Reading the value of a failed result stops the process (CHECK).
template <class T>
class [[nodiscard]] Result {
 public:
  Result() : state_(std::in_place_index<1>) {}
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
    return std::get_if<1>(&state_)->get();
  }
  const Error& error() const { return const_cast<Result*>(this)->error(); }

 private:
  T& value() {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, ErrorBox> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}
  bool ok() const noexcept { return error_.empty(); }
  Error& error() {
    CHECK(!ok());
    return error_.get();
  }
  const Error& error() const { return const_cast<Status*>(this)->error(); }

 private:
  ErrorBox error_;
};

inline Status done() {
  return {};
}

}  // namespace mainstay
