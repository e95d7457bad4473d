// The life of model hosts, one step after the other.
#include <gtest/gtest.h>

#include "models/host_state.h"

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;
using resources::Level;
using Kind = HostAction::Kind;
constexpr std::uint64_t kMiB = 1U << 20;

/// Hosts on a machine with `free` bytes, that the tests move through time.
struct World {
  explicit World(std::size_t count, std::uint64_t free = 1000 * kMiB) {
    for (std::size_t i = 0; i < count; ++i) {
      HostState host;
      host.name = "host-" + std::to_string(i);
      host.rules.memory = 100 * kMiB;
      state.hosts.push_back(host);
    }
    room.free = free;
    room.used = 0;
    room.limit = 2000 * kMiB;
  }
  std::vector<HostAction> happen(const HostEvent& event) {
    auto actions = step(state, event, now);
    for (const HostAction& action : actions) all.push_back(action);
    return actions;
  }
  void look() { happen(HostLooked{room}); }
  /// A request wants it, and it gets ready after `load`.
  void bring_up(std::size_t host, Duration load = 1s) {
    happen(HostWanted{host});
    look();
    ASSERT_EQ(at(host).phase, HostPhase::starting) << at(host).why;
    now += load;
    happen(HostConnected{host});
    happen(HostAnswered{host});
    ASSERT_EQ(at(host).phase, HostPhase::ready);
    happen(HostUnwanted{host});
  }
  void pass(Duration d) {
    now += d;
    happen(HostsTick{});
  }
  void end(std::size_t host, bool mendable = true) {
    happen(HostEnded{host, "exit code 1", mendable});
    look();
  }
  std::size_t count(Kind kind, std::size_t host) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(),
        [&](const HostAction& action) { return action.kind == kind && action.host == host; }));
  }
  HostState& at(std::size_t host) { return state.hosts[host]; }

  HostsState state;
  HostRoom room;
  TimePoint now{std::chrono::hours(1)};
  std::vector<HostAction> all;
};

// proves Z4
TEST(host_step, hundreds_of_first_requests_start_a_host_once_and_are_woken_when_it_is_ready) {
  World w(1);
  for (int i = 0; i < 300; ++i) w.happen(HostWanted{0});
  w.look();
  for (int i = 0; i < 10; ++i) w.pass(100ms);
  EXPECT_EQ(w.count(Kind::start, 0), 1u);
  EXPECT_FALSE(take_lease(w.state, 0, w.now));
  w.happen(HostConnected{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::probing);
  w.happen(HostAnswered{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  EXPECT_EQ(w.count(Kind::wake, 0), 1u);
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(take_lease(w.state, 0, w.now));
    w.happen(HostUnwanted{0});
  }
  EXPECT_EQ(w.at(0).leases, 300u);
  EXPECT_EQ(w.at(0).waiting, 0u);
}

TEST(host_step, nothing_starts_before_the_machine_was_looked_at) {
  World w(1);
  EXPECT_TRUE(w.happen(HostWanted{0}).empty());
  EXPECT_EQ(w.at(0).phase, HostPhase::waiting);
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting);
}

TEST(host_step, who_gave_up_waiting_leaves_no_start_behind) {
  World w(1);
  w.happen(HostWanted{0});
  w.happen(HostUnwanted{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::stopped);
  EXPECT_EQ(w.count(Kind::start, 0), 0u);
}

TEST(host_step, a_host_is_stopped_exactly_when_its_idle_time_is_over) {
  World w(1);
  w.at(0).rules.idle_timeout = 60s;
  w.bring_up(0);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.pass(120s);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready) << "it is in use";
  give_lease(w.state, 0, w.now);
  w.pass(60s - 1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  w.pass(1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(0).stopped_for, HostStop::idle);
  EXPECT_EQ(w.count(Kind::terminate, 0), 1u);
  w.end(0);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopped);
  EXPECT_EQ(w.at(0).failures, 0u);
}

TEST(host_step, without_an_idle_time_a_host_stays) {
  World w(1);
  w.at(0).rules.idle_timeout = 0s;
  w.bring_up(0);
  w.pass(24h);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
}

TEST(host_step, a_host_that_does_not_get_ready_is_killed_once_and_tried_again_after_a_pause) {
  World w(1);
  w.at(0).rules.start_timeout = 30s;
  w.happen(HostWanted{0});
  w.look();
  w.pass(30s - 1ms);
  EXPECT_EQ(w.count(Kind::kill, 0), 0u);
  w.pass(1ms);
  w.pass(1s);
  EXPECT_EQ(w.count(Kind::kill, 0), 1u);
  w.happen(HostAnswered{0});
  EXPECT_NE(w.at(0).phase, HostPhase::ready) << "an answer on its way out counts no more";
  w.end(0);
  EXPECT_EQ(w.at(0).phase, HostPhase::resting);
  EXPECT_EQ(w.at(0).why, "killed: it did not get ready in time");
  w.pass(1s - 1ms);
  EXPECT_EQ(w.count(Kind::start, 0), 1u);
  w.pass(1ms);
  w.look();
  EXPECT_EQ(w.count(Kind::start, 0), 2u);
}

TEST(host_step, pauses_double_up_to_their_bound) {
  World w(1);
  w.at(0).rules.restarts_max = 10;
  w.at(0).rules.restart_window = 1h;
  w.happen(HostWanted{0});
  w.look();
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    w.end(0);
    EXPECT_EQ(w.at(0).again - w.now, Duration(pause));
    w.pass(pause);
    w.look();
    ASSERT_EQ(w.at(0).phase, HostPhase::starting);
  }
}

// proves V7
// proves fault_34
TEST(host_step, five_failures_in_the_window_are_borne_and_the_sixth_degrades) {
  World w(1);
  w.happen(HostWanted{0});
  w.look();
  for (int i = 0; i < 5; ++i) {
    w.end(0);
    EXPECT_EQ(w.at(0).phase, HostPhase::resting) << i;
    w.pass(30s);
    w.look();
  }
  const auto woken = w.count(Kind::wake, 0);
  w.end(0);
  EXPECT_EQ(w.at(0).phase, HostPhase::degraded);
  EXPECT_EQ(w.count(Kind::wake, 0), woken + 1) << "who waits is told";
  EXPECT_EQ(w.at(0).failures, 6u);
  w.pass(300s - 1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::degraded);
  w.pass(1ms);
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting) << "somebody still wants it, and it has rested";
}

TEST(host_step, failures_further_apart_than_the_window_are_not_added_up) {
  World w(1);
  w.happen(HostWanted{0});
  w.look();
  for (int i = 0; i < 20; ++i) {
    w.end(0);
    EXPECT_EQ(w.at(0).phase, HostPhase::resting) << i;
    w.pass(61s);
    w.look();
  }
}

TEST(host_step, a_program_that_cannot_run_degrades_at_once_until_an_administrator_starts_it) {
  World w(1);
  w.happen(HostWanted{0});
  w.look();
  w.end(0, false);
  EXPECT_EQ(w.at(0).phase, HostPhase::degraded);
  w.happen(HostAskedStart{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting);
}

TEST(host_step, a_crash_without_anybody_waiting_brings_no_restart_until_it_is_used) {
  World w(1);
  w.bring_up(0);
  w.end(0);
  EXPECT_EQ(w.at(0).phase, HostPhase::resting);
  w.pass(10s);
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::stopped);
  w.happen(HostWanted{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting);
}

TEST(host_step, one_that_refuses_to_end_is_killed_exactly_at_its_time) {
  World w(1);
  w.at(0).rules.stop_timeout = 10s;
  w.bring_up(0);
  w.happen(HostAskedStop{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  w.pass(10s - 1ms);
  EXPECT_EQ(w.count(Kind::kill, 0), 0u);
  w.pass(1ms);
  w.pass(1s);
  EXPECT_EQ(w.count(Kind::terminate, 0), 1u);
  EXPECT_EQ(w.count(Kind::kill, 0), 1u);
}

TEST(host_step, one_that_is_asked_to_stop_while_it_is_used_ends_after_its_last_call) {
  World w(1);
  w.bring_up(0);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.happen(HostAskedStop{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  EXPECT_FALSE(take_lease(w.state, 0, w.now)) << "it takes nothing new";
  EXPECT_TRUE(give_lease(w.state, 0, w.now));
  w.happen(HostReleased{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(0).stopped_for, HostStop::asked);
}

TEST(host_step, the_least_worth_idle_host_makes_room_and_a_busy_one_never_does) {
  World w(3, 1000 * kMiB);
  w.state.budget.memory_max = 200 * kMiB;
  w.bring_up(0, 60s);  // long to load, and busy
  w.bring_up(1, 2s);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.pass(20s);
  w.happen(HostWanted{2});
  w.look();
  EXPECT_EQ(w.at(1).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(1).stopped_for, HostStop::room);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  EXPECT_EQ(w.at(2).phase, HostPhase::waiting) << "it starts when the memory is back";
  w.end(1);
  EXPECT_EQ(w.at(2).phase, HostPhase::starting);
  EXPECT_EQ(w.at(1).evictions, 1u);
}

TEST(host_step, after_an_end_nobody_else_goes_before_the_machine_was_looked_at_again) {
  World w(3, 100 * kMiB);
  w.bring_up(0);
  w.room.free = 0;
  w.happen(HostMeasured{0, 100 * kMiB, 0});
  w.happen(HostWanted{1});
  w.look();
  ASSERT_EQ(w.at(0).phase, HostPhase::stopping);
  w.happen(HostEnded{0, "", true});
  EXPECT_EQ(w.at(1).phase, HostPhase::waiting);
  w.room.free = 100 * kMiB;
  w.look();
  EXPECT_EQ(w.at(1).phase, HostPhase::starting);
}

TEST(host_step, who_waits_longer_than_the_patience_makes_a_busy_host_yield) {
  World w(2);
  w.state.budget.memory_max = 100 * kMiB;
  w.state.budget.patience = 10s;
  w.bring_up(0);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.happen(HostWanted{1});
  w.look();
  w.pass(10s - 1ms);
  EXPECT_TRUE(take_lease(w.state, 0, w.now)) << "not yet";
  w.pass(1ms);
  EXPECT_FALSE(take_lease(w.state, 0, w.now));
  EXPECT_EQ(w.at(0).phase, HostPhase::ready) << "its calls go on";
  EXPECT_FALSE(give_lease(w.state, 0, w.now));
  EXPECT_TRUE(give_lease(w.state, 0, w.now));
  w.happen(HostReleased{0});
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  w.end(0);
  EXPECT_EQ(w.at(1).phase, HostPhase::starting);
}

TEST(host_step, a_yielding_host_takes_requests_again_when_the_other_gave_up) {
  World w(2);
  w.state.budget.memory_max = 100 * kMiB;
  w.bring_up(0);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.happen(HostWanted{1});
  w.look();
  w.pass(20s);
  EXPECT_FALSE(take_lease(w.state, 0, w.now));
  w.happen(HostUnwanted{1});
  EXPECT_TRUE(take_lease(w.state, 0, w.now));
}

TEST(host_step, what_can_never_fit_is_refused_and_looked_at_again_later) {
  World w(1);
  w.state.budget.memory_max = 100 * kMiB - 1;
  w.happen(HostWanted{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::degraded);
  EXPECT_TRUE(w.at(0).too_large);
  EXPECT_EQ(w.count(Kind::wake, 0), 1u);
  EXPECT_EQ(w.at(0).failures, 0u);
  w.state.budget.memory_max = 100 * kMiB;
  w.pass(30s);
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting);
}

TEST(host_step, under_pressure_idle_hosts_go_one_after_the_other_and_none_starts) {
  World w(4);
  w.bring_up(0, 100s);
  w.bring_up(1, 1s);
  w.bring_up(2, 1s);
  ASSERT_TRUE(take_lease(w.state, 2, w.now));
  w.pass(30s);
  w.happen(HostPressed{Level::hard, Level::normal});
  EXPECT_EQ(w.at(1).phase, HostPhase::stopping) << "the quickest to load again";
  EXPECT_EQ(w.at(1).stopped_for, HostStop::memory);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  w.happen(HostWanted{3});
  w.look();
  EXPECT_EQ(w.at(3).phase, HostPhase::waiting);
  w.pass(2s - 1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  w.pass(1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  w.pass(10s);
  EXPECT_EQ(w.at(2).phase, HostPhase::ready) << "never a busy one";
  w.happen(HostPressed{Level::normal, Level::normal});
  w.look();
  EXPECT_EQ(w.at(3).phase, HostPhase::starting);
}

TEST(host_step, soft_pressure_spares_what_was_used_a_moment_ago) {
  World w(1);
  w.bring_up(0);
  w.happen(HostPressed{Level::soft, Level::normal});
  w.pass(10s - 1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  w.pass(1ms);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
}

// proves fault_15, as far as hosts go
TEST(host_step, pressure_on_gpu_memory_takes_hosts_that_hold_some_alone) {
  World w(2);
  w.room.gpus = {{0, 8000 * kMiB, 8000 * kMiB}};
  w.at(1).rules.gpu_memory = 1000 * kMiB;
  w.bring_up(0);
  w.bring_up(1);
  w.pass(60s);
  w.happen(HostPressed{Level::normal, Level::hard});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready);
  EXPECT_EQ(w.at(1).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(1).stopped_for, HostStop::gpu);
}

TEST(host_step, an_idle_host_that_grew_far_beyond_what_was_told_is_stopped) {
  World w(1);
  w.bring_up(0);
  w.happen(HostMeasured{0, 164 * kMiB, 0});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready) << "64 MiB more are borne";
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.happen(HostMeasured{0, 165 * kMiB, 0});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready) << "not while it is used";
  give_lease(w.state, 0, w.now);
  w.pass(0s);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(0).stopped_for, HostStop::grew);
}

// What it held is what the next start needs: it is not stopped for the same size again and again.
TEST(host_step, a_host_that_grew_is_taken_for_what_it_held_from_then_on) {
  World w(1);
  w.bring_up(0);
  w.happen(HostMeasured{0, 300 * kMiB, 0});
  ASSERT_EQ(w.at(0).stopped_for, HostStop::grew);
  EXPECT_EQ(w.at(0).why, "it used 300 MiB; its `memory` says 100 MiB");
  w.end(0);
  EXPECT_EQ(w.at(0).phase, HostPhase::stopped);
  EXPECT_EQ(memory_need(w.state, w.at(0)), 300 * kMiB);
  w.room.free = 299 * kMiB;
  w.happen(HostWanted{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::waiting);
  EXPECT_EQ(w.at(0).why.substr(0, 36), "no memory is free: it used 300 MiB; ") << w.at(0).why;
  w.room.free = 300 * kMiB;
  w.look();
  ASSERT_EQ(w.at(0).phase, HostPhase::starting);
  w.happen(HostAnswered{0});
  w.happen(HostUnwanted{0});
  w.happen(HostMeasured{0, 364 * kMiB, 0});
  EXPECT_EQ(w.at(0).phase, HostPhase::ready) << "it holds what it is known to hold";
  EXPECT_NE(w.at(0).why.find("300 MiB"), std::string::npos) << "and the setting is still wrong";
  EXPECT_EQ(w.count(Kind::start, 0), 2u);
}

TEST(host_step, a_run_that_stayed_smaller_lessens_what_a_host_is_taken_for) {
  World w(1);
  w.bring_up(0);
  w.happen(HostMeasured{0, 300 * kMiB, 0});
  w.end(0);
  for (const std::uint64_t held : {200U, 90U}) {
    w.bring_up(0);
    w.happen(HostMeasured{0, held * kMiB, 0});
    w.happen(HostAskedStop{0});
    w.end(0);
    EXPECT_EQ(memory_need(w.state, w.at(0)), std::max<std::uint64_t>(held, 100) * kMiB);
    EXPECT_EQ(w.at(0).why.empty(), held < 100) << w.at(0).why;
  }
}

TEST(host_step, a_host_that_grew_beyond_all_there_is_is_refused_until_an_administrator_starts_it) {
  World w(1);
  w.state.budget.memory_max = 200 * kMiB;
  w.bring_up(0);
  w.happen(HostMeasured{0, 300 * kMiB, 0});
  w.end(0);
  w.happen(HostWanted{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::degraded);
  EXPECT_TRUE(w.at(0).too_large);
  EXPECT_NE(w.at(0).why.find("it used 300 MiB; its `memory`"), std::string::npos) << w.at(0).why;
  EXPECT_EQ(w.count(Kind::start, 0), 1u);
  w.happen(HostAskedStart{0});
  w.look();
  EXPECT_EQ(w.at(0).phase, HostPhase::starting);
}

TEST(host_step, closing_ends_all_and_starts_none) {
  World w(3);
  w.bring_up(0);
  ASSERT_TRUE(take_lease(w.state, 0, w.now));
  w.happen(HostWanted{1});
  w.look();
  w.happen(HostsClose{});
  EXPECT_EQ(w.at(0).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(1).phase, HostPhase::stopping);
  EXPECT_EQ(w.at(2).phase, HostPhase::stopped);
  EXPECT_FALSE(take_lease(w.state, 0, w.now));
  w.end(0);
  w.end(1);
  w.happen(HostWanted{2});
  w.look();
  w.pass(1h);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(w.at(i).phase, HostPhase::stopped) << i;
}

}  // namespace
}  // namespace mainstay::models
