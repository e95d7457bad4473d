// Rows of documents as the face has them. Used by documents.cpp, document_reads.cpp and
// document_search.cpp.
#pragma once

#include "storage/documents.h"
#include "storage/postgres/statement.h"

namespace mainstay::storage::postgres {

/// Columns of mainstay.document_answer: two of the verb's own, then the document's.
#define MAINSTAY_DOCUMENT_COLUMNS                                                          \
  "s.n, s.id, s.collection, s.title, s.source, s.media_type, s.sha256, s.size, s.chunks, " \
  "s.created, s.tags, s.state, s.checkpoint"
inline constexpr int kCheckpointColumn = 14;

inline DocumentInfo info_in(const Rows& rows, int row) {
  DocumentInfo out;
  out.number = rows.number(row, 2);
  out.id = DocumentId(rows.text(row, 3));
  out.collection = CollectionName(rows.text(row, 4));
  out.title = rows.text(row, 5);
  out.source = rows.text(row, 6);
  out.media_type = rows.text(row, 7);
  out.sha256 = rows.text(row, 8);
  out.size = Bytes{rows.count(row, 9)};
  out.chunks = rows.count(row, 10);
  out.created = wall_from_micros(rows.number(row, 11));
  out.tags = rows.texts(row, 12);
  out.state = rows.number(row, 13) == 0 ? DocumentState::ready : DocumentState::ingesting;
  return out;
}

/// A filter as the parameters $1 to $6: tenant, collection, tags, first moment, moment after the
/// last, document. What is not set lets everything through.
#define MAINSTAY_DOCUMENT_FILTER                                                       \
  "d.tenant = $1 AND d.state = 0 AND c.name IS NOT NULL AND ($2 = '' OR c.name = $2) " \
  "AND d.tags @> $3 AND d.created >= $4 AND d.created < $5 AND ($6 = '' OR d.id = $6) "
/// Columns: number, id, collection, title, source, heading, begin, end, text, page, score.
std::vector<Passage> passages_in(const Rows& rows);
void put_filter(Statement& out, const TenantId& tenant, const DocumentFilter& filter);

}  // namespace mainstay::storage::postgres
