// The Lua scripts: each is one step of a job's life, done whole or refused.
// Used by jobs.cpp and leader.cpp; docs/jobs-redis.md describes keys and order of writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mainstay::storage::redis {

enum class Script : std::uint8_t {
  submit,
  claim,
  complete,
  fail,
  give_back,
  extend,
  cancel,
  retry,
  get,
  list,
  erase,
  upkeep,
  figures,
  hold,
  release,
  tell,
  hear,
};
constexpr std::size_t kScripts = 17;

/// All sources, in the order of Script.
const std::vector<std::string>& script_sources();
/// SHA-1 of a source in hex, as EVALSHA wants it.
const std::string& script_sha(Script script);

}  // namespace mainstay::storage::redis
