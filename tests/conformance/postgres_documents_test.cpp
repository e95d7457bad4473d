// What only documents and vectors in PostgreSQL do: several processes, plans, a server that goes
// away, nothing left behind.   fault row 31
#include "conformance/documents_rig.h"
#include "conformance/postgres_rig.h"
#include "storage/postgres/documents.h"
#include "storage/postgres/index_words.h"
#include "storage/postgres/vectors.h"

namespace mainstay::storage {
namespace {

/// One that the tests may kill.
PostgresServer& mortal_postgres() {
  static PostgresServer server;
  return server;
}

class PostgresKnowledge : public OnPostgres {
 protected:
  explicit PostgresKnowledge(PostgresServer& server = shared_postgres()) : OnPostgres(server) {
    settings_.statement_timeout = std::chrono::milliseconds(5000);
  }
  /// Stores of another process on the same database.
  Stores& others() {
    if (!others_) {
      auto opened = try_open(url());
      if (!opened.ok()) throw std::runtime_error(opened.error().detail);
      others_ = std::move(*opened);
    }
    return *others_;
  }
  Documents& here() { return stores().documents(); }
  Result<Added> add(Stores& to, NewDocument document) {
    return ground_.run(to.documents().add(clinic_, std::move(document), ground_.soon()));
  }
  std::size_t found(Stores& in, const std::string& text) {
    PassageQuery query;
    query.tenant = clinic_;
    query.text = text;
    auto out = ground_.run(in.documents().find(query, ground_.soon()));
    EXPECT_TRUE(out.ok()) << (out.ok() ? "" : out.error().detail);
    return out.ok() ? out->passages.size() : 0;
  }
  std::string tell(const std::string& sql) { return Psql(server_.admin_url(database_)).tell(sql); }
  static NewDocument saying(int n, const std::string& text) {
    NewDocument out = document_of(n);
    out.chunks = {{text, 0, text.size(), ""}};
    return out;
  }
  static Chunk chunk(const std::string& text) { return {text, 0, text.size(), ""}; }

  const TenantId clinic_{"clinic"};
  std::unique_ptr<Stores> others_;
};

class PostgresKnowledgeFaults : public PostgresKnowledge {
 protected:
  PostgresKnowledgeFaults() : PostgresKnowledge(mortal_postgres()) {}
};

TEST_F(PostgresKnowledge, what_one_process_puts_in_the_other_finds_and_what_it_erases_is_gone) {
  ASSERT_TRUE(add(stores(), saying(1, "The walrus sleeps.")).ok());
  EXPECT_EQ(found(others(), "walrus"), 1u);
  ASSERT_TRUE(
      ground_.run(others().documents().erase(clinic_, DocumentId("doc_1"), ground_.soon())).ok());
  EXPECT_EQ(found(stores(), "walrus"), 0u);
}

TEST_F(PostgresKnowledge, an_ingest_begun_by_one_process_is_finished_by_the_other) {
  NewDocument head = document_of(1);
  head.chunks.clear();
  head.sha256 = "";
  ASSERT_TRUE(ground_.run(here().begin(clinic_, head, ground_.soon())).ok());
  ASSERT_TRUE(
      ground_
          .run(here().append(clinic_, head.id, 0, {chunk("otter one")}, "byte 9", ground_.soon()))
          .ok());
  auto begun = ground_.run(others().documents().begin(clinic_, head, ground_.soon()));
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->checkpoint, "byte 9");
  EXPECT_EQ(begun->document.chunks, 1u);
  ASSERT_TRUE(ground_
                  .run(others().documents().append(clinic_, head.id, 1, {chunk("otter two")}, "",
                                                   ground_.soon()))
                  .ok());
  ASSERT_TRUE(
      ground_
          .run(others().documents().finish(clinic_, head.id, "sha", Bytes{9}, "", ground_.soon()))
          .ok());
  EXPECT_EQ(found(stores(), "otter"), 2u);
}

TEST_F(PostgresKnowledge, an_ingest_that_goes_on_is_not_listed_as_old) {
  NewDocument head = document_of(1);
  head.chunks.clear();
  ASSERT_TRUE(ground_.run(here().begin(clinic_, head, ground_.soon())).ok());
  ground_.clock.move(std::chrono::hours(3));
  const WallTime later = ground_.clock.wall() - std::chrono::hours(1);
  const auto old = [&] {
    return ground_.run(others().documents().ingesting(later, 9, ground_.soon()))->size();
  };
  EXPECT_EQ(old(), 1u);
  ASSERT_TRUE(
      ground_.run(here().append(clinic_, head.id, 0, {chunk("seal")}, "", ground_.soon())).ok());
  EXPECT_EQ(old(), 0u);
}

TEST_F(PostgresKnowledge, the_version_tells_of_changes_by_others) {
  Documents& theirs = others().documents();
  std::uint64_t seen = 0;
  const auto quiet = [&] { return std::exchange(seen, theirs.version()) == theirs.version(); };
  ASSERT_TRUE(comes_true(quiet)) << "it stands still while nothing changes";
  const auto before = theirs.version();
  ASSERT_TRUE(add(stores(), document_of(1)).ok());
  EXPECT_TRUE(comes_true([&] { return theirs.version() != before; }));
}

TEST_F(PostgresKnowledge, the_same_content_from_many_at_once_is_there_once) {
  constexpr int kMany = 12;
  std::vector<Result<Added>> answers;
  for (int n = 0; n < kMany; ++n) {
    NewDocument document = document_of(n);
    document.sha256 = "the same";
    document.source = "file.txt";
    Stores& to = n % 2 == 0 ? stores() : others();
    const auto ended = [&answers](std::exception_ptr thrown, Result<Added> added) {
      EXPECT_FALSE(thrown);
      answers.push_back(std::move(added));
    };
    asio::co_spawn(ground_.io.get_executor(),
                   to.documents().add(clinic_, std::move(document), ground_.soon()), ended);
  }
  ground_.io.restart();
  ground_.io.run();
  ASSERT_EQ(answers.size(), std::size_t{kMany});
  int fresh = 0;
  for (const auto& each : answers) {
    ASSERT_TRUE(each.ok()) << each.error().detail;
    fresh += each->existed ? 0 : 1;
  }
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(tell("SELECT documents || ' ' || chunks FROM mainstay.collection"), "1 3");
  EXPECT_EQ(tell("SELECT count(*) FROM mainstay.chunk"), "3");
}

TEST_F(PostgresKnowledge, texts_that_an_older_version_cut_into_words_are_cut_anew_by_upkeep) {
  NewDocument street = saying(1, "Die Straße ist gesperrt.");
  street.title = "ŁÓDŹ";
  ASSERT_TRUE(add(stores(), street).ok());
  NewDocument many = saying(2, "otter");
  for (int i = 0; i < 200; ++i) many.chunks.push_back(chunk("otter Ærø " + std::to_string(i)));
  ASSERT_TRUE(add(stores(), many).ok());
  const auto sweep_all = [&] {
    int calls = 1;
    while (*ground_.run(here().sweep(ground_.soon()))) ++calls;
    return calls;
  };
  EXPECT_EQ(sweep_all(), 1) << "what comes needs none of it";
  const std::string was = tell("SELECT sum(length(words)) FROM mainstay.chunk_words");
  tell(
      "UPDATE mainstay.chunk_words SET folding = 1, length = 1, words = "
      "array_to_tsvector(ARRAY['ghost', chr(1) || 'tclinic', chr(1) || 'c1']); "
      "UPDATE mainstay.document SET title_words = ''; DELETE FROM mainstay.word");
  EXPECT_EQ(found(stores(), "STRASSE"), 0u);
  EXPECT_EQ(sweep_all(), 4) << "1 of the first, 128 and 73 of the second, none";
  EXPECT_EQ(found(stores(), "STRASSE"), 1u);
  EXPECT_EQ(found(stores(), "lodz"), 1u);
  EXPECT_EQ(found(stores(), "gesperrtt"), 1u) << "its spelling is known";
  EXPECT_EQ(found(stores(), "ghost"), 0u);
  EXPECT_EQ(tell("SELECT sum(length(words)) FROM mainstay.chunk_words"), was);
  EXPECT_EQ(tell("SELECT count(*) FROM mainstay.chunk_words WHERE folding < 2 OR length < 3"), "0");
}

TEST_F(PostgresKnowledge, vectors_that_one_process_puts_the_other_finds) {
  auto added = add(stores(), document_of(1));
  ASSERT_TRUE(added.ok());
  const auto number = added->document.number;
  auto space = ground_.run(stores().vectors().make("m", 2, ground_.soon()));
  ASSERT_TRUE(space.ok());
  const auto put = [&](std::uint64_t seq, std::vector<float> values) {
    std::vector<NewVector> one{{chunk_number(number, seq), std::move(values)}};
    EXPECT_TRUE(
        ground_.run(stores().vectors().put(space->number, std::move(one), ground_.soon())).ok());
  };
  const auto nearest = [&](std::vector<float> query) {
    VectorSearch asked;
    asked.space = space->number;
    asked.queries = {std::move(query)};
    asked.documents = std::make_shared<const DocumentSet>(std::vector<std::int64_t>{number});
    asked.nearest = 1;
    auto got = ground_.run(others().vectors().search(asked, ground_.soon()));
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.error().detail);
    if (!got.ok() || got->front().empty()) return std::int64_t{-1};
    return got->front().front().chunk;
  };
  put(0, {1, 0});
  EXPECT_EQ(nearest({0, 1}), chunk_number(number, 0));
  put(1, {0, 1});
  EXPECT_EQ(nearest({0, 1}), chunk_number(number, 1)) << "put after the index was read";
  put(1, {-1, 0});
  put(2, {1, 1});
  EXPECT_EQ(nearest({0, 1}), chunk_number(number, 2)) << "the one before was replaced";
  ASSERT_TRUE(ground_.run(stores().vectors().drop(space->number, ground_.soon())).ok());
  VectorSearch asked;
  asked.space = space->number;
  asked.queries = {{1, 0}};
  asked.documents = std::make_shared<const DocumentSet>(std::vector<std::int64_t>{number});
  auto gone = ground_.run(others().vectors().search(asked, ground_.soon()));
  EXPECT_EQ(gone.error().reason, "unknown_vector_space");
}

TEST_F(PostgresKnowledge, one_process_at_a_time_is_told_what_lacks_vectors) {
  auto added = add(stores(), document_of(1));
  ASSERT_TRUE(added.ok());
  auto space = ground_.run(stores().vectors().make("m", 2, ground_.soon()));
  const auto missing = [&](Stores& of) {
    auto got = ground_.run(of.vectors().missing(space->number, 0, 10, ground_.soon()));
    return got.ok() ? std::to_string(got->size()) : std::string(name(got.error().code));
  };
  EXPECT_EQ(missing(stores()), "3");
  EXPECT_EQ(missing(others()), "unavailable");
  EXPECT_EQ(missing(stores()), "3");
  tell("UPDATE mainstay.vector_space SET filling = clock_timestamp() - interval '1 second'");
  EXPECT_EQ(missing(others()), "3") << "the first one has ended";
  EXPECT_EQ(missing(stores()), "unavailable");
  std::vector<NewVector> all;
  for (std::uint64_t i = 0; i < 3; ++i) {
    all.push_back({chunk_number(added->document.number, i), {1, 0}});
  }
  ASSERT_TRUE(ground_.run(others().vectors().put(space->number, all, ground_.soon())).ok());
  EXPECT_EQ(missing(stores()), "0") << "whoever is filling, there is nothing to do";
}

// proves K6: delete means gone
TEST_F(PostgresKnowledge, nothing_of_an_erased_document_stays_in_any_table) {
  NewDocument document = saying(1, "The zeppelin lands.");
  document.thumbnail = "a picture";
  auto added = add(stores(), document);
  ASSERT_TRUE(added.ok());
  auto space = ground_.run(stores().vectors().make("m", 2, ground_.soon()));
  std::vector<NewVector> one{{chunk_number(added->document.number, 0), {1, 0}}};
  ASSERT_TRUE(ground_.run(stores().vectors().put(space->number, one, ground_.soon())).ok());
  EXPECT_EQ(tell("SELECT count(*) FROM mainstay.word WHERE text = 'zeppelin'"), "1");
  ASSERT_TRUE(ground_.run(here().erase(clinic_, DocumentId("doc_1"), ground_.soon())).ok());
  ASSERT_TRUE(ground_.run(here().sweep(ground_.soon())).ok());
  for (const char* table : {"document", "chunk", "chunk_words", "word", "chunk_vector"}) {
    EXPECT_EQ(tell("SELECT count(*) FROM mainstay." + std::string(table)), "0") << table;
  }
  EXPECT_EQ(tell("SELECT vectors FROM mainstay.vector_space"), "0");
  EXPECT_EQ(tell("SELECT words FROM mainstay.vocabulary"), "0");
}

TEST_F(PostgresKnowledge, any_bytes_are_kept_and_a_text_of_any_words_is_indexed) {
  std::string bytes("nul \0 and \xff\xfe and \xed\xa0\x80 walrus", 27);
  NewDocument odd = saying(1, bytes);
  odd.title = std::string("title\0\xff", 7);
  odd.source = std::string(5'000, 's') + '\xff';
  odd.media_type = "text/plain\xff";
  odd.chunks[0].heading = "it's \\ 'quoted' \xc3";
  ASSERT_TRUE(add(stores(), odd).ok());
  auto stored = ground_.run(here().chunks(clinic_, odd.id, 0, 9, ground_.soon()));
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->at(0).text, bytes);
  EXPECT_EQ(found(stores(), "walrus"), 1u);
  EXPECT_EQ(found(stores(), "quoted"), 1u);
  std::string many;
  for (int i = 0; many.size() < 600'000; ++i) many += "word" + std::to_string(i) + "x ";
  ASSERT_TRUE(add(stores(), saying(2, many)).ok()) << "more words than an index entry holds";
  EXPECT_EQ(found(stores(), "word7x"), 1u);
}

/// Four thousand documents of ten chunks, with words and vectors.
void fill(Psql& db) {
  db.tell(
      "INSERT INTO mainstay.collection (tenant, name) SELECT 't' || i % 50, ('c' || i)::bytea "
      "FROM generate_series(1, 200) i");
  db.tell(
      "INSERT INTO mainstay.document (id, tenant, collection, state, title, title_words, source, "
      "media_type, sha256, size, chunks, created, touched, tags, checkpoint, thumbnail) "
      "SELECT 'd' || i, c.tenant, c.n, CASE WHEN i % 500 = 0 THEN 1 ELSE 0 END, '', '', "
      "('s' || i)::bytea, '', 'h' || i, 1, 10, i, i, '{}', '', '' FROM generate_series(1, 4000) i "
      "JOIN mainstay.collection c ON c.n = i % 200 + 1");
  db.tell(
      "INSERT INTO mainstay.chunk SELECT (i::bigint << 24) + j, 0, 1, 0, '', 'x' "
      "FROM generate_series(1, 4000) i, generate_series(0, 9) j");
  db.tell(
      "INSERT INTO mainstay.chunk_words SELECT c.n, 5, ('common:1 w' || c.n % 1000)::tsvector || "
      "mainstay.marks(d.tenant, d.collection) FROM mainstay.chunk c "
      "JOIN mainstay.document d ON d.n = c.n >> 24");
  db.tell(
      "INSERT INTO mainstay.word SELECT 't' || i % 50, 'word' || i, 'word' || i, i, "
      "mainstay.grams('t' || i % 50, 'word' || i) FROM generate_series(1, 20000) i");
  db.tell(
      "INSERT INTO mainstay.vector_space (model, dimension, state, vectors, numbers) "
      "VALUES ('m', 2, 1, 40000, 40000)");
  db.tell(
      "INSERT INTO mainstay.chunk_vector SELECT n, 1, row_number() OVER (), '', '', n "
      "FROM mainstay.chunk");
  db.tell("VACUUM ANALYZE");
}

TEST_F(PostgresKnowledge, no_query_of_a_verb_reads_a_whole_table) {
  stores();
  Psql db(server_.admin_url(database_));
  fill(db);
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  const std::string document = std::to_string(7 << 24);
  const std::vector<std::string> filter{"'t7'", "'c7'::bytea", "'{}'::bytea[]", "0", "9999", "''"};
  const std::vector<std::vector<std::string>> parameters = {
      {"'d7'", "'t8'"},
      {"'t7'", "20", "''", "0"},
      {"'t7'", "20", "''", "0", "'c7'::bytea"},
      {"3000", "50"},
      {"'d7'", "'t8'", "3", "5"},
      {"'d7'", "'t8'"},
      {"'t7'"},
      {"'t7'", "ARRAY[" + document + "]::bigint[]"},
      filter};
  const auto queries = postgres::document_queries();
  ASSERT_EQ(queries.size(), parameters.size());
  for (std::size_t i = 0; i < queries.size(); ++i) all.emplace_back(queries[i], parameters[i]);
  std::vector<std::string> asked = filter;
  std::string mark;  // inside a string of SQL
  for (const char c : postgres::tenant_mark(TenantId("t7")))
    mark += c == '\'' ? "''" : std::string(1, c);
  asked.insert(asked.end(), {"'" + mark + " & (w7 | w8)'", "0", "9223372036854775807", "0", "40000",
                             "10", "'w7'", "'w8'"});
  all.emplace_back(postgres::find_query(2), asked);
  all.emplace_back(postgres::old_words_query(), std::vector<std::string>{"128"});
  const std::vector<std::vector<std::string>> of_vectors = {{"1", document, "100"},
                                                            {"1", "39990", "100"},
                                                            {"1", "ARRAY[7, 8]::bigint[]"},
                                                            {"ARRAY[7, 8]::bigint[]"}};
  const auto vectors = postgres::vector_queries();
  ASSERT_EQ(vectors.size(), of_vectors.size());
  for (std::size_t i = 0; i < vectors.size(); ++i) all.emplace_back(vectors[i], of_vectors[i]);
  for (auto& [sql, values] : all) {
    for (std::size_t p = values.size(); p > 0; --p) {
      const std::string at = "$" + std::to_string(p);
      for (auto place = sql.find(at); place != std::string::npos; place = sql.find(at)) {
        sql.replace(place, at.size(), values[p - 1]);
      }
    }
    const std::string plan = db.tell("EXPLAIN " + sql);
    for (const char* large : {"document", "chunk", "chunk_words", "word", "chunk_vector"}) {
      EXPECT_EQ(plan.find("Seq Scan on " + std::string(large) + " "), std::string::npos)
          << sql << "\n"
          << plan;
    }
  }
  // The functions look for holders by the index, however common the planner thinks a word is.
  const std::string held = db.tell(
      "BEGIN; SET LOCAL enable_seqscan = off; EXPLAIN SELECT FROM mainstay.chunk_words w "
      "WHERE w.words @@ 'w7'::tsquery LIMIT 1");
  EXPECT_NE(held.find("chunk_by_word"), std::string::npos) << held;
}

TEST_F(PostgresKnowledgeFaults, an_ingest_goes_on_where_it_was_when_the_server_comes_back) {
  NewDocument head = document_of(1);
  head.chunks.clear();
  head.sha256 = "";
  ASSERT_TRUE(ground_.run(here().begin(clinic_, head, ground_.soon())).ok());
  ASSERT_TRUE(ground_
                  .run(here().append(clinic_, head.id, 0, {chunk("walrus 0"), chunk("walrus 1")},
                                     "2", ground_.soon()))
                  .ok());
  server_.kill();
  auto lost =
      ground_.run(here().append(clinic_, head.id, 2, {chunk("walrus 2")}, "3", ground_.soon()));
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().reason, "database_unavailable");
  PassageQuery query;
  query.tenant = clinic_;
  query.text = "walrus";
  EXPECT_EQ(ground_.run(here().find(query, ground_.soon())).error().reason, "database_unavailable");
  server_.start();
  ASSERT_TRUE(
      comes_true([&] { return ground_.run(here().get(clinic_, head.id, ground_.soon())).ok(); }));
  auto begun = ground_.run(here().begin(clinic_, head, ground_.soon()));
  ASSERT_TRUE(begun.ok());
  ASSERT_EQ(begun->document.chunks, 2u);
  EXPECT_EQ(begun->checkpoint, "2");
  ASSERT_TRUE(
      ground_.run(here().append(clinic_, head.id, 2, {chunk("walrus 2")}, "3", ground_.soon()))
          .ok());
  ASSERT_TRUE(
      ground_.run(here().finish(clinic_, head.id, "sha", Bytes{3}, "", ground_.soon())).ok());
  EXPECT_EQ(found(stores(), "walrus"), 3u);
  EXPECT_EQ(busy(), 0);
}

TEST_F(PostgresKnowledge, a_search_behind_a_lock_ends_in_time_and_one_without_connection_too) {
  settings_.pool_size = 1;
  settings_.pool_overflow = 0;
  settings_.statement_timeout = std::chrono::milliseconds(1500);
  settings_.acquire_timeout = std::chrono::milliseconds(200);
  ASSERT_TRUE(add(stores(), document_of(1)).ok());
  Psql admin(server_.admin_url(database_));
  admin.tell("BEGIN");
  admin.tell("LOCK TABLE mainstay.chunk_words");
  PassageQuery query;
  query.tenant = clinic_;
  query.text = "chunk";
  std::vector<std::string> reasons;
  const auto ended = [&reasons](std::exception_ptr, Result<Found> found) {
    reasons.push_back(found.ok() ? "found" : found.error().reason);
  };
  for (int i = 0; i < 2; ++i) {
    asio::co_spawn(ground_.io.get_executor(), here().find(query, ground_.soon()), ended);
  }
  ground_.io.restart();
  ground_.io.run();
  EXPECT_EQ(reasons, (std::vector<std::string>{"database_busy", "read_timeout"}));
  admin.tell("ROLLBACK");
  EXPECT_EQ(found(stores(), "chunk"), 3u);
  EXPECT_EQ(busy(), 0);
}

}  // namespace
}  // namespace mainstay::storage
