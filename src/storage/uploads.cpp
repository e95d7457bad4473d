// What can be told of uploads without a store.
#include "storage/uploads.h"

#include <algorithm>

namespace mainstay::storage {

Error unknown_upload() {
  return Error::say(Errc::not_found, "unknown_upload", "There is no such upload.");
}

Error upload_not_pending() {
  return Error::say(Errc::conflict, "upload_not_pending",
                    "The upload is completed, cancelled, or is being completed. Begin another.");
}

Error too_many_uploads() {
  return Error::say(Errc::over_limit, "too_many_uploads",
                    "You have as many unfinished uploads as uploads.owner_open_max allows. "
                    "Complete or cancel one.");
}

/// Twice: a client that lost an answer may send a part again, in other pieces.
Status check_part(const UploadInfo& upload, std::uint64_t size, std::uint32_t parts_max) {
  if (upload.parts >= parts_max) {
    return Error::say(Errc::over_limit, "too_many_parts",
                      "An upload may have at most " + std::to_string(parts_max) +
                          " parts (uploads.parts_max). Send larger ones.");
  }
  if (upload.parts_bytes + size > upload.bytes * 2) {
    return Error::say(Errc::too_large, "upload_parts_too_long",
                      "The parts hold more than twice the bytes that were announced.", "data");
  }
  return done();
}

Status check_order(const UploadInfo& upload, const std::vector<UploadPart>& parts,
                   const std::vector<PartId>& order) {
  std::uint64_t sum = 0;
  for (const auto& id : order) {
    const auto found =
        std::find_if(parts.begin(), parts.end(), [&](const UploadPart& p) { return p.id == id; });
    if (found == parts.end()) {
      return Error::say(Errc::invalid, "unknown_part", "The upload has no part " + id.text() + ".",
                        "part_ids");
    }
    sum += found->size;
  }
  if (sum == upload.bytes) return done();
  return Error::say(Errc::invalid, "upload_size_mismatch",
                    "The parts hold " + std::to_string(sum) + " bytes, announced were " +
                        std::to_string(upload.bytes) + ".",
                    "part_ids");
}

}  // namespace mainstay::storage
