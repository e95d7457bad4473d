// DATA/launch.json: what `mainstay launch` says of its processes, for the web process and people.
// Written by launch.cpp, read by engine_jobs.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/context.h"
#include "base/json.h"
#include "resources/supervisor.h"

namespace mainstay::app {

/// The file's name in the data directory.
inline constexpr const char* kLaunchState = "launch.json";

/// {"pid", "children": [{"name", "state", "pid", "restarts", "started_at", "last_exit", "status"}]}
Json launch_state_json(const std::vector<resources::ChildFigures>& children);
/// One line for each child, for people.
std::vector<std::string> launch_lines(const std::vector<resources::ChildFigures>& children);
/// What the file holds. Blocks. Errors: unavailable, invalid.
Result<Json> read_launch_state(const std::string& file);

/// The last state that was read. Thread-safe.
class LaunchView final : public api::Launched {
 public:
  Json processes() const override;
  void set(Json state);

 private:
  mutable std::mutex mutex_;
  Json state_;
};

}  // namespace mainstay::app
