// Slices with a breath between them, so that those who ask are never behind a long one.
#include "jobs/document_upkeep.h"

#include <algorithm>

namespace mainstay::jobs {
namespace {

constexpr Duration kPause = std::chrono::seconds(10);
constexpr Duration kBreath = std::chrono::milliseconds(20);
constexpr Duration kSliceTime = std::chrono::seconds(30);
constexpr int kLooksAtBeginnings = 60;  ///< one for so many pauses
constexpr WallTime::duration kOld = std::chrono::hours(1);
constexpr std::uint32_t kLookedAt = 100;

Co<> sweep_all(Clock& clock, Log& log, storage::Documents& documents) {
  for (;;) {
    auto more = co_await documents.sweep(Deadline::in(clock, kSliceTime));
    if (!more.ok()) {
      log.warn("documents.sweep_failed", {{"error", more.error().detail}});
      co_return;
    }
    if (!*more) co_return;
    auto slept = co_await sleep(clock, kBreath);
    if (!slept) co_return;
  }
}

/// Whether its job may still go on with it.
Co<bool> goes_on(Clock& clock, storage::JobStore& jobs, DocumentId document) {
  storage::JobId id = job_of(document);
  if (id.empty()) co_return false;
  auto job = co_await jobs.get(std::nullopt, std::move(id), Deadline::in(clock, kSliceTime));
  if (!job.ok()) co_return job.error().code != Errc::not_found;
  co_return !storage::ended(job->state);
}

Co<> abandon_old(Clock& clock, Log& log, storage::Documents& documents, storage::JobStore& jobs) {
  auto old =
      co_await documents.ingesting(clock.wall() - kOld, kLookedAt, Deadline::in(clock, kSliceTime));
  if (!old.ok()) co_return;
  for (auto& one : *old) {
    const bool waits = co_await goes_on(clock, jobs, one.document.id);
    if (waits) continue;
    auto gone =
        co_await documents.abandon(one.tenant, one.document.id, Deadline::in(clock, kSliceTime));
    if (gone.ok()) log.info("documents.abandoned", {{"document", one.document.id.text()}});
  }
}

/// The part of an id behind the word that it begins with.
std::string own_part(const std::string& id, std::string_view word) {
  return id.starts_with(word) ? id.substr(word.size()) : std::string();
}

}  // namespace

DocumentId document_of(const storage::JobId& job) {
  const std::string own = own_part(job.text(), "job_");
  return DocumentId("doc_" + (own.empty() ? job.text() : own));
}

storage::JobId job_of(const DocumentId& document) {
  const std::string own = own_part(document.text(), "doc_");
  return storage::JobId(own.empty() ? std::string() : "job_" + own);
}

Co<> keep_documents(Clock& clock, Log& log, storage::Documents& documents,
                    storage::JobStore& jobs) {
  for (int round = 0;; ++round) {
    co_await sweep_all(clock, log, documents);
    if (round % kLooksAtBeginnings == 0) co_await abandon_old(clock, log, documents, jobs);
    auto slept = co_await sleep(clock, kPause);
    if (!slept) co_return;
  }
}

}  // namespace mainstay::jobs
