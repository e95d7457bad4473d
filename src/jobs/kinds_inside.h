// How each kind is made. One file for each beside this one.
// Used by all_kinds.cpp alone.
#pragma once

#include "jobs/all_kinds.h"

namespace mainstay::jobs {

/// What the settings say for all kinds.
KindLimits common_limits(const Settings& settings);

std::unique_ptr<Kind> make_chat_kind(const Tools& tools);
std::unique_ptr<Kind> make_ingest_kind(const Tools& tools);
std::unique_ptr<Kind> make_images_kind(const Tools& tools);
std::unique_ptr<Kind> make_webhook_kind(const Tools& tools);
std::unique_ptr<Kind> make_cleanup_kind(const Tools& tools);
std::unique_ptr<Kind> make_batch_item_kind(const Tools& tools);

}  // namespace mainstay::jobs
