// The rules that every back end of vectors keeps.
#include "storage/vectors.h"

#include <openssl/sha.h>

#include <cstring>

#include "storage/embedding_cache.h"
#include "storage/vector_math.h"

namespace mainstay::storage {

std::string_view name(SpaceState state) noexcept {
  switch (state) {
    case SpaceState::building:
      return "building";
    case SpaceState::serving:
      return "serving";
    case SpaceState::leaving:
      return "leaving";
  }
  return "building";
}

std::int64_t content_mark(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::int64_t out = 0;
  std::memcpy(&out, digest.data(), sizeof(out));
  return out == 0 ? 1 : out;
}

Error unknown_space() {
  return Error::say(Errc::not_found, "unknown_vector_space", "There is no such vector space.");
}

Result<VectorSpace> choose_space(const std::vector<VectorSpace>& spaces, const std::string& model,
                                 std::size_t dimension) {
  std::uint32_t other = 0;
  for (const auto& space : spaces) {
    if (space.model != model || space.state == SpaceState::leaving) continue;
    if (space.dimension == dimension) return space;
    other = space.dimension;
  }
  if (other == 0) return unknown_space();
  return Error::say(Errc::invalid, "vector_dimension",
                    "The vectors have " + std::to_string(other) + " dimensions, those asked for " +
                        std::to_string(dimension) + ".",
                    "embedding");
}

Status check_dimension(std::uint32_t dimension) {
  if (dimension >= 1 && dimension <= kDimensionMax) return done();
  return Error::say(Errc::invalid, "vector_dimension",
                    "A vector has between 1 and " + std::to_string(kDimensionMax) + " dimensions.",
                    "embedding");
}

Status check_vector(const std::vector<float>& values, std::uint32_t dimension) {
  if (values.size() != dimension) {
    return Error::say(Errc::invalid, "vector_dimension",
                      "The vector has " + std::to_string(values.size()) + " dimensions; " +
                          std::to_string(dimension) + " are expected.",
                      "embedding");
  }
  if (all_finite(values)) return done();
  return Error::say(Errc::invalid, "vector_not_finite",
                    "A vector holds a number that is too large or not a number.", "embedding");
}

Status check_put(const std::vector<NewVector>& vectors, std::uint32_t dimension) {
  for (const auto& vector : vectors) {
    auto checked = check_vector(vector.values, dimension);
    if (!checked.ok()) return checked;
  }
  return done();
}

Status check_search(const VectorSearch& search, std::uint32_t dimension) {
  if (search.queries.size() > kVectorQueriesMax) {
    return Error::say(Errc::invalid, "too_many",
                      "One search takes at most " + std::to_string(kVectorQueriesMax) + " queries.",
                      "queries");
  }
  for (const auto& query : search.queries) {
    auto checked = check_vector(query, dimension);
    if (!checked.ok()) return checked;
  }
  return done();
}

}  // namespace mainstay::storage
