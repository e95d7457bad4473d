// What requests and replies about documents have in common.
// Used by api's documents, document_upload, collections, search and vectors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/json.h"
#include "storage/documents.h"

namespace mainstay::api {

/// A collection's name; empty: none. Errors: invalid "invalid_name".
Result<std::optional<CollectionName>> collection_named(const std::string& name);
/// A document's facts.
Json document_json(const storage::DocumentInfo& info);
/// A found passage with its score.
Json passage_json(const storage::Passage& passage, double score);

}  // namespace mainstay::api
