// Calls to /v1/messages.
#include "models/anthropic/provider.h"

#include "base/json_fields.h"
#include "models/anthropic/reply.h"
#include "models/anthropic/request.h"
#include "models/provider_error.h"
#include "models/translated_stream.h"
#include "net/json_api.h"
#include "net/sse.h"

namespace mainstay::models::anthropic {
namespace {

using EventStream = TranslatedStream<net::Reply, net::SseParser, EventTranslator>;

net::HeaderLines headers_of(const ProviderSettings& settings) {
  net::HeaderLines headers;
  headers.add("anthropic-version", "2023-06-01");
  if (!settings.api_key.empty()) headers.add("x-api-key", settings.api_key.reveal());
  return headers;
}

class Provider final : public ChatProvider {
 public:
  Provider(const ProviderSettings& settings, const UpstreamSettings& upstream, net::Url url,
           Clock& clock, Random& random, net::Client& client)
      : name_(settings.name),
        api_(client, std::move(url), headers_of(settings), upstream),
        clock_(clock),
        random_(random) {}

  const std::string& name() const noexcept override { return name_; }

  Co<Result<ChatReply>> complete(const ChatRequest& request, Attempt attempt,
                                 AttemptTimings& timings) override {
    auto reply = co_await ask(request, attempt, timings);
    if (!reply.ok()) co_return reply.error();
    auto body = co_await net::read_all(**reply, api_.settings().response_max, attempt.by);
    if (!body.ok()) co_return body.error();
    co_return whole(make_answer_head(attempt.model, clock_, random_), *body);
  }

  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings& timings) override {
    auto reply = co_await ask(request, attempt, timings);
    if (!reply.ok()) co_return reply.error();
    EventTranslator translator(make_answer_head(attempt.model, clock_, random_),
                               request.include_usage);
    net::SseParser events(api_.settings().event_max);
    std::unique_ptr<ChatStream> made =
        std::make_unique<EventStream>(std::move(*reply), std::move(events), std::move(translator));
    co_return made;
  }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    auto got = co_await api_.get("/v1/models?limit=1000", by);
    if (!got.ok()) co_return got.error();
    if (got->refusal) {
      co_return refused_by_provider(got->refusal->status, complaint_of(got->refusal->body),
                                    got->refusal->retry_after);
    }
    auto parsed = parse_json(got->body);
    if (!parsed.ok() || !parsed->is_object()) co_return not_understood("not a JSON object");
    std::vector<ModelInfo> out;
    for (const auto& entry : array_field(*parsed, "data")) {
      ModelInfo info;
      info.id = string_field(entry, "id");
      info.provider = name_;
      info.images = true;
      if (!info.id.empty()) out.push_back(std::move(info));
    }
    co_return out;
  }

 private:
  Co<Result<std::unique_ptr<net::Reply>>> ask(const ChatRequest& request, const Attempt& attempt,
                                              AttemptTimings& timings) {
    auto body = messages_body(request, attempt.model);
    if (!body.ok()) co_return body.error();
    net::CallTags tags;
    tags.request_id = request.request.text();
    tags.traceparent = request.traceparent;
    net::CallTimers timers;
    timers.connect = attempt.connect;
    timers.first_byte = attempt.first_token;
    timers.between_bytes = attempt.between_tokens;
    auto reply =
        co_await api_.post("/v1/messages", std::move(*body), std::move(tags), timers, attempt.by);
    if (!reply.ok()) co_return reply.error();
    if (reply->refusal) {
      co_return refused_by_provider(reply->refusal->status, complaint_of(reply->refusal->body),
                                    reply->refusal->retry_after);
    }
    const auto& taken = reply->reply->timings();
    timings = {taken.queue, taken.connect, taken.first_byte};
    co_return std::move(reply->reply);
  }

  const std::string name_;
  const net::JsonApi api_;
  Clock& clock_;
  Random& random_;
};

}  // namespace

Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings,
                                           const UpstreamSettings& upstream, Clock& clock,
                                           Random& random, net::Client& client) {
  auto url = net::Url::parse(settings.base_url);
  if (!url.ok()) return url.error();
  // The address may be given with or without the API's version.
  if (url->path.ends_with("/v1")) url->path.resize(url->path.size() - 3);
  if (url->path.empty()) url->path = "/";
  std::unique_ptr<ChatProvider> made =
      std::make_unique<Provider>(settings, upstream, std::move(*url), clock, random, client);
  return made;
}

}  // namespace mainstay::models::anthropic
