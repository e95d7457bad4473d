// One locked-in process: its pipes, its end. Killed and waited for with its owner.
// Used by media/child_pool.cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "resources/child_process.h"

namespace mainstay::media {

/// Moves between threads, is used by one at a time.
class Child {
 public:
  explicit Child(resources::ChildProcess made) : process_(std::move(made)) {}
  /// Blocks until a killed process is gone: a moment, but not on a loop.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// It has ended already. Does not block, as the next three.
  bool gone() const noexcept;
  /// False when it cannot be reached.
  bool send(const std::string& order, int file) noexcept;
  void kill() noexcept { resources::kill_group(process_.pid); }
  /// The last of what it said on its error output, for the log.
  std::string last_words();
  /// Kills what is left and says how it went. Blocks like the destructor.
  resources::ChildExit end();
  resources::Descriptor& out() noexcept { return process_.out; }

  std::uint32_t items = 0;     ///< handed to it
  TimePoint rested{};          ///< since when it has nothing to do
  std::uint64_t resident = 0;  ///< bytes that it held then

 private:
  resources::ChildProcess process_;
};

}  // namespace mainstay::media
