// Orders: what is checked, what is handed to the store, and what is told of it.
#include "jobs/desk.h"

#include <algorithm>

#include "base/text.h"
#include "jobs/kind_fields.h"
#include "jobs/webhook.h"
#include "jobs/webhook_address.h"
#include "storage/job_life.h"

namespace mainstay::jobs {
namespace {

/// News are best effort: what they tell is in the store.
constexpr Duration kTellTime = std::chrono::seconds(1);

/// Both list the same classes, the most urgent first.
storage::JobClass capped(storage::JobClass wanted, admission::Priority right) {
  const auto most = static_cast<storage::JobClass>(right);
  return wanted < most ? most : wanted;
}
static_assert(static_cast<int>(storage::JobClass::background) ==
              static_cast<int>(admission::Priority::background));

std::string_view name_of(admission::Scope scope) {
  switch (scope) {
    case admission::Scope::chat:
      return "chat";
    case admission::Scope::jobs:
      return "jobs";
    case admission::Scope::knowledge:
      return "knowledge";
    case admission::Scope::admin:
      return "admin";
    case admission::Scope::admin_read:
      return "admin:read";
  }
  return "jobs";
}

Error lacks(admission::Scope scope) {
  return Error::say(
      Errc::forbidden, "scope_required",
      "Jobs of this kind need a key with the '" + std::string(name_of(scope)) + "' scope.");
}

Error out_of_range(const char* field, const std::string& sentence) {
  return Error::say(Errc::invalid, "out_of_range", sentence, field);
}

std::string seconds_text(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

/// Every job waits for a moment: a limit of none would allow no job at all.
std::uint32_t waiting_max_of(const LimitSettings& limits) noexcept {
  return limits.enabled ? std::max(1U, limits.user.queued) : 0;
}

/// The form of keys of a batch's requests (batch_run.cpp).
bool is_of_a_batch(const std::string& key) {
  const auto colon = key.rfind(':');
  return key.starts_with("batch_") && colon != std::string::npos && colon + 1 < key.size() &&
         key.find_first_not_of("0123456789", colon + 1) == std::string::npos;
}

bool has_controls(const std::string& text) {  // line breaks are some, too
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
  });
}

Status check_word(const std::string& text, const char* field, std::size_t max) {
  if (text.size() <= max && is_utf8(text) && !has_controls(text)) return done();
  return Error::say(Errc::invalid, "invalid_name",
                    "'" + std::string(field) + "' may have at most " + std::to_string(max) +
                        " bytes and no control characters.",
                    field);
}

}  // namespace

Desk::Desk(const Settings& settings, Clock& clock, Random& random, Log& log,
           admission::Admission& admission, const Kinds& kinds, storage::JobStore& store,
           storage::Signal& signal)
    : settings_(settings.jobs),
      shared_(!settings.storage.redis_url.empty()),
      waiting_max_(waiting_max_of(settings.limits)),
      clock_(clock),
      random_(random),
      log_(log),
      admission_(admission),
      kinds_(kinds),
      store_(store),
      signal_(signal) {}

Result<const Kind*> Desk::kind_for(const admission::Caller& caller, const Order& order,
                                   bool own) const {
  const Kind* kind = kinds_.find(order.kind);
  if (kind == nullptr || (!own && !kind->limits().for_clients)) {
    std::vector<std::string> known;
    for (const auto& one : kinds_.all()) {
      if (one->limits().for_clients) known.emplace_back(one->name());
    }
    std::string list;
    for (const auto& name : known) list += (list.empty() ? "" : ", ") + name;
    return Error::say(Errc::invalid, "unknown_kind", "'kind' must be one of " + list + ".", "kind");
  }
  if (!own && !caller.scopes.has(kind->limits().scope)) return lacks(kind->limits().scope);
  return kind;
}

Result<std::string> Desk::check(const admission::Caller& caller, const Order& order) const {
  auto kind = kind_for(caller, order, false);
  if (!kind.ok()) return kind.error();
  return (*kind)->check(order.input, caller);
}

Status Desk::set_times(const Order& order, storage::NewJob& job) const {
  const WallTime now = clock_.wall();
  const auto steps = [](Duration d) { return std::chrono::duration_cast<WallTime::duration>(d); };
  const WallTime latest = now + steps(settings_.delay_max);
  const std::string most = seconds_text(settings_.delay_max);
  const std::string too_far = "A job may be planned at most " + most + " ahead (jobs.delay_max).";
  if (order.delay && (*order.delay < Duration::zero() || *order.delay > settings_.delay_max)) {
    return out_of_range("delay", too_far);
  }
  const Duration last = 2 * Duration(settings_.delay_max);
  if (order.expires_in && *order.expires_in > last) {
    return out_of_range("expires_in",
                        "A job may expire at most " + seconds_text(last) + " from now.");
  }
  if (order.expires_in && *order.expires_in <= Duration::zero()) {
    return out_of_range("expires_in",
                        "'expires_in' must be a millisecond or more; without it the job never "
                        "expires.");
  }
  job.run_at = order.delay ? now + steps(*order.delay) : order.run_at;
  if (job.run_at > latest) {
    return out_of_range("run_at", too_far);
  }
  if (job.run_at <= now) job.run_at = {};
  job.expires = order.expires_in ? now + steps(*order.expires_in) : order.expires;
  // Whether the moment `expires` has passed, the store asks: an order that is told again under its
  // key has its answer then, too.
  if (order.expires_in && job.expires <= job.run_at) {
    Error early = storage::expires_too_early();
    early.field = "expires_in";
    return early;
  }
  job.repeat_every = order.repeat_every;
  if (order.repeat_every.count() != 0 &&
      (order.repeat_every < settings_.repeat_min || order.repeat_every > settings_.delay_max)) {
    return out_of_range(
        "repeat_every",
        "A job may be repeated every " + seconds_text(settings_.repeat_min) + " to " + most + ".");
  }
  // A repeating job counts its occurrences from a moment.
  if (job.repeat_every.count() > 0 && job.run_at == WallTime{}) job.run_at = now;
  return done();
}

Result<storage::NewJob> Desk::made_of(const admission::Caller& caller, const Order& order,
                                      bool own) const {
  auto kind = kind_for(caller, order, own);
  if (!kind.ok()) return kind.error();
  const KindLimits& limits = (*kind)->limits();
  auto client = check_word(order.client, "client", 128);
  if (!client.ok()) return client.error();
  auto key = order.key.empty() ? done() : storage::check_key(order.key);
  if (!key.ok()) return key.error();
  if (!own && is_of_a_batch(order.key)) {
    return Error::say(
        Errc::invalid, "invalid_idempotency_key",
        "An Idempotency-Key of the form batch_ID:NUMBER belongs to a batch's request; "
        "use another.",
        "idempotency-key");
  }
  auto input = (*kind)->check(order.input, caller);
  if (!input.ok()) return input.error();
  if (input->starts_with(kEnvelope)) {
    return Error::say(Errc::invalid, "unknown_field", "'input.mainstay:webhook' is not known.",
                      "input.mainstay:webhook");
  }
  if (input->size() > limits.input_max.value) {
    return Error::say(Errc::too_large, "input_too_large",
                      "The input of such a job may have at most " +
                          std::to_string(limits.input_max.value) + " bytes (jobs.input_max).",
                      "input");
  }
  storage::NewJob job;
  job.owner = caller.owner;
  job.client = order.client;
  job.kind = order.kind;
  job.priority = capped(order.priority.value_or(limits.priority), caller.most_urgent);
  job.key = order.key;
  job.batch = order.batch;
  job.attempts_max = order.attempts_max == 0 ? limits.attempts_max : order.attempts_max;
  if (order.attempts_max > std::max(limits.attempts_max, settings_.attempts_max)) {
    return out_of_range("attempts_max", "A job may have at most " +
                                            std::to_string(settings_.attempts_max) +
                                            " attempts (jobs.attempts_max).");
  }
  auto times = set_times(order, job);
  if (!times.ok()) return times.error();
  job.input = std::move(*input);
  if (shared_ && !(*kind)->travels(job.input)) job.kind += storage::kAtHome;
  if (!order.webhook.empty()) {
    if (settings_.webhooks.secret.empty()) {
      return Error::say(Errc::unprocessable, "webhooks_off",
                        "This server sends no webhooks: its operator must set "
                        "jobs.webhooks.secret.",
                        "webhook.url");
    }
    auto fine = check_webhook_url(order.webhook, settings_.webhooks.allow);
    if (!fine.ok()) return fine.error();
    job.input = with_webhook(job.input, order.webhook);
  }
  if (!job.key.empty()) {
    job.digest = !order.digest.empty()
                     ? order.digest
                     : sha256_hex(order.kind + '\n' + job.client + '\n' + job.input);
  }
  return job;
}

void Desk::apply(const LimitSettings& limits) noexcept {
  waiting_max_.store(waiting_max_of(limits));
}

std::uint32_t Desk::waiting_max(const admission::Caller& caller) const {
  const std::uint32_t all = waiting_max_.load();
  return all != 0 && caller.limits.queued != 0 ? caller.limits.queued : all;
}

/// `input` as it is kept.
std::optional<admission::Use> Desk::use_of(const std::string& kind, std::string input) const {
  const Kind* known = kinds_.find(kind);
  if (known == nullptr || !admission_.limited()) return std::nullopt;
  return known->use_of(unwrap(std::move(input)).input);
}

Co<Result<storage::Submitted>> Desk::submit(admission::Caller caller, Order order, Deadline by) {
  auto done = co_await put(std::move(caller), std::move(order), false, by);
  co_return done;
}

Co<Result<storage::Submitted>> Desk::submit_own(admission::Caller caller, Order order,
                                                Deadline by) {
  auto done = co_await put(std::move(caller), std::move(order), true, by);
  co_return done;
}

Co<Result<storage::Submitted>> Desk::put(admission::Caller caller, Order order, bool own,
                                         Deadline by) {
  auto job = made_of(caller, order, own);
  if (!job.ok()) co_return job.error();
  job->id = storage::JobId(make_id("job_", clock_, random_));
  storage::Job told;
  told.job.id = job->id;
  told.job.owner = job->owner;
  told.job.client = job->client;
  told.job.kind = order.kind;
  storage::NewJob watched;
  if (!order.webhook.empty()) watched = *job;
  const bool has_key = !job->key.empty();
  const auto use = use_of(order.kind, job->input);
  if (use) {
    auto charged = admission_.charge(caller, *use);
    if (!charged.ok()) {
      auto known = co_await known_or(charged.error(), std::move(*job), by);
      co_return known;
    }
  }
  std::uint32_t waiting = 0;
  if (!own) waiting = waiting_max(caller);
  auto submitted = co_await store_.submit(std::move(*job), waiting, by);
  // Without a key it was this very call that the store heard before, and whose answer was lost.
  const bool is_new = submitted.ok() && !(submitted->existed && has_key);
  if (use && !is_new) admission_.give_back(caller, *use);
  if (!submitted.ok()) co_return submitted.error();
  submitted->existed = !is_new;
  if (!order.webhook.empty()) {
    watched.id = submitted->id;
    co_await watch_for_webhook(std::move(watched), 1, by);
  }
  if (submitted->existed) co_return submitted;
  Json more = Json::object();
  co_await tell(std::move(told), EventType::queued, submitted->state, std::move(more), by);
  co_return submitted;
}

/// What is known of the job's key, as an order that is told again has its answer whenever it comes;
/// else the refusal.
Co<Result<storage::Submitted>> Desk::known_or(Error refusal, storage::NewJob job, Deadline by) {
  if (job.key.empty()) co_return refusal;
  // The store asks whether it has expired only when it does not know the key.
  job.run_at = {};
  job.expires = wall_from_micros(1);
  auto known = co_await store_.submit(std::move(job), 0, by);
  if (!known.ok() && known.error().field == "expires") co_return refusal;
  co_return known;
}

/// Ends that no attempt sees (it expired, its workers vanished) are found by a job that looks
/// later: the first of `looks` that is not over. An order that is told again has its first one.
Co<> Desk::watch_for_webhook(storage::NewJob job, std::uint32_t looks, Deadline by) {
  const Unwrapped parts = unwrap(std::move(job.input));
  if (parts.webhook.empty()) co_return;
  for (std::uint32_t number = 0; number < looks; ++number) {
    storage::NewJob watch =
        watch_of(job, number, parts.webhook, settings_.webhooks, clock_, random_);
    auto submitted = co_await store_.submit(std::move(watch), 0, by);
    if (!submitted.ok()) {
      log_.warn("job.webhook_unwatched",
                {{"job", job.id.text()}, {"error", submitted.error().detail}});
      co_return;
    }
    if (!submitted->existed || !storage::ended(submitted->state)) co_return;
  }
}

Co<> Desk::tell(storage::Job job, EventType type, storage::JobState state, Json more, Deadline by) {
  const std::string data = event_data(job, state, more);
  const Deadline until = by.sooner(clock_.now(), kTellTime);
  const std::string what(name(type));
  auto first = co_await signal_.tell(topic_of(job.job.id), what, data, until);
  auto second = co_await signal_.tell(topic_of(job.job.owner), what, data, until);
  if (!first.ok() || !second.ok()) {
    const auto& error = first.ok() ? second.error() : first.error();
    log_.debug("job.news_lost", {{"job", job.job.id.text()}, {"error", error.detail}});
  }
}

}  // namespace mainstay::jobs
