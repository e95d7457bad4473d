// Face: one provider of chat completions and, of many, embeddings, transcriptions and speech. Inner
// rooms openai, ollama, gemini, anthropic, extractive, wyoming and builtin implement it; the router
// alone calls it.
#pragma once

#include <string>
#include <vector>

#include "models/attempt.h"
#include "models/chat.h"
#include "models/embed.h"
#include "models/synthesize.h"
#include "models/transcribe.h"

namespace mainstay::models {

/// How a provider's failures are told; the router decides by these (models/verdict.h):
///   unavailable  upstream_refused, upstream_unresolved, upstream_pool_full,
///                upstream_overloaded (503/529)
///   deadline     upstream_connect_timeout, upstream_first_byte_timeout, upstream_stalled,
///                upstream_timeout
///   over_limit   upstream_rate_limited (429; retry_after from retry-after-ms, retry-after,
///                x-ratelimit-reset-*)
///   bad_upstream upstream_reset, upstream_bad_reply, upstream_truncated, upstream_error (5xx),
///                upstream_credentials (401: ours, not the caller's), upstream_forbidden (403: the
///                message says the provider's own words), upstream_quota (402, or an account
///                without credit), upstream_too_large, upstream_wrong_path (404 for the path, not
///                for the model)
///   invalid      upstream_rejected (400/413/422: the message says the provider's own words), of
///                these context_length_exceeded (the prompt is too long); field when named
///   not_found    upstream_model_unknown (404)
///   unsupported  upstream_cannot (the provider cannot do tools, images … that were asked for)
/// `message` of the two that are invalid and of upstream_forbidden may quote the provider; others
/// use general sentences, the provider's words go to `detail`.
class ChatProvider : public Embedder, public Transcriber, public Synthesizer {
 public:
  virtual const std::string& name() const noexcept = 0;
  /// The whole answer. `request` and `timings` outlive the call.
  virtual Co<Result<ChatReply>> complete(const ChatRequest& request, Attempt attempt,
                                         AttemptTimings& timings) = 0;
  /// A started stream: the provider accepted; the first token may still be to come.
  virtual Co<Result<std::unique_ptr<ChatStream>>> stream(const ChatRequest& request,
                                                         Attempt attempt,
                                                         AttemptTimings& timings) = 0;
  /// What it serves; also the probe whether it is up.
  virtual Co<Result<std::vector<ModelInfo>>> models(Deadline by) = 0;
};

}  // namespace mainstay::models
