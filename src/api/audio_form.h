// The form of a recording on its way in: small ones stay in memory, larger ones go to the shelf
// under a name that is gone before anything else happens, so that nothing is left behind.
// Used by api/audio.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/form_parts.h"
#include "models/recording.h"

namespace mainstay::api {

/// Belongs to one coroutine.
class AudioForm final : private FormParts {
 public:
  explicit AudioForm(const Rooms& rooms) : rooms_(rooms) {}
  ~AudioForm() override;
  AudioForm(const AudioForm&) = delete;
  AudioForm& operator=(const AudioForm&) = delete;

  /// Reads the form to its end. Errors: invalid "bad_multipart", "duplicate_field",
  /// "field_too_long", "missing_field" (no file), "empty_audio"; too_large "recording_too_large";
  /// those of the shelf, of a disk that is full and of memory.
  Co<Status> receive(Context& context);

  const std::shared_ptr<const models::Recording>& recording() const noexcept { return recording_; }
  const std::string& name() const noexcept { return name_; }  ///< as it may be shown
  const std::string& mime() const noexcept { return mime_; }  ///< as the client says; may be empty
  /// The last value of a field; empty where the form had none.
  const std::string& field(std::string_view name) const noexcept;
  /// All values of a field that may come several times.
  const std::vector<std::string>& values(std::string_view name) const noexcept;

 private:
  Result<Place> begin(const PartHead& head) override;
  Co<Status> take(Context& context, std::string bytes) override;
  Co<Status> put(Context& context);
  Co<Status> seal(Context& context);
  Result<std::string*> begin_field(const std::string& name);

  const Rooms& rooms_;
  std::map<std::string, std::vector<std::string>, std::less<>> fields_;
  std::string name_;
  std::string mime_;
  bool has_file_ = false;
  std::string block_;         ///< not yet on the shelf
  std::uint64_t stored_ = 0;  ///< bytes on the shelf
  std::string shelf_name_;    ///< empty: nothing is there
  std::shared_ptr<const models::Recording> recording_;
};

}  // namespace mainstay::api
