// Events of the Wyoming protocol as its description gives them, and what is none.
#include <gtest/gtest.h>

#include "net/wyoming_frames.h"

namespace mainstay::net {
namespace {

std::vector<WyomingEvent> events_of(std::string_view bytes, std::size_t step,
                                    WyomingLimits limits = {}) {
  WyomingParser parser(limits);
  std::vector<WyomingEvent> out;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    for (;;) {
      auto event = parser.next(piece);
      EXPECT_TRUE(event.ok()) << (event.ok() ? "" : event.error().detail);
      if (!event.ok() || !event->has_value()) break;
      out.push_back(std::move(**event));
    }
    EXPECT_TRUE(piece.empty());
  }
  EXPECT_FALSE(parser.unfinished());
  return out;
}

/// Why the bytes are refused; empty when they are not.
std::string refusal(std::string_view bytes, WyomingLimits limits = {}) {
  WyomingParser parser(limits);
  for (;;) {
    auto event = parser.next(bytes);
    if (!event.ok()) return event.error().detail;
    if (!event->has_value()) return {};
  }
}

/// What a client of speech to text sends, as the protocol's description shows it.
const std::string kExchange =
    "{\"type\":\"transcribe\",\"data\":{\"language\":\"en\"}}\n"
    "{\"type\":\"audio-start\",\"version\":\"1.5.4\",\"data_length\":40}\n"
    "{\"rate\":16000,\"width\":2,\"channels\":1   }"
    "{\"type\":\"audio-chunk\",\"data\":{\"rate\":16000,\"width\":2,\"channels\":1},"
    "\"data_length\":16,\"payload_length\":4}\n{\"timestamp\": 7}\x01\x02\n\x04"
    "{\"type\":\"audio-stop\"}\r\n\n";

TEST(wyoming_frames, an_exchange_is_read_the_same_in_pieces_of_any_size) {
  const auto whole = events_of(kExchange, kExchange.size());
  ASSERT_EQ(whole.size(), 4u);
  EXPECT_EQ(whole[0].type, "transcribe");
  EXPECT_EQ(whole[0].data["language"], "en");
  EXPECT_EQ(whole[1].data["rate"], 16000);
  EXPECT_EQ(whole[2].type, "audio-chunk");
  EXPECT_EQ(whole[2].data["timestamp"], 7) << "both places of data count";
  EXPECT_EQ(whole[2].data["width"], 2);
  EXPECT_EQ(whole[2].payload, std::string("\x01\x02\n\x04", 4));
  EXPECT_EQ(whole[3].type, "audio-stop");
  EXPECT_TRUE(whole[3].data.empty());
  for (const std::size_t step : {1U, 2U, 3U, 7U, 50U}) {
    EXPECT_EQ(events_of(kExchange, step), whole) << step;
  }
}

TEST(wyoming_frames, what_is_written_is_read_back) {
  WyomingEvent event;
  event.type = "audio-chunk";
  event.data = Json{{"rate", 22050}, {"text", "naïve \n line"}};
  event.payload = std::string("\0\x01{}\n", 5);
  const std::string bytes = wyoming_bytes(event);
  EXPECT_EQ(events_of(bytes + bytes, 3), (std::vector<WyomingEvent>{event, event}));
  EXPECT_EQ(wyoming_head("ping", Json(), 0).find('\n'), wyoming_head("ping", Json(), 0).size() - 1)
      << "an event without data is one line";
}

TEST(wyoming_frames, the_second_place_of_data_wins_over_the_first) {
  const auto events =
      events_of("{\"type\":\"t\",\"data\":{\"a\":1,\"b\":1},\"data_length\":7}\n{\"b\":2}", 4);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, (Json{{"a", 1}, {"b", 2}}));
}

TEST(wyoming_frames, a_cut_event_is_unfinished) {
  WyomingParser parser;
  EXPECT_FALSE(parser.unfinished());
  std::string_view piece = "{\"type\":\"t\",\"payload_length\":2}\nx";
  auto event = parser.next(piece);
  ASSERT_TRUE(event.ok());
  EXPECT_FALSE(event->has_value());
  EXPECT_TRUE(parser.unfinished());
}

TEST(wyoming_frames, what_is_no_event_is_refused_with_the_reason) {
  EXPECT_NE(refusal("hello\n"), "");
  EXPECT_NE(refusal("[1,2]\n"), "");
  EXPECT_NE(refusal("{\"type\":5}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"\"}\n"), "");
  EXPECT_NE(refusal("{\"data\":{}}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"data\":[]}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"payload_length\":-1}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"payload_length\":1.5}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"payload_length\":\"4\"}\n"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"data_length\":4}\nnull"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"data_length\":4}\n{{{{"), "");
  EXPECT_NE(refusal("{\"type\":\"t\",\"data\":" + std::string(80, '[') + "\n"), "");
  EXPECT_EQ(refusal("{\"type\":\"t\",\"data\":null,\"payload_length\":null}\n"), "");
}

TEST(wyoming_frames, after_a_refusal_nothing_is_read_any_more) {
  WyomingParser parser;
  std::string_view bad = "nonsense\n{\"type\":\"ping\"}\n";
  EXPECT_FALSE(parser.next(bad).ok());
  std::string_view good = "{\"type\":\"ping\"}\n";
  EXPECT_FALSE(parser.next(good).ok());
}

TEST(wyoming_frames, each_limit_holds_to_the_byte) {
  WyomingLimits limits;
  limits.line_max = 40;
  limits.data_max = 10;
  limits.payload_max = 5;
  const std::string short_line = "{\"type\":\"t\"}";
  for (const std::size_t size : {39U, 40U}) {
    EXPECT_EQ(refusal(short_line + std::string(size - short_line.size(), ' ') + "\n", limits), "");
  }
  EXPECT_NE(refusal(short_line + std::string(41 - short_line.size(), ' ') + "\n", limits), "");
  EXPECT_NE(refusal(std::string(41, ' '), limits), "") << "without waiting for its end";
  for (const int size : {4, 5, 6}) {
    const std::string line = "{\"type\":\"t\",\"payload_length\":" + std::to_string(size) + "}\n";
    EXPECT_EQ(refusal(line, limits).empty(), size <= 5) << size;
  }
  for (const int size : {9, 10, 11}) {
    const std::string line = "{\"type\":\"t\",\"data_length\":" + std::to_string(size) + "}\n";
    EXPECT_EQ(refusal(line, limits).empty(), size <= 10) << size;
  }
}

TEST(wyoming_frames, a_layout_of_audio_is_taken_within_its_bounds_alone) {
  const auto layout = [](std::int64_t rate, std::int64_t width, std::int64_t channels) {
    return wyoming_audio(Json{{"rate", rate}, {"width", width}, {"channels", channels}}).ok();
  };
  EXPECT_TRUE(layout(1'000, 1, 1));
  EXPECT_TRUE(layout(384'000, 4, 8));
  EXPECT_FALSE(layout(999, 2, 1));
  EXPECT_FALSE(layout(384'001, 2, 1));
  EXPECT_FALSE(layout(16'000, 0, 1));
  EXPECT_FALSE(layout(16'000, 5, 1));
  EXPECT_FALSE(layout(16'000, 2, 0));
  EXPECT_FALSE(layout(16'000, 2, 9));
  EXPECT_FALSE(layout(-1, 2, 1));
  EXPECT_FALSE(wyoming_audio(Json{{"rate", "16000"}}).ok());
  EXPECT_EQ(*wyoming_audio(wyoming_audio_data({22'050, 2, 1})), (WyomingAudio{22'050, 2, 1}));
}

}  // namespace
}  // namespace mainstay::net
