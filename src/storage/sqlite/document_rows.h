// The rows of documents and their place in the index: what the verbs of documents are made of.
// Used inside storage/sqlite, by documents, their search and the schema. Everything may throw
// Failure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/documents.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/vocabulary.h"

namespace mainstay::storage::sqlite {

/// As the table has them.
enum class RowState { ready = 0, ingesting = 1, gone = 2 };

/// A document's row with what its readers are not shown.
struct DocumentRow {
  DocumentInfo info;
  std::int64_t tenant = 0;
  std::int64_t collection = 0;
  std::string checkpoint;
  std::string indexed;                ///< title in the index of chunks from `retitled` on
  std::uint64_t retitled = 0;         ///< chunks before this one have the title in the index
  std::uint64_t folded = kChunksMax;  ///< chunks before this one are in it with Folding::today
  WallTime accepted;                  ///< when its content was asked for
};

std::optional<std::int64_t> tenant_number(Connection& db, const TenantId& tenant);
std::int64_t tenant_made(Connection& db, const TenantId& tenant);
/// None: no such collection, or it is gone.
std::optional<std::int64_t> collection_number(Connection& db, std::int64_t tenant,
                                              const CollectionName& name);
/// None: no such collection of the tenant, or it is gone.
std::optional<CollectionName> collection_name(Connection& db, std::int64_t tenant,
                                              std::int64_t number);
std::int64_t collection_made(Connection& db, std::int64_t tenant, const CollectionName& name);

/// The columns that row_of() reads, FROM document AS d JOIN collection AS c.
#define MAINSTAY_DOCUMENT                                                                    \
  "SELECT d.id, c.name, d.title, d.source, d.media_type, d.sha256, d.size, d.chunks, "       \
  "d.created, d.tags, d.state, d.n, d.tenant, d.collection, d.checkpoint, d.indexed, "       \
  "d.retitled, d.folded, d.accepted FROM document AS d CROSS JOIN collection AS c ON c.n = " \
  "d.collection "
DocumentRow row_of(Query& query);

/// Ready or ingesting, of any tenant; the row of an id whose collection is gone is freed of it.
std::optional<DocumentRow> taken_id(Connection& db, const DocumentId& id);
/// Ready or ingesting, of this tenant. Only reads.
std::optional<DocumentRow> document_of(Connection& db, const TenantId& tenant,
                                       const DocumentId& id);
/// The ready document with this source (which may be empty) and this content; none for an empty
/// sha256.
std::optional<DocumentRow> same_content(Connection& db, std::int64_t collection,
                                        const std::string& source, const std::string& sha256);
/// Ready documents of this source; none for an empty one.
std::vector<DocumentRow> same_source(Connection& db, std::int64_t collection,
                                     const std::string& source);

/// Stores the row (without chunks) and gives its number.
std::int64_t insert_document(Connection& db, const DocumentRow& row);
/// Stores chunks from number `first` on, with their words.
void insert_chunks(Connection& db, Vocabulary& vocabulary, const DocumentRow& row,
                   std::uint64_t first, const std::vector<Chunk>& chunks);
/// Puts the title into the index of the first kRetitled chunks.
void retitle(Connection& db, Vocabulary& vocabulary, DocumentRow& row, const std::string& title);
/// Puts the marks of `to` (tags, collection) into the index in the place of those of `row`, and its
/// tags and collection into the row. The titles are the same.
void rescope(Connection& db, const DocumentRow& row, const DocumentRow& to);
/// Gives a row the id that no other has, the source and the times that it has now.
void name_row(Connection& db, const DocumentRow& row);
/// The content of the document was asked for again: it stands against what was accepted before.
void accept_again(Connection& db, const DocumentRow& row, WallTime accepted);
void put_thumbnail(Connection& db, std::int64_t document, const std::string& bytes);
std::string thumbnail_of(Connection& db, std::int64_t document);
/// Counts a ready document into its collection's figures, or out of them.
void count_in(Connection& db, const DocumentRow& row);
void count_out(Connection& db, const DocumentRow& row);

/// Hides the document for ever. Its rows go now if they are few, else by sweep().
void make_gone(Connection& db, Vocabulary& vocabulary, const DocumentRow& row);
/// Removes a slice of what is gone; when nothing is, indexes a slice anew that an older version cut
/// into words. True: more is left.
bool sweep(Connection& db, Vocabulary& vocabulary);

/// Fills an empty index from all chunks: after steps that made it anew.
void index_if_empty(Connection& db);

/// Marks in the index, see tokenizer.h.
std::string tenant_mark(std::int64_t tenant);
std::string collection_mark(std::int64_t collection);
std::string tag_mark(const std::string& tag);

/// Tags as their column has them.
std::string tags_text(const std::vector<std::string>& tags);
std::vector<std::string> tags_of(const std::string& text);

/// The texts of its queries, for the test that looks at plans.
std::vector<std::string> document_row_queries();

}  // namespace mainstay::storage::sqlite
