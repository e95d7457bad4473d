// Reload over scripted steps, on a simulated clock.
#include "app/reload.h"

#include <gtest/gtest.h>
#include <atomic>
#include <future>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <thread>

#include "app/tasks.h"
#include "unit/base/support.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

config::Loaded loaded_with(std::uint32_t burst, const std::string& listen = "127.0.0.1:1") {
  config::Loaded out;
  out.settings.limits.user.burst = burst;
  out.settings.server.listen = listen;
  return out;
}

LogSettings silent() {
  LogSettings settings;
  settings.sink = "none";
  settings.level = "off";
  return settings;
}

struct ReloadTest : SimTest {
  ReloadTest() {
    ReloadSteps steps;
    steps.load = [this]() -> Result<config::Loaded> {
      ++loads;
      if (before_load) before_load();
      if (load_error) return *load_error;
      return next;
    };
    steps.build = [this](config::Loaded loaded, std::uint64_t) -> Result<ReloadSteps::Built> {
      ++builds;
      if (build_error) return *build_error;
      ReloadSteps::Built built;
      built.what = std::make_shared<const std::uint32_t>(loaded.settings.limits.user.burst);
      built.new_models = new_models;
      return built;
    };
    steps.probe = [this](ReloadSteps::Built, Deadline) { return probe(); };
    steps.swap = [this](const ReloadSteps::Built& built, const Settings&) {
      in_force = *std::static_pointer_cast<const std::uint32_t>(built.what);
      order += "swap ";
    };
    steps.renew = [this]() -> Status {
      ++renewals;
      return done();
    };
    steps.told = [this](Origin origin, const Result<api::ReloadReport>& outcome) {
      told += std::string(name(origin)) + (outcome.ok() ? "+ " : "- ");
    };
    reload.emplace(std::move(steps), loaded_with(5), clock, *log, metrics, pool);
    asio::co_spawn(io.get_executor(), reload->run(),
                   asio::bind_cancellation_slot(end.slot(), [](std::exception_ptr) {}));
  }
  ~ReloadTest() override {
    end.emit(asio::cancellation_type::terminal);
    pool.stop();
    clock.advance(0s);
    log->stop(1s);
  }

  Co<std::vector<std::string>> probe() {
    order += "probe ";
    std::vector<std::string> out{"slow-provider"};
    co_return out;
  }
  Result<api::ReloadReport> ask(Origin origin = Origin::api) {
    Outcome<Result<api::ReloadReport>> out;
    start(io, reload->ask(origin, Deadline::in(clock, 60s)), out);
    while (!out.done) {
      clock.advance(0s);
      std::this_thread::yield();
    }
    return *out.value;
  }

  asio::cancellation_signal end;
  config::Loaded next = loaded_with(5);
  std::function<void()> before_load;
  std::optional<Error> load_error;
  std::optional<Error> build_error;
  bool new_models = false;
  std::atomic<int> loads = 0;
  std::atomic<int> builds = 0;
  std::atomic<int> renewals = 0;
  std::uint32_t in_force = 5;
  std::string order;
  std::string told;
  std::unique_ptr<Log> log = std::move(*Log::open(silent(), clock));
  Metrics metrics;
  OffloadPool pool{"test", 1, 16};
  std::optional<Reload> reload;
};

TEST_F(ReloadTest, a_changed_configuration_comes_into_force_and_says_what_changed) {
  next = loaded_with(6);
  auto report = ask();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->changed, std::vector<std::string>{"limits.user.burst"});
  EXPECT_EQ(report->version, 2u);
  EXPECT_EQ(in_force, 6u);
  EXPECT_EQ(reload->loaded()->settings.limits.user.burst, 6u);
  EXPECT_EQ(told, "") << "who asked over the API was answered there";
}

TEST_F(ReloadTest, an_unchanged_configuration_builds_nothing) {
  auto report = ask();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->changed.empty());
  EXPECT_EQ(report->version, 1u);
  EXPECT_EQ(builds, 0);
  EXPECT_EQ(renewals, 1) << "files beside it may have changed";
  EXPECT_EQ(reload->figures().reloads, 1u);
}

// proves V2; fault row 39: bad configuration on reload
TEST_F(ReloadTest, fault_39_a_refused_configuration_leaves_the_old_one_in_force) {
  load_error = Error::say(Errc::invalid, "invalid_config", "mainstay.toml:3: limits is wrong");
  auto report = ask(Origin::signal);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Errc::unprocessable);
  EXPECT_EQ(report.error().reason, "invalid_config");
  EXPECT_NE(report.error().message.find("mainstay.toml:3: limits is wrong"), std::string::npos);
  EXPECT_EQ(in_force, 5u);
  EXPECT_EQ(renewals, 0);
  EXPECT_EQ(told, "signal- ");
  const auto figures = reload->figures();
  EXPECT_FALSE(figures.last_succeeded);
  EXPECT_EQ(figures.failures, 1u);
  EXPECT_EQ(figures.version, 1u);
  EXPECT_NE(metrics.text().find("mainstay_config_reload_success 0"), std::string::npos);

  load_error.reset();
  next = loaded_with(7);
  ASSERT_TRUE(ask(Origin::signal).ok());
  EXPECT_EQ(in_force, 7u);
  EXPECT_TRUE(reload->figures().last_succeeded);
  EXPECT_EQ(reload->figures().last_error, "");
  EXPECT_NE(metrics.text().find("mainstay_config_reload_success 1"), std::string::npos);
}

TEST_F(ReloadTest, what_cannot_be_built_is_refused_as_a_whole) {
  next = loaded_with(6);
  build_error = Error::say(Errc::invalid, "invalid_config", "that address is none");
  EXPECT_FALSE(ask().ok());
  EXPECT_EQ(in_force, 5u);
  EXPECT_EQ(reload->loaded()->settings.limits.user.burst, 5u);
}

TEST_F(ReloadTest, new_models_are_probed_before_they_take_over) {
  next = loaded_with(6);
  new_models = true;
  auto report = ask();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(order, "probe swap ");
  EXPECT_TRUE(report->models_rebuilt);
  EXPECT_EQ(report->unreachable, std::vector<std::string>{"slow-provider"});
}

TEST_F(ReloadTest, what_needs_a_restart_is_named_each_time_and_stays_as_it_was) {
  next = loaded_with(5, "127.0.0.1:2");
  for (int i = 0; i < 2; ++i) {
    auto report = ask();
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->changed.empty());
    EXPECT_EQ(report->restart, std::vector<std::string>{"server.listen"});
  }
  EXPECT_EQ(reload->loaded()->settings.server.listen, "127.0.0.1:1");
  EXPECT_EQ(reload->figures().waits_for_restart, std::vector<std::string>{"server.listen"});
  next = loaded_with(5);
  ASSERT_TRUE(ask().ok());
  EXPECT_TRUE(reload->figures().waits_for_restart.empty()) << "taken back";
}

TEST_F(ReloadTest, the_configuration_is_read_again_when_it_is_old) {
  next = loaded_with(6);
  // A second at a time, each after the pool has done what was asked of it: work that waits there
  // has a deadline on the same clock.
  while (reload->figures().reloads == 0) {
    clock.advance(1s);
    std::promise<void> idle;
    ASSERT_TRUE(pool.submit([&idle] { idle.set_value(); }));
    idle.get_future().wait();
    clock.advance(0s);
  }
  EXPECT_EQ(in_force, 6u);
  EXPECT_EQ(told, "age+ ");
}

TEST_F(ReloadTest, those_who_ask_at_once_share_one_reading) {
  next = loaded_with(6);
  std::vector<Outcome<Result<api::ReloadReport>>> out(50);
  for (auto& one : out) start(io, reload->ask(Origin::api, Deadline::in(clock, 60s)), one);
  const auto all = [&] {
    return std::all_of(out.begin(), out.end(), [](const auto& one) { return one.done; });
  };
  while (!all()) {
    clock.advance(0s);
    std::this_thread::yield();
  }
  for (const auto& one : out) EXPECT_TRUE(one.value->ok());
  EXPECT_LE(loads, 2);
  EXPECT_EQ(builds, 1);
}

TEST_F(ReloadTest, a_configuration_on_a_disk_that_hangs_holds_one_thread_and_no_more) {
  std::promise<void> disk;
  std::shared_future<void> hangs = disk.get_future().share();
  before_load = [hangs] { hangs.wait(); };
  Outcome<Result<api::ReloadReport>> first;
  start(io, reload->ask(Origin::api, Deadline::in(clock, 600s)), first);
  while (loads == 0) {
    clock.advance(0s);
    std::this_thread::yield();
  }
  while (!first.done) clock.advance(1s);  // given up
  EXPECT_FALSE(first.value->ok());
  for (int i = 0; i < 5; ++i) {
    const auto again = ask();
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().reason, "reload_busy");
  }
  for (int i = 0; i < 600; ++i) clock.advance(1s);  // looks at the file are due meanwhile
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(pool.waiting(), 0u);
  next = loaded_with(7);  // before the reading that hangs goes on: it looks there too
  disk.set_value();
  while (!ask().ok()) std::this_thread::yield();
  EXPECT_EQ(in_force, 7u);
}

struct TasksTest : SimTest {
  Tasks tasks{clock};
};

TEST_F(TasksTest, an_ended_task_tells_how_it_ended_and_the_list_is_bounded) {
  tasks.keep(2);
  const auto first = tasks.begin("first", Cancellable::yes);
  const auto second = tasks.begin("second", Cancellable::no);
  const auto third = tasks.begin("third", Cancellable::yes);
  EXPECT_EQ(tasks.cancel(second).error().reason, "task_not_cancellable");
  EXPECT_TRUE(tasks.cancel(third).ok());
  tasks.ended(first, "");
  tasks.ended(second, "threw");
  tasks.ended(third, "");
  EXPECT_EQ(tasks.cancel(third).error().reason, "unknown_task");
  const auto list = tasks.list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name + " " + list[0].state, "third cancelled");
  EXPECT_EQ(list[1].name + " " + list[1].state, "second failed");
  EXPECT_EQ(list[1].why, "threw");
}

}  // namespace
}  // namespace mainstay::app
