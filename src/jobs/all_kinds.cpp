// The registry's one list.
#include "jobs/all_kinds.h"

#include "jobs/kinds_inside.h"

namespace mainstay::jobs {

KindLimits common_limits(const Settings& settings) {
  KindLimits out;
  out.input_max = settings.jobs.input_max;
  out.timeout = settings.jobs.timeout;
  out.attempts_max = settings.jobs.attempts_max;
  out.lease = settings.jobs.lease;
  out.backoff.min = settings.jobs.backoff_min;
  out.backoff.max = settings.jobs.backoff_max;
  return out;
}

std::unique_ptr<Kinds> all_kinds(Tools tools) {
  auto kinds = std::make_unique<Kinds>();
  kinds->add(make_chat_kind(tools));
  kinds->add(make_ingest_kind(tools));
  kinds->add(make_images_kind(tools));
  kinds->add(make_webhook_kind(tools));
  kinds->add(make_batch_item_kind(tools));
  if (tools.cleanup) kinds->add(make_cleanup_kind(tools));
  return kinds;
}

}  // namespace mainstay::jobs
