// All kinds of jobs there are.
// Used by app, once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "assistant/assistant.h"
#include "config/settings.h"
#include "jobs/kind.h"
#include "jobs/post.h"
#include "knowledge/library.h"
#include "media/archive.h"
#include "media/decoders.h"
#include "storage/files.h"
#include "storage/shelf.h"

namespace mainstay::jobs {

/// What jobs work with at one moment; a reload puts another one in force.
struct InForce {
  std::shared_ptr<const void> held;  ///< keeps all of it alive; empty: it outlives the kinds
  const Settings* settings = nullptr;
  assistant::Assistant* assistant = nullptr;
  models::Models* models = nullptr;
  knowledge::Library* library = nullptr;
};

/// What kinds work with; all of it outlives them.
struct Tools {
  const Settings& settings;  ///< of the program's start: limits of the kinds, webhooks
  Clock& clock;
  Random& random;
  Log& log;
  /// Asked by each check and each attempt, which keeps what it got to its end; any loop calls.
  std::function<InForce()> in_force;
  storage::JobStore& store;
  Post& post;
  /// What "cleanup" does; gives what it did as a JSON object's text. May be empty: no such kind.
  std::function<Co<Result<std::string>>(Deadline)> cleanup;
  /// How an error looks to a client of /v1/chat/completions: api::http_status, api::error_json.
  std::function<int(const Error&)> status_of;
  std::function<std::string(const Error&)> body_of;
  storage::Files* files = nullptr;  ///< null with `shelf`: jobs over files are refused
  storage::Shelf* shelf = nullptr;
  media::Decoders* decoders = nullptr;  ///< null: no pictures in bulk
  media::Archives* archives = nullptr;  ///< null: none out of archives
};

/// Purpose of a file that an ingest job takes and then removes.
inline constexpr const char* kForIngest = "ingest";

std::unique_ptr<Kinds> all_kinds(Tools tools);

}  // namespace mainstay::jobs
