// What a Wyoming server says of itself: its "info" event as models and voices. Pure.
// Used by provider.cpp and its tests.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "models/chat.h"
#include "models/synthesize.h"

namespace mainstay::models::wyoming {

struct ServerInfo {
  std::vector<ModelInfo> models;      ///< of asr: each model; of tts: each program
  std::vector<Voice> voices;          ///< that are installed
  std::vector<std::string> programs;  ///< names of its programs, which are no models of asr
  bool hears = false;
  bool speaks = false;
};

/// Reads the event's data; whatever is not as it should be counts as absent. `provider` is the name
/// that models and voices get.
ServerInfo read_info(const Json& data, const std::string& provider);

}  // namespace mainstay::models::wyoming
