// A form with one file on its way in: the file goes to the shelf block by block, short fields stay
// here.
// Used by api/files.cpp and api/document_upload.cpp.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/context.h"
#include "storage/files.h"
#include "storage/shelf.h"

namespace mainstay::api {

/// Its content leaves the shelf with it, unless keep() was called. Belongs to one coroutine.
class FileForm {
 public:
  /// `fields`: names that are kept; others are passed over. rooms.shelf is there.
  FileForm(const Rooms& rooms, std::vector<std::string_view> fields);
  ~FileForm();
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
  /// Of the content, whatever the pieces it came in.
  const std::string& digest() const noexcept { return digest_; }
  /// Empty where the form had none.
  const std::string& field(std::string_view name) const noexcept;

 private:
  Co<Status> read(Context& context);
  Co<Status> take(Context& context, std::string bytes);
  Co<Status> put(Context& context, bool last);
  Status begin_file(const std::string& file_name);
  /// Where a field's value goes; null: it is passed over.
  Result<std::string*> place_of(const std::string& name);

  const Rooms& rooms_;
  const storage::FileId id_;
  std::map<std::string, std::string, std::less<>> fields_;
  std::string file_name_;
  bool has_file_ = false;
  bool kept_ = false;
  std::uint64_t size_ = 0;  ///< on the shelf
  std::string block_;       ///< not yet there
  std::string digest_;
};

}  // namespace mainstay::api
