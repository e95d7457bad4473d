// Histories as deques; one counter per shard numbers its events, so that a place says what came
// before it in every topic of the shard, forgotten ones included.
#include "storage/local_signal.h"

#include <algorithm>
#include <charconv>

namespace mainstay::storage {
namespace {

constexpr std::size_t kShards = 16;
/// Below this many topics one shard holds them all, so that the bound is exact.
constexpr std::size_t kTopicsToShard = 1024;

std::size_t size_of(const News& news) {
  return news.type.size() + news.data.size();
}

}  // namespace

struct LocalSignal::Topic {
  Topic(Clock& clock, std::string named) : name(std::move(named)), told(clock) {}
  std::string name;
  std::deque<std::pair<std::uint64_t, News>> news;  ///< by number
  std::size_t bytes = 0;
  /// Events of this topic up to this number are gone, or may have been before it was forgotten.
  std::uint64_t gone_through = 0;
  TimePoint last_told{};
  std::uint32_t readers = 0;  ///< waiting now
  bool forgotten = false;
  std::list<std::shared_ptr<Topic>>::iterator use;
  Event told;
};

struct LocalSignal::Shard {
  mutable std::mutex mutex;
  std::unordered_map<std::string_view, Topic*> by_name;  ///< of Topic::name
  std::list<std::shared_ptr<Topic>> by_use;              ///< most recently used first
  std::uint64_t last = 0;                                ///< number of the newest event
  std::uint64_t forgotten_through = 0;                   ///< newest number of any forgotten topic
};

/// Counts a waiting reader, however the wait ends.
class LocalSignal::Reading {
 public:
  Reading(Shard& shard, Topic& topic) : shard_(shard), topic_(topic) {
    std::lock_guard lock(shard_.mutex);
    ++topic_.readers;
  }
  ~Reading() {
    std::lock_guard lock(shard_.mutex);
    --topic_.readers;
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  Shard& shard_;
  Topic& topic_;
};

LocalSignal::LocalSignal(Clock& clock, const SignalLimits& limits)
    : clock_(clock), limits_(limits), born_(static_cast<std::uint64_t>(micros(clock.wall()))) {
  const std::size_t shards = limits.topics_max >= kTopicsToShard ? kShards : 1;
  topics_of_shard_ = std::max<std::size_t>(limits.topics_max / shards, 1);
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>());
}

LocalSignal::~LocalSignal() = default;

LocalSignal::Shard& LocalSignal::shard_of(const std::string& topic) const {
  return *shards_[std::hash<std::string>()(topic) % shards_.size()];
}

std::string LocalSignal::at(std::uint64_t n) const {
  return std::to_string(born_) + "-" + std::to_string(n);
}

void LocalSignal::forget(Shard& shard, Topic& topic) {
  const std::uint64_t newest = topic.news.empty() ? 0 : topic.news.back().first;
  shard.forgotten_through = std::max({shard.forgotten_through, topic.gone_through, newest});
  topic.forgotten = true;
  const std::shared_ptr<Topic> last = *topic.use;
  shard.by_name.erase(topic.name);
  shard.by_use.erase(topic.use);
  last->told.notify();
}

/// Topics past their time go first, then the least recently used quiet ones, then any.
void LocalSignal::make_room(Shard& shard, TimePoint now) {
  const auto old = [&](const Topic& topic) {
    return topic.readers == 0 && topic.last_told + limits_.keep <= now;
  };
  while (!shard.by_use.empty() && old(*shard.by_use.back())) forget(shard, *shard.by_use.back());
  while (shard.by_use.size() >= topics_of_shard_) {
    const auto quiet = std::find_if(shard.by_use.rbegin(), shard.by_use.rend(),
                                    [](const auto& topic) { return topic->readers == 0; });
    forget(shard, quiet == shard.by_use.rend() ? *shard.by_use.back() : **quiet);
  }
}

/// The topic of this name, known from now on, as the most recently used.
LocalSignal::Topic& LocalSignal::topic_of(Shard& shard, const std::string& name, TimePoint now) {
  const auto found = shard.by_name.find(name);
  if (found != shard.by_name.end()) {
    Topic& topic = *found->second;
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, topic.use);
    trim(topic, now);
    return topic;
  }
  make_room(shard, now);
  auto fresh = std::make_shared<Topic>(clock_, name);
  Topic& topic = *fresh;
  topic.gone_through = shard.forgotten_through;
  topic.last_told = now;
  shard.by_use.push_front(std::move(fresh));
  topic.use = shard.by_use.begin();
  shard.by_name.emplace(topic.name, &topic);
  return topic;
}

void LocalSignal::trim(Topic& topic, TimePoint now) {
  const bool old = topic.last_told + limits_.keep <= now;
  while (!topic.news.empty() &&
         (old || topic.news.size() > limits_.events_max || topic.bytes > limits_.bytes_max)) {
    topic.gone_through = topic.news.front().first;
    topic.bytes -= size_of(topic.news.front().second);
    topic.news.pop_front();
  }
}

Co<Status> LocalSignal::tell(std::string topic, std::string type, std::string data, Deadline) {
  std::shared_ptr<Topic> told;
  Shard& shard = shard_of(topic);
  {
    std::lock_guard lock(shard.mutex);
    const TimePoint now = clock_.now();
    Topic& one = topic_of(shard, topic, now);
    const std::uint64_t n = ++shard.last;
    one.last_told = now;
    one.news.emplace_back(n, News{at(n), std::move(type), std::move(data)});
    one.bytes += size_of(one.news.back().second);
    trim(one, now);
    told = *one.use;
  }
  told->told.notify();
  co_return done();
}

/// What came after `place`, which is not "$". One beyond `newest` was never given out: whoever
/// waited there would hear nothing for as long as it takes to get there.
Heard LocalSignal::collect(const Topic& topic, const std::string& place,
                           std::uint64_t newest) const {
  Heard out;
  std::uint64_t after = 0;
  if (!place.empty()) {
    std::uint64_t born = 0;
    const char* end = place.data() + place.size();
    const auto first = std::from_chars(place.data(), end, born);
    const bool dash = first.ec == std::errc() && first.ptr != end && *first.ptr == '-';
    const auto second = dash ? std::from_chars(first.ptr + 1, end, after) : first;
    const bool whole = dash && second.ec == std::errc() && second.ptr == end;
    const bool known = whole && born == born_ && after <= newest;
    if (!known) after = 0;
    out.missed = !known || after < topic.gone_through;
  }
  const auto from = std::partition_point(topic.news.begin(), topic.news.end(),
                                         [&](const auto& one) { return one.first <= after; });
  for (auto one = from; one != topic.news.end(); ++one) out.news.push_back(one->second);
  return out;
}

Co<Result<Heard>> LocalSignal::hear(std::string topic, std::string place, Deadline by) {
  Shard& shard = shard_of(topic);
  for (;;) {
    std::shared_ptr<Topic> one;
    std::uint64_t seen = 0;
    {
      std::lock_guard lock(shard.mutex);
      const TimePoint now = clock_.now();
      one = *topic_of(shard, topic, now).use;
      if (place == "$") place = at(shard.last);
      Heard heard = collect(*one, place, shard.last);
      if (!heard.news.empty() || heard.missed || by.passed(now)) co_return heard;
      seen = one->told.version();
    }
    const Reading reading(shard, *one);
    auto woken = co_await one->told.wait(seen, by);
    if (!woken && !by.passed(clock_.now())) {
      co_return Error::log(Errc::cancelled, "the reader was cancelled");
    }
  }
}

Co<Result<std::string>> LocalSignal::place(std::string topic, Deadline) {
  Shard& shard = shard_of(topic);
  std::lock_guard lock(shard.mutex);
  topic_of(shard, topic, clock_.now());
  co_return at(shard.last);
}

std::size_t LocalSignal::topics() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard->mutex);
    sum += shard->by_use.size();
  }
  return sum;
}

}  // namespace mainstay::storage
