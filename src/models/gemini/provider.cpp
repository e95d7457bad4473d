// Calls to models/NAME:generateContent and :streamGenerateContent.
#include "models/gemini/provider.h"

#include "base/json_fields.h"
#include "base/text.h"
#include "models/gemini/audio.h"
#include "models/gemini/reply.h"
#include "models/gemini/request.h"
#include "models/provider_error.h"
#include "models/translated_stream.h"
#include "net/json_api.h"
#include "net/sse.h"

namespace mainstay::models::gemini {
namespace {

using EventStream = TranslatedStream<net::Reply, net::SseParser, EventTranslator>;

constexpr std::string_view kPrefix = "models/";

net::HeaderLines headers_of(const ProviderSettings& settings) {
  net::HeaderLines headers;
  if (!settings.api_key.empty()) headers.add("x-goog-api-key", settings.api_key.reveal());
  return headers;
}

/// A model's name as part of a path: only what needs no escaping may pass.
bool is_plain_name(const std::string& model) {
  return !model.empty() && model.find_first_not_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789-_.") == std::string::npos;
}

/// A wrong key is status 400 there.
bool refuses_key(const net::ApiRefusal& refusal, const std::string& words) {
  if (refusal.status != 400) return false;
  return words.starts_with("API key") ||
         refusal.body.find("\"API_KEY_INVALID\"") != std::string::npos;
}

/// "retryDelay" of the error's RetryInfo: Gemini sends no header for it.
std::chrono::milliseconds retry_delay(const std::string& body) {
  std::chrono::milliseconds longest(0);
  auto parsed = parse_json(body);
  if (!parsed.ok()) return longest;
  for (const auto& detail : array_field(field(*parsed, "error"), "details")) {
    longest = std::max(longest, net::duration_text(string_field(detail, "retryDelay")));
  }
  return longest;
}

Error refusal_error(const net::ApiRefusal& refusal) {
  Complaint said = complaint_of(refusal.body);
  const int status = refuses_key(refusal, said.words) ? 401 : refusal.status;
  const auto after =
      refusal.retry_after.count() > 0 ? refusal.retry_after : retry_delay(refusal.body);
  return refused_by_provider(status, std::move(said), after);
}

/// The name without the prefix that Gemini's own lists give it.
std::string bare(std::string model) {
  if (model.starts_with(kPrefix)) model.erase(0, kPrefix.size());
  return model;
}

/// What a listed model is for; empty: for something that is not asked of it here.
std::string task_of(const Json& entry, const std::string& id) {
  const Json& methods = array_field(entry, "supportedGenerationMethods");
  const auto has = [&methods](const char* method) {
    return std::find(methods.begin(), methods.end(), method) != methods.end();
  };
  if (methods.empty() || has("generateContent")) {
    return lower_ascii(id).ends_with("-tts") ? "speech" : "chat";
  }
  return has("embedContent") ? "embedding" : "";
}

/// Speech, one call for each part of the text; the provider outlives it.
class SpokenParts final : public SpeechStream {
 public:
  /// A part's sound.
  class Source {
   public:
    virtual ~Source() = default;
    virtual Co<Result<SpokenPart>> spoken(std::string body, Attempt attempt) = 0;
  };
  SpokenParts(Source& source, SpeechRequest request, std::vector<std::string> parts,
              Attempt attempt, SpokenPart first)
      : source_(source),
        request_(std::move(request)),
        parts_(std::move(parts)),
        attempt_(std::move(attempt)),
        shape_(first.shape),
        ready_(std::move(first.pcm)) {}

  Co<Result<std::optional<std::string>>> next(Deadline by) override {
    if (!ready_.empty()) co_return std::optional<std::string>(std::exchange(ready_, std::string()));
    if (at_ >= parts_.size()) co_return std::optional<std::string>();
    Attempt attempt = attempt_;
    attempt.by = attempt.by.sooner(by);
    std::string body = speech_body(request_, parts_[at_]);
    auto part = co_await source_.spoken(std::move(body), attempt);
    if (!part.ok()) co_return part.error();
    if (part->shape.rate != shape_.rate) co_return not_understood("the rate of the speech changed");
    ++at_;
    co_return std::optional<std::string>(std::move(part->pcm));
  }
  AudioShape shape() const noexcept override { return shape_; }

 private:
  Source& source_;
  const SpeechRequest request_;
  const std::vector<std::string> parts_;
  const Attempt attempt_;
  const AudioShape shape_;
  std::string ready_;
  std::size_t at_ = 1;
};

class Provider final : public ChatProvider, public SpokenParts::Source {
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
    auto reply = co_await ask(":generateContent", request, attempt, timings);
    if (!reply.ok()) co_return reply.error();
    auto body = co_await net::read_all(**reply, api_.settings().response_max, attempt.by);
    if (!body.ok()) co_return body.error();
    auto piece = read_piece(*body, clock_, random_);
    if (!piece.ok()) co_return piece.error();
    co_return whole(make_answer_head(attempt.model, clock_, random_), *piece);
  }

  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings& timings) override {
    auto reply = co_await ask(":streamGenerateContent?alt=sse", request, attempt, timings);
    if (!reply.ok()) co_return reply.error();
    EventTranslator translator(make_answer_head(attempt.model, clock_, random_),
                               request.include_usage, clock_, random_);
    net::SseParser events(api_.settings().event_max);
    std::unique_ptr<ChatStream> made =
        std::make_unique<EventStream>(std::move(*reply), std::move(events), std::move(translator));
    co_return made;
  }

  Co<Result<Embeddings>> embed(const EmbedRequest& request, Attempt attempt,
                               AttemptTimings& timings) override {
    const std::string model = bare(attempt.model);
    Embeddings out;
    for (std::size_t at = 0; at < request.texts.size(); at += kEmbedMost) {
      const std::size_t end = std::min(request.texts.size(), at + kEmbedMost);
      std::string text = embed_body(request, model, at, end);
      net::CallTags tags = tags_of(request);
      auto reply =
          co_await post(":batchEmbedContents", std::move(text), std::move(tags), attempt, timings);
      if (!reply.ok()) co_return reply.error();
      auto body = co_await net::read_all(**reply, api_.settings().response_max, attempt.by);
      if (!body.ok()) co_return body.error();
      auto read = read_embeddings(*body, out);
      if (!read.ok()) co_return read.error();
      if (out.vectors.size() != end) co_return not_understood("a wrong number of embeddings");
    }
    co_return out;
  }

  Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest& request,
                                                           Attempt attempt,
                                                           AttemptTimings& timings) override {
    if (request.segments || request.words) {
      co_return cannot("Gemini tells no times. Ask for json or text, or choose another model.",
                       "response_format");
    }
    if (request.logprobs) {
      co_return cannot("Gemini does not tell how sure it is of what it heard.", "include");
    }
    if (request.audio->bytes() > kInlineMost) {
      co_return cannot("A recording for Gemini may have at most 14 MiB.", "file");
    }
    auto bytes = co_await request.audio->read(0, static_cast<std::size_t>(kInlineMost), attempt.by);
    if (!bytes.ok()) co_return bytes.error();
    std::string body = transcribe_body(request, *bytes);
    net::CallTags tags = tags_of(request);
    auto reply =
        co_await post(":generateContent", std::move(body), std::move(tags), attempt, timings);
    if (!reply.ok()) co_return reply.error();
    auto text = co_await net::read_all(**reply, api_.settings().response_max, attempt.by);
    if (!text.ok()) co_return text.error();
    auto whole = read_transcript(*text);
    if (!whole.ok()) co_return whole.error();
    if (!request.translate) whole->language = request.language;
    co_return one_piece(std::move(*whole));
  }

  Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request, Attempt attempt,
                                                  AttemptTimings&) override {
    if (request.speed != 1) co_return cannot("Gemini speaks at its own speed.", "speed");
    auto parts = spoken_parts(request.text);
    if (parts.empty()) {
      co_return Error::say(Errc::invalid, "text_required", "There is nothing to say.", "input");
    }
    std::string body = speech_body(request, parts.front());
    auto first = co_await spoken(std::move(body), attempt);
    if (!first.ok()) co_return first.error();
    std::unique_ptr<SpeechStream> made =
        std::make_unique<SpokenParts>(*this, request, std::move(parts), attempt, std::move(*first));
    co_return made;
  }

  Co<Result<std::vector<Voice>>> voices(Deadline) override { co_return prebuilt_voices(); }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    auto got = co_await api_.get("/models?pageSize=1000", by);
    if (!got.ok()) co_return got.error();
    if (got->refusal) co_return refusal_error(*got->refusal);
    auto parsed = parse_json(got->body);
    if (!parsed.ok() || !parsed->is_object()) co_return not_understood("not a JSON object");
    std::vector<ModelInfo> out;
    for (const auto& entry : array_field(*parsed, "models")) {
      ModelInfo info;
      info.id = bare(string_field(entry, "name"));
      info.provider = name_;
      info.context = count_field(entry, "inputTokenLimit");
      info.task = task_of(entry, info.id);
      info.images = info.task == "chat";
      if (!info.id.empty() && !info.task.empty()) out.push_back(std::move(info));
    }
    co_return out;
  }

 private:
  Co<Result<SpokenPart>> spoken(std::string body, Attempt attempt) override {
    AttemptTimings timings;
    net::CallTags tags;
    auto reply =
        co_await post(":generateContent", std::move(body), std::move(tags), attempt, timings);
    if (!reply.ok()) co_return reply.error();
    auto text = co_await net::read_all(**reply, api_.settings().response_max, attempt.by);
    if (!text.ok()) co_return text.error();
    co_return read_speech(*text);
  }

  Co<Result<std::unique_ptr<net::Reply>>> ask(std::string verb, const ChatRequest& request,
                                              const Attempt& attempt, AttemptTimings& timings) {
    auto body = generate_body(request, bare(attempt.model));
    if (!body.ok()) co_return body.error();
    net::CallTags tags = tags_of(request);
    co_return co_await post(std::move(verb), std::move(*body), std::move(tags), attempt, timings);
  }

  template <class Request>
  static net::CallTags tags_of(const Request& request) {
    net::CallTags tags;
    tags.request_id = request.request.text();
    tags.traceparent = request.traceparent;
    return tags;
  }

  Co<Result<std::unique_ptr<net::Reply>>> post(std::string verb, std::string body,
                                               net::CallTags tags, const Attempt& attempt,
                                               AttemptTimings& timings) {
    const std::string model = bare(attempt.model);
    if (!is_plain_name(model)) {
      Complaint said;
      said.words = "not a model's name";
      co_return refused_by_provider(404, std::move(said), std::chrono::milliseconds(0));
    }
    net::CallTimers timers;
    timers.connect = attempt.connect;
    timers.first_byte = attempt.first_token;
    timers.between_bytes = attempt.between_tokens;
    std::string target = "/models/" + model + verb;
    auto reply =
        co_await api_.post(std::move(target), std::move(body), std::move(tags), timers, attempt.by);
    if (!reply.ok()) co_return reply.error();
    if (reply->refusal) co_return refusal_error(*reply->refusal);
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
  if (url->path.empty() || url->path == "/") url->path = "/v1beta";
  std::unique_ptr<ChatProvider> made =
      std::make_unique<Provider>(settings, upstream, std::move(*url), clock, random, client);
  return made;
}

}  // namespace mainstay::models::gemini
