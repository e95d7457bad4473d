// The supervisor over real processes that misbehave; see supervised_child.cpp.
#include "resources/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <filesystem>

#include "resources/line_cutter.h"

namespace mainstay::resources {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool there(pid_t pid) {
  return pid > 0 && ::kill(pid, 0) == 0;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct SupervisorTest : ::testing::Test {
  asio::io_context io;
  RealClock clock;
  SeededRandom random{3};
  std::unique_ptr<Log> log;
  std::unique_ptr<Supervisor> supervisor;
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  ChildRules rules;

  SupervisorTest() {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    rules.backoff_min = milliseconds(10);
    rules.backoff_max = milliseconds(40);
    rules.heartbeat = milliseconds(200);
    rules.stuck_after = seconds(2);
    rules.start_timeout = seconds(20);
  }
  ~SupervisorTest() override {
    if (!supervisor) return;
    bool closed = false;
    asio::co_spawn(io.get_executor(), supervisor->close(),
                   [&closed](std::exception_ptr) { closed = true; });
    until([&] { return closed; });
  }
  void make(const std::string& as, std::string path = SUPERVISED_CHILD) {
    SupervisorOptions options;
    options.tick = milliseconds(20);
    options.line_max = 64;
    options.bytes_per_second = 1 << 16;
    options.on_line = [this](const std::string&, Printed which, std::string_view line) {
      if (bytes < 100'000) {
        lines.push_back((which == Printed::out ? "out " : "err ") + std::string(line));
      }
      bytes += line.size();
    };
    supervisor =
        std::make_unique<Supervisor>(std::move(options), clock, random, *log, io.get_executor());
    ChildSpec spec;
    spec.name = "one";
    spec.program = {std::move(path), {"child", as, "words"}, {"WORD=given"}};
    spec.rules = rules;
    supervisor->add(std::move(spec));
    supervisor->start();
  }
  ChildFigures one() const { return supervisor->figures().front(); }
  void until(const std::function<bool()>& condition) {
    const Deadline end = Deadline::in(clock, seconds(20));
    while (!condition()) {
      ASSERT_FALSE(end.passed(clock.now()))
          << "did not come true; " << name(one().phase) << ", " << one().last_exit;
      io.run_one_for(milliseconds(10));
    }
  }
  void runs() {
    until([&] { return one().phase == ChildPhase::running; });
  }
  bool stop(Duration within) {
    std::optional<bool> clean;
    asio::co_spawn(io.get_executor(), supervisor->stop("one", Deadline::in(clock, within)),
                   [&clean](std::exception_ptr, bool by_itself) { clean = by_itself; });
    until([&] { return clean.has_value(); });
    return clean.value_or(false);
  }
};

TEST_F(SupervisorTest, a_child_that_is_told_to_stop_goes_and_does_not_come_again) {
  make("well");
  runs();
  const pid_t pid = one().pid;
  EXPECT_EQ(one().status, "here");
  EXPECT_EQ(::getpgid(pid), pid) << "a group of its own";
  EXPECT_TRUE(stop(seconds(10)));
  EXPECT_EQ(one().phase, ChildPhase::ended);
  EXPECT_EQ(one().last_exit, "exit code 0");
  EXPECT_FALSE(there(pid)) << "no zombie either";
}

// proves fault_34
TEST_F(SupervisorTest, one_that_fails_at_each_start_is_given_up_after_five_restarts) {
  make("fails");
  until([&] { return one().phase == ChildPhase::given_up; });
  EXPECT_EQ(one().restarts, 5U);
  EXPECT_EQ(one().last_exit, "exit code 1");
  EXPECT_TRUE(one().mendable);
  supervisor->try_again();
  until([&] { return one().restarts == 10 && one().phase == ChildPhase::given_up; });
}

TEST_F(SupervisorTest, one_whose_settings_are_wrong_is_not_started_again) {
  make("misconfigured");
  until([&] { return one().phase == ChildPhase::given_up; });
  EXPECT_EQ(one().restarts, 0U);
  EXPECT_FALSE(one().mendable);
  EXPECT_EQ(one().exit_code, 78);
}

TEST_F(SupervisorTest, a_program_that_is_not_there_is_told_as_such) {
  make("", "/does/not/exist");
  until([&] { return one().phase == ChildPhase::given_up; });
  EXPECT_EQ(one().last_exit, "could not be started: No such file or directory");
}

TEST_F(SupervisorTest, one_that_aborts_is_named_by_its_signal) {
  make("aborts");
  until([&] { return one().restarts > 0; });
  EXPECT_EQ(one().last_exit, "signal 6 (Aborted)");
}

TEST_F(SupervisorTest, one_that_was_killed_from_outside_comes_again) {
  make("well");
  runs();
  const pid_t pid = one().pid;
  ::kill(pid, SIGKILL);
  until([&] { return one().restarts == 1 && one().phase == ChildPhase::running; });
  EXPECT_NE(one().pid, pid);
  EXPECT_EQ(one().last_exit, "signal 9 (Killed)");
}

// proves fault_35
TEST_F(SupervisorTest, one_that_is_stopped_by_a_signal_hangs_and_is_replaced) {
  make("well");
  runs();
  const pid_t pid = one().pid;
  ::kill(pid, SIGSTOP);
  until([&] { return one().restarts == 1 && one().phase == ChildPhase::running; });
  EXPECT_EQ(one().last_exit, "killed: no sign of life");
  EXPECT_FALSE(there(pid));
}

TEST_F(SupervisorTest, silence_after_the_start_is_a_hang) {
  make("silent");
  until([&] { return one().restarts == 1; });
  EXPECT_EQ(one().last_exit, "killed: no sign of life");
}

TEST_F(SupervisorTest, a_beating_heart_does_not_hide_a_part_that_is_stuck) {
  make("stuck");
  until([&] { return one().restarts == 1; });
  EXPECT_EQ(one().last_exit, "killed: a part of it does not answer");
}

TEST_F(SupervisorTest, one_that_never_gets_ready_is_killed) {
  rules.start_timeout = milliseconds(300);
  make("never-ready");
  until([&] { return one().restarts == 1; });
  EXPECT_EQ(one().last_exit, "killed: it did not get ready");
}

TEST_F(SupervisorTest, one_that_ignores_the_request_to_stop_is_killed_at_the_deadline) {
  make("stubborn");
  runs();
  const pid_t pid = one().pid;
  EXPECT_FALSE(stop(milliseconds(300)));
  EXPECT_EQ(one().last_exit, "killed: it did not stop in time");
  EXPECT_FALSE(there(pid));
}

TEST_F(SupervisorTest, what_a_child_started_goes_with_it) {
  make("grandchild");
  runs();
  until([&] { return !lines.empty(); });
  const pid_t grandchild = std::stoi(lines.front().substr(std::string("out grandchild ").size()));
  ASSERT_TRUE(there(grandchild));
  EXPECT_TRUE(stop(seconds(10)));
  // Its new parent waits for it; until then it is a zombie of that one, or gone.
  until([&] {
    std::error_code none;
    return !there(grandchild) ||
           std::filesystem::read_symlink("/proc/" + std::to_string(grandchild) + "/exe", none)
               .empty();
  });
}

TEST_F(SupervisorTest, what_it_prints_comes_as_lines_of_bounded_length_to_the_last_word) {
  rules.restarts_max = 0;
  make("talks");
  until([&] { return one().phase == ChildPhase::given_up; });
  EXPECT_EQ(one().last_exit, "exit code 3");
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"err err: words", "out last words", "out out: given",
                                             "out " + std::string(64, 'y')}));
}

TEST_F(SupervisorTest, one_that_floods_its_output_waits_and_costs_little) {
  rules.heartbeat = seconds(60);
  make("floods");
  runs();
  const double before = cpu_seconds();
  const TimePoint end = clock.now() + seconds(2);
  while (clock.now() < end) io.run_one_for(milliseconds(10));
  EXPECT_GT(bytes, 1000U);
  EXPECT_LT(bytes, std::size_t{1} << 20);
  EXPECT_LT(cpu_seconds() - before, 0.5);
  EXPECT_EQ(one().restarts, 0U);
}

TEST(LineCutterTest, lines_are_cut_at_their_bound_however_they_come) {
  std::vector<std::string> got;
  const auto take = [&got](std::string_view line) { got.emplace_back(line); };
  LineCutter cutter(4);
  cutter.feed("ab", take);
  cutter.feed("cd\nabc\r\n\nabcde", take);
  cutter.feed("fgh\nx", take);
  EXPECT_EQ(got, (std::vector<std::string>{"abcd", "abc", "abcd"}));
  cutter.finish(take);
  EXPECT_EQ(got.back(), "x");
}

}  // namespace
}  // namespace mainstay::resources
