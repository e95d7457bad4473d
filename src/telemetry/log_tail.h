// The newest log lines in one block of memory, for those who look at a running server.
// The log's writer thread adds; GET /admin/logs reads.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "telemetry/log.h"

namespace mainstay {

/// Thread-safe. Memory is `room` and no more: a new line takes the place of the oldest ones.
class LogTail {
 public:
  struct Line {
    std::uint64_t number = 0;  ///< counts from 1, never repeats
    Level level = Level::info;
    std::string text;  ///< as the log wrote it, without its line feed
  };
  /// Which lines; all that is given must hold.
  struct Filter {
    Level least = Level::debug;
    std::string text;     ///< anywhere in the line; the case of A-Z is ignored
    std::string request;  ///< a request's id, anywhere in the line
  };
  struct Found {
    std::vector<Line> lines;  ///< oldest first
    std::uint64_t next = 1;   ///< the number that the next line will have, or that to go on with
    std::uint64_t lost = 0;   ///< lines that were asked for and are gone
    bool more = false;        ///< there are further lines that match
  };

  explicit LogTail(Bytes room);
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

  /// Whole lines, each with its line feed. One that is longer than half the room is left out.
  void add(std::string_view lines);
  /// The newest `most` lines that match, with numbers below `before`. Looks at all that is kept:
  /// some milliseconds for a megabyte.
  Found newest(const Filter& filter, std::uint64_t before, std::size_t most) const;
  /// The first `most` lines that match, from number `from` on.
  Found from(const Filter& filter, std::uint64_t from, std::size_t most) const;
  /// The number of the oldest line, and that of the next one.
  std::uint64_t first() const;
  std::uint64_t next() const;

 private:
  struct Place {
    std::size_t at = 0;
    std::uint64_t number = 0;
  };
  void add_line(std::string_view line);
  void drop_oldest();
  void put(std::size_t at, std::string_view bytes);
  std::string get(std::size_t at, std::size_t size) const;
  std::size_t length_at(std::size_t at) const;
  std::optional<Line> read(const Filter& filter, std::size_t at, std::uint64_t number) const;

  const std::size_t room_;
  std::unique_ptr<char[]> block_;
  mutable std::mutex mutex_;
  std::size_t oldest_ = 0;  ///< where the oldest record begins
  std::size_t used_ = 0;
  std::uint64_t first_ = 1;  ///< number of the oldest record
  std::uint64_t next_ = 1;
};

/// The level that a line of the log names, whatever the log's format; info when it names none.
Level level_of_line(std::string_view line) noexcept;

}  // namespace mainstay
