// The tail of the log: what it keeps, what it finds, what it no longer has.
#include "telemetry/log_tail.h"

#include <gtest/gtest.h>

#include "base/sim_clock.h"

namespace mainstay {
namespace {

using Numbers = std::vector<std::uint64_t>;
constexpr std::uint64_t kAny = UINT64_MAX;

Numbers numbers(const LogTail::Found& found) {
  Numbers out;
  for (const auto& line : found.lines) out.push_back(line.number);
  return out;
}

std::string line_of(const std::string& level, const std::string& rest) {
  return R"({"ts":"2026-11-21T02:16:37.123456Z","level":")" + level + R"(","event":")" + rest +
         "\"}\n";
}

TEST(LogTail, gives_lines_back_as_they_were_oldest_first) {
  LogTail tail(64_KiB);
  tail.add("first\nsecond\n");
  tail.add("third\n");
  const auto found = tail.newest({}, kAny, 10);
  ASSERT_EQ(numbers(found), (Numbers{1, 2, 3}));
  EXPECT_EQ(found.lines[0].text, "first");
  EXPECT_EQ(found.lines[2].text, "third");
  EXPECT_FALSE(found.more);
  EXPECT_EQ(found.next, 4u);
}

TEST(LogTail, keeps_what_fits_and_drops_the_oldest) {
  LogTail tail(Bytes{100});
  const std::string line(12, 'x');  // 20 bytes with its two lengths
  for (int i = 0; i < 4; ++i) tail.add(line + "\n");
  EXPECT_EQ(numbers(tail.newest({}, kAny, 10)), (Numbers{1, 2, 3, 4}));
  tail.add(line + "\n");
  EXPECT_EQ(numbers(tail.newest({}, kAny, 10)), (Numbers{1, 2, 3, 4, 5})) << "exactly full";
  tail.add(line + "\n");
  EXPECT_EQ(numbers(tail.newest({}, kAny, 10)), (Numbers{2, 3, 4, 5, 6}));
  EXPECT_EQ(tail.first(), 2u);
  tail.add(std::string(42, 'y') + "\n");
  EXPECT_EQ(numbers(tail.newest({}, kAny, 10)), (Numbers{5, 6, 7})) << "half of the room is taken";
  tail.add(std::string(43, 'z') + "\n");
  EXPECT_EQ(tail.next(), 8u) << "a line longer than half the room is left out";
}

TEST(LogTail, a_line_over_the_end_of_the_block_comes_back_whole) {
  LogTail tail(Bytes{101});
  for (int i = 0; i < 200; ++i) {
    const auto extra = static_cast<std::size_t>(i % 30);
    const std::string text = "line " + std::to_string(i) + " " + std::string(extra, 'a');
    tail.add(text + "\n");
    const auto found = tail.newest({}, kAny, 1);
    ASSERT_EQ(found.lines.size(), 1u);
    ASSERT_EQ(found.lines[0].text, text);
    for (const auto& line : tail.newest({}, kAny, 50).lines) {
      ASSERT_TRUE(line.text.starts_with("line " + std::to_string(line.number - 1) + " "));
    }
  }
}

TEST(LogTail, filters_by_level_text_and_request) {
  LogTail tail(64_KiB);
  tail.add(line_of("debug", "one") + line_of("info", "Two req_7") + line_of("warn", "two") +
           line_of("error", "TWO req_77"));
  LogTail::Filter filter;
  filter.least = Level::warn;
  EXPECT_EQ(numbers(tail.newest(filter, kAny, 10)), (Numbers{3, 4}));
  filter = {};
  filter.text = "tWo";
  EXPECT_EQ(numbers(tail.newest(filter, kAny, 10)), (Numbers{2, 3, 4}));
  filter.request = "req_77";
  EXPECT_EQ(numbers(tail.newest(filter, kAny, 10)), (Numbers{4}));
  filter.least = Level::error;
  filter.request = "req_7\"";
  EXPECT_TRUE(tail.newest(filter, kAny, 10).lines.empty());
}

TEST(LogTail, pages_backwards_and_goes_on_forwards) {
  LogTail tail(64_KiB);
  for (int i = 1; i <= 7; ++i) tail.add("line\n");
  const auto newest = tail.newest({}, kAny, 3);
  EXPECT_EQ(numbers(newest), (Numbers{5, 6, 7}));
  EXPECT_TRUE(newest.more);
  const auto before = tail.newest({}, 5, 4);
  EXPECT_EQ(numbers(before), (Numbers{1, 2, 3, 4}));
  EXPECT_FALSE(before.more);
  const auto from = tail.from({}, 6, 1);
  EXPECT_EQ(numbers(from), (Numbers{6}));
  EXPECT_TRUE(from.more);
  EXPECT_EQ(from.next, 7u);
  const auto rest = tail.from({}, from.next, 5);
  EXPECT_EQ(numbers(rest), (Numbers{7}));
  EXPECT_EQ(rest.next, 8u);
  EXPECT_EQ(tail.from({}, 8, 5).next, 8u);
}

TEST(LogTail, says_how_many_lines_were_gone) {
  LogTail tail(Bytes{100});
  for (int i = 0; i < 10; ++i) tail.add(std::string(12, 'x') + "\n");
  EXPECT_EQ(tail.first(), 6u);
  const auto found = tail.from({}, 3, 10);
  EXPECT_EQ(found.lost, 3u);
  EXPECT_EQ(numbers(found), (Numbers{6, 7, 8, 9, 10}));
  EXPECT_EQ(tail.from({}, 6, 10).lost, 0u);
}

TEST(LogTail, knows_the_level_in_both_formats) {
  EXPECT_EQ(level_of_line(line_of("error", "x")), Level::error);
  EXPECT_EQ(level_of_line("2026-11-21T02:16:37.123456Z warn pressure.switch a=1"), Level::warn);
  EXPECT_EQ(level_of_line("no level here"), Level::info);
  EXPECT_EQ(level_of_line(""), Level::info);
}

TEST(LogTail, the_log_fills_it_and_a_log_without_a_sink_does_not) {
  asio::io_context io;
  SimClock clock(io);
  LogSettings settings;
  settings.sink = "/dev/null";
  auto log = Log::open(settings, clock);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ((*log)->tail(), nullptr);
  (*log)->keep_tail(Bytes{0});
  EXPECT_EQ((*log)->tail(), nullptr);
  (*log)->keep_tail(64_KiB);
  (*log)->info("thing.happened", {{"text", "a \"quote\"\nand a line"}});
  (*log)->stop(std::chrono::seconds(5));
  const auto found = (*log)->tail()->newest({}, kAny, 10);
  ASSERT_EQ(found.lines.size(), 1u);
  EXPECT_NE(found.lines[0].text.find("thing.happened"), std::string::npos);
  EXPECT_EQ((*log)->format(), "json");
  settings.sink = "none";
  auto silent = Log::open(settings, clock);
  ASSERT_TRUE(silent.ok());
  (*silent)->keep_tail(64_KiB);
  EXPECT_EQ((*silent)->tail(), nullptr);
}

}  // namespace
}  // namespace mainstay
