// /v1/jobs: handing in, seeing, ending and repeating jobs. Their events are in job_events.cpp.
#include "api/admin.h"
#include "api/gate.h"
#include "api/idempotency.h"
#include "api/job_json.h"
#include "api/job_order.h"
#include "api/job_pages.h"
#include "api/routes.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr std::uint32_t kListed = 20;

Result<storage::JobState> state_named(const std::string& text) {
  const auto state = storage::job_state(text);
  if (state) return *state;
  return Error::say(Errc::invalid, "invalid_value",
                    "'state' is scheduled, queued, running, succeeded, dead, cancelled or expired.",
                    "state");
}

/// The order of a request; its key comes as a header.
Result<jobs::Order> order_in(const Context& context, const std::string& body) {
  auto object =
      object_of(body, {"kind", "input", "priority", "client", "run_at", "delay", "expires",
                       "expires_in", "repeat_every", "attempts_max", "webhook"});
  if (!object.ok()) return object.error();
  auto order = order_of(*object);
  if (!order.ok()) return order.error();
  auto key = idempotency_key(context.exchange.head());
  if (!key.ok()) return key.error();
  order->key = std::move(*key);
  if (!order->key.empty()) order->digest = order_digest(std::move(*object));
  return order;
}

/// Not longer than the store takes; the whole request may.
Deadline soon(const Rooms& rooms, const Context& context) {
  return context.by.sooner(rooms.clock.now(), rooms.settings.storage.operation_timeout);
}

Co<Status> reply_row(Context& context, const storage::Job& job) {
  std::string body = dump(job_row(job));
  auto sent = co_await reply_json(context, 200, std::move(body));
  co_return sent;
}

}  // namespace

Result<JobPage> page_asked(const Rooms& rooms, const Query& query) {
  const auto text = [&query](const char* key) {
    const auto found = query.find(key);
    return found == query.end() ? std::string() : found->second;
  };
  JobPage page;
  auto limit = limit_of(query, kListed, rooms.settings.jobs.list_max);
  if (!limit.ok()) return limit.error();
  page.limit = *limit;
  page.after = storage::JobId(text("after"));
  page.filter.kind = text("kind");
  page.filter.batch = text("batch");
  if (const std::string named = text("state"); !named.empty()) {
    auto state = state_named(named);
    if (!state.ok()) return state.error();
    page.filter.state = *state;
  }
  return page;
}

Error page_error(Error error) {
  if (error.reason == "unknown_job") error.field = "after";
  return error;
}

void note_anothers(const Rooms& rooms, const Context& context, const char* what,
                   const storage::Job& job, std::string_view after) {
  if (rooms.admin == nullptr || job.job.owner == context.caller.owner) return;
  AuditEntry entry = audit_of(context, what);
  entry.before = "job " + job.job.id.text();
  entry.after = std::string(after);
  rooms.admin->audit.record(std::move(entry));
}

Error no_jobs() {
  return Error::say(Errc::unavailable, "jobs_unavailable",
                    "This server has no job store now. GET /health/ready says why.");
}

Co<Status> submit_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  auto writable = check_writable(rooms);
  if (!writable.ok()) co_return writable;
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto order = order_in(context, *body);
  if (!order.ok()) co_return order.error();
  const std::string kind = order->kind;
  auto submitted =
      co_await rooms.jobs->submit(context.caller, std::move(*order), soon(rooms, context));
  if (!submitted.ok()) co_return submitted.error();
  net::Response response;
  response.status = submitted->existed ? 200 : 202;
  response.body = dump(submitted_json(*submitted, kind));
  add_common_headers(response.headers, context);
  response.headers.add("location", "/v1/jobs/" + submitted->id.text());
  if (submitted->existed) response.headers.add("idempotent-replayed", "true");
  context.status = response.status;
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

Co<Status> list_jobs(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  auto asked = page_asked(rooms, *query);
  if (!asked.ok()) co_return asked.error();
  auto page = co_await rooms.jobs->list(context.caller, std::move(asked->filter), false,
                                        std::move(asked->after), asked->limit, context.by);
  if (!page.ok()) co_return page_error(page.error());
  Json out = {{"object", "list"}, {"data", Json::array()}, {"has_more", page->more}};
  for (const auto& job : page->items) out["data"].push_back(job_row(job));
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> get_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  auto view = co_await rooms.jobs->get(context.caller, std::move(id), context.by);
  if (!view.ok()) co_return view.error();
  auto sent =
      co_await reply_json(context, 200, whole_job(job_row(view->job), view->job, view->webhook));
  co_return sent;
}

/// A job that may still happen is cancelled, one that has ended is forgotten.
Co<Status> delete_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  const storage::JobId id(context.param);
  auto cancelled = co_await rooms.jobs->cancel_only(context.caller, id, soon(rooms, context));
  const bool ended = !cancelled.ok() && cancelled.error().reason == "job_ended";
  if (!cancelled.ok() && !ended) co_return cancelled.error();
  if (!ended) note_anothers(rooms, context, "job.cancel", *cancelled, name(cancelled->state));
  if (ended) {
    auto gone = co_await rooms.jobs->get(context.caller, id, soon(rooms, context));
    if (!gone.ok()) co_return gone.error();
    auto erased = co_await rooms.jobs->erase(context.caller, id, soon(rooms, context));
    if (!erased.ok()) co_return erased;
    note_anothers(rooms, context, "job.forget", gone->job, "forgotten");
  }
  const Json out = {
      {"id", context.param}, {"object", "job.deleted"}, {"deleted", ended}, {"cancelled", !ended}};
  auto sent = co_await reply_json(context, 200, dump(out));
  co_return sent;
}

Co<Status> cancel_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  auto job = co_await rooms.jobs->cancel(context.caller, std::move(id), soon(rooms, context));
  if (!job.ok()) co_return job.error();
  note_anothers(rooms, context, "job.cancel", *job, name(job->state));
  auto sent = co_await reply_row(context, *job);
  co_return sent;
}

Co<Status> retry_job(const Rooms& rooms, Context& context) {
  if (rooms.jobs == nullptr) co_return no_jobs();
  storage::JobId id(context.param);
  auto job = co_await rooms.jobs->retry(context.caller, std::move(id), soon(rooms, context));
  if (!job.ok()) co_return job.error();
  note_anothers(rooms, context, "job.retry", *job, name(job->state));
  auto sent = co_await reply_row(context, *job);
  co_return sent;
}

}  // namespace mainstay::api
