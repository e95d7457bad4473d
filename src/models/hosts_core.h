// What hosts.cpp (any thread: leases, questions) and hosts_driver.cpp (its own thread: processes)
// share. Used by these two alone.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/event.h"
#include "base/task_group.h"
#include "models/host_probe.h"
#include "models/host_program.h"
#include "models/hosts.h"
#include "resources/child_process.h"
#include "resources/line_cutter.h"
#include "resources/process_tree.h"

namespace mainstay::models {

/// Handles of one host's series.
struct HostMetrics {
  HostMetrics(const std::string& host, Metrics& metrics);
  Counter& starts;
  std::array<Counter*, kHostStops> stops{};
  Counter& failures;
  Counter& evictions;
  Counter& waits;
  Counter& refused;
  Counter& kept;
  Counter& survivors;
  Histogram& wait_seconds;
  Histogram& load_seconds;
  Gauge& ready;
  Gauge& waiting;
  Gauge& memory;
};

struct Hosts::Core {
  Core(const std::vector<HostSettings>& given, const HostingSettings& shared, HostMachine room_of,
       Clock& time, Random& chance, Log& lines, Metrics& metrics);
  ~Core();

  // Any thread.
  class Waiting;
  /// Steps the machine, tells who waits, logs and counts what changed, and lets the driver act.
  void happen(const HostEvent& event);
  Co<Result<HostLease>> lease(Hosts& hosts, std::size_t host, Deadline by);
  void release(std::size_t host) noexcept;
  /// What a destructor has to tell: kept at once, and told by settle(). Never fails: what there is
  /// no memory for now, the driver tells.
  struct Owed {
    std::atomic<std::uint32_t> unwanted = 0;
    std::atomic<std::uint32_t> released = 0;
  };
  void owe(std::atomic<std::uint32_t>& one) noexcept;
  void settle();
  /// Asks the driver to look now.
  void nudge();

  // The driver's thread, from here on.
  struct Process;
  Co<> look_after();
  void drain_actions();
  void act(const HostAction& action);
  void start(std::size_t host, const std::vector<std::uint32_t>& gpus);
  void started(std::size_t host, resources::ChildProcess made, HostRoom before);
  Co<> await_end(std::size_t host, std::shared_ptr<Process> process);
  Co<> read_lines(std::size_t host, std::shared_ptr<Process> process, bool errors);
  Co<> probe(std::size_t host, std::shared_ptr<Process> process);
  Co<> verify(std::size_t host, std::shared_ptr<Process> process);
  void end(std::size_t host, const std::shared_ptr<Process>& process);
  void take_line(std::size_t host, Process& process, std::string_view line);
  void look_at_room();
  void measure(std::size_t host);
  void close_late_probes(TimePoint now);
  bool in_motion() const;
  bool room_wanted(TimePoint now) const;
  bool anybody_loads() const;
  void kill_all();

  const std::vector<HostSettings> settings;
  const HostingSettings hosting;
  const HostMachine machine;
  Clock& clock;
  Random& random;
  Log& log;
  std::vector<HostMetrics> counted;
  std::vector<std::unique_ptr<Event>> changed;  ///< one for each host
  std::vector<std::unique_ptr<Owed>> owed;      ///< the same

  mutable std::mutex mutex;  ///< guards what follows; held for a few steps of the machine
  HostsState state;
  std::deque<HostAction> todo;      ///< at most a few for each host
  std::vector<std::int64_t> pids;   ///< 0: no process
  std::vector<std::uint64_t> kept;  ///< memory that did not come back, of the last end
  std::vector<std::string> said;    ///< the last line of each one's last process
  std::condition_variable without;  ///< a process has ended

  asio::io_context io{1};
  std::unique_ptr<asio::executor_work_guard<Executor>> work;
  std::unique_ptr<TaskGroup> tasks;
  std::unique_ptr<Alarm> bell;
  std::vector<std::shared_ptr<Process>> running;
  HostRoom room;  ///< as last looked at
  TimePoint looked{};
  TimePoint measured{};
  std::thread thread;  // lint: thread its processes die with it, and it blocks where it looks
};

}  // namespace mainstay::models
