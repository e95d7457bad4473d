// Face: files that come in parts, until they are whole. Facts of uploads and parts; the contents
// are in a Shelf, a part's under its id, the file that is being put together under its own.
// Back ends: memory, sqlite. Every verb is limited to its owner: another's id is not_found.
// Used by api (uploads) and jobs (upload_upkeep).
#pragma once

#include <string>
#include <vector>

#include "storage/files.h"

namespace mainstay::storage {

using UploadId = Id<struct UploadTag>;
using PartId = Id<struct PartTag>;

enum class UploadState : std::uint8_t {
  pending,     ///< takes parts
  completing,  ///< its parts are put together in the order that was given
  completed,   ///< there is a file
  cancelled,
};

struct UploadInfo {
  UploadId id;
  Owner owner;
  std::string name;
  std::string purpose;
  std::string media_type;
  std::uint64_t bytes = 0;  ///< of the file, as announced
  UploadState state = UploadState::pending;
  WallTime created{};
  WallTime expires{};             ///< each part puts it off
  std::uint64_t file_keep = 0;    ///< seconds that the file is kept; 0: as the settings say
  FileId file;                    ///< once it is completing
  std::vector<PartId> order;      ///< once it is completing; a part may stand there twice
  std::uint64_t parts = 0;        ///< that were received
  std::uint64_t parts_bytes = 0;  ///< of these
};

struct UploadPart {
  PartId id;  ///< also the content's name on the shelf
  std::uint64_t size = 0;
  std::string sha256;  ///< hex
  WallTime created{};
};

struct UploadLimits {
  std::uint32_t open_max = 32;  ///< of one owner
  FileLimits files;             ///< of files and unfinished uploads together
};

/// Any loop may call; no call blocks it. Errors of every verb: as Files, not_found
/// "unknown_upload", and those named. An upload whose time is over is not found, but for over().
class Uploads {
 public:
  virtual ~Uploads() = default;
  /// Errors: over_limit "too_many_uploads", "too_many_files", "too_many_file_bytes".
  virtual Co<Status> add(UploadInfo upload, UploadLimits limits, Deadline by) = 0;
  virtual Co<Result<UploadInfo>> get(Owner owner, UploadId id, Deadline by) = 0;
  /// Pending and completing ones, newest first; at most `limit`.
  virtual Co<Result<std::vector<UploadInfo>>> open(Owner owner, std::uint32_t limit,
                                                   Deadline by) = 0;
  /// In the order in which they came; empty once the upload is completed or cancelled.
  virtual Co<Result<std::vector<UploadPart>>> parts(Owner owner, UploadId id, Deadline by) = 0;
  /// A part that is on the shelf. When the upload has one of the same content, that one is given
  /// back and the new one is not kept. The upload ends at `expires` from now on. Errors: conflict
  /// "upload_not_pending"; too_large "upload_parts_too_long" (twice the announced size),
  /// over_limit "too_many_parts".
  virtual Co<Result<UploadPart>> add_part(Owner owner, UploadId id, UploadPart part,
                                          std::uint32_t parts_max, WallTime expires,
                                          Deadline by) = 0;
  /// From pending to completing; of one that is completing or completed already: what was begun.
  /// Errors: conflict "upload_not_pending" (cancelled; completing with another order); invalid
  /// "unknown_part", "upload_size_mismatch".
  virtual Co<Result<UploadInfo>> complete(Owner owner, UploadId id, std::vector<PartId> order,
                                          FileId file, Deadline by) = 0;
  /// The content stands under info.file: keeps the file's facts and forgets the parts, in one
  /// step. Of one that is completed: nothing. Errors: conflict "upload_not_pending".
  virtual Co<Status> finish(Owner owner, UploadId id, FileInfo file, Deadline by) = 0;
  /// Gives the parts, whose contents the caller removes. Of one that is cancelled: none. Errors:
  /// conflict "upload_not_pending" (completing, completed).
  virtual Co<Result<std::vector<UploadPart>>> cancel(Owner owner, UploadId id, Deadline by) = 0;
  /// Uploads whose time is over, of all owners.
  virtual Co<Result<std::vector<UploadInfo>>> over(std::uint32_t limit, Deadline by) = 0;
  /// Of one whose time is over, for the caller to remove; like erase(), whoever's it is.
  virtual Co<Result<std::vector<UploadPart>>> parts_of(UploadId id, Deadline by) = 0;
  /// The upload and what is known of its parts. Nothing happens when there is none.
  virtual Co<Status> erase(UploadId id, Deadline by) = 0;
  /// Whether a content of that name belongs to an upload.
  virtual Co<Result<bool>> holds(std::string content, Deadline by) = 0;
};

/// Refusals, the same of all back ends.
Error unknown_upload();
Error upload_not_pending();
Error too_many_uploads();
/// Whether a part of `size` fits an upload that has what it has.
Status check_part(const UploadInfo& upload, std::uint64_t size, std::uint32_t parts_max);
/// Whether the parts in this order make the file that was announced.
Status check_order(const UploadInfo& upload, const std::vector<UploadPart>& parts,
                   const std::vector<PartId>& order);

}  // namespace mainstay::storage
