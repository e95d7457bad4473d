// MD5 of bytes that come in pieces: to compare a file with what a client says of it, never for
// safety. Used by api (uploads).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace mainstay {

/// Belongs to one thread at a time. Throws bad_alloc where there is no memory for it.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void update(std::string_view bytes);
  /// 32 hex digits; nothing may be added afterwards.
  std::string hex();

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace mainstay
