// The atomic step: find every bucket under its shard's lock, look at all, then charge all or none.
#include "admission/limits.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <span>

namespace mainstay::admission {

/// A subject's name while it is looked up.
struct Name {
  Subject subject = Subject::user;
  std::string_view first;
  std::string_view second;
};

namespace {

constexpr auto kMinute = std::chrono::minutes(1);
constexpr auto kDay = std::chrono::hours(24);
/// Who has too many at work is told this: when one ends is not known.
constexpr Duration kWaitForPlace = std::chrono::seconds(1);
/// Old entries looked at for each new one: more than one, so that the idle ones die out.
constexpr int kLookedAtIfRoom = 3;
/// Old entries looked at when there is no room: bounds the work of one request.
constexpr int kLookedAtIfFull = 8;

std::size_t mixed(std::size_t a, std::size_t b) noexcept {
  return (a ^ (b + 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;
}

/// One household has a /64 network with IPv6: its addresses count as one.
std::string_view network_of(std::string_view address, std::array<char, 8>& network) {
  if (address.find(':') == std::string_view::npos) return address;
  boost::system::error_code failed;
  const auto parsed = boost::asio::ip::make_address_v6(address, failed);
  if (failed || parsed.is_v4_mapped()) return address;
  const auto bytes = parsed.to_bytes();
  std::copy_n(bytes.begin(), network.size(), network.begin());
  return {network.data(), network.size()};
}

bool counts_requests(Subject subject, Part part) noexcept {
  return part == Part::whole || (part == Part::head) == (subject != Subject::model);
}

}  // namespace

struct Limits::Place {
  Name name;
  Figures figures;
  std::size_t hash = 0;
  Remembered* entry = nullptr;
  bool requests = false;  ///< the request itself counts here
  bool held = false;      ///< tokens or places count here
  std::size_t shard() const noexcept { return (hash >> 20) % kShards; }
};

struct Limits::Step {
  std::array<Place, 4> places;
  std::size_t count = 0;
  std::array<char, 8> network{};
  std::array<std::unique_lock<std::mutex>, 4> locks;
  std::span<Place> all() { return {places.data(), count}; }
};

std::size_t Limits::NameHash::operator()(const Name& name) const noexcept {
  const std::hash<std::string_view> of;
  return mixed(mixed(of(name.first), of(name.second)), std::size_t(name.subject));
}
bool Limits::NameEqual::operator()(const Kept& a, const Kept& b) const noexcept {
  return (*this)(Name{a.subject, a.first, a.second}, b);
}
bool Limits::NameEqual::operator()(const Name& a, const Kept& b) const noexcept {
  return a.subject == b.subject && a.first == b.first && a.second == b.second;
}

Limits::Figures Limits::Figures::of(const SubjectLimits& settings) {
  return {.requests = Rate(settings.requests_per_minute, settings.burst, kMinute),
          .minute = Rate(settings.tokens_per_minute, 0, kMinute),
          .day = Rate(settings.tokens_per_day, 0, kDay),
          .concurrent = settings.concurrent};
}

Limits::Limits(const LimitSettings& settings, Clock& clock)
    : clock_(clock),
      figures_(figures_of(settings)),
      shard_max_(std::max<std::size_t>(1, settings.users_max / kShards)) {}

void Limits::apply(const LimitSettings& settings) {
  figures_.swap(figures_of(settings));
}

std::shared_ptr<const Limits::All> Limits::figures_of(const LimitSettings& settings) {
  const UserLimits& user = settings.user;
  SubjectLimits of_user;  // how many of a user are at work is the queue's affair
  of_user.requests_per_minute = user.requests_per_minute;
  of_user.burst = user.burst;
  of_user.tokens_per_minute = user.tokens_per_minute;
  of_user.tokens_per_day = user.tokens_per_day;
  return std::make_shared<const All>(All{Figures::of(of_user), Figures::of(settings.key),
                                         Figures::of(settings.address),
                                         Figures::of(settings.model)});
}

/// A caller's own figures are its key's; the user's are then never the lower ones, or a key could
/// not be given more than everybody has.
Limits::Figures Limits::figures_of(Subject subject, const Caller& caller) const {
  Figures out = figures_.peek()[std::size_t(subject)];
  const OwnLimits& own = caller.limits;
  const auto own_rate = [subject](Rate& rate, std::uint64_t limit, std::uint64_t burst,
                                  Duration period) {
    if (limit == 0) return;
    const Rate wanted(limit, burst, period);
    const bool replaces = subject == Subject::key || (rate.on() && rate.limit() < limit);
    if (replaces) rate = wanted;
  };
  if (subject == Subject::user || subject == Subject::key) {
    own_rate(out.requests, own.requests_per_minute, own.burst, kMinute);
    own_rate(out.minute, own.tokens_per_minute, 0, kMinute);
    own_rate(out.day, own.tokens_per_day, 0, kDay);
  }
  if (subject == Subject::key && own.concurrent != 0) out.concurrent = own.concurrent;
  return out;
}

/// Which subjects have a limit that this request touches; no lock is needed for that.
void Limits::gather(Step& step, const Ask& ask) const {
  const Caller& caller = ask.caller;
  const std::array<Name, 4> names{
      Name{Subject::user, caller.owner.tenant.text(), caller.owner.user.text()},
      Name{Subject::key, caller.key, {}}, Name{Subject::address, ask.address, {}},
      Name{Subject::model, ask.model, {}}};
  for (const Name& name : names) {
    const bool unknown = name.first.empty() && name.second.empty();
    if (unknown) continue;
    Place& place = step.places[step.count];
    place.figures = figures_of(name.subject, caller);
    const Figures& figures = place.figures;
    place.requests = figures.requests.on() && counts_requests(name.subject, ask.part);
    if (ask.part == Part::later) place.figures.concurrent = 0;
    place.held = ask.part != Part::head &&
                 (figures.minute.on() || figures.day.on() || figures.concurrent != 0);
    if (!place.requests && !place.held) continue;
    place.name = name;
    if (name.subject == Subject::address) place.name.first = network_of(name.first, step.network);
    place.hash = NameHash()(place.name);
    ++step.count;
  }
}

/// Locks in the order of the shards, so that two requests never wait for each other.
void Limits::lock_and_find(Step& step, TimePoint now) {
  std::array<std::size_t, 4> shards{};
  for (std::size_t i = 0; i < step.count; ++i) shards[i] = step.places[i].shard();
  std::sort(shards.begin(), shards.begin() + std::ptrdiff_t(step.count));
  for (std::size_t i = 0; i < step.count; ++i) {
    if (i > 0 && shards[i] == shards[i - 1]) continue;
    step.locks[i] = std::unique_lock(shards_[shards[i]].mutex);
  }
  for (Place& place : step.all()) {
    place.entry = &find_or_add(shards_[place.shard()], place.name, now);
    ++place.entry->at_work;  // stays while the others are found
  }
  for (Place& place : step.all()) --place.entry->at_work;
}

namespace {

/// Collects what the limits of a step say.
struct Findings {
  RateView view;
  bool any_requests = false;

  void look(const Rate& rate, const Bucket& bucket, std::uint64_t units, TimePoint now,
            Subject subject, Measure measure) {
    if (!rate.on()) return;
    const Duration wait = bucket.wait(rate, units, now);
    if (wait > Duration::zero()) refuse(wait, subject, measure, rate.limit());
  }
  /// The longest wait counts: after it, all limits let the request pass.
  void refuse(Duration wait, Subject subject, Measure measure, std::uint64_t bound) {
    if (!view.allowed && wait <= view.retry_after) return;
    view.allowed = false;
    view.retry_after = wait;
    view.by = subject;
    view.over = measure;
    view.bound = bound;
  }
  void show_requests(const Rate& rate, const Bucket& bucket, TimePoint now) {
    const std::uint64_t left = bucket.left(rate, now);
    if (any_requests && left >= view.remaining) return;
    any_requests = true;
    view.limit = rate.limit();
    view.remaining = left;
    view.reset = bucket.reset(now);
  }
  void show_tokens(const Rate& rate, const Bucket& bucket, TimePoint now) {
    if (!rate.on()) return;
    const std::uint64_t left = bucket.left(rate, now);
    if (view.tokens.limit != 0 && left >= view.tokens.remaining) return;
    view.tokens = {rate.limit(), left, bucket.reset(now)};
  }
};

}  // namespace

RateView Limits::take(const Ask& ask, Reservation* into, TimePoint now) {
  Step step;
  gather(step, ask);
  if (step.count == 0) return {};
  lock_and_find(step, now);
  Findings found;
  for (const Place& place : step.all()) {
    const Figures& figures = place.figures;
    const Subject subject = place.name.subject;
    const Remembered& entry = *place.entry;
    if (place.requests) {
      found.look(figures.requests, entry.requests, 1, now, subject, Measure::requests);
    }
    if (!place.held) continue;
    found.look(figures.minute, entry.minute, ask.tokens, now, subject, Measure::tokens_per_minute);
    found.look(figures.day, entry.day, ask.tokens, now, subject, Measure::tokens_per_day);
    if (figures.concurrent != 0 && entry.at_work >= figures.concurrent) {
      found.refuse(kWaitForPlace, subject, Measure::concurrent, figures.concurrent);
    }
  }
  Reservation held;
  for (Place& place : step.all()) {
    const Figures& figures = place.figures;
    Remembered& entry = *place.entry;
    if (found.view.allowed) {
      if (place.requests) entry.requests.take(figures.requests, 1, now);
      if (place.held && figures.minute.on()) entry.minute.take(figures.minute, ask.tokens, now);
      if (place.held && figures.day.on()) entry.day.take(figures.day, ask.tokens, now);
      if (place.held && into != nullptr) {
        ++entry.at_work;
        held.held_[held.count_++] = {&entry, place.shard(), figures.minute, figures.day};
      }
    }
    if (place.requests) found.show_requests(figures.requests, entry.requests, now);
    if (!place.held) continue;
    found.show_tokens(figures.minute, entry.minute, now);
    found.show_tokens(figures.day, entry.day, now);
  }
  if (found.view.retry_after == Duration::max()) found.view.retry_after = {};
  if (held.count_ > 0) {
    held.limits_ = this;
    held.tokens_ = ask.tokens;
    *into = std::move(held);
  }
  return found.view;
}

RateView Limits::take_back(const Ask& ask, TimePoint now) {
  Step step;
  gather(step, ask);
  if (step.count == 0) return {};
  lock_and_find(step, now);
  Findings found;
  for (Place& place : step.all()) {
    const Figures& figures = place.figures;
    if (place.requests) {
      place.entry->requests.put(figures.requests, 1);
      found.show_requests(figures.requests, place.entry->requests, now);
    }
    if (place.held && figures.minute.on()) place.entry->minute.put(figures.minute, ask.tokens);
    if (place.held && figures.day.on()) place.entry->day.put(figures.day, ask.tokens);
  }
  return found.view;
}

/// What was reserved beyond the real use goes back, what was used beyond it is taken. A bucket that
/// filled up meanwhile gets no more than full: over any time nobody uses more than a full bucket
/// and what the rate earns.
void Limits::end(Reservation& reservation, std::uint64_t used) noexcept {
  const std::uint64_t reserved = reservation.tokens_;
  for (std::size_t i = 0; i < reservation.count_; ++i) {
    auto& held = reservation.held_[i];
    std::lock_guard lock(shards_[held.shard].mutex);
    Remembered& entry = *held.entry;
    const auto settle = [this, used, reserved](const Rate& rate, Bucket& bucket) {
      if (!rate.on()) return;
      if (used < reserved) bucket.put(rate, reserved - used);
      if (used > reserved) bucket.take(rate, used - reserved, clock_.now());
    };
    settle(held.minute, entry.minute);
    settle(held.day, entry.day);
    --entry.at_work;
  }
  reservation.count_ = 0;
  reservation.limits_ = nullptr;
}

Remembered& Limits::find_or_add(Shard& shard, const Name& name, TimePoint now) {
  auto found = shard.entries.find(name);
  if (found != shard.entries.end()) {
    Remembered& entry = found->second;
    shard.oldest_first.splice(shard.oldest_first.end(), shard.oldest_first,
                              shard.oldest_first.iterator_to(entry));
    return entry;
  }
  make_room(shard, shard_max_, now);
  Kept kept{NameHash()(name), name.subject, std::string(name.first), std::string(name.second)};
  found = shard.entries.try_emplace(std::move(kept)).first;
  found->second.name = &found->first;
  shard.oldest_first.push_back(found->second);
  return found->second;
}

void Limits::forget(Shard& shard, Remembered& entry) {
  shard.oldest_first.erase(shard.oldest_first.iterator_to(entry));
  shard.entries.erase(shard.entries.find(*entry.name));
}

/// A few steps of tidying with each new entry, and a victim when full.
void Limits::make_room(Shard& shard, std::size_t most, TimePoint now) {
  const bool full = shard.entries.size() >= most;
  Remembered* soonest = nullptr;
  for (int i = full ? kLookedAtIfFull : kLookedAtIfRoom; i > 0; --i) {
    if (shard.oldest_first.empty()) return;
    Remembered& entry = shard.oldest_first.front();
    if (entry.idle(now)) {
      forget(shard, entry);
      if (full) return;
      continue;
    }
    // Looked at again only after all others: one long debt does not hide the idle behind it.
    shard.oldest_first.splice(shard.oldest_first.end(), shard.oldest_first,
                              shard.oldest_first.begin());
    if (entry.at_work != 0) continue;
    if (soonest == nullptr || entry.idle_at() < soonest->idle_at()) soonest = &entry;
  }
  if (full && soonest != nullptr) forget(shard, *soonest);
}

std::size_t Limits::reclaim(TimePoint now, std::size_t most) {
  std::size_t forgotten = 0;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (std::size_t n = shard.entries.size(); n > 0 && most > 0; --n, --most) {
      Remembered& entry = shard.oldest_first.front();
      if (entry.idle(now)) {
        forget(shard, entry);
        ++forgotten;
      } else {
        shard.oldest_first.splice(shard.oldest_first.end(), shard.oldest_first,
                                  shard.oldest_first.begin());
      }
    }
    if (shard.entries.empty()) shard.entries.rehash(0);
  }
  return forgotten;
}

std::size_t Limits::entries() const {
  std::size_t n = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    n += shard.entries.size();
  }
  return n;
}

}  // namespace mainstay::admission
