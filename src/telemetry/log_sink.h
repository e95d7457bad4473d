// Where log lines go: a descriptor that is written without ever blocking for long.
// Used by telemetry/log.cpp's writer thread alone.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mainstay {

/// An open sink. A pipe nobody reads makes write() wait in steps, so that a stop gets through.
class LogSink {
 public:
  /// `sink`: stderr, stdout, none or a file's path. Errors: invalid (cannot be opened).
  static Result<LogSink> open(const std::string& sink);
  LogSink() = default;
  LogSink(LogSink&& other) noexcept;
  LogSink& operator=(LogSink&& other) noexcept;
  ~LogSink();

  bool none() const noexcept { return fd_ < 0; }
  /// Writes all of `text`, in one write(2) when the sink takes it; false when it could not, or when
  /// `give_up` (asked about ten times a second while the sink is full) says so.
  bool write(std::string_view text, const std::function<bool()>& give_up);

 private:
  enum class Kind { plain, nonblocking, socket, stepwise };
  long write_some(std::string_view text) const;
  void close() noexcept;
  int fd_ = -1;
  bool owned_ = false;
  Kind kind_ = Kind::plain;
};

}  // namespace mainstay
