// A form with one file on its way in: the file goes to the shelf block by block, short fields stay
// here.
// Used by api's files, document_upload and upload_parts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/form_parts.h"
#include "base/sha256.h"
#include "storage/files.h"
#include "storage/shelf.h"

namespace mainstay::api {

/// What is taken.
struct FileRule {
  const char* field = "file";       ///< of the form that holds it
  const char* id_prefix = "file-";  ///< of the content's name
  std::uint64_t most = 0;           ///< bytes of the content
  const char* setting = "files.size_max";
};
/// A file as /v1/files takes it.
FileRule any_file(const Rooms& rooms) noexcept;

/// Its content leaves the shelf with it, unless keep() was called. Belongs to one coroutine.
class FileForm final : private FormParts {
 public:
  /// `fields`: names that are kept; others are passed over. rooms.shelf is there.
  FileForm(const Rooms& rooms, std::vector<std::string_view> fields)
      : FileForm(rooms, std::move(fields), any_file(rooms)) {}
  FileForm(const Rooms& rooms, std::vector<std::string_view> fields, FileRule rule);
  ~FileForm() override;
  FileForm(const FileForm&) = delete;
  FileForm& operator=(const FileForm&) = delete;

  /// Reads the form to its end; afterwards the file is on the disk, synced. Errors: invalid
  /// "bad_multipart", "duplicate_field", "field_too_long", "missing_field" (no file); too_large
  /// "file_too_large"; those of the shelf and of a disk that is full.
  Co<Status> receive(Context& context);
  /// The content stays: a file's facts name it now.
  void keep() noexcept { kept_ = true; }

  const storage::FileId& id() const noexcept { return id_; }  ///< the content's name
  const std::string& file_name() const noexcept { return file_name_; }
  std::uint64_t size() const noexcept { return size_; }
  /// SHA-256 of the content, in hex.
  const std::string& digest() const noexcept { return digest_; }
  /// Empty where the form had none.
  const std::string& field(std::string_view name) const noexcept;

 private:
  Result<Place> begin(const PartHead& head) override;
  Co<Status> take(Context& context, std::string bytes) override;
  Co<Status> put(Context& context, bool last);
  Status begin_file(const std::string& file_name);
  /// Where a field's value goes; null: it is passed over.
  Result<std::string*> place_of(const std::string& name);

  const Rooms& rooms_;
  const FileRule rule_;
  const storage::FileId id_;
  std::map<std::string, std::string, std::less<>> fields_;
  std::string file_name_;
  bool has_file_ = false;
  bool kept_ = false;
  std::uint64_t size_ = 0;  ///< on the shelf
  std::string block_;       ///< not yet there
  Sha256 hash_;
  std::string digest_;
};

}  // namespace mainstay::api
