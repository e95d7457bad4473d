// The launcher's state as JSON and as lines.
#include "app/launch_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/files.h"

namespace mainstay::app {

Json launch_state_json(const std::vector<resources::ChildFigures>& children) {
  Json out = {{"pid", ::getpid()}, {"children", Json::array()}};
  for (const auto& child : children) {
    Json one = {{"name", child.name},
                {"state", resources::name(child.phase)},
                {"pid", child.pid},
                {"restarts", child.restarts},
                {"started_at", unix_seconds(child.started)}};
    if (!child.last_exit.empty()) one["last_exit"] = child.last_exit;
    if (!child.status.empty()) one["status"] = child.status;
    out["children"].push_back(std::move(one));
  }
  return out;
}

std::vector<std::string> launch_lines(const std::vector<resources::ChildFigures>& children) {
  std::vector<std::string> out;
  for (const auto& child : children) {
    std::string line = fmt::format("{}: {}", child.name, resources::name(child.phase));
    if (child.pid > 0) line += fmt::format(", pid {}", child.pid);
    line += fmt::format(", {} restarts", child.restarts);
    if (!child.last_exit.empty()) line += ", last end: " + child.last_exit;
    out.push_back(std::move(line));
  }
  return out;
}

Result<Json> read_launch_state(const std::string& file) {
  auto text = read_file(file, 64_KiB);
  if (!text.ok()) return text.error();
  return parse_json(*text);
}

Json LaunchView::processes() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void LaunchView::set(Json state) {
  std::lock_guard lock(mutex_);
  state_ = std::move(state);
}

}  // namespace mainstay::app
