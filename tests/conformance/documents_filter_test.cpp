// Filters, collections, and passages by number.
#include "conformance/documents_rig.h"

namespace mainstay::storage {
namespace {

NewDocument tagged(int n, std::vector<std::string> tags, const std::string& collection = "notes") {
  NewDocument out = document_of(n, collection);
  out.tags = std::move(tags);
  out.chunks = {{"heron number " + std::to_string(n), 0, 9, "", {}}};
  return out;
}

PassageQuery about(const std::string& text) {
  PassageQuery query;
  query.text = text;
  query.limit = 50;
  return query;
}

Ids sorted(Ids ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST_P(DocumentsFace, tags_are_kept_sorted_and_filter_by_all_of_them) {
  ASSERT_TRUE(add(clinic_, tagged(1, {"red", "blue", "red"})).ok());
  ASSERT_TRUE(add(clinic_, tagged(2, {"red"})).ok());
  ASSERT_TRUE(add(clinic_, tagged(3, {"redder", "odd \"tag\" AND more"})).ok());
  EXPECT_EQ(get(clinic_, "doc_1")->tags, (std::vector<std::string>{"blue", "red"}));
  const auto with = [&](std::vector<std::string> tags) {
    PassageQuery query = about("heron");
    query.tags = tags;
    const auto found = sorted(ids(find(query).passages));
    DocumentFilter filter;
    filter.tags = tags;
    EXPECT_EQ(visible(filter).size(), found.size());
    return found;
  };
  EXPECT_EQ(with({}), (Ids{"doc_1", "doc_2", "doc_3"}));
  EXPECT_EQ(with({"red"}), (Ids{"doc_1", "doc_2"}));
  EXPECT_EQ(with({"red", "blue"}), (Ids{"doc_1"}));
  EXPECT_EQ(with({"odd \"tag\" AND more"}), (Ids{"doc_3"}));
  EXPECT_EQ(with({"blue", "redder"}), Ids{});
  EXPECT_EQ(with({"Red"}), Ids{});
}

TEST_P(DocumentsFace, tags_have_limits) {
  const auto added = [&](int n, std::vector<std::string> tags) {
    auto out = add(clinic_, tagged(n, std::move(tags)));
    return out.ok() ? std::string("ok") : out.error().reason;
  };
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kTagsMax; ++i) many.push_back("tag " + std::to_string(i));
  EXPECT_EQ(added(1, many), "ok");
  many.push_back("one more");
  EXPECT_EQ(added(2, many), "invalid_value");
  EXPECT_EQ(added(3, {std::string(kTagBytesMax, 't')}), "ok");
  EXPECT_EQ(added(4, {std::string(kTagBytesMax + 1, 't')}), "invalid_value");
  EXPECT_EQ(added(5, {""}), "invalid_value");
  EXPECT_EQ(added(6, {"a\nb"}), "invalid_value");
  EXPECT_EQ(added(7, {"a\x01t1"}), "invalid_value");
  EXPECT_EQ(get(clinic_, "doc_1")->tags.size(), kTagsMax);
}

TEST_P(DocumentsFace, time_filters_from_a_moment_and_before_a_moment) {
  std::vector<WallTime> created;
  for (int n = 1; n <= 3; ++n) {
    created.push_back(add(clinic_, tagged(n, {}))->document.created);
    ground_.clock.move(std::chrono::seconds(5));
  }
  const auto within = [&](std::optional<WallTime> from, std::optional<WallTime> to) {
    PassageQuery query = about("heron");
    query.created_from = from;
    query.created_to = to;
    const auto found = sorted(ids(find(query).passages));
    DocumentFilter filter;
    filter.created_from = from;
    filter.created_to = to;
    EXPECT_EQ(visible(filter).size(), found.size());
    return found;
  };
  const std::chrono::microseconds one(1);
  EXPECT_EQ(within(created[1], {}), (Ids{"doc_2", "doc_3"}));
  EXPECT_EQ(within(created[1] + one, {}), (Ids{"doc_3"}));
  EXPECT_EQ(within({}, created[1]), (Ids{"doc_1"}));
  EXPECT_EQ(within({}, created[1] + one), (Ids{"doc_1", "doc_2"}));
  EXPECT_EQ(within(created[1], created[1]), Ids{});
}

TEST_P(DocumentsFace, a_filter_is_applied_before_the_best_are_chosen) {
  // Fifty better ones that the filter leaves out do not push out the one it lets through.
  for (int n = 1; n <= 50; ++n) {
    NewDocument better = tagged(n, {"common"});
    better.chunks[0].text = "heron heron heron";
    ASSERT_TRUE(add(clinic_, better).ok());
  }
  ground_.clock.move(std::chrono::seconds(5));
  const WallTime late = ground_.clock.wall();
  NewDocument wanted = tagged(99, {"rare"}, "other");
  wanted.chunks[0].text = "Somewhere in this long text about other birds a heron is named once.";
  ASSERT_TRUE(add(clinic_, wanted).ok());
  for (int way = 0; way < 4; ++way) {
    PassageQuery query = about("heron");
    query.limit = 1;
    if (way == 0) query.collection = CollectionName("other");
    if (way == 1) query.tags = {"rare"};
    if (way == 2) query.created_from = late;
    if (way == 3) query.document = DocumentId("doc_99");
    EXPECT_EQ(ids(find(query).passages), (Ids{"doc_99"})) << way;
  }
  PassageQuery nobody = about("heron");
  nobody.document = DocumentId("doc_100");
  EXPECT_TRUE(find(nobody).passages.empty());
}

TEST_P(DocumentsFace, what_a_text_holds_is_never_taken_for_a_mark) {
  ASSERT_TRUE(add(clinic_, tagged(1, {"red"})).ok());
  NewDocument odd = tagged(2, {}, "other");
  odd.chunks[0].text =
      "\x01t1\x01"
      "c1\x01gred heron";
  odd.chunks[0].heading = "\x01gred";
  odd.title = "\x02gred \x01gred";
  ASSERT_TRUE(add(clinic_, odd).ok());
  PassageQuery query = about("heron");
  query.tags = {"red"};
  EXPECT_EQ(ids(find(query).passages), (Ids{"doc_1"}));
  query.tags = {};
  query.collection = CollectionName("other");
  EXPECT_EQ(ids(find(query).passages), (Ids{"doc_2"}));
  ASSERT_TRUE(erase(clinic_, "doc_2").ok());
  EXPECT_TRUE(find(query).passages.empty());
}

TEST_P(DocumentsFace, collections_are_listed_with_their_figures) {
  EXPECT_TRUE(collections(clinic_).empty());
  ASSERT_TRUE(add(clinic_, document_of(2, "b")).ok());
  ASSERT_TRUE(add(clinic_, document_of(1, "a")).ok());
  ground_.clock.move(std::chrono::seconds(3));
  auto newest = add(clinic_, document_of(3, "a"));
  ASSERT_TRUE(add(school_, document_of(4, "c")).ok());
  NewDocument head = document_of(5, "d");
  head.chunks.clear();
  ASSERT_TRUE(begin(head).ok());
  auto all = collections(clinic_);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name.text(), "a");
  EXPECT_EQ(all[0].documents, 2u);
  EXPECT_EQ(all[0].chunks, 6u);
  EXPECT_EQ(all[0].size.value, 1017u + 1051u);
  EXPECT_EQ(all[0].newest, newest->document.created);
  EXPECT_EQ(all[1].name.text(), "b");
  EXPECT_EQ(all[1].documents, 1u);
  EXPECT_EQ(all[2].name.text(), "d");
  EXPECT_EQ(all[2].documents, 0u) << "an unfinished one does not count";
  EXPECT_FALSE(all[2].newest.has_value());
  ASSERT_TRUE(erase(clinic_, "doc_2").ok());
  EXPECT_EQ(collections(clinic_)[1].documents, 0u) << "it stays when its last document goes";
}

TEST_P(DocumentsFace, collections_are_made_renamed_and_erased) {
  const auto made = [&](const std::string& name) {
    return ground_.run(face().create_collection(clinic_, CollectionName(name), ground_.soon()));
  };
  const auto renamed = [&](const std::string& from, const std::string& to) {
    return ground_.run(face().rename_collection(clinic_, CollectionName(from), CollectionName(to),
                                                ground_.soon()));
  };
  const auto erased = [&](const std::string& name) {
    return ground_.run(face().erase_collection(clinic_, CollectionName(name), ground_.soon()));
  };
  ASSERT_TRUE(made("empty").ok());
  EXPECT_EQ(made("empty").error().reason, "already_exists");
  ASSERT_TRUE(add(clinic_, tagged(1, {}, "birds")).ok());
  ASSERT_TRUE(add(clinic_, tagged(2, {}, "birds")).ok());
  EXPECT_EQ(renamed("none", "x").error().reason, "unknown_collection");
  EXPECT_EQ(renamed("birds", "empty").error().reason, "already_exists");
  ASSERT_TRUE(renamed("birds", "birds").ok());
  ASSERT_TRUE(renamed("birds", "waders").ok());
  EXPECT_EQ(get(clinic_, "doc_1")->collection.text(), "waders");
  EXPECT_EQ(search("heron", 9, CollectionName("waders")).size(), 2u);
  EXPECT_EQ(search("heron", 9, CollectionName("birds")).size(), 0u);
  EXPECT_EQ(search("heron")[0].collection.text(), "waders");

  NewDocument head = document_of(3, "waders");
  head.chunks.clear();
  ASSERT_TRUE(begin(head).ok());
  EXPECT_EQ(erased("birds").error().reason, "unknown_collection");
  EXPECT_EQ(ground_.run(face().erase_collection(school_, CollectionName("waders"), ground_.soon()))
                .error()
                .reason,
            "unknown_collection");
  EXPECT_EQ(count(erased("waders")), 2u);
  EXPECT_TRUE(search("heron").empty());
  EXPECT_TRUE(visible().empty());
  EXPECT_TRUE(list(clinic_, {}, "", 9)->items.empty());
  EXPECT_EQ(get(clinic_, "doc_1").error().code, Errc::not_found);
  EXPECT_EQ(get(clinic_, "doc_3").error().code, Errc::not_found);
  EXPECT_EQ(append("doc_3", 0, chunks_from(0, 1, "x"), "").error().code, Errc::not_found);
  EXPECT_EQ(collections(clinic_).size(), 1u);
  // Name, ids and content are free at once.
  EXPECT_FALSE(add(clinic_, tagged(1, {}, "waders"))->existed);
  EXPECT_EQ(ids(search("heron")), (Ids{"doc_1"}));
  sweep_all();
  EXPECT_EQ(ids(search("heron")), (Ids{"doc_1"}));
  EXPECT_EQ(collections(clinic_).size(), 2u);
}

TEST_P(DocumentsFace, passages_are_given_by_number_to_whom_they_are_visible) {
  const auto one = add(clinic_, document_of(1))->document.number;
  const auto two = add(clinic_, document_of(2))->document.number;
  const auto foreign = add(school_, document_of(3))->document.number;
  NewDocument head = document_of(4);
  head.chunks.clear();
  const auto unfinished = begin(head)->document.number;
  ASSERT_TRUE(append("doc_4", 0, chunks_from(0, 1, "x"), "").ok());
  const std::vector<std::int64_t> asked{chunk_number(two, 1),     chunk_number(one, 0),
                                        chunk_number(foreign, 0), chunk_number(unfinished, 0),
                                        chunk_number(one, 3),     chunk_number(999, 0),
                                        chunk_number(two, 0)};
  auto got = ground_.run(face().passages(clinic_, asked, ground_.soon()));
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->size(), 3u);
  EXPECT_EQ((*got)[0].text, "chunk 1 of 2");
  EXPECT_EQ((*got)[0].number, asked[0]);
  EXPECT_EQ((*got)[0].source, "file2.md");
  EXPECT_EQ((*got)[1].text, "chunk 0 of 1");
  EXPECT_EQ((*got)[2].text, "chunk 0 of 2");
}

TEST_P(DocumentsFace, visible_documents_are_sorted_and_of_the_tenant) {
  std::vector<std::int64_t> mine;
  for (int n = 1; n <= 5; ++n) {
    mine.push_back(add(clinic_, document_of(n, n % 2 == 0 ? "even" : "odd"))->document.number);
    ASSERT_TRUE(add(school_, document_of(n + 10)).ok());
  }
  EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
  EXPECT_EQ(visible(), mine);
  DocumentFilter filter;
  filter.collection = CollectionName("even");
  EXPECT_EQ(visible(filter), (std::vector<std::int64_t>{mine[1], mine[3]}));
  filter.document = DocumentId("doc_2");
  EXPECT_EQ(visible(filter), (std::vector<std::int64_t>{mine[1]}));
  filter.document = DocumentId("doc_1");
  EXPECT_TRUE(visible(filter).empty());
  filter.document = DocumentId("doc_12");
  EXPECT_TRUE(visible(filter).empty()) << "another tenant's";
}

}  // namespace
}  // namespace mainstay::storage
