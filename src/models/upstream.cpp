// Accounting of one provider. The mutex is held for a few additions, never over a wait.
#include "models/upstream.h"

#include <algorithm>

#include "base/text.h"
#include "models/model_task.h"
#include "models/verdict.h"

namespace mainstay::models {
namespace {

/// A longer name of a model is not believed; parse_chat takes no longer one either.
constexpr std::size_t kModelNameMax = 256;
/// Models of one provider that pause at once; with more of them all its models pause.
constexpr std::size_t kPausesMax = 64;

Labels of(const std::string& provider) {
  return {{"provider", provider}};
}
Labels of(const std::string& provider, const char* result) {
  return {{"provider", provider}, {"result", result}};
}

constexpr std::string_view kCalls = "mainstay_provider_calls_total";
constexpr std::string_view kCallsHelp = "Calls made to a provider, by how they ended";

/// What a call's end says about the provider's capacity.
Load load_of(const Error* error) {
  if (error == nullptr) return Load::fine;
  const bool too_much = error->code == Errc::deadline || error->reason == "upstream_rate_limited" ||
                        error->reason == "upstream_overloaded";
  return too_much ? Load::too_much : Load::unknown;
}

std::chrono::milliseconds round_up(Duration d) {
  return std::chrono::ceil<std::chrono::milliseconds>(d);
}

/// The first where none is one of chat: its name may deceive. Empty when there are none.
std::string first_of_chat(const std::vector<std::string>& models) {
  const auto chats = [](const std::string& id) { return task_by_name(id) == "chat"; };
  const auto found = std::find_if(models.begin(), models.end(), chats);
  if (found != models.end()) return *found;
  return models.empty() ? std::string() : models.front();
}

Duration own_or(Millis own, Millis common) {
  return own > Millis::zero() ? own : common;
}

Upstream::Patience patience_of(const ProviderSettings& own, const ModelSettings& common) {
  return {own_or(own.first_token_timeout, common.first_token_timeout),
          own_or(own.whole_answer_timeout, common.whole_answer_timeout),
          own_or(own.between_tokens_timeout, common.between_tokens_timeout),
          own_or(own.total_timeout, common.total_timeout)};
}

}  // namespace

Upstream::Upstream(NamedProvider parts, Kind kind_of, const Settings& settings, Tools tools)
    : provider(std::move(parts.provider)),
      kind(kind_of),
      patience(patience_of(parts.settings, settings.models)),
      host(parts.host),
      permits(tools.clock, parts.settings.concurrent_max, settings.upstream.waiting_max),
      settings_(std::move(parts.settings)),
      first_listed_(first_of_chat(settings_.models)),
      tools_(tools),
      breakers_(settings.models),
      budget_(settings.models),
      aimd_{.limit = settings_.concurrent_max},
      raise_every_(settings.models.raise_every),
      pause_max_(settings.models.breaker_open_max),
      reached_(kind_of != Kind::discovered),
      succeeded_(tools.metrics.counter(kCalls, kCallsHelp, of(name(), "ok"))),
      failed_(tools.metrics.counter(kCalls, kCallsHelp, of(name(), "error"))),
      opened_(tools.metrics.counter("mainstay_provider_breaker_opened_total",
                                    "Times a circuit breaker of a provider or its models opened",
                                    of(name()))),
      up_gauge_(tools.metrics.held_gauge(
          "mainstay_provider_up",
          "1 when the provider can be reached and not all its models failed", of(name()))),
      limit_gauge_(tools.metrics.held_gauge(
          "mainstay_provider_limit", "Calls at once that the provider gets now", of(name()))),
      seconds_(tools.metrics.histogram("mainstay_provider_call_seconds",
                                       "Time of one successful call to a provider", of(name()))) {
  up_gauge_->set(reached_ ? 1 : 0);
  limit_gauge_->set(settings_.concurrent_max);
  if (!reached_) why_ = "not_probed";
}

Upstream::Call::Call(std::shared_ptr<Upstream> upstream, Breakers::Pass pass, Permit permit,
                     TimePoint started, std::string model)
    : upstream_(std::move(upstream)),
      pass_(pass),
      permit_(std::move(permit)),
      started_(started),
      model_(std::move(model)) {
  upstream_->in_flight_.fetch_add(1, std::memory_order_relaxed);
}

Upstream::Call::~Call() {
  if (upstream_ == nullptr) return;
  upstream_->give_back(pass_);
  release();
}

void Upstream::Call::release() {
  upstream_->in_flight_.fetch_sub(1, std::memory_order_relaxed);
  {
    const Permit back = std::move(permit_);
    const HostLease ended = std::move(lease_);
  }
  upstream_.reset();
}

void Upstream::Call::answers() {
  if (upstream_ != nullptr) upstream_->answers(pass_);
}

void Upstream::Call::succeeded(TimePoint now) {
  if (upstream_ == nullptr) return;
  upstream_->end(*this, nullptr, now);
  release();
}

void Upstream::Call::failed(Error& error) {
  if (upstream_) upstream_->hide_key(error);
  if (upstream_ == nullptr) return;
  upstream_->end(*this, &error, upstream_->tools_.clock.now());
  release();
}

void Upstream::answers(Breakers::Pass& pass) {
  std::lock_guard lock(mutex_);
  breakers_.answers(pass);
}

void Upstream::give_back(const Breakers::Pass& pass) {
  if (!pass.allowed) return;
  std::lock_guard lock(mutex_);
  breakers_.ignored(pass);
}

Result<Breakers::Pass> Upstream::ask(const std::string& model, TimePoint now) {
  std::lock_guard lock(mutex_);
  TimePoint until = pause_until_;
  if (!pauses_until_.empty()) {
    const auto found = pauses_until_.find(model);
    if (found != pauses_until_.end()) until = std::max(until, found->second);
  }
  if (until > now) {
    Error error = Error::log(Errc::over_limit, name() + " asked to be left alone for a while");
    error.reason = "upstream_rate_limited";
    error.retry_after = round_up(until - now);
    return error;
  }
  Breakers::Pass pass = breakers_.ask(model, now);
  if (pass.allowed) return pass;
  Error error =
      Error::log(Errc::unavailable, "the breaker of " + name() + " or of the model is open");
  error.reason = "circuit_open";
  error.retry_after = round_up(pass.retry_after);
  return error;
}

void Upstream::deposit(TimePoint now) {
  std::lock_guard lock(mutex_);
  budget_.deposit(now);
}

bool Upstream::withdraw(TimePoint now) {
  std::lock_guard lock(mutex_);
  return budget_.withdraw(now);
}

/// Under the mutex.
void Upstream::pause(const std::string& model, Duration wait, TimePoint now) {
  const TimePoint until = now + std::min(wait, pause_max_);
  std::erase_if(pauses_until_, [now](const auto& one) { return one.second <= now; });
  const bool full = pauses_until_.size() >= kPausesMax && !pauses_until_.contains(model);
  TimePoint& known = full ? pause_until_ : pauses_until_[model];
  known = std::max(known, until);
}

/// Under the mutex.
bool Upstream::up() const {
  return reached_ && breakers_.why().empty();
}

void Upstream::end(const Call& call, const Error* error, TimePoint now) {
  const Breakers::Pass& pass = call.pass_;
  const std::string& model = call.model_;
  const Blame blame = error != nullptr ? verdict(*error).blame : Blame::nobody;
  bool opened = false;
  adapt(error, call.started_, now);
  {
    std::lock_guard lock(mutex_);
    if (error == nullptr) {
      breakers_.success(pass, model, now);
      last_success_ = now;
      reached_ = true;
    } else if (blame == Blame::model) {
      opened = breakers_.failure(pass, model, error->reason, now, tools_.random);
      reached_ = true;
    } else if (blame == Blame::server) {
      opened = breakers_.unreached(pass, now, tools_.random);
      reached_ = false;
      why_ = error->reason;
    } else {
      breakers_.ignored(pass);
      if (error->code == Errc::over_limit) pause(model, error->retry_after, now);
    }
    up_gauge_->set(up() ? 1 : 0);
  }
  if (error == nullptr) {
    succeeded_.add();
    seconds_.observe(now - call.started_);
    return;
  }
  failed_.add();
  if (opened) {
    opened_.add();
    tools_.log.warn("breaker.opened",
                    {{"provider", name()},
                     {"model", blame == Blame::model ? std::string_view(model) : "all"},
                     {"reason", error->reason}});
  }
  tools_.log.warn("provider.failed", {{"request", call.request_.text()},
                                      {"provider", name()},
                                      {"code", mainstay::name(error->code)},
                                      {"reason", error->reason},
                                      {"detail", error->detail}});
}

/// More calls at once while all goes well, fewer when the provider says that it is too much.
void Upstream::adapt(const Error* error, TimePoint started, TimePoint now) {
  Ended call;
  call.load = load_of(error);
  call.started = started;
  call.at_work = permits.taken();
  std::lock_guard lock(mutex_);
  const Aimd next = step(aimd_, call, settings_.concurrent_max, raise_every_, now);
  const bool changed = next.limit != aimd_.limit;
  aimd_ = next;
  if (!changed) return;
  permits.set_limit(next.limit);  // under the lock: of two calls that end at once the later counts
  limit_gauge_->set(next.limit);
}

bool Upstream::likely(TimePoint now) const {
  if (host && std::string_view(host.state()) == "degraded") return false;
  const std::string model = default_model();
  std::lock_guard lock(mutex_);
  return reached_ && breakers_.why(model).empty() &&
         breakers_.state(model, now) == Breaker::State::closed;
}

bool Upstream::probed() const {
  std::lock_guard lock(mutex_);
  return probed_;
}

bool Upstream::probe_due(TimePoint now, Duration interval) const {
  std::lock_guard lock(mutex_);
  const bool fresh_probe = last_probe_ && now - *last_probe_ < interval;
  const bool known = probed_ || !settings_.models.empty();
  const bool fresh_call = known && last_success_ && now - *last_success_ < interval;
  return !fresh_probe && !fresh_call;
}

void Upstream::set_reached(bool reached, const std::string& why) {
  bool changed = false;
  {
    std::lock_guard lock(mutex_);
    changed = up() != reached;
    reached_ = reached;
    why_ = why;
    if (reached) breakers_.clear_whys();
    up_gauge_->set(reached ? 1 : 0);
  }
  if (!changed) return;
  if (reached) tools_.log.info("provider.up", {{"provider", name()}});
  if (!reached) tools_.log.warn("provider.down", {{"provider", name()}, {"reason", why}});
}

void Upstream::hide_key(Error& error) const {
  constexpr std::string_view kHidden = "****";
  // Shorter ones are no secrets, but words for servers that ask for none, and would hide others.
  constexpr std::size_t kKeyMin = 8;
  const std::string& key = settings_.api_key.reveal();
  if (key.size() < kKeyMin) return;
  for (std::string* text : {&error.message, &error.detail, &error.field}) {
    for (std::size_t at = 0; (at = text->find(key, at)) != std::string::npos;) {
      text->replace(at, key.size(), kHidden);
      at += kHidden.size();
    }
  }
}

/// Many servers that speak OpenAI's API answer without a list. The other formats have one, so that
/// a server without it is at another address; unless it has answered questions, as Anthropic's
/// imitators do.
bool Upstream::up_without_list(const Error& error) {
  if (error.reason != "upstream_wrong_path") {
    return error.code == Errc::not_found || error.code == Errc::unsupported;
  }
  if (kind == Kind::configured && settings_.kind == "openai") return true;
  std::lock_guard lock(mutex_);
  listless_ = true;
  return last_success_.has_value();
}

Co<Status> Upstream::probe(Deadline by) {
  const HostLease lease = host.if_ready();
  if (host && !lease) {
    Error error = Error::log(Errc::unavailable, "the host of " + name() + " is not ready");
    error.reason = "host_not_ready";
    co_return error;
  }
  {
    std::lock_guard lock(mutex_);
    last_probe_ = tools_.clock.now();
  }
  auto found = co_await provider->models(by);
  if (!found.ok()) {
    const Error& error = found.error();
    const bool up = up_without_list(error);
    set_reached(up, up ? std::string() : error.reason);
    co_return error;
  }
  std::erase_if(*found, [](const ModelInfo& model) {
    return model.id.size() > kModelNameMax || has_control_characters(model.id) ||
           model.id.find_first_of("\r\n\t") != std::string::npos;
  });
  for (auto& model : *found) {
    model.provider = name();
    // Most lists do not say what a model is for.
    if (model.task == "chat") model.task = task_by_name(model.id);
  }
  {
    std::lock_guard lock(mutex_);
    probed_ = true;
    listless_ = false;
    found_ = std::move(*found);
  }
  set_reached(true, {});
  co_return done();
}

std::vector<ModelInfo> Upstream::models() const {
  auto out = listed();
  const char* const hosted = host ? host.state() : nullptr;
  const TimePoint now = tools_.clock.now();
  std::lock_guard lock(mutex_);
  for (auto& info : out) {
    if (hosted != nullptr) {
      info.state = hosted;
      info.loaded = info.state == "ready";
    }
    if (!reached_) {
      info.state = "unavailable";
    } else if (info.state == "ready" && (!breakers_.why(info.id).empty() ||
                                         breakers_.state(info.id, now) != Breaker::State::closed)) {
      info.state = "degraded";  // it is there, and failed the last questions
    }
  }
  return out;
}

std::optional<ModelInfo> Upstream::model(const std::string& id) const {
  for (auto& info : models()) {
    if (info.id == id || info.id == id + ":latest") return std::move(info);
  }
  if (!serves(id)) return std::nullopt;
  ModelInfo info;
  info.id = id;
  info.provider = name();
  return info;
}

std::vector<ModelInfo> Upstream::listed() const {
  std::lock_guard lock(mutex_);
  if (settings_.models.empty()) return found_;
  std::vector<ModelInfo> out;
  for (const auto& id : settings_.models) {
    ModelInfo info;
    const auto same = [&id](const ModelInfo& m) { return m.id == id; };
    const auto known = std::find_if(found_.begin(), found_.end(), same);
    info.task = task_by_name(id);
    if (known != found_.end()) info = *known;
    info.id = id;
    info.provider = name();
    out.push_back(std::move(info));
  }
  return out;
}

bool Upstream::serves(const std::string& model) const {
  const auto& listed = settings_.models;
  if (model == settings_.default_model) return !model.empty();
  if (!listed.empty()) return std::find(listed.begin(), listed.end(), model) != listed.end();
  std::lock_guard lock(mutex_);
  return std::any_of(found_.begin(), found_.end(), [&](const ModelInfo& m) {
    return m.id == model || m.id == model + ":latest";
  });
}

bool Upstream::may_serve() const {
  std::lock_guard lock(mutex_);
  return settings_.models.empty() && !probed_ && !listless_;
}

std::string Upstream::default_model() const {
  if (kind == Kind::built_in) return std::string(kBuiltIn);
  if (!settings_.default_model.empty()) return settings_.default_model;
  if (!settings_.models.empty()) return first_listed_;
  std::lock_guard lock(mutex_);
  for (const auto& model : found_) {
    if (model.task == "chat") return model.id;  // lists name models for embeddings and speech too
  }
  return {};
}

ProviderState Upstream::state() const {
  ProviderState out;
  out.name = name();
  out.in_flight = in_flight_.load(std::memory_order_relaxed);
  const TimePoint now = tools_.clock.now();
  std::lock_guard lock(mutex_);
  out.breaker = mainstay::models::name(breakers_.state(now));
  out.up = up();
  if (!out.up) out.why = reached_ ? breakers_.why() : why_;
  return out;
}

void name_wait(Error& error, bool begun, Deadline whole, TimePoint now) {
  if (error.code != Errc::deadline) return;
  // One that said itself that it took too long did speak.
  const bool said = error.detail.starts_with("status ");
  const bool silent = error.reason == "upstream_timeout" && !said && !whole.passed(now);
  if (!silent && !error.reason.empty()) return;
  error.reason = begun ? "upstream_stalled" : "upstream_first_byte_timeout";
  error.message = begun ? "The model provider fell silent inside its answer."
                        : "The model provider did not begin to answer in time.";
}

}  // namespace mainstay::models
