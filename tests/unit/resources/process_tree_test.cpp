// Who belongs to a process, from files like those of /proc, and one real process that is killed.
#include "resources/process_tree.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "unit/resources/tree.h"

namespace mainstay::resources {
namespace {

struct Machine : Tree {
  /// A process as /proc shows it; `pages` of memory.
  void add(pid_t pid, pid_t parent, pid_t group, std::uint64_t began, std::uint64_t pages,
           const std::string& name = "server", const char* state = "S") {
    const std::string at = "proc/" + std::to_string(pid);
    std::string stat = std::to_string(pid) + " (" + name + ") " + state + " " +
                       std::to_string(parent) + " " + std::to_string(group);
    for (int i = 0; i < 16; ++i) stat += " 0";
    put(at + "/stat", stat + " " + std::to_string(began) + " 0 0\n");
    put(at + "/statm", "9999 " + std::to_string(pages) + " 0 0 0 0 0\n");
  }
  std::vector<pid_t> of(const TreeFigures& figures) const {
    std::vector<pid_t> out;
    for (const auto& member : figures.members) out.push_back(member.pid);
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string proc() { return roots().proc; }
};

TEST(process_tree, holds_the_group_and_every_descendant_wherever_it_went) {
  Machine machine;
  machine.add(100, 1, 100, 5, 10);                // the leader
  machine.add(101, 100, 100, 6, 20);              // of its group
  machine.add(102, 101, 102, 7, 30);              // left the group
  machine.add(103, 102, 103, 8, 40, "a) R 1 1");  // a name that looks like fields
  machine.add(104, 1, 100, 9, 50);                // an orphan of the group
  machine.add(200, 1, 200, 5, 1000);              // somebody else
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const TreeFigures tree = read_tree(100, {}, machine.proc());
  EXPECT_EQ(machine.of(tree), (std::vector<pid_t>{100, 101, 102, 103, 104}));
  EXPECT_EQ(tree.resident, 150 * page);
}

TEST(process_tree, remembers_those_whose_parent_has_ended_but_no_later_process_of_their_number) {
  Machine machine;
  machine.add(102, 1, 102, 7, 30);
  machine.add(103, 1, 103, 99, 40);  // another one than the known 103
  const std::vector<ProcessId> known = {{100, 5}, {102, 7}, {103, 8}};
  EXPECT_EQ(machine.of(read_tree(100, known, machine.proc())), (std::vector<pid_t>{102}));
  EXPECT_EQ(machine.of(still_there(known, machine.proc())), (std::vector<pid_t>{102}));
}

TEST(process_tree, what_has_ended_and_was_not_waited_for_holds_nothing) {
  Machine machine;
  machine.add(100, 1, 100, 5, 10, "server", "Z");
  EXPECT_TRUE(read_tree(100, {}, machine.proc()).members.empty());
  EXPECT_TRUE(still_there({{100, 5}}, machine.proc()).members.empty());
  EXPECT_TRUE(read_tree(100, {}, machine.proc() + "/nowhere").members.empty());
}

TEST(process_tree, kills_the_process_it_was_shown_and_none_that_only_has_its_number) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const TreeFigures tree = read_tree(child, {});
  ASSERT_EQ(tree.members.size(), 1u);
  ProcessId other = tree.members[0];
  other.began += 1;
  kill_one(other);
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it still runs";
  kill_one(tree.members[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace
}  // namespace mainstay::resources
