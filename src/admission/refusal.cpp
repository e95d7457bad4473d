// What a caller is told whose limit is used up: which one, how much it is, and when to come back.
#include <string>

#include "admission/limits.h"

namespace mainstay::admission {
namespace {

std::string_view whose(Subject subject) {
  switch (subject) {
    case Subject::user:
      return "You have";
    case Subject::key:
      return "This API key has";
    case Subject::address:
      return "Your network address has";
    case Subject::model:
      return "All callers of this model together have";
  }
  return "";
}

std::string_view what(Measure measure) {
  switch (measure) {
    case Measure::requests:
      return " requests a minute";
    case Measure::tokens_per_minute:
      return " tokens a minute";
    case Measure::tokens_per_day:
      return " tokens a day";
    case Measure::concurrent:
      return " messages at once";
  }
  return "";
}

}  // namespace

Error refusal(const RateView& view) {
  const std::string bound = std::to_string(view.bound) + std::string(what(view.over));
  std::string text(whose(view.by));
  const bool never = view.retry_after == Duration::zero();
  if (never) {
    text = "This request could use more tokens than the limit of " + bound +
           " ever allows. Send a shorter prompt or a smaller max_tokens.";
  } else if (view.over == Measure::concurrent) {
    text += " " + bound + " already. Let one of them finish first.";
  } else {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(view.retry_after);
    text += view.over == Measure::requests ? " sent" : " used";
    text += view.over == Measure::requests ? " more than " : " what the limit of ";
    text += bound;
    text += view.over == Measure::requests ? ". The next one is welcome in "
                                           : " leaves. There is room for this request in ";
    text += std::to_string(wait.count()) + " s.";
  }
  // Each reason is said by its literal: a test compares them with docs/errors.md.
  Error e;
  switch (view.over) {
    case Measure::requests:
      e = Error::say(Errc::over_limit, "rate_limited", std::move(text));
      break;
    case Measure::tokens_per_minute:
    case Measure::tokens_per_day:
      e = Error::say(Errc::over_limit, "tokens_limited", std::move(text));
      break;
    case Measure::concurrent:
      e = Error::say(Errc::over_limit, "concurrency_limited", std::move(text));
      break;
  }
  e.retry_after = std::chrono::ceil<std::chrono::milliseconds>(view.retry_after);
  return e;
}

}  // namespace mainstay::admission
