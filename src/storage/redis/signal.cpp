// Telling is one script; hearing looks, and looks again when the subscription says so.
#include "storage/redis/signal.h"

#include <charconv>

namespace mainstay::storage::redis {
namespace {

/// A topic stays subscribed so long after its last reader, who often comes again at once.
constexpr Duration kFollowOn = std::chrono::seconds(30);
constexpr Duration kSweepEvery = std::chrono::seconds(5);
/// Readers look again after so long without a word, whatever was missed.
constexpr Duration kLookAgain = std::chrono::minutes(5);

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
  auto reply = co_await client_.ask(std::move(call), false, by, true);
  if (!reply.ok()) co_return reply.error();
  co_return done();
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
  for (const auto& [topic, one] : followed_) say("SUBSCRIBE", topic);
}

/// ["subscribe" | "message", channel, …]: in both cases there may be news.
void RedisSignal::pushed(Reply reply) {
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
  co_return co_await client_.ask(std::move(call), true, answer_by, true);
}

/// Until when it is known that nothing was told after `place`; zero: it is not known.
TimePoint RedisSignal::nothing_until(const Followed& one, const std::string& place,
                                     std::uint64_t seen) {
  std::lock_guard lock(mutex_);
  const bool known = one.end_seen == seen && one.end == place && clock_.now() < one.end_until;
  return known ? one.end_until : TimePoint{};
}

TimePoint RedisSignal::found_nothing(Followed& one, const std::string& place, std::uint64_t seen) {
  std::lock_guard lock(mutex_);
  one.end = place;
  one.end_seen = seen;
  one.end_until = clock_.now() + kLookAgain;
  return one.end_until;
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
      auto reply = co_await look(topic, place, Deadline::in(clock_, answer_in));
      if (!reply.ok()) co_return reply.error();
      if (place == "$") place = reply->at(0).text;
      Heard heard = heard_of(*reply);
      if (!heard.news.empty() || heard.missed) co_return heard;
      again = found_nothing(*one, place, seen);
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
