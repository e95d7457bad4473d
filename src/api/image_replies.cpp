// Text of parts and lines.
#include "api/image_replies.h"

#include "api/status.h"
#include "base/base64.h"

namespace mainstay::api {
namespace {

/// As browsers write names into a form: what would end the quotes is escaped.
std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') {
      out += "%22";
    } else if (c == '\\') {
      out += "%5C";
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out += c;
    }
  }
  return out + '"';
}

Json line_of(const ImageReply& reply) {
  return {{"index", reply.index},       {"name", reply.name},
          {"status", "done"},           {"format", reply.facts.format},
          {"width", reply.facts.width}, {"height", reply.facts.height},
          {"bytes", reply.facts.bytes}};
}

}  // namespace

std::string result_name(const std::string& name, const std::string& format) {
  const auto dot = name.rfind('.');
  const std::string stem = dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
  return stem + '.' + (format == "jpeg" ? "jpg" : format);
}

std::string ImageReplies::content_type() const {
  if (as_ == ImagesAs::lines) return "application/x-ndjson";
  return "multipart/mixed; boundary=" + boundary_;
}

std::string ImageReplies::begin(const ImageReply& reply) {
  if (as_ == ImagesAs::lines) {
    Json line = line_of(reply);
    if (!reply.file.empty()) {
      line["file"] = reply.file;
      line["url"] = "/v1/files/" + reply.file + "/content";
      has_bytes_ = false;
      return dump(line) + '\n';
    }
    has_bytes_ = true;
    std::string out = dump(line);
    out.pop_back();
    return out + ",\"data\":\"";
  }
  const media::ImageFacts& facts = reply.facts;
  return "--" + boundary_ + "\r\ncontent-type: image/" + facts.format +
         "\r\ncontent-disposition: attachment; filename=" +
         quoted(result_name(reply.name, facts.format)) +
         "\r\ncontent-length: " + std::to_string(facts.bytes) +
         "\r\nx-mainstay-index: " + std::to_string(reply.index) +
         "\r\nx-mainstay-size: " + std::to_string(facts.width) + "x" +
         std::to_string(facts.height) + "\r\n\r\n";
}

std::string ImageReplies::bytes(std::string piece) {
  if (as_ == ImagesAs::parts) return piece;
  carried_ += piece;
  const std::size_t whole = carried_.size() / 3 * 3;
  std::string out = to_base64(std::string_view(carried_).substr(0, whole));
  carried_.erase(0, whole);
  return out;
}

std::string ImageReplies::end() {
  if (as_ == ImagesAs::parts) return "\r\n";
  if (!has_bytes_) return "";
  std::string out = to_base64(carried_) + "\"}\n";
  carried_.clear();
  return out;
}

std::string ImageReplies::failed(std::size_t index, const std::string& name,
                                 const Error& error) const {
  const std::string says = error_json(error);
  if (as_ == ImagesAs::lines) {
    std::string out = dump(Json{{"index", index}, {"name", name}, {"status", "failed"}});
    out.pop_back();
    return out + "," + says.substr(1) + "\n";
  }
  return "--" + boundary_ +
         "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(says.size()) +
         "\r\nx-mainstay-index: " + std::to_string(index) +
         "\r\nx-mainstay-status: " + std::to_string(http_status(error.code)) + "\r\n\r\n" + says +
         "\r\n";
}

std::string ImageReplies::close() const {
  return as_ == ImagesAs::parts ? "--" + boundary_ + "--\r\n" : std::string();
}

}  // namespace mainstay::api
