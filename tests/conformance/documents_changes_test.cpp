// Documents that become another one: new content under the same name, another title, other tags,
// another collection; and the small picture that some have.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

class DocumentChangesFace : public DocumentsFace {
 protected:
  Result<Added> finish_as(const std::string& id, const std::string& as, const std::string& sha256,
                          const std::string& title = "") {
    Takeover place;
    place.as = DocumentId(as);
    place.title = title;
    return finish_as(id, place, sha256);
  }
  Result<Added> finish_as(const std::string& id, const Takeover& place, const std::string& sha256) {
    return ground_.run(
        face().finish_as(clinic_, DocumentId(id), place, sha256, Bytes{9}, ground_.soon()));
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
  nameless.id = DocumentId("doc_f");
  nameless.sha256 = "hash of doc_f";
  ASSERT_TRUE(add(clinic_, nameless).ok());
  nameless.id = DocumentId("doc_e");
  nameless.sha256 = "";
  nameless.chunks.clear();
  ASSERT_TRUE(begin(nameless).ok());
  EXPECT_EQ(finish_as("doc_e", "doc_f", "hash of doc_d").error().reason, "same_content")
      << "two without a source";
  EXPECT_EQ(finish_as("doc_b", "doc_x", "sha").error().reason, "unknown_document");
  EXPECT_EQ(finish_as("doc_x", "doc_a", "sha").error().reason, "unknown_document");
  Takeover place;
  place.as = DocumentId("doc_a");
  auto foreign = ground_.run(
      face().finish_as(school_, DocumentId("doc_b"), place, "sha", Bytes{1}, ground_.soon()));
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

TEST_P(DocumentChangesFace, a_copy_takes_no_place_once_what_it_was_copied_from_is_gone) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  Takeover copy;
  copy.as = DocumentId("doc_a");
  copy.copied = get(clinic_, "doc_a")->number;
  NewDocument part = head("doc_b");
  part.source = "doc_a.txt";
  ASSERT_TRUE(begin(part).ok());
  EXPECT_EQ(finish_as("doc_b", copy, "hash of doc_a").error().reason, "document_changed")
      << "it has none of the passages";
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "walrus"), "x").ok());
  ASSERT_TRUE(begin(head("doc_c")).ok());
  ASSERT_TRUE(append("doc_c", 0, chunks_from(0, 1, "otter"), "x").ok());
  ASSERT_TRUE(finish_as("doc_c", "doc_a", "sha new").ok());
  EXPECT_EQ(finish_as("doc_b", copy, "hash of doc_a").error().reason, "document_changed");
  EXPECT_EQ(ids(search("otter")), Ids{"doc_a"});
  EXPECT_TRUE(search("walrus").empty());
  EXPECT_EQ(get(clinic_, "doc_a")->sha256, "sha new");
  copy.copied = get(clinic_, "doc_a")->number;
  EXPECT_TRUE(finish_as("doc_b", copy, "sha new").ok());
}

TEST_P(DocumentChangesFace, a_place_keeps_its_source_whatever_the_new_file_is_called) {
  NewDocument nameless = document_of(1);
  nameless.source = "";
  ASSERT_TRUE(add(clinic_, nameless).ok());
  add_text("doc_a", "Precious", "", "the walrus sleeps");
  NewDocument file = head("doc_b");
  file.source = "doc_a.txt";
  ASSERT_TRUE(begin(file).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "otter"), "x").ok());
  auto added = finish_as("doc_b", "doc_1", "sha new");
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_EQ(added->document.source, "");
  EXPECT_EQ(get(clinic_, "doc_1")->source, "");
  EXPECT_EQ(ids(search("walrus")), Ids{"doc_a"});
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 2u);
}

TEST_P(DocumentChangesFace, a_document_does_not_move_over_another_one_of_its_source) {
  add_text("doc_a", "Small", "", "the walrus sleeps");
  large("doc_large", kChangedAtOnce + 1);
  NewDocument there = document_of(1, "ice");
  there.source = "doc_a.txt";
  ASSERT_TRUE(add(clinic_, there).ok());
  there = document_of(2, "ice");
  there.source = "doc_large";
  ASSERT_TRUE(add(clinic_, there).ok());
  DocumentChanges changes;
  changes.collection = CollectionName("ice");
  EXPECT_EQ(update("doc_large", changes).error().reason, "same_content")
      << "known before a job is made for it";
  NewDocument copy = head("doc_b", "ice");
  copy.source = "doc_a.txt";
  ASSERT_TRUE(begin(copy).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "walrus"), "x").ok());
  Takeover place;
  place.as = DocumentId("doc_a");
  place.copied = get(clinic_, "doc_a")->number;
  place.brings_collection = true;
  EXPECT_EQ(finish_as("doc_b", place, "hash of doc_a").error().reason, "same_content");
  EXPECT_TRUE(get(clinic_, "doc_1").ok());
  EXPECT_EQ(ids(search("walrus")), Ids{"doc_a"});
  ASSERT_TRUE(erase(clinic_, "doc_1").ok());
  ASSERT_TRUE(finish_as("doc_b", place, "hash of doc_a").ok());
  EXPECT_EQ(get(clinic_, "doc_a")->collection.text(), "ice");
  changes.collection = CollectionName("snow");
  EXPECT_EQ(update("doc_large", changes).error().reason, "document_large");
  EXPECT_EQ(collections(clinic_).size(), 2u) << "no collection comes of what is refused";
}

TEST_P(DocumentChangesFace, what_new_content_does_not_bring_stays_as_it_is_by_then) {
  add_text("doc_a", "Old", "", "the walrus sleeps");
  ASSERT_TRUE(begin(head("doc_b")).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "otter"), "x").ok());
  DocumentChanges changes;
  changes.title = "Renamed harbour";
  ASSERT_TRUE(update("doc_a", changes).ok());
  changes = {};
  changes.tags = {{"sea"}};
  ASSERT_TRUE(update("doc_a", changes).ok());
  EXPECT_EQ(finish_as("doc_b", "doc_a", "sha new").error().reason, "document_changed");
  EXPECT_EQ(ids(search("walrus")), Ids{"doc_a"});
  ASSERT_TRUE(abandon("doc_b").ok());
  NewDocument again = head("doc_b");
  again.tags = {"sea"};
  ASSERT_TRUE(begin(again).ok());
  ASSERT_TRUE(append("doc_b", 0, chunks_from(0, 1, "otter"), "x").ok());
  ASSERT_TRUE(finish_as("doc_b", "doc_a", "sha new").ok());
  EXPECT_EQ(get(clinic_, "doc_a")->title, "Renamed harbour");
  EXPECT_EQ(ids(search("harbour")), Ids{"doc_a"});
  EXPECT_EQ(get(clinic_, "doc_a")->tags, std::vector<std::string>{"sea"});
  changes = {};
  changes.collection = CollectionName("ice");
  ASSERT_TRUE(begin(head("doc_c")).ok());
  ASSERT_TRUE(update("doc_a", changes).ok());
  Takeover place;
  place.as = DocumentId("doc_a");
  place.title = "Its own";
  place.brings_tags = true;
  EXPECT_EQ(finish_as("doc_c", place, "sha c").error().reason, "document_changed");
  place.brings_collection = true;
  ASSERT_TRUE(finish_as("doc_c", place, "sha c").ok());
  EXPECT_EQ(get(clinic_, "doc_a")->title, "Its own");
  EXPECT_TRUE(get(clinic_, "doc_a")->tags.empty());
  EXPECT_EQ(get(clinic_, "doc_a")->collection.text(), "notes");
}

TEST_P(DocumentChangesFace, of_two_contents_of_a_source_the_one_accepted_later_stays) {
  const WallTime past = ground_.clock.wall() - std::chrono::hours(1);
  const auto at = [past](int seconds) { return past + std::chrono::seconds(seconds); };
  NewDocument older = head("doc_old");
  older.accepted = at(1);
  ASSERT_TRUE(begin(older).ok());
  ASSERT_TRUE(append("doc_old", 0, chunks_from(0, 40, "walrus"), "x").ok());
  NewDocument newer = head("doc_new");
  newer.accepted = at(2);
  newer.sha256 = "sha new";
  newer.chunks = chunks_from(0, 1, "otter");
  ASSERT_TRUE(add(clinic_, newer).ok());
  auto late = finish("doc_old", "sha old");
  ASSERT_TRUE(late.ok()) << late.error().detail;
  EXPECT_TRUE(late->superseded);
  EXPECT_FALSE(late->replaced);
  EXPECT_EQ(late->document.id.text(), "doc_new");
  EXPECT_EQ(get(clinic_, "doc_old").error().reason, "unknown_document");
  older.id = DocumentId("doc_small");
  older.sha256 = "sha small";
  older.chunks = chunks_from(0, 1, "walrus");
  EXPECT_TRUE(add(clinic_, older)->superseded);
  EXPECT_TRUE(search("walrus").empty());
  EXPECT_EQ(collections(clinic_)[0].documents, 1u);
  newer.id = DocumentId("doc_again");
  newer.accepted = at(9);
  EXPECT_TRUE(add(clinic_, newer)->existed);
  older.accepted = at(5);
  EXPECT_TRUE(add(clinic_, older)->superseded) << "what is there was asked for again later";
  older.accepted = at(10);
  EXPECT_TRUE(add(clinic_, older)->replaced);
}

// A computer that began without knowing the time took no new content until the false time had come.
TEST_P(DocumentChangesFace, what_was_accepted_in_a_time_that_has_not_come_keeps_nothing_out) {
  const WallTime now = ground_.clock.wall();
  NewDocument ahead = head("doc_ahead");
  ahead.accepted = now + std::chrono::hours(5);
  ahead.chunks = chunks_from(0, 1, "walrus");
  ASSERT_TRUE(add(clinic_, ahead).ok());
  NewDocument read = head("doc_read");
  read.accepted = now;
  ASSERT_TRUE(begin(read).ok());
  ASSERT_TRUE(append("doc_read", 0, chunks_from(0, 1, "heron"), "x").ok());
  EXPECT_TRUE(finish("doc_read", "sha read")->replaced);
  ahead.id = DocumentId("doc_again");
  ahead.sha256 = "sha again";
  ASSERT_TRUE(add(clinic_, ahead)->replaced);
  read.id = DocumentId("doc_added");
  read.sha256 = "sha added";
  read.chunks = chunks_from(0, 1, "otter");
  EXPECT_TRUE(add(clinic_, read)->replaced);
}

TEST_P(DocumentChangesFace, of_two_contents_for_a_place_the_one_accepted_later_stays) {
  add_text("doc_a", "First", "", "the heron waits");
  const WallTime now = ground_.clock.wall();
  const auto waiting = [&](const std::string& id, int minutes) {
    NewDocument out = head(id);
    out.accepted = now + std::chrono::minutes(minutes);
    ASSERT_TRUE(begin(out).ok());
    ASSERT_TRUE(append(id, 0, chunks_from(0, 1, id.substr(4)), "x").ok());
  };
  waiting("doc_walrus", 1);
  waiting("doc_otter", 2);
  waiting("doc_copy", 3);
  ground_.clock.move(std::chrono::hours(1));
  ASSERT_TRUE(finish_as("doc_otter", "doc_a", "sha otter").ok());
  Takeover copy;
  copy.as = DocumentId("doc_a");
  copy.copied = get(clinic_, "doc_a")->number;
  ASSERT_TRUE(finish_as("doc_copy", copy, "sha otter").ok());
  auto late = finish_as("doc_walrus", "doc_a", "sha walrus");
  ASSERT_TRUE(late.ok()) << late.error().detail;
  EXPECT_TRUE(late->superseded);
  EXPECT_EQ(late->document.sha256, "sha otter");
  EXPECT_TRUE(search("walrus").empty());
  EXPECT_EQ(get(clinic_, "doc_walrus").error().reason, "unknown_document");
  waiting("doc_heron", 2);
  EXPECT_TRUE(finish_as("doc_heron", "doc_a", "sha heron")->replaced)
      << "the moment of a content, not that of a copy of it";
}

TEST_P(DocumentChangesFace, a_held_collection_is_found_under_its_new_name_and_not_made_again) {
  const auto hold = [&](const std::string& name) {
    return *ground_.run(face().hold_collection(clinic_, CollectionName(name), ground_.soon()));
  };
  NewDocument late = document_of(1, "shelf");
  late.collection_number = hold("shelf");
  EXPECT_EQ(hold("shelf"), late.collection_number);
  ASSERT_TRUE(ground_
                  .run(face().rename_collection(clinic_, CollectionName("shelf"),
                                                CollectionName("case"), ground_.soon()))
                  .ok());
  auto added = add(clinic_, late);
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_EQ(added->document.collection.text(), "case");
  EXPECT_EQ(collections(clinic_).size(), 1u);
  NewDocument foreign = document_of(4, "case");
  foreign.collection_number = late.collection_number;
  EXPECT_EQ(add(school_, foreign).error().reason, "unknown_collection");
  ASSERT_TRUE(
      ground_.run(face().erase_collection(clinic_, CollectionName("case"), ground_.soon())).ok());
  NewDocument later = head("doc_2", "case");
  later.collection_number = late.collection_number;
  EXPECT_EQ(begin(later).error().reason, "unknown_collection");
  late.id = DocumentId("doc_3");
  EXPECT_EQ(add(clinic_, late).error().reason, "unknown_collection");
  EXPECT_TRUE(collections(clinic_).empty());
}

}  // namespace
}  // namespace mainstay::storage
