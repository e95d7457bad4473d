// /admin/jobs: how the queue does, what the workers run, what was given up; and the levers on any
// job, each of which leaves an audit entry.
#include "api/admin.h"
#include "api/job_json.h"
#include "api/job_pages.h"
#include "api/routes.h"
#include "jobs/desk.h"

namespace mainstay::api {
namespace {

/// Given-up jobs shown beside the list that was asked for.
constexpr std::uint32_t kDeadShown = 20;

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

Json classes_of(const storage::JobFigures& figures) {
  Json out = Json::array();
  for (std::size_t c = 0; c < storage::kJobClasses; ++c) {
    Json states = Json::object();
    for (std::size_t s = 0; s < storage::kJobStates; ++s) {
      states[std::string(name(static_cast<storage::JobState>(s)))] = figures.by_state[c][s];
    }
    out.push_back({{"class", std::string(name(static_cast<storage::JobClass>(c)))},
                   {"states", std::move(states)},
                   {"oldest_ready_seconds", seconds(figures.oldest_ready[c])}});
  }
  return out;
}

Json totals_of(const storage::JobFigures& figures) {
  return {{"submitted", figures.submitted},
          {"replayed", figures.replayed},
          {"claimed", figures.claimed},
          {"completed", figures.completed},
          {"failed_attempts", figures.failed_attempts},
          {"dead", figures.died},
          {"expired_leases", figures.expired_leases},
          {"stale", figures.stale},
          {"refused_user", figures.refused_user},
          {"refused_depth", figures.refused_depth}};
}

Json worker_json(const jobs::WorkerFigures& worker) {
  Json running = Json::array();
  for (const auto& job : worker.running) {
    running.push_back({{"id", job.id.text()},
                       {"kind", job.kind},
                       {"attempt", job.attempt},
                       {"started_at", timestamp(job.started)}});
  }
  return {{"name", worker.name},           {"slots", worker.slots},
          {"busy", worker.busy},           {"claimed", worker.claimed},
          {"succeeded", worker.succeeded}, {"failed", worker.failed},
          {"timed_out", worker.timed_out}, {"cancelled", worker.cancelled},
          {"stale", worker.stale},         {"given_back", worker.given_back},
          {"threw", worker.threw},         {"running", std::move(running)}};
}

Json rows_of(const std::vector<storage::Job>& jobs) {
  Json out = Json::array();
  for (const auto& job : jobs) out.push_back(admin_job_row(job));
  return out;
}

/// The page of everybody's jobs, or of one user's: ?tenant= and ?user=.
Result<JobPage> any_page(const Rooms& rooms, const Context& context) {
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) return query.error();
  auto page = page_asked(rooms, *query);
  if (!page.ok()) return page.error();
  const auto user = query->find("user");
  const auto tenant = query->find("tenant");
  if (user == query->end() && tenant == query->end()) return page;
  if (user == query->end()) {
    return Error::say(Errc::invalid, "missing_field", "'tenant' needs a 'user' beside it.", "user");
  }
  page->filter.owner = storage::Owner{TenantId(tenant == query->end() ? "default" : tenant->second),
                                      UserId(user->second)};
  return page;
}

/// What an administrator did to a job, as it ended.
void record(const Rooms& rooms, const Context& context, const char* what,
            const Result<storage::Job>& job) {
  AuditEntry entry = audit_of(context, what);
  entry.before = "job " + context.param;
  if (job.ok()) {
    entry.after = std::string(name(job->state));
  } else {
    entry.outcome = std::string(job.error().reason.empty() ? "failed" : job.error().reason);
  }
  rooms.admin->audit.record(std::move(entry));
}

Co<Status> reply_row(Context& context, Result<storage::Job> job) {
  if (!job.ok()) co_return job.error();
  auto sent = co_await reply_json(context, 200, dump(admin_job_row(*job)));
  co_return sent;
}

}  // namespace

Co<Status> job_stats(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  auto asked = any_page(rooms, context);
  if (!asked.ok()) co_return asked.error();
  storage::JobFilter dead;
  dead.owner = asked->filter.owner;
  dead.state = storage::JobState::dead;
  const bool everybody = !asked->filter.owner.has_value();
  auto& store = rooms.jobs->store();
  storage::JobId newest;
  auto given_up = co_await store.list(std::move(dead), std::move(newest), kDeadShown, context.by);
  if (!given_up.ok()) co_return given_up.error();
  auto page = co_await store.list(std::move(asked->filter), std::move(asked->after), asked->limit,
                                  context.by);
  if (!page.ok()) co_return page_error(page.error());
  const auto figures = rooms.jobs->figures();
  Json workers = Json::array();
  for (const auto& worker : rooms.admin->program->workers()) workers.push_back(worker_json(worker));
  const Json out = {{"object", "list"},
                    {"data", rows_of(page->items)},
                    {"has_more", page->more},
                    {"everybody", everybody},
                    {"dead", rows_of(given_up->items)},
                    {"depth", figures.depth},
                    {"shedding", figures.shedding},
                    {"drained_per_second", figures.drained_per_second},
                    {"classes", classes_of(figures)},
                    {"totals", totals_of(figures)},
                    {"workers", std::move(workers)},
                    {"timestamp", timestamp(rooms.clock.wall())}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_any_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  admission::Caller who_sees_all = context.caller;  // the route has asked for its own scope
  who_sees_all.scopes = {admission::Scope::admin};
  auto view = co_await rooms.jobs->get(std::move(who_sees_all), std::move(id), context.by);
  if (!view.ok()) co_return view.error();
  auto sent = co_await reply_json(context, 200,
                                  whole_job(admin_job_row(view->job), view->job, view->webhook));
  co_return sent;
}

Co<Status> retry_any_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  auto job = co_await rooms.jobs->retry(context.caller, std::move(id), context.by);
  record(rooms, context, "job.retry", job);
  auto sent = co_await reply_row(context, std::move(job));
  co_return sent;
}

Co<Status> cancel_any_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  auto job = co_await rooms.jobs->cancel(context.caller, std::move(id), context.by);
  record(rooms, context, "job.cancel", job);
  auto sent = co_await reply_row(context, std::move(job));
  co_return sent;
}

}  // namespace mainstay::api
