// The library over real stores: what is put in is found; what is wrong is named.
#include "knowledge/library.h"

#include "conformance/back_ends.h"

namespace mainstay::knowledge {
namespace {

using storage::Ground;

class LibraryOver : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { make(); }
  void make() {
    library_.emplace(settings_, ground_.clock, ground_.random, pool_,
                     back_end_->stores().documents());
  }
  Result<storage::Added> add(NewText text) {
    return ground_.run(library_->add(tenant_, std::move(text), ground_.soon()));
  }
  static NewText text(std::string words, std::string format = "markdown") {
    NewText out;
    out.collection = CollectionName("notes");
    out.source = "notes.md";
    out.format = std::move(format);
    out.text = std::move(words);
    return out;
  }
  std::vector<storage::Passage> find(const std::string& words, std::uint32_t limit = 10) {
    storage::PassageQuery query;
    query.tenant = tenant_;
    query.text = words;
    query.limit = limit;
    auto found = ground_.run(library_->find(query, ground_.soon()));
    EXPECT_TRUE(found.ok());
    return *found;
  }
  void expect_refused(NewText bad, Errc code, const std::string& reason, const std::string& field) {
    auto refused = add(std::move(bad));
    ASSERT_FALSE(refused.ok()) << reason;
    EXPECT_EQ(refused.error().code, code);
    EXPECT_EQ(refused.error().reason, reason);
    EXPECT_EQ(refused.error().field, field);
    EXPECT_NE(refused.error().message, "");
    auto page = ground_.run(
        back_end_->stores().documents().list(tenant_, {}, DocumentId(), 5, ground_.soon()));
    EXPECT_TRUE(page->items.empty()) << "nothing stored";
  }

  Ground ground_;
  KnowledgeSettings settings_;
  OffloadPool pool_{"test", 1, 16};
  std::unique_ptr<storage::BackEnd> back_end_ = storage::back_end(GetParam(), ground_);
  std::optional<Library> library_;
  const TenantId tenant_{"clinic"};
};
INSTANTIATE_TEST_SUITE_P(Over, LibraryOver, testing::Values("memory", "sqlite"),
                         storage::back_end_name);

// proves K10 (store and search)
TEST_P(LibraryOver, a_document_is_found_by_its_words_with_its_place) {
  const std::string words =
      "# Guide\n\nHello there.\n\n## Ports\n\nThe server listens on port 8080.\n";
  auto added = add(text(words));
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_EQ(added->document.title, "Guide");
  EXPECT_EQ(added->document.media_type, "text/markdown");
  EXPECT_EQ(added->document.size.value, words.size());
  EXPECT_EQ(added->document.sha256.size(), 64u);
  EXPECT_TRUE(added->document.id.text().starts_with("doc_"));
  auto found = find("Which port does it listen on?");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].heading, "Guide > Ports");
  EXPECT_EQ(words.substr(found[0].begin, found[0].end - found[0].begin), found[0].text);
}

TEST_P(LibraryOver, the_same_text_again_is_known_and_a_new_one_replaces_it) {
  ASSERT_TRUE(add(text("# One\n\nalpha\n")).ok());
  EXPECT_TRUE(add(text("# One\n\nalpha\n"))->existed);
  EXPECT_TRUE(add(text("# One\n\nbeta\n"))->replaced);
  EXPECT_TRUE(find("alpha").empty());
  EXPECT_EQ(find("beta").size(), 1u);
}

TEST_P(LibraryOver, html_is_stored_as_what_a_reader_sees) {
  auto added = add(
      text("<title>Site</title><h2>Care</h2><p>Water daily.</p><script>evil()</script>", "html"));
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(added->document.title, "Site");
  auto found = find("water");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text, "Water daily.");
  EXPECT_EQ(found[0].heading, "Care");
  EXPECT_TRUE(find("evil").empty());
}

TEST_P(LibraryOver, a_given_title_wins_and_a_missing_collection_is_the_default) {
  NewText given = text("words", "text");
  given.title = "My title";
  given.collection = CollectionName();
  auto added = add(given);
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(added->document.title, "My title");
  EXPECT_EQ(added->document.collection.text(), settings_.default_collection);
}

TEST_P(LibraryOver, bad_input_is_named_by_field) {
  expect_refused(text("x", "pdf"), Errc::invalid, "invalid_value", "format");
  expect_refused(text(""), Errc::invalid, "empty_field", "text");
  expect_refused(text(" \n\t "), Errc::invalid, "empty_field", "text");
  expect_refused(text("---\n"), Errc::invalid, "empty_field", "text");
  expect_refused(text("a\xFF"), Errc::invalid, "invalid_value", "text");
  expect_refused(text("plain words before " + std::string("a\0b", 3)), Errc::invalid,
                 "control_character", "text");
  expect_refused(text("<script>x</script>", "html"), Errc::invalid, "empty_field", "text");
  NewText bad = text("x");
  bad.title = std::string(513, 't');
  expect_refused(bad, Errc::too_large, "field_too_long", "title");
  bad = text("x");
  bad.title = "two\nlines";
  expect_refused(bad, Errc::invalid, "control_character", "title");
  bad = text("x");
  bad.source = "\xC3";
  expect_refused(bad, Errc::invalid, "invalid_value", "source");
}

TEST_P(LibraryOver, the_size_limit_holds_at_its_border) {
  settings_.document_max = Bytes{1000};
  make();
  expect_refused(text(std::string(1001, 'x')), Errc::too_large, "document_too_large", "text");
  EXPECT_TRUE(add(text(std::string(1000, 'x'))).ok());
  EXPECT_TRUE(add(text(std::string(999, 'x'))).ok());
}

TEST_P(LibraryOver, a_search_gives_at_most_the_configured_number) {
  settings_.search_max = 3;
  make();
  std::string words;
  for (int i = 0; i < 8; ++i) words += "## Part " + std::to_string(i) + "\n\nlantern\n\n";
  ASSERT_TRUE(add(text(words)).ok());
  EXPECT_EQ(find("lantern", 2).size(), 2u);
  EXPECT_EQ(find("lantern", 3).size(), 3u);
  EXPECT_EQ(find("lantern", 4).size(), 3u);
}

}  // namespace
}  // namespace mainstay::knowledge
