// The documents of all tenants: put in as text, found as passages.
// Used by api and (as PassageSource) by models' built-in answerer and assistant.
#pragma once

#include <string>

#include "knowledge/ingest.h"
#include "knowledge/meaning.h"
#include "knowledge/visible.h"
#include "models/passages.h"

namespace mainstay::knowledge {

/// A document that a client gives as a text.
struct NewText {
  CollectionName collection;
  std::string title;            ///< empty: the first heading or line
  std::string source;           ///< file name or address; same source, new content: replaced
  std::string format = "text";  ///< text markdown html csv jsonl
  std::string text;
  std::vector<std::string> tags = {};
};

/// Any loop may call. References outlive it.
class Library final : public models::PassageSource {
 public:
  /// `decoders` may be null: PDFs are refused then.
  Library(const KnowledgeSettings& settings, Clock& clock, Random& random, OffloadPool& pool,
          storage::Documents& documents, media::Decoders* decoders = nullptr);
  /// Extracts, cuts into chunks (on the pool) and stores. Errors: as Ingest::run(), with the field
  /// "text" for what is wrong with the text.
  Co<Result<storage::Added>> add(TenantId tenant, NewText text, Deadline by);
  /// Of a file of any size: see Ingest::run().
  Co<Result<storage::Added>> ingest(TenantId tenant, NewFile file, ByteSource& source,
                                    IngestWatcher* watcher, bool last_attempt, Deadline by);
  /// A document with another title, other tags, another collection: see Ingest::remake().
  Co<Result<storage::Added>> remake(TenantId tenant, NewFile file, IngestWatcher* watcher,
                                    bool last_attempt, Deadline by);
  /// From now on passages are found by meaning too. Before anybody searches; it outlives this.
  void use(Meaning& meaning) noexcept { meaning_ = &meaning; }
  /// By words, and by meaning where that is configured and can be said now; fused by rank. Any text
  /// is a valid query; a blank one gives the beginning of the newest document. Errors: as
  /// storage::Documents::find.
  Co<Result<storage::Found>> search(storage::PassageQuery query, Deadline by);
  /// search() for each of the texts in place of the query's own; the embedding model is asked for
  /// all of them at once.
  Co<Result<std::vector<storage::Found>>> search_all(storage::PassageQuery query,
                                                     std::vector<std::string> texts, Deadline by);
  /// Where vectors of the configured embedding model belong: see Meaning::space(). Also
  /// unavailable: there is no such model.
  Co<Result<storage::VectorSpace>> space_of_model(Deadline by);
  /// The documents that a tenant's filter lets through. Errors: as Documents::visible().
  Co<Result<DocumentSetPtr>> visible(TenantId tenant, storage::DocumentFilter filter, Deadline by) {
    return visible_.of(std::move(tenant), std::move(filter), by);
  }
  /// How far the vectors of this tenant's documents are; nullopt: there is no embedding model.
  /// Errors: as Documents::visible().
  Co<Result<std::optional<MeaningOf>>> meaning_of(TenantId tenant, Deadline by);
  /// search() without what was corrected.
  Co<Result<std::vector<storage::Passage>>> find(storage::PassageQuery query, Deadline by) override;

 private:
  /// What an empty query gives: the beginning of the newest document.
  Co<Result<storage::Found>> newest(storage::PassageQuery query, Deadline by);
  Co<Result<std::vector<Nearest>>> nearest(const storage::PassageQuery& query,
                                           const std::vector<std::string>& texts, Deadline by);
  Co<Result<storage::Found>> fused(storage::PassageQuery query,
                                   std::vector<storage::VectorHit> near, Deadline by);
  const KnowledgeSettings settings_;
  Clock& clock_;
  Random& random_;
  storage::Documents& documents_;
  Ingest ingest_;
  VisibleDocuments visible_;
  Meaning* meaning_ = nullptr;
};

}  // namespace mainstay::knowledge
