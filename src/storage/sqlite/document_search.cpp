// A question becomes stems, those that nobody holds become near ones, FTS5 finds the rows, and the
// best of them become passages. Marks in the index cut what a filter leaves out before anything is
// ranked; what has no mark (time, state) is looked at for rows that would be among the best.
#include "storage/sqlite/document_search.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "storage/document_rules.h"
#include "storage/spelling.h"
#include "storage/sqlite/document_rows.h"
#include "storage/sqlite/tokenizer.h"
#include "storage/sqlite/vocabulary.h"
#include "storage/words.h"

namespace mainstay::storage::sqlite {
namespace {

/// Rows that are looked at to see whether a word is held by something visible.
constexpr std::size_t kLooksMax = 4096;
/// Holders are counted up to here: enough to tell a common word from a rare one.
constexpr std::uint64_t kHeldMax = 256;
/// Near words whose holders are counted.
constexpr std::size_t kNearbyMax = 16;

constexpr const char* kHeld = "SELECT doc FROM words_row WHERE term = ?";
constexpr const char* kHolders = "SELECT rowid FROM words WHERE words MATCH ?";
constexpr const char* kMatch =
    "SELECT rowid, mainstay_rank(words, ?4) FROM words WHERE words MATCH ?1 "
    "AND rowid >= ?2 AND rowid < ?3";
constexpr const char* kOtherTenant = "SELECT n FROM tenant WHERE n > 1 LIMIT 1";
constexpr const char* kShown =
    "SELECT d.tenant, d.collection, d.created, d.tags FROM document AS d "
    "CROSS JOIN collection AS c ON c.n = d.collection "
    "WHERE d.n = ? AND d.state = 0 AND c.name IS NOT NULL";
constexpr const char* kPassage =
    "SELECT d.id, c.name, d.title, d.source, chunk.heading, chunk.begin_at, chunk.end_at, "
    "chunk.text, chunk.page FROM chunk CROSS JOIN document AS d ON d.n = ?1 "
    "CROSS JOIN collection AS c ON c.n = d.collection WHERE chunk.n = ?2";
constexpr const char* kCollections =
    "SELECT n FROM collection WHERE tenant = ? AND name IS NOT NULL";
constexpr const char* kVisible =
    "SELECT n, tags FROM document WHERE collection = ? AND state = 0 AND created >= ? "
    "AND created < ?";

/// Of one read: what a tenant sees, and what a filter leaves of it.
class View {
 public:
  View(Connection& db, std::int64_t tenant) : db_(db), tenant_(tenant) {
    alone_ = tenant == 1 && !Query(db, Literal{kOtherTenant}).step();
  }
  /// Sets what the filter asks; false: it lets nothing through.
  bool narrow(const TenantId& tenant, const DocumentFilter& filter) {
    if (filter.created_from) from_ = micros(*filter.created_from);
    if (filter.created_to) to_ = micros(*filter.created_to);
    tags_ = &filter.tags;
    if (filter.document) {
      const auto row = document_of(db_, tenant, *filter.document);
      if (!row || row->info.state != DocumentState::ready) return false;
      document_ = row->info.number;
    }
    if (filter.collection) {
      collection_ = collection_number(db_, tenant_, *filter.collection);
      if (!collection_) return false;
    }
    return true;
  }
  /// Marks that every row has which the filter lets through.
  std::vector<std::string> marks() const {
    std::vector<std::string> out;
    if (collection_) {
      out.push_back(collection_mark(*collection_));
    } else if (!alone_) {  // else every row has it
      out.push_back(tenant_mark(tenant_));
    }
    if (tags_ != nullptr) {
      for (const auto& tag : *tags_) out.push_back(tag_mark(tag));
    }
    return out;
  }
  std::optional<std::int64_t> collection() const { return collection_; }
  std::optional<std::int64_t> document() const { return document_; }
  std::int64_t from() const { return from_; }
  std::int64_t to() const { return to_; }
  bool shows(std::int64_t document) {
    const auto known = shown_.find(document);
    if (known != shown_.end()) return known->second;
    const bool shown = look(document);
    if (shown_.size() >= kRememberedMax) shown_.clear();
    shown_.emplace(document, shown);
    return shown;
  }

 private:
  static constexpr std::size_t kRememberedMax = 65'536;
  bool look(std::int64_t document) {
    Query query(db_, Literal{kShown});
    query.bind(document);
    if (!query.step() || query.number(0) != tenant_) return false;
    if (document_ && *document_ != document) return false;
    if (collection_ && query.number(1) != *collection_) return false;
    const auto created = query.number(2);
    if (created < from_ || created >= to_) return false;
    return tags_ == nullptr || tags_->empty() || has_tags(tags_of(query.text(3)), *tags_);
  }
  Connection& db_;
  const std::int64_t tenant_;
  bool alone_ = false;
  std::optional<std::int64_t> collection_;
  std::optional<std::int64_t> document_;
  std::int64_t from_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_ = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::string>* tags_ = nullptr;
  std::unordered_map<std::int64_t, bool> shown_;
};

/// Chunks that hold the stem and that the view shows, counted up to `max`. A word that very many
/// hidden chunks hold counts as held.
std::uint64_t held_in(Connection& db, View& view, const std::string& root, std::uint64_t max) {
  Query query(db, Literal{kHolders});
  query.bind(match_expression(view.marks(), {root}));
  std::uint64_t held = 0;
  std::size_t looks = 0;
  while (held < max && query.step()) {
    if (++looks > kLooksMax) return std::max<std::uint64_t>(held, 1);
    if (view.shows(document_number(query.number(0)))) ++held;
  }
  return held;
}

std::uint64_t holders(Connection& db, const std::string& root) {
  Query query(db, Literal{kHeld});
  query.bind(root);
  return query.step() ? query.count(0) : 0;
}

/// What is searched for: stems, each once, and what was corrected.
struct Wanted {
  std::vector<std::string> stems;
  std::vector<std::uint64_t> held;
  std::vector<Correction> corrected;
};

void want(Wanted& wanted, std::string root, std::uint64_t held) {
  if (std::find(wanted.stems.begin(), wanted.stems.end(), root) != wanted.stems.end()) return;
  wanted.held.push_back(held);
  wanted.stems.push_back(std::move(root));
}

/// What stands in for a word that nobody holds.
Correction corrected(Connection& db, View& all, const std::string& word) {
  auto alike = spelled_alike(db, word);
  std::sort(alike.begin(), alike.end(), [](const auto& a, const auto& b) {
    return std::tie(a.distance, a.word) < std::tie(b.distance, b.word);
  });
  std::vector<Nearby> nearby;
  for (auto& each : alike) {
    if (nearby.size() == kNearbyMax) break;
    if (!nearby.empty() && each.distance > nearby.front().distance) break;
    const auto count = held_in(db, all, stem(each.word), kHeldMax);
    if (count > 0) nearby.push_back({std::move(each.word), each.distance, count});
  }
  return {word, stand_ins(std::move(nearby))};
}

Wanted wanted_by(Connection& db, View& all, const PassageQuery& asked) {
  Wanted out;
  std::size_t tried = 0;
  for (const auto& word : search_words(asked.text, kSearchWordsMax)) {
    std::string root = stem(word);
    const std::uint64_t held = holders(db, root);
    if (held > 0 && held_in(db, all, root, 1) > 0) {
      want(out, std::move(root), held);
      continue;
    }
    if (!asked.forgiving || !is_spelled(word) || ++tried > kCorrectedMax) continue;
    Correction correction = corrected(db, all, word);
    if (correction.instead.empty()) continue;
    for (const auto& instead : correction.instead) {
      root = stem(instead);
      const std::uint64_t holding = holders(db, root);
      want(out, std::move(root), holding);
    }
    out.corrected.push_back(std::move(correction));
  }
  return out;
}

struct Hit {
  double score = 0;
  std::int64_t chunk = 0;
};

bool better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
}

/// The rarest first.
void sort_by_rarity(Wanted& wanted) {
  std::vector<std::size_t> order(wanted.stems.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return std::tie(wanted.held[a], a) < std::tie(wanted.held[b], b);
  });
  Wanted sorted{{}, {}, std::move(wanted.corrected)};
  for (const auto at : order) {
    sorted.stems.push_back(std::move(wanted.stems[at]));
    sorted.held.push_back(wanted.held[at]);
  }
  wanted = std::move(sorted);
}

/// Looks for the best rows of one question. Rows that hold common words alone are many and score
/// low: the first pass looks at rows with one of the rare words, and where what it finds is better
/// than all common words together could be, it has found the best of all. Else the second pass
/// takes as many more words for rare as its own result asks for, and is the last one. (MaxScore;
/// Turtle and Flood 1995.)
class BestRows {
 public:
  BestRows(Connection& db, View& view, const Wanted& wanted, std::uint32_t limit)
      : db_(db), view_(view), wanted_(wanted), limit_(limit), marks_(view.marks()) {}

  std::vector<Hit> run() {
    const std::size_t all = wanted_.stems.size();
    std::size_t rare = 1;
    std::uint64_t held = wanted_.held.front();
    const std::uint64_t few = std::max(kFirstRows, wanted_.held.back() / kFirstShare);
    while (rare < all && held + wanted_.held[rare] <= few) held += wanted_.held[rare++];
    Ranking ranking;
    look(rare, ranking);
    if (rare < all && !enough(rare, ranking)) {
      while (rare < all && !enough(rare, ranking)) ++rare;
      Ranking again;
      look(rare, again);
    }
    std::sort_heap(out_.begin(), out_.end(), better);
    return std::move(out_);
  }

 private:
  /// The first pass looks at about so many rows, or at this share of those that hold the most
  /// common word; or at those of the rarest word, when it is common.
  static constexpr std::uint64_t kFirstRows = 256;
  static constexpr std::uint64_t kFirstShare = 16;

  /// No row without the first `rare` words can be among the best.
  bool enough(std::size_t rare, const Ranking& ranking) const {
    if (out_.size() < limit_ || ranking.rarity.size() != wanted_.stems.size()) return false;
    double most = 0;
    for (std::size_t i = rare; i < ranking.rarity.size(); ++i) {
      most += most_of(ranking.rarity[i]);
    }
    return most < out_.front().score;
  }

  void look(std::size_t rare, Ranking& ranking) {
    out_.clear();
    const bool some = rare < wanted_.stems.size();
    ranking.first = static_cast<int>(marks_.size() + (some ? rare : 0));
    ranking.held = wanted_.held;
    std::string expression = match_expression(marks_, wanted_.stems);
    if (some) {
      const std::vector<std::string> first(wanted_.stems.begin(),
                                           wanted_.stems.begin() + static_cast<long>(rare));
      expression = match_expression(marks_, first) + " AND " + match_expression({}, wanted_.stems);
    }
    collect(expression, ranking);
  }

  void collect(const std::string& expression, Ranking& ranking) {
    const auto document = view_.document();
    const std::int64_t from = document ? chunk_number(*document, 0) : 0;
    const std::int64_t to =
        document ? chunk_number(*document + 1, 0) : std::numeric_limits<std::int64_t>::max();
    Query query(db_, Literal{kMatch});
    query.bind(expression, from, to);
    query.bind_pointer(4, &ranking, "mainstay_ranking");
    while (query.step()) {
      const Hit hit{query.real(1), query.number(0)};
      if (out_.size() == limit_ && !better(hit, out_.front())) continue;
      if (!view_.shows(document_number(hit.chunk))) continue;
      if (out_.size() == limit_) {
        std::pop_heap(out_.begin(), out_.end(), better);
        out_.pop_back();
      }
      out_.push_back(hit);
      std::push_heap(out_.begin(), out_.end(), better);
      if (out_.size() == limit_) ranking.least = out_.front().score;
    }
  }

  Connection& db_;
  View& view_;
  const Wanted& wanted_;
  const std::uint32_t limit_;
  const std::vector<std::string> marks_;
  std::vector<Hit> out_;  ///< a heap with the worst in front
};

std::optional<Passage> passage_of(Connection& db, std::int64_t chunk) {
  Query query(db, Literal{kPassage});
  query.bind(document_number(chunk), chunk);
  if (!query.step()) return std::nullopt;
  Passage out;
  out.document = DocumentId(query.text(0));
  out.collection = CollectionName(query.text(1));
  out.title = query.text(2);
  out.source = query.text(3);
  out.heading = query.text(4);
  out.begin = query.count(5);
  out.end = query.count(6);
  out.text = query.text(7);
  if (query.number(8) > 0) out.page = static_cast<std::uint32_t>(query.number(8));
  out.number = chunk;
  return out;
}

}  // namespace

std::string match_expression(const std::vector<std::string>& marks,
                             const std::vector<std::string>& stems) {
  if (stems.empty()) return {};
  std::string out;
  for (const auto& mark : marks) out += fts_string(mark) + " AND ";
  out += '(';
  for (std::size_t i = 0; i < stems.size(); ++i) {
    if (i > 0) out += " OR ";
    out += fts_string(kStem + stems[i]);
  }
  out += ')';
  return out;
}

Found find_passages(Connection& db, const PassageQuery& asked) {
  Found out;
  if (asked.limit == 0) return out;
  const auto tenant = tenant_number(db, asked.tenant);
  if (!tenant) return out;
  View all(db, *tenant);
  View view(db, *tenant);
  if (!view.narrow(asked.tenant, asked)) return out;
  Wanted wanted = wanted_by(db, all, asked);
  if (wanted.stems.empty()) return out;
  sort_by_rarity(wanted);
  for (const auto& hit : BestRows(db, view, wanted, asked.limit).run()) {
    auto passage = passage_of(db, hit.chunk);
    if (!passage) continue;
    passage->score = hit.score;
    out.passages.push_back(std::move(*passage));
  }
  out.corrected = std::move(wanted.corrected);
  write_as_found(out);
  return out;
}

std::vector<Passage> passages_of(Connection& db, const TenantId& tenant,
                                 const std::vector<std::int64_t>& numbers) {
  std::vector<Passage> out;
  const auto owner = tenant_number(db, tenant);
  if (!owner) return out;
  View view(db, *owner);
  for (const auto n : numbers) {
    if (out.size() == kPassagesMax) break;
    if (!view.shows(document_number(n))) continue;
    auto passage = passage_of(db, n);
    if (passage) out.push_back(std::move(*passage));
  }
  return out;
}

std::vector<std::int64_t> visible_documents(Connection& db, const TenantId& tenant,
                                            const DocumentFilter& filter) {
  std::vector<std::int64_t> out;
  const auto owner = tenant_number(db, tenant);
  if (!owner) return out;
  View view(db, *owner);
  if (!view.narrow(tenant, filter)) return out;
  if (const auto document = view.document()) {
    if (view.shows(*document)) out.push_back(*document);
    return out;
  }
  std::vector<std::int64_t> collections;
  if (view.collection()) {
    collections.push_back(*view.collection());
  } else {
    Query query(db, Literal{kCollections});
    query.bind(*owner);
    while (query.step()) collections.push_back(query.number(0));
  }
  for (const auto collection : collections) {
    Query query(db, Literal{kVisible});
    query.bind(collection, view.from(), view.to());
    while (query.step()) {
      if (!filter.tags.empty() && !has_tags(tags_of(query.text(1)), filter.tags)) continue;
      out.push_back(query.number(0));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> document_search_queries() {
  return {kHeld, kHolders, kMatch, kShown, kPassage, kCollections, kVisible};
}

}  // namespace mainstay::storage::sqlite
