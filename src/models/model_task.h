// What a model is for, where its server does not say: its name tells.
// Pure. Used by the router for the lists of its providers.
#pragma once

#include <string>
#include <string_view>

namespace mainstay::models {

/// The task of ModelInfo. A name that tells nothing is one of chat: most models are.
std::string task_by_name(std::string_view id);

}  // namespace mainstay::models
