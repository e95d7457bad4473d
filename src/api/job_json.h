// Jobs as JSON: what their owners, and administrators, see of them.
// Used by api's job endpoints. Pure.
#pragma once

#include <string>

#include "base/json.h"
#include "storage/jobs.h"

namespace mainstay::api {

/// A row of a list: no input, no result.
Json job_row(const storage::Job& job);
/// The same with whose it is and who runs it.
Json admin_job_row(const storage::Job& job);
/// `row` with input and result, which go in as they are stored, and the webhook's address.
std::string whole_job(const Json& row, const storage::Job& job, const std::string& webhook);
/// The reply to a submission.
Json submitted_json(const storage::Submitted& submitted, const std::string& kind);

}  // namespace mainstay::api
