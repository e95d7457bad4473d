// Entries of the register.
#include "app/tasks.h"

namespace mainstay::app {

void Tasks::keep(std::size_t ended_max) {
  std::lock_guard lock(mutex_);
  ended_max_ = ended_max;
  while (ended_.size() > ended_max_) ended_.pop_back();
}

std::uint64_t Tasks::begin(std::string name, Cancellable cancellable) {
  api::TaskInfo info;
  info.name = std::move(name);
  info.state = "running";
  info.cancellable = cancellable == Cancellable::yes;
  info.started = clock_.wall();
  std::lock_guard lock(mutex_);
  info.id = next_++;
  return running_.emplace(info.id, std::move(info)).first->first;
}

void Tasks::ended(std::uint64_t id, std::string why) {
  std::lock_guard lock(mutex_);
  auto node = running_.extract(id);
  if (node.empty()) return;
  api::TaskInfo info = std::move(node.mapped());
  const bool asked = info.state == "cancelling";
  info.state = asked ? "cancelled" : why.empty() ? "ended" : "failed";
  info.why = std::move(why);
  info.ended = clock_.wall();
  ended_.push_front(std::move(info));
  if (ended_.size() > ended_max_) ended_.pop_back();
}

Status Tasks::cancel(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return Error::say(Errc::not_found, "unknown_task",
                      "There is no such task. GET /admin/tasks lists them.");
  }
  if (!found->second.cancellable) {
    return Error::say(Errc::conflict, "task_not_cancellable",
                      "The program needs this task for as long as it runs.");
  }
  found->second.state = "cancelling";
  return done();
}

bool Tasks::runs(std::uint64_t id) const {
  std::lock_guard lock(mutex_);
  return running_.contains(id);
}

std::vector<api::TaskInfo> Tasks::list() const {
  std::lock_guard lock(mutex_);
  std::vector<api::TaskInfo> out;
  for (const auto& [id, info] : running_) out.push_back(info);
  out.insert(out.end(), ended_.begin(), ended_.end());
  return out;
}

}  // namespace mainstay::app
