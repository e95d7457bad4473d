// What keeps identification current: the stored keys, their last use, the issuer's key set.
#include <algorithm>

#include "admission/identity.h"

namespace mainstay::admission {
namespace {

constexpr Duration kNoteUses = std::chrono::minutes(1);
constexpr Duration kStoreTime = std::chrono::seconds(5);

}  // namespace

Co<Status> Identity::refresh(storage::AccessKeys& keys, Deadline by) {
  auto generation = co_await keys.generation(by);
  if (!generation.ok()) co_return generation.error();
  bool changed = false;
  {
    std::lock_guard lock(mutex_);
    changed = list_.generation != *generation;
  }
  if (changed) {
    auto list = co_await keys.list(by);
    if (!list.ok()) co_return list.error();
    accept(std::move(*list));
  }
  {
    std::lock_guard lock(mutex_);
    if (clock_.now() - uses_noted_at_ < kNoteUses) co_return done();
    uses_noted_at_ = clock_.now();
  }
  co_return co_await note_uses(keys, by);
}

Co<Status> Identity::note_uses(storage::AccessKeys& keys, Deadline by) {
  std::vector<storage::KeyUse> uses;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, use] : uses_) {
      const std::int64_t at = use->at.load(std::memory_order_relaxed);
      if (at > use->noted) uses.push_back({id, wall_from_micros(at)});
    }
  }
  if (uses.empty()) co_return done();
  auto written = co_await keys.used(uses, by);
  if (!written.ok()) co_return written;  // still to be noted: the next time tries again
  std::lock_guard lock(mutex_);
  for (const auto& [id, at] : uses) {
    auto& use = uses_[id];
    if (use) use->noted = std::max(use->noted, micros(at));
  }
  co_return done();
}

Co<> Identity::watch_keys(storage::AccessKeys& keys, Log& log) {
  bool failing = false;
  for (;;) {
    const Deadline by = Deadline::in(clock_, kStoreTime);
    auto refreshed = co_await refresh(keys, by);
    if (!refreshed.ok() && !failing) {
      log.warn("auth.keys_unreadable", {{"why", refreshed.error().detail}});
    }
    failing = !refreshed.ok();
    const Duration pause = live_.peek().auth.keys_refresh;
    const bool go_on = co_await sleep(clock_, pause);
    if (!go_on) co_return;
  }
}

void Identity::want_key(const std::string& kid) {
  std::lock_guard lock(mutex_);
  if (auth_.jwt.jwks_url.empty() || issuer_.wanted) return;
  if (!unknown_.is_news(kid, clock_.now(), auth_.jwt.refresh)) return;
  issuer_.wanted = true;
  issuer_wanted_.notify();
}

TimePoint Identity::next_due() {
  std::lock_guard lock(mutex_);
  const TimePoint due = next_reading(issuer_, auth_.jwt);
  if (issuer_keys_ == nullptr) return due;
  // The end of a set that could not be read anew is a moment to look at as well.
  return std::min(due, issuer_.loaded_at + auth_.jwt.stale_max);
}

Co<Status> Identity::read_issuer(FetchKeySet fetch, Log& log) {
  const TimePoint began = clock_.now();
  Duration timeout{};
  std::string url;
  {
    std::lock_guard lock(mutex_);
    issuer_ = reading_began(issuer_, began);
    timeout = auth_.jwt.fetch_timeout;
    url = auth_.jwt.jwks_url;
  }
  const Deadline by = Deadline::in(clock_, timeout);
  auto text = co_await fetch(by);
  Result<KeySet> set = text.ok() ? KeySet::parse(*text) : Result<KeySet>(text.error());
  std::lock_guard lock(mutex_);
  if (url != auth_.jwt.jwks_url) co_return done();  // a reload went to another issuer meanwhile
  if (set.ok()) {
    if (issuer_.failures > 0 || !issuer_.loaded)
      log.info("auth.issuer_keys", {{"keys", set->size()}});
    issuer_ = reading_done(issuer_, began);
    issuer_keys_ = std::make_shared<const KeySet>(std::move(*set));
    publish();
    co_return done();
  }
  if (issuer_.failures == 0) {
    log.warn("auth.issuer_unreadable", {{"why", set.error().detail}});
  }
  issuer_ = reading_failed(issuer_);
  co_return set.error();
}

Co<> Identity::watch_issuer(FetchKeySet fetch, Log& log) {
  for (;;) {
    const auto seen = issuer_wanted_.version();
    bool followed = false;
    {
      std::lock_guard lock(mutex_);
      followed = !auth_.jwt.jwks_url.empty();
      if (followed && issuer_keys_ != nullptr && !usable(issuer_, auth_.jwt, clock_.now())) {
        log.warn("auth.issuer_keys_too_old");
        issuer_keys_.reset();
        issuer_ = {.tried = true, .failures = issuer_.failures, .tried_at = issuer_.tried_at};
        publish();
      }
    }
    const TimePoint due = followed ? next_due() : TimePoint::max();
    if (clock_.now() < due) {
      const bool woken = co_await issuer_wanted_.wait(seen, Deadline(due));
      if (!woken && clock_.now() < due) co_return;  // cancelled
      continue;
    }
    [[maybe_unused]] auto read = co_await read_issuer(fetch, log);
  }
}

}  // namespace mainstay::admission
