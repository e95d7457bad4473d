// Passages with vectors made elsewhere: stored many at once, searched by vectors.
// Used by routes.cpp and search.cpp (POST /v1/search with `embedding` or `embeddings`).
#pragma once

#include <string>

#include "api/context.h"

namespace mainstay::api {

/// Whether a search's body holds vectors to search by.
bool asks_by_vector(const std::string& body);
/// Answers such a search.
Co<Status> search_vectors(const Rooms& rooms, Context& context, std::string body);

}  // namespace mainstay::api
