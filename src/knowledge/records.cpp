// A row at a time, held until its line ends outside quotes.
#include "knowledge/records.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace mainstay::knowledge {
namespace {

bool may_be_mark(char c) noexcept {
  return c == ',' || c == ';' || c == '\t';
}

/// Where the row stands behind `c`.
CsvPlace behind(CsvPlace at, char c, bool is_mark) noexcept {
  if (at == CsvPlace::quoted) return c == '"' ? CsvPlace::quote : CsvPlace::quoted;
  if (c == '"' && at != CsvPlace::bare) return CsvPlace::quoted;
  if (is_mark) return CsvPlace::start;
  // Blanks before a quote are common, and Excel writes ="0012" where noughts are to stay.
  const bool before = at == CsvPlace::start || at == CsvPlace::lead;
  return before && (c == ' ' || c == '=') ? CsvPlace::lead : CsvPlace::bare;
}

/// Fields of one row; quotes are undone.
std::vector<std::string> fields_of(std::string_view row, char mark) {
  std::vector<std::string> out(1);
  CsvPlace at = CsvPlace::start;
  for (const char c : row) {
    const CsvPlace before = std::exchange(at, behind(at, c, c == mark));
    if (at == CsvPlace::start) {
      out.emplace_back();
    } else if (c == '"' && before != CsvPlace::bare && before != CsvPlace::quote) {
      continue;  // it opens or closes; one behind a quote, or in a bare field, is meant
    } else {
      out.back() += c == '\n' || c == '\r' ? ' ' : c;
    }
  }
  return out;
}

/// Of the first row: the one found most often outside quotes.
char mark_of(std::string_view row) {
  constexpr std::string_view kMarks = ",;\t";
  std::array<std::size_t, kMarks.size()> counts{};
  CsvPlace at = CsvPlace::start;
  for (const char c : row) {
    at = behind(at, c, may_be_mark(c));
    if (at == CsvPlace::start) ++counts[kMarks.find(c)];
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return kMarks[static_cast<std::size_t>(most - counts.begin())];
}

/// The mark that a line before the names tells, as Excel writes it ("sep=;").
std::optional<char> told_mark(std::string_view row) {
  const bool tells = row.size() == 5 && lower_ascii(row.substr(0, 4)) == "sep=" && row[4] != '"';
  return tells ? std::optional<char>(row[4]) : std::nullopt;
}

/// "path: value" lines of a JSON value; what is empty is left out.
void tell(const Json& value, const std::string& path, std::string& text) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items()) {
      tell(inner, path.empty() ? name : path + "." + name, text);
    }
  } else if (value.is_array()) {
    for (const auto& inner : value) tell(inner, path, text);
  } else if (!value.is_null()) {
    if (!path.empty()) text += path + ": ";
    text += value.is_string() ? value.get<std::string>() : dump(value);
    text += '\n';
  }
}

Error row_too_long(const char* reason, const char* what) {
  return Error::say(Errc::invalid, reason,
                    std::string(what) + " is longer than " + std::to_string(kRowMax) + " bytes.",
                    "file");
}

}  // namespace

Status CsvText::end_row(std::string& text) {
  if (row_.ends_with('\r')) row_.pop_back();
  const std::string row = std::exchange(row_, {});
  at_ = CsvPlace::start;
  if (!begun_ && !mark_) {
    mark_ = told_mark(row);
    if (mark_) return done();
  }
  if (trim(row).empty()) return done();
  if (!begun_) {
    begun_ = true;
    if (!mark_) mark_ = mark_of(row);
    names_ = fields_of(row, *mark_);
    if (names_.size() <= kColumnsMax) return done();
    return Error::say(Errc::invalid, "csv_too_many_columns",
                      "A table may have at most " + std::to_string(kColumnsMax) + " columns.",
                      "file");
  }
  const auto fields = fields_of(row, *mark_);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string_view value = trim(fields[i]);
    if (value.empty()) continue;
    if (i < names_.size() && !trim(names_[i]).empty()) {
      text += trim(names_[i]);
      text += ": ";
    }
    text += value;
    text += '\n';
    told_ = true;
  }
  text += '\n';
  return done();
}

Status CsvText::feed(std::string_view bytes, std::string& text) {
  for (const char c : bytes) {
    if (c == '\n' && at_ != CsvPlace::quoted) {
      auto ended = end_row(text);
      if (!ended.ok()) return ended;
      continue;
    }
    if (row_.size() >= kRowMax) return row_too_long("csv_row_too_long", "A row of the table");
    row_ += c;
    at_ = behind(at_, c, mark_ ? c == *mark_ : may_be_mark(c));
    if (begun_ || row_ != kByteOrderMark) continue;
    row_.clear();
    at_ = CsvPlace::start;
  }
  return done();
}

Status CsvText::finish(std::string& text) {
  auto ended = end_row(text);
  // A table of one row: its names are all there is. (`text` holds the last rows alone.)
  if (ended.ok() && !told_) {
    for (const auto& name : names_) text += name + "\n";
    names_.clear();
  }
  return ended;
}

Status JsonLinesText::end_line(std::string& text) {
  ++number_;
  std::string line = std::exchange(line_, {});
  if (number_ == 1) line = std::string(without_byte_order_mark(line));
  if (trim(line).empty()) return done();
  auto value = parse_json(line);
  if (!value.ok() && lenient_) {
    text += line + "\n";
    return done();
  }
  if (!value.ok()) {
    return Error::say(Errc::invalid, "json_line_invalid",
                      "Line " + std::to_string(number_) + " is not valid JSON.", "file");
  }
  tell(*value, {}, text);
  text += '\n';
  return done();
}

Status JsonLinesText::feed(std::string_view bytes, std::string& text) {
  while (!bytes.empty()) {
    const auto end = std::min(bytes.find('\n'), bytes.size());
    if (line_.size() + end > kRowMax) {
      if (!lenient_) return row_too_long("json_line_too_long", "A line");
      text += std::exchange(line_, {});
    }
    line_.append(bytes.substr(0, end));
    if (end == bytes.size()) break;
    bytes.remove_prefix(end + 1);
    auto ended = end_line(text);
    if (!ended.ok()) return ended;
  }
  return done();
}

Status JsonLinesText::finish(std::string& text) {
  return end_line(text);
}

}  // namespace mainstay::knowledge
