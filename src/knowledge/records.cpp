// A row at a time, held until its line ends outside quotes.
#include "knowledge/records.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace mainstay::knowledge {
namespace {

/// Fields of one row; quotes are undone.
std::vector<std::string> fields_of(std::string_view row, char mark) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const char c = row[i];
    if (c == '"' && quoted && i + 1 < row.size() && row[i + 1] == '"') {
      out.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == mark && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c == '\n' || c == '\r' ? ' ' : c;
    }
  }
  return out;
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

char CsvText::mark_of() const {
  char best = ',';
  std::ptrdiff_t most = 0;
  for (const char mark : {',', ';', '\t'}) {
    const auto count = std::count(row_.begin(), row_.end(), mark);
    if (count > most) best = mark;
    most = std::max(most, count);
  }
  return best;
}

Status CsvText::end_row(std::string& text) {
  if (row_.ends_with('\r')) row_.pop_back();
  const std::string row = std::exchange(row_, {});
  if (trim(row).empty()) return done();
  if (!begun_) {
    begun_ = true;
    row_ = row.starts_with("\xEF\xBB\xBF") ? row.substr(3) : row;
    mark_ = mark_of();
    names_ = fields_of(std::exchange(row_, {}), mark_);
    if (names_.size() <= kColumnsMax) return done();
    return Error::say(Errc::invalid, "csv_too_many_columns",
                      "A table may have at most " + std::to_string(kColumnsMax) + " columns.",
                      "file");
  }
  const auto fields = fields_of(row, mark_);
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
    if (c == '"') quoted_ = !quoted_;
    if (c == '\n' && !quoted_) {
      auto ended = end_row(text);
      if (!ended.ok()) return ended;
      continue;
    }
    if (row_.size() >= kRowMax) return row_too_long("csv_row_too_long", "A row of the table");
    row_ += c;
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
  const std::string line = std::exchange(line_, {});
  if (trim(line).empty()) return done();
  auto value = parse_json(line);
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
    if (line_.size() + end > kRowMax) return row_too_long("json_line_too_long", "A line");
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
