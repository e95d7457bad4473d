// The strict multipart reader: what it reads, whatever the pieces, and what it refuses.
#include "api/multipart.h"

#include <gtest/gtest.h>

#include <vector>

namespace mainstay::api {
namespace {

using Event = Multipart::Event;

struct Part {
  PartHead head;
  std::string content;
};

/// The parts of a body fed in pieces of `step` bytes; `fault` says why it was refused.
struct Read {
  std::vector<Part> parts;
  std::string fault;
  bool ended = false;
};
Read read(const std::string& body, std::size_t step = 100'000, const std::string& boundary = "b") {
  Read out;
  Multipart reader(boundary);
  std::size_t at = 0;
  for (;;) {
    auto event = reader.next();
    if (!event.ok()) {
      out.fault = event.error().message;
      return out;
    }
    if (*event == Event::part) out.parts.push_back({reader.head(), ""});
    if (*event == Event::data) out.parts.back().content += reader.data();
    if (*event != Event::more && *event != Event::end) continue;
    out.ended = *event == Event::end;
    if (at >= body.size()) return out;
    reader.feed_all(body.substr(at, step));
    at += step;
  }
}

std::string part(const std::string& head, const std::string& content) {
  return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n";
}
std::string field(const std::string& name, const std::string& value) {
  return part("Content-Disposition: form-data; name=\"" + name + "\"", value);
}

TEST(Multipart, parts_are_read_whatever_the_size_of_the_pieces) {
  const std::string content = "x\r\n--\r\n--c\r\n-\n--b\n" + std::string("\0\xff\r", 3);
  const std::string body =
      field("purpose", "batch") +
      part(
          "content-DISPOSITION: form-data; name=\"file\"; filename=\"a; \\\"b\\\".txt\"\r\n"
          "Content-Type: text/plain",
          content) +
      field("empty", "") + "--b--\r\n";
  for (std::size_t step = 1; step <= body.size(); step += step < 40 ? 1 : 37) {
    const Read got = read(body, step);
    ASSERT_EQ(got.fault, "") << step;
    EXPECT_TRUE(got.ended);
    ASSERT_EQ(got.parts.size(), 3U) << step;
    EXPECT_EQ(got.parts[0].head.name, "purpose");
    EXPECT_FALSE(got.parts[0].head.is_file);
    EXPECT_EQ(got.parts[0].content, "batch");
    EXPECT_EQ(got.parts[1].head.file_name, "a; \"b\".txt");
    EXPECT_TRUE(got.parts[1].head.is_file);
    EXPECT_EQ(got.parts[1].head.content_type, "text/plain");
    EXPECT_EQ(got.parts[1].content, content);
    EXPECT_EQ(got.parts[2].content, "");
  }
}

TEST(Multipart, a_body_without_its_last_boundary_has_not_ended) {
  for (const std::string& cut : {std::string(), std::string("--b"), field("a", "x"),
                                 field("a", "x") + "--b-", field("a", "x") + "--b"}) {
    const Read got = read(cut);
    EXPECT_EQ(got.fault, "") << cut;
    EXPECT_FALSE(got.ended) << cut;
  }
  EXPECT_TRUE(read(field("a", "x") + "--b--").ended);
}

TEST(Multipart, what_is_not_as_clients_send_it_is_refused) {
  const std::string end = "--b--";
  for (const std::string& bad :
       {"preamble\r\n" + field("a", "x") + end, "\r\n" + field("a", "x") + end,
        field("a", "x") + "--bX\r\n" + end, field("a", "x") + end + "\r\nmore",
        part("Content-Type: text/plain", "x") + end,
        part("Content-Disposition: attachment; name=\"a\"", "x") + end,
        part("Content-Disposition: form-data", "x") + end,
        part("Content-Disposition: form-data; name=\"a", "x") + end,
        part("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "x") + end,
        part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; "
             "name=\"b\"",
             "x") +
            end,
        part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
             "x") +
            end,
        part("no colon", "x") + end}) {
    EXPECT_NE(read(bad).fault, "") << bad;
    EXPECT_NE(read(bad, 1).fault, "") << bad;
  }
}

TEST(Multipart, a_parts_head_and_the_number_of_parts_are_bounded) {
  const auto sized = [](std::size_t n) {
    return "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nX: " + std::string(n, 'x');
  };
  EXPECT_EQ(read(sized(7000) + "\r\n\r\n\r\n--b--").fault, "");
  EXPECT_NE(read(sized(9000)).fault, "");
  std::string many;
  for (int i = 0; i < 32; ++i) many += field("a", "x");
  EXPECT_EQ(read(many + "--b--").fault, "");
  EXPECT_NE(read(many + field("a", "x") + "--b--").fault, "");
}

TEST(Multipart, memory_does_not_grow_with_a_part) {
  Multipart reader("b");
  reader.feed("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n");
  ASSERT_EQ(*reader.next(), Event::part);
  for (int i = 0; i < 100; ++i) {
    reader.feed(std::string(10'000, 'x'));
    while (*reader.next() == Event::data) {
    }
    EXPECT_LT(reader.held(), 100U);
  }
}

TEST(Multipart, a_content_type_names_one_usable_boundary) {
  EXPECT_EQ(*boundary_of("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(*boundary_of("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), "a b");
  EXPECT_EQ(*boundary_of("multipart/form-data; boundary=" + std::string(70, 'b')),
            std::string(70, 'b'));
  for (const std::string& bad :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        "multipart/form-data; boundary=" + std::string(71, 'b'),
        std::string("multipart/form-data; boundary=a; boundary=b"),
        std::string("multipart/form-data; boundary=\"a\rb\"")}) {
    EXPECT_FALSE(boundary_of(bad).ok()) << bad;
  }
  EXPECT_EQ(boundary_of("application/json").error().code, Errc::unsupported);
}

TEST(Multipart, a_file_name_is_shown_without_its_path) {
  EXPECT_EQ(shown_file_name("a.txt"), "a.txt");
  EXPECT_EQ(shown_file_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(shown_file_name("C:\\x\\y.txt"), "y.txt");
  EXPECT_EQ(shown_file_name("a\r\nb"), "ab");
  EXPECT_EQ(shown_file_name(""), "file");
  EXPECT_EQ(shown_file_name(".."), "file");
  EXPECT_EQ(shown_file_name("\xff"), "file");
  EXPECT_EQ(shown_file_name(std::string(300, 'x')).size(), 255U);
}

}  // namespace
}  // namespace mainstay::api
