// Documents of any size, stored piece by piece: when they are seen, how an ingest goes on, and that
// nothing of one that stopped or was erased remains.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

NewDocument head_of(int n, const std::string& collection = "notes") {
  NewDocument head = document_of(n, collection);
  head.chunks.clear();
  head.sha256 = "";
  head.size = Bytes{};
  return head;
}

// proves K1
TEST_P(DocumentsFace, a_document_is_seen_when_it_is_finished_and_not_before) {
  auto begun = begin(head_of(1));
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->document.state, DocumentState::ingesting);
  EXPECT_EQ(begun->document.chunks, 0u);
  EXPECT_EQ(begun->checkpoint, "");
  EXPECT_EQ(count(append("doc_1", 0, chunks_from(0, 3, "walrus"), "at 30")), 3u);
  EXPECT_EQ(count(append("doc_1", 3, chunks_from(3, 2, "walrus"), "at 50")), 5u);
  EXPECT_TRUE(search("walrus").empty());
  EXPECT_TRUE(list(clinic_, {}, "", 9)->items.empty());
  EXPECT_TRUE(visible().empty());
  EXPECT_EQ(chunks(clinic_, "doc_1", 0, 9).error().reason, "unknown_document");
  auto info = get(clinic_, "doc_1");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->state, DocumentState::ingesting);
  EXPECT_EQ(info->chunks, 5u);
  const auto before = face().version();
  auto added = finish("doc_1", "sha 1", 1234, "Title 1");
  ASSERT_TRUE(added.ok());
  EXPECT_FALSE(added->existed);
  EXPECT_FALSE(added->replaced);
  if (!back_end_->restarts()) EXPECT_NE(face().version(), before);
  EXPECT_EQ(added->document.sha256, "sha 1");
  EXPECT_EQ(added->document.size.value, 1234u);
  EXPECT_EQ(added->document.chunks, 5u);
  EXPECT_EQ(search("walrus").size(), 5u);
  EXPECT_EQ(visible(), (std::vector<std::int64_t>{added->document.number}));
  auto stored = chunks(clinic_, "doc_1", 0, 9);
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ(stored->size(), 5u);
  EXPECT_EQ((*stored)[4].text, "walrus 4");
  EXPECT_EQ((*stored)[4].begin, 41u);
  EXPECT_EQ(get(clinic_, "doc_1")->state, DocumentState::ready);
}

TEST_P(DocumentsFace, an_ingest_goes_on_where_it_stopped) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  ASSERT_TRUE(append("doc_1", 0, chunks_from(0, 4, "otter"), "byte 400").ok());
  auto again = begin(head_of(1));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->checkpoint, "byte 400");
  EXPECT_EQ(again->document.chunks, 4u);
  EXPECT_EQ(again->document.state, DocumentState::ingesting);
  // What was stored already is passed over, whole or in part.
  EXPECT_EQ(count(append("doc_1", 0, chunks_from(0, 4, "otter"), "byte 0")), 4u);
  EXPECT_EQ(count(append("doc_1", 2, chunks_from(2, 1, "otter"), "byte 0")), 4u);
  EXPECT_EQ(begin(head_of(1))->checkpoint, "byte 400");
  EXPECT_EQ(count(append("doc_1", 2, chunks_from(2, 5, "otter"), "byte 700")), 7u);
  EXPECT_EQ(begin(head_of(1))->checkpoint, "byte 700");
  EXPECT_EQ(count(append("doc_1", 7, {}, "byte 720")), 7u);
  EXPECT_EQ(begin(head_of(1))->checkpoint, "byte 720");
  EXPECT_EQ(append("doc_1", 8, chunks_from(8, 1, "otter"), "").error().reason, "chunks_missing");
  ASSERT_TRUE(finish("doc_1", "sha").ok());
  EXPECT_EQ(search("otter", 20).size(), 7u);
  EXPECT_EQ(chunks(clinic_, "doc_1", 6, 9)->at(0).text, "otter 6");
  // And when it is finished, it says so.
  auto done = begin(head_of(1));
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->document.state, DocumentState::ready);
  EXPECT_FALSE(done->existed);
  auto finished = finish("doc_1", "sha");
  ASSERT_TRUE(finished.ok());
  EXPECT_FALSE(finished->existed);
  EXPECT_EQ(append("doc_1", 7, chunks_from(7, 1, "otter"), "").error().reason, "unknown_document");
}

TEST_P(DocumentsFace, pieces_have_a_largest_size) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  std::vector<Chunk> many(kAppendChunks + 1);
  EXPECT_EQ(append("doc_1", 0, many, "").error().code, Errc::too_large);
  std::vector<Chunk> large{{std::string(kAppendBytes, 'x'), 0, 1, "", {}}};
  EXPECT_EQ(count(append("doc_1", 0, large, "")), 1u);
  large[0].heading = "y";
  EXPECT_EQ(append("doc_1", 1, large, "").error().code, Errc::too_large);
  EXPECT_EQ(count(append("doc_1", 1, {}, std::string(kCheckpointBytes, 'c'))), 1u);
  EXPECT_EQ(append("doc_1", 1, {}, std::string(kCheckpointBytes + 1, 'c')).error().code,
            Errc::too_large);
}

TEST_P(DocumentsFace, the_same_content_of_a_source_finished_twice_is_there_once) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  NewDocument twin = head_of(2);
  twin.source = document_of(1).source;
  ASSERT_TRUE(begin(twin).ok());
  ASSERT_TRUE(append("doc_2", 0, chunks_from(0, 40, "lynx"), "x").ok());
  auto finished = finish("doc_2", "hash1");
  ASSERT_TRUE(finished.ok());
  EXPECT_TRUE(finished->existed);
  EXPECT_EQ(finished->document.id.text(), "doc_1");
  EXPECT_EQ(get(clinic_, "doc_2").error().code, Errc::not_found);
  EXPECT_TRUE(search("lynx").empty());
  sweep_all();
  EXPECT_TRUE(search("lynx").empty());
  EXPECT_EQ(search("chunk").size(), 3u);
  // Known from the start, nothing is begun.
  NewDocument known = head_of(3);
  known.source = twin.source;
  known.sha256 = "hash1";
  auto begun = begin(known);
  ASSERT_TRUE(begun.ok());
  EXPECT_TRUE(begun->existed);
  EXPECT_EQ(begun->document.id.text(), "doc_1");
  EXPECT_EQ(get(clinic_, "doc_3").error().code, Errc::not_found);
}

TEST_P(DocumentsFace, the_same_content_finished_under_another_source_is_another_document) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  ASSERT_TRUE(begin(head_of(2)).ok());
  ASSERT_TRUE(append("doc_2", 0, chunks_from(0, 2, "lynx"), "x").ok());
  auto finished = finish("doc_2", "hash1");
  ASSERT_TRUE(finished.ok());
  EXPECT_FALSE(finished->existed);
  EXPECT_FALSE(finished->replaced);
  EXPECT_EQ(search("lynx").size(), 2u);
  EXPECT_TRUE(get(clinic_, "doc_1").ok());
}

TEST_P(DocumentsFace, a_finished_document_replaces_the_older_of_its_source_in_that_moment) {
  NewDocument old = document_of(1);
  old.chunks = chunks_from(0, 50, "badger");
  ASSERT_TRUE(add(clinic_, old).ok());
  NewDocument head = head_of(2);
  head.source = old.source;
  ASSERT_TRUE(begin(head).ok());
  ASSERT_TRUE(append("doc_2", 0, chunks_from(0, 3, "marten"), "x").ok());
  EXPECT_EQ(search("badger", 99).size(), 50u);
  auto finished = finish("doc_2", "new sha");
  ASSERT_TRUE(finished.ok());
  EXPECT_TRUE(finished->replaced);
  EXPECT_TRUE(search("badger", 99).empty());
  EXPECT_EQ(search("marten").size(), 3u);
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 1u);
  sweep_all();
  EXPECT_EQ(search("marten").size(), 3u);
}

TEST_P(DocumentsFace, an_abandoned_document_leaves_nothing) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  ASSERT_TRUE(append("doc_1", 0, chunks_from(0, 200, "stoat"), "x").ok());
  ASSERT_TRUE(abandon("doc_1").ok());
  EXPECT_EQ(abandon("doc_1").error().code, Errc::not_found);
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(append("doc_1", 200, {}, "").error().code, Errc::not_found);
  EXPECT_EQ(finish("doc_1", "x").error().code, Errc::not_found);
  // Its id is free at once, and what comes under it is not mixed up with what is still swept.
  auto begun = begin(head_of(1));
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->document.chunks, 0u);
  EXPECT_EQ(begun->checkpoint, "");
  ASSERT_TRUE(append("doc_1", 0, chunks_from(0, 2, "stoat"), "x").ok());
  ASSERT_TRUE(finish("doc_1", "x").ok());
  EXPECT_EQ(search("stoat", 300).size(), 2u);
  sweep_all();
  EXPECT_EQ(search("stoat", 300).size(), 2u);
  EXPECT_EQ(abandon("doc_1").error().code, Errc::not_found) << "it is finished";
}

TEST_P(DocumentsFace, unfinished_documents_are_listed_for_upkeep_by_age) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  const WallTime between = ground_.clock.wall() + std::chrono::microseconds(1);
  ground_.clock.move(std::chrono::seconds(10));
  ASSERT_TRUE(ground_.run(face().begin(school_, head_of(2), ground_.soon())).ok());
  ASSERT_TRUE(add(clinic_, document_of(3)).ok());
  const auto unfinished = [&](WallTime before, std::uint32_t limit) {
    auto out = ground_.run(face().ingesting(before, limit, ground_.soon()));
    Ids seen;
    for (const auto& each : *out)
      seen.push_back(each.tenant.text() + " " + each.document.id.text());
    return seen;
  };
  const WallTime later = ground_.clock.wall() + std::chrono::seconds(1);
  EXPECT_EQ(unfinished(between, 9), (Ids{"clinic doc_1"}));
  EXPECT_EQ(unfinished(later, 9), (Ids{"clinic doc_1", "school doc_2"}));
  EXPECT_EQ(unfinished(later, 1), (Ids{"clinic doc_1"}));
  ASSERT_TRUE(finish("doc_1", "x").ok());
  EXPECT_EQ(unfinished(later, 9), (Ids{"school doc_2"}));
}

TEST_P(DocumentsFace, an_id_of_another_tenant_can_not_be_begun_appended_or_finished) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  auto other = ground_.run(face().begin(school_, head_of(1), ground_.soon()));
  EXPECT_EQ(other.error().reason, "already_exists");
  auto appended = ground_.run(
      face().append(school_, DocumentId("doc_1"), 0, chunks_from(0, 1, "x"), "", ground_.soon()));
  EXPECT_EQ(appended.error().code, Errc::not_found);
  auto finished =
      ground_.run(face().finish(school_, DocumentId("doc_1"), "x", Bytes{1}, "", ground_.soon()));
  EXPECT_EQ(finished.error().code, Errc::not_found);
  EXPECT_EQ(ground_.run(face().abandon(school_, DocumentId("doc_1"), ground_.soon())).error().code,
            Errc::not_found);
}

TEST_P(DocumentsFace, a_title_that_is_known_at_the_end_is_shown_and_searched) {
  NewDocument head = head_of(1);
  head.title = "upload.bin";
  ASSERT_TRUE(begin(head).ok());
  ASSERT_TRUE(append("doc_1", 0, chunks_from(0, 4, "seal"), "x").ok());
  ASSERT_TRUE(finish("doc_1", "sha", 5, "Habits of pinnipeds").ok());
  EXPECT_EQ(get(clinic_, "doc_1")->title, "Habits of pinnipeds");
  auto found = search("pinniped");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].title, "Habits of pinnipeds");
  EXPECT_TRUE(search("upload").empty());
  ASSERT_TRUE(erase(clinic_, "doc_1").ok());
  sweep_all();
  EXPECT_TRUE(search("pinniped").empty());
}

TEST_P(DocumentsFace, a_large_document_is_gone_at_once_and_swept_in_slices) {
  ASSERT_TRUE(begin(head_of(1)).ok());
  for (std::uint64_t first = 0; first < 600; first += 300) {
    ASSERT_TRUE(append("doc_1", first, chunks_from(first, 300, "puffin"), "x").ok());
  }
  ASSERT_TRUE(finish("doc_1", "sha").ok());
  add_text("other", "Other", "", "a puffin too");
  ASSERT_EQ(search("puffin", 1000).size(), 601u);
  const auto before = face().version();
  ASSERT_TRUE(erase(clinic_, "doc_1").ok());
  if (!back_end_->restarts()) EXPECT_NE(face().version(), before);
  EXPECT_EQ(ids(search("puffin", 1000)), (Ids{"other"}));
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 1u);
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(visible().size(), 1u);
  EXPECT_EQ(collections(clinic_).at(0).documents, 1u);
  const int calls = sweep_all();
  if (std::string(GetParam()) != "memory") EXPECT_GT(calls, 4);
  EXPECT_EQ(ids(search("puffin", 1000)), (Ids{"other"}));
  EXPECT_EQ(sweep_all(), 1);
}

TEST_P(DocumentsFace, pages_and_numbers_of_chunks_are_kept) {
  NewDocument document = document_of(1);
  document.chunks[0].page = 1;
  document.chunks[2].page = 7;
  auto added = add(clinic_, document);
  ASSERT_TRUE(added.ok());
  auto stored = chunks(clinic_, "doc_1", 0, 9);
  EXPECT_EQ((*stored)[0].page, 1u);
  EXPECT_FALSE((*stored)[1].page.has_value());
  EXPECT_EQ((*stored)[2].page, 7u);
  auto found = search("part 2");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].page, 7u);
  EXPECT_EQ(found[0].number, chunk_number(added->document.number, 2));
  EXPECT_EQ(document_number(found[0].number), added->document.number);
}

}  // namespace
}  // namespace mainstay::storage
