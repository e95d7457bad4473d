// Limits per user, key, address and model: requests and tokens in a time, and how many at once.
// Used by admission alone. Thread-safe; time is given.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "admission/caller.h"
#include "admission/rate.h"
#include "admission/tokens.h"
#include "base/result.h"
#include "config/settings.h"
#include "config/snapshot.h"

namespace mainstay::admission {

enum class Subject : std::uint8_t { user, key, address, model };
enum class Measure : std::uint8_t { requests, tokens_per_minute, tokens_per_day, concurrent };

/// What is left of one limit; feeds the x-ratelimit headers.
struct Figure {
  std::uint64_t limit = 0;      ///< 0: there is no limit
  std::uint64_t remaining = 0;  ///< that would pass now
  Duration reset{};             ///< until the limit is untouched again
};

/// Outcome of one request against its limits. The first three are of the request limit that is
/// nearest to its end.
struct RateView {
  bool allowed = true;
  std::uint64_t limit = 0;      ///< requests a minute
  std::uint64_t remaining = 0;  ///< that would pass now
  Duration reset{};             ///< until the bucket is full again
  Duration retry_after{};       ///< until the next one passes; zero when allowed, or when never
  Figure tokens;                ///< of the token limit that is nearest to its end
  Subject by = Subject::user;   ///< whose limit refused
  Measure over = Measure::requests;
  std::uint64_t bound = 0;  ///< the figure that was passed
};

/// Which limits are looked at: of the head alone (requests of user, key and address, before the
/// body is read), of the body (tokens, requests of the model, how many at once), of work that runs
/// later (the body's, without a place among those at work), or all.
enum class Part : std::uint8_t { head, body, later, whole };

/// One request. Views live through the call.
struct Ask {
  const Caller& caller;
  std::string_view address;  ///< empty: unknown, not limited
  std::string_view model;    ///< empty: none
  std::uint64_t tokens = 0;
  Part part = Part::whole;
};

struct Name;
/// A subject's name as it is kept.
struct Kept {
  std::size_t hash = 0;
  Subject subject = Subject::user;
  std::string first;
  std::string second;
};
/// What is remembered of a subject.
struct Remembered : boost::intrusive::list_base_hook<> {
  const Kept* name = nullptr;
  Bucket requests;
  Bucket minute;
  Bucket day;
  std::uint32_t at_work = 0;  ///< reservations; not forgotten while there is one
  bool idle(TimePoint now) const noexcept {
    return at_work == 0 && requests.full(now) && minute.full(now) && day.full(now);
  }
  TimePoint idle_at() const noexcept {
    return std::max(requests.full_at(), std::max(minute.full_at(), day.full_at()));
  }
};

/// All limits of a request are decided in one step: every bucket is charged, or none is. The step
/// holds the locks of the shards involved, at most four of 32, taken in their order.
/// Memory: a subject with nothing used up is forgotten, a few with each new one and the rest by
/// reclaim(). When limits.users_max are remembered, the one that is idle soonest among the eight
/// touched longest ago goes. Entries of requests at work stay in any case.
class Limits {
 public:
  /// `clock` is asked when a reservation ends.
  Limits(const LimitSettings& settings, Clock& clock);
  /// Takes new figures; what was used up stays used up.
  void apply(const LimitSettings& settings);
  /// `into` receives what is held until the answer ends; null for Part::head and Part::later.
  RateView take(const Ask& ask, Reservation* into, TimePoint now);
  /// Gives back what take() took: of a head whose body was refused, of work that was not begun.
  /// Returns the figures of the requests as they are then.
  RateView take_back(const Ask& ask, TimePoint now);
  /// Forgets subjects with nothing used up; at most `most`. Returns how many.
  std::size_t reclaim(TimePoint now, std::size_t most = 100'000);
  std::size_t entries() const;

 private:
  friend class Reservation;
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(const Kept& kept) const noexcept { return kept.hash; }
    std::size_t operator()(const Name& name) const noexcept;
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(const Kept& a, const Kept& b) const noexcept;
    bool operator()(const Name& a, const Kept& b) const noexcept;
    bool operator()(const Kept& a, const Name& b) const noexcept { return (*this)(b, a); }
  };
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<Kept, Remembered, NameHash, NameEqual> entries;
    boost::intrusive::list<Remembered> oldest_first;  ///< by last use
  };
  struct Figures {
    Rate requests;
    Rate minute;
    Rate day;
    std::uint32_t concurrent = 0;
    static Figures of(const SubjectLimits& settings);
    friend bool operator==(const Figures&, const Figures&) = default;
  };
  using All = std::array<Figures, 4>;
  struct Place;
  struct Step;
  static std::shared_ptr<const All> figures_of(const LimitSettings& settings);
  Figures figures_of(Subject subject, const Caller& caller) const;
  void gather(Step& step, const Ask& ask) const;
  void lock_and_find(Step& step, TimePoint now);
  Remembered& find_or_add(Shard& shard, const Name& name, TimePoint now);
  static void make_room(Shard& shard, std::size_t most, TimePoint now);
  static void forget(Shard& shard, Remembered& entry);
  void end(Reservation& reservation, std::uint64_t used) noexcept;
  static constexpr std::size_t kShards = 32;
  Clock& clock_;
  config::Live<All> figures_;
  const std::size_t shard_max_;
  std::array<Shard, kShards> shards_;
};

/// The refusal that belongs to a view that was not allowed.
Error refusal(const RateView& view);

}  // namespace mainstay::admission
