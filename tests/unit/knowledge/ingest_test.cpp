// Files of any size into stores: in pieces, going on after a failure, leaving nothing half done.
#include "knowledge/ingest.h"

#include "base/text.h"
#include "conformance/back_ends.h"

namespace mainstay::knowledge {
namespace {

using storage::Ground;

/// A text whose reading fails once, at a place.
class Stumbling final : public ByteSource {
 public:
  Stumbling(std::string text, std::uint64_t fails_at, Error error)
      : text_(std::move(text)), fails_at_(fails_at), error_(std::move(error)) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline) override {
    if (at >= fails_at_) co_return error_;
    co_return text_.substr(at, most);
  }
  Co<Result<storage::OpenContent>> open(Deadline) override {
    co_return Error::log(Errc::unsupported, "no file");
  }

 private:
  const std::string text_;
  const std::uint64_t fails_at_;
  const Error error_;
};

class Notes final : public IngestWatcher {
 public:
  Co<> progress(IngestProgress now) override {
    seen.push_back(now);
    co_return;
  }
  std::vector<IngestProgress> seen;
};

class IngestOver : public testing::TestWithParam<const char*> {
 protected:
  storage::Documents& documents() { return back_end_->stores().documents(); }
  static NewFile file(const std::string& id) {
    NewFile out;
    out.id = DocumentId(id);
    out.collection = CollectionName("books");
    out.source = id + ".md";
    return out;
  }
  Result<storage::Added> run(NewFile what, ByteSource& source, bool last = false,
                             IngestWatcher* watcher = nullptr) {
    return ground_.run(
        ingest_.run(tenant_, std::move(what), source, watcher, last, ground_.soon()));
  }
  std::size_t listed() {
    return ground_.run(documents().list(tenant_, {}, DocumentId(), 10, ground_.soon()))
        ->items.size();
  }
  std::size_t found(const std::string& words) {
    storage::PassageQuery query;
    query.tenant = tenant_;
    query.text = words;
    query.limit = 1;
    return ground_.run(documents().search(query, ground_.soon()))->size();
  }
  /// Some 3 MB: several batches.
  static const std::string& book() {
    static const std::string text = [] {
      std::string out = "# The long book\n\n";
      for (int i = 0; out.size() < 3'300'000; ++i) {
        out += "Paragraph " + std::to_string(i) + " tells of lantern" + std::to_string(i) +
               " and of the sea that lies behind the dunes, where nobody goes in winter.\n\n";
      }
      return out;
    }();
    return text;
  }

  Ground ground_;
  KnowledgeSettings settings_;
  OffloadPool pool_{"test", 1, 16};
  std::unique_ptr<storage::BackEnd> back_end_ = storage::back_end(GetParam(), ground_);
  Ingest ingest_{ExtractTools{settings_, ground_.clock, pool_, nullptr}, documents()};
  const TenantId tenant_{"clinic"};
};
INSTANTIATE_TEST_SUITE_P(Over, IngestOver, testing::Values("memory", "sqlite"),
                         storage::back_end_name);

// proves K2
TEST_P(IngestOver, a_large_text_is_stored_in_pieces_and_found_whole) {
  TextSource source{book()};
  Notes notes;
  auto added = run(file("doc_1"), source, false, &notes);
  ASSERT_TRUE(added.ok()) << added.error().detail << added.error().message;
  EXPECT_EQ(added->document.title, "The long book");
  EXPECT_EQ(added->document.media_type, "text/markdown");
  EXPECT_EQ(added->document.size.value, book().size());
  EXPECT_EQ(added->document.sha256, sha256_hex(book()));
  ASSERT_GE(notes.seen.size(), 2u);
  EXPECT_EQ(notes.seen.back().bytes, book().size());
  EXPECT_EQ(notes.seen.back().chunks, added->document.chunks);
  EXPECT_EQ(found("lantern0"), 1u);
  EXPECT_EQ(found("lantern20000"), 1u);
}

TEST_P(IngestOver, an_attempt_after_a_failure_goes_on_where_the_last_one_stopped) {
  Stumbling breaks(book(), 2'500'000, Error::log(Errc::unavailable, "the disk is away"));
  auto failed = run(file("doc_1"), breaks);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(listed(), 0u) << "nothing is seen before it is whole";
  EXPECT_EQ(found("lantern0"), 0u);
  auto half = ground_.run(documents().get(tenant_, DocumentId("doc_1"), ground_.soon()));
  ASSERT_TRUE(half.ok());
  EXPECT_GT(half->chunks, 100u);
  TextSource whole{book()};
  auto added = run(file("doc_1"), whole);
  ASSERT_TRUE(added.ok());
  TextSource again{book()};
  auto control = run(file("doc_2"), again);
  ASSERT_TRUE(control.ok());
  EXPECT_TRUE(control->existed);
  EXPECT_EQ(control->document.chunks, added->document.chunks);
  EXPECT_EQ(listed(), 1u);
}

TEST_P(IngestOver, nothing_remains_of_a_last_attempt_that_failed) {
  Stumbling breaks(book(), 2'500'000, Error::log(Errc::unavailable, "the disk is away"));
  ASSERT_FALSE(run(file("doc_1"), breaks, true).ok());
  EXPECT_FALSE(ground_.run(documents().get(tenant_, DocumentId("doc_1"), ground_.soon())).ok());
}

TEST_P(IngestOver, nothing_remains_of_a_file_that_turns_out_to_be_no_text) {
  std::string text = book();
  text[2'900'000] = '\0';
  TextSource source{text};
  auto refused = run(file("doc_1"), source);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "control_character");
  EXPECT_FALSE(ground_.run(documents().get(tenant_, DocumentId("doc_1"), ground_.soon())).ok());
  EXPECT_EQ(found("lantern0"), 0u);
}

TEST_P(IngestOver, another_way_of_cutting_begins_anew) {
  Stumbling breaks(book(), 2'500'000, Error::log(Errc::unavailable, "the disk is away"));
  ASSERT_FALSE(run(file("doc_1"), breaks).ok());
  settings_.chunk_tokens = 128;
  TextSource whole{book()};
  auto added = run(file("doc_1"), whole);
  ASSERT_TRUE(added.ok());
  auto last = ground_.run(documents().chunks(tenant_, DocumentId("doc_1"),
                                             added->document.chunks - 1, 5, ground_.soon()));
  ASSERT_EQ(last->size(), 1u);
  EXPECT_LE(last->front().text.size(), 128u * 4);
  EXPECT_GT(last->front().end + 10, book().size());
}

TEST_P(IngestOver, the_same_job_twice_is_one_document) {
  TextSource first{std::string("# A\n\nsmall words\n")};
  TextSource second{std::string("# A\n\nsmall words\n")};
  auto one = run(file("doc_1"), first);
  auto two = run(file("doc_1"), second);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one->document.id, two->document.id);
  EXPECT_EQ(listed(), 1u);
}

TEST_P(IngestOver, tables_and_json_lines_are_found_by_their_values) {
  TextSource table{std::string("name,role\nAda,engineer\nGrace,admiral\n")};
  NewFile what = file("doc_1");
  what.source = "people.csv";
  auto added = run(what, table);
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(added->document.media_type, "text/csv");
  EXPECT_EQ(found("admiral"), 1u);
}

TEST_P(IngestOver, what_cannot_be_is_refused_with_its_field) {
  TextSource source{std::string("words")};
  NewFile bad = file("doc_1");
  bad.tags.assign(storage::kTagsMax + 1, "t");
  EXPECT_EQ(run(bad, source).error().field, "tags");
  bad = file("doc_1");
  bad.tags = {"two\nlines"};
  EXPECT_EQ(run(bad, source).error().field, "tags");
  bad = file("doc_1");
  bad.format = "docx";
  EXPECT_EQ(run(bad, source).error().field, "format");
  TextSource empty{std::string()};
  EXPECT_EQ(run(file("doc_1"), empty).error().reason, "empty_field");
  TextSource pdf{std::string("%PDF-1.4\n")};
  EXPECT_EQ(run(file("doc_1"), pdf).error().reason, "decoder_missing");
  settings_.html_max = Bytes{20};
  TextSource page{std::string("<html><p>words and words</p></html>")};
  EXPECT_EQ(run(file("doc_1"), page).error().reason, "document_too_large");
  settings_.document_max = Bytes{4};
  EXPECT_EQ(run(file("doc_1"), source).error().reason, "document_too_large");
}

}  // namespace
}  // namespace mainstay::knowledge
