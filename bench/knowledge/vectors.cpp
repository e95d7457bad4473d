// The vectors of the store in one process: durable inserts, loading, searches with and without a
// filter, recall against exact floats. Prints one JSON object; bench/suites reads it.
// `--make FILE` writes the set that is searched, for other programs to be asked the same.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../tools/arguments.h"
#include "storage/sqlite/open.h"
#include "storage/vector_math.h"

namespace mainstay::bench {
namespace {

using namespace storage;

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "vectors: %s\n", what.c_str());
  std::exit(1);
}

struct Options {
  std::size_t count = 100'000;
  std::size_t dimension = 384;
  std::size_t queries = 200;
  std::size_t batch = 1000;
  std::string dir;
};

/// Vectors around 200 centres, as embeddings lie; the queries come after the rows.
std::vector<std::vector<float>> make(const Options& options) {
  SeededRandom random(7);
  const auto gauss = [&random] {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.below(1U << 20)) / (1U << 20);
    return static_cast<float>(sum);
  };
  std::vector<std::vector<float>> centres(200, std::vector<float>(options.dimension));
  for (auto& centre : centres) {
    for (auto& each : centre) each = gauss();
  }
  std::vector<std::vector<float>> out(options.count + options.queries);
  for (auto& values : out) {
    const auto& centre = centres[static_cast<std::size_t>(random.below(centres.size()))];
    values.resize(options.dimension);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = centre[i] + 0.7F * gauss();
    to_unit_length(values);
  }
  return out;
}

class Bench {
 public:
  Bench(const Options& options, const std::vector<std::vector<float>>& all)
      : options_(options), all_(all) {
    LogSettings quiet;
    quiet.sink = "none";
    log_ = std::move(*Log::open(quiet, clock_));
    open();
  }

  void run() {
    add_documents();
    const double insert = put_all();
    auto closed = stores_->close();
    if (!closed.ok()) stop(closed.error().detail);
    stores_.reset();
    open();
    const double load = timed([&] { search({query(0)}, everything(), 10); });
    const auto all = searches(everything(), 1);
    const auto tenth = searches(a_tenth(), 10);
    std::vector<std::vector<float>> many;
    for (std::size_t i = 0; i < std::min<std::size_t>(options_.queries, 100); ++i) {
      many.push_back(query(i));
    }
    const double bulk = timed([&] { search(many, everything(), 10); });
    const auto figures = stores_->vectors().figures();
    std::printf(
        "{\"count\":%zu,\"dimension\":%zu,\"kernel\":\"%s\",\"insert_per_s\":%.0f,"
        "\"load_ms\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"cpu_ms\":%.3f,\"recall\":%.4f,"
        "\"filtered_p50_ms\":%.3f,\"filtered_p99_ms\":%.3f,\"filtered_cpu_ms\":%.3f,\"filtered_"
        "recall\":%.4f,"
        "\"bulk_ms_per_query\":%.3f,\"index_mb\":%.1f}\n",
        options_.count, options_.dimension, figures.kernel.c_str(), insert, load * 1e3,
        all.p50 * 1e3, all.p99 * 1e3, all.cpu * 1e3, all.recall, tenth.p50 * 1e3, tenth.p99 * 1e3,
        tenth.cpu * 1e3, tenth.recall, bulk * 1e3 / static_cast<double>(many.size()),
        static_cast<double>(figures.memory) / 1e6);
  }

 private:
  struct Found {
    double p50 = 0;
    double p99 = 0;
    double cpu = 0;
    double recall = 0;
  };
  using Set = std::shared_ptr<const DocumentSet>;

  void open() {
    VectorLimits limits;
    limits.memory = 8ULL << 30;
    settings_.read_timeout = Millis{60'000};  // a million rows, or a machine that does other things
    settings_.operation_timeout = Millis{60'000};
    auto opened =
        sqlite::open(settings_, options_.dir, clock_, random_, *log_, metrics_, {}, {}, limits);
    if (!opened.ok()) stop(opened.error().detail);
    stores_ = std::move(*opened);
  }
  template <class T>
  T wait(Co<Result<T>> work) {
    Result<T> out;
    asio::co_spawn(io_.get_executor(), std::move(work),
                   [&](std::exception_ptr thrown, Result<T> r) {
                     if (thrown) stop("a coroutine threw");
                     out = std::move(r);
                   });
    io_.restart();
    io_.run();
    if (!out.ok()) stop(out.error().reason + ": " + out.error().detail);
    return std::move(*out);
  }
  template <class Work>
  double timed(Work work) {
    const TimePoint from = clock_.now();
    work();
    return std::chrono::duration<double>(clock_.now() - from).count();
  }
  Deadline soon() { return Deadline::in(clock_, std::chrono::minutes(5)); }
  const std::vector<float>& query(std::size_t i) const { return all_[options_.count + i]; }

  /// A hundred chunks each.
  void add_documents() {
    for (std::size_t at = 0; at < options_.count; at += kPer) {
      NewDocument document;
      document.id = DocumentId("d" + std::to_string(at));
      document.collection = CollectionName("c");
      document.sha256 = document.id.text();
      for (std::size_t i = at; i < std::min(options_.count, at + kPer); ++i) {
        document.chunks.push_back({"x" + std::to_string(i), i, i + 1, ""});
      }
      auto added = wait(stores_->documents().add(TenantId("t"), std::move(document), soon()));
      documents_.push_back(added.document.number);
    }
  }
  std::int64_t chunk_of(std::size_t row) const {
    return chunk_number(documents_[row / kPer], row % kPer);
  }
  double put_all() {
    space_ =
        wait(stores_->vectors().make("m", static_cast<std::uint32_t>(options_.dimension), soon()))
            .number;
    double seconds = 0;
    for (std::size_t at = 0; at < options_.count; at += options_.batch) {
      std::vector<NewVector> some;
      for (std::size_t i = at; i < std::min(options_.count, at + options_.batch); ++i) {
        some.push_back({chunk_of(i), all_[i]});
      }
      seconds += timed([&] { wait(stores_->vectors().put(space_, std::move(some), soon())); });
    }
    return static_cast<double>(options_.count) / seconds;
  }
  Set everything() const { return std::make_shared<const DocumentSet>(documents_); }
  Set a_tenth() const {
    std::vector<std::int64_t> some;
    for (std::size_t i = 0; i < documents_.size(); i += 10) some.push_back(documents_[i]);
    return std::make_shared<const DocumentSet>(std::move(some));
  }
  std::vector<std::vector<VectorHit>> search(std::vector<std::vector<float>> queries,
                                             const Set& documents, std::uint32_t nearest) {
    VectorSearch asked;
    asked.space = space_;
    asked.queries = std::move(queries);
    asked.documents = documents;
    asked.nearest = nearest;
    return wait(stores_->vectors().search(std::move(asked), soon()));
  }
  Found searches(const Set& documents, std::size_t step) {
    std::vector<double> took;
    std::vector<double> used;  // of the processor, by all threads
    std::size_t right = 0;
    std::size_t wanted = 0;
    for (std::size_t q = 0; q < options_.queries; ++q) {
      std::vector<VectorHit> hits;
      const std::clock_t from = std::clock();
      took.push_back(timed([&] { hits = search({query(q)}, documents, 10).front(); }));
      used.push_back(static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC);
      std::set<std::int64_t> got;
      for (const auto& hit : hits) got.insert(hit.chunk);
      for (const auto chunk : exact(query(q), step)) {
        ++wanted;
        right += got.count(chunk);
      }
    }
    std::sort(took.begin(), took.end());
    std::sort(used.begin(), used.end());
    return {took[took.size() / 2], took[took.size() * 99 / 100], used[used.size() / 2],
            static_cast<double>(right) / static_cast<double>(wanted)};
  }
  std::vector<std::int64_t> exact(const std::vector<float>& of, std::size_t step) const {
    std::vector<std::pair<float, std::int64_t>> scored;
    for (std::size_t i = 0; i < options_.count; ++i) {
      if (i / kPer % step != 0) continue;
      scored.emplace_back(-dot(of.data(), all_[i].data(), of.size()), chunk_of(i));
    }
    const auto ten = std::min<std::size_t>(10, scored.size());
    std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(ten),
                      scored.end());
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < ten; ++i) out.push_back(scored[i].second);
    return out;
  }

  static constexpr std::size_t kPer = 100;
  const Options& options_;
  const std::vector<std::vector<float>>& all_;
  RealClock clock_;
  SeededRandom random_{3};
  std::unique_ptr<Log> log_;
  Metrics metrics_;
  StorageSettings settings_;
  asio::io_context io_{1};
  std::unique_ptr<Stores> stores_;
  std::int64_t space_ = 0;
  std::vector<std::int64_t> documents_;
};

int main_of(int argc, char** argv) {
  const Arguments arguments(argc, argv,
                            "vectors --dir NEW_FOLDER [--count N] [--dimension N] [--queries N] "
                            "[--batch N] | --make FILE");
  Options options;
  options.count = static_cast<std::size_t>(arguments.number("count", 100'000));
  options.dimension = static_cast<std::size_t>(arguments.number("dimension", 384));
  options.queries = static_cast<std::size_t>(arguments.number("queries", 200));
  options.batch = static_cast<std::size_t>(arguments.number("batch", 1000));
  options.dir = arguments.text("dir", "");
  const auto all = make(options);
  const std::string file = arguments.text("make", "");
  if (!file.empty()) {
    std::ofstream out(file, std::ios::binary);
    for (const auto& values : all) {
      const std::string_view bytes = bytes_of(values);
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    return out.flush() ? 0 : 1;
  }
  if (options.dir.empty()) stop("--dir is needed");
  Bench(options, all).run();
  return 0;
}

}  // namespace
}  // namespace mainstay::bench

int main(int argc, char** argv) {
  return mainstay::bench::main_of(argc, argv);
}
