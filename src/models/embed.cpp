// What all providers of embeddings have in common. Pure.
#include "models/embed.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/base64.h"
#include "models/provider_error.h"

namespace mainstay::models {
namespace {

/// No model makes longer ones; a longer array is no vector.
constexpr std::size_t kDimensionMost = 65'536;

}  // namespace

std::string_view name(EmbedPurpose purpose) noexcept {
  switch (purpose) {
    case EmbedPurpose::plain:
      return "plain";
    case EmbedPurpose::query:
      return "query";
    case EmbedPurpose::document:
      return "document";
  }
  return "plain";
}

Co<Result<Embeddings>> Embedder::embed(const EmbedRequest&, Attempt, AttemptTimings&) {
  co_return cannot("This provider makes no embeddings.", "model");
}

Result<std::vector<float>> read_vector(const simdjson::dom::element& from) {
  std::vector<float> out;
  std::string_view text;
  if (from.get(text) == simdjson::SUCCESS) {
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() % sizeof(float) != 0) {
      return not_understood("an embedding is no base64 of floats");
    }
    out.resize(bytes->size() / sizeof(float));
    if (!out.empty()) std::memcpy(out.data(), bytes->data(), bytes->size());
    return out;
  }
  simdjson::dom::array numbers;
  if (from.get(numbers) != simdjson::SUCCESS) return not_understood("an embedding is no array");
  out.reserve(numbers.size());
  for (const auto& each : numbers) {
    double number = 0;
    const auto failed = each.get(number);
    if (failed != simdjson::SUCCESS || !(std::fabs(number) <= std::numeric_limits<float>::max())) {
      return not_understood("an embedding holds what is no number");
    }
    out.push_back(static_cast<float>(number));
  }
  return out;
}

Status check_embeddings(const EmbedRequest& request, Embeddings& got) {
  if (got.vectors.size() != request.texts.size()) {
    return not_understood(std::to_string(got.vectors.size()) + " embeddings for " +
                          std::to_string(request.texts.size()) + " texts");
  }
  const std::size_t dimension = got.vectors.empty() ? 0 : got.vectors.front().size();
  if (dimension == 0 || dimension > kDimensionMost) {
    return not_understood("embeddings of " + std::to_string(dimension) + " dimensions");
  }
  if (request.dimensions != 0 && dimension != request.dimensions) {
    return cannot(
        "The model makes embeddings of " + std::to_string(dimension) + " dimensions and no others.",
        "dimensions");
  }
  for (const auto& vector : got.vectors) {
    if (vector.size() != dimension) return not_understood("embeddings of several dimensions");
    for (const float each : vector) {
      if (!std::isfinite(each)) return not_understood("an embedding holds no finite number");
    }
  }
  got.dimension = static_cast<std::uint32_t>(dimension);
  return done();
}

}  // namespace mainstay::models
