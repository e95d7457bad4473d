// From a chat request to a question, passages, sentences, and back into OpenAI's shape.
#include "models/extractive/provider.h"

#include <cmath>
#include <deque>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/extractive/answer.h"
#include "models/provider_error.h"
#include "models/shape.h"
#include "models/splice.h"

namespace mainstay::models::extractive {
namespace {

/// Passages looked at for one answer; more cost time and rarely hold the answer (measured on the
/// question set: the same answers with 16 and with 40).
constexpr std::uint32_t kPassages = 16;
/// The same for "What is X?": X is in most passages, and the one that says what it is names it
/// once.
constexpr std::uint32_t kPassagesOfDefinition = 64;

constexpr const char* kNotKnown = "I do not know: nothing in the documents answers this.";
constexpr const char* kNoDocuments =
    "I have no documents to answer from yet. Add some with `mainstay ingest FILE`, or configure a "
    "model provider, and ask again.";
constexpr const char* kMayNotRead =
    "I am Mainstay's built-in answerer and answer from documents, which this request may not read.";
constexpr const char* kIntroduction =
    "I am Mainstay's built-in answerer. Ask me about your documents: I answer with their own "
    "sentences and say where they stand. Add documents with `mainstay ingest FILE`.";

/// What the request asks: the last question, the one before, and how long the answer may be.
struct Asked {
  std::string question;
  std::string before;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t max_tokens = 0;  ///< 0: no limit
};

/// What asks for more than one text of sentences. Passed over, it would hand a program something
/// that the program cannot read.
Status check_able(const ChatRequest& request, const Json& body) {
  if (request.choices > 1) return cannot("The built-in answerer gives one choice.", "n");
  if (string_field(field(body, "response_format"), "type", "text") != "text") {
    return cannot("The built-in answerer writes plain text; ask a model for JSON.",
                  "response_format");
  }
  const Json& choice = field(body, "tool_choice");
  if (choice.is_object() || choice == "required") {
    return cannot("The built-in answerer calls no tools; ask a model, or leave the choice to it.",
                  "tool_choice");
  }
  return check_modalities(body, "The built-in answerer");
}

Result<Asked> read(const ChatRequest& request) {
  auto body = parse_json(request.body);
  if (!body.ok()) return body.error();
  auto able = check_able(request, *body);
  if (!able.ok()) return able.error();
  Asked out;
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    if (!body->contains(key) || !(*body)[key].is_number_integer()) continue;
    const auto limit = (*body)[key].get<std::int64_t>();
    if (limit > 0) out.max_tokens = static_cast<std::uint64_t>(limit);
  }
  if (!body->contains("messages") || !(*body)["messages"].is_array()) return out;
  for (const auto& message : (*body)["messages"]) {
    if (!message.is_object() || !message.contains("content")) continue;
    std::string text = text_of_content(message["content"]);
    out.prompt_tokens += estimate_tokens(text);
    if (string_field(message, "role") != "user") continue;
    out.before = std::move(out.question);
    out.question = std::move(text);
  }
  return out;
}

/// One line, without the marks of a table row.
std::string readable(const Picked& picked) {
  std::string out;
  for (const char c : picked.text) {
    const bool space = c == '\n' || c == '\r' || c == '\t';
    if (space && picked.kind != storage::SpanKind::code) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (!(c == ' ' && !out.empty() && out.back() == ' ' &&
                 picked.kind != storage::SpanKind::code)) {
      out += c;
    }
  }
  if (picked.kind == storage::SpanKind::row) {
    std::string_view bare = trim(out);
    while (bare.starts_with('|')) bare.remove_prefix(1);
    while (bare.ends_with('|')) bare.remove_suffix(1);
    return std::string(trim(bare));
  }
  return out;
}

/// Lines of code, or items of a list, that follow each other share a citation.
bool continues(const Picked& last, const Picked& next,
               const std::vector<storage::Passage>& passages) {
  if (last.passage != next.passage || last.kind != next.kind || next.begin < last.end) return false;
  constexpr std::size_t kMarkerMax = 4;  // "- ", "12. "
  const storage::Passage& passage = passages[last.passage];
  const std::string_view between =
      trim(std::string_view(passage.text).substr(last.end - passage.begin, next.begin - last.end));
  if (last.kind == storage::SpanKind::item) return between.size() <= kMarkerMax;
  return last.kind == storage::SpanKind::code && !fenced(between);
}

struct Composed {
  std::string text;
  Json citations = Json::array();
};

/// The picks from `first` to `last`, as the document has them.
Quote quote_of(const Picked& first, const Picked& last, const storage::Passage& passage) {
  return {first.begin, last.end,
          passage.text.substr(first.begin - passage.begin, last.end - first.begin),
          std::round(first.score * 1000) / 1000};
}

void begin_line(std::string& text) {
  if (!text.empty() && text.back() != '\n') text += '\n';
}

Composed compose(const Answer& answer, const std::vector<storage::Passage>& passages) {
  Composed out;
  const auto& picked = answer.picked;
  for (std::size_t i = 0; i < picked.size();) {
    std::size_t end = i + 1;
    while (end < picked.size() && continues(picked[end - 1], picked[end], passages)) ++end;
    const storage::Passage& passage = passages[picked[i].passage];
    const Quote quote = quote_of(picked[i], picked[end - 1], passage);
    out.citations.push_back(citation_of(passage, quote));
    const std::string mark = " [" + std::to_string(out.citations.size()) + "]";
    if (picked[i].kind == storage::SpanKind::code) {
      begin_line(out.text);
      out.text += "```\n" + quote.text + "\n```\n";
      out.text += mark.substr(1) + "\n";  // beside the fence it would keep the fence from ending
    } else if (picked[i].kind == storage::SpanKind::prose) {
      if (!out.text.empty() && out.text.back() != '\n') out.text += ' ';
      out.text += readable(picked[i]) + mark;
    } else {
      begin_line(out.text);
      for (std::size_t at = i; at < end; ++at) {
        out.text += "- " + readable(picked[at]) + (at + 1 == end ? mark : "") + "\n";
      }
    }
    i = end;
  }
  out.text = std::string(trim(out.text));
  return out;
}

/// The text's words, each with the space before it: the tokens of the stream.
std::deque<std::string> pieces_of(const std::string& text) {
  std::deque<std::string> out;
  std::size_t begin = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool border =
        (text[i] == ' ' || text[i] == '\n') && text[i - 1] != ' ' && text[i - 1] != '\n';
    if (!border) continue;
    out.push_back(text.substr(begin, i - begin));
    begin = i;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

ChatChunk with_citations(ChatChunk chunk, const Json& citations) {
  const std::vector<Edit> edits{{"citations", dump(citations)}};
  chunk.json = splice(chunk.json, top_level(chunk.json), edits);
  return chunk;
}

/// Gives out chunks that are ready from the start; never waits.
class ReadyStream final : public ChatStream {
 public:
  explicit ReadyStream(std::deque<ChatChunk> chunks) : chunks_(std::move(chunks)) {}
  Co<Result<std::optional<ChatChunk>>> next(Deadline) override {
    if (chunks_.empty()) co_return std::optional<ChatChunk>();
    std::optional<ChatChunk> out(std::move(chunks_.front()));
    chunks_.pop_front();
    co_return out;
  }

 private:
  std::deque<ChatChunk> chunks_;
};

}  // namespace

/// An answer before it is put into OpenAI's shape.
struct Extractive::Reply {
  std::string text;
  Json citations = Json::array();
  Usage usage;
  std::string finish = "stop";
};

Extractive::Extractive(PassageSource& passages, Clock& clock, Random& random,
                       std::uint32_t sentences_max)
    : passages_(passages), clock_(clock), random_(random), sentences_max_(sentences_max) {}

Co<Result<Extractive::Reply>> Extractive::answer_for(const ChatRequest& request, Deadline by) {
  auto asked = read(request);
  if (!asked.ok()) co_return asked.error();
  Reply reply;
  const Question question = understand(asked->question, asked->before);
  if (question.small_talk) {
    reply.text = kIntroduction;
  } else if (!request.documents) {
    reply.text = kMayNotRead;
  } else {
    storage::PassageQuery query;
    query.tenant = request.tenant;
    query.collection = request.collection;
    query.text = question.search;
    query.limit = question.kind == QuestionKind::definition ? kPassagesOfDefinition : kPassages;
    auto found = co_await passages_.find(query, by);
    if (!found.ok()) co_return found.error();
    const Answer best = answer(question, *found, sentences_max_);
    Composed composed = compose(best, *found);
    reply.text = std::move(composed.text);
    reply.citations = std::move(composed.citations);
    if (found->empty()) {
      query.text.clear();  // any passage at all
      query.limit = 1;
      auto any = co_await passages_.find(query, by);
      if (!any.ok()) co_return any.error();
      if (any->empty()) reply.text = kNoDocuments;
    }
    if (reply.text.empty()) reply.text = kNotKnown;
  }
  if (asked->max_tokens > 0 && estimate_tokens(reply.text) > asked->max_tokens) {
    reply.text = std::string(cut_utf8(reply.text, asked->max_tokens * 4));
    reply.finish = "length";
  }
  reply.usage.prompt = asked->prompt_tokens;
  reply.usage.completion = estimate_tokens(reply.text);
  reply.usage.known = true;
  co_return reply;
}

Co<Result<ChatReply>> Extractive::complete(const ChatRequest& request, Attempt attempt,
                                           AttemptTimings& timings) {
  const TimePoint start = clock_.now();
  auto reply = co_await answer_for(request, attempt.by);
  if (!reply.ok()) co_return reply.error();
  const AnswerHead head = make_answer_head(name_, clock_, random_);
  const Json message = {{"role", "assistant"}, {"content", reply->text}};
  ChatReply out = completion(head, message, reply->finish, reply->usage);
  const std::vector<Edit> edits{{"citations", dump(reply->citations)}};
  out.body = splice(out.body, top_level(out.body), edits);
  timings.first_byte = clock_.now() - start;
  co_return out;
}

Co<Result<std::unique_ptr<ChatStream>>> Extractive::stream(const ChatRequest& request,
                                                           Attempt attempt,
                                                           AttemptTimings& timings) {
  const TimePoint start = clock_.now();
  auto reply = co_await answer_for(request, attempt.by);
  if (!reply.ok()) co_return reply.error();
  const AnswerHead head = make_answer_head(name_, clock_, random_);
  std::deque<ChatChunk> chunks;
  chunks.push_back(role_chunk(head));
  for (const auto& piece : pieces_of(reply->text)) chunks.push_back(text_chunk(head, piece));
  ChatChunk last = chunk(head, Json::object(), reply->finish);
  last.usage = reply->usage;
  chunks.push_back(with_citations(std::move(last), reply->citations));
  if (request.include_usage) chunks.push_back(usage_chunk(head, reply->usage));
  timings.first_byte = clock_.now() - start;
  co_return std::unique_ptr<ChatStream>(std::make_unique<ReadyStream>(std::move(chunks)));
}

Co<Result<std::vector<ModelInfo>>> Extractive::models(Deadline) {
  ModelInfo info;
  info.id = name_;
  info.provider = name_;
  info.tools = false;
  co_return std::vector<ModelInfo>{info};
}

}  // namespace mainstay::models::extractive
