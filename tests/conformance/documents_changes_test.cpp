// Documents that become another one: new content under the same name, another title, other tags,
// another collection; and the small picture that some have.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

class DocumentChangesFace : public DocumentsFace {
 protected:
  Result<Added> finish_as(const std::string& id, const std::string& as, const std::string& sha256,
                          const std::string& title = "") {
    return ground_.run(face().finish_as(clinic_, DocumentId(id), DocumentId(as), sha256, Bytes{9},
                                        title, ground_.soon()));
  }
  Result<DocumentInfo> update(const std::string& id, DocumentChanges changes) {
    return ground_.run(face().update(clinic_, DocumentId(id), std::move(changes), ground_.soon()));
  }
  static NewDocument head(const std::string& id, const std::string& collection = "notes") {
    NewDocument out;
    out.id = DocumentId(id);
    out.collection = CollectionName(collection);
    out.title = "Title of " + id;
    out.source = "a.txt";
    out.media_type = "text/plain";
    return out;
  }
  /// A ready document of so many chunks.
  void large(const std::string& id, std::uint64_t chunks) {
    NewDocument first = head(id);
    first.source = id;
    ASSERT_TRUE(begin(first).ok());
    for (std::uint64_t at = 0; at < chunks;) {
      const auto some = std::min<std::uint64_t>(1024, chunks - at);
      ASSERT_TRUE(append(id, at, chunks_from(at, some, "kelp"), "x").ok());
      at += some;
    }
    ASSERT_TRUE(finish(id, "sha of " + id).ok());
  }
  Result<std::string> thumbnail(const std::string& id) {
    return ground_.run(face().thumbnail(clinic_, DocumentId(id), ground_.soon()));
  }
};
INSTANTIATE_TEST_SUITE_P(Over, DocumentChangesFace, testing::ValuesIn(kTalkBackEnds),
                         back_end_name);

// proves that new content replaces the old only when it is whole
TEST_P(DocumentChangesFace, new_content_takes_the_old_ones_place_in_one_moment) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  const auto before = get(clinic_, "doc_a");
  ASSERT_TRUE(begin(head("doc_b")).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 2, "otter"), "x").ok());
  EXPECT_EQ(ids(search("walrus")), Ids{"doc_a"});
  EXPECT_TRUE(search("otter").empty());
  auto added = finish_as("doc_b", "doc_a", "sha new");
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_TRUE(added->replaced);
  EXPECT_FALSE(added->existed);
  EXPECT_EQ(added->document.id.text(), "doc_a");
  EXPECT_EQ(micros(added->document.created), micros(before->created));
  EXPECT_TRUE(search("walrus").empty());
  EXPECT_EQ(ids(search("otter")), (Ids{"doc_a", "doc_a"}));
  EXPECT_EQ(get(clinic_, "doc_b").error().reason, "unknown_document");
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 1u);
  EXPECT_EQ(collections(clinic_)[0].documents, 1u);
  EXPECT_EQ(collections(clinic_)[0].chunks, 2u);
  auto again = finish_as("doc_b", "doc_a", "sha new");
  ASSERT_TRUE(again.ok()) << "an attempt whose answer was lost";
  EXPECT_EQ(again->document.id.text(), "doc_a");
  sweep_all();
  EXPECT_EQ(ids(search("otter")), (Ids{"doc_a", "doc_a"}));
}

TEST_P(DocumentChangesFace, the_same_content_may_take_its_own_place) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  ASSERT_TRUE(begin(head("doc_b")).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "walrus"), "x").ok());
  auto added = finish_as("doc_b", "doc_a", "hash of doc_a");
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(search("walrus").size(), 1u);
}

TEST_P(DocumentChangesFace, the_content_of_another_source_may_take_a_place) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  add_text("doc_c", "Other", "", "the puffin flies");
  ASSERT_TRUE(begin(head("doc_b")).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "puffin"), "x").ok());
  ASSERT_TRUE(finish_as("doc_b", "doc_a", "hash of doc_c").ok());
  EXPECT_EQ(search("puffin").size(), 2u);
}

TEST_P(DocumentChangesFace, what_cannot_take_a_place_leaves_the_old_document) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  add_text("doc_c", "Other", "", "the puffin flies");
  ASSERT_TRUE(begin(head("doc_b")).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "otter"), "x").ok());
  NewDocument nameless = head("doc_d");
  nameless.source = "";
  nameless.sha256 = "hash of doc_d";
  nameless.chunks = chunks_from(0, 1, "heron");
  ASSERT_TRUE(add(clinic_, nameless).ok());
  nameless.id = DocumentId("doc_e");
  nameless.sha256 = "";
  nameless.chunks.clear();
  ASSERT_TRUE(begin(nameless).ok());
  EXPECT_EQ(finish_as("doc_e", "doc_a", "hash of doc_d").error().reason, "same_content")
      << "two without a source";
  EXPECT_EQ(finish_as("doc_b", "doc_x", "sha").error().reason, "unknown_document");
  EXPECT_EQ(finish_as("doc_x", "doc_a", "sha").error().reason, "unknown_document");
  auto foreign = ground_.run(face().finish_as(school_, DocumentId("doc_b"), DocumentId("doc_a"),
                                              "sha", Bytes{1}, "", ground_.soon()));
  EXPECT_FALSE(foreign.ok());
  EXPECT_EQ(ids(search("walrus")), Ids{"doc_a"});
  ASSERT_TRUE(erase(clinic_, "doc_a").ok());
  EXPECT_EQ(finish_as("doc_b", "doc_a", "sha").error().reason, "unknown_document")
      << "deleted while it was read again";
  EXPECT_TRUE(abandon("doc_b").ok());
}

TEST_P(DocumentChangesFace, another_title_is_shown_and_found) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  DocumentChanges changes;
  changes.title = "Harbour seals";
  auto info = update("doc_a", changes);
  ASSERT_TRUE(info.ok()) << info.error().detail;
  EXPECT_EQ(info->title, "Harbour seals");
  EXPECT_EQ(get(clinic_, "doc_a")->title, "Harbour seals");
  EXPECT_EQ(ids(search("harbour")), Ids{"doc_a"});
  EXPECT_TRUE(search("Old").empty());
  ASSERT_TRUE(erase(clinic_, "doc_a").ok());
  sweep_all();
  EXPECT_TRUE(search("harbour").empty()) << "nothing of it stays in the index";
}

TEST_P(DocumentChangesFace, other_tags_and_another_collection_filter_from_now_on) {
  add_text("doc_a", "Seals", "", "the walrus sleeps");
  DocumentChanges changes;
  changes.tags = {{"sea", "cold", "sea"}};
  changes.collection = CollectionName("ice");
  auto info = update("doc_a", changes);
  ASSERT_TRUE(info.ok()) << info.error().detail;
  EXPECT_EQ(info->tags, (std::vector<std::string>{"cold", "sea"}));
  EXPECT_EQ(ids(search("walrus", 10, CollectionName("ice"))), Ids{"doc_a"});
  EXPECT_TRUE(search("walrus", 10, CollectionName("notes")).empty());
  PassageQuery tagged;
  tagged.text = "walrus";
  tagged.tags = {"cold"};
  EXPECT_EQ(find(tagged).passages.size(), 1u);
  tagged.tags = {"warm"};
  EXPECT_TRUE(find(tagged).passages.empty());
  const auto all = collections(clinic_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name.text(), "ice");
  EXPECT_EQ(all[0].documents, 1u);
  EXPECT_EQ(all[1].documents, 0u);
  EXPECT_EQ(all[1].chunks, 0u);
  EXPECT_EQ(all[1].size.value, 0u);
  EXPECT_EQ(list(clinic_, CollectionName("ice"), "", 9)->items.size(), 1u);
}

TEST_P(DocumentChangesFace, a_change_that_cannot_be_changes_nothing) {
  add_text("doc_a", "Seals", "", "the walrus sleeps");
  add_text("doc_b", "Seals", "", "the walrus sleeps", "ice");
  NewDocument same = document_of(1, "ice");
  same.source = "doc_a.txt";
  ASSERT_TRUE(add(clinic_, same).ok());
  DocumentChanges changes;
  changes.collection = CollectionName("ice");
  EXPECT_EQ(update("doc_a", changes).error().reason, "same_content");
  EXPECT_EQ(get(clinic_, "doc_a")->collection.text(), "notes");
  changes = {};
  changes.tags = {{std::string(65, 't')}};
  EXPECT_EQ(update("doc_a", changes).error().field, "tags");
  changes.tags = {{"fine"}};
  EXPECT_EQ(update("doc_x", changes).error().reason, "unknown_document");
  auto foreign = ground_.run(face().update(school_, DocumentId("doc_a"), changes, ground_.soon()));
  EXPECT_EQ(foreign.error().reason, "unknown_document");
}

TEST_P(DocumentChangesFace, a_large_document_says_that_it_is_made_anew) {
  large("doc_at", kChangedAtOnce);
  large("doc_over", kChangedAtOnce + 1);
  DocumentChanges changes;
  changes.tags = {{"sea"}};
  EXPECT_TRUE(update("doc_at", changes).ok());
  EXPECT_EQ(update("doc_over", changes).error().reason, "document_large");
  changes = {};
  changes.title = "Kelp";
  EXPECT_TRUE(update("doc_over", changes).ok()) << "a title is no matter of size";
}

TEST_P(DocumentChangesFace, a_small_picture_comes_and_goes_with_its_document) {
  NewDocument picture = document_of(1);
  picture.thumbnail = std::string("\xff\xd8\xff\0 a picture", 14);
  const std::string bytes = picture.thumbnail;
  ASSERT_TRUE(add(clinic_, picture).ok());
  ASSERT_TRUE(add(clinic_, document_of(2)).ok());
  EXPECT_EQ(*thumbnail("doc_1"), bytes);
  EXPECT_EQ(*thumbnail("doc_2"), "");
  EXPECT_EQ(thumbnail("doc_3").error().reason, "unknown_document");
  EXPECT_FALSE(ground_.run(face().thumbnail(school_, DocumentId("doc_1"), ground_.soon())).ok());
  NewDocument other = head("doc_4");
  other.thumbnail = "another";
  ASSERT_TRUE(begin(other).ok());
  EXPECT_FALSE(thumbnail("doc_4").ok()) << "not before it is ready";
  ASSERT_TRUE(append("doc_4", 0, chunks_from(0, 1, "otter"), "x").ok());
  ASSERT_TRUE(finish_as("doc_4", "doc_1", "sha 4").ok());
  EXPECT_EQ(*thumbnail("doc_1"), "another");
  ASSERT_TRUE(erase(clinic_, "doc_1").ok());
  EXPECT_FALSE(thumbnail("doc_1").ok());
  NewDocument huge = document_of(5);
  huge.thumbnail = std::string(kThumbnailMax + 1, 'x');
  EXPECT_FALSE(add(clinic_, huge).ok());
  huge.thumbnail.pop_back();
  EXPECT_TRUE(add(clinic_, huge).ok());
}

}  // namespace
}  // namespace mainstay::storage
