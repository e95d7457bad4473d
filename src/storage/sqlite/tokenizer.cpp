// The two pieces that FTS5 calls back: cutting a text, and ranking a row.
#include "storage/sqlite/tokenizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "storage/spelling.h"

namespace mainstay::storage::sqlite {
namespace {

/// Words of which it is remembered that the spelling has them: 4 MB, on the connection that writes
/// alone.
constexpr std::size_t kKnown = 1u << 19;
constexpr double kSaturation = 1.2;  // k1 and b of BM25, as FTS5 has them
constexpr double kLength = 0.75;
constexpr double kWeights[] = {2.0, 3.0, 1.0, 0.0};  // title, heading, text, marks
constexpr const char* kPointer = "mainstay_ranking";

fts5_api* api_of(sqlite3* db) {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr) != SQLITE_OK) {
    return nullptr;
  }
  sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
  sqlite3_step(statement);
  sqlite3_finalize(statement);
  return api;
}

int prepare(Ranking& ranking, const Fts5ExtensionApi* api, Fts5Context* row) {
  sqlite3_int64 rows = 0;
  sqlite3_int64 words = 0;
  int code = api->xRowCount(row, &rows);
  if (code == SQLITE_OK) code = api->xColumnTotalSize(row, -1, &words);
  if (code != SQLITE_OK) return code;
  const auto all = static_cast<double>(std::max<sqlite3_int64>(rows, 1));
  ranking.average = std::max(1.0, static_cast<double>(words) / all);
  try {
    for (const auto held : ranking.held) {
      const double n = std::min(static_cast<double>(held), all);
      ranking.rarity.push_back(std::max(1e-6, std::log((all - n + 0.5) / (n + 0.5))));
    }
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
  return SQLITE_OK;
}

/// How often the phrase stands in the row, weighted by where.
int times_of(const Fts5ExtensionApi* api, Fts5Context* row, int phrase, double& times) {
  Fts5PhraseIter at{};
  int column = 0;
  int offset = 0;
  const int code = api->xPhraseFirst(row, phrase, &at, &column, &offset);
  if (code != SQLITE_OK) return code;
  for (; column >= 0; api->xPhraseNext(row, &at, &column, &offset)) {
    if (column < 4) times += kWeights[column];
  }
  return SQLITE_OK;
}

int score_of(Ranking& ranking, const Fts5ExtensionApi* api, Fts5Context* row, double& score) {
  int code = ranking.average > 0 ? SQLITE_OK : prepare(ranking, api, row);
  double times[64];
  const auto phrases = std::min<std::size_t>(ranking.rarity.size(), std::size(times));
  double most = 0;
  for (std::size_t i = 0; i < phrases && code == SQLITE_OK; ++i) {
    times[i] = 0;
    code = times_of(api, row, ranking.first + static_cast<int>(i), times[i]);
    if (times[i] > 0) {
      most += ranking.rarity[i] * times[i] * (kSaturation + 1) /
              (times[i] + kSaturation * (1 - kLength));
    }
  }
  if (code != SQLITE_OK) return code;
  score = most;
  if (most <= ranking.least) return SQLITE_OK;
  int length = 0;
  code = api->xColumnSize(row, -1, &length);
  if (code != SQLITE_OK) return code;
  const double longer = 1 - kLength + kLength * length / ranking.average;
  score = 0;
  for (std::size_t i = 0; i < phrases; ++i) {
    if (times[i] == 0) continue;
    score += ranking.rarity[i] * times[i] * (kSaturation + 1) / (times[i] + kSaturation * longer);
  }
  return SQLITE_OK;
}

void rank_row(const Fts5ExtensionApi* api, Fts5Context* row, sqlite3_context* out, int count,
              sqlite3_value** values) {
  auto* ranking =
      count == 1 ? static_cast<Ranking*>(sqlite3_value_pointer(values[0], kPointer)) : nullptr;
  if (ranking == nullptr) {
    sqlite3_result_error(out, "mainstay_rank without its ranking", -1);
    return;
  }
  double score = 0;
  const int code = score_of(*ranking, api, row, score);
  if (code != SQLITE_OK) {
    sqlite3_result_error_code(out, code);
  } else {
    sqlite3_result_double(out, score);
  }
}

int create(void* context, const char**, int, Fts5Tokenizer** out) {
  *out = static_cast<Fts5Tokenizer*>(context);
  return SQLITE_OK;
}

void destroy(Fts5Tokenizer*) {}

}  // namespace

double most_of(double rarity) noexcept {
  return rarity * (kSaturation + 1);
}

int Tokenizer::attach(sqlite3* db) {
  fts5_api* api = api_of(db);
  if (api == nullptr) return SQLITE_ERROR;
  fts5_tokenizer calls{create, destroy, tokenize};
  const int code = api->xCreateTokenizer(api, "mainstay", this, &calls, nullptr);
  if (code != SQLITE_OK) return code;
  const auto undone = [](void* self) { static_cast<Tokenizer*>(self)->forget(); };
  sqlite3_rollback_hook(db, undone, this);
  return api->xCreateFunction(api, "mainstay_rank", nullptr, rank_row, nullptr);
}

/// FTS5 calls through C: no exception leaves here.
int Tokenizer::tokenize(Fts5Tokenizer* self, void* context, int flags, const char* text, int size,
                        Take take) {
  if (text == nullptr || size <= 0) return SQLITE_OK;
  const std::string_view all(text, static_cast<std::size_t>(size));
  if (all.front() == kMark) return marks(all, context, take);
  if (all.front() == kStem && (flags & FTS5_TOKENIZE_QUERY) != 0) {
    return take(context, 0, text + 1, size - 1, 0, size);
  }
  auto* const me = reinterpret_cast<Tokenizer*>(self);
  try {
    if (all.front() == kTerms && (flags & FTS5_TOKENIZE_DOCUMENT) != 0) {
      return me->replay(all.substr(1), context, take);
    }
    return me->cut(all, context, take);
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  }
}

/// "\1t3\1c7": the words "\1t3" and "\1c7".
int Tokenizer::marks(std::string_view text, void* context, Take take) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(kMark, at + 1), text.size());
    const int code = take(context, 0, text.data() + at, static_cast<int>(end - at),
                          static_cast<int>(at), static_cast<int>(end));
    if (code != SQLITE_OK) return code;
    at = end;
  }
  return SQLITE_OK;
}

/// What cut() would do with the text that the terms were made of.
int Tokenizer::replay(std::string_view terms, void* context, Take take) {
  TermReader reader(terms);
  TermReader::Term term;
  while (reader.next(term)) {
    if (term.word) {
      if (noting_ && !is_known(StemMemory::hash_of(term.text))) noted_.emplace_back(term.text);
      continue;
    }
    const int code = take(context, 0, term.text.data(), static_cast<int>(term.text.size()), 0, 0);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

int Tokenizer::cut(std::string_view text, void* context, Take take) {
  WordCutter cutter(text, folding_);
  while (cutter.next(word_)) {
    if (word_.text.size() > kWordBytesMax) continue;
    const std::string_view root = stem_of(word_.text);
    const int code = take(context, 0, root.data(), static_cast<int>(root.size()),
                          static_cast<int>(word_.begin), static_cast<int>(word_.end));
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

/// Whether the word was noted since the last forget(), as far as is remembered; it is from now on.
bool Tokenizer::is_known(std::uint64_t hash) {
  if (known_.empty()) known_.resize(kKnown);
  std::uint64_t& place = known_[(hash >> 20) % kKnown];
  const std::uint64_t mark = hash ^ (epoch_ * 0x9e3779b97f4a7c15ULL);
  return std::exchange(place, mark) == mark;
}

/// Of a long word the view lasts until the next call.
std::string_view Tokenizer::stem_of(const std::string& word) {
  if (word.size() > kSpelledBytesMax) {
    long_ = stem(word);
    return long_;
  }
  const std::uint64_t hash = StemMemory::hash_of(word);
  StemMemory::Kept& kept = stems_.find(word, hash);
  if (noting_ && kept.epoch != epoch_) {
    if (is_spelled(word) && !is_known(hash)) noted_.push_back(word);
    kept.epoch = epoch_;
  }
  return kept.root();
}

std::vector<std::string> Tokenizer::take_noted() {
  noting_ = false;
  return std::exchange(noted_, {});
}

void Tokenizer::forget() noexcept {
  noting_ = false;
  noted_.clear();
  if (++epoch_ == 0) epoch_ = 1;
}

}  // namespace mainstay::storage::sqlite
