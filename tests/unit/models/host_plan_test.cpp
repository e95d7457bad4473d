// Where a host fits, and who goes for it.
#include <gtest/gtest.h>

#include "models/host_probe.h"
#include "models/host_program.h"
#include "models/host_state.h"

namespace mainstay::models {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t kMiB = 1U << 20;
constexpr TimePoint kNow{std::chrono::hours(1)};

HostState host(std::uint64_t memory, std::uint64_t gpu = 0) {
  HostState out;
  out.rules.memory = memory * kMiB;
  out.rules.gpu_memory = gpu * kMiB;
  return out;
}

HostState ready(std::uint64_t memory, Duration idle, Duration load) {
  HostState out = host(memory);
  out.phase = HostPhase::ready;
  out.memory = memory * kMiB;
  out.last_used = kNow - idle;
  out.load_time = load;
  return out;
}

HostsState machine(std::uint64_t free, std::vector<HostState> hosts) {
  HostsState out;
  out.room.free = free * kMiB;
  out.room.limit = 100'000 * kMiB;
  out.hosts = std::move(hosts);
  return out;
}

TEST(host_plan, a_host_fits_exactly_into_what_is_free_less_the_spare) {
  HostsState state = machine(99, {host(80)});
  state.budget.memory_spare = 20 * kMiB;
  EXPECT_FALSE(plan_host(state, 0, false, kNow).fits);
  state.room.free = 100 * kMiB;
  EXPECT_TRUE(plan_host(state, 0, false, kNow).fits);
  state.room.free = 101 * kMiB;
  EXPECT_TRUE(plan_host(state, 0, false, kNow).fits);
}

TEST(host_plan, the_budget_of_all_hosts_counts_whatever_the_machine_has) {
  HostsState state = machine(10'000, {host(80), ready(20, 0s, 1s)});
  state.hosts[1].leases = 1;
  for (const std::uint64_t most : {99U, 100U, 101U}) {
    state.budget.memory_max = most * kMiB;
    EXPECT_EQ(plan_host(state, 0, false, kNow).fits, most >= 100) << most;
  }
}

TEST(host_plan, memory_promised_to_a_host_that_still_loads_is_not_given_twice) {
  HostsState state = machine(100, {host(60), host(60)});
  EXPECT_TRUE(plan_host(state, 0, false, kNow).fits);
  state.hosts[1].phase = HostPhase::starting;
  EXPECT_FALSE(plan_host(state, 0, false, kNow).fits);
  state.hosts[1].memory = 50 * kMiB;  // of its 60; they are missing from what is free
  state.room.free = 70 * kMiB;
  EXPECT_TRUE(plan_host(state, 0, false, kNow).fits);
}

TEST(host_plan, without_a_figure_of_the_machine_anything_fits) {
  HostsState state = machine(0, {host(60)});
  state.room.free.reset();
  state.room.limit = 0;
  EXPECT_TRUE(plan_host(state, 0, false, kNow).fits);
}

TEST(host_plan, victims_are_those_of_least_worth_by_idle_time_and_load_time) {
  // 1: idle long but slow to load; 2: idle a little less, quick to load; 3: just used.
  HostsState state =
      machine(0, {host(50), ready(50, 600s, 300s), ready(50, 300s, 2s), ready(50, 1s, 2s)});
  EXPECT_LT(worth(state.hosts[2], kNow), worth(state.hosts[3], kNow));
  EXPECT_LT(worth(state.hosts[1], kNow), worth(state.hosts[3], kNow));
  EXPECT_EQ(plan_host(state, 0, false, kNow).victims, (std::vector<std::size_t>{2}));
  state.hosts[0].rules.memory = 100 * kMiB;
  EXPECT_EQ(plan_host(state, 0, false, kNow).victims, (std::vector<std::size_t>{2, 1}));
}

TEST(host_plan, a_victim_that_a_larger_one_made_needless_is_spared) {
  HostsState state = machine(0, {host(80), ready(10, 900s, 1s), ready(100, 300s, 1s)});
  EXPECT_EQ(plan_host(state, 0, false, kNow).victims, (std::vector<std::size_t>{2}));
}

TEST(host_plan, nobody_goes_when_it_would_not_help) {
  HostsState state = machine(0, {host(80), ready(10, 900s, 1s)});
  EXPECT_TRUE(plan_host(state, 0, false, kNow).victims.empty());
  EXPECT_FALSE(plan_host(state, 0, false, kNow).fits);
}

TEST(host_plan, busy_ones_are_asked_to_yield_only_when_said_and_after_all_idle_ones) {
  HostsState state = machine(0, {host(80), ready(60, 900s, 1s), ready(60, 0s, 1s)});
  state.hosts[2].leases = 3;
  EXPECT_TRUE(plan_host(state, 0, false, kNow).victims.empty());
  EXPECT_EQ(plan_host(state, 0, true, kNow).victims, (std::vector<std::size_t>{1, 2}));
}

TEST(host_plan, those_on_their_way_out_are_waited_for_before_others_go) {
  HostsState state = machine(0, {host(80), ready(80, 0s, 1s), ready(80, 0s, 1s)});
  state.hosts[1].phase = HostPhase::stopping;
  const HostPlan plan = plan_host(state, 0, false, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_TRUE(plan.victims.empty());
}

// proves Z12
TEST(host_plan, of_several_gpus_the_one_with_most_room_is_taken) {
  HostsState state = machine(10'000, {host(10, 4000)});
  state.room.gpus = {{0, 8000 * kMiB, 5000 * kMiB}, {1, 8000 * kMiB, 7000 * kMiB}};
  const HostPlan plan = plan_host(state, 0, false, kNow);
  ASSERT_TRUE(plan.fits);
  EXPECT_EQ(plan.gpus, (std::vector<GpuShare>{{1, 4000 * kMiB}}));
}

TEST(host_plan, a_model_too_large_for_one_gpu_is_spread_over_as_few_as_possible) {
  HostsState state = machine(10'000, {host(10, 11'000)});
  state.room.gpus = {
      {0, 8000 * kMiB, 2000 * kMiB}, {1, 8000 * kMiB, 7000 * kMiB}, {2, 8000 * kMiB, 6000 * kMiB}};
  const HostPlan plan = plan_host(state, 0, false, kNow);
  ASSERT_TRUE(plan.fits);
  EXPECT_EQ(plan.gpus, (std::vector<GpuShare>{{1, 7000 * kMiB}, {2, 4000 * kMiB}}));
}

TEST(host_plan, gpu_memory_promised_to_a_loading_host_counts_and_idle_ones_make_room) {
  HostsState state = machine(10'000, {host(10, 4000), ready(10, 60s, 1s)});
  state.room.gpus = {{0, 8000 * kMiB, 7000 * kMiB}};
  HostState& other = state.hosts[1];
  other.rules.gpu_memory = 5000 * kMiB;
  other.placed = {{0, 5000 * kMiB}};
  other.phase = HostPhase::starting;
  EXPECT_FALSE(plan_host(state, 0, false, kNow).fits);
  other.phase = HostPhase::ready;
  other.gpu_memory = 5000 * kMiB;
  state.room.gpus[0].free = 3000 * kMiB;
  const HostPlan plan = plan_host(state, 0, false, kNow);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.victims, (std::vector<std::size_t>{1}));
}

TEST(host_plan, without_a_gpu_its_memory_is_the_machines) {
  HostsState state = machine(100, {host(40, 60)});
  EXPECT_EQ(memory_need(state, state.hosts[0]), 100 * kMiB);
  const HostPlan plan = plan_host(state, 0, false, kNow);
  EXPECT_TRUE(plan.fits);
  EXPECT_TRUE(plan.gpus.empty());
  state.room.free = 100 * kMiB - 1;
  EXPECT_FALSE(plan_host(state, 0, false, kNow).fits);
}

TEST(host_plan, what_no_gpu_could_ever_hold_is_told) {
  HostsState state = machine(10'000, {host(10, 8001)});
  state.room.gpus = {{0, 8000 * kMiB, 0}};
  EXPECT_TRUE(plan_host(state, 0, false, kNow).never);
  state.hosts[0].rules.gpu_memory = 8000 * kMiB;
  EXPECT_FALSE(plan_host(state, 0, false, kNow).never);
}

TEST(host_program, the_port_is_put_into_arguments_wherever_it_stands) {
  HostSettings host;
  host.command = "llama-server";
  host.port = 8123;
  host.arguments = {"--port", "{port}", "--url=http://127.0.0.1:{port}/{port}", "{host}"};
  EXPECT_EQ(host_arguments(host),
            (std::vector<std::string>{"llama-server", "--port", "8123",
                                      "--url=http://127.0.0.1:8123/8123", "{host}"}));
}

TEST(host_program, secrets_of_ours_do_not_reach_a_model_server_and_its_own_pairs_go_first) {
  ::setenv("OPENAI_API_KEY", "sk-canary", 1);
  ::setenv("LLAMA_API_KEY", "sk-canary", 1);
  ::setenv("MAINSTAY_AUTH__KEYS", "canary", 1);
  ::setenv("CUDA_VISIBLE_DEVICES", "7", 1);
  HostSettings host;
  host.environment = {"NVIDIA_VISIBLE_DEVICES=all", "MODEL=tiny"};
  std::string all;
  for (const auto& pair : host_environment(host, {1, 3})) all += pair + "\n";
  EXPECT_EQ(all.find("canary"), std::string::npos) << all;
  EXPECT_NE(all.find("CUDA_VISIBLE_DEVICES=1,3\n"), std::string::npos) << all;
  EXPECT_EQ(all.find("=7\n"), std::string::npos) << all;
  EXPECT_NE(all.find("NVIDIA_VISIBLE_DEVICES=all\n"), std::string::npos) << all;
  EXPECT_NE(all.find("MODEL=tiny\n"), std::string::npos) << all;
  EXPECT_NE(all.find("PATH="), std::string::npos) << all;
  for (const char* name :
       {"OPENAI_API_KEY", "LLAMA_API_KEY", "MAINSTAY_AUTH__KEYS", "CUDA_VISIBLE_DEVICES"}) {
    ::unsetenv(name);
  }
}

TEST(host_program, a_program_is_found_by_path_or_by_name_and_a_folder_is_none) {
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
  EXPECT_TRUE(find_program("sh").ends_with("/sh"));
  EXPECT_EQ(find_program("/bin"), "");
  EXPECT_EQ(find_program("no-such-program-here"), "");
}

TEST(host_probe, only_a_status_line_of_http_gives_a_status) {
  EXPECT_EQ(http_status_of("HTTP/1.1 200 OK"), 200);
  EXPECT_EQ(http_status_of("HTTP/1.0 503 No"), 503);
  EXPECT_EQ(http_status_of("HTTP/1.1 2x0 OK"), 0);
  EXPECT_EQ(http_status_of("HTTP/1.1 20"), 0);
  EXPECT_EQ(http_status_of("SSH-2.0-OpenSSH"), 0);
}

}  // namespace
}  // namespace mainstay::models
