// Starting parts; stopping them is the registry's work.
#include "app/lifecycle.h"

#include <system_error>

namespace mainstay::app {
namespace {

Status guarded(const std::function<Status()>& step) {
  try {
    return step();
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::resource_unavailable_try_again) {
      Error error = Error::say(Errc::unavailable, "threads_unavailable",
                               "The system allows no more threads. Raise the limit (ulimit -u, "
                               "TasksMax= of the service) and start again.");
      error.detail = e.what();
      return error;
    }
    return Error::log(Errc::internal, std::string("threw: ") + e.what());
  } catch (const std::exception& e) {
    return Error::log(Errc::internal, std::string("threw: ") + e.what());
  }
}

}  // namespace

Status Lifecycle::start(Part part) {
  const TimePoint before = clock_.now();
  Status status = guarded(part.start);
  Log* log = log_();
  if (!status.ok()) {
    if (log != nullptr)
      log->error("part.failed", {{"part", part.name}, {"why", status.error().detail}});
    return status;
  }
  if (log != nullptr)
    log->info("part.started", {{"part", part.name}, {"ms", clock_.now() - before}});
  cleanups_.add({std::move(part.name), std::move(part.stop), part.stop_within});
  return status;
}

}  // namespace mainstay::app
