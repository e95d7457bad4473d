// Face: turning texts into vectors. Inner rooms openai, ollama and gemini implement it beside chat;
// the router alone calls it. Others see Models::embed() and, with a cache, embeddings.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "models/attempt.h"

namespace mainstay::models {

/// What a vector is for; some models make different ones.
enum class EmbedPurpose : std::uint8_t { plain, query, document };
std::string_view name(EmbedPurpose purpose) noexcept;

struct EmbedRequest {
  std::vector<std::string> texts;  ///< not empty
  EmbedPurpose purpose = EmbedPurpose::plain;
  std::uint32_t dimensions = 0;  ///< asked for; 0: the model's own
  RequestId request;
  std::string traceparent;
};

struct Embeddings {
  std::vector<std::vector<float>> vectors;  ///< one for each text, in order
  std::uint32_t dimension = 0;
  std::uint64_t tokens = 0;  ///< as the provider counted them; 0: it does not say
};

class Embedder {
 public:
  virtual ~Embedder() = default;
  /// Errors as listed at ChatProvider; bad_upstream "upstream_bad_reply" for a wrong count, an
  /// empty or varying dimension, and what is no finite number. `request` and `timings` outlive the
  /// call. As it is here: unsupported "upstream_cannot".
  virtual Co<Result<Embeddings>> embed(const EmbedRequest& request, Attempt attempt,
                                       AttemptTimings& timings);
};

/// One vector of a provider's reply: an array of numbers, or base64 of little-endian floats.
/// Errors: bad_upstream "upstream_bad_reply".
Result<std::vector<float>> read_vector(const simdjson::dom::element& from);
/// Looks whether a reply answers the request, and sets `dimension`. Errors: bad_upstream
/// "upstream_bad_reply".
Status check_embeddings(const EmbedRequest& request, Embeddings& got);

}  // namespace mainstay::models
