// The router's way out: candidates, attempts, retries, the wait for the first token.
#include <algorithm>

#include <fmt/format.h>

#include "models/quotes.h"
#include "models/router.h"
#include "models/verdict.h"

namespace mainstay::models {
namespace {

/// Chunks a provider may send before its first token; more is no stream of an answer.
constexpr std::size_t kEarlyChunksMax = 256;
constexpr std::size_t kEarlyBytesMax = 1U << 20;
/// Of the list of those that failed; a route may have more candidates than anybody reads.
constexpr std::size_t kFailuresMax = 500;
constexpr std::string_view kMore = ", …";

/// A failure that another provider, or the built-in answerer, could not mend.
bool callers_fault(const Error& error) {
  return !verdict(error).next || error.code == Errc::unsupported;
}

Error busy() {
  Error error = Error::log(Errc::unavailable, "no permit of the provider came free in time");
  error.reason = "provider_busy";
  error.retry_after = std::chrono::seconds(1);
  return error;
}

/// A failed call. The provider's words go to the log without what they quote of the request: the
/// caller alone is told those.
void blame(Upstream::Call& call, Error& error, const ChatRequest& request) {
  error.detail = without_quotes(error.detail, request.body);
  call.failed(error);
}

Error bad_start(const char* detail) {
  Error error = Error::log(Errc::bad_upstream, detail);
  error.reason = "upstream_bad_reply";
  return error;
}

Error left() {
  return Error::log(Errc::cancelled, "the request was cancelled");
}

}  // namespace

Co<Result<Answer>> Router::answer(Ask& ask) {
  auto got = co_await try_candidates(ask);
  if (got.ok() || callers_fault(got.error())) co_return std::move(got);
  if (ask.key && ask.keep) {
    const auto stale = cache_.find_stale(*ask.key, tools_.clock.now());
    if (stale.answer) {
      stale_.add();
      co_return from(stale, ask, CacheState::stale);
    }
  }
  const auto& own = upstreams_.back();
  const bool tried = ask.plan.candidates.back().upstream == own;
  if (!ask.plan.fallback || tried) co_return told(ask);
  const Candidate stand_in{own, std::string(kBuiltIn)};
  auto stood = co_await attempt(ask, stand_in);
  if (!stood.ok()) co_return told(ask);
  degraded_.add();
  tools_.log.warn("models.degraded",
                  {{"request", ask.request.request.text()}, {"failures", ask.failures}});
  stood->by.degraded = true;
  co_return std::move(stood);
}

Co<Result<Answer>> Router::try_candidates(Ask& ask) {
  auto& candidates = ask.plan.candidates;
  std::optional<Error> rejected;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool last = i + 1 == candidates.size();
    // The built-in answerer would hide from the caller what is wrong with the request.
    if (rejected && candidates[i].upstream->kind == Upstream::Kind::built_in) break;
    auto got = co_await try_one(ask, candidates[i], last);
    if (got.ok()) co_return std::move(got);
    note(ask, candidates[i], got.error());
    const std::string& why = got.error().reason;
    if (why == "upstream_rejected" || why == "context_length_exceeded") {
      // Perhaps its own: a smaller context, a parameter that others know.
      if (!rejected) rejected = std::move(got.error());
    } else if (!verdict(got.error()).next) {
      co_return std::move(got);
    }
    if (!last) fallbacks_.add();
    ++ask.at.fallbacks;
  }
  if (rejected) co_return std::move(*rejected);
  co_return *ask.error;
}

/// Keeps the failure that says most: a provider's over our own bounds', and of those the one that
/// passes first.
void Router::note(Ask& ask, const Candidate& candidate, const Error& error) {
  const std::string_view why = error.reason.empty() ? mainstay::name(error.code) : error.reason;
  if (ask.failures.size() < kFailuresMax) {
    if (!ask.failures.empty()) ask.failures += ", ";
    ask.failures.append(candidate.upstream->name()).append(": ").append(why);
  } else if (!ask.failures.ends_with(kMore)) {
    ask.failures += kMore;
  }
  const auto cannot = [](const Error& one) { return one.code == Errc::unsupported; };
  if (!ask.error || (refused_by_us(*ask.error) && !refused_by_us(error))) {
    ask.error = error;
  } else if (cannot(*ask.error) != cannot(error)) {
    // A failure that may pass says more than what this provider will never do.
    if (cannot(*ask.error)) ask.error = error;
  } else if (refused_by_us(error)) {
    if (refused_by_us(*ask.error) && error.retry_after < ask.error->retry_after) ask.error = error;
  } else {
    ask.error = error;
  }
}

/// What the client hears when every candidate has failed.
Error Router::told(Ask& ask) const {
  Error error = *ask.error;
  // The provider's quota is our capacity, not the caller's quota.
  if (error.code == Errc::over_limit) error.code = Errc::unavailable;
  if (!error.message.empty()) {
    if (std::string_view(".!?").find(error.message.back()) == std::string_view::npos) {
      error.message += '.';
    }
    error.message += ' ';
  }
  error.message += fmt::format("No provider of this model could answer ({}).", ask.failures);
  error.detail = fmt::format("after {} call{}: {}", ask.at.attempts,
                             ask.at.attempts == 1 ? "" : "s", error.detail);
  return error;
}

Co<Result<Answer>> Router::try_one(Ask& ask, Candidate& candidate, bool last) {
  Upstream& upstream = *candidate.upstream;
  if (!ask.first) upstream.deposit(tools_.clock.now());
  if (candidate.model.empty()) {
    auto named = co_await name_model(candidate, ask.by);
    if (!named.ok()) co_return named.error();
  }
  for (std::uint32_t round = 1;; ++round) {
    std::uint32_t before = ask.at.attempts;
    Result<Answer> got;
    if (ask.first) {
      got = std::move(*ask.first);
      ask.first.reset();
      before = 0;
    } else {
      got = co_await attempt(ask, candidate);
    }
    if (got.ok()) co_return std::move(got);
    const bool called = ask.at.attempts != before;
    const auto delay = again(ask, upstream, got.error(), round, last, called);
    if (!delay) co_return std::move(got);
    retries_.add();
    auto waited = co_await sleep(tools_.clock, *delay);
    if (!waited) co_return std::move(got);
  }
}

/// How long to wait before the same provider is called again; nullopt: it is not.
std::optional<Duration> Router::again(const Ask& ask, Upstream& upstream, const Error& error,
                                      std::uint32_t attempt, bool last, bool called) {
  const ModelSettings& settings = settings_->models;
  const Verdict said = verdict(error);
  if (said.again == Again::never || attempt >= settings.attempts_max) return std::nullopt;
  const bool must_wait = error.retry_after.count() > 0;
  if (!last && (said.again == Again::if_last || must_wait)) return std::nullopt;
  const TimePoint now = tools_.clock.now();
  auto delay = retry_delay(settings, attempt, error.retry_after, now, ask.by, tools_.random);
  if (!delay) return std::nullopt;
  // Waiting out a pause that an earlier call was told of is no retry.
  if (called && !upstream.withdraw(now)) return std::nullopt;
  return delay;
}

/// `auto` reached a provider whose models are not known yet.
Co<Status> Router::name_model(Candidate& candidate, Deadline by) {
  Upstream& upstream = *candidate.upstream;
  candidate.model = upstream.default_model();
  if (!candidate.model.empty()) co_return done();
  HostLease lease;
  if (upstream.host) {
    auto ready = co_await upstream.host.lease(by);
    if (!ready.ok()) co_return ready.error();
    lease = std::move(*ready);
  }
  const bool due = upstream.probe_due(tools_.clock.now(), settings_->models.discover_interval);
  if (due) {
    const Deadline until = probe_deadline(by);
    auto probed = co_await upstream.probe(until);
    if (!probed.ok()) co_return probed.error();
  }
  candidate.model = upstream.default_model();
  if (!candidate.model.empty()) co_return done();
  Error error = Error::log(Errc::unavailable, upstream.name() + " offers no model for chat");
  error.reason = "no_provider";
  co_return error;
}

Co<Result<Answer>> Router::attempt(Ask& ask, const Candidate& candidate) {
  Upstream& upstream = *candidate.upstream;
  const ModelSettings& settings = settings_->models;
  TimePoint now = tools_.clock.now();
  HostLease lease;
  if (upstream.host) {
    auto ready = co_await upstream.host.lease(ask.by);
    const TimePoint served = tools_.clock.now();
    ask.at.queue_time += served - now;
    now = served;
    if (!ready.ok()) co_return ready.error();
    lease = std::move(*ready);
  }
  Permit permit = upstream.permits.try_take();
  if (!permit) {
    const Deadline until = ask.by.sooner(now, settings.queue_timeout);
    permit = co_await upstream.permits.take(until);
    const TimePoint waited = tools_.clock.now();
    ask.at.queue_time += waited - now;
    now = waited;
    if (!permit) co_return busy();
  }
  auto pass = upstream.ask(candidate.model, now);
  if (!pass.ok()) co_return pass.error();
  Upstream::Call call(candidate.upstream, *pass, std::move(permit), now, candidate.model);
  call.hold(std::move(lease));
  call.serves(ask.request.request);
  ++ask.at.attempts;
  Attempt attempt{
      .model = candidate.model,
      .connect = settings_->upstream.connect_timeout,
      .first_token = upstream.patience.first_token,
      // Bounds every read from the reply's head on, and some servers send the head long
      // before the first token. The shorter wait for later ones is kept to elsewhere.
      .between_tokens = std::max(upstream.patience.first_token, upstream.patience.between_tokens),
      .by = ask.by.sooner(now, upstream.patience.total)};
  if (ask.embed != nullptr) co_return co_await embed_at(ask, candidate, std::move(call), attempt);
  if (ask.hear != nullptr) co_return co_await hear_at(ask, candidate, std::move(call), attempt);
  if (ask.say != nullptr) co_return co_await say_at(ask, candidate, std::move(call), attempt);
  if (ask.request.stream) co_return co_await start_stream(ask, candidate, std::move(call), attempt);
  // Some servers send the head of a whole answer at once, and the rest when it is made.
  attempt.first_token = upstream.patience.whole_answer;
  attempt.between_tokens = std::max(attempt.between_tokens, upstream.patience.whole_answer);
  AttemptTimings timings;
  auto reply = co_await upstream.provider->complete(ask.request, attempt, timings);
  if (!reply.ok()) {
    // A cancelled call often ends as a broken one; it says nothing about the provider.
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    blame(call, reply.error(), ask.request);
    co_return reply.error();
  }
  now = tools_.clock.now();
  call.succeeded(now);
  Answer answer = finished(ask, candidate, timings, now);
  answer.reply = std::move(*reply);
  co_return answer;
}

Answer Router::finished(Ask& ask, const Candidate& candidate, const AttemptTimings& timings,
                        TimePoint now) {
  ask.at.queue_time += timings.queue;
  ask.at.connect_time += timings.connect;
  ask.at.first_token_time = now - ask.started;
  Answer answer;
  answer.by = ask.at;
  answer.by.provider = candidate.upstream->name();
  answer.by.model = candidate.model;
  return answer;
}

Co<Result<Answer>> Router::start_stream(Ask& ask, const Candidate& candidate, Upstream::Call call,
                                        Attempt attempt) {
  AttemptTimings timings;
  auto started = co_await candidate.upstream->provider->stream(ask.request, attempt, timings);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (!started.ok()) {
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    blame(call, started.error(), ask.request);
    co_return started.error();
  }
  const Deadline first = attempt.by.sooner(call.started(), attempt.first_token);
  std::vector<ChatChunk> early;
  std::size_t bytes = 0;
  for (bool seen = false; !seen;) {
    auto chunk = co_await (*started)->next(first);
    std::optional<Error> wrong;
    if (!chunk.ok()) {
      wrong = chunk.error();
      name_wait(*wrong, false, attempt.by, tools_.clock.now());
    } else if (!chunk->has_value()) {
      wrong = bad_start("the stream ended without a token");
    } else if (!(*chunk)->json.empty()) {
      bytes += (*chunk)->json.size();
      seen = (*chunk)->token || (*chunk)->finish;
      early.push_back(std::move(**chunk));
      if (!seen && (early.size() >= kEarlyChunksMax || bytes > kEarlyBytesMax)) {
        wrong = bad_start("too much came before the first token");
      }
    }
    if (!wrong) continue;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    blame(call, *wrong, ask.request);
    co_return std::move(*wrong);
  }
  call.answers();
  Answer answer = finished(ask, candidate, timings, tools_.clock.now());
  // A call of a tool comes whole from many servers, which are silent while their model writes it.
  const Duration silence =
      ask.request.has_tools ? attempt.between_tokens : candidate.upstream->patience.between_tokens;
  WatchedStream::Parts parts{.inner = std::move(*started),
                             .early = std::move(early),
                             .call = std::move(call),
                             .between_tokens = silence,
                             .by = attempt.by};
  answer.stream = std::make_unique<WatchedStream>(std::move(parts), tools_.clock);
  co_return answer;
}

}  // namespace mainstay::models
