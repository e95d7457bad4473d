// Embeddings by the router's way out: the same candidates, permits, breakers and retries as chat.
#include "base/text.h"
#include "models/quotes.h"
#include "models/router.h"
#include "models/verdict.h"

namespace mainstay::models {
namespace {

/// Of longer texts together the provider's words are not compared with, but left out.
constexpr std::size_t kComparedMax = 64U << 10;

Error cannot_embed(const std::string& model) {
  return Error::say(Errc::invalid, "model_cannot_embed",
                    "'" + std::string(cut_utf8(model, 100)) +
                        "' makes no embeddings. Name an embedding model as provider/model; "
                        "GET /v1/models lists what there is.",
                    "model");
}

/// The texts as a request that without_quotes() understands.
std::string quotable(const EmbedRequest& request) {
  Json texts = Json::array();
  std::size_t bytes = 0;
  for (const auto& text : request.texts) {
    bytes += text.size();
    if (bytes > kComparedMax) break;
    texts.push_back(text);
  }
  return dump(Json{{"input", std::move(texts)}});
}

}  // namespace

Co<Result<Answer>> Models::embed(EmbedRequest, std::string model, Deadline) {
  co_return cannot_embed(model);
}

Co<Result<Answer>> Router::embed(EmbedRequest request, std::string model, Deadline by) {
  if (model == "auto") co_return cannot_embed(model);
  auto plan = table_.plan(model);
  if (!plan.ok()) co_return plan.error();
  // A candidate without a model of its own would be asked for its model of chat.
  std::erase_if(plan->candidates, [](const Candidate& each) {
    return each.model.empty() || each.upstream->kind == Upstream::Kind::built_in;
  });
  if (plan->candidates.empty()) co_return cannot_embed(model);
  Ask ask{.by = by, .started = tools_.clock.now()};
  ask.request.model = std::move(model);
  ask.request.request = request.request;
  ask.plan = std::move(*plan);
  ask.embed = &request;
  auto got = co_await try_candidates(ask);
  if (got.ok()) co_return std::move(got);
  const Verdict said = verdict(got.error());
  if (!said.next || got.error().code == Errc::unsupported) co_return std::move(got);
  co_return told(ask);
}

Co<Result<Answer>> Router::embed_at(Ask& ask, const Candidate& candidate, Upstream::Call call,
                                    Attempt attempt) {
  AttemptTimings timings;
  auto got = co_await candidate.upstream->provider->embed(*ask.embed, attempt, timings);
  if (got.ok()) {
    auto checked = check_embeddings(*ask.embed, *got);
    if (!checked.ok()) got = checked.error();
  }
  if (!got.ok()) {
    // A cancelled call often ends as a broken one; it says nothing about the provider.
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      co_return Error::log(Errc::cancelled, "the request was cancelled");
    }
    got.error().detail = without_quotes(got.error().detail, quotable(*ask.embed));
    call.failed(got.error());
    co_return got.error();
  }
  const TimePoint now = tools_.clock.now();
  call.succeeded(now);
  Answer answer = finished(ask, candidate, timings, now);
  answer.embeddings = std::make_unique<Embeddings>(std::move(*got));
  co_return answer;
}

}  // namespace mainstay::models
