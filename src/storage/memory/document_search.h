// Word search over documents in plain containers: BM25 and corrections, as plainly as possible.
// Used by memory/documents.cpp.
#pragma once

#include <vector>

#include "storage/memory/documents.h"

namespace mainstay::storage::memory {

bool lets_through(const DocumentFilter& filter, const DocumentInfo& info);
Passage passage_of(const DocumentInfo& info, const Chunk& chunk, std::uint64_t seq);
/// `documents` are the ready ones of the tenant.
Found found_in(const std::vector<const MemoryDocuments::Document*>& documents,
               const PassageQuery& query);

}  // namespace mainstay::storage::memory
