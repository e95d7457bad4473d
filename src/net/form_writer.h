// A multipart/form-data body as it is sent: what stands around fields and files.
// Used by app's commands and models' OpenAI room.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace mainstay::net {

/// Collects a form. The bytes of a file come behind begin_file(): put in with bytes(), or sent from
/// elsewhere between what take() gives before and after them.
class FormWriter {
 public:
  /// `boundary` may be in no value and no file: draw it at random.
  explicit FormWriter(std::string boundary) : boundary_(std::move(boundary)) {}
  std::string content_type() const { return "multipart/form-data; boundary=" + boundary_; }
  void field(std::string_view name, std::string_view value);
  /// An empty `type` means any bytes. Of name and type, quotes go as browsers send them, and
  /// control characters and backslashes are left out.
  void begin_file(std::string_view name, std::string_view file_name, std::string_view type = {});
  void bytes(std::string_view of_the_file) { text_ += of_the_file; }
  void end();
  /// What was put in since the last take().
  std::string take() { return std::exchange(text_, {}); }

 private:
  void begin(std::string_view name);
  const std::string boundary_;
  std::string text_;
  bool in_file_ = false;
};

}  // namespace mainstay::net
