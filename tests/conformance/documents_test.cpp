// What every back end of documents must do with whole documents, and with questions.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(Over, DocumentsFace, testing::ValuesIn(kTalkBackEnds), back_end_name);

TEST_P(DocumentsFace, an_added_document_is_read_back_in_every_field) {
  const WallTime before = ground_.clock.wall();
  auto added = add(clinic_, document_of(1));
  ASSERT_TRUE(added.ok());
  EXPECT_FALSE(added->existed);
  EXPECT_FALSE(added->replaced);
  auto info = get(clinic_, "doc_1");
  ASSERT_TRUE(info.ok());
  for (const DocumentInfo& each : {added->document, *info}) {
    EXPECT_EQ(each.id.text(), "doc_1");
    EXPECT_EQ(each.collection.text(), "notes");
    EXPECT_EQ(each.title, "Title 1");
    EXPECT_EQ(each.source, "file1.md");
    EXPECT_EQ(each.media_type, "text/markdown");
    EXPECT_EQ(each.sha256, "hash1");
    EXPECT_EQ(each.size.value, 1017u);
    EXPECT_EQ(each.chunks, 3u);
    EXPECT_GE(each.created, before);
    EXPECT_LE(each.created, ground_.clock.wall());
  }
  auto stored = chunks(clinic_, "doc_1", 0, 10);
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ(stored->size(), 3u);
  EXPECT_EQ((*stored)[2].text, "chunk 2 of 1");
  EXPECT_EQ((*stored)[2].begin, 201u);
  EXPECT_EQ((*stored)[2].end, 290u);
  EXPECT_EQ((*stored)[2].heading, "Heading 1 > Part 2");
  EXPECT_EQ(chunks(clinic_, "doc_1", 1, 1)->at(0).text, "chunk 1 of 1");
  EXPECT_TRUE(chunks(clinic_, "doc_1", 3, 5)->empty());
}

TEST_P(DocumentsFace, the_same_content_of_a_source_again_changes_nothing) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  NewDocument again = document_of(2);
  again.sha256 = "hash1";
  again.source = "file1.md";
  again.tags = {"other"};
  auto added = add(clinic_, again);
  ASSERT_TRUE(added.ok());
  EXPECT_TRUE(added->existed);
  EXPECT_EQ(added->document.id.text(), "doc_1");
  EXPECT_EQ(added->document.title, "Title 1");
  EXPECT_TRUE(added->document.tags.empty());
  EXPECT_EQ(get(clinic_, "doc_2").error().code, Errc::not_found);
  again.collection = CollectionName("other");
  EXPECT_FALSE(add(clinic_, again)->existed) << "another collection has its own";
  NewDocument nameless = document_of(4);
  nameless.source = "";
  EXPECT_FALSE(add(clinic_, nameless)->existed);
  nameless.id = DocumentId("doc_5");
  EXPECT_TRUE(add(clinic_, nameless)->existed) << "no source is the same source too";
}

TEST_P(DocumentsFace, the_same_content_of_two_sources_is_two_documents) {
  NewDocument a = document_of(1);
  NewDocument b = document_of(2);
  b.sha256 = a.sha256;
  b.chunks = a.chunks;
  ASSERT_TRUE(add(clinic_, a).ok());
  auto other = add(clinic_, b);
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(other->existed);
  EXPECT_FALSE(other->replaced);
  EXPECT_EQ(other->document.id.text(), "doc_2");
  NewDocument changed = document_of(3);
  changed.source = a.source;
  changed.chunks[0].text = "zebra";
  auto replaced = add(clinic_, changed);
  ASSERT_TRUE(replaced.ok());
  EXPECT_TRUE(replaced->replaced);
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_TRUE(get(clinic_, "doc_2").ok()) << "what was answered for is kept";
  EXPECT_EQ(chunks(clinic_, "doc_2", 0, 9)->at(0).text, "chunk 0 of 1");
}

TEST_P(DocumentsFace, new_content_of_a_source_replaces_the_old) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  NewDocument next = document_of(2);
  next.source = "file1.md";
  next.chunks[0].text = "zebra";
  auto added = add(clinic_, next);
  ASSERT_TRUE(added.ok());
  EXPECT_TRUE(added->replaced);
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(get(clinic_, "doc_2")->source, "file1.md");
  EXPECT_EQ(ids(search("zebra")), (Ids{"doc_2"}));
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 1u);
}

TEST_P(DocumentsFace, documents_without_a_source_stand_side_by_side) {
  NewDocument one = document_of(1);
  NewDocument two = document_of(2);
  one.source = two.source = "";
  ASSERT_TRUE(add(clinic_, one).ok());
  ASSERT_FALSE(add(clinic_, two)->replaced);
  EXPECT_EQ(list(clinic_, {}, "", 9)->items.size(), 2u);
}

TEST_P(DocumentsFace, an_id_used_twice_is_a_conflict_and_changes_nothing) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  NewDocument clash = document_of(2);
  clash.id = DocumentId("doc_1");
  auto refused = add(school_, clash);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(get(clinic_, "doc_1")->title, "Title 1");
  EXPECT_TRUE(list(school_, {}, "", 9)->items.empty());
}

TEST_P(DocumentsFace, another_tenants_document_is_not_found_by_any_verb) {
  ASSERT_TRUE(add(clinic_, document_of(1)).ok());
  EXPECT_EQ(get(school_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(get(school_, "doc_1").error().reason, "unknown_document");
  EXPECT_EQ(chunks(school_, "doc_1", 0, 5).error().code, Errc::not_found);
  EXPECT_EQ(erase(school_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(list(school_, {}, "doc_1", 5).error().code, Errc::not_found);
  EXPECT_TRUE(list(school_, {}, "", 5)->items.empty());
  PassageQuery query;
  query.tenant = school_;
  query.text = "chunk";
  EXPECT_TRUE(ground_.run(face().search(query, ground_.soon()))->empty());
  EXPECT_FALSE(add(school_, document_of(9))->existed);
  EXPECT_TRUE(get(clinic_, "doc_1").ok());
}

TEST_P(DocumentsFace, documents_are_listed_newest_first_in_pages_and_by_collection) {
  for (int n = 1; n <= 5; ++n) {
    ASSERT_TRUE(add(clinic_, document_of(n, n % 2 == 0 ? "even" : "odd")).ok());
  }
  const auto walk = [&](std::optional<CollectionName> collection, std::uint32_t limit) {
    Ids seen;
    for (;;) {
      auto page = list(clinic_, collection, seen.empty() ? "" : seen.back(), limit);
      EXPECT_TRUE(page.ok());
      EXPECT_LE(page->items.size(), limit);
      for (const auto& item : page->items) seen.push_back(item.id.text());
      if (!page->more) return seen;
    }
  };
  for (std::uint32_t limit : {1u, 2u, 5u, 6u}) {
    EXPECT_EQ(walk({}, limit), (Ids{"doc_5", "doc_4", "doc_3", "doc_2", "doc_1"}));
    EXPECT_EQ(walk(CollectionName("odd"), limit), (Ids{"doc_5", "doc_3", "doc_1"}));
    EXPECT_EQ(walk(CollectionName("none"), limit), Ids{});
  }
}

TEST_P(DocumentsFace, a_page_goes_on_behind_a_document_that_was_erased_meanwhile) {
  if (back_end_->restarts()) GTEST_SKIP() << "known until the next start";
  for (int n = 1; n <= 5; ++n) {
    ASSERT_TRUE(add(clinic_, document_of(n, n % 2 == 0 ? "even" : "odd")).ok());
  }
  const auto behind = [&](const std::string& id, std::optional<CollectionName> collection) {
    Ids out;
    auto page = list(clinic_, collection, id, 9);
    EXPECT_TRUE(page.ok()) << id;
    for (std::size_t i = 0; page.ok() && i < page->items.size(); ++i) {
      out.push_back(page->items[i].id.text());
    }
    return out;
  };
  ASSERT_TRUE(erase(clinic_, "doc_4").ok());
  ASSERT_TRUE(erase(clinic_, "doc_3").ok());
  EXPECT_EQ(behind("doc_4", {}), (Ids{"doc_2", "doc_1"}));
  EXPECT_EQ(behind("doc_3", {}), (Ids{"doc_2", "doc_1"}));
  EXPECT_EQ(behind("doc_3", CollectionName("odd")), (Ids{"doc_1"}));
  EXPECT_EQ(behind("doc_5", {}), (Ids{"doc_2", "doc_1"}));
  EXPECT_EQ(list(school_, {}, "doc_3", 9).error().code, Errc::not_found);
}

TEST_P(DocumentsFace, an_erased_document_is_neither_listed_nor_found) {
  add_text("a", "A", "", "the walrus sleeps");
  add_text("b", "B", "", "the walrus eats clams");
  ASSERT_EQ(search("walrus").size(), 2u);
  ASSERT_TRUE(erase(clinic_, "a").ok());
  EXPECT_EQ(erase(clinic_, "a").error().code, Errc::not_found);
  EXPECT_EQ(ids(search("walrus")), (Ids{"b"}));
  EXPECT_TRUE(search("sleeps").empty());
  EXPECT_EQ(chunks(clinic_, "a", 0, 5).error().code, Errc::not_found);
  add_text("a", "A", "", "the walrus sleeps");
  EXPECT_EQ(ids(search("sleeps")), (Ids{"a"}));
}

TEST_P(DocumentsFace, a_found_passage_says_where_it_stands) {
  NewDocument document = document_of(4);
  document.chunks[1].text = "The heron stands in the reeds.";
  ASSERT_TRUE(add(clinic_, document).ok());
  add_text("x", "X", "", "nothing to see");
  add_text("y", "Y", "", "nothing to hear");
  auto found = search("Where is the heron?");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].document.text(), "doc_4");
  EXPECT_EQ(found[0].collection.text(), "notes");
  EXPECT_EQ(found[0].title, "Title 4");
  EXPECT_EQ(found[0].source, "file4.md");
  EXPECT_EQ(found[0].heading, "Heading 4 > Part 1");
  EXPECT_EQ(found[0].begin, 101u);
  EXPECT_EQ(found[0].end, 190u);
  EXPECT_EQ(found[0].text, "The heron stands in the reeds.");
  EXPECT_GT(found[0].score, 0);
}

TEST_P(DocumentsFace, search_knows_stems_case_and_accents) {
  add_text("a", "A", "", "Backups are restored every night.");
  add_text("b", "B", "", "The caf\xC3\xA9 opens at nine.");
  add_text("c", "C", "", "Nothing of the kind.");
  EXPECT_EQ(ids(search("restoring a BACKUP")), (Ids{"a"}));
  EXPECT_EQ(ids(search("cafe")), (Ids{"b"}));
  EXPECT_EQ(ids(search("CAF\xC3\x89")), (Ids{"b"}));
}

TEST_P(DocumentsFace, the_passage_with_more_of_the_rare_words_comes_first) {
  add_text("a", "A", "", "The pump moves water.");
  add_text("b", "B", "", "The pump moves water through the valve at high pressure.");
  add_text("c", "C", "", "Pressure is measured in pascal.");
  add_text("d", "D", "", "Tables list other things entirely.");
  add_text("e", "E", "", "Chairs list other things too.");
  auto found = search("Which pump has a pressure valve?");
  ASSERT_GE(found.size(), 3u);
  EXPECT_EQ(found[0].document.text(), "b");
  for (std::size_t i = 1; i < found.size(); ++i) EXPECT_GE(found[i - 1].score, found[i].score);
}

TEST_P(DocumentsFace, a_word_in_the_heading_counts_more_than_in_the_text) {
  add_text("a", "A", "", "Some words about other matters, and one is calibration, then more.");
  add_text("b", "B", "Calibration",
           "Turn the screw until the needle stands at zero, then wait a bit.");
  add_text("c", "C", "", "Unrelated words.");
  add_text("d", "D", "", "More unrelated words.");
  add_text("e", "E", "", "Still more unrelated words.");
  auto found = search("calibration");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].document.text(), "b");
}

TEST_P(DocumentsFace, search_is_limited_to_its_collection_and_count) {
  for (int n = 0; n < 6; ++n) {
    add_text("d" + std::to_string(n), "D", "", "lantern number " + std::to_string(n),
             n % 2 == 0 ? "even" : "odd");
  }
  EXPECT_EQ(search("lantern", 4).size(), 4u);
  EXPECT_EQ(search("lantern", 6).size(), 6u);
  EXPECT_EQ(search("lantern", 7).size(), 6u);
  EXPECT_EQ(search("lantern", 0).size(), 0u);
  EXPECT_EQ(search("lantern", 9, CollectionName("odd")).size(), 3u);
  EXPECT_EQ(search("lantern", 9, CollectionName("none")).size(), 0u);
}

TEST_P(DocumentsFace, any_text_is_a_valid_query) {
  add_text("a", "A", "", "plain text with words near the end OR so");
  const std::string odd[] = {"",
                             " ",
                             "\"",
                             "\"\"",
                             "'",
                             "*",
                             "a*",
                             "NEAR",
                             "NEAR(a b, 3)",
                             "AND",
                             "OR",
                             "NOT",
                             "a AND",
                             "OR OR OR",
                             "title:plain",
                             "{title text}: x",
                             "^plain",
                             "(",
                             ")",
                             "((((",
                             "-plain",
                             "plain -",
                             "a + b",
                             "\\",
                             "\xFF\xFE",
                             "\xC3",
                             std::string("nul\0byte", 8),
                             "\xE2\x80\x94",
                             "\xF0\x9F\x98\x80",
                             "; DROP TABLE words",
                             "words MATCH 'x'",
                             "$1 ?2 :x @y",
                             std::string(5'000, '"'),
                             std::string(100'000, 'a'),
                             "the of and",
                             "%s%n",
                             "plain\ttext\r\n",
                             "\xD7\x90\xD7\x91",
                             "\xE4\xB8\xAD\xE6\x96\x87",
                             "\xCC\x81",
                             "a\xCC\x81",
                             "--",
                             "/*",
                             "rank",
                             "rowid",
                             "0",
                             "-1"};
  for (const auto& text : odd) search(text);
  std::string many;
  for (int i = 0; i < 5'000; ++i) many += "word" + std::to_string(i) + " ";
  search(many + "plain");
  // Random bytes, the same ones each time.
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const auto size = ground_.random.below(60);
    for (std::uint64_t i = 0; i < size; ++i) {
      static constexpr char kPieces[] = "\"'()*:^-+{}., aANDORT\x80\xC3\xA9\xE2\n";
      text += kPieces[ground_.random.below(sizeof kPieces - 1)];
    }
    search(text);
  }
  EXPECT_EQ(ids(search("plain")), (Ids{"a"}));
}

}  // namespace
}  // namespace mainstay::storage
