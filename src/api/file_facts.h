// What endpoints that keep files have in common: their facts as JSON, their purposes, their bounds.
// Used by api's files, uploads, upload_parts, images and document_upload.
#pragma once

#include <string>

#include "api/context.h"
#include "base/json.h"
#include "storage/files.h"

namespace mainstay::api {

/// OpenAI's File object.
Json file_json(const storage::FileInfo& file);
/// Errors: invalid "missing_field", "invalid_value".
Status check_purpose(const std::string& purpose);
/// How long a file is kept that says so itself. `keep`: whole seconds as text. Errors: invalid
/// "out_of_range".
Result<Duration> keep_of(const std::string& anchor, const std::string& keep);
/// Of one owner's files.
storage::FileLimits file_limits(const Settings& settings);
/// A file with its times and its owner; id, name, purpose and size are the caller's.
storage::FileInfo file_of_now(const Rooms& rooms, const Context& context, Duration keep);
Error no_place_for_files();
/// For one step of storage.
Deadline storage_time(const Rooms& rooms, const Context& context);

}  // namespace mainstay::api
