// The refusals that all back ends of files and batches say in the same words.
// Used by storage's inner rooms, Shelf, jobs (batches) and api (files).
#pragma once

#include "base/error.h"

namespace mainstay::storage {

inline Error unknown_file() {
  return Error::say(Errc::not_found, "unknown_file", "There is no such file.");
}
inline Error file_in_use() {
  return Error::say(Errc::conflict, "file_in_use",
                    "An unfinished batch or job reads this file. Cancel it first, or wait for its "
                    "end.");
}
inline Error too_many_files() {
  return Error::say(Errc::over_limit, "too_many_files",
                    "You have as many files as files.owner_entries_max allows. Delete some.");
}
inline Error too_many_file_bytes() {
  return Error::say(Errc::over_limit, "too_many_file_bytes",
                    "Your files would be larger than files.owner_bytes_max. Delete some.");
}
inline Error unknown_batch() {
  return Error::say(Errc::not_found, "unknown_batch", "There is no such batch.");
}
inline Error batch_changed() {
  return Error::say(Errc::conflict, "batch_changed",
                    "The batch changed at the same moment. Look at it and try again.");
}
inline Error too_many_batches() {
  return Error::say(Errc::over_limit, "too_many_batches",
                    "You have as many unfinished batches as batches.owner_open_max allows. Wait "
                    "for one to end, or cancel it.");
}

}  // namespace mainstay::storage
