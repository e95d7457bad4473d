// Documents in one process: how fast texts go in and how much memory that takes, how long word
// searches take, how long an erased document holds up others. Texts are made, words by Zipf's law.
// Prints one JSON object for each number; bench/suites reads them.
#include <time.h>

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../tools/arguments.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/open.h"
#include "storage/sqlite/schema.h"
#include "storage/terms.h"

namespace mainstay::bench {
namespace {

using storage::Chunk;
using storage::NewDocument;

constexpr const char* kUsage =
    "documents --mode ingest|search|erase [--dir D] [--mb N] [--chunks N] [--documents N] "
    "[--batch-kb N] [--queries N] [--terms 0|1] [--fts key=value]...";

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "documents: %s\n", what.c_str());
  std::exit(1);
}

void print(const char* name, double value, const char* unit) {
  std::printf("{\"figure\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"}\n", name, value, unit);
  std::fflush(stdout);
}

/// Words as a language has them: few often, many seldom, now and then one never seen before.
class Speech {
 public:
  Speech() {
    static constexpr const char* kSyllables[] = {
        "ba",  "con", "der", "e",   "fil", "gra", "ho", "in", "ja",  "ker", "lo", "ma",
        "ner", "o",   "per", "qua", "re",  "sta", "ti", "un", "ver", "wa",  "xi", "zo"};
    while (words_.size() < kWords) {
      std::string word;
      for (auto n = 2 + random_.below(3); n > 0; --n) word += kSyllables[random_.below(24)];
      words_.push_back(word);
    }
    std::vector<double> sums;
    double sum = 0;
    for (std::size_t i = 0; i < kWords; ++i)
      sums.push_back(sum += 1.0 / static_cast<double>(i + 8));
    for (std::size_t i = 0; i < kDrawn; ++i) {
      const double at = sum * static_cast<double>(random_.below(1u << 30)) / (1u << 30);
      const auto found = std::lower_bound(sums.begin(), sums.end(), at);
      drawn_.push_back(static_cast<std::uint32_t>(found - sums.begin()));
    }
  }
  std::string text(std::size_t bytes) {
    std::string out;
    out.reserve(bytes + 32);
    std::size_t at = random_.below(kDrawn);
    while (out.size() < bytes) {
      if (random_.below(500) == 0) {
        for (int i = 0; i < 9; ++i) out += static_cast<char>('a' + random_.below(26));
      } else {
        out += words_[drawn_[at++ % kDrawn]];
      }
      out += random_.below(12) == 0 ? ". " : " ";
    }
    return out;
  }
  /// Words of a question: seldom enough to tell something.
  std::string question(int count) {
    std::string out;
    while (count > 0) {
      const auto rank = drawn_[random_.below(kDrawn)];
      if (rank < 100) continue;  // of a language: the, of, and ...
      out += words_[rank] + " ";
      --count;
    }
    return out;
  }
  std::string mistyped(const std::string& word) {
    std::string out = word;
    const auto at = 1 + random_.below(out.size() - 2);
    std::swap(out[at], out[at + 1 < out.size() ? at + 1 : at - 1]);
    return out;
  }

 private:
  static constexpr std::size_t kWords = 200'000;
  static constexpr std::size_t kDrawn = 1'000'000;
  SeededRandom random_{5};
  std::vector<std::string> words_;
  std::vector<std::uint32_t> drawn_;
};

double peak_mb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "VmHWM:") continue;
    double kb = 0;
    status >> kb;
    return kb / 1024;
  }
  return 0;
}

double cpu_seconds(clockid_t of) {
  timespec used{};
  ::clock_gettime(of, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// Of the threads that store: the main thread makes the texts.
double storing_seconds() {
  return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
}

double seconds_since(const Clock& clock, TimePoint start) {
  return std::chrono::duration<double>(clock.now() - start).count();
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments) : dir_(arguments.text("dir", "/tmp/documents-bench")) {
    terms_ = arguments.number("terms", 1) > 0;
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock_));
    std::filesystem::create_directories(dir_);
    const auto tuned = arguments.all("fts");
    if (!tuned.empty()) tune(tuned);
    settings_.read_timeout = Millis{60'000};
    settings_.operation_timeout = Millis{60'000};
    open();
  }
  ~Bench() { close(); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void open() {
    auto opened = storage::sqlite::open(settings_, dir_, clock_, random_, *log_, metrics_);
    if (!opened.ok()) stop(opened.error().detail);
    stores_ = std::move(*opened);
  }
  void close() {
    auto closed = stores_->close();
    if (!closed.ok()) stop(closed.error().detail);
  }
  storage::Documents& documents() { return stores_->documents(); }
  Clock& clock() { return clock_; }
  Deadline soon() { return Deadline::in(clock_, std::chrono::seconds(60)); }

  template <class T>
  T run(Co<Result<T>> work) {
    std::optional<Result<T>> out;
    const auto ended = [&](std::exception_ptr thrown, Result<T> value) {
      if (thrown) stop("a coroutine threw");
      out.emplace(std::move(value));
    };
    asio::co_spawn(io_.get_executor(), std::move(work), ended);
    io_.restart();
    io_.run();
    if (!out->ok()) stop(out->error().detail + " " + out->error().reason);
    return std::move(**out);
  }

  /// One document; gives the bytes of its texts.
  std::uint64_t ingest(Speech& speech, int n, std::uint64_t chunks, std::uint64_t batch,
                       const std::string& collection) {
    NewDocument head;
    head.id = DocumentId("doc" + std::to_string(n));
    head.collection = CollectionName(collection);
    head.title = speech.question(3);
    head.source = std::to_string(n);
    head.media_type = "text/plain";
    run(documents().begin(tenant_, head, soon()));
    std::uint64_t bytes = 0;
    std::vector<Chunk> piece;
    storage::TermCutter cutter;  // on the main thread, as an ingest has it on the pool's
    std::uint64_t first = 0;
    for (std::uint64_t i = 0; i < chunks; ++i) {
      piece.push_back(
          {speech.text(1000), i * 1000, i * 1000 + 1000, "Part " + std::to_string(i / 9), {}});
      if (terms_) piece.back().terms = cutter.terms_of(piece.back().text);
      bytes += piece.back().text.size();
      if (piece.size() < batch && i + 1 < chunks) continue;
      made_ += seconds_since(clock_, mark_);
      first = run(documents().append(tenant_, head.id, first, std::move(piece), "x", soon()));
      mark_ = clock_.now();
      piece.clear();
    }
    run(documents().finish(tenant_, head.id, std::to_string(n), Bytes{bytes}, "", soon()));
    return bytes;
  }
  /// Seconds that went into making texts since the last call.
  double made() { return std::exchange(made_, 0); }
  void mark() { mark_ = clock_.now(); }
  std::uint64_t file_bytes() const { return std::filesystem::file_size(dir_ + "/knowledge.db"); }

  const TenantId tenant_{"bench"};

 private:
  void tune(const std::vector<std::string>& settings) {
    storage::sqlite::Connection db(dir_ + "/knowledge.db", storage::sqlite::Mode::write,
                                   std::chrono::seconds(1));
    migrate(storage::sqlite::documents_schema(), db);
    for (const auto& each : settings) {
      const auto equals = each.find('=');
      db.run("INSERT INTO words (words, rank) VALUES ('" + each.substr(0, equals) + "', " +
             each.substr(equals + 1) + ")");
    }
  }
  const std::string dir_;
  RealClock clock_;
  RealRandom random_;
  std::unique_ptr<Log> log_;
  Metrics metrics_;
  StorageSettings settings_;
  asio::io_context io_{1};
  std::unique_ptr<storage::Stores> stores_;
  bool terms_ = true;
  double made_ = 0;
  TimePoint mark_;
};

void ingest(Bench& bench, const Arguments& arguments) {
  Speech speech;
  const auto mb = static_cast<std::uint64_t>(arguments.number("mb", 256));
  const auto batch = static_cast<std::uint64_t>(arguments.number("batch-kb", 1024));
  const auto documents = static_cast<std::uint64_t>(arguments.number("documents", 1));
  print("memory before, texts' words included", peak_mb(), "MB");
  bench.mark();
  const double cpu = storing_seconds();
  const TimePoint start = bench.clock().now();
  std::uint64_t bytes = 0;
  for (std::uint64_t n = 0; n < documents; ++n) {
    bytes += bench.ingest(speech, static_cast<int>(n), mb * 1000 / documents, batch, "bench");
  }
  const double made = bench.made();
  const double took = seconds_since(bench.clock(), start);
  print("text ingest, making of the text left out",
        static_cast<double>(bytes) / 1e6 / (took - made), "MB/s");
  print("text ingest per second of processor",
        static_cast<double>(bytes) / 1e6 / (storing_seconds() - cpu), "MB/s");
  print("text ingest, wall", static_cast<double>(bytes) / 1e6 / took, "MB/s");
  print("peak memory", peak_mb(), "MB");
  print("file per text", static_cast<double>(bench.file_bytes()) / static_cast<double>(bytes), "");
}

double median(std::vector<double> values, double at = 0.5) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0
             : values[static_cast<std::size_t>(at * static_cast<double>(values.size() - 1))];
}

void ask(Bench& bench, Speech& speech, const char* name, int queries, bool mistyped,
         const std::string& collection, const std::string& tag) {
  std::vector<double> took;
  std::vector<double> cpu;
  double hits = 0;
  for (int i = 0; i < queries; ++i) {
    storage::PassageQuery query;
    query.tenant = bench.tenant_;
    query.text = speech.question(4);
    if (mistyped) query.text += speech.mistyped("verstaconmakerhu");
    if (!collection.empty()) query.collection = CollectionName(collection);
    if (!tag.empty()) query.tags = {tag};
    const double before = storing_seconds();
    const TimePoint start = bench.clock().now();
    const auto found = bench.run(bench.documents().find(std::move(query), bench.soon()));
    took.push_back(seconds_since(bench.clock(), start) * 1000);
    cpu.push_back((storing_seconds() - before) * 1000);
    hits += static_cast<double>(found.passages.size());
  }
  print((std::string(name) + " p50").c_str(), median(took), "ms");
  print((std::string(name) + " p50 of processor").c_str(), median(cpu), "ms");
  print((std::string(name) + " p95").c_str(), median(took, 0.95), "ms");
  print((std::string(name) + " hits").c_str(), hits / queries, "");
}

/// A tenth of the chunks in collection "tenth", a thousandth in "thousandth", the rest in "rest".
void search(Bench& bench, const Arguments& arguments) {
  Speech speech;
  const auto chunks = static_cast<std::uint64_t>(arguments.number("chunks", 100'000));
  const auto queries = static_cast<int>(arguments.number("queries", 300));
  storage::DocumentFilter all;
  if (bench.run(bench.documents().visible(bench.tenant_, all, bench.soon())).empty()) {
    const std::uint64_t each = 100;
    for (std::uint64_t n = 0; n < chunks / each; ++n) {
      const char* where = n % 1000 == 7 ? "thousandth" : n % 10 == 3 ? "tenth" : "rest";
      bench.ingest(speech, static_cast<int>(n), each, 1000, where);
    }
  }
  ask(bench, speech, "warm-up", 50, false, "", "");
  ask(bench, speech, "word search", queries, false, "", "");
  ask(bench, speech, "word search with a mistyped word", queries, true, "", "");
  ask(bench, speech, "word search in a tenth", queries, false, "tenth", "");
  ask(bench, speech, "word search in a thousandth", queries, false, "thousandth", "");
  print("peak memory", peak_mb(), "MB");
}

void erase(Bench& bench, const Arguments& arguments) {
  Speech speech;
  const auto mb = static_cast<std::uint64_t>(arguments.number("mb", 64));
  bench.ingest(speech, 1, mb * 1000, 1000, "bench");
  const TimePoint start = bench.clock().now();
  std::vector<double> took;
  auto work =
      bench.documents().erase_collection(bench.tenant_, CollectionName("bench"), bench.soon());
  bench.run(std::move(work));
  print("erase of a collection", seconds_since(bench.clock(), start) * 1000, "ms");
  for (bool more = true; more;) {
    const TimePoint one = bench.clock().now();
    more = bench.run(bench.documents().sweep(bench.soon()));
    took.push_back(seconds_since(bench.clock(), one) * 1000);
  }
  print("slice of a sweep p50", median(took), "ms");
  print("slice of a sweep p99", median(took, 0.99), "ms");
  print("slice of a sweep, longest", median(took, 1), "ms");
  print("sweep of a MB of text",
        seconds_since(bench.clock(), start) * 1000 / static_cast<double>(mb), "ms");
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  using namespace mainstay::bench;
  const Arguments arguments(argc, argv, kUsage);
  const std::string mode = arguments.text("mode", "");
  if (mode != "ingest" && mode != "search" && mode != "erase") stop(kUsage);
  Bench bench(arguments);
  if (mode == "ingest") ingest(bench, arguments);
  if (mode == "search") search(bench, arguments);
  if (mode == "erase") erase(bench, arguments);
  return 0;
}
