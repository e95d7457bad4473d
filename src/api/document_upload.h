// Documents that come as files: kept, then read by a job.
// Used by api/documents.cpp alone.
#pragma once

#include "api/context.h"
#include "storage/documents.h"
#include "storage/files.h"

namespace mainstay::api {

/// A form with a `file`.
Co<Status> upload_document(const Rooms& rooms, Context& context);
bool is_form(const Context& context);
/// Whether the JSON names a file (`file_id`, or `file`).
bool names_file(const Json& object);
/// Puts the collection into a job's input, by its number too, so that the job finds it when it has
/// another name by then, and does not make it again when it was deleted.
Co<Status> hold_collection(const Rooms& rooms, const Context& context, CollectionName name,
                           Json& input);
/// JSON that names a file of the caller's; looked at for unknown members. Errors: also invalid
/// "invalid_value" (a text beside it).
Co<Status> ingest_file(const Rooms& rooms, Context& context, Json object);
/// Whether an unfinished job reads this file of the caller's into a document.
Co<Result<bool>> is_being_ingested(const Rooms& rooms, const Context& context,
                                   storage::FileId file);
/// Ends the job that makes this document, if one does, with the file that came for it.
Co<Status> stop_ingest(const Rooms& rooms, const Context& context, DocumentId id);
/// A document's facts, also of one that was accepted and that its job has not begun yet. The id of
/// one whose content was there already stands for that one, as long as its job is known. Errors: as
/// Documents::get().
Co<Result<storage::DocumentInfo>> known_document(const Rooms& rooms, const Context& context,
                                                 DocumentId id);

}  // namespace mainstay::api
