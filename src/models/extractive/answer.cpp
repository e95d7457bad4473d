// Every sentence gets a score: how much of the question it holds (rare words count more), whether
// it is of the kind asked for, how good its passage is. The best are taken unless they repeat.
#include "models/extractive/answer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

#include "base/text.h"
#include "storage/words.h"

namespace mainstay::models::extractive {
namespace {

// Tuned on the question set in tests/unit/extractive.
constexpr double kKnown = 0.5;       // coverage below this: not known
constexpr double kInHeading = 0.75;  // a word in the heading above, instead of the sentence
constexpr double kInTitle = 0.6;
constexpr double kNextTo = 0.55;  // in the sentence before or after
constexpr double kInPassage = 0.3;
constexpr double kAlike = 0.85;            // a word that means nearly the same
constexpr double kWithoutEssential = 0.6;  // when the X of "the X of Y" is nowhere around
constexpr double kFurther = 0.77;          // further sentences reach this part of the best's score
constexpr double kOwnPart = 0.6;       // and hold this part of the question's words that it holds
constexpr std::size_t kBlockMax = 12;  // lines, items or rows of a block that follow a pick
constexpr double kRepeats = 0.6;       // overlap of words above which a sentence adds nothing

struct Candidate {
  Picked picked;
  std::set<std::string> stems;
  std::vector<double> held;  ///< for each word of the question, how well the sentence holds it
  std::vector<std::string> order;  ///< stems as they come
  std::size_t words = 0;
  bool has_number = false;
  bool has_name = false;
  std::size_t index = 0;  ///< within its passage
  double coverage = 0;
  double own = 0;  ///< the part of the question in the sentence and the heading above it
  bool defines = false;
};

using Stems = std::set<std::string>;

Stems stems_of(const std::string& text) {
  Stems out;
  for (const auto& word : storage::words_of(text)) out.insert(storage::stem(word.text));
  return out;
}

/// 1 when the stem is there, less for one that means or is spelled nearly the same.
double holds(const Stems& stems, const QuestionTerm& term) {
  if (stems.contains(term.stem)) return 1;
  for (const auto& other : term.alike) {
    if (stems.contains(other)) return kAlike;
  }
  if (term.name || term.stem.size() < 6) return 0;
  // "encrypt" and "encryption" share their beginning even where their stems differ.
  const std::string front = term.stem.substr(0, term.stem.size() - 1);
  const auto near = stems.lower_bound(front);
  return near != stems.end() && near->starts_with(front) && near->size() <= front.size() + 4 ? 0.7
                                                                                             : 0;
}

class Picker {
 public:
  Picker(const Question& question, const std::vector<storage::Passage>& passages)
      : question_(question), passages_(passages) {
    collect();
    weigh();
    for (auto& candidate : all_) score(candidate);
  }

  Answer run(std::size_t sentences_max) {
    Answer out;
    std::vector<const Candidate*> ranked;
    for (const auto& candidate : all_) ranked.push_back(&candidate);
    std::sort(ranked.begin(), ranked.end(), [](const Candidate* a, const Candidate* b) {
      if (a->picked.score != b->picked.score) return a->picked.score > b->picked.score;
      return std::tie(a->picked.passage, a->picked.begin) <
             std::tie(b->picked.passage, b->picked.begin);
    });
    if (ranked.empty()) return out;
    out.coverage = ranked.front()->coverage;
    if (out.coverage < kKnown) return out;
    std::vector<const Candidate*> taken = take(ranked, sentences_max);
    order(taken);
    for (const auto* candidate : taken) out.picked.push_back(candidate->picked);
    return out;
  }

 private:
  void collect() {
    std::set<std::pair<std::string, std::size_t>> seen;  // overlapping chunks share sentences
    for (std::size_t p = 0; p < passages_.size(); ++p) {
      const storage::Passage& passage = passages_[p];
      headings_.push_back(held_by(stems_of(passage.heading)));
      titles_.push_back(held_by(stems_of(passage.title)));
      whole_.emplace_back(question_.terms.size(), 0.0);
      best_ = std::max(best_, passage.score);
      std::size_t index = 0;
      for (const auto& span : storage::sentences_of(passage.text)) {
        if (!seen.emplace(passage.document.text(), passage.begin + span.begin).second) continue;
        add(p, span, index++);
      }
    }
  }

  void add(std::size_t p, const storage::Sentence& span, std::size_t index) {
    const storage::Passage& passage = passages_[p];
    Candidate out;
    out.index = index;
    out.picked.passage = p;
    out.picked.begin = passage.begin + span.begin;
    out.picked.end = passage.begin + span.end;
    out.picked.kind = span.kind;
    out.picked.text = passage.text.substr(span.begin, span.end - span.begin);
    for (const auto& word : storage::words_of(out.picked.text)) {
      const char first = out.picked.text[word.begin];
      if (word.text.find_first_of("0123456789") != std::string::npos) out.has_number = true;
      if (out.words > 0 && first >= 'A' && first <= 'Z') out.has_name = true;
      out.order.push_back(storage::stem(word.text));
      out.stems.insert(out.order.back());
      ++out.words;
    }
    if (out.words == 0) return;
    out.held = held_by(out.stems);
    for (std::size_t t = 0; t < out.held.size(); ++t) {
      whole_[p][t] = std::max(whole_[p][t], out.held[t]);
    }
    all_.push_back(std::move(out));
  }

  /// How well the stems hold each word of the question.
  std::vector<double> held_by(const Stems& stems) const {
    std::vector<double> out;
    for (const auto& term : question_.terms) out.push_back(holds(stems, term));
    return out;
  }

  /// How much each word of the question counts: rare ones more.
  void weigh() {
    const double count = static_cast<double>(all_.size());
    for (std::size_t t = 0; t < question_.terms.size(); ++t) {
      const QuestionTerm& term = question_.terms[t];
      double holding = 0;
      for (const auto& candidate : all_) holding += candidate.held[t] > 0 ? 1 : 0;
      // A plain word that is nowhere may be a paraphrase; a name that is nowhere is missing.
      if (!term.name) holding = std::max(holding, 3.0);
      const double rarity = std::log(1 + count / (1 + holding)) + 0.3;
      weights_.push_back(term.weight * rarity * (term.name ? 1.2 : 1));
      total_ += weights_.back();
    }
  }

  const Candidate* neighbour(std::size_t at, int step) const {
    if (step < 0 && at == 0) return nullptr;
    const std::size_t other = step < 0 ? at - 1 : at + 1;
    if (other >= all_.size() || all_[other].picked.passage != all_[at].picked.passage)
      return nullptr;
    return &all_[other];
  }

  void score(Candidate& candidate) {
    const auto at = static_cast<std::size_t>(&candidate - all_.data());
    const std::size_t p = candidate.picked.passage;
    const Candidate* before = neighbour(at, -1);
    const Candidate* after = neighbour(at, +1);
    double covered = 0;
    double own = 0;
    double with_heading = 0;
    double lacking = 1;
    for (std::size_t t = 0; t < question_.terms.size(); ++t) {
      const QuestionTerm& term = question_.terms[t];
      const double here = candidate.held[t];
      double best = here;
      best = std::max(best, kInHeading * headings_[p][t]);
      best = std::max(best, kInTitle * titles_[p][t]);
      if (before != nullptr) best = std::max(best, kNextTo * before->held[t]);
      if (after != nullptr) best = std::max(best, kNextTo * 0.8 * after->held[t]);
      best = std::max(best, kInPassage * whole_[p][t]);
      if (best <= 0 && term.essential) lacking = kWithoutEssential;
      covered += weights_[t] * best;
      with_heading += weights_[t] * std::max(here, kInHeading * headings_[p][t]);
      own += weights_[t] * here;
    }
    if (total_ <= 0) return;
    // A document that quotes the question (an example of its use, a list of questions) answers
    // nothing by it.
    if (question_.terms.size() > 1 &&
        wording_of(candidate.picked.text).find(question_.wording) != std::string::npos) {
      candidate.picked.score = -1;
      return;
    }
    covered *= lacking;
    candidate.coverage = covered / total_;
    candidate.own = with_heading / total_;
    candidate.defines = question_.kind == QuestionKind::definition &&
                        candidate.picked.kind != storage::SpanKind::code && defines(candidate);
    double score = (0.6 * covered + 0.2 * own + 0.2 * with_heading) / total_;
    if (own <= 0) score *= 0.85;
    score += fits(candidate, before);
    if (best_ > 0) score += 0.15 * passages_[p].score / best_;
    if (candidate.index == 0) score += 0.03;
    const bool terse = candidate.words < 4 && candidate.picked.kind == storage::SpanKind::prose;
    if (terse) score -= 0.15;
    if (candidate.words > 60) score -= 0.1;
    if (candidate.picked.text.ends_with('?')) score -= 0.2;
    candidate.picked.score = score;
  }

  /// What speaks for a sentence because of the kind of question.
  double fits(const Candidate& candidate, const Candidate* before) const {
    const std::string& text = candidate.picked.text;
    const bool code = candidate.picked.kind == storage::SpanKind::code;
    switch (question_.kind) {
      case QuestionKind::number:
        return candidate.has_number ? 0.15 : -0.1;
      case QuestionKind::time:
        return candidate.has_number || holds_time(candidate.stems) ? 0.15 : -0.05;
      case QuestionKind::person:
        return candidate.has_name || text.find('@') != std::string::npos ? 0.12 : -0.05;
      case QuestionKind::place:
        return text.find('/') != std::string::npos || candidate.has_number ? 0.08 : 0;
      case QuestionKind::reason:
        return gives_reason(candidate.stems) ? 0.15 : 0;
      case QuestionKind::how: {
        if (code) return before != nullptr ? 0.2 : 0.12;
        const bool steps = text.find('`') != std::string::npos || text.ends_with(':');
        return steps ? 0.12 : 0;
      }
      case QuestionKind::definition:
        return candidate.defines ? 0.3 : code ? -0.15 : -0.05;
      case QuestionKind::any:
        return code ? -0.08 : 0;
    }
    return 0;
  }

  static bool holds_time(const Stems& stems) {
    static const std::unordered_set<std::string> words{
        "dai",     "week",      "month",    "year",   "hour",     "minut",   "second",
        "everi",   "night",     "nightli",  "daili",  "weekli",   "monthli", "mondai",
        "tuesdai", "wednesdai", "thursdai", "fridai", "saturdai", "sundai",  "after",
        "befor",   "until",     "morn",     "noon"};
    return std::any_of(stems.begin(), stems.end(),
                       [](const std::string& stem) { return words.contains(stem); });
  }

  static bool gives_reason(const Stems& stems) {
    for (const char* word : {"becaus", "sinc", "otherwis", "therefor", "reason", "so", "avoid"}) {
      if (stems.contains(word)) return true;
    }
    return false;
  }

  /// "X is …", "X are …", "X means …" with X of the question near the front.
  bool defines(const Candidate& candidate) const {
    static const std::unordered_set<std::string> verbs{"is",    "ar",      "are",   "mean", "hold",
                                                       "stand", "describ", "refer", "let",  "was"};
    const std::size_t look = std::min<std::size_t>(candidate.order.size(), 9);
    std::size_t last = look;  // where the subject's last word stands
    for (std::size_t i = 0; i < look; ++i) {
      if (last < i && i <= last + 2 && verbs.contains(candidate.order[i])) return true;
      for (const auto& term : question_.terms) {
        if (term.weight >= 1 && term.stem == candidate.order[i]) last = i;
      }
    }
    return false;
  }

  std::vector<const Candidate*> take(const std::vector<const Candidate*>& ranked,
                                     std::size_t sentences_max) const {
    std::vector<const Candidate*> taken;
    const double border = ranked.front()->picked.score * kFurther;
    for (const auto* candidate : ranked) {
      if (taken.size() >= sentences_max) break;
      if (candidate->picked.score < border || candidate->coverage < kKnown * 0.8) continue;
      const Candidate& best = *ranked.front();
      if (candidate->own < best.own * kOwnPart) continue;
      if (best.defines && !candidate->defines) continue;
      const bool repeats = std::any_of(taken.begin(), taken.end(), [&](const Candidate* other) {
        return overlap(candidate->stems, other->stems) > kRepeats;
      });
      if (!repeats) taken.push_back(candidate);
    }
    complete(taken);
    return taken;
  }

  /// "Run this:" without what follows is no answer, nor is one line out of a block of code.
  void complete(std::vector<const Candidate*>& taken) const {
    for (std::size_t i = 0; i < taken.size(); ++i) {  // what is added may announce more
      const Candidate& each = *taken[i];
      const bool code = each.picked.kind == storage::SpanKind::code;
      if (code) add_block(taken, each, -1);
      if (code || each.picked.text.ends_with(':')) add_block(taken, each, +1);
    }
  }

  /// Adds the lines, items or rows before or after a candidate that are of one block with it.
  void add_block(std::vector<const Candidate*>& taken, const Candidate& from, int step) const {
    const Candidate* last = &from;
    for (std::size_t n = 0; n < kBlockMax; ++n) {
      const auto at = static_cast<std::size_t>(last - all_.data());
      const Candidate* next = neighbour(at, step);
      if (next == nullptr || next->picked.kind == storage::SpanKind::prose) return;
      const bool begins = last == &from && from.picked.kind != storage::SpanKind::code;
      if (!begins && (next->picked.kind != last->picked.kind || apart(*last, *next))) return;
      if (std::find(taken.begin(), taken.end(), next) == taken.end()) taken.push_back(next);
      last = next;
    }
  }

  /// Another block of code begins between the two.
  bool apart(const Candidate& a, const Candidate& b) const {
    if (a.picked.kind != storage::SpanKind::code) return false;
    const storage::Passage& passage = passages_[a.picked.passage];
    const std::size_t begin = std::min(a.picked.end, b.picked.end);
    const std::size_t end = std::max(a.picked.begin, b.picked.begin);
    return begin < end &&
           fenced(std::string_view(passage.text).substr(begin - passage.begin, end - begin));
  }

  static double overlap(const Stems& a, const Stems& b) {
    std::size_t both = 0;
    for (const auto& stem : a) both += b.contains(stem) ? 1 : 0;
    const std::size_t smaller = std::min(a.size(), b.size());
    return smaller == 0 ? 0 : static_cast<double>(both) / static_cast<double>(smaller);
  }

  /// Documents by their best sentence, inside a document as it is written.
  void order(std::vector<const Candidate*>& taken) const {
    std::map<std::string, std::size_t> rank;
    for (const auto* candidate : taken) {
      rank.try_emplace(passages_[candidate->picked.passage].document.text(), rank.size());
    }
    std::sort(taken.begin(), taken.end(), [&](const Candidate* a, const Candidate* b) {
      const auto rank_a = rank.at(passages_[a->picked.passage].document.text());
      const auto rank_b = rank.at(passages_[b->picked.passage].document.text());
      return std::tie(rank_a, a->picked.begin) < std::tie(rank_b, b->picked.begin);
    });
  }

  const Question& question_;
  const std::vector<storage::Passage>& passages_;
  std::vector<Candidate> all_;
  using Held = std::vector<double>;  ///< one number for each word of the question
  std::vector<Held> headings_;       ///< of each passage
  std::vector<Held> titles_;
  std::vector<Held> whole_;
  std::vector<double> weights_;
  double total_ = 0;
  double best_ = 0;
};

}  // namespace

bool fenced(std::string_view between) {
  return between.find("```") != std::string_view::npos ||
         between.find("~~~") != std::string_view::npos;
}

Answer answer(const Question& question, const std::vector<storage::Passage>& passages,
              std::size_t sentences_max) {
  return Picker(question, passages).run(sentences_max);
}

}  // namespace mainstay::models::extractive
