// Word lists and rules; each was kept because the question set in tests got better by it.
#include "models/question.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "storage/words.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kQuestionMax = 2048;
constexpr std::size_t kTermsMax = 16;
constexpr double kWeak = 0.3;
constexpr double kAction = 0.6;
constexpr double kContext = 0.35;

/// Words that shape a question and are often not in its answer.
bool is_weak(const std::string& word) {
  static const std::unordered_set<std::string> words{
      "use",      "used",       "using",     "uses",     "work",      "works",      "working",
      "happen",   "happens",    "make",      "makes",    "made",      "mean",       "means",
      "want",     "like",       "kind",      "kinds",    "way",       "ways",       "thing",
      "things",   "possible",   "support",   "supports", "take",      "takes",      "long",
      "big",      "large",      "size",      "number",   "find",      "called",     "call",
      "name",     "named",      "type",      "types",    "different", "available",  "exactly",
      "actually", "just",       "look",      "see",      "say",       "says",       "describe",
      "list",     "give",       "given",     "put",      "set",       "go",         "come",
      "default",  "difference", "first",     "second",   "old",       "often",      "one",
      "two",      "new",        "change",    "changes",  "changed",   "keep",       "still",
      "ever",     "someone",    "something", "anything", "person",    "people",     "time",
      "times",    "allow",      "allowed",   "own",      "amount",    "place",      "located",
      "location", "when",       "happening", "purpose",  "define",    "definition", "information",
      "detail",   "details",    "question",  "answer",   "command"};
  return words.contains(word);
}

/// Actions that a question is about less than about what they are done to.
bool is_action(const std::string& word) {
  static const std::unordered_set<std::string> words{
      "add",     "adding", "added",   "run",    "running", "start",   "started", "stop", "create",
      "created", "open",   "send",    "write",  "read",    "turn",    "move",    "need", "needed",
      "needs",   "enable", "disable", "handle", "handled", "needing", "choose",  "pick"};
  return words.contains(word);
}

using Group = std::vector<std::string_view>;

/// Words that stand for each other in questions about programs and their use.
const std::vector<Group>& groups() {
  static const std::vector<Group> all{
      {"delete", "remove", "erase", "drop", "uninstall"},
      {"start", "run", "launch", "boot", "begin"},
      {"stop", "shutdown", "quit", "exit", "end", "terminate"},
      {"install", "setup", "installation"},
      {"configure", "configuration", "setting", "settings", "config", "option", "set"},
      {"license", "licence", "licensed"},
      {"author", "wrote", "written", "maintainer", "maintained", "creator", "created"},
      {"cost", "price", "pay", "paid", "fee", "free"},
      {"fast", "quick", "speed", "performance", "latency"},
      {"store", "save", "kept", "stored", "keep", "storage"},
      {"error", "failure", "fail", "fails", "failed"},
      {"limit", "maximum", "max", "most", "cap"},
      {"minimum", "least", "min"},
      {"need", "require", "requires", "required", "requirement", "requirements", "needs"},
      {"language", "written", "programming"},
      {"memory", "ram"},
      {"update", "upgrade"},
      {"build", "compile"},
      {"test", "tests", "testing"},
      {"add", "ingest", "import", "upload"},
      {"ask", "question", "query"},
      {"password", "passphrase", "secret"},
      {"phone", "telephone", "call"},
      {"open", "opening", "hours"},
      {"security", "vulnerability", "secure"},
      {"report", "tell"},
      {"contribute", "contribution", "contributing", "patch"},
      {"doctor", "physician"},
      {"address", "street", "located"},
      {"operating", "os", "platform", "platforms", "linux"},
  };
  return all;
}

/// The stems that a word's stem may be replaced by; a word may be in several groups.
const std::vector<std::string>& alike(const std::string& stem) {
  using Table = std::unordered_map<std::string, std::vector<std::string>>;
  static const Table table = [] {
    Table out;
    for (const auto& group : groups()) {
      for (const auto word : group) {
        auto& others = out[storage::stem(word)];
        for (const auto other : group) others.push_back(storage::stem(other));
      }
    }
    return out;
  }();
  static const std::vector<std::string> none;
  const auto found = table.find(stem);
  return found == table.end() ? none : found->second;
}

bool starts_with_any(const std::string& text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

bool holds_any(const std::string& text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

QuestionKind kind_of(const std::string& lower) {
  if (holds_any(lower, {"how many", "how much", "how long", "how big", "how large", "how often",
                        "how fast", "how old", "which port", "what port", "which version",
                        "what version", "maximum", "limit"})) {
    return QuestionKind::number;
  }
  if (starts_with_any(lower, {"who ", "whose ", "whom "}) || holds_any(lower, {" who "})) {
    return QuestionKind::person;
  }
  if (starts_with_any(lower, {"when ", "what time", "which day", "what day", "on which day"})) {
    return QuestionKind::time;
  }
  if (starts_with_any(lower, {"where ", "in which folder", "in which file"}))
    return QuestionKind::place;
  if (starts_with_any(lower, {"why "}) || holds_any(lower, {" reason "}))
    return QuestionKind::reason;
  if (holds_any(lower, {"how do", "how can", "how to", "how should", "how would", "command"})) {
    return QuestionKind::how;
  }
  if (starts_with_any(lower, {"what is ", "what are ", "what's ", "define ", "explain "})) {
    return QuestionKind::definition;
  }
  return QuestionKind::any;
}

/// Greetings, thanks, and questions about the answerer: no document is asked for. "Why?" after
/// another question is not small talk.
bool is_small_talk(const std::vector<storage::Word>& words, bool in_conversation) {
  static const std::unordered_set<std::string> polite{
      "hi",    "hello",   "hey",    "good",    "morning", "evening", "afternoon",
      "day",   "thanks",  "thank",  "bye",     "ping",    "goodbye", "greetings",
      "ok",    "okay",    "cheers", "welcome", "help",    "nice",    "great",
      "yes",   "test",    "yo",     "there",   "hallo",   "moin",    "servus",
      "guten", "tag",     "morgen", "abend",   "danke",   "bonjour", "salut",
      "merci", "bonsoir", "hola",   "gracias", "ciao",    "grazie",  "buongiorno"};
  const auto is_polite = [&](const storage::Word& word) { return polite.contains(word.text); };
  if (words.size() > 6) return false;
  if (in_conversation && std::none_of(words.begin(), words.end(), is_polite)) return false;
  return std::all_of(words.begin(), words.end(), [&](const storage::Word& word) {
    return is_polite(word) || storage::is_stop_word(word.text);
  });
}

/// Written with a capital inside a sentence, or with a digit: a name.
bool is_name(const std::string& text, const storage::Word& word, bool first) {
  const std::string_view as_written(text.data() + word.begin, word.end - word.begin);
  if (word.text.find_first_of("0123456789") != std::string::npos) return true;
  if (as_written.empty() || as_written[0] < 'A' || as_written[0] > 'Z') return false;
  return !first || (as_written.size() > 1 && as_written[1] >= 'A' && as_written[1] <= 'Z');
}

void add_terms(std::vector<QuestionTerm>& out, const std::string& text, double scale) {
  const auto words = storage::words_of(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const storage::Word& word = words[i];
    const bool name = is_name(text, word, i == 0);
    // "IT" is a name, "it" is not; a lone letter or stop word tells nothing.
    if (storage::is_stop_word(word.text) || (word.text.size() < 2 && !name)) continue;
    QuestionTerm term;
    term.stem = storage::stem(word.text);
    const bool known = std::any_of(out.begin(), out.end(),
                                   [&](const QuestionTerm& t) { return t.stem == term.stem; });
    if (known || out.size() >= kTermsMax) continue;
    term.alike = alike(term.stem);
    term.weight = scale * (is_weak(word.text) ? kWeak : is_action(word.text) ? kAction : 1);
    term.name = name;
    const bool of = i > 0 && i + 1 < words.size() && words[i + 1].text == "of";
    term.essential = of && words[i - 1].text == "the" && term.weight >= 1;
    out.push_back(std::move(term));
  }
}

/// "and how much memory?", "what about it?": too little to stand alone.
bool leans_on_before(const std::string& lower, const std::vector<QuestionTerm>& terms) {
  if (starts_with_any(lower, {"and ", "but ", "what about", "how about", "also ", "or "}))
    return true;
  const auto strong = std::count_if(terms.begin(), terms.end(),
                                    [](const QuestionTerm& t) { return t.weight >= kAction; });
  if (strong == 0) return true;
  const std::string padded = " " + lower + " ";
  const bool pronoun = holds_any(padded, {" it ", " it?", " they ", " them ", " that ", " that?",
                                          " its ", " this ", " those ", " he ", " she "});
  return pronoun && strong <= 2;
}

}  // namespace

std::string wording_of(const std::string& text) {
  std::string out;
  for (const auto& word : storage::words_of(text)) {
    out += out.empty() ? "" : " ";
    out += word.text;
  }
  return out;
}

Question understand(const std::string& text, const std::string& before) {
  Question out;
  const std::string question(trim(cut_utf8(trim(text), kQuestionMax)));
  const std::string lower = lower_ascii(question);
  out.small_talk = is_small_talk(storage::words_of(question), !before.empty());
  out.kind = kind_of(lower);
  out.search = question;
  out.wording = wording_of(question);
  add_terms(out.terms, question, 1);
  if (!before.empty() && leans_on_before(lower, out.terms)) {
    const std::string earlier(cut_utf8(trim(before), kQuestionMax));
    add_terms(out.terms, earlier, kContext);
    out.search += " " + earlier;
  }
  return out;
}

}  // namespace mainstay::models
