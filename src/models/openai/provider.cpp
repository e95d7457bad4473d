// Calls to chat/completions and models, and the stream of server-sent events.
#include "models/openai/provider.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/openai/audio.h"
#include "models/openai/audio_streams.h"
#include "models/openai/reply.h"
#include "models/provider_error.h"
#include "net/json_api.h"
#include "net/sse.h"

namespace mainstay::models::openai {
namespace {

/// Chunks as the provider sends them, until its [DONE]. Some servers send none: once every choice
/// has its finish_reason, the proper end of the reply will do.
class EventStream final : public ChatStream {
 public:
  EventStream(std::unique_ptr<net::Reply> reply, Bytes event_max, std::uint32_t choices)
      : reply_(std::move(reply)), events_(event_max) {
    for (std::uint32_t i = 0; i < choices; ++i) unfinished_.insert(i);
  }

  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override {
    auto chunk = parsed();
    if (chunk) co_return std::move(*chunk);
    auto piece = co_await reply_->read(by);
    if (!piece.ok()) co_return std::move(piece.error());
    if (!piece->empty()) {
      events_.feed(*piece);
    } else if (unfinished_.empty()) {
      ended_ = true;
    } else {
      co_return cut_off("the stream ended without [DONE]");
    }
    chunk = parsed();
    if (chunk) co_return std::move(*chunk);
    co_return std::optional<ChatChunk>(ChatChunk());  // a comment, or a part of an event
  }

 private:
  /// What next() answers with the bytes that are here; nullopt: more are needed.
  std::optional<Result<std::optional<ChatChunk>>> parsed() {
    while (!ended_) {
      auto event = events_.next();
      if (!event.ok()) return std::move(event.error());
      if (!event->has_value()) return std::nullopt;
      auto chunk = take(**event);
      if (!chunk.ok()) return std::move(chunk.error());
      if (*chunk) return std::move(*chunk);
    }
    if (reply_) reply_->wind_up();
    reply_.reset();  // the connection is free for the next call
    return std::optional<ChatChunk>();
  }

  /// nullopt: nothing to pass on, or, with ended_, the end marker.
  Result<std::optional<ChatChunk>> take(const net::SseEvent& event) {
    const std::string_view data = trim(event.data);
    if (data == "[DONE]") {
      ended_ = true;
      return std::optional<ChatChunk>();
    }
    if (data.empty()) return std::optional<ChatChunk>();
    if (event.event == "error") return told_inside(data);
    if (event.event == "ping") return std::optional<ChatChunk>();
    auto chunk = read_chunk(data, &unfinished_);
    if (!chunk.ok()) return std::move(chunk.error());
    if (chunk->json.empty()) return std::optional<ChatChunk>();
    return std::optional<ChatChunk>(std::move(*chunk));
  }

  std::unique_ptr<net::Reply> reply_;
  net::SseParser events_;
  Unfinished unfinished_;
  bool ended_ = false;
};

/// The stream of a server that answered with a whole completion.
class OneChunk final : public ChatStream {
 public:
  explicit OneChunk(ChatChunk chunk) : chunk_(std::move(chunk)) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline) override {
    co_return std::exchange(chunk_, std::nullopt);
  }

 private:
  std::optional<ChatChunk> chunk_;
};

bool is_type(std::string_view content_type, std::string_view type) {
  return equal_ascii_nocase(trim(content_type.substr(0, content_type.find(';'))), type);
}

/// Where a call of a tool keeps what Gemini signed it with; see models/gemini/reply.cpp.
constexpr std::string_view kExtraContent = "extra_content";
/// What a model thought; those that want it again with its calls refuse to go on without it.
constexpr std::string_view kThoughts = "reasoning_content";

bool is_of(std::string_view host, std::string_view domain) {
  return host == domain || (host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.');
}

/// Whether a server hears thoughts: these refuse members of a message that they do not know.
bool hears_thoughts(std::string_view host) {
  constexpr auto kStrict = std::to_array<std::string_view>(
      {"openai.com", "azure.com", "googleapis.com", "groq.com", "mistral.ai", "cerebras.ai"});
  return std::ranges::none_of(kStrict, [host](auto domain) { return is_of(host, domain); });
}

/// The messages without what this server would refuse; nullopt: there is none of it.
std::optional<std::string> without_strange(const ChatRequest& request, bool signatures,
                                           bool thoughts) {
  const Member* member = find_member(request.members, "messages");
  if (member == nullptr) return std::nullopt;
  auto messages = parse_json(member->value(request.body));
  if (!messages.ok() || !messages->is_array()) return std::nullopt;
  std::size_t erased = 0;
  for (auto& message : *messages) {
    if (!message.is_object()) continue;
    if (thoughts) erased += message.erase(std::string(kThoughts));
    if (!signatures || array_field(message, "tool_calls").empty()) continue;
    for (auto& call : message["tool_calls"]) {
      if (call.is_object()) erased += call.erase(std::string(kExtraContent));
    }
  }
  if (erased == 0) return std::nullopt;
  return dump(*messages);
}

class Provider final : public ChatProvider {
 public:
  Provider(const ProviderSettings& settings, const UpstreamSettings& upstream, net::Url url,
           net::Client& client)
      : name_(settings.name),
        key_(settings.api_key),
        upstream_(upstream),
        url_(std::make_shared<net::Url>(std::move(url))),
        takes_signatures_(is_of(url_->host, "googleapis.com")),
        takes_thoughts_(hears_thoughts(url_->host)),
        client_(client) {}

  const std::string& name() const noexcept override { return name_; }

  Co<Result<ChatReply>> complete(const ChatRequest& request, Attempt attempt,
                                 AttemptTimings& timings) override {
    auto reply =
        co_await client_.send(call_of(request, attempt, false), timers_of(attempt), attempt.by);
    if (!reply.ok()) co_return std::move(reply.error());
    timings = timings_of(**reply);
    if (!fine(**reply)) {
      auto error = co_await refusal_of(std::move(*reply), attempt.by);
      co_return error;
    }
    auto here = (*reply)->rest_here(upstream_.response_max);
    if (here) {
      reply->reset();  // the connection is free for the next call
      co_return read_reply(std::move(*here));
    }
    auto body = co_await net::read_all(**reply, upstream_.response_max, attempt.by);
    if (!body.ok()) co_return std::move(body.error());
    co_return read_reply(std::move(*body));
  }

  Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request, Attempt attempt,
                                                 AttemptTimings& timings) override {
    auto reply =
        co_await client_.send(call_of(request, attempt, true), timers_of(attempt), attempt.by);
    if (!reply.ok()) co_return std::move(reply.error());
    timings = timings_of(**reply);
    if (!fine(**reply)) {
      auto error = co_await refusal_of(std::move(*reply), attempt.by);
      co_return error;
    }
    const std::string_view type = (*reply)->header("content-type");
    std::unique_ptr<ChatStream> made;
    if (type.empty() || is_type(type, "text/event-stream")) {
      made = std::make_unique<EventStream>(std::move(*reply), upstream_.event_max, request.choices);
      co_return made;
    }
    if (!is_type(type, "application/json")) {
      co_return not_understood("content type " + std::string(type));
    }
    auto body = co_await net::read_all(**reply, upstream_.response_max, attempt.by);
    if (!body.ok()) co_return std::move(body.error());
    auto chunk = chunk_of_reply(*body);
    if (!chunk.ok()) co_return std::move(chunk.error());
    made = std::make_unique<OneChunk>(std::move(*chunk));
    co_return made;
  }

  Co<Result<Embeddings>> embed(const EmbedRequest& request, Attempt attempt,
                               AttemptTimings& timings) override {
    net::Call call = call_to("POST", "/embeddings", embed_body(request, attempt.model));
    call.headers.add("accept", "application/json");
    tag(call, request.request, request.traceparent);
    const net::CallTimers timers = timers_of(attempt);
    auto reply = co_await client_.send(std::move(call), timers, attempt.by);
    if (!reply.ok()) co_return std::move(reply.error());
    timings = timings_of(**reply);
    if (!fine(**reply)) {
      auto error = co_await refusal_of(std::move(*reply), attempt.by);
      co_return error;
    }
    auto body = co_await net::read_all(**reply, upstream_.response_max, attempt.by);
    if (!body.ok()) co_return std::move(body.error());
    co_return read_embeddings(*body);
  }

  Co<Result<std::unique_ptr<TranscriptStream>>> transcribe(const TranscribeRequest& request,
                                                           Attempt attempt,
                                                           AttemptTimings& timings) override {
    if ((request.segments || request.words) && attempt.model.starts_with("gpt-4o")) {
      co_return cannot("This model tells no times. Ask for json or text, or choose another model.",
                       "response_format");
    }
    net::Call call = transcription_call(request, attempt.model);
    auto reply = co_await client_.send(std::move(call), timers_of(attempt), attempt.by);
    if (!reply.ok()) co_return std::move(reply.error());
    timings = timings_of(**reply);
    if (!fine(**reply)) {
      auto error = co_await refusal_of(std::move(*reply), attempt.by);
      co_return error;
    }
    const std::string_view type = (*reply)->header("content-type");
    std::unique_ptr<TranscriptStream> made;
    if (is_type(type, "text/event-stream")) {
      made = std::make_unique<TranscriptEvents>(std::move(*reply), upstream_.event_max);
      co_return made;
    }
    if (!type.empty() && !is_type(type, "application/json")) {
      co_return not_understood("content type " + std::string(type));
    }
    auto body = co_await net::read_all(**reply, upstream_.response_max, attempt.by);
    if (!body.ok()) co_return std::move(body.error());
    auto whole = read_transcript(*body);
    if (!whole.ok()) co_return std::move(whole.error());
    made = one_piece(std::move(*whole));
    co_return made;
  }

  Co<Result<std::unique_ptr<SpeechStream>>> speak(const SpeechRequest& request, Attempt attempt,
                                                  AttemptTimings& timings) override {
    net::Call call = call_to("POST", "/audio/speech", speech_body(request, attempt.model));
    tag(call, request.request, request.traceparent);
    auto reply = co_await client_.send(std::move(call), timers_of(attempt), attempt.by);
    if (!reply.ok()) co_return std::move(reply.error());
    timings = timings_of(**reply);
    if (!fine(**reply)) {
      auto error = co_await refusal_of(std::move(*reply), attempt.by);
      co_return error;
    }
    const std::string_view type = (*reply)->header("content-type");
    const auto form = form_of(type, request.form);
    if (!form) co_return not_understood("content type " + std::string(type));
    std::unique_ptr<SpeechStream> made = std::make_unique<SpeechBody>(std::move(*reply), *form);
    co_return made;
  }

  /// Servers of one's own list theirs; OpenAI's are known.
  Co<Result<std::vector<Voice>>> voices(Deadline by) override {
    std::vector<Voice> out;
    if (url_->host == "api.openai.com") {
      for (const auto name : openai_voices()) {
        Voice voice;
        voice.id = name;
        voice.name = name;
        out.push_back(std::move(voice));
      }
      co_return out;
    }
    net::CallTimers timers;
    timers.connect = upstream_.connect_timeout;
    net::Call call = call_to("GET", "/audio/voices", {});
    auto reply = co_await net::call_api(client_, std::move(call), timers, by);
    if (!reply.ok()) co_return std::move(reply.error());
    if (reply->refusal) co_return out;
    auto body = co_await net::read_all(*reply->reply, upstream_.response_max, by);
    if (!body.ok()) co_return std::move(body.error());
    co_return read_voices(*body);
  }

  Co<Result<std::vector<ModelInfo>>> models(Deadline by) override {
    net::CallTimers timers;
    timers.connect = upstream_.connect_timeout;
    net::Call call = call_to("GET", "/models", {});
    auto reply = co_await net::call_api(client_, std::move(call), timers, by);
    if (!reply.ok()) co_return std::move(reply.error());
    if (reply->refusal) co_return refusal_error(*reply->refusal);
    auto body = co_await net::read_all(*reply->reply, upstream_.response_max, by);
    if (!body.ok()) co_return std::move(body.error());
    co_return read_models(*body, name_);
  }

 private:
  static Error refusal_error(const net::ApiRefusal& refusal) {
    return refused_by_provider(refusal.status, complaint_of(refusal.body), refusal.retry_after);
  }

  net::Call call_to(std::string_view method, std::string_view path, std::string body) const {
    net::Call call;
    call.method = method;
    call.url = url_;
    if (url_->path != "/") call.target = url_->path;
    call.target.append(path);
    call.headers.add("accept-encoding", "identity");
    call.headers.add("user-agent", net::user_agent());
    if (!body.empty()) call.headers.add("content-type", "application/json");
    if (!key_.empty()) call.headers.add("authorization", "Bearer " + key_.reveal());
    call.body = std::move(body);
    return call;
  }

  net::Call transcription_call(const TranscribeRequest& request, const std::string& model) const {
    const char* path = request.translate ? "/audio/translations" : "/audio/transcriptions";
    net::Call call = call_to("POST", path, {});
    // The request's id is drawn at random: no recording holds it by chance.
    const std::string boundary = "mainstay-" + sha256_hex(request.request.text() + model);
    AudioFormBody form = transcription_form(request, model, boundary);
    call.headers.add("content-type", form.content_type);
    call.headers.add("accept", "application/json, text/event-stream");
    tag(call, request.request, request.traceparent);
    call.body = std::move(form.head);
    call.source = source_of(request.audio);
    call.tail = std::move(form.tail);
    return call;
  }

  /// Whether the edit would change nothing.
  static bool says_already(const ChatRequest& request, const Edit& edit) {
    const Member* found = nullptr;
    for (const auto& member : request.members) {
      if (!key_is(member, edit.key)) continue;
      if (found != nullptr) return false;
      found = &member;
    }
    return found != nullptr && found->value(request.body) == edit.value;
  }

  /// The caller's body with the provider's own name of the model.
  std::string body_of(const ChatRequest& request, const std::string& model, bool streamed) const {
    std::vector<Edit> edits(1);
    edits[0].key = "model";
    append_json_string(edits[0].value, model);
    const auto has = [&request](std::string_view word) {
      return request.body.find(word) != std::string::npos;
    };
    const bool signatures = !takes_signatures_ && has(kExtraContent);
    const bool thoughts = !takes_thoughts_ && has(kThoughts);
    if (signatures || thoughts) {
      auto messages = without_strange(request, signatures, thoughts);
      if (messages) edits.push_back({"messages", std::move(*messages)});
    }
    if (edits.size() == 1 && streamed == request.stream && says_already(request, edits[0]))
      return request.body;
    if (streamed != request.stream) {
      edits.push_back({"stream", streamed ? "true" : "false"});
      if (!streamed) edits.push_back({"stream_options", ""});
    }
    return splice(request.body, request.members, edits);
  }

  net::Call call_of(const ChatRequest& request, const Attempt& attempt, bool streamed) const {
    net::Call call =
        call_to("POST", "/chat/completions", body_of(request, attempt.model, streamed));
    call.headers.add("accept", streamed ? "text/event-stream" : "application/json");
    tag(call, request.request, request.traceparent);
    return call;
  }
  static void tag(net::Call& call, const RequestId& request, const std::string& traceparent) {
    if (!request.empty()) call.headers.add("x-request-id", request.text());
    if (!traceparent.empty()) call.headers.add("traceparent", traceparent);
  }
  static net::CallTimers timers_of(const Attempt& attempt) {
    net::CallTimers timers;
    timers.connect = attempt.connect;
    timers.first_byte = attempt.first_token;
    timers.between_bytes = attempt.between_tokens;
    return timers;
  }
  static AttemptTimings timings_of(const net::Reply& reply) {
    const auto& took = reply.timings();
    return {took.queue, took.connect, took.first_byte};
  }
  static bool fine(const net::Reply& reply) {
    return reply.status() >= 200 && reply.status() <= 299 && !net::compressed(reply);
  }
  /// What a reply means that is not fine().
  static Co<Error> refusal_of(std::unique_ptr<net::Reply> reply, Deadline by) {
    auto seen = co_await net::look_at(std::move(reply), by);
    if (!seen.ok()) co_return std::move(seen.error());
    if (seen->refusal) co_return refusal_error(*seen->refusal);
    co_return not_understood("status " + std::to_string(seen->reply->status()));
  }

  const std::string name_;
  const Secret key_;
  const UpstreamSettings upstream_;
  const std::shared_ptr<const net::Url> url_;
  const bool takes_signatures_;  ///< Gemini, by its OpenAI endpoint
  const bool takes_thoughts_;
  net::Client& client_;
};

}  // namespace

Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings,
                                           const UpstreamSettings& upstream, net::Client& client) {
  auto url = net::Url::parse(settings.base_url);
  if (!url.ok()) return std::move(url.error());
  std::unique_ptr<ChatProvider> made =
      std::make_unique<Provider>(settings, upstream, std::move(*url), client);
  return made;
}

}  // namespace mainstay::models::openai
