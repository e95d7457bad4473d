// Calls to Ollama's two endpoints, and its stream of JSON lines.
#include "models/ollama/provider.h"

#include <mutex>
#include <set>

#include "base/json_fields.h"
#include "models/ollama/reply.h"
#include "models/ollama/request.h"
#include "models/provider_error.h"
#include "models/translated_stream.h"
#include "net/json_api.h"
#include "net/sse.h"

namespace mainstay::models::ollama {
namespace {

/// Models remembered as refusing chat; more are found out again.
constexpr std::size_t kRefusersMax = 256;

using LineStream = TranslatedStream<net::Reply, net::LineParser, LineTranslator>;

/// True when a refusal means "not by chat": an old server without the path, or such a model.
bool refuses_chat(const net::ApiRefusal& refusal) {
  if (refusal.status == 404)
    return words_of(refusal.body).find("page not found") != std::string::npos;
  return refusal.status == 400 && refusal.body.find("does not support chat") != std::string::npos;
}

net::HeaderLines headers_of(const ProviderSettings& settings) {
  net::HeaderLines headers;
  headers.add("accept", "application/json");
  if (!settings.api_key.empty()) {
    headers.add("authorization", "Bearer " + settings.api_key.reveal());
  }
  return headers;
}

Error refusal_error(const net::ApiRefusal& refusal) {
  Complaint said = complaint_of(refusal.body);
  const auto lacks = [&](const char* what) {
    return refusal.status == 400 && said.words.find(what) != std::string::npos;
  };
  if (lacks("does not support tools")) return cannot("This model cannot use tools.", "tools");
  if (lacks("does not support thinking")) {
    return cannot("This model cannot think; leave 'think' and 'reasoning_effort' out.", "think");
  }
  return refused_by_provider(refusal.status, std::move(said), refusal.retry_after);
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
    auto piece = read_piece(*body, clock_, random_);
    if (!piece.ok()) co_return piece.error();
    co_return whole(make_answer_head(attempt.model, clock_, random_), *piece);
  }

  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings& timings) override {
    auto reply = co_await ask(request, attempt, timings);
    if (!reply.ok()) co_return reply.error();
    AnswerHead head = make_answer_head(attempt.model, clock_, random_);
    LineTranslator translator(std::move(head), request.include_usage, clock_, random_);
    net::LineParser lines(api_.settings().event_max);
    std::unique_ptr<ChatStream> made =
        std::make_unique<LineStream>(std::move(*reply), std::move(lines), std::move(translator));
    co_return made;
  }

  Co<Result<Embeddings>> embed(const EmbedRequest& request, Attempt attempt,
                               AttemptTimings& timings) override {
    std::string text = embed_body(request, attempt.model);
    net::CallTags tags = tags_of(request);
    auto reply = co_await post("/api/embed", std::move(text), std::move(tags), attempt, timings);
    if (!reply.ok()) co_return reply.error();
    if (reply->refusal) co_return refusal_error(*reply->refusal);
    auto body = co_await net::read_all(*reply->reply, api_.settings().response_max, attempt.by);
    if (!body.ok()) co_return body.error();
    co_return read_embeddings(*body);
  }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    auto tags = co_await get("/api/tags", by);
    if (!tags.ok()) co_return tags.error();
    auto running =
        co_await get("/api/ps", by);  // older servers have none: then all count as loaded
    std::set<std::string> loaded;
    if (running.ok()) {
      for (const auto& entry : array_field(*running, "models")) {
        loaded.insert(string_field(entry, "name"));
      }
    }
    std::vector<ModelInfo> out;
    for (const auto& entry : array_field(*tags, "models")) {
      ModelInfo info;
      info.id = string_field(entry, "name");
      info.provider = name_;
      info.loaded = !running.ok() || loaded.contains(info.id);
      // BERT and what came of it ("nomic-bert") make vectors alone.
      const std::string family = string_field(field(entry, "details"), "family");
      if (family.find("bert") != std::string::npos) info.task = "embedding";
      if (!info.id.empty()) out.push_back(std::move(info));
    }
    co_return out;
  }

 private:
  Co<Result<Json>> get(std::string path, Deadline by) {
    auto got = co_await api_.get(std::move(path), by);
    if (!got.ok()) co_return got.error();
    if (got->refusal) co_return refusal_error(*got->refusal);
    auto parsed = parse_json(got->body);
    if (!parsed.ok() || !parsed->is_object()) co_return not_understood("not a JSON object");
    co_return parsed;
  }

  /// Chat first; generate when chat is refused, and from then on for that model while it answers.
  Co<Result<std::unique_ptr<net::Reply>>> ask(const ChatRequest& request, const Attempt& attempt,
                                              AttemptTimings& timings) {
    if (!is_refuser(attempt.model)) {
      auto body = chat_body(request, attempt.model);
      if (!body.ok()) co_return body.error();
      net::CallTags tags = tags_of(request);
      auto reply = co_await post("/api/chat", std::move(*body), std::move(tags), attempt, timings);
      if (!reply.ok()) co_return reply.error();
      if (reply->reply) co_return std::move(reply->reply);
      if (!refuses_chat(*reply->refusal)) co_return refusal_error(*reply->refusal);
    }
    auto body = generate_body(request, attempt.model);
    if (!body.ok()) co_return body.error();
    net::CallTags tags = tags_of(request);
    auto reply =
        co_await post("/api/generate", std::move(*body), std::move(tags), attempt, timings);
    if (!reply.ok()) co_return reply.error();
    if (reply->refusal) {
      // Maybe the server or the model was replaced since: chat is asked for again next time.
      if (reply->refusal->status == 400 || reply->refusal->status == 404)
        forget_refuser(attempt.model);
      co_return refusal_error(*reply->refusal);
    }
    remember_refuser(attempt.model);
    co_return std::move(reply->reply);
  }

  template <class Request>
  static net::CallTags tags_of(const Request& request) {
    net::CallTags tags;
    tags.request_id = request.request.text();
    tags.traceparent = request.traceparent;
    return tags;
  }

  Co<Result<net::ApiReply>> post(std::string path, std::string body, net::CallTags tags,
                                 const Attempt& attempt, AttemptTimings& timings) {
    net::CallTimers timers;
    timers.connect = attempt.connect;
    timers.first_byte = attempt.first_token;
    timers.between_bytes = attempt.between_tokens;
    auto reply =
        co_await api_.post(std::move(path), std::move(body), std::move(tags), timers, attempt.by);
    if (reply.ok() && reply->reply) {
      const auto& taken = reply->reply->timings();
      timings = {taken.queue, taken.connect, taken.first_byte};
    }
    co_return reply;
  }

  bool is_refuser(const std::string& model) const {
    std::lock_guard lock(mutex_);
    return refusers_.contains(model);
  }
  void remember_refuser(const std::string& model) {
    std::lock_guard lock(mutex_);
    if (refusers_.size() >= kRefusersMax && !refusers_.contains(model)) refusers_.clear();
    refusers_.insert(model);
  }

  void forget_refuser(const std::string& model) {
    std::lock_guard lock(mutex_);
    refusers_.erase(model);
  }

  const std::string name_;
  const net::JsonApi api_;
  Clock& clock_;
  Random& random_;
  mutable std::mutex mutex_;
  std::set<std::string> refusers_;
};

}  // namespace

Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings,
                                           const UpstreamSettings& upstream, Clock& clock,
                                           Random& random, net::Client& client) {
  auto url = net::Url::parse(settings.base_url);
  if (!url.ok()) return url.error();
  std::unique_ptr<ChatProvider> made =
      std::make_unique<Provider>(settings, upstream, std::move(*url), clock, random, client);
  return made;
}

}  // namespace mainstay::models::ollama
