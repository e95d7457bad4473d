// What an answer will cost before anybody knows: an estimate, reserved, then settled.
// Used by admission and by api, which settles with the real usage.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "admission/rate.h"

namespace mainstay::admission {

class Limits;
struct Remembered;

/// What a request is expected to use. Pure.
struct Estimate {
  std::uint64_t prompt_bytes = 0;  ///< text of the prompt
  std::uint64_t answer = 0;        ///< the request's max_tokens; 0: not said
  std::uint64_t choices = 1;       ///< so many answers
};
/// What a piece of work asks of whom.
struct Use {
  std::string model;  ///< as Models::limited_as() spells it
  Estimate estimate;
};
/// A quarter of the prompt's bytes plus the longest answers. `usual`: for answers of unsaid length.
std::uint64_t tokens_of(const Estimate& estimate, std::uint64_t usual) noexcept;

/// Tokens taken from the caller's buckets and its places among those at work, from admission to
/// the end of the answer. Moves between threads; its destructor keeps the estimate and gives the
/// places back. Limits must outlive it.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept { swap(other); }
  Reservation& operator=(Reservation&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Reservation();
  /// The answer ended and used this many tokens: 0 gives all back (a cached or failed answer).
  /// Later calls do nothing.
  void settle(std::uint64_t tokens) noexcept;
  std::uint64_t tokens() const noexcept { return tokens_; }

 private:
  friend class Limits;
  struct Held {
    Remembered* entry = nullptr;
    std::size_t shard = 0;
    Rate minute;
    Rate day;
  };
  void swap(Reservation& other) noexcept {
    std::swap(limits_, other.limits_);
    std::swap(held_, other.held_);
    std::swap(count_, other.count_);
    std::swap(tokens_, other.tokens_);
  }
  Limits* limits_ = nullptr;  ///< null: nothing is held
  std::array<Held, 4> held_{};
  std::size_t count_ = 0;
  std::uint64_t tokens_ = 0;
};

}  // namespace mainstay::admission
