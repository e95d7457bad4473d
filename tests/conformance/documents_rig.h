// What the suites of documents share: a store of any back end, its verbs as plain calls, documents
// in which every field has a value of its own.
// Used by documents_*test.cpp.
#pragma once

#include <set>

#include "conformance/back_ends.h"
#include "storage/documents.h"

namespace mainstay::storage {

using Ids = std::vector<std::string>;

inline NewDocument document_of(int n, const std::string& collection = "notes") {
  const std::string tag = std::to_string(n);
  NewDocument out;
  out.id = DocumentId("doc_" + tag);
  out.collection = CollectionName(collection);
  out.title = "Title " + tag;
  out.source = "file" + tag + ".md";
  out.media_type = n % 2 == 0 ? "text/html" : "text/markdown";
  out.sha256 = "hash" + tag;
  out.size = Bytes{static_cast<std::uint64_t>(n) * 17 + 1000};
  for (std::uint64_t i = 0; i < 3; ++i) {
    out.chunks.push_back({"chunk " + std::to_string(i) + " of " + tag, i * 100 + 1, i * 100 + 90,
                          "Heading " + tag + " > Part " + std::to_string(i)});
  }
  return out;
}

class DocumentsFace : public testing::TestWithParam<const char*> {
 protected:
  /// With the back end that reopens, each call comes after the store was closed and opened.
  virtual Documents& face() { return back_end_->stores().documents(); }
  Result<Added> add(const TenantId& tenant, NewDocument document) {
    return ground_.run(face().add(tenant, std::move(document), ground_.soon()));
  }
  void add_text(const std::string& id, const std::string& title, const std::string& heading,
                const std::string& text, const std::string& collection = "notes") {
    NewDocument out;
    out.id = DocumentId(id);
    out.collection = CollectionName(collection);
    out.title = title;
    out.source = id + ".txt";
    out.media_type = "text/plain";
    out.sha256 = "hash of " + id;
    out.chunks.push_back({text, 0, text.size(), heading});
    ASSERT_TRUE(add(clinic_, out).ok());
  }
  Result<DocumentInfo> get(const TenantId& tenant, const std::string& id) {
    return ground_.run(face().get(tenant, DocumentId(id), ground_.soon()));
  }
  Result<std::vector<Chunk>> chunks(const TenantId& tenant, const std::string& id,
                                    std::uint64_t from, std::uint32_t limit) {
    return ground_.run(face().chunks(tenant, DocumentId(id), from, limit, ground_.soon()));
  }
  Result<PageOfDocuments> list(const TenantId& tenant, std::optional<CollectionName> collection,
                               const std::string& after, std::uint32_t limit) {
    return ground_.run(
        face().list(tenant, std::move(collection), DocumentId(after), limit, ground_.soon()));
  }
  Status erase(const TenantId& tenant, const std::string& id) {
    return ground_.run(face().erase(tenant, DocumentId(id), ground_.soon()));
  }
  std::vector<Passage> search(const std::string& text, std::uint32_t limit = 10,
                              std::optional<CollectionName> collection = {}) {
    PassageQuery query;
    query.tenant = clinic_;
    query.text = text;
    query.limit = limit;
    query.collection = std::move(collection);
    auto found = ground_.run(face().search(query, ground_.soon()));
    EXPECT_TRUE(found.ok()) << text << ": " << (found.ok() ? "" : found.error().detail);
    return found.ok() ? *found : std::vector<Passage>();
  }
  static std::vector<std::string> ids(const std::vector<Passage>& passages) {
    std::vector<std::string> out;
    for (const auto& passage : passages) out.push_back(passage.document.text());
    return out;
  }

  Result<Begun> begin(NewDocument head) {
    return ground_.run(face().begin(clinic_, std::move(head), ground_.soon()));
  }
  Result<std::uint64_t> append(const std::string& id, std::uint64_t first,
                               std::vector<Chunk> chunks, const std::string& checkpoint) {
    return ground_.run(face().append(clinic_, DocumentId(id), first, std::move(chunks), checkpoint,
                                     ground_.soon()));
  }
  static std::uint64_t count(const Result<std::uint64_t>& result) {
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().detail);
    return result.ok() ? *result : 0;
  }
  Result<Added> finish(const std::string& id, const std::string& sha256, std::uint64_t size = 17,
                       const std::string& title = "") {
    return ground_.run(
        face().finish(clinic_, DocumentId(id), sha256, Bytes{size}, title, ground_.soon()));
  }
  Status abandon(const std::string& id) {
    return ground_.run(face().abandon(clinic_, DocumentId(id), ground_.soon()));
  }
  /// Until nothing is left; how many calls that took.
  int sweep_all() {
    for (int calls = 1; calls < 10'000; ++calls) {
      auto more = ground_.run(face().sweep(ground_.soon()));
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !*more) return calls;
    }
    ADD_FAILURE() << "sweeping does not end";
    return 0;
  }
  std::vector<CollectionInfo> collections(const TenantId& tenant) {
    auto out = ground_.run(face().collections(tenant, ground_.soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : std::vector<CollectionInfo>();
  }
  Found find(PassageQuery query) {
    if (query.tenant.empty()) query.tenant = clinic_;
    auto found = ground_.run(face().find(std::move(query), ground_.soon()));
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().detail);
    return found.ok() ? *found : Found();
  }
  std::vector<std::int64_t> visible(DocumentFilter filter = {}) {
    auto out = ground_.run(face().visible(clinic_, std::move(filter), ground_.soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : std::vector<std::int64_t>();
  }
  static std::vector<Chunk> chunks_from(std::uint64_t first, std::uint64_t count,
                                        const std::string& word) {
    std::vector<Chunk> out;
    for (std::uint64_t i = first; i < first + count; ++i) {
      out.push_back({word + " " + std::to_string(i),
                     i * 10 + 1,
                     i * 10 + 9,
                     "Part " + std::to_string(i),
                     {}});
    }
    return out;
  }

  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
  const TenantId clinic_{"clinic"};
  const TenantId school_{"school"};
};

}  // namespace mainstay::storage
