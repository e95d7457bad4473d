// Documents that come as files: kept, then read by a job.
// Used by api/documents.cpp alone.
#pragma once

#include "api/context.h"

namespace mainstay::api {

/// A form with a `file`.
Co<Status> upload_document(const Rooms& rooms, Context& context);
/// JSON that names a file of the caller's; looked at for unknown members.
Co<Status> ingest_file(const Rooms& rooms, Context& context, Json object);
/// A collection's name; empty: none. Errors: invalid "invalid_name".
Result<std::optional<CollectionName>> collection_named(const std::string& name);
/// The member `tags`: a list of words. Errors: invalid "invalid_type".
Result<std::vector<std::string>> tags_in(const Json& object);

}  // namespace mainstay::api
