// What is left of uploads that nobody went on with.
// Used by app, once.
#pragma once

#include "storage/shelf.h"
#include "storage/uploads.h"
#include "telemetry/log.h"

namespace mainstay::jobs {

/// Removes uploads whose time is over, with the contents of their parts. Never returns; ends when
/// cancelled. References outlive it.
Co<> keep_uploads(Clock& clock, Log& log, storage::Uploads& uploads, storage::Shelf& shelf);

/// One round of it; gives how many went.
Co<std::size_t> sweep_uploads(Clock& clock, Log& log, storage::Uploads& uploads,
                              storage::Shelf& shelf);

}  // namespace mainstay::jobs
