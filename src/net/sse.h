// Server-sent events and JSON lines, as pure parsers over pieces of bytes.
// Used by models' inner rooms. Knows no socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace mainstay::net {

/// One event; views are valid until the next call.
struct SseEvent {
  std::string_view event;  ///< empty: "message"
  std::string_view data;   ///< data lines joined with \n
  std::string_view id;
};

/// Parser per the WHATWG text/event-stream rules (LF, CR, CRLF, BOM, comments), whatever the
/// borders of the pieces. An event above `event_max` (bytes of its lines without their ends; a
/// comment line counts by itself) is an error (bad_upstream "upstream_bad_event"), and then for
/// good.
class SseParser {
 public:
  explicit SseParser(Bytes event_max) : event_max_(event_max) {}
  /// Gives the parser the next bytes; call only after next() returned nullopt.
  /// `piece` must stay valid until next() has returned nullopt.
  void feed(std::string_view piece);
  /// The next whole event, or nullopt: feed more.
  Result<std::optional<SseEvent>> next();
  /// True when bytes of an unfinished event are held: the stream was cut.
  bool unfinished() const noexcept;

 private:
  std::optional<std::string_view> line();
  bool take_field(std::string_view line);
  void add_data(std::string_view value);
  SseEvent dispatch();
  void keep();

  Bytes event_max_;
  std::string_view piece_;  ///< what is left of the fed bytes
  std::size_t lf_ = 0;      ///< where the next LF in piece_ is, when lf_known_
  bool lf_known_ = false;
  std::string line_;      ///< unfinished line carried over from earlier pieces
  std::string whole_;     ///< a carried line, completed
  std::string_view one_;  ///< the event's only data line so far, still in the piece
  std::string data_;      ///< its data lines once there are several or the piece is gone
  std::string event_;
  std::string id_;
  std::string out_data_;
  std::string out_event_;
  std::size_t bytes_ = 0;  ///< of the lines of the event under way
  std::size_t data_lines_ = 0;
  bool in_one_ = false;
  bool skip_lf_ = false;
  bool first_ = true;
  bool failed_ = false;
};

/// Splits a body into lines (JSON lines, Ollama's streams); same bound, same rules of use. Lines
/// end with LF or CRLF; empty lines are left out.
class LineParser {
 public:
  explicit LineParser(Bytes line_max) : line_max_(line_max) {}
  void feed(std::string_view piece);
  Result<std::optional<std::string_view>> next();
  /// What is left after the last line end; a last line may come without one.
  std::string_view rest() const noexcept { return line_; }

 private:
  Bytes line_max_;
  std::string_view piece_;
  std::string line_;
  std::string out_;
  bool failed_ = false;
};

}  // namespace mainstay::net
