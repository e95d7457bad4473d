// Lines of a form.
#include "net/form_writer.h"

namespace mainstay::net {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"') {
      out += "%22";
    } else if (u >= 0x20 && u != 0x7f && c != '\\') {
      out += c;
    }
  }
  return out;
}

}  // namespace

void FormWriter::begin(std::string_view name) {
  if (in_file_) text_ += "\r\n";
  in_file_ = false;
  text_.append("--").append(boundary_).append("\r\ncontent-disposition: form-data; name=\"");
  text_.append(name).append("\"");
}

void FormWriter::field(std::string_view name, std::string_view value) {
  begin(name);
  text_.append("\r\n\r\n").append(value).append("\r\n");
}

void FormWriter::begin_file(std::string_view name, std::string_view file_name,
                            std::string_view type) {
  begin(name);
  text_.append("; filename=\"").append(in_quotes(file_name)).append("\"\r\ncontent-type: ");
  const std::string safe_type = in_quotes(type);
  text_.append(safe_type.empty() ? "application/octet-stream" : safe_type).append("\r\n\r\n");
  in_file_ = true;
}

void FormWriter::end() {
  if (in_file_) text_ += "\r\n";
  in_file_ = false;
  text_.append("--").append(boundary_).append("--\r\n");
}

}  // namespace mainstay::net
