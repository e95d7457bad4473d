// JobBook over intrusive trees and rings: an entry is one allocation besides its strings, and
// moving it allocates nothing.
#include "storage/job_book.h"

#include <algorithm>

#include "base/check.h"

namespace mainstay::storage {
namespace {

/// Wall timers are looked at this often at least: the wall clock may be set.
constexpr std::chrono::microseconds kWallTimerMax = std::chrono::minutes(1);
/// Kinds without a job are kept up to this many: they come again.
constexpr std::size_t kKindsKept = 64;

std::size_t index(JobClass c) noexcept {
  return static_cast<std::size_t>(c);
}
std::size_t index(JobState s) noexcept {
  return static_cast<std::size_t>(s);
}
bool waits(JobState s) noexcept {
  return s == JobState::scheduled || s == JobState::queued;
}

}  // namespace

std::size_t JobBook::OwnerHash::operator()(const Owner& owner) const noexcept {
  const std::size_t tenant = std::hash<TenantId>()(owner.tenant);
  const std::size_t user = std::hash<UserId>()(owner.user);
  return tenant ^ (user + 0x9e3779b97f4a7c15ULL + (tenant << 6) + (tenant >> 2));
}

const Owner& JobBook::Entry::owner() const noexcept {
  return owner_->owner;
}
const std::string& JobBook::Entry::kind() const noexcept {
  return kind_->name;
}

JobBook::JobBook(const JobLimits& limits) : gate_(limits) {}

JobBook::~JobBook() {
  for (auto& line : by_readiness_) line.clear();
  for (auto& ring : rings_) {
    for (auto& line : ring) line.ready.clear();
    ring.clear();
  }
  due_.clear();
  leases_.clear();
  expiries_.clear();
}

JobBook::OwnerLines& JobBook::lines_of(Owner owner) {
  const auto found = owners_.find(owner);
  if (found != owners_.end()) return *found->second;
  auto lines = std::make_unique<OwnerLines>();
  lines->owner = owner;
  return *owners_.emplace(std::move(owner), std::move(lines)).first->second;
}

JobBook::Kind& JobBook::kind_of(std::string name) {
  for (auto& kind : kinds_) {
    if (kind->name == name) return *kind;
  }
  kinds_.push_back(std::make_unique<Kind>());
  kinds_.back()->name = std::move(name);
  return *kinds_.back();
}

JobBook::Entry& JobBook::insert(NewEntry in, TimePoint since) {
  CHECK(!ended(in.life.state));
  auto fresh = std::make_unique<Entry>();
  Entry& entry = *fresh;
  entry.id = std::move(in.id);
  entry.batch = std::move(in.batch);
  entry.priority = in.priority;
  entry.life = in.life;
  entry.n = in.n == 0 ? next_n_ : in.n;
  entry.worker = std::move(in.worker);
  entry.lease_until = in.lease_until;
  entry.whole = std::move(in.whole);
  // What allocates comes before anything that would have to be taken back.
  entry.owner_ = &lines_of(std::move(in.owner));
  entry.kind_ = &kind_of(std::move(in.kind));
  const bool is_new = entries_.emplace(entry.id.text(), std::move(fresh)).second;
  CHECK(is_new);
  next_n_ = std::max(next_n_, entry.n + 1);
  ++entry.owner_->jobs;
  ++entry.kind_->jobs;
  ++depth_;
  place(entry, since);
  gate_.depth_is(depth_);
  return entry;
}

JobBook::Entry* JobBook::find(const JobId& id) {
  const auto found = entries_.find(id.text());
  return found == entries_.end() ? nullptr : found->second.get();
}

/// Puts an entry where its state belongs and counts it there.
void JobBook::place(Entry& entry, TimePoint since) {
  const std::size_t line = index(entry.priority);
  const JobState state = entry.life.state;
  ++counts_[line][index(state)];
  if (waits(state)) {
    if (entry.batch.empty()) ++entry.owner_->waiting;
    if (entry.life.expires != WallTime{}) expiries_.insert(entry);
  }
  if (state == JobState::scheduled) due_.insert(entry);
  if (state == JobState::running) leases_.insert(entry);
  if (state != JobState::queued) return;
  OwnerLine& mine = entry.owner_->lines[line];
  if (mine.ready.empty()) rings_[line].push_back(mine);
  mine.ready.insert(mine.ready.end(), entry);  // most come in order: the hint makes that O(1)
  entry.ready_since = since;
  by_readiness_[line].insert(by_readiness_[line].end(), entry);
  ++entry.kind_->ready;
  ++ready_;
}

/// The opposite of place(), by the state that the entry still has.
void JobBook::displace(Entry& entry) {
  const std::size_t line = index(entry.priority);
  const JobState state = entry.life.state;
  --counts_[line][index(state)];
  if (waits(state)) {
    if (entry.batch.empty()) --entry.owner_->waiting;
    if (entry.expiry_.is_linked()) expiries_.erase(expiries_.iterator_to(entry));
  }
  if (state == JobState::scheduled) due_.erase(due_.iterator_to(entry));
  if (state == JobState::running) leases_.erase(leases_.iterator_to(entry));
  if (state != JobState::queued) return;
  OwnerLine& mine = entry.owner_->lines[line];
  mine.ready.erase(mine.ready.iterator_to(entry));
  if (mine.ready.empty()) rings_[line].erase(rings_[line].iterator_to(mine));
  by_readiness_[line].erase(by_readiness_[line].iterator_to(entry));
  --entry.kind_->ready;
  --ready_;
}

void JobBook::change(Entry& entry, const JobLife& life, TimePoint since, TimePoint lease_until) {
  CHECK(!ended(life.state));
  const bool begins = entry.life.state == JobState::queued && life.state == JobState::running;
  displace(entry);
  entry.life = life;
  entry.lease_until = lease_until;
  place(entry, since);
  if (!begins) return;
  auto& ring = rings_[index(entry.priority)];
  OwnerLine& mine = entry.owner_->lines[index(entry.priority)];
  if (!mine.ready.empty()) ring.splice(ring.end(), ring, ring.iterator_to(mine));
}

/// Takes an entry out of everything, and its owner and kind when they were theirs alone.
void JobBook::forget(Entry& entry) {
  displace(entry);
  --depth_;
  if (--entry.owner_->jobs == 0) owners_.erase(owners_.find(entry.owner_->owner));
  if (--entry.kind_->jobs == 0 && kinds_.size() > kKindsKept) {
    std::erase_if(kinds_, [](const auto& kind) { return kind->jobs == 0; });
  }
  const auto found = entries_.find(entry.id.text());
  const std::unique_ptr<Entry> last = std::move(found->second);  // outlives the key, a view of it
  entries_.erase(found);
  gate_.depth_is(depth_);
}

void JobBook::end(Entry& entry, JobState how, TimePoint now) {
  CHECK(ended(how));
  count_ended(entry.priority, how, 1);
  gate_.drained(now);
  forget(entry);
}

void JobBook::remove(Entry& entry) {
  forget(entry);
}

void JobBook::count_ended(JobClass priority, JobState state, std::int64_t by) {
  counts_[index(priority)][index(state)] += static_cast<std::uint64_t>(by);
}

JobBook::Entry* JobBook::next(const std::vector<std::string>& kinds, std::string_view not_of) {
  const auto wanted = [&](const std::string& kind) {
    if (!not_of.empty() && kind == not_of) return false;
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  const bool any = ready_ > 0 && std::any_of(kinds_.begin(), kinds_.end(), [&](const auto& kind) {
                     return kind->ready > 0 && wanted(kind->name);
                   });
  if (!any) return nullptr;
  for (auto& ring : rings_) {
    for (auto& line : ring) {
      for (auto& entry : line.ready) {
        if (wanted(entry.kind_->name)) return &entry;
      }
    }
  }
  return nullptr;
}

JobBook::Entry* JobBook::due(WallTime now) {
  if (due_.empty() || due_.begin()->life.run_at > now) return nullptr;
  return &*due_.begin();
}

JobBook::Entry* JobBook::lease_over(TimePoint now) {
  if (leases_.empty() || leases_.begin()->lease_until > now) return nullptr;
  return &*leases_.begin();
}

JobBook::Entry* JobBook::expired(WallTime now) {
  if (expiries_.empty() || expiries_.begin()->life.expires > now) return nullptr;
  return &*expiries_.begin();
}

std::optional<TimePoint> JobBook::next_timer(TimePoint now, WallTime wall) const {
  std::optional<TimePoint> first;
  const auto at = [&](TimePoint moment) { first = std::min(first.value_or(moment), moment); };
  const auto at_wall = [&](WallTime moment) {
    const auto ahead = std::max(moment - wall, std::chrono::microseconds(0));
    at(ahead >= kWallTimerMax ? now + kWallTimerMax : now + ahead);
  };
  if (!leases_.empty()) at(leases_.begin()->lease_until);
  if (!due_.empty()) at_wall(due_.begin()->life.run_at);
  if (!expiries_.empty()) at_wall(expiries_.begin()->life.expires);
  return first;
}

Status JobBook::admit(const Owner& owner, JobClass priority, std::uint32_t waiting_max,
                      TimePoint now) {
  const std::uint32_t mine = waiting(owner);
  if (waiting_max > 0 && mine >= waiting_max) {
    ++refused_user_;
    return too_many_waiting(mine, waiting_max);
  }
  return gate_.admit(depth_, priority, now);
}

std::uint32_t JobBook::waiting(const Owner& owner) const {
  const auto found = owners_.find(owner);
  return found == owners_.end() ? 0 : found->second->waiting;
}

void JobBook::fill(JobFigures& out, TimePoint now) const {
  for (std::size_t c = 0; c < kJobClasses; ++c) {
    std::copy(std::begin(counts_[c]), std::end(counts_[c]), std::begin(out.by_state[c]));
    const auto& line = by_readiness_[c];
    out.oldest_ready[c] = line.empty() ? Duration{} : now - line.begin()->ready_since;
  }
  out.depth = depth_;
  out.shedding = gate_.shedding();
  out.drained_per_second = gate_.drained_per_second(now);
  out.refused_user = refused_user_;
  out.refused_depth = gate_.refused();
}

}  // namespace mainstay::storage
