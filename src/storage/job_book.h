// JobBook: the order in memory of all jobs that have not ended, without inputs and results: what is
// next, what is due, whose lease is over, and whether another one may come in.
// Used by storage/memory and storage/sqlite. Knows no clock, no lock and no storage.
#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/job_gate.h"
#include "storage/job_life.h"

namespace mainstay::storage {

/// Single-threaded: the caller holds its own lock, or is the one thread. Every step is O(log n) or
/// better, n being the jobs that have not ended; next() with kinds may look at all ready ones.
/// How a store uses it: first the timers (`expired`, then `due`, then `lease_over`, each until it
/// gives null, each entry moved with step() and change()/end()), then the verb itself. So no verb
/// sees a lease that is over, and next() never gives a job at or after its `expires`.
class JobBook {
 public:
  struct OwnerLines;
  struct Kind;
  using Hook =
      boost::intrusive::set_member_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;
  using ListHook =
      boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

  /// What insert() is told. `n` zero: after all others; else the place it had (a store opened
  /// again, a retry, the undoing of an end).
  struct NewEntry {
    JobId id;
    Owner owner;
    std::string kind;
    std::string batch;
    JobClass priority = JobClass::interactive;
    JobLife life;
    std::uint64_t n = 0;
    std::string worker;
    TimePoint lease_until{};  ///< of a running one
    std::shared_ptr<const NewJob> whole;
  };

  /// One job. Its address stays the same until end() or remove(). Fields without an underscore may
  /// be read; `worker` and `whole` may also be set, the others change through the book alone.
  struct Entry {
    JobId id;
    std::string batch;
    JobClass priority = JobClass::interactive;
    JobLife life;
    std::uint64_t n = 0;  ///< order of arrival; never used twice while this book lives
    std::string worker;   ///< who runs it or ran it last
    TimePoint ready_since{};
    TimePoint lease_until{};
    /// The whole record, when the store wants to keep it here; the book does not look at it.
    std::shared_ptr<const NewJob> whole;

    const Owner& owner() const noexcept;
    const std::string& kind() const noexcept;

    OwnerLines* owner_ = nullptr;
    Kind* kind_ = nullptr;
    Hook place_;    ///< in its owner's line, among the due ones, or among the leases
    Hook expiry_;   ///< among those that wait and expire
    Hook waiting_;  ///< in its class, by the moment it became ready
  };

  explicit JobBook(const JobLimits& limits);
  ~JobBook();
  JobBook(const JobBook&) = delete;
  JobBook& operator=(const JobBook&) = delete;

  /// Takes a job in, whatever admit() says. Its state is not an end and its id is new (CHECK).
  /// `since`: when it became ready, of a queued one; that may be long past.
  Entry& insert(NewEntry entry, TimePoint since);
  /// Null: unknown, or ended.
  Entry* find(const JobId& id);
  /// Moves a job to a new life that is not an end. `since` as above; `lease_until` counts for a
  /// running one; the same call extends a lease. Beginning an attempt sends its owner to the end of
  /// the ring.
  void change(Entry& entry, const JobLife& life, TimePoint since, TimePoint lease_until = {});
  /// The job has ended as `how`: counts it as drained and ended, and forgets it.
  void end(Entry& entry, JobState how, TimePoint now);
  /// Forgets a job as if it had never come in (the undoing of insert).
  void remove(Entry& entry);
  /// Ended jobs that the store keeps, for the counts: +1 when it opens with one, -1 when it removes
  /// one or a retry takes it back. end() adds its own.
  void count_ended(JobClass priority, JobState state, std::int64_t by);

  /// What to run next: by class, then in turn between owners, then the oldest. Null: nothing of
  /// these kinds (empty: of any) but `not_of` is ready. Changes nothing.
  Entry* next(const std::vector<std::string>& kinds, std::string_view not_of = {});
  /// The first of the scheduled ones whose time has come.
  Entry* due(WallTime now);
  /// The first of the running ones whose lease is over; equality counts as over.
  Entry* lease_over(TimePoint now);
  /// The first of the scheduled and queued ones that expires; equality counts.
  Entry* expired(WallTime now);
  /// When the next of these three can have something, as a steady moment; none: not by itself.
  /// Never more than a minute ahead for what hangs on the wall clock, since that may be set
  /// meanwhile.
  std::optional<TimePoint> next_timer(TimePoint now, WallTime wall) const;

  /// May this owner hand in a job of this class now? Errors: over_limit "too_many_waiting_jobs";
  /// unavailable "queue_overloaded" with retry_after.
  Status admit(const Owner& owner, JobClass priority, std::uint32_t waiting_max, TimePoint now);

  /// Scheduled + queued jobs of an owner, but for items of batches: those come in without being
  /// asked for a place.
  std::uint32_t waiting(const Owner& owner) const;
  std::uint64_t depth() const noexcept { return depth_; }
  bool shedding() const noexcept { return gate_.shedding(); }
  std::uint64_t ready() const noexcept { return ready_; }
  /// Fills by_state, oldest_ready, depth, shedding, drained_per_second, refused_user and
  /// refused_depth; the store counts the others.
  void fill(JobFigures& out, TimePoint now) const;
  /// Calls `seen` with each entry, in no order. Nothing may be changed meanwhile.
  template <class Seen>
  void each(Seen&& seen) const {
    for (const auto& [id, entry] : entries_) seen(static_cast<const Entry&>(*entry));
  }

 private:
  template <class Less>
  using Order =
      boost::intrusive::multiset<Entry, boost::intrusive::compare<Less>,
                                 boost::intrusive::member_hook<Entry, Hook, &Entry::place_>>;
  struct ByArrival {
    bool operator()(const Entry& a, const Entry& b) const noexcept { return a.n < b.n; }
  };
  struct ByRunAt {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.life.run_at != b.life.run_at ? a.life.run_at < b.life.run_at : a.n < b.n;
    }
  };
  struct ByLease {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.lease_until != b.lease_until ? a.lease_until < b.lease_until : a.n < b.n;
    }
  };
  struct ByExpiry {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.life.expires != b.life.expires ? a.life.expires < b.life.expires : a.n < b.n;
    }
  };
  struct BySince {
    bool operator()(const Entry& a, const Entry& b) const noexcept {
      return a.ready_since < b.ready_since;
    }
  };
  using Line = Order<ByArrival>;
  using Expiries =
      boost::intrusive::multiset<Entry, boost::intrusive::compare<ByExpiry>,
                                 boost::intrusive::member_hook<Entry, Hook, &Entry::expiry_>>;
  using ByReadiness =
      boost::intrusive::multiset<Entry, boost::intrusive::compare<BySince>,
                                 boost::intrusive::member_hook<Entry, Hook, &Entry::waiting_>>;

 public:
  /// The ready jobs of one owner in one class; in the ring of the class while there are any.
  struct OwnerLine {
    ListHook ring_;
    Line ready;
  };
  struct OwnerLines {
    Owner owner;
    std::uint32_t jobs = 0;
    std::uint32_t waiting = 0;
    OwnerLine lines[kJobClasses];
  };
  struct Kind {
    std::string name;
    std::uint32_t jobs = 0;
    std::uint32_t ready = 0;
  };

 private:
  using Ring =
      boost::intrusive::list<OwnerLine,
                             boost::intrusive::member_hook<OwnerLine, ListHook, &OwnerLine::ring_>>;
  struct OwnerHash {
    std::size_t operator()(const Owner& owner) const noexcept;
  };

  void place(Entry& entry, TimePoint since);
  void displace(Entry& entry);
  void forget(Entry& entry);
  OwnerLines& lines_of(Owner owner);
  Kind& kind_of(std::string name);

  JobGate gate_;
  std::unordered_map<std::string_view, std::unique_ptr<Entry>> entries_;  ///< by Entry::id
  std::unordered_map<Owner, std::unique_ptr<OwnerLines>, OwnerHash> owners_;
  std::vector<std::unique_ptr<Kind>> kinds_;  ///< few; some have no job now
  Ring rings_[kJobClasses];
  ByReadiness by_readiness_[kJobClasses];
  Order<ByRunAt> due_;
  Order<ByLease> leases_;
  Expiries expiries_;
  std::uint64_t counts_[kJobClasses][kJobStates] = {};
  std::uint64_t depth_ = 0;
  std::uint64_t ready_ = 0;
  std::uint64_t next_n_ = 1;
  std::uint64_t refused_user_ = 0;
};

/// The steady moment at which it was `then`, for a job that became ready before it was looked at.
inline TimePoint back_at(TimePoint now, WallTime wall, WallTime then) noexcept {
  return now - std::max(wall - then, std::chrono::microseconds(0));
}

/// The kind that a claim which took so many of its rationed kind wants no more of; empty: none.
inline std::string_view rationed_out(const Claim& claim, std::uint32_t taken) noexcept {
  return taken < claim.rationed_most ? std::string_view() : std::string_view(claim.rationed);
}

}  // namespace mainstay::storage
