// Chunked bodies after RFC 9112 section 7.1; bare line feeds and blanks in sizes are refused.
#include "net/chunked.h"

#include <algorithm>

namespace mainstay::net {
namespace {

constexpr std::uint32_t kExtensionMax = 256;
constexpr std::uint32_t kTrailerMax = 4096;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 0x20 && u != 0x7f) || u == '\t';
}

}  // namespace

ChunkedDecoder::State ChunkedDecoder::on_size(char c) {
  if (at_ == At::extension) {
    if (c == '\r') {
      at_ = At::size_lf;
      return State::more;
    }
    return is_text(c) && ++line_ <= kExtensionMax ? State::more : State::bad;
  }
  if (at_ == At::size_lf) {
    if (c != '\n') return State::bad;
    at_ = size_ == 0 ? At::trailer_start : At::data;
    return State::more;
  }
  const int digit = hex_digit(c);
  if (digit >= 0) {
    size_ = (at_ == At::size_first ? 0 : size_ * 16) + static_cast<std::uint64_t>(digit);
    at_ = At::size;
    return size_ > left_ ? State::too_large : State::more;
  }
  if (at_ == At::size_first) return State::bad;
  if (c == '\r') {
    at_ = At::size_lf;
  } else if (c == ';') {
    at_ = At::extension;
    line_ = 0;
  } else {
    return State::bad;
  }
  return State::more;
}

ChunkedDecoder::State ChunkedDecoder::on_trailer(char c) {
  switch (at_) {
    case At::trailer_start:
      if (c == '\r') {
        at_ = At::end_lf;
        return State::more;
      }
      if (c == ' ' || c == '\t' || c == ':') return State::bad;
      at_ = At::trailer;
      [[fallthrough]];
    case At::trailer:
      if (c == '\r') {
        at_ = At::trailer_lf;
        return State::more;
      }
      return is_text(c) && ++line_ <= kTrailerMax ? State::more : State::bad;
    case At::trailer_lf:
      at_ = At::trailer_start;
      return c == '\n' ? State::more : State::bad;
    default:
      at_ = At::done;
      return c == '\n' ? State::complete : State::bad;
  }
}

ChunkedDecoder::State ChunkedDecoder::on_framing(char c) {
  if (framing_left_-- == 0) return State::too_large;
  switch (at_) {
    case At::size_first:
    case At::size:
    case At::extension:
    case At::size_lf:
      return on_size(c);
    case At::data_cr:
      at_ = At::data_lf;
      return c == '\r' ? State::more : State::bad;
    case At::data_lf:
      at_ = At::size_first;
      return c == '\n' ? State::more : State::bad;
    case At::data:
    case At::done:
      return State::bad;
    default:
      return on_trailer(c);
  }
}

ChunkedDecoder::Step ChunkedDecoder::feed(std::string_view in, std::string& out) {
  std::size_t used = 0;
  while (used < in.size()) {
    if (at_ == At::data) {
      const auto n = std::min<std::uint64_t>(size_, in.size() - used);
      out.append(in.substr(used, static_cast<std::size_t>(n)));
      used += static_cast<std::size_t>(n);
      size_ -= n;
      left_ -= n;
      if (size_ == 0) {
        at_ = At::data_cr;
        line_ = 0;
      }
      continue;
    }
    const State state = on_framing(in[used++]);
    if (state != State::more) return {state, used};
  }
  return {State::more, used};
}

}  // namespace mainstay::net
