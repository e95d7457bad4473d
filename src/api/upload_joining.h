// An upload's parts put together to its file.
// Used by api/uploads.cpp alone.
#pragma once

#include <string>
#include <vector>

#include "api/context.h"
#include "storage/uploads.h"

namespace mainstay::api {

/// Makes the parts in this order the upload's file. Called again after it was broken off, at
/// whatever place, also by a crash, it goes on; two calls at once do no harm. `md5` in hex, or
/// empty. Errors: as Uploads::complete() and finish(); invalid "md5_mismatch"; those of the shelf.
Co<Result<storage::UploadInfo>> join_upload(const Rooms& rooms, Context& context,
                                            storage::UploadInfo upload,
                                            std::vector<storage::PartId> order, std::string md5);

}  // namespace mainstay::api
