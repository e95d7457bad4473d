// Word search over the index of documents, and which documents a filter lets through: what readers
// run. Used inside storage/sqlite, by documents. Everything may throw Failure.
#pragma once

#include <string>
#include <vector>

#include "storage/documents.h"
#include "storage/sqlite/connection.h"

namespace mainstay::storage::sqlite {

/// The filter's tags are tidy (storage/document_rules.h).
Found find_passages(Connection& db, const PassageQuery& query);
std::vector<Passage> passages_of(Connection& db, const TenantId& tenant,
                                 const std::vector<std::int64_t>& numbers);
std::vector<std::int64_t> visible_documents(Connection& db, const TenantId& tenant,
                                            const DocumentFilter& filter);

/// The FTS5 expression that finds any of the stems in rows that have all the marks; empty without
/// a stem. Whatever they hold, the expression is valid.
std::string match_expression(const std::vector<std::string>& marks,
                             const std::vector<std::string>& stems);

/// The texts of its queries, for the test that looks at plans.
std::vector<std::string> document_search_queries();

}  // namespace mainstay::storage::sqlite
