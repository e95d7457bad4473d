// Why no work is accepted now. Used by health.cpp and admin_live.cpp.
#pragma once

#include "api/context.h"
#include "base/json.h"

namespace mainstay::api {

/// [{"part", "why"}]; empty when work is accepted.
Json ready_reasons(const Rooms& rooms);

}  // namespace mainstay::api
