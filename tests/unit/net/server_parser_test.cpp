// The strict head reader and the chunk decoder, without a socket.
#include <gtest/gtest.h>

#include "net/chunked.h"
#include "net/request_parser.h"

namespace mainstay::net {
namespace {

struct Parsed {
  HeadFault fault = HeadFault::none;
  bool complete = false;
  RequestHead head;
  HeadFlags flags;
  std::vector<HeaderView> fields;
};

Parsed parse(const std::string& text, HeadLimits limits = {}) {
  Parsed out;
  HeadFinder finder(limits);
  const auto state = finder.feed(text);
  out.fault = finder.fault();
  if (state != HeadFinder::State::complete) return out;
  out.fault = parse_head(std::string_view(text).substr(0, finder.size()), limits, out.head,
                         out.fields, out.flags);
  out.complete = true;
  return out;
}

HeadFault fault_of(const std::string& text) {
  return parse(text).fault;
}

TEST(request_head, is_cut_into_its_parts) {
  const std::string text =
      "POST /v1/chat?model=a&x HTTP/1.1\r\nHost: me:1\r\nContent-Length: 12\r\nX-One:\t a b "
      "\r\n\r\n";
  auto parsed = parse(text);
  ASSERT_EQ(parsed.fault, HeadFault::none);
  EXPECT_EQ(parsed.head.method, "POST");
  EXPECT_EQ(parsed.head.target, "/v1/chat?model=a&x");
  EXPECT_EQ(parsed.head.path, "/v1/chat");
  EXPECT_EQ(parsed.head.query, "model=a&x");
  EXPECT_EQ(parsed.head.content_length, 12u);
  EXPECT_FALSE(parsed.head.chunked);
  EXPECT_EQ(parsed.head.header("x-one"), "a b");
  EXPECT_EQ(parsed.head.header("host"), "me:1");
  EXPECT_EQ(parsed.head.header("absent"), "");
  EXPECT_TRUE(parsed.flags.keep_alive);
}

TEST(request_head, absolute_form_gives_the_path) {
  EXPECT_EQ(parse("GET http://h.example/a/b?q=1 HTTP/1.1\r\nHost: h\r\n\r\n").head.path, "/a/b");
  EXPECT_EQ(parse("GET http://h.example HTTP/1.1\r\nHost: h\r\n\r\n").head.path, "/");
  EXPECT_EQ(parse("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n").head.query, "q");
  EXPECT_EQ(parse("GET http://h.example:1?q HTTP/1.1\r\nHost: h\r\n\r\n").head.host, "h.example:1");
  EXPECT_EQ(parse("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").head.host, "h");
  EXPECT_EQ(fault_of("GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n"), HeadFault::request_line);
  EXPECT_EQ(fault_of("GET a HTTP/1.1\r\nHost: h\r\n\r\n"), HeadFault::request_line);
  EXPECT_EQ(fault_of("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), HeadFault::none);
}

// proves security row 35 (with the same cases over a socket in server_requests_test.cpp)
TEST(request_head, whatever_two_readers_could_understand_differently_is_refused) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(fault_of(start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HeadFault::framing_twice);
  EXPECT_EQ(fault_of(start + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
            HeadFault::framing_twice);
  EXPECT_EQ(fault_of(start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"),
            HeadFault::length_twice);
  EXPECT_EQ(fault_of(start + "Content-Length: 3, 3\r\n\r\n"), HeadFault::length);
  for (const char* bad : {"", "+3", "-1", "3 4", "0x3", "3a", "9999999999999999999"})
    EXPECT_EQ(fault_of(start + "Content-Length: " + bad + "\r\n\r\n"), HeadFault::length) << bad;
  for (const char* bad :
       {"xchunked", "chunked, identity", "gzip, chunked", "identity", "", "chunked;q=1",
        "\x0b"
        "chunked"}) {
    EXPECT_NE(fault_of(start + "Transfer-Encoding: " + bad + "\r\n\r\n"), HeadFault::none) << bad;
  }
  EXPECT_EQ(fault_of(start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HeadFault::coding);
  EXPECT_EQ(fault_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HeadFault::coding);
  const std::string ours = "Origin: http://h\r\n";
  EXPECT_EQ(fault_of(start + ours + "\r\n"), HeadFault::none);
  EXPECT_EQ(fault_of(start + ours + "X: a\r\norigin: http://evil.example\r\n\r\n"),
            HeadFault::origin_twice);
  EXPECT_EQ(fault_of(start + "Origin:\r\n" + ours + "\r\n"), HeadFault::origin_twice);
  EXPECT_EQ(status_of(HeadFault::origin_twice), 400);
  EXPECT_EQ(to_error(HeadFault::origin_twice).reason, "bad_header");
  EXPECT_EQ(fault_of(start + "X: a\r\n b\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + " X: a\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + "Content-Length : 1\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + "Content-Length\t: 1\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + "no colon\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + ": empty\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of(start + std::string("X: a\0b\r\n\r\n", 10)), HeadFault::field);
  EXPECT_EQ(fault_of(start + "X: a\rb\r\n\r\n"), HeadFault::field);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\nHost: h\n\n"), HeadFault::line_end);
  EXPECT_EQ(fault_of(start + "X: a\n\r\n"), HeadFault::line_end);
  EXPECT_EQ(fault_of(start + "X: a\r\n\n"), HeadFault::line_end);
}

TEST(request_head, request_lines_must_be_exact) {
  for (const char* bad :
       {"GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1", "GET /", "GET / http/1.1",
        "G@T / HTTP/1.1", " GET / HTTP/1.1", "GET /\x80 HTTP/1.1", "GET /a#b HTTP/1.1"}) {
    EXPECT_EQ(fault_of(std::string(bad) + "\r\nHost: h\r\n\r\n"), HeadFault::request_line) << bad;
  }
  EXPECT_EQ(fault_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), HeadFault::version);
  EXPECT_EQ(fault_of("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), HeadFault::version);
}

TEST(request_head, needs_exactly_one_host_in_http_1_1) {
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nA: b\r\n\r\n"), HeadFault::host);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), HeadFault::host);
  EXPECT_EQ(fault_of("GET / HTTP/1.0\r\nA: b\r\n\r\n"), HeadFault::none);
}

TEST(request_head, connection_and_expectation_are_understood) {
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n").flags.keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").flags.keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").flags.keep_alive);
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n";
  EXPECT_TRUE(parse(post + "Expect: 100-Continue\r\n\r\n").flags.expect_continue);
  EXPECT_EQ(fault_of(post + "Expect: tea\r\n\r\n"), HeadFault::expectation);
  EXPECT_EQ(fault_of(post + "Content-Encoding: gzip\r\n\r\n"), HeadFault::encoding);
  EXPECT_EQ(fault_of(post + "Content-Encoding: identity\r\n\r\n"), HeadFault::none);
}

TEST(request_head, size_count_and_target_have_limits) {
  const std::string line = "GET / HTTP/1.1\r\n";
  for (const int extra : {-1, 0, 1}) {
    const std::string head =
        line + "Host: " + std::string(static_cast<std::size_t>(100 + extra), 'h') + "\r\n\r\n";
    HeadLimits limits;
    limits.bytes = line.size() + 6 + 100 + 4;
    EXPECT_EQ(parse(head, limits).fault, extra > 0 ? HeadFault::head_large : HeadFault::none)
        << extra;
    std::string fields = line + "Host: h\r\n";
    for (int i = 0; i < 9 + extra; ++i) fields += "X: " + std::to_string(i) + "\r\n";
    limits = {};
    limits.fields = 10;
    EXPECT_EQ(parse(fields + "\r\n", limits).fault,
              extra > 0 ? HeadFault::fields_many : HeadFault::none)
        << extra;
    limits = {};
    limits.target = 50;
    const std::string target = "/" + std::string(static_cast<std::size_t>(49 + extra), 't');
    EXPECT_EQ(parse("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", limits).fault,
              extra > 0 ? HeadFault::target_long : HeadFault::none)
        << extra;
  }
}

TEST(request_head, an_endless_line_is_refused_before_its_end) {
  HeadLimits limits;
  limits.bytes = 64;
  HeadFinder finder(limits);
  EXPECT_EQ(finder.feed(std::string(64, 'a')), HeadFinder::State::more);
  EXPECT_EQ(finder.feed(std::string(65, 'a')), HeadFinder::State::bad);
  EXPECT_EQ(finder.fault(), HeadFault::head_large);
}

struct Decoded {
  ChunkedDecoder::State state;
  std::string out;
  std::size_t used;
};
Decoded decode(std::string_view text, std::uint64_t max = 1000) {
  ChunkedDecoder decoder(max);
  Decoded result{};
  const auto step = decoder.feed(text, result.out);
  result.state = step.state;
  result.used = step.used;
  return result;
}

TEST(chunked_body, is_decoded_and_ends_at_its_end) {
  const auto result = decode("5\r\nhello\r\n1;a=b\r\n \r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\nGET");
  EXPECT_EQ(result.state, ChunkedDecoder::State::complete);
  EXPECT_EQ(result.out, "hello 0123456789");
  EXPECT_EQ(
      result.used,
      std::string_view("5\r\nhello\r\n1;a=b\r\n \r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n").size());
}

TEST(chunked_body, malformed_framing_is_refused) {
  for (const char* bad :
       {"\r\n", "g\r\n", "5 \r\nhello\r\n", " 5\r\nhello", "0x5\r\nhello", "5\nhello\r\n",
        "5\r\nhelloX", "5\r\nhello\n", "5\r\nhello\r\r", "-1\r\n", "+5\r\nhello", "5;a\nhello",
        "0\r\n\n", "0\r\nA: b\n\r\n", "0\r\n A: b\r\n\r\n"}) {
    EXPECT_EQ(decode(bad).state, ChunkedDecoder::State::bad) << bad;
  }
  EXPECT_EQ(decode("5;" + std::string(300, 'e')).state, ChunkedDecoder::State::bad);
  EXPECT_EQ(decode("0\r\nT: " + std::string(5000, 'e')).state, ChunkedDecoder::State::bad);
}

TEST(chunked_body, has_a_limit_on_decoded_bytes) {
  EXPECT_EQ(decode("3\r\nabc\r\n0\r\n\r\n", 4).state, ChunkedDecoder::State::complete);
  EXPECT_EQ(decode("4\r\nabcd\r\n0\r\n\r\n", 4).state, ChunkedDecoder::State::complete);
  EXPECT_EQ(decode("5\r\n", 4).state, ChunkedDecoder::State::too_large);
  EXPECT_EQ(decode("2\r\nab\r\n3\r\n", 4).state, ChunkedDecoder::State::too_large);
  EXPECT_EQ(decode("ffffffffffffffffffff\r\n", 4).state, ChunkedDecoder::State::too_large);
}

TEST(chunked_body, has_a_limit_on_framing) {
  std::string tiny;
  for (int i = 0; i < 5000; ++i) tiny += "1\r\na\r\n";
  EXPECT_EQ(decode(tiny, 5000).state, ChunkedDecoder::State::too_large);
  std::string zeros(9000 + 10, '0');
  EXPECT_EQ(decode(zeros, 10).state, ChunkedDecoder::State::too_large);
}

TEST(header_lines, a_value_cannot_make_a_line_of_its_own) {
  HeaderLines lines;
  lines.add("x-a", std::string("one\r\nx-evil: 1\0", 15));
  lines.add("x-n", std::int64_t{-42});
  EXPECT_EQ(lines.text(), "x-a: onex-evil: 1\r\nx-n: -42\r\n");
}

TEST(header_lines, a_line_end_is_dropped_wherever_it_stands_in_a_value_of_any_length) {
  for (std::size_t size = 1; size <= 300; ++size) {
    for (std::size_t at = 0; at < size; at += size < 30 ? 1 : 37) {
      for (const char bad : {'\r', '\n', '\0'}) {
        std::string value(size, 'v');
        value[at] = bad;
        HeaderLines lines;
        lines.add("x-a", value);
        ASSERT_EQ(lines.text(), "x-a: " + std::string(size - 1, 'v') + "\r\n") << size << " " << at;
      }
    }
    HeaderLines tab;
    tab.add("x-a", std::string(size, '\t'));
    ASSERT_EQ(tab.text(), "x-a: " + std::string(size, '\t') + "\r\n");
  }
}

TEST(field_value, is_judged_byte_by_byte_whatever_its_length) {
  for (std::size_t size = 1; size <= 25; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        for (const char around : {'v', '\t', '\xff'}) {
          std::string value(size, around);
          value[at] = static_cast<char>(byte);
          const bool fine = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
          ASSERT_EQ(is_field_value(value), fine) << size << " " << at << " " << byte;
        }
      }
    }
  }
  EXPECT_TRUE(is_field_value(""));
}

TEST(url, is_read_and_written) {
  auto url = Url::parse("HTTPS://Api.Example.com:8443/v1/?q#f");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "api.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path, "/v1");
  EXPECT_EQ(url->authority(), "api.example.com:8443");
  EXPECT_EQ(Url::parse("http://h")->path, "/");
  EXPECT_EQ(Url::parse("http://h")->port, 80);
  EXPECT_EQ(Url::parse("https://h:443/x")->authority(), "h");
  EXPECT_EQ(Url::parse("http://[::1]:9/x")->host, "::1");
  EXPECT_EQ(Url::parse("http://[::1]:9/x")->authority(), "[::1]:9");
  for (const char* bad :
       {"", "h", "ftp://h", "http://", "http://u:p@h/", "http://h:0", "http://h:65536",
        "http://h:x", "http://h:", "http://a b/", "http://[::1", "http:///x", "http://h\\x"})
    EXPECT_FALSE(Url::parse(bad).ok()) << bad;
}

}  // namespace
}  // namespace mainstay::net
