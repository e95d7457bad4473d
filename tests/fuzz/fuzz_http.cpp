// uses: net
// Fuzz target: request heads and chunked bodies. What the strict reader accepts, Beast's lenient
// one accepts with the same meaning; and the result does not depend on how the bytes arrive.
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/chunked.h"
#include "net/request_parser.h"

namespace {

using namespace mainstay;
using namespace mainstay::net;

void agree_with_beast(std::string_view bytes, const RequestHead& head) {
  namespace http = boost::beast::http;
  http::request_parser<http::string_body> other;
  other.header_limit(1 << 20);
  other.body_limit(boost::none);
  other.eager(false);
  boost::beast::error_code failed;
  other.put(boost::asio::buffer(bytes.data(), bytes.size()), failed);
  // Beast wants tokens in Connection and Proxy-Connection; here unknown words are passed over.
  if (failed == http::error::bad_value) return;
  CHECK(!failed || failed == http::error::need_more);
  CHECK(other.is_header_done());
  CHECK(std::string_view(other.get().method_string().data(), other.get().method_string().size()) ==
        head.method);
  CHECK(other.chunked() == head.chunked);
  const auto length = other.content_length();
  CHECK(length.has_value() == head.content_length.has_value());
  if (length.has_value()) CHECK(*length == *head.content_length);
}

void try_head(std::string_view input) {
  const HeadLimits limits{2048, 20, 256};
  HeadFinder whole(limits);
  const auto state = whole.feed(input);
  // The same bytes, a few at a time.
  HeadFinder pieces(limits);
  auto other = HeadFinder::State::more;
  for (std::size_t n = 1; n <= input.size() && other == HeadFinder::State::more; n += 3)
    other = pieces.feed(input.substr(0, n));
  if (other == HeadFinder::State::more) other = pieces.feed(input);
  CHECK(state == other);
  if (state != HeadFinder::State::complete) return;
  CHECK(whole.size() == pieces.size());
  CHECK(whole.size() <= limits.bytes);
  RequestHead head;
  HeadFlags flags;
  std::vector<HeaderView> fields;
  const auto bytes = input.substr(0, whole.size());
  if (parse_head(bytes, limits, head, fields, flags) != HeadFault::none) return;
  CHECK(!(head.chunked && head.content_length));
  CHECK(fields.size() <= limits.fields);
  for (const auto& field : fields) {
    CHECK(field.name.find_first_of(" \t\r\n:") == std::string_view::npos);
    CHECK(field.value.find_first_of("\r\n") == std::string_view::npos);
  }
  agree_with_beast(bytes, head);
}

void try_chunked(std::string_view input) {
  constexpr std::uint64_t kMax = 300;
  ChunkedDecoder whole(kMax);
  std::string out;
  const auto step = whole.feed(input, out);
  CHECK(out.size() <= kMax);
  CHECK(step.used <= input.size());
  ChunkedDecoder slow(kMax);
  std::string other;
  std::size_t used = 0;
  auto state = ChunkedDecoder::State::more;
  while (used < input.size() && state == ChunkedDecoder::State::more) {
    const auto one = slow.feed(input.substr(used, 1), other);
    used += one.used;
    state = one.state;
  }
  CHECK(state == step.state && out == other && used == step.used);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try_head(input);
  try_chunked(input);
  return 0;
}
