// Frames of RFC 6455, read and written.
#include "net/websocket_frames.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/text.h"

namespace mainstay::net {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kControlMax = 125;
constexpr std::size_t kKeySize = 24;       ///< 16 bytes in base64
constexpr std::size_t kCompactAt = 65536;  ///< sent bytes that are worth moving the rest for

/// One of the comma-separated words of a header is `word`.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (equal_ascii_nocase(trim(list.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

bool is_key(std::string_view key) {
  if (key.size() != kKeySize || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

std::size_t count_of(const RequestHead& head, std::string_view name) {
  std::size_t n = 0;
  for (const auto& field : head.headers) n += equal_ascii_nocase(field.name, name) ? 1 : 0;
  return n;
}

/// Codes that may come over the wire.
bool is_wire_code(unsigned code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += kGuid;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> out{};
  const int n = EVP_EncodeBlock(out.data(), digest.data(), static_cast<int>(size));
  return std::string(out.begin(), out.begin() + n);
}

Result<std::string> check_websocket_request(const RequestHead& head) {
  const bool asks = has_word(head.header("upgrade"), "websocket") &&
                    has_word(head.header("connection"), "upgrade");
  if (!asks || head.method != "GET" || head.has_body()) {
    return Error::say(Errc::invalid, "upgrade_required",
                      "This path speaks WebSocket: send a GET with 'Connection: Upgrade' and "
                      "'Upgrade: websocket'.");
  }
  if (count_of(head, "sec-websocket-version") > 1) {
    return Error::say(Errc::invalid, "bad_header", "'Sec-WebSocket-Version' must be given once.");
  }
  if (head.header("sec-websocket-version") != "13") {
    return Error::say(Errc::invalid, "websocket_version",
                      "Only version 13 of WebSocket is served: send 'Sec-WebSocket-Version: 13'.");
  }
  const auto key = head.header("sec-websocket-key");
  if (!is_key(key) || count_of(head, "sec-websocket-key") != 1) {
    return Error::say(Errc::invalid, "websocket_key",
                      "'Sec-WebSocket-Key' must be given once, 16 bytes in base64.");
  }
  return websocket_accept(key);
}

void append_frame_head(std::string& out, Opcode opcode, std::size_t payload) {
  out += static_cast<char>(0x80 | static_cast<unsigned>(opcode));
  if (payload <= kControlMax) {
    out += static_cast<char>(payload);
    return;
  }
  const int bytes = payload <= 0xffff ? 2 : 8;
  out += static_cast<char>(bytes == 2 ? 126 : 127);
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((payload >> (8 * i)) & 0xff);
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  append_frame_head(out, opcode, payload.size());
  out += payload;
}

std::string close_payload(CloseCode code, std::string_view why) {
  const auto n = static_cast<unsigned>(code);
  std::string out;
  out += static_cast<char>(n >> 8);
  out += static_cast<char>(n & 0xff);
  out += cut_utf8(why, kControlMax - 2);
  return out;
}

std::size_t frame_size(std::string_view frames, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(frames[at + i]));
  };
  const std::size_t length = byte(1);
  if (length < 126) return 2 + length;
  const std::size_t bytes = length == 126 ? 2 : 8;
  std::size_t payload = 0;
  for (std::size_t i = 0; i < bytes; ++i) payload = payload << 8 | byte(2 + i);
  return 2 + bytes + payload;
}

/// Takes the bytes of the head; true when it is complete.
bool FrameReader::read_head(std::string_view& in) {
  for (;;) {
    std::size_t size = 2;
    if (head_have_ >= 2) {
      const unsigned length = head_[1] & 0x7f;
      size = 2 +
             (length == 126   ? 2u
              : length == 127 ? 8u
                              : 0u) +
             ((head_[1] & 0x80) != 0 ? 4u : 0u);
      if (head_have_ == size) return true;
    }
    if (in.empty()) return false;
    const std::size_t n = std::min(in.size(), size - head_have_);
    std::copy_n(in.begin(), n, head_.begin() + head_have_);
    head_have_ = static_cast<std::uint8_t>(head_have_ + n);
    in.remove_prefix(n);
    // What the first two bytes forbid is refused before the rest is waited for.
    if (head_have_ == 2 && ((head_[0] & 0x70) != 0 || (head_[1] & 0x80) == 0)) return true;
  }
}

FrameReader::Got FrameReader::check_head() {
  ++frames_;
  if ((head_[0] & 0x70) != 0) return refuse(CloseCode::protocol_error, "reserved_bits");
  if ((head_[1] & 0x80) == 0) return refuse(CloseCode::protocol_error, "unmasked_frame");
  const unsigned length = head_[1] & 0x7f;
  std::size_t at = 2;
  left_ = length;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    left_ = 0;
    for (std::size_t i = 0; i < bytes; ++i) left_ = left_ << 8 | head_[at + i];
    at += bytes;
    if (left_ < (bytes == 2 ? 126u : 0x10000u) || left_ >> 63 != 0) {
      return refuse(CloseCode::protocol_error, "frame_length");
    }
  }
  std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(at), 4, mask_.begin());
  masked_ = 0;
  switch (opcode()) {
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
      if (!fin() || left_ > kControlMax) {
        return refuse(CloseCode::protocol_error, "control_frame");
      }
      control_.clear();
      return Got::more;
    case Opcode::continuation:
      if (!in_message_) return refuse(CloseCode::protocol_error, "continuation");
      break;
    case Opcode::text:
    case Opcode::binary:
      if (in_message_) return refuse(CloseCode::protocol_error, "continuation");
      in_message_ = true;
      text_ = opcode() == Opcode::text;
      break;
    default:
      return refuse(CloseCode::protocol_error, "opcode");
  }
  if (left_ > message_max_ - message_.size()) return refuse(CloseCode::too_big, "message_too_big");
  return Got::more;
}

void FrameReader::read_payload(std::string_view& in) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
  std::string& to = is_control() ? control_ : message_;
  const std::size_t at = to.size();
  to.append(in.substr(0, n));  // memory follows the bytes, not the promised length
  for (std::size_t i = 0; i < n; ++i) {
    to[at + i] =
        static_cast<char>(static_cast<unsigned char>(to[at + i]) ^ mask_[(masked_ + i) & 3]);
  }
  in.remove_prefix(n);
  masked_ += n;
  left_ -= n;
}

FrameReader::Got FrameReader::end_frame() {
  head_have_ = 0;
  in_payload_ = false;
  switch (opcode()) {
    case Opcode::ping:
      return Got::ping;
    case Opcode::pong:
      return Got::pong;
    case Opcode::close: {
      if (control_.empty()) return Got::close;
      const unsigned code = control_.size() < 2 ? 0
                                                : static_cast<unsigned char>(control_[0]) * 256u +
                                                      static_cast<unsigned char>(control_[1]);
      if (!is_wire_code(code)) return refuse(CloseCode::protocol_error, "close_code");
      if (!is_utf8(std::string_view(control_).substr(2))) {
        return refuse(CloseCode::bad_text, "not_utf8");
      }
      return Got::close;
    }
    default:
      break;
  }
  if (!fin()) return Got::more;
  in_message_ = false;
  if (text_ && !is_utf8(message_)) return refuse(CloseCode::bad_text, "not_utf8");
  return Got::message;
}

FrameReader::Got FrameReader::feed(std::string_view& in) {
  if (fault_ != CloseCode::normal) return Got::bad;
  for (;;) {
    if (!in_payload_) {
      if (!read_head(in)) return Got::more;
      const Got checked = check_head();
      if (checked == Got::bad) return checked;
      in_payload_ = true;
    }
    read_payload(in);
    if (left_ > 0) return Got::more;
    const Got got = end_frame();
    if (got != Got::more) return got;
  }
}

WebSocketMessage FrameReader::take_message() {
  WebSocketMessage out;
  out.text = text_;
  out.payload = std::move(message_);
  message_ = {};
  return out;
}

void Outbox::add(Opcode opcode, std::string_view payload, std::size_t sent) {
  append_frame(bytes_, opcode, payload);
  ++frames_;
  if (sent > 0) this->sent(sent);
}

void Outbox::sent(std::size_t n) {
  sent_ += n;
  if (empty()) {
    std::string().swap(bytes_);
    sent_ = first_ = frames_ = 0;
    return;
  }
  for (std::size_t size = frame_size(bytes_, first_); first_ + size <= sent_;
       size = frame_size(bytes_, first_)) {
    first_ += size;
    --frames_;
  }
  if (first_ < kCompactAt) return;
  bytes_.erase(0, first_);
  sent_ -= first_;
  first_ = 0;
}

void Outbox::cut(std::size_t keep) {
  std::size_t end = first_;
  std::size_t frames = 0;
  while (end < bytes_.size() && end < sent_ + keep) {
    end += frame_size(bytes_, end);
    ++frames;
  }
  bytes_.resize(end);
  frames_ = frames;
  if (empty()) sent(0);
}

}  // namespace mainstay::net
