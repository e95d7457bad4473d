// What the killed program stores and the kill tests expect, from a name alone.
// Used by storage_child.cpp and crash_test.cpp.
#pragma once

#include <boost/asio/co_spawn.hpp>

#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "storage/sqlite/open.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage {

inline Turn child_turn(const std::string& name) {
  Turn turn;
  turn.conversation = ConversationId("c-" + name.substr(0, name.rfind('-')));
  turn.title = "title " + name;
  turn.request = RequestId("r-" + name);
  turn.messages.push_back({MessageId("q-" + name), "user", "question " + name, Tokens{3},
                           wall_from_micros(1'700'000'000'000'001)});
  turn.messages.push_back({MessageId("a-" + name), "assistant", std::string(700, 'x') + name,
                           Tokens{5}, wall_from_micros(1'700'000'000'000'002)});
  turn.finished = wall_from_micros(1'700'000'000'000'003);
  return turn;
}

inline NewDocument child_document(const std::string& name) {
  NewDocument out;
  out.id = DocumentId("d-" + name);
  out.collection = CollectionName("killed");
  out.title = "title " + name;
  out.source = "source " + name;
  out.media_type = "text/plain";
  out.sha256 = "hash " + name;
  out.size = Bytes{100};
  for (std::uint64_t i = 0; i < 20; ++i) {
    out.chunks.push_back(
        {"text " + std::to_string(i) + " of " + name, i * 10, i * 10 + 9, "heading"});
  }
  return out;
}

}  // namespace mainstay::storage
