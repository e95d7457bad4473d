// Structured log: one line per event through a bounded queue and one writer thread.
// Used by every room. When the queue is full the line is dropped and counted; nothing ever blocks.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/result.h"
#include "config/settings.h"

namespace mainstay {

class LogTail;

enum class Level : std::uint8_t { debug, info, warn, error, off };

/// A named value of a log line. Text is copied into the line before log() returns.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Duration>;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  /// Written as milliseconds with three decimals.
  Field(std::string_view k, Duration v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(widen(v)) {}
  std::string_view key;
  Value value;

 private:
  template <std::integral T>
  static Value widen(T v) {
    if constexpr (std::is_signed_v<T>)
      return static_cast<std::int64_t>(v);
    else
      return static_cast<std::uint64_t>(v);
  }
};

/// Thread-safe. Event names are constant and `noun.verb`. Text values are escaped (no line can be
/// forged) and cut at 2 KiB.
class Log {
 public:
  /// Opens the sink and starts the writer. Errors: invalid (sink cannot be opened).
  static Result<std::unique_ptr<Log>> open(const LogSettings& settings, Clock& clock);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool wants(Level level) const noexcept { return level >= level_.load(std::memory_order_relaxed); }
  void set_level(Level level) noexcept { level_.store(level, std::memory_order_relaxed); }
  void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});
  /// A line that another Mainstay process has formatted, as it is. Control characters are left out.
  void pass(std::string_view line);
  void debug(std::string_view e, std::initializer_list<Field> f = {}) { write(Level::debug, e, f); }
  void info(std::string_view e, std::initializer_list<Field> f = {}) { write(Level::info, e, f); }
  void warn(std::string_view e, std::initializer_list<Field> f = {}) { write(Level::warn, e, f); }
  void error(std::string_view e, std::initializer_list<Field> f = {}) { write(Level::error, e, f); }

  /// Goes on in the file that now has the sink's name, after the old one was moved away. Nothing
  /// changes for other sinks. Errors: invalid; then the old file stays in use.
  Status reopen();
  /// From now on the newest lines are kept in that much memory too. Once, at most; nothing for 0
  /// and for a log without a sink.
  void keep_tail(Bytes room);
  /// The kept lines; null while none are. Lives as long as the log.
  const LogTail* tail() const noexcept;
  /// "json" or "text".
  std::string_view format() const noexcept;
  std::uint64_t written() const noexcept;
  std::uint64_t dropped() const noexcept;
  /// Bytes of lines that wait for the writer.
  std::uint64_t queued_bytes() const;
  /// Writes what is queued, at most until `for_at_most` has passed, and closes the sink.
  void stop(Duration for_at_most);

 private:
  struct Writer;
  Log(std::unique_ptr<Writer> writer, Level level, Clock& clock);
  Clock& clock_;
  std::atomic<Level> level_;
  std::unique_ptr<Writer> writer_;
};

/// Error when the name is not a level.
Result<Level> level_from(std::string_view text);

}  // namespace mainstay
