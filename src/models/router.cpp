// The router's way in: cache, coalescing, and what surrounds them. The calls are in attempt.cpp.
#include "models/router.h"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "models/verdict.h"

namespace mainstay::models {
namespace {

/// A follower whose leader was cancelled boards again, at most this often, then flies alone.
constexpr int kBoardings = 3;

std::vector<std::shared_ptr<Upstream>> upstreams_of(std::vector<NamedProvider> providers,
                                                    std::unique_ptr<ChatProvider> built_in,
                                                    const Settings& settings, Tools tools) {
  std::vector<std::shared_ptr<Upstream>> out;
  for (auto& each : providers) {
    const auto kind = each.discovered ? Upstream::Kind::discovered : Upstream::Kind::configured;
    out.push_back(std::make_shared<Upstream>(std::move(each), kind, settings, tools));
  }
  NamedProvider own;
  own.provider = std::move(built_in);
  own.settings.concurrent_max = settings.limits.concurrent_max;
  const auto kind = Upstream::Kind::built_in;
  out.push_back(std::make_shared<Upstream>(std::move(own), kind, settings, tools));
  return out;
}

}  // namespace

std::string_view name(CacheState state) noexcept {
  switch (state) {
    case CacheState::off:
      return "off";
    case CacheState::miss:
      return "miss";
    case CacheState::hit:
      return "hit";
    case CacheState::stale:
      return "stale";
    case CacheState::bypass:
      return "bypass";
    case CacheState::coalesced:
      return "coalesced";
  }
  return "off";
}

Router::Router(std::shared_ptr<const Settings> settings, std::vector<NamedProvider> providers,
               std::unique_ptr<ChatProvider> built_in, Tools tools)
    : settings_(std::move(settings)),
      tools_(tools),
      upstreams_(upstreams_of(std::move(providers), std::move(built_in), *settings_, tools)),
      table_(settings_, upstreams_, tools),
      cache_(settings_->cache, tools.metrics),
      speech_cache_(settings_->audio, tools.metrics),
      flights_(tools.clock, settings_->cache),
      coalesced_(tools.metrics.counter("mainstay_coalesced_total",
                                       "Questions that shared another's upstream call")),
      retries_(tools.metrics.counter("mainstay_retries_total", "Calls repeated at one provider")),
      fallbacks_(tools.metrics.counter("mainstay_fallbacks_total",
                                       "Candidates given up for the next one")),
      degraded_(tools.metrics.counter("mainstay_degraded_total",
                                      "Answers the built-in answerer gave for a failed route")),
      stale_(tools.metrics.counter("mainstay_cache_stale_total",
                                   "Expired answers given because every provider failed")) {}

Co<Result<Answer>> Router::chat(ChatRequest request, Deadline by) {
  Ask ask{.request = std::move(request), .by = by, .started = tools_.clock.now()};
  auto cached = from_cache(ask);
  if (cached) co_return std::move(*cached);
  auto plan = table_.plan(ask.request.model);
  if (!plan.ok()) co_return plan.error();
  ask.plan = std::move(*plan);
  const bool upstream = ask.plan.candidates.front().upstream->kind != Upstream::Kind::built_in;
  const bool share = upstream && ask.key && settings_->cache.coalesce &&
                     !ask.request.cache.no_cache && !ask.request.cache.no_store;
  std::optional<Lead> lead;
  for (int i = 0; share && i < kBoardings; ++i) {
    auto seat = flights_.board(*ask.key, ask.request.hold);
    if (!seat.flight) break;
    if (seat.leader) {
      lead.emplace(flights_, std::move(seat.flight));
      break;
    }
    auto followed = co_await follow(ask, std::move(seat.flight));
    if (followed.ok() || followed.error().code != Errc::cancelled) co_return std::move(followed);
  }
  // The first call is made from here: nearly every question needs no other, and each coroutine
  // between a question and its call costs as much as parsing the question.
  Candidate& first = ask.plan.candidates.front();
  Result<Answer> got;
  if (!first.model.empty()) {
    first.upstream->deposit(ask.started);
    got = co_await attempt(ask, first);
    if (!got.ok()) ask.first = std::move(got.error());
  }
  if (!got.ok()) got = co_await answer(ask);
  conclude(ask, std::move(lead), got);
  co_return got;
}

std::optional<Answer> Router::from_cache(Ask& ask) {
  const CacheWish& wish = ask.request.cache;
  const CacheSettings& settings = settings_->cache;
  if (wish.no_store) {
    ask.at.cache = settings.enabled ? CacheState::bypass : CacheState::off;
    return std::nullopt;
  }
  if (!settings.enabled && !settings.coalesce) return std::nullopt;
  ask.key = cache_key(ask.request);
  if (!settings.enabled) return std::nullopt;
  ask.keep = true;
  ask.at.cache = wish.no_cache ? CacheState::bypass : CacheState::miss;
  if (wish.no_cache) return std::nullopt;
  auto found = cache_.find(*ask.key, ask.started, wish.max_age);
  ask.at.cache_time = tools_.clock.now() - ask.started;
  if (!found.answer) return std::nullopt;
  return from(found, ask, CacheState::hit);
}

Answer Router::from(const ResponseCache::Found& found, Ask& ask, CacheState state) {
  Answer answer;
  answer.by = ask.at;
  answer.by.provider = found.answer->provider;
  answer.by.model = found.answer->model;
  answer.by.cache = state;
  answer.by.age = std::chrono::duration_cast<std::chrono::seconds>(found.age);
  answer.by.first_token_time = tools_.clock.now() - ask.started;
  if (found.answer->tape) {
    answer.stream = std::make_unique<ReplayStream>(found.answer->tape);
  } else {
    answer.reply = ChatReply{found.answer->body, found.answer->usage};
  }
  return answer;
}

void Router::conclude(const Ask& ask, std::optional<Lead> lead, Result<Answer>& got) {
  if (!got.ok()) {
    if (lead) lead->finish(got.error(), ask.at);
  } else if (got->reply) {
    keep_reply(ask, *got);
    if (lead) lead->finish(*got->reply, got->by);
  } else if (lead || keepable(ask, *got)) {
    if (lead) lead->begin(got->by);
    Recorder recorder(std::move(lead), keep_of(ask, *got), tools_.clock);
    if (auto* watched = dynamic_cast<WatchedStream*>(got->stream.get())) {
      watched->record(std::move(recorder));
    } else {
      got->stream = std::make_unique<RecordedStream>(std::move(got->stream), std::move(recorder));
    }
  }
}

Co<Result<Answer>> Router::follow(Ask& ask, std::shared_ptr<Flight> flight) {
  coalesced_.add();
  Follow place(std::move(flight));
  while (true) {
    const auto seen = place.flight->changed.version();
    if (place.flight->phase() != Flight::Phase::waiting) break;
    auto woken = co_await place.flight->changed.wait(seen, ask.by);
    if (woken) continue;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      co_await asio::post(use_co);  // throws: a follower that is cancelled must not board again
    }
    Error error = Error::log(Errc::deadline, "a shared call did not answer in time");
    error.reason = "upstream_timeout";
    co_return error;
  }
  Answer answer;
  answer.by = place.flight->attribution();
  answer.by.attempts = 0;
  answer.by.cache = CacheState::coalesced;
  answer.by.cache_time = ask.at.cache_time;
  answer.by.first_token_time = tools_.clock.now() - ask.started;
  if (place.flight->phase() == Flight::Phase::streaming) {
    const Duration patience = longest_silence() + settings_->server.write_timeout;
    answer.stream = std::make_unique<FollowerStream>(std::move(place), tools_.clock, patience);
    co_return answer;
  }
  auto outcome = place.flight->outcome();
  if (!outcome.ok()) co_return outcome.error();
  answer.reply = std::move(*outcome);
  co_return answer;
}

/// Of a stream that goes on, whoever gives it.
Duration Router::longest_silence() const {
  Duration out{};
  for (const auto& each : upstreams_) out = std::max(out, each->patience.between_tokens);
  return out;
}

bool Router::keepable(const Ask& ask, const Answer& answer) const {
  if (!ask.keep || !ask.key || answer.by.degraded || answer.by.cache == CacheState::stale ||
      answer.by.provider == upstreams_.back()->name()) {
    return false;
  }
  if (!answer.reply) return true;  // a stream is looked at while it runs: see Recorder
  WorthKeeping worth;
  worth.look(answer.reply->body);
  return static_cast<bool>(worth);
}

Keep Router::keep_of(const Ask& ask, const Answer& answer) {
  Keep keep;
  if (!keepable(ask, answer)) return keep;
  keep.cache = &cache_;
  keep.key = *ask.key;
  keep.most = std::min(settings_->cache.entry_max, settings_->cache.stream_buffer_max).value;
  keep.answer.provider = answer.by.provider;
  keep.answer.model = answer.by.model;
  keep.answer.tenant = ask.request.tenant;
  keep.answer.cost = ask.at.first_token_time;
  keep.answer.stored = ask.started + keep.answer.cost;
  return keep;
}

void Router::keep_reply(const Ask& ask, const Answer& answer) {
  Keep keep = keep_of(ask, answer);
  if (keep.cache == nullptr || answer.reply->body.size() > settings_->cache.entry_max.value) return;
  keep.answer.body = answer.reply->body;
  keep.answer.usage = answer.reply->usage;
  cache_.put(keep.key, std::move(keep.answer));
}

Co<Result<std::vector<ModelInfo>>> Router::list(Deadline by) {
  const Deadline until = probe_deadline(by);
  for (const auto& upstream : upstreams_) {
    const bool unknown = upstream->kind == Upstream::Kind::configured && upstream->may_serve();
    if (!unknown || !upstream->probe_due(tools_.clock.now(), settings_->models.discover_interval)) {
      continue;
    }
    [[maybe_unused]] auto probed = co_await upstream->probe(until);
  }
  if (speech_ && !speech_->probed()) {
    [[maybe_unused]] auto probed = co_await speech_->probe(until);
  }
  co_return table_.list();
}

std::vector<ProviderState> Router::providers() const {
  std::vector<ProviderState> out;
  for (const auto& upstream : upstreams_) out.push_back(upstream->state());
  return out;
}

std::optional<ModelInfo> Router::find(const std::string& model) const {
  return table_.find(model);
}

std::string Router::limited_as(const std::string& model) const {
  return table_.limited_as(model);
}

std::size_t Router::forget(TenantId tenant) {
  speech_cache_.forget(tenant);
  return cache_.forget(tenant);
}

Deadline Router::probe_deadline(Deadline by) const {
  return by.sooner(tools_.clock.now(), Duration(settings_->upstream.connect_timeout) * 2);
}

Co<> Router::probe(Deadline by) {
  for (const auto& upstream : upstreams_) {
    const TimePoint now = tools_.clock.now();
    if (by.passed(now)) co_return;
    if (upstream->kind == Upstream::Kind::built_in ||
        !upstream->probe_due(now, settings_->models.discover_interval)) {
      continue;
    }
    const Deadline until = probe_deadline(by);
    [[maybe_unused]] auto probed = co_await upstream->probe(until);
  }
}

Co<> Router::look() {
  const Deadline never = Deadline::never();
  co_await probe(never);
  cache_.expire(tools_.clock.now());
  speech_cache_.expire(tools_.clock.now());
}

}  // namespace mainstay::models
