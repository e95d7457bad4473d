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

/// Appends the 13 arguments of a job.
void append_job(std::vector<std::string>& out, const NewJob& job);
/// A job from a script's list. Errors: corrupt.
Result<Job> job_of(const Reply& reply);

}  // namespace mainstay::storage::redis
