// What a list of jobs is asked for, and what is noted of an administrator's hand on others' jobs.
// Used by api's job endpoints, the owners' and the administrators', and its WebSocket.
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

/// The error of a page: a job to go on behind that is not there is the parameter's fault.
Error page_error(Error error);

/// The audit entry of what an administrator did to another user's job; none for the caller's own.
void note_anothers(const Rooms& rooms, const Context& context, const char* what,
                   const storage::Job& job, std::string_view after);

/// There is nothing behind the endpoints.
Error no_jobs();

}  // namespace mainstay::api
