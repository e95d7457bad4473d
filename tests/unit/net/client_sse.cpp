// SseParser and LineParser: the event-stream rules, borders of pieces, bounds.
#include "net/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mainstay::net {
namespace {

struct Seen {
  std::string event;
  std::string data;
  std::string id;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> drain(SseParser& parser) {
  std::vector<Seen> seen;
  while (true) {
    auto next = parser.next();
    if (!next.ok()) {
      seen.push_back({"error", next.error().reason, ""});
      return seen;
    }
    if (!next->has_value()) return seen;
    const SseEvent& e = **next;
    seen.push_back({std::string(e.event), std::string(e.data), std::string(e.id)});
  }
}

// Feeds each piece from memory of its own, freed after use, so that a view kept too long is found.
std::vector<Seen> parse(const std::vector<std::string>& pieces, Bytes max = 1_KiB) {
  SseParser parser(max);
  std::vector<Seen> all;
  for (const auto& piece : pieces) {
    auto held = std::make_unique<std::string>(piece);
    parser.feed(*held);
    for (auto& seen : drain(parser)) all.push_back(std::move(seen));
    if (!all.empty() && all.back().event == "error") return all;
  }
  return all;
}

TEST(Sse, an_event_is_its_data_lines_joined) {
  EXPECT_EQ(parse({"data: one\ndata:two\ndata:  three\n\n"}),
            (std::vector<Seen>{{"", "one\ntwo\n three", ""}}));
}

TEST(Sse, event_name_and_id_are_kept_and_the_id_stays) {
  EXPECT_EQ(parse({"event: delta\nid: 7\ndata: a\n\ndata: b\n\n"}),
            (std::vector<Seen>{{"delta", "a", "7"}, {"", "b", "7"}}));
}

TEST(Sse, an_event_without_data_is_none) {
  EXPECT_EQ(parse({"event: lost\n\ndata: kept\n\n"}), (std::vector<Seen>{{"", "kept", ""}}));
}

TEST(Sse, an_empty_data_line_is_an_event) {
  EXPECT_EQ(parse({"data\n\n"}), (std::vector<Seen>{{"", "", ""}}));
  EXPECT_EQ(parse({"data:\ndata:\n\n"}), (std::vector<Seen>{{"", "\n", ""}}));
}

TEST(Sse, comments_retry_and_unknown_fields_are_skipped) {
  EXPECT_EQ(parse({": ping\n\nretry: 9\nfoo: bar\ndata: x\n: inside\n\n"}),
            (std::vector<Seen>{{"", "x", ""}}));
}

TEST(Sse, an_id_with_nul_is_ignored) {
  EXPECT_EQ(parse({std::string("id: 1\nid: a\0b\ndata: x\n\n", 23)}),
            (std::vector<Seen>{{"", "x", "1"}}));
}

TEST(Sse, a_byte_order_mark_counts_only_at_the_start) {
  EXPECT_EQ(parse({"\xEF\xBB\xBF"
                   "data: a\n\n"}),
            (std::vector<Seen>{{"", "a", ""}}));
  EXPECT_EQ(parse({"data: a\n\n\xEF\xBB\xBF"
                   "data: b\n\n"}),
            (std::vector<Seen>{{"", "a", ""}}));
}

TEST(Sse, line_feed_carriage_return_and_both_end_lines) {
  const std::vector<Seen> want{{"e", "a\nb", "3"}, {"", "c", "3"}};
  for (const std::string end : {"\n", "\r", "\r\n"}) {
    const std::string text = "event: e" + end + "id: 3" + end + "data: a" + end + "data: b" + end +
                             end + "data: c" + end + end;
    EXPECT_EQ(parse({text}), want) << end.size();
  }
}

TEST(Sse, the_borders_of_the_pieces_change_nothing) {
  const std::string text =
      "\xEF\xBB\xBF: hello\r\n\r\nevent: first\r\nid: 1\r\ndata: {\"a\":\"\xC3\xA9\"}\r\n\r\n"
      "data: x\rdata\rdata: y\r\r\n: c\n\ndata: long line of text\nevent: second\n\n\n\n"
      "id\ndata:z\n\nevent: none\n\ndata: last\r\n\r\n";
  const auto whole = parse({text});
  ASSERT_EQ(whole.size(), 5U);
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      ASSERT_EQ(parse({text.substr(0, i), text.substr(i, j - i), text.substr(j)}), whole)
          << i << ' ' << j;
    }
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  EXPECT_EQ(parse(bytes), whole);
}

TEST(Sse, an_event_at_its_bound_passes_and_above_it_fails) {
  for (const std::size_t size : {63U, 64U, 65U}) {
    const std::string text = "data: " + std::string(size - 6, 'x') + "\n\n";
    for (const std::size_t cut : {std::size_t{0}, std::size_t{20}, text.size() - 1}) {
      const auto seen = parse({text.substr(0, cut), text.substr(cut)}, 64_B);
      ASSERT_EQ(seen.size(), 1U);
      EXPECT_EQ(seen[0].data, size <= 64 ? std::string(size - 6, 'x') : "upstream_bad_event");
    }
  }
}

TEST(Sse, many_small_lines_of_one_event_are_bounded_together) {
  SseParser parser(64_B);
  int fed = 0;
  Result<std::optional<SseEvent>> next = std::optional<SseEvent>();
  while (next.ok() && fed < 100) {
    parser.feed("data:\n");
    next = parser.next();
    ++fed;
  }
  EXPECT_EQ(fed, 13);  // 12 lines of 5 bytes fit
  EXPECT_EQ(next.error().code, Errc::bad_upstream);
  parser.feed("data: fine\n\n");
  EXPECT_FALSE(parser.next().ok()) << "a broken stream stays broken";
}

TEST(Sse, a_line_without_end_is_bounded_while_it_arrives) {
  SseParser parser(64_B);
  parser.feed(std::string_view("data: 0123456789012345678901234567890123456789012345678901234567"));
  EXPECT_TRUE(parser.next().ok());
  parser.feed("x");
  EXPECT_FALSE(parser.next().ok());
}

TEST(Sse, pings_without_end_are_not_an_event_that_grows) {
  SseParser parser(64_B);
  for (int i = 0; i < 100; ++i) {
    parser.feed(": ping ping ping\n");
    ASSERT_TRUE(parser.next().ok());
  }
}

TEST(Sse, a_stream_cut_inside_an_event_is_unfinished) {
  for (const std::string_view cut : {"data", "data: a\n", "event: e\n", "data: a\n\ndata: b"}) {
    SseParser parser(1_KiB);
    parser.feed(cut);
    drain(parser);
    EXPECT_TRUE(parser.unfinished()) << cut;
  }
  for (const std::string_view whole : {"", "data: a\n\n", ": ping\n", "\n\n", "data: a\r\r"}) {
    SseParser parser(1_KiB);
    parser.feed(whole);
    drain(parser);
    EXPECT_FALSE(parser.unfinished()) << whole;
  }
}

std::vector<std::string> lines(const std::vector<std::string>& pieces, std::string* rest = nullptr,
                               Bytes max = 16_B) {
  LineParser parser(max);
  std::vector<std::string> all;
  for (const auto& piece : pieces) {
    parser.feed(piece);
    while (true) {
      auto next = parser.next();
      if (!next.ok()) {
        all.push_back("error " + next.error().reason);
        return all;
      }
      if (!next->has_value()) break;
      all.emplace_back(**next);
    }
  }
  if (rest != nullptr) *rest = parser.rest();
  return all;
}

TEST(Lines, are_the_same_whatever_the_pieces) {
  const std::string text = "{\"a\":1}\n{\"b\":2}\r\n\n\r\nc\nrest";
  const std::vector<std::string> want{"{\"a\":1}", "{\"b\":2}", "c"};
  for (std::size_t i = 0; i <= text.size(); ++i) {
    std::string rest;
    EXPECT_EQ(lines({text.substr(0, i), text.substr(i)}, &rest), want) << i;
    EXPECT_EQ(rest, "rest");
  }
}

TEST(Lines, are_bounded) {
  for (const std::size_t size : {15U, 16U, 17U}) {
    const std::string text(size, 'x');
    const std::vector<std::string> want{size <= 16 ? text : "error upstream_bad_event"};
    EXPECT_EQ(lines({text + "\n"}), want);
    EXPECT_EQ(lines({text + "\r\n"}), want);
    EXPECT_EQ(lines({text, "\n"}), want);
  }
}

}  // namespace
}  // namespace mainstay::net
