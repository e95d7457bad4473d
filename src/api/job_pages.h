// What a list of jobs is asked for.
// Used by api's job endpoints, the owners' and the administrators'.
#pragma once

#include "api/context.h"
#include "api/query.h"
#include "storage/jobs.h"

namespace mainstay::api {

struct JobPage {
  storage::JobFilter filter;  ///< no owner
  storage::JobId after;
  std::uint32_t limit = 0;
};
/// ?state= kind= batch= after= limit=. Errors: invalid, with the parameter as field.
Result<JobPage> page_asked(const Rooms& rooms, const Query& query);

/// There is nothing behind the endpoints.
Error no_jobs();

}  // namespace mainstay::api
