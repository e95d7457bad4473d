// Following jobs: what is told, and the ends that nobody told.
#include <algorithm>
#include <array>
#include <utility>

#include "jobs/desk.h"

namespace mainstay::jobs {
namespace {

bool is_again(EventType type, const std::string& data) {
  return type == EventType::queued && data.find(R"("again":true)") != std::string::npos;
}

bool is_retry(const storage::News& news) {
  return news.type == name(EventType::queued) && is_again(EventType::queued, news.data);
}

/// Something came before an event of this type: an attempt began, and may have told its answer.
bool follows_others(std::optional<EventType> type) {
  if (!type) return false;
  switch (*type) {
    case EventType::progress:
    case EventType::token:
    case EventType::attempt_failed:
    case EventType::succeeded:
    case EventType::dead:
      return true;
    case EventType::queued:
    case EventType::started:
    case EventType::cancelled:
    case EventType::expired:
    case EventType::missed:
      break;
  }
  return false;
}

Event missed_at(const std::string& place) {
  return {place, EventType::missed, {}, {}, R"({"type":"missed"})"};
}

}  // namespace

Co<Result<std::vector<Event>>> Follower::next(Deadline by) {
  std::vector<Event> out;
  while (out.empty() && !finished_) {
    const bool look_now = clock_.now() >= next_look_;
    // What was told comes first: an end taken from the record must not overtake it.
    const Deadline until = look_now ? Deadline(clock_.now()) : by.sooner(Deadline(next_look_));
    auto heard = co_await signal_.hear(setup_.topic, place_, until);
    if (!heard.ok()) co_return heard.error();
    take(std::move(*heard), out);
    if (look_now && out.empty()) {
      auto looked = co_await look(&out, by);
      if (!looked.ok()) co_return looked.error();
      next_look_ = clock_.now() + setup_.recheck;
    }
    if (by.passed(clock_.now())) break;
  }
  co_return out;
}

void Follower::take(storage::Heard heard, std::vector<Event>& out) {
  if (heard.missed) {
    next_look_ = {};
    if (heard.news.empty()) place_.clear();  // nothing is kept: what comes is all there is
  }
  const bool amid =
      !begun_ && !heard.news.empty() && follows_others(event_type(heard.news.front().type));
  if (heard.missed || amid) out.push_back(missed_at(place_));
  if (heard.missed || !heard.news.empty()) begun_ = true;
  for (auto news = heard.news.begin(); news != heard.news.end(); ++news) {
    place_ = news->at;
    auto event = event_of(*news);
    if (event && note(*event)) out.push_back(std::move(*event));
    // The job may have been retried by hand since: that end is history then.
    if (finished_ && std::none_of(news, heard.news.end(), is_retry)) return;
  }
}

/// What is told late, or twice, is left out: two processes tell the news of one job, and the end
/// may have been taken from the record before. An attempt that begins after the end tells of a
/// retry whose own news is still to come: that must not open the job again once this attempt has
/// ended.
bool Follower::note(const Event& event) {
  const auto known = seen_.find(event.job.text());
  const bool heard = known != seen_.end();
  const bool over = heard ? ends(known->second.last) : end_was_seen_;
  const bool again = is_again(event.type, event.data);
  if (again && heard && std::exchange(known->second.again_comes, false)) return false;
  if (heard && !again) {
    if (event.type == EventType::queued && known->second.last != EventType::missed) return false;
    if (over && event.type != EventType::started) return false;
  }
  Seen& seen = see(event.job.text(), event.type);
  if (over && event.type == EventType::started) seen.again_comes = true;
  end_was_seen_ = false;
  if (!setup_.job.empty()) finished_ = ends(event.type);
  return true;
}

Follower::Seen& Follower::see(const std::string& job, EventType type) {
  const auto found = seen_.find(job);
  if (found != seen_.end()) {
    found->second.last = type;
    found->second.at = clock_.now();
    turns_.splice(turns_.end(), turns_, found->second.turn);
    return found->second;
  }
  if (seen_.size() >= setup_.followed_max && !turns_.empty()) {
    seen_.erase(turns_.front());
    turns_.pop_front();
  }
  turns_.push_back(job);
  return seen_.emplace(job, Seen{type, clock_.now(), std::prev(turns_.end())}).first->second;
}

Co<Status> Follower::look(std::vector<Event>* out, Deadline by) {
  if (setup_.job.empty()) {
    auto looked = co_await look_at_all(out, by);
    co_return looked;
  }
  auto looked = co_await look_at_job(out, by);
  co_return looked;
}

Co<Status> Follower::look_at_job(std::vector<Event>* out, Deadline by) {
  std::optional<storage::Owner> owner;
  if (!setup_.any_owner) owner = setup_.owner;
  auto job = co_await store_.get(std::move(owner), setup_.job, by);
  if (!job.ok()) co_return job.error();
  if (!storage::ended(job->state)) co_return done();
  // Told between the last hearing and this look?
  auto heard = co_await signal_.hear(setup_.topic, place_, Deadline(clock_.now()));
  if (heard.ok()) take(std::move(*heard), *out);
  if (finished_) co_return done();
  finished_ = true;
  if (end_was_seen_) co_return done();
  Event end = end_of(*job, setup_.result_max);
  if (!begun_ && follows_others(end.type)) out->push_back(missed_at(place_));
  out->push_back(std::move(end));
  place_ = kMadeUp;
  co_return done();
}

/// The jobs of which nothing was heard for a while.
Co<Status> Follower::look_at_all(std::vector<Event>* out, Deadline by) {
  if (!found_open_) {
    auto found = co_await find_open(by);
    if (!found.ok()) co_return found;
    found_open_ = true;
    co_return done();
  }
  std::vector<std::string> quiet;
  for (const auto& [id, seen] : seen_) {
    if (!ends(seen.last) && clock_.now() - seen.at >= setup_.recheck) quiet.push_back(id);
  }
  for (const auto& id : quiet) {
    auto job = co_await store_.get(setup_.owner, storage::JobId(id), by);
    if (!job.ok() && job.error().code != Errc::not_found) co_return job.error();
    const auto seen = seen_.find(id);
    if (seen == seen_.end()) continue;
    if (!job.ok()) {
      turns_.erase(seen->second.turn);
      seen_.erase(seen);
    } else if (storage::ended(job->state)) {
      Event end = end_of(*job, setup_.result_max);
      end.at = place_;
      see(id, end.type);
      out->push_back(std::move(end));
    }
  }
  co_return done();
}

/// The owner's unfinished jobs, so that their ends are not missed.
Co<Status> Follower::find_open(Deadline by) {
  constexpr std::array kOpen = {storage::JobState::scheduled, storage::JobState::queued,
                                storage::JobState::running};
  for (const auto state : kOpen) {
    storage::JobFilter filter;
    filter.owner = setup_.owner;
    filter.state = state;
    const auto limit = static_cast<std::uint32_t>(setup_.followed_max);
    auto page = co_await store_.list(std::move(filter), storage::JobId(), limit, by);
    if (!page.ok()) co_return page.error();
    for (const auto& job : page->items) {
      if (seen_.contains(job.job.id.text())) continue;
      if (seen_.size() >= setup_.followed_max) break;
      see(job.job.id.text(), EventType::missed);  // known, though nothing was heard of it
    }
  }
  co_return done();
}

}  // namespace mainstay::jobs
