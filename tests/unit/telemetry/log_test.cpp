// The log: lines, escaping, bounds, and sinks that do not take lines.
#include "telemetry/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <latch>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "base/sim_clock.h"
#include "telemetry/log_line.h"

namespace mainstay {
namespace {

constexpr auto kAWhile = std::chrono::seconds(10);

class LogTest : public ::testing::Test {
 protected:
  LogTest() : clock(io) {
    std::string pattern = ::testing::TempDir() + "mainstay-log-XXXXXX";
    const int file = ::mkstemp(pattern.data());
    ::close(file);
    settings.sink = pattern;
  }
  ~LogTest() override { ::unlink(settings.sink.c_str()); }

  std::unique_ptr<Log> open() {
    auto log = Log::open(settings, clock);
    EXPECT_TRUE(log.ok());
    return std::move(*log);
  }
  std::vector<std::string> lines() {
    std::ifstream in(settings.sink);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }

  asio::io_context io;
  SimClock clock;
  LogSettings settings;
};

TEST_F(LogTest, a_line_is_one_json_object_with_time_level_event_and_fields_in_order) {
  auto log = open();
  clock.jump_wall(std::chrono::microseconds(123'456));
  const std::string owned = "text";
  log->info("http.request", {{"text", owned},
                             {"negative", -5},
                             {"big", std::uint64_t{18446744073709551615ULL}},
                             {"real", 0.25},
                             {"yes", true},
                             {"took_ms", Duration(std::chrono::microseconds(1500))}});
  log->stop(kAWhile);
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0],
            R"({"ts":"2023-11-14T22:13:20.123456Z","level":"info","event":"http.request",)"
            R"("text":"text","negative":-5,"big":18446744073709551615,"real":0.25,"yes":true,)"
            R"("took_ms":1.500})");
  EXPECT_EQ(log->written(), 1u);
  EXPECT_EQ(log->dropped(), 0u);
}

TEST_F(LogTest, the_text_form_quotes_what_is_not_one_word) {
  settings.format = "text";
  auto log = open();
  log->warn("disk.low",
            {{"path", "/a b"}, {"free", 7}, {"word", "w"}, {"none", ""}, {"eq", "a=b"}});
  log->stop(kAWhile);
  EXPECT_EQ(lines().at(0),
            "2023-11-14T22:13:20.000000Z warn disk.low path=\"/a b\" free=7 word=w "
            "none=\"\" eq=\"a=b\"");
}

TEST_F(LogTest, no_value_can_forge_a_line_or_reach_a_terminal) {
  const std::string nasty = std::string("a\n{\"level\":\"error\"}\r\x1b[2J\x7f\"\\\0b", 28) +
                            "\xc2\x9b"
                            "31m\xe2\x80\xa8\xe2\x80\xae\xff\xfeü漢😀";
  for (const char* format : {"json", "text"}) {
    settings.format = format;
    ASSERT_EQ(::truncate(settings.sink.c_str(), 0), 0);
    auto log = open();
    log->info("x.y", {{"v", nasty}, {nasty, 1}});
    log->stop(kAWhile);
    const auto all = lines();
    ASSERT_EQ(all.size(), 1u) << format;
    for (const char c : all[0]) {
      EXPECT_FALSE((c >= 0 && c < 0x20) || c == 0x7f) << format;
    }
    for (const char* hidden : {"\xc2\x9b", "\xe2\x80\xa8", "\xe2\x80\xae"}) {
      EXPECT_EQ(all[0].find(hidden), std::string::npos) << format;
    }
    EXPECT_NE(all[0].find("ü漢😀"), std::string::npos);
    if (settings.format != "json") continue;
    auto parsed = parse_json(all[0]);
    ASSERT_TRUE(parsed.ok()) << all[0];
    EXPECT_EQ((*parsed)["level"], "info");
    EXPECT_EQ((*parsed)["v"].get<std::string>().substr(0, 28), nasty.substr(0, 28));
  }
}

TEST_F(LogTest, every_byte_at_every_place_of_a_word_is_escaped_or_kept) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (std::size_t place = 0; place < 9; ++place) {
      std::string text = "abcdefghi";
      text[place] = static_cast<char>(byte);
      std::string line;
      append_log_line(line, LogFormat::json, WallTime{}, Level::info, "e", {{"v", text}});
      auto parsed = parse_json(line);
      ASSERT_TRUE(parsed.ok()) << line;
      EXPECT_EQ((*parsed)["v"], text);
      EXPECT_EQ(line.find('\x7f'), std::string::npos);
    }
  }
}

TEST_F(LogTest, texts_are_cut_at_their_limit_and_at_a_character) {
  for (const std::size_t size : {kLogTextMax - 1, kLogTextMax, kLogTextMax + 1}) {
    std::string line;
    append_log_line(line, LogFormat::json, WallTime{}, Level::info, "e",
                    {{"v", std::string(size, 'x')}});
    EXPECT_EQ(static_cast<std::size_t>(std::count(line.begin(), line.end(), 'x')),
              std::min(size, kLogTextMax));
  }
  std::string line;
  append_log_line(line, LogFormat::json, WallTime{}, Level::info, "e",
                  {{"v", std::string(kLogTextMax - 1, 'x') + "ü"}});
  EXPECT_EQ(line.find("\xc3"), std::string::npos);
}

TEST_F(LogTest, numbers_that_json_does_not_know_become_null) {
  std::string line;
  append_log_line(line, LogFormat::json, WallTime{}, Level::info, "e",
                  {{"nan", std::nan("")}, {"inf", HUGE_VAL}});
  EXPECT_NE(line.find(R"("nan":null,"inf":null)"), std::string::npos);
}

TEST_F(LogTest, lines_below_the_level_are_not_written_and_the_level_can_change) {
  settings.level = "warn";
  auto log = open();
  EXPECT_FALSE(log->wants(Level::info));
  log->info("no.one");
  log->warn("yes.one");
  log->set_level(Level::debug);
  log->debug("yes.two");
  log->set_level(Level::off);
  log->error("no.two");
  log->stop(kAWhile);
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_NE(lines()[0].find("yes.one"), std::string::npos);
  EXPECT_NE(lines()[1].find("yes.two"), std::string::npos);
}

TEST_F(LogTest, bad_settings_are_refused) {
  settings.level = "loud";
  EXPECT_FALSE(Log::open(settings, clock).ok());
  settings.level = "info";
  settings.format = "xml";
  EXPECT_FALSE(Log::open(settings, clock).ok());
  settings.format = "json";
  const std::string kept = std::exchange(settings.sink, "/nonexistent/folder/log");
  auto log = Log::open(settings, clock);
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.error().code, Errc::invalid);
  settings.sink = kept;
}

TEST_F(LogTest, the_sink_none_takes_everything_and_counts_nothing) {
  const std::string kept = std::exchange(settings.sink, "none");
  auto log = open();
  log->error("any.thing");
  log->stop(kAWhile);
  EXPECT_EQ(log->written() + log->dropped(), 0u);
  settings.sink = kept;
}

TEST_F(LogTest, after_reopen_lines_go_to_the_file_that_has_the_name_now) {
  auto log = open();
  log->info("before.rotation");
  const std::string moved = settings.sink + ".1";
  ASSERT_EQ(std::rename(settings.sink.c_str(), moved.c_str()), 0);
  ASSERT_TRUE(log->reopen().ok());
  log->info("after.rotation");
  log->stop(kAWhile);
  ASSERT_FALSE(lines().empty());
  EXPECT_NE(lines().back().find("after.rotation"), std::string::npos);
  EXPECT_EQ(log->dropped(), 0u);
  ::unlink(moved.c_str());
}

TEST_F(LogTest, a_reopen_that_fails_keeps_the_old_file_and_other_sinks_do_not_care) {
  auto log = open();
  const std::string folder = settings.sink;
  const std::string moved = folder + ".1";
  ASSERT_EQ(std::rename(folder.c_str(), moved.c_str()), 0);
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  EXPECT_FALSE(log->reopen().ok());
  log->info("still.there");
  log->stop(kAWhile);
  std::ifstream in(moved);
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_NE(line.find("still.there"), std::string::npos);
  ::rmdir(folder.c_str());
  ::unlink(moved.c_str());
  LogSettings none;
  none.sink = "none";
  EXPECT_TRUE((*Log::open(none, clock))->reopen().ok());
}

TEST_F(LogTest, lines_of_many_threads_arrive_whole) {
  settings.queue_max = 100'000;
  auto log = open();
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&log, t] {
      for (int i = 0; i < 500; ++i) log->info("many.lines", {{"thread", t}, {"i", i}});
    });
  }
  for (auto& writer : writers) writer.join();
  log->stop(kAWhile);
  EXPECT_EQ(log->written(), 2000u);
  std::map<int, int> next;
  for (const auto& line : lines()) {
    auto parsed = parse_json(line);
    ASSERT_TRUE(parsed.ok()) << line;
    EXPECT_EQ((*parsed)["i"], next[(*parsed)["thread"].get<int>()]++) << "order within a thread";
  }
}

TEST_F(LogTest, after_stop_lines_are_dropped_and_counted) {
  auto log = open();
  log->info("one.line");
  log->stop(kAWhile);
  log->info("late.line");
  EXPECT_EQ(log->written(), 1u);
  EXPECT_EQ(log->dropped(), 1u);
  log->stop(kAWhile);
}

/// A named pipe that nobody reads until the test does.
class PipeTest : public LogTest {
 protected:
  PipeTest() {
    ::unlink(settings.sink.c_str());
    EXPECT_EQ(::mkfifo(settings.sink.c_str(), 0600), 0);
    reader = ::open(settings.sink.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_GE(reader, 0);
  }
  ~PipeTest() override {
    if (reader >= 0) ::close(reader);
  }
  /// Reads until the writing end is closed.
  std::string drain() {
    ::fcntl(reader, F_SETFL, 0);
    std::string out;
    char buffer[65536];
    for (;;) {
      const auto got = ::read(reader, buffer, sizeof buffer);
      if (got <= 0) return out;
      out.append(buffer, static_cast<std::size_t>(got));
    }
  }
  int reader = -1;
};

TEST_F(PipeTest, a_pipe_nobody_reads_never_blocks_a_caller_and_drops_are_counted_and_said) {
  settings.queue_max = 64;
  auto log = open();
  const std::string filler(1000, 'f');
  constexpr int kLines = 5000;  // 5 MB: far beyond a pipe's 64 KiB and the queue
  for (int i = 0; i < kLines; ++i) log->info("full.pipe", {{"i", i}, {"filler", filler}});
  EXPECT_GT(log->dropped(), 0u);
  std::string text;
  std::thread drainer([&] { text = drain(); });
  log->stop(kAWhile);
  const auto written = log->written();
  const auto dropped = log->dropped();
  log.reset();
  drainer.join();
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')), written);
  std::istringstream in(text);
  std::uint64_t said = 0;
  std::uint64_t notices = 0;
  for (std::string line; std::getline(in, line);) {
    auto parsed = parse_json(line);
    ASSERT_TRUE(parsed.ok()) << line;
    if ((*parsed)["event"] != "log.dropped") continue;
    said += (*parsed)["count"].get<std::uint64_t>();
    ++notices;
  }
  EXPECT_EQ(said, dropped);
  EXPECT_EQ(written - notices + dropped, static_cast<std::uint64_t>(kLines));
}

TEST_F(PipeTest, a_stop_gets_through_a_pipe_that_is_never_read) {
  auto log = open();
  const std::string filler(2000, 'f');
  for (int i = 0; i < 200; ++i) log->info("full.pipe", {{"filler", filler}});
  log->stop(std::chrono::milliseconds(1));  // returns, or the test's time limit ends it
  EXPECT_EQ(log->written() + log->dropped(), 200u);
  EXPECT_GT(log->dropped(), 0u);
}

TEST_F(PipeTest, a_reader_that_goes_away_costs_lines_and_not_the_process) {
  auto log = open();
  ::close(std::exchange(reader, -1));
  log->info("broken.pipe");
  log->stop(kAWhile);
  EXPECT_EQ(log->dropped(), 1u);
}

TEST_F(PipeTest, the_queue_takes_lines_up_to_its_limit) {
  for (const std::uint32_t lines : {15u, 16u, 17u}) {
    // The writer waits some milliseconds before it takes the queue, so a burst meets it alone; a
    // slow machine may let it take a part, never more than what was written.
    settings.queue_max = 16;
    auto log = open();
    for (std::uint32_t i = 0; i < lines; ++i) log->info("burst.line");
    const auto dropped = log->dropped();
    EXPECT_LE(dropped, lines > 16 ? lines - 16 : 0u) << lines;
    log->stop(kAWhile);
  }
}

TEST(log_level, names_are_read_back) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    auto read = level_from(name(level));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, level);
  }
  EXPECT_FALSE(level_from("INFO").ok());
}

}  // namespace
}  // namespace mainstay
