// Rows of CSV and JSON lines as text that can be found and read: one paragraph for each, with its
// names. Pieces of any size; memory is bounded by one row.
// Used by extract.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mainstay::knowledge {

/// Bytes of one row, as of one JSON line.
inline constexpr std::size_t kRowMax = 1 << 20;
inline constexpr std::size_t kColumnsMax = 1000;

/// A quote opens at a field's start alone, as other readers have it: 5" is five inches.
enum class CsvPlace : std::uint8_t {
  start,   ///< of a field
  lead,    ///< behind blanks and = at its start
  bare,    ///< in one without quotes, or behind its quotes
  quoted,  ///< between quotes
  quote,   ///< behind one that ends the field, unless another follows
};

/// Comma or semicolon or tab separated values (RFC 4180; the first row tells the mark and the
/// names, or a line "sep=;" before it the mark). Each row becomes "name: value" lines.
class CsvText {
 public:
  /// Appends the text of the rows that are whole now. Errors: invalid "csv_row_too_long",
  /// "csv_too_many_columns"; nothing more may be fed then.
  Status feed(std::string_view bytes, std::string& text);
  Status finish(std::string& text);

 private:
  Status end_row(std::string& text);
  std::string row_;  ///< as it came, without the line end
  CsvPlace at_ = CsvPlace::start;
  bool begun_ = false;
  bool told_ = false;  ///< a row with values was
  std::optional<char> mark_;
  std::vector<std::string> names_;
};

/// One JSON value a line; objects and lists become "path.to.name: value" lines.
class JsonLinesText {
 public:
  /// `lenient`: lines that are no JSON are text as they stand, however long.
  explicit JsonLinesText(bool lenient = false) : lenient_(lenient) {}
  /// Errors: invalid "json_line_too_long", "json_line_invalid" with the number of the line.
  Status feed(std::string_view bytes, std::string& text);
  Status finish(std::string& text);

 private:
  Status end_line(std::string& text);
  const bool lenient_;
  std::string line_;
  std::size_t number_ = 0;
};

}  // namespace mainstay::knowledge
