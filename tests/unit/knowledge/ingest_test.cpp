// Files of any size into stores: in pieces, going on after a failure, leaving nothing half done.
#include "knowledge/ingest.h"

#include <functional>
#include <utility>

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

/// Passes every call on, and notes which chunks are stored, so that storing them a second time
/// shows.
class Counting final : public storage::Documents {
 public:
  explicit Counting(storage::Documents& inner) : inner_(inner) {}
  std::vector<std::pair<std::uint64_t, std::size_t>> appended;  ///< first chunk, how many
  int adds = 0;
  int slow = 0;            ///< calls of append() that are too slow
  Event* reads = nullptr;  ///< the first append() waits for the next of these
  bool read_meanwhile = false;
  bool terms = false;               ///< chunks came with theirs
  std::function<Co<>()> meanwhile;  ///< before chunks are read on, or a place is taken; once
  bool takes_terms() const noexcept override { return inner_.takes_terms(); }

  Co<Result<storage::Added>> add(TenantId t, storage::NewDocument d, Deadline by) override {
    ++adds;
    return inner_.add(std::move(t), std::move(d), by);
  }
  Co<Result<std::uint64_t>> append(TenantId t, DocumentId id, std::uint64_t first,
                                   std::vector<storage::Chunk> chunks, std::string checkpoint,
                                   Deadline by) override {
    if (slow > 0 && slow-- > 0) co_return Error::log(Errc::deadline, "a slow disk");
    terms = terms || !chunks.front().terms.empty();
    if (reads != nullptr && appended.empty()) {
      const auto seen = reads->version();
      read_meanwhile = co_await reads->wait(seen, by);
    }
    appended.emplace_back(first, chunks.size());
    co_return co_await inner_.append(std::move(t), std::move(id), first, std::move(chunks),
                                     std::move(checkpoint), by);
  }
  Co<Result<storage::Begun>> begin(TenantId t, storage::NewDocument d, Deadline by) override {
    return inner_.begin(std::move(t), std::move(d), by);
  }
  Co<Result<storage::Added>> finish(TenantId t, DocumentId id, std::string sha, Bytes size,
                                    std::string title, Deadline by) override {
    return inner_.finish(std::move(t), std::move(id), std::move(sha), size, std::move(title), by);
  }
  Co<Result<storage::Added>> finish_as(TenantId t, DocumentId id, storage::Takeover place,
                                       std::string sha, Bytes size, Deadline by) override {
    co_await others();
    co_return co_await inner_.finish_as(std::move(t), std::move(id), std::move(place),
                                        std::move(sha), size, by);
  }
  Co<Result<std::int64_t>> hold_collection(TenantId t, CollectionName n, Deadline by) override {
    return inner_.hold_collection(std::move(t), std::move(n), by);
  }
  Co<Result<storage::DocumentInfo>> update(TenantId t, DocumentId id, storage::DocumentChanges c,
                                           Deadline by) override {
    return inner_.update(std::move(t), std::move(id), std::move(c), by);
  }
  Co<Result<std::string>> thumbnail(TenantId t, DocumentId id, Deadline by) override {
    return inner_.thumbnail(std::move(t), std::move(id), by);
  }
  Co<Status> abandon(TenantId t, DocumentId id, Deadline by) override {
    return inner_.abandon(std::move(t), std::move(id), by);
  }
  Co<Result<std::vector<Unfinished>>> ingesting(WallTime before, std::uint32_t limit,
                                                Deadline by) override {
    return inner_.ingesting(before, limit, by);
  }
  Co<Result<storage::PageOfDocuments>> list(TenantId t, std::optional<CollectionName> c,
                                            DocumentId after, std::uint32_t limit,
                                            Deadline by) override {
    return inner_.list(std::move(t), std::move(c), std::move(after), limit, by);
  }
  Co<Result<storage::DocumentInfo>> get(TenantId t, DocumentId id, Deadline by) override {
    return inner_.get(std::move(t), std::move(id), by);
  }
  Co<Result<std::vector<storage::Chunk>>> chunks(TenantId t, DocumentId id, std::uint64_t from,
                                                 std::uint32_t limit, Deadline by) override {
    if (from > 0) co_await others();
    co_return co_await inner_.chunks(std::move(t), std::move(id), from, limit, by);
  }
  Co<Status> erase(TenantId t, DocumentId id, Deadline by) override {
    return inner_.erase(std::move(t), std::move(id), by);
  }
  Co<Result<bool>> sweep(Deadline by) override { return inner_.sweep(by); }
  Co<Result<std::vector<storage::CollectionInfo>>> collections(TenantId t, Deadline by) override {
    return inner_.collections(std::move(t), by);
  }
  Co<Status> create_collection(TenantId t, CollectionName name, Deadline by) override {
    return inner_.create_collection(std::move(t), std::move(name), by);
  }
  Co<Status> rename_collection(TenantId t, CollectionName from, CollectionName to,
                               Deadline by) override {
    return inner_.rename_collection(std::move(t), std::move(from), std::move(to), by);
  }
  Co<Result<std::uint64_t>> erase_collection(TenantId t, CollectionName n, Deadline by) override {
    return inner_.erase_collection(std::move(t), std::move(n), by);
  }
  Co<Result<storage::Found>> find(storage::PassageQuery query, Deadline by) override {
    return inner_.find(std::move(query), by);
  }
  Co<Result<std::vector<storage::Passage>>> passages(TenantId t, std::vector<std::int64_t> n,
                                                     Deadline by) override {
    return inner_.passages(std::move(t), std::move(n), by);
  }
  Co<Result<std::vector<std::int64_t>>> visible(TenantId t, storage::DocumentFilter filter,
                                                Deadline by) override {
    return inner_.visible(std::move(t), std::move(filter), by);
  }
  std::uint64_t version() const noexcept override { return inner_.version(); }

 private:
  Co<> others() {
    auto work = std::exchange(meanwhile, nullptr);
    if (work) co_await work();
  }
  storage::Documents& inner_;
};

/// A text that tells when it is read.
class Telling final : public ByteSource {
 public:
  Telling(std::string text, Event& reads) : text_(std::move(text)), reads_(reads) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline) override {
    reads_.notify();
    co_return text_.substr(std::min<std::size_t>(at, text_.size()), most);
  }
  Co<Result<storage::OpenContent>> open(Deadline) override {
    co_return Error::log(Errc::unsupported, "no file");
  }

 private:
  const std::string text_;
  Event& reads_;
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
  /// doc_1 gets new content.
  Co<> replace() {
    NewFile other = file("doc_other");
    other.collection = CollectionName();
    other.replaces = DocumentId("doc_1");
    TextSource source{std::string("the walrus sleeps")};
    auto added =
        co_await ingest_.run(tenant_, std::move(other), source, nullptr, true, ground_.soon());
    EXPECT_TRUE(added.ok());
  }
  /// doc_1 gets another title, other tags and another collection.
  Co<> rename() {
    storage::DocumentChanges changes;
    changes.title = "Renamed";
    changes.tags = {{"sea"}};
    changes.collection = CollectionName("shelf");
    DocumentId id("doc_1");
    auto updated = co_await documents().update(tenant_, std::move(id), changes, ground_.soon());
    EXPECT_TRUE(updated.ok());
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
  Counting counting_{back_end_->stores().documents()};
  Ingest ingest_{ExtractTools{settings_, ground_.clock, pool_, nullptr}, counting_};
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

TEST_P(IngestOver, a_batch_is_read_while_the_one_before_it_is_stored) {
  Event reads(ground_.clock);
  Telling source(book(), reads);
  counting_.reads = &reads;
  ASSERT_TRUE(run(file("doc_1"), source).ok());
  EXPECT_TRUE(counting_.read_meanwhile);
  EXPECT_EQ(found("lantern20000"), 1u);
  EXPECT_EQ(counting_.terms, documents().takes_terms()) << "a store that has no use gets none";
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
  counting_.appended.clear();
  TextSource whole{book()};
  auto added = run(file("doc_1"), whole);
  ASSERT_TRUE(added.ok());
  // What the first attempt stored is not handed to the store a second time: only the first call
  // may reach back, and by less than one commit.
  ASSERT_FALSE(counting_.appended.empty());
  std::uint64_t stored = half->chunks;
  EXPECT_LE(counting_.appended.front().first, stored);
  std::size_t handed_over = 0;
  for (const auto& [first, count] : counting_.appended) {
    EXPECT_GT(first + count, stored) << "chunks " << first << " on were stored already";
    EXPECT_LE(first, stored);
    stored = first + count;
    handed_over += count;
  }
  EXPECT_EQ(stored, added->document.chunks);
  EXPECT_LE(handed_over, added->document.chunks - half->chunks + storage::kAppendChunks);
  EXPECT_LT(handed_over, added->document.chunks);
  TextSource again{book()};
  NewFile twin = file("doc_2");
  twin.source = "doc_1.md";
  auto control = run(twin, again);
  ASSERT_TRUE(control.ok());
  EXPECT_TRUE(control->existed);
  EXPECT_EQ(control->document.chunks, added->document.chunks);
  EXPECT_EQ(listed(), 1u);
}

TEST_P(IngestOver, a_slow_disk_is_asked_again_within_the_attempt) {
  counting_.slow = 9;
  TextSource whole{book()};
  EXPECT_TRUE(run(file("doc_1"), whole).ok());
  counting_.slow = 10;
  TextSource other{book() + "more"};
  auto failed = run(file("doc_2"), other);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::deadline);
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

// proves that new content replaces the old only when it is whole
TEST_P(IngestOver, a_document_that_is_read_again_keeps_its_id_and_its_old_content_until_then) {
  TextSource first{std::string("# Atlas\n\nthe walrus sleeps\n")};
  ASSERT_TRUE(run(file("doc_1"), first).ok());
  NewFile again = file("doc_2");
  again.source = "doc_1.md";
  again.replaces = DocumentId("doc_1");
  Stumbling breaks(book(), 2'500'000, Error::log(Errc::unavailable, "the disk is away"));
  ASSERT_FALSE(run(again, breaks).ok());
  EXPECT_EQ(found("walrus"), 1u);
  EXPECT_EQ(found("lantern0"), 0u);
  TextSource whole{book()};
  auto added = run(again, whole);
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_EQ(added->document.id.text(), "doc_1");
  EXPECT_TRUE(added->replaced);
  EXPECT_EQ(found("walrus"), 0u);
  EXPECT_EQ(found("lantern20000"), 1u);
  EXPECT_EQ(listed(), 1u);
  NewFile wrong = file("doc_3");
  wrong.replaces = DocumentId("doc_1");
  TextSource empty{std::string("\n\n")};
  EXPECT_EQ(run(wrong, empty).error().reason, "empty_field");
  EXPECT_EQ(found("lantern20000"), 1u) << "what cannot be read leaves the old content";
}

TEST_P(IngestOver, a_document_is_made_anew_from_its_own_passages) {
  TextSource whole{book()};
  auto before = run(file("doc_1"), whole);
  ASSERT_TRUE(before.ok());
  NewFile other;
  other.id = DocumentId("doc_2");
  other.replaces = DocumentId("doc_1");
  other.title = "The sea book";
  other.tags = {{"sea"}};
  other.collection = CollectionName("shelf");
  Notes notes;
  auto made = ground_.run(ingest_.remake(tenant_, other, &notes, true, ground_.soon()));
  ASSERT_TRUE(made.ok()) << made.error().detail;
  EXPECT_EQ(made->document.id.text(), "doc_1");
  EXPECT_EQ(made->document.title, "The sea book");
  EXPECT_EQ(made->document.collection.text(), "shelf");
  EXPECT_EQ(made->document.chunks, before->document.chunks);
  EXPECT_EQ(made->document.sha256, before->document.sha256);
  EXPECT_EQ(notes.seen.back().chunks, before->document.chunks);
  EXPECT_EQ(found("lantern20000"), 1u);
  other.id = DocumentId("doc_3");
  other.replaces = DocumentId("doc_none");
  auto none = ground_.run(ingest_.remake(tenant_, other, nullptr, true, ground_.soon()));
  EXPECT_EQ(none.error().reason, "unknown_document");
}

TEST_P(IngestOver, content_that_comes_while_a_document_is_made_anew_gets_what_was_asked_for) {
  TextSource whole{book()};
  ASSERT_TRUE(run(file("doc_1"), whole).ok());
  NewFile other;
  other.id = DocumentId("doc_2");
  other.replaces = DocumentId("doc_1");
  other.tags = {{"sea"}};
  counting_.meanwhile = [this] { return replace(); };
  auto made = ground_.run(ingest_.remake(tenant_, other, nullptr, true, ground_.soon()));
  ASSERT_TRUE(made.ok()) << made.error().detail;
  EXPECT_EQ(made->document.chunks, 1u);
  EXPECT_EQ(made->document.tags, std::vector<std::string>{"sea"});
  EXPECT_EQ(found("walrus"), 1u);
  EXPECT_EQ(found("lantern0"), 0u);
  EXPECT_EQ(listed(), 1u);
}

TEST_P(IngestOver, a_copy_that_was_begun_of_an_older_content_is_not_gone_on_with) {
  TextSource whole{book()};
  auto before = run(file("doc_1"), whole);
  ASSERT_TRUE(before.ok());
  storage::NewDocument part;
  part.id = DocumentId("doc_2");
  part.collection = CollectionName("books");
  ASSERT_TRUE(ground_.run(documents().begin(tenant_, part, ground_.soon())).ok());
  std::vector<storage::Chunk> old{{"the walrus sleeps", 0, 17, ""}};
  ASSERT_TRUE(
      ground_.run(documents().append(tenant_, part.id, 0, old, "made of 0", ground_.soon())).ok());
  NewFile other;
  other.id = part.id;
  other.replaces = DocumentId("doc_1");
  other.tags = {{"sea"}};
  auto made = ground_.run(ingest_.remake(tenant_, other, nullptr, true, ground_.soon()));
  ASSERT_TRUE(made.ok()) << made.error().detail;
  EXPECT_EQ(made->document.chunks, before->document.chunks);
  EXPECT_EQ(found("walrus"), 0u);
}

TEST_P(IngestOver, what_changes_while_new_content_is_read_is_kept) {
  TextSource first{std::string("the walrus sleeps")};
  ASSERT_TRUE(run(file("doc_1"), first).ok());
  NewFile again = file("doc_2");
  again.collection = CollectionName();
  again.replaces = DocumentId("doc_1");
  counting_.meanwhile = [this] { return rename(); };
  TextSource second{std::string("the otter swims")};
  auto added = run(again, second);
  ASSERT_TRUE(added.ok()) << added.error().detail;
  EXPECT_EQ(found("otter"), 1u);
  EXPECT_EQ(added->document.title, "Renamed");
  EXPECT_EQ(added->document.tags, std::vector<std::string>{"sea"});
  EXPECT_EQ(added->document.collection.text(), "shelf");
  EXPECT_EQ(added->document.source, "doc_1.md");
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
  bad.tags = std::vector<std::string>(storage::kTagsMax + 1, "t");
  EXPECT_EQ(run(bad, source).error().field, "tags");
  bad = file("doc_1");
  bad.tags = {{"two\nlines"}};
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
