// What only the files of documents can tell: old ones are brought up to date, nothing of what is
// gone remains in them, and they go on after a crash.
#include <filesystem>

#include "conformance/back_ends.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/tokenizer.h"
#include "storage/sqlite/vocabulary.h"
#include "storage/terms.h"

namespace mainstay::storage::sqlite {
namespace {

class DocumentFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(data()); }
  std::string data() const { return dir_.path() + "/data"; }
  std::string file() const { return data() + "/knowledge.db"; }
  Documents& open(const std::string& in) {
    auto opened = ground_.open(in);
    if (!opened.ok()) throw std::runtime_error(opened.error().detail);
    stores_ = std::move(*opened);
    return stores_->documents();
  }
  void close() {
    auto closed = stores_->close();
    EXPECT_TRUE(closed.ok());
    stores_.reset();
  }
  Found find(const std::string& text, std::uint32_t limit = 10) {
    PassageQuery query;
    query.tenant = tenant_;
    query.text = text;
    query.limit = limit;
    auto found = ground_.run(stores_->documents().find(std::move(query), ground_.soon()));
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().detail);
    return found.ok() ? *found : Found();
  }
  NewDocument head(const std::string& id) {
    NewDocument out;
    out.id = DocumentId(id);
    out.collection = CollectionName("notes");
    out.title = "Title of " + id;
    out.source = id + ".txt";
    out.media_type = "text/plain";
    out.tags = {"tag of " + id};
    return out;
  }
  static std::vector<Chunk> chunks(int from, int count, const std::string& word) {
    std::vector<Chunk> out;
    for (int i = from; i < from + count; ++i) {
      out.push_back({word + " and more of it " + std::to_string(i), 1, 2, "Heading " + word, {}});
    }
    return out;
  }
  void ingest(Documents& face, const std::string& id, int count, const std::string& word) {
    ASSERT_TRUE(ground_.run(face.begin(tenant_, head(id), ground_.soon())).ok());
    std::vector<Chunk> all = chunks(0, count, word);
    TermCutter cutter;  // what goes in by its terms must go by its text
    for (auto& chunk : all) chunk.terms = cutter.terms_of(chunk.text);
    ASSERT_TRUE(
        ground_.run(face.append(tenant_, DocumentId(id), 0, std::move(all), "x", ground_.soon()))
            .ok());
    ASSERT_TRUE(
        ground_.run(face.finish(tenant_, DocumentId(id), id, Bytes{5}, "", ground_.soon())).ok());
  }
  void sweep_all(Documents& face) {
    for (;;) {
      auto more = ground_.run(face.sweep(ground_.soon()));
      ASSERT_TRUE(more.ok());
      if (!*more) return;
    }
  }

  Ground ground_;
  TemporaryDir dir_;
  std::unique_ptr<Stores> stores_;
  const TenantId tenant_{"clinic"};
};

/// A file as the first version wrote it.
void write_old_file(const std::string& path) {
  Schema old = documents_schema();
  old.steps.resize(1);
  old.after_step = nullptr;
  Connection db(path, Mode::write, std::chrono::seconds(1));
  db.run("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
  migrate(old, db);
  db.run(R"sql(
    INSERT INTO document (n, id, tenant, collection, title, source, media_type, sha256, size,
                          chunks, created)
    VALUES (3, 'doc_a', 'clinic', 'notes', 'Pumps', 'a.md', 'text/markdown', 'sha a', 77, 2, 1000),
           (7, 'doc_b', 'clinic', 'other', 'Valves', 'b.md', 'text/plain', 'sha b', 88, 1, 2000),
           (9, 'doc_c', 'school', 'notes', 'Pumps', 'a.md', 'text/plain', 'sha a', 99, 1, 3000);
    INSERT INTO chunk (n, document, seq, begin_at, end_at, heading, text)
    VALUES (11, 3, 0, 5, 25, 'Care', 'The impeller is cleaned weekly.'),
           (12, 3, 1, 30, 60, 'Care > Oil', 'Oil is changed yearly.'),
           (13, 7, 0, 6, 26, '', 'The valve leaks.'),
           (14, 9, 0, 7, 27, '', 'A school has an impeller too.');
    INSERT INTO words (rowid, title, heading, text)
      SELECT n, title, heading, text FROM chunk_text;
  )sql");
}

/// A file as versions wrote it that folded fewer letters: two documents, one of 200 chunks.
void write_file_of_fewer_letters(const std::string& path) {
  Schema old = documents_schema();
  old.steps.resize(6);
  Connection db(path, Mode::write, std::chrono::seconds(1));
  db.run("PRAGMA journal_mode = WAL");
  migrate(old, db);
  db.tokenizer().fold_as(Folding::first);
  db.run(R"sql(
    INSERT INTO tenant (n, name) VALUES (1, 'clinic');
    INSERT INTO collection (n, tenant, name, documents, chunks, bytes)
      VALUES (1, 1, 'notes', 2, 201, 18);
    INSERT INTO document (n, id, tenant, collection, state, title, source, media_type, sha256,
                          size, chunks, created, tags, checkpoint, indexed, retitled)
      VALUES (4, 'doc_a', 1, 1, 0, 'ŁÓDŹ', 'a.md', 'text/plain', 'sha a', 9, 1, 1000, '', '',
              'ŁÓDŹ', 0),
             (5, 'doc_b', 1, 1, 0, 'B', 'b.md', 'text/plain', 'sha b', 9, 200, 1000, '', '', 'B', 0);
    INSERT INTO chunk (n, begin_at, end_at, page, heading, text)
      VALUES (4 << 24, 0, 9, 0, '', 'Die Straße ist gesperrt.');
    WITH RECURSIVE place (at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM place WHERE at < 199)
    INSERT INTO chunk (n, begin_at, end_at, page, heading, text)
      SELECT (5 << 24) + at, 0, 9, 0, 'Ærø', 'Otter ' || at FROM place;
    INSERT INTO words (rowid, title, heading, text, scope)
      SELECT c.n, d.title, c.heading, c.text, char(1) || 't1' || char(1) || 'c1'
      FROM chunk AS c JOIN document AS d ON d.n = c.n >> 24;
  )sql");
}

TEST_F(DocumentFiles, of_fewer_folded_letters_are_indexed_anew_in_slices) {
  write_file_of_fewer_letters(file());
  Documents& face = open(data());
  const auto found = [&](const std::string& text) { return find(text).passages.size(); };
  EXPECT_EQ(found("otter 7"), 10u);
  EXPECT_EQ(found("STRASSE"), 0u);
  int slices = 0;
  while (*ground_.run(face.sweep(ground_.soon()))) ++slices;
  EXPECT_EQ(slices, 5) << "1; 128 and 72; two ends";
  EXPECT_EQ(found("STRASSE"), 1u);
  EXPECT_EQ(found("lodz"), 1u);
  EXPECT_EQ(found("aero"), 10u);
  EXPECT_EQ(find("gesperrtt").corrected.size(), 1u);
}

TEST_F(DocumentFiles, of_fewer_folded_letters_are_forgotten_by_the_words_that_they_came_with) {
  write_file_of_fewer_letters(file());
  Documents& face = open(data());
  for (int i = 0; i < 3; ++i) {  // a part of the second is indexed anew
    ASSERT_TRUE(*ground_.run(face.sweep(ground_.soon())));
  }
  ASSERT_TRUE(ground_.run(face.erase(tenant_, DocumentId("doc_a"), ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(face.erase(tenant_, DocumentId("doc_b"), ground_.soon())).ok());
  while (*ground_.run(face.sweep(ground_.soon()))) {
  }
  stores_.reset();
  Connection db(file(), Mode::write, std::chrono::seconds(1));
  EXPECT_EQ(db.number("SELECT count(*) FROM words_row"), 0) << "no word is left behind";
}

TEST_F(DocumentFiles, of_the_first_version_are_brought_up_to_date) {
  write_old_file(file());
  Documents& face = open(data());
  auto info = ground_.run(face.get(tenant_, DocumentId("doc_a"), ground_.soon()));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->number, 3);
  EXPECT_EQ(info->collection.text(), "notes");
  EXPECT_EQ(info->title, "Pumps");
  EXPECT_EQ(info->size.value, 77u);
  EXPECT_EQ(micros(info->created), 1000);
  EXPECT_EQ(info->state, DocumentState::ready);
  auto stored = ground_.run(face.chunks(tenant_, DocumentId("doc_a"), 0, 9, ground_.soon()));
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ(stored->size(), 2u);
  EXPECT_EQ((*stored)[1].text, "Oil is changed yearly.");
  EXPECT_EQ((*stored)[1].begin, 30u);
  EXPECT_EQ((*stored)[1].heading, "Care > Oil");
  auto found = find("cleaning the impoller");
  ASSERT_EQ(found.passages.size(), 1u) << "the other tenant's is not there";
  EXPECT_EQ(found.passages[0].document.text(), "doc_a");
  ASSERT_EQ(found.corrected.size(), 1u);
  EXPECT_EQ(found.corrected[0].instead, (std::vector<std::string>{"impeller"}));
  auto collections = ground_.run(face.collections(tenant_, ground_.soon()));
  ASSERT_EQ(collections->size(), 2u);
  EXPECT_EQ((*collections)[0].chunks, 2u);
  EXPECT_EQ((*collections)[1].size.value, 88u);
  // New ones come after the old.
  ingest(face, "doc_d", 1, "gasket");
  EXPECT_GT(find("gasket").passages.at(0).number, chunk_number(9, 0));
}

TEST_F(DocumentFiles, keep_nothing_of_what_was_erased) {
  Documents& face = open(data());
  ingest(face, "small", 3, "tamarin");
  ingest(face, "large", 700, "capybara");
  ingest(face, "stays", 2, "okapi");
  NewDocument unfinished = head("unfinished");
  unfinished.collection = CollectionName("passing");
  ASSERT_TRUE(ground_.run(face.begin(tenant_, unfinished, ground_.soon())).ok());
  ASSERT_TRUE(ground_
                  .run(face.append(tenant_, DocumentId("unfinished"), 0, chunks(0, 50, "quokka"),
                                   "x", ground_.soon()))
                  .ok());
  ASSERT_TRUE(ground_.run(face.erase(tenant_, DocumentId("small"), ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(face.erase(tenant_, DocumentId("large"), ground_.soon())).ok());
  ASSERT_TRUE(
      ground_.run(face.erase_collection(tenant_, CollectionName("passing"), ground_.soon())).ok());
  sweep_all(face);
  EXPECT_EQ(find("okapi").passages.size(), 2u);
  close();
  Connection db(file(), Mode::write, std::chrono::seconds(1));
  EXPECT_EQ(db.number("SELECT count(*) FROM document"), 1);
  EXPECT_EQ(db.number("SELECT count(*) FROM collection"), 1);
  EXPECT_EQ(db.number("SELECT count(*) FROM chunk"), 2);
  EXPECT_EQ(db.number("SELECT count(*) FROM words_docsize"), 2);
  for (const char* word : {"tamarin", "capybara", "quokka", "capi", "passing"}) {
    const std::string root = stem(word);
    EXPECT_EQ(db.number("SELECT count(*) FROM words_row WHERE term = '" + root + "'"), 0) << word;
    EXPECT_EQ(db.number(std::string("SELECT count(*) FROM word WHERE text = '") + word + "'"), 0)
        << word;
    EXPECT_TRUE(spelled_alike(db, std::string(word) + "x").empty()) << word;
  }
  EXPECT_EQ(db.number("SELECT count(*) FROM word WHERE text = 'okapi'"), 1);
  EXPECT_NO_THROW(db.run("INSERT INTO words (words) VALUES ('integrity-check')"));
  EXPECT_NO_THROW(db.run("INSERT INTO spelling (spelling) VALUES ('integrity-check')"));
  // Every word's witness is there.
  EXPECT_EQ(db.number("SELECT count(*) FROM word WHERE witness NOT IN (SELECT n FROM chunk)"), 0);
}

// proves K3
TEST_F(DocumentFiles, as_a_crash_leaves_them_go_on_with_what_was_acknowledged) {
  Documents& face = open(data());
  ASSERT_TRUE(ground_.run(face.begin(tenant_, head("doc"), ground_.soon())).ok());
  const DocumentId id("doc");
  ASSERT_TRUE(
      ground_.run(face.append(tenant_, id, 0, chunks(0, 5, "marmot"), "five", ground_.soon()))
          .ok());
  ASSERT_TRUE(
      ground_.run(face.append(tenant_, id, 5, chunks(5, 5, "marmot"), "ten", ground_.soon())).ok());
  ingest(face, "erased", 300, "pangolin");
  ASSERT_TRUE(ground_.run(face.erase(tenant_, DocumentId("erased"), ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(face.sweep(ground_.soon())).ok());
  // The files as they are now, without being closed: the log is not in the database yet.
  const std::string copy = dir_.path() + "/copy";
  std::filesystem::create_directories(copy);
  for (const char* name : {"/knowledge.db", "/knowledge.db-wal"}) {
    std::filesystem::copy_file(data() + name, copy + name);
  }
  close();
  Documents& later = open(copy);
  EXPECT_TRUE(find("pangolin").passages.empty());
  auto begun = ground_.run(later.begin(tenant_, head("doc"), ground_.soon()));
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->checkpoint, "ten");
  EXPECT_EQ(begun->document.chunks, 10u);
  ASSERT_TRUE(
      ground_.run(later.append(tenant_, id, 10, chunks(10, 5, "marmot"), "", ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(later.finish(tenant_, id, "sha", Bytes{9}, "", ground_.soon())).ok());
  EXPECT_EQ(find("marmot", 99).passages.size(), 15u);
  sweep_all(later);
  close();
  Connection db(copy + "/knowledge.db", Mode::write, std::chrono::seconds(1));
  EXPECT_EQ(db.number("SELECT count(*) FROM document"), 1);
  EXPECT_EQ(db.number("SELECT count(*) FROM chunk"), 15);
  EXPECT_NO_THROW(db.run("INSERT INTO words (words) VALUES ('integrity-check')"));
}

class WordRows : public testing::Test {
 protected:
  WordRows() : db_(dir_.path() + "/x.db", Mode::write, std::chrono::seconds(1)) {
    migrate(documents_schema(), db_);
    db_.run("PRAGMA synchronous = OFF");
    row_.tenant = tenant_made(db_, TenantId("t"));
    row_.collection = collection_made(db_, row_.tenant, CollectionName("c"));
    row_.info.id = DocumentId("d");
    row_.info.number = insert_document(db_, row_);
  }
  std::int64_t words() { return db_.number("SELECT count(*) FROM word"); }

  TemporaryDir dir_;
  Connection db_;
  DocumentRow row_;
};

TEST_F(WordRows, has_a_largest_number_of_words) {
  Vocabulary vocabulary(5);
  insert_chunks(db_, vocabulary, row_, 0, {{"alpha beta gamma delta alpha", 0, 1, "", {}}});
  EXPECT_EQ(words(), 4);
  insert_chunks(db_, vocabulary, row_, 1, {{"alpha epsilon theta", 0, 1, "", {}}});
  EXPECT_EQ(words(), 5);
  insert_chunks(db_, vocabulary, row_, 2, {{"lambda omega", 0, 1, "", {}}});
  EXPECT_EQ(words(), 5);
  EXPECT_EQ(db_.number("SELECT count(*) FROM words_row WHERE term = 'omega'"), 1)
      << "it is searched for all the same";
}

TEST_F(WordRows, of_a_transaction_that_was_undone_is_learnt_again) {
  Vocabulary vocabulary(100);
  db_.run("BEGIN");
  insert_chunks(db_, vocabulary, row_, 0, {{"alpha beta", 0, 1, "", {}}});
  db_.run("ROLLBACK");
  EXPECT_EQ(words(), 0);
  insert_chunks(db_, vocabulary, row_, 0, {{"alpha beta gamma", 0, 1, "", {}}});
  EXPECT_EQ(words(), 3);
}

TEST_F(WordRows, of_terms_are_those_of_their_text) {
  const std::string text =
      "Pumping pumps pumped, \xC3\x84pfel, \xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD x2 " +
      std::string(40, 'a') + "ing " + std::string(200, 'b') + " pumps";
  TermCutter cutter;
  Vocabulary vocabulary(100);
  insert_chunks(db_, vocabulary, row_, 0, {{text, 0, 1, "Head", {}, cutter.terms_of(text)}});
  const std::int64_t learnt = words();
  EXPECT_EQ(db_.number("SELECT count(*) FROM word WHERE text IN ('pumping', 'pumps', 'pumped')"),
            3);
  insert_chunks(db_, vocabulary, row_, 1, {{text, 0, 1, "Head", {}}});
  EXPECT_EQ(words(), learnt) << "the text holds no word that its terms do not";
  EXPECT_GT(db_.number("SELECT count(*) FROM words_row"), 5);
  EXPECT_EQ(db_.number("SELECT count(*) FROM words_row WHERE doc <> 2 OR cnt % 2 <> 0"), 0);
  for (const char* found : {"\"pumping pumps pumped\"", "apfel"}) {
    EXPECT_EQ(
        db_.number(std::string("SELECT count(*) FROM words WHERE words MATCH '") + found + "'"), 2)
        << found;
  }
}

TEST_F(WordRows, of_terms_that_were_undone_are_learnt_again) {
  TermCutter cutter;
  const std::string terms = cutter.terms_of("alpha beta");
  Vocabulary vocabulary(100);
  db_.run("BEGIN");
  insert_chunks(db_, vocabulary, row_, 0, {{"alpha beta", 0, 1, "", {}, terms}});
  db_.run("ROLLBACK");
  EXPECT_EQ(words(), 0);
  insert_chunks(db_, vocabulary, row_, 0, {{"alpha beta", 0, 1, "", {}, terms}});
  EXPECT_EQ(words(), 2);
}

TEST_F(WordRows, of_a_text_that_looks_like_terms_are_its_own) {
  const std::string text =
      "\x03\x05"
      "alpha beta";
  Vocabulary vocabulary(100);
  insert_chunks(db_, vocabulary, row_, 0, {{text, 0, 1, "\x03\x04head", {}}});
  EXPECT_EQ(db_.number("SELECT count(*) FROM words_row WHERE term IN ('alpha', 'beta', 'head')"),
            3);
  EXPECT_EQ(words(), 3);
}

TEST_F(WordRows, finds_near_words_among_many) {
  Vocabulary vocabulary(100'000);
  SeededRandom random(3);
  std::string text;
  for (int i = 0; i < 5'000; ++i) {
    for (auto n = 5 + random.below(6); n > 0; --n)
      text += static_cast<char>('a' + random.below(26));
    text += ' ';
  }
  db_.run("BEGIN");
  insert_chunks(db_, vocabulary, row_, 0, {{text + " calibration", 0, 1, "", {}}});
  db_.run("COMMIT");
  EXPECT_GT(words(), 4'900);
  for (const char* typed : {"calibratoin", "caliberation", "clibration", "kalibration"}) {
    bool found = false;
    for (const auto& each : spelled_alike(db_, typed)) found = found || each.word == "calibration";
    EXPECT_TRUE(found) << typed;
  }
}

}  // namespace
}  // namespace mainstay::storage::sqlite
