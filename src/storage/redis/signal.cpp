// Telling is one script; hearing looks, and looks again when the subscription says so.
#include "storage/redis/signal.h"

#include <algorithm>
#include <charconv>
#include <compare>
#include <optional>

namespace mainstay::storage::redis {
namespace {

/// A topic stays subscribed so long after its last reader, who often comes again at once.
constexpr Duration kFollowOn = std::chrono::seconds(30);
constexpr Duration kSweepEvery = std::chrono::seconds(5);
/// Readers look again after so long without a word, whatever was missed.
constexpr Duration kLookAgain = std::chrono::minutes(5);

/// "<born>-<number>" taken apart.
struct Place {
  std::uint64_t born = 0;
  std::uint64_t number = 0;
  auto operator<=>(const Place&) const = default;
  std::string text() const { return std::to_string(born) + "-" + std::to_string(number); }
};

std::optional<Place> place_of(const std::string& text) {
  Place out;
  const char* end = text.data() + text.size();
  const auto born = std::from_chars(text.data(), end, out.born);
  if (born.ec != std::errc() || born.ptr == end || *born.ptr != '-') return std::nullopt;
  const auto number = std::from_chars(born.ptr + 1, end, out.number);
  if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
  return out;
}

Heard heard_of(const Reply& reply) {
  Heard out;
  out.missed = reply.at(1).count() != 0;
  for (const auto& entry : reply.at(2).items) {
    const Reply& fields = entry.at(1);
    out.news.push_back({entry.at(0).text, fields.at(1).text, fields.at(3).text});
  }
  return out;
}

}  // namespace

struct RedisSignal::Followed {
  explicit Followed(Clock& clock) : told(clock) {}
  Event told;
  std::uint32_t readers = 0;
  TimePoint left{};  ///< when the last reader went
  /// What the last look found to be the end: while nothing is told, it need not be looked for
  /// again.
  std::string end;
  std::uint64_t end_seen = 0;  ///< version of `told` before that look
  TimePoint end_until{};
  /// Looks found no news of this topic after quiet_from up to quiet_to: these places mean the same.
  /// The server forgets what others were told, and does not know of which topic it was; asked from
  /// the first place it would say that a listener who waits for long may have missed something.
  Place quiet_from;
  Place quiet_to;

  bool quiet_at(const std::string& place) const {
    const auto at = place_of(place);
    return at && quiet_from <= *at && *at <= quiet_to;
  }
};

/// Counts a reader, however its wait ends.
class RedisSignal::Following {
 public:
  Following(RedisSignal& signal, std::shared_ptr<Followed> one)
      : signal_(signal), one_(std::move(one)) {}
  ~Following() {
    std::lock_guard lock(signal_.mutex_);
    --one_->readers;
    one_->left = signal_.clock_.now();
  }
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

 private:
  RedisSignal& signal_;
  std::shared_ptr<Followed> one_;
};

RedisSignal::RedisSignal(Client& client, const SignalLimits& limits, TimeOf time)
    : client_(client),
      clock_(client.clock()),
      limits_(limits),
      time_(time),
      pipe_(client.add(
          "news", [this](Reply reply) { pushed(std::move(reply)); }, [this] { resubscribe(); })) {}

RedisSignal::~RedisSignal() = default;

Command RedisSignal::command(Script script) const {
  Command out = script_call(client_, script);
  if (time_ == TimeOf::server) {
    out.add("");
  } else {
    out.add(micros(clock_.wall()));
  }
  out.add(std::chrono::ceil<std::chrono::microseconds>(limits_.keep).count());
  return out;
}

Co<Status> RedisSignal::tell(std::string topic, std::string type, std::string data, Deadline by) {
  Command call = command(Script::tell);
  call.add(topic).add(type).add(data);
  call.add(limits_.events_max).add(limits_.bytes_max).add(limits_.topics_max);
  Asking how{.in_order = true};
  auto reply = co_await client_.ask(std::move(call), std::move(how), by);
  if (!reply.ok()) co_return reply.error();
  if (!reply->text.empty()) not_pushed(reply->text);
  co_return done();
}

/// Nothing is lost by it, but listeners hear late, which nobody would see otherwise.
void RedisSignal::not_pushed(const std::string& why) {
  if (said_not_pushed_.exchange(true)) return;
  const std::string sentence =
      "Events reach their listeners late; allow this user the channels of Mainstay: 'redis-cli ACL "
      "SETUSER NAME &" +
      client_.key("*") + "'.";
  client_.log().warn("redis.not_pushed", {{"why", why}, {"sentence", sentence}});
}

std::shared_ptr<RedisSignal::Followed> RedisSignal::follow(const std::string& topic) {
  std::shared_ptr<Followed> out;
  bool fresh = false;
  {
    std::lock_guard lock(mutex_);
    unfollow_idle(clock_.now());
    auto& one = followed_[topic];
    fresh = one == nullptr;
    if (fresh) one = std::make_shared<Followed>(clock_);
    ++one->readers;
    out = one;
  }
  if (fresh) {
    client_.post([this, topic] { say("SUBSCRIBE", topic); });
  }
  return out;
}

/// Under the mutex.
void RedisSignal::unfollow_idle(TimePoint now) {
  if (now - swept_ < kSweepEvery && followed_.size() < limits_.topics_max) return;
  swept_ = now;
  for (auto one = followed_.begin(); one != followed_.end();) {
    const bool idle = one->second->readers == 0 && now - one->second->left >= kFollowOn;
    if (!idle) {
      ++one;
      continue;
    }
    client_.post([this, topic = one->first] { say("UNSUBSCRIBE", topic); });
    one = followed_.erase(one);
  }
}

void RedisSignal::say(const char* verb, const std::string& topic) {
  if (!pipe_.up()) return;  // resubscribe() makes up for it
  Call call;
  call.command.add(verb).add(client_.key("news:" + topic));
  call.no_reply = true;
  call.give_up = TimePoint::max();
  pipe_.send(std::move(call));
}

/// On a new connection nothing is subscribed; the confirmations make readers look again.
void RedisSignal::resubscribe() {
  std::lock_guard lock(mutex_);
  for (const auto& [topic, one] : followed_) {
    // The server may have lost its last events: what looks found before says nothing any more.
    one->quiet_from = one->quiet_to = Place{};
    one->end_seen = 0;
    say("SUBSCRIBE", topic);
  }
}

/// ["subscribe" | "message", channel, …]: in both cases there may be news. An error: a SUBSCRIBE
/// was refused.
void RedisSignal::pushed(Reply reply) {
  if (reply.failed()) return not_pushed(reply.text);
  const std::string& kind = reply.at(0).text;
  if (kind != "message" && kind != "subscribe") return;
  const std::string prefix = client_.key("news:");
  const std::string& channel = reply.at(1).text;
  if (!channel.starts_with(prefix)) return;
  std::shared_ptr<Followed> one;
  {
    std::lock_guard lock(mutex_);
    const auto found = followed_.find(channel.substr(prefix.size()));
    if (found == followed_.end()) return;
    one = found->second;
  }
  one->told.notify();
}

Co<Result<Reply>> RedisSignal::look(std::string topic, std::string place, Deadline by) {
  Command call = command(Script::hear);
  call.add(topic).add(place).add(limits_.events_max);
  const Deadline answer_by =
      by.sooner(Deadline::in(clock_, Duration(client_.settings().reply_timeout)));
  Asking how{.again = true, .in_order = true};
  co_return co_await client_.ask(std::move(call), std::move(how), answer_by);
}

/// Until when it is known that nothing was told after `place`; zero: it is not known.
TimePoint RedisSignal::nothing_until(const Followed& one, const std::string& place,
                                     std::uint64_t seen) {
  std::lock_guard lock(mutex_);
  const bool end = one.end == place || one.quiet_at(place);
  const bool known = end && one.end_seen == seen && clock_.now() < one.end_until;
  return known ? one.end_until : TimePoint{};
}

/// The latest place that means the same as `place`.
std::string RedisSignal::same_place(const Followed& one, const std::string& place) {
  std::lock_guard lock(mutex_);
  return one.quiet_at(place) ? one.quiet_to.text() : place;
}

TimePoint RedisSignal::found_nothing(Followed& one, const std::string& place,
                                     const std::string& newest, std::uint64_t seen) {
  const Place to = place_of(newest).value_or(Place{});
  const Place from = place_of(place).value_or(to);
  // Half of `keep`: the place is never as old as what the server forgets.
  const Duration again = std::min(kLookAgain, limits_.keep / 2);
  std::lock_guard lock(mutex_);
  const bool apart = from > one.quiet_to || to < one.quiet_from;
  one.quiet_from = apart ? from : std::min(one.quiet_from, from);
  one.quiet_to = apart ? to : std::max(one.quiet_to, to);
  one.end = place;
  one.end_seen = seen;
  one.end_until = clock_.now() + again;
  return one.end_until;
}

/// The server may not be the one of the earlier looks any more.
void RedisSignal::found_missed(Followed& one) {
  std::lock_guard lock(mutex_);
  one.end_seen = 0;
  one.quiet_from = {};
  one.quiet_to = {};
}

Co<Result<Heard>> RedisSignal::hear(std::string topic, std::string place, Deadline by) {
  auto one = follow(topic);
  const Following counted(*this, one);
  const Duration answer_in = client_.settings().reply_timeout;
  for (;;) {
    const auto seen = one->told.version();
    // Who does not wait looks: what was told a moment ago may not have been pushed yet.
    TimePoint again{};
    if (!by.passed(clock_.now())) again = nothing_until(*one, place, seen);
    if (again == TimePoint{}) {
      std::string from = same_place(*one, place);
      auto reply = co_await look(topic, std::move(from), Deadline::in(clock_, answer_in));
      if (!reply.ok()) co_return reply.error();
      const std::string newest = reply->at(0).text;
      if (place == "$") place = newest;
      Heard heard = heard_of(*reply);
      if (heard.missed) found_missed(*one);
      if (!heard.news.empty() || heard.missed) co_return heard;
      again = found_nothing(*one, place, newest, seen);
    }
    if (by.passed(clock_.now())) co_return Heard{};
    const Deadline until = by.sooner(Deadline(again));
    auto woken = co_await one->told.wait(seen, until);
    if (!woken && !until.passed(clock_.now())) {
      co_return Error::log(Errc::cancelled, "the reader was cancelled");
    }
    if (!woken && by.passed(clock_.now())) co_return Heard{};
  }
}

Co<Result<std::string>> RedisSignal::place(std::string topic, Deadline by) {
  auto reply = co_await look(std::move(topic), "$", by);
  if (!reply.ok()) co_return reply.error();
  co_return reply->at(0).text;
}

std::size_t RedisSignal::followed() const {
  std::lock_guard lock(mutex_);
  return followed_.size();
}

}  // namespace mainstay::storage::redis
