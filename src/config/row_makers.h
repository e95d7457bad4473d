// How rows of the table are written: a path of members, bounds, a sentence.
// Used by table.cpp and table_lists.cpp.
#pragma once

#include "config/table.h"

namespace mainstay::config {

template <class T>
struct Member;
template <class Class, class Type>
struct Member<Type Class::*> {
  using Of = Class;
};

/// Follows a path of members from the object to the value.
template <auto First, auto... Rest>
Slot at(void* object) {
  auto& first = static_cast<typename Member<decltype(First)>::Of*>(object)->*First;
  if constexpr (sizeof...(Rest) == 0) {
    return &first;
  } else {
    return at<Rest...>(&first);
  }
}

template <auto... Path>
constexpr Row row(const char* key, Range range, const char* says, Change change = Change::restart) {
  return {key, &at<Path...>, range, "", Form::any, change, says};
}
template <auto... Path>
constexpr Row choice(const char* key, const char* allowed, const char* says,
                     Change change = Change::restart) {
  return {key, &at<Path...>, {1, 64}, allowed, Form::any, change, says};
}
template <auto... Path>
constexpr Row text(const char* key, Form form, const char* says, Range length = {0, 4096},
                   Change change = Change::restart) {
  return {key, &at<Path...>, length, "", form, change, says};
}

inline constexpr double kKiB = 1024;
inline constexpr double kMiB = 1024 * kKiB;
inline constexpr double kGiB = 1024 * kMiB;
inline constexpr double kSecond = 1000;
inline constexpr double kHour = 3600 * kSecond;
inline constexpr double kDay = 24 * kHour;
inline constexpr Range kOnOff{0, 1};
inline constexpr Range kCount{1, 1'000'000};
inline constexpr Range kPerMinute{0, 1'000'000};
inline constexpr Range kAtOnce{0, 1'000'000};
inline constexpr Range kTokens{0, 4'000'000'000};
inline constexpr Range kTimeout{1, kDay};
inline constexpr auto kLive = Change::live;

}  // namespace mainstay::config
