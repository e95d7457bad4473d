// The room's door: ask a model by name and get an answer from whichever provider is up.
// Used by assistant and api. Behind it: response cache, coalescing, router, breakers, providers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/chat.h"
#include "models/provider.h"

namespace mainstay::models {

enum class CacheState { off, miss, hit, stale, bypass, coalesced };
std::string_view name(CacheState state) noexcept;

/// How an answer came about: for headers, the log line, the stored turn.
struct Attribution {
  std::string provider;
  std::string model;            ///< the provider's own name
  std::uint32_t attempts = 0;   ///< calls made upstream
  std::uint32_t fallbacks = 0;  ///< candidates given up before this one
  CacheState cache = CacheState::off;
  std::chrono::seconds age{0};     ///< of a cached answer
  bool degraded = false;           ///< the built-in answerer stood in for a failed route
  std::uint64_t added_tokens = 0;  ///< by estimate: of a conversation and documents, in the prompt
  Duration cache_time{};
  Duration queue_time{};
  Duration connect_time{};
  Duration first_token_time{};  ///< from chat() to the first token or the whole reply
};

/// Either `reply` or `stream` is set, as the request asked. A stream given out here has delivered
/// its first token already (it waits inside), so that failures before it were retried.
struct Answer {
  std::optional<ChatReply> reply;
  std::unique_ptr<ChatStream> stream;
  std::unique_ptr<Embeddings> embeddings;        ///< of embed() alone
  std::unique_ptr<TranscriptStream> transcript;  ///< of transcribe() alone
  std::unique_ptr<SpeechStream> speech;          ///< of speak() alone
  Attribution by;
};

/// How a provider is doing, for /health/ready, /v1/models and metrics.
struct ProviderState {
  std::string name;
  std::string breaker;  ///< closed open half_open; its server's, else the best of its models'
  std::uint32_t in_flight = 0;
  bool up = false;  ///< it can be reached, and not every model asked for failed the last time
  std::string why;  ///< last failure's reason; empty when up
};

/// Any loop may call.
class Models {
 public:
  virtual ~Models() = default;
  /// Errors: as ChatProvider's, of the last candidate; not_found "unknown_model"; unavailable
  /// "no_provider", "provider_busy" (concurrency), "circuit_open".
  virtual Co<Result<Answer>> chat(ChatRequest request, Deadline by) = 0;
  /// The vectors of the texts, in Answer::embeddings. `model` is "provider/model", a route or a
  /// model some provider serves; the built-in answerer has none. Errors: as chat()'s; invalid
  /// "model_cannot_embed".
  virtual Co<Result<Answer>> embed(EmbedRequest request, std::string model, Deadline by);
  /// A recording to text, in Answer::transcript; its first piece is there already, so that failures
  /// before it were retried and passed to the next candidate. A request without `partial` is read
  /// to its end within: any failure was. `model` as for chat(), "auto" and empty:
  /// models.transcription, and the built-in engine at last. Errors: as chat()'s; invalid
  /// "model_cannot_transcribe".
  virtual Co<Result<Answer>> transcribe(TranscribeRequest request, std::string model, Deadline by);
  /// Speech of a text, in Answer::speech, in the form asked for; its first piece is there already.
  /// `model` as above with models.speech. Errors: as chat()'s; invalid "model_cannot_speak",
  /// "voice_unknown", "audio_format_unsupported".
  virtual Co<Result<Answer>> speak(SpeechRequest request, std::string model, Deadline by);
  /// The voices of all engines that say which they have.
  virtual Co<Result<std::vector<Voice>>> voices(Deadline by);
  virtual Co<Result<std::vector<ModelInfo>>> list(Deadline by) = 0;
  /// The model that chat() would ask under a name that list() writes otherwise: PROVIDER/MODEL, or
  /// without ":latest". Its id is the name asked for. nullopt: none is known under it.
  virtual std::optional<ModelInfo> find(const std::string&) const { return std::nullopt; }
  virtual std::vector<ProviderState> providers() const = 0;
  /// The one name that all spellings of a model are limited under: the route of an alias, the MODEL
  /// of PROVIDER/MODEL.
  virtual std::string limited_as(const std::string& model) const { return model; }
  /// Drops the cached answers (of one tenant, or all when empty). Returns how many.
  virtual std::size_t forget(TenantId tenant) = 0;
};

}  // namespace mainstay::models
