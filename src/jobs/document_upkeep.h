// What is left of documents: rows of erased ones, and beginnings whose job will not go on.
// Used by app, once.
#pragma once

#include "storage/documents.h"
#include "storage/jobs.h"
#include "telemetry/log.h"

namespace mainstay::jobs {

/// The document that an ingest job makes, and back; empty: the id is none of these.
DocumentId document_of(const storage::JobId& job);
storage::JobId job_of(const DocumentId& document);

/// Removes erased rows in slices, and what was begun an hour ago by a job that has ended or is
/// gone.
/// Never returns; ends when cancelled. References outlive it.
Co<> keep_documents(Clock& clock, Log& log, storage::Documents& documents, storage::JobStore& jobs);

}  // namespace mainstay::jobs
