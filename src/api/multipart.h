// A strict streaming reader of multipart/form-data: what browsers, curl and the official client
// send, in memory that does not grow with the parts. Pure: no socket, no file.
// Used by api (files.cpp), its tests and its fuzz target.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay::api {

/// The head of one part.
struct PartHead {
  std::string name;
  std::string file_name;  ///< of "filename"; empty where there is none
  bool is_file = false;   ///< there is a "filename"
  std::string content_type;
};

/// Bytes are fed in pieces of any size; next() says what they hold, one event at a time.
class Multipart {
 public:
  enum class Event : std::uint8_t {
    more,      ///< feed the next piece
    part,      ///< a part begins: head()
    data,      ///< a piece of its content: data()
    part_end,  ///< the part is whole
    end,       ///< the body is whole
  };
  static constexpr std::uint32_t kPartsMax = 32;
  explicit Multipart(const std::string& boundary, std::uint32_t parts_max = kPartsMax);
  /// After `more` alone.
  void feed(std::string_view bytes);
  /// The same without a copy when nothing is held.
  void feed_all(std::string bytes);
  /// Errors: invalid "bad_multipart". After an error nothing more may be asked.
  Result<Event> next();
  const PartHead& head() const noexcept { return head_; }
  /// Valid until the next call of next() or feed().
  std::string_view data() const noexcept { return data_; }
  /// Bytes that wait for more; bounded by the piece fed last and a part's head.
  std::size_t held() const noexcept { return buffer_.size() - used_; }

 private:
  enum class At : std::uint8_t { start, head, content, behind, ended };
  Result<Event> at_start();
  Result<Event> at_head();
  Result<Event> at_content();
  Result<Event> behind_delimiter();
  std::string_view rest() const noexcept { return std::string_view(buffer_).substr(used_); }
  std::size_t sure_content() const noexcept;

  const std::uint32_t parts_max_;
  const std::string delimiter_;  ///< "\r\n--" and the boundary
  std::string buffer_;
  std::size_t used_ = 0;
  At at_ = At::start;
  std::uint32_t parts_ = 0;
  PartHead head_;
  std::string_view data_;
};

/// The boundary of a Content-Type. Errors: unsupported "unsupported_media_type" (another type),
/// invalid "bad_multipart".
Result<std::string> boundary_of(std::string_view content_type);

/// What is kept of a client's file name: its last component, without control characters, at most
/// 255 bytes of whole UTF-8; never empty.
std::string shown_file_name(std::string_view name);

}  // namespace mainstay::api
