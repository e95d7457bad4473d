// Documents that come as files: kept, then read by a job.
// Used by api/documents.cpp alone.
#pragma once

#include "api/context.h"
#include "storage/documents.h"

namespace mainstay::api {

/// A form with a `file`.
Co<Status> upload_document(const Rooms& rooms, Context& context);
bool is_form(const Context& context);
/// Whether the JSON names a file (`file_id`, or `file`).
bool names_file(const Json& object);
/// JSON that names a file of the caller's; looked at for unknown members. Errors: also invalid
/// "invalid_value" (a text beside it).
Co<Status> ingest_file(const Rooms& rooms, Context& context, Json object);
/// A document's facts, also of one that was accepted and that its job has not begun yet. Errors: as
/// Documents::get().
Co<Result<storage::DocumentInfo>> known_document(const Rooms& rooms, const Context& context,
                                                 DocumentId id);

}  // namespace mainstay::api
