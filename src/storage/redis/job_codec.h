// Jobs as the scripts take and give them.
// Used by jobs.cpp.
#pragma once

#include <string>
#include <vector>

#include "storage/jobs.h"
#include "storage/redis/reply.h"

namespace mainstay::storage::redis {

/// One owner as part of a key; reversible.
std::string owner_text(const Owner& owner);
Owner owner_from(const std::string& text);

char letter(JobState state) noexcept;
/// Queued for a letter that is none.
JobState state_of(char letter) noexcept;

/// Appends the two arguments of a job: its record and its input.
void append_job(std::vector<std::string>& out, const NewJob& job);
/// A job as a script gives it: record, input and result, the last two where they are asked for.
/// Errors: corrupt.
Result<Job> job_of(const Reply& reply);

}  // namespace mainstay::storage::redis
