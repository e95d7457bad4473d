// /proc/PID/stat and statm of everybody, once a look.
#include "resources/process_tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include "resources/child_process.h"
#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

constexpr std::size_t kMembersMax = 4096;
constexpr std::size_t kProcessesMax = 65'536;

struct Process {
  ProcessId id;
  pid_t parent = 0;
  pid_t group = 0;
};

/// The fields of stat behind the name, which may hold blanks and brackets.
std::optional<Process> read_process_stat(pid_t pid, const std::string& proc) {
  const auto text = read_small(proc + "/" + std::to_string(pid) + "/stat");
  const auto name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text->substr(name_end + 1));
  Process out;
  out.id.pid = pid;
  std::string state;
  fields >> state >> out.parent >> out.group;
  constexpr int kBetween = 16;  // from session to itrealvalue
  std::string skipped;
  for (int i = 0; i < kBetween; ++i) fields >> skipped;
  fields >> out.id.began;
  if (!fields || state == "Z" || state == "X") return std::nullopt;
  return out;
}

std::uint64_t resident_of(pid_t pid, const std::string& proc) {
  const auto text = read_small(proc + "/" + std::to_string(pid) + "/statm");
  if (!text) return 0;
  std::istringstream fields(*text);
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  fields >> size >> resident;
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return resident * page;
}

std::vector<Process> everybody(const std::string& proc) {
  std::vector<Process> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(proc.c_str()), &::closedir);
  if (!folder) return out;
  while (const dirent* entry = ::readdir(folder.get())) {
    const char* const name = entry->d_name;
    if (*name < '1' || *name > '9' || out.size() >= kProcessesMax) continue;
    const auto process = read_process_stat(static_cast<pid_t>(std::atoi(name)), proc);
    if (process) out.push_back(*process);
  }
  return out;
}

bool contains(const std::vector<ProcessId>& list, const ProcessId& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

void add_resident(TreeFigures& figures, const std::string& proc) {
  for (const ProcessId& member : figures.members) {
    figures.resident += resident_of(member.pid, proc);
  }
}

}  // namespace

TreeFigures read_tree(pid_t leader, const std::vector<ProcessId>& known, const std::string& proc) {
  const std::vector<Process> all = everybody(proc);
  std::multimap<pid_t, const Process*> children;
  TreeFigures out;
  for (const Process& one : all) {
    children.emplace(one.parent, &one);
    const bool ours = one.id.pid == leader || one.group == leader || contains(known, one.id);
    if (ours && out.members.size() < kMembersMax) out.members.push_back(one.id);
  }
  for (std::size_t i = 0; i < out.members.size(); ++i) {  // grows while it is walked
    const auto [first, last] = children.equal_range(out.members[i].pid);
    for (auto child = first; child != last; ++child) {
      const ProcessId& id = child->second->id;
      if (out.members.size() < kMembersMax && !contains(out.members, id)) out.members.push_back(id);
    }
  }
  add_resident(out, proc);
  return out;
}

TreeFigures still_there(const std::vector<ProcessId>& known, const std::string& proc) {
  TreeFigures out;
  for (const ProcessId& id : known) {
    const auto now = read_process_stat(id.pid, proc);
    if (now && now->id == id) out.members.push_back(id);
  }
  add_resident(out, proc);
  return out;
}

void kill_one(const ProcessId& process) noexcept {
  // By number: glibc 2.36 declares these without C linkage.
  const Descriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (fd.get() < 0) return;
  try {
    const auto now = read_process_stat(process.pid, "/proc");  // of whom the descriptor is
    if (now && now->id == process) ::syscall(SYS_pidfd_send_signal, fd.get(), SIGKILL, nullptr, 0);
  } catch (const std::exception&) {
    return;  // no memory to look: nobody is killed unseen
  }
}

}  // namespace mainstay::resources
