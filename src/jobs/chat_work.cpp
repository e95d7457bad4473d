// One chat request inside a job.
#include "jobs/chat_work.h"

#include <algorithm>

#include "base/json_fields.h"
#include "jobs/completion.h"
#include "jobs/kind_fields.h"

namespace mainstay::jobs {
namespace {

/// The longest draw between two questions, beside what the refusal itself asked for.
constexpr Duration kRestMax = std::chrono::seconds(10);

std::string with_stream(const std::string& body, bool stream) {
  std::vector<models::Edit> edits;
  edits.push_back({"stream", stream ? "true" : "false"});
  edits.push_back({"stream_options", stream ? R"({"include_usage":true})" : ""});
  return models::splice(body, models::top_level(body), edits);
}

/// "new" is one conversation, however often the job is tried.
ConversationId conversation_of(const std::string& named, const storage::JobId& job) {
  if (named != "new") return ConversationId(named);
  const auto cut = job.text().find('_');
  return ConversationId("conv_" + job.text().substr(cut == std::string::npos ? 0 : cut + 1));
}

Error bad_name(const char* what, const char* field) {
  return Error::say(Errc::invalid, "invalid_name",
                    std::string(what) + " has 1 to 128 characters of A-Z a-z 0-9 . _ : -", field);
}

/// What Mainstay adds to a completion: over HTTP the same members, or headers, say it.
std::string marked(std::string completion, const std::optional<ConversationId>& conversation,
                   bool degraded) {
  std::vector<models::Edit> edits;
  if (conversation) {
    std::string text;
    append_json_string(text, conversation->text());
    edits.push_back({"conversation", std::move(text)});
  }
  if (degraded) edits.push_back({"degraded", "true"});
  if (edits.empty()) return completion;
  return models::splice(completion, models::top_level(completion), edits);
}

/// Asks for what the pieces of a stream are not put together to here.
bool wants_more_than_text(const std::string& body) {
  const auto parsed = parse_json(body);
  return parsed.ok() && (field(*parsed, "logprobs") == true || !field(*parsed, "audio").is_null() ||
                         !field(*parsed, "modalities").is_null());
}

/// Whether a kept answer is not what was asked for. Equal requests of a batch are so many draws;
/// who repeats a job, or runs it again, wants another answer. (An attempt's number is that of its
/// token unless some before it do not count.)
bool asks_anew(const storage::Job& job) {
  const bool later = job.job.id.text().find('.') != std::string::npos;
  return later || !job.job.batch.empty() || job.token > job.attempts;
}

/// Until when an attempt may ask: none begins at or after the job's expiry, so none asks then.
Deadline last_question(const storage::NewJob& job, const Clock& clock, Deadline by) {
  if (job.expires == WallTime{}) return by;
  constexpr auto kYear = std::chrono::hours(24 * 365);  // nanoseconds hold 292 of them
  const auto left = job.expires - clock.wall();
  return left > kYear ? by : by.sooner(clock.now(), left);
}

}  // namespace

Status ChatWork::check(const std::string& body) const {
  const InForce now = tools_.in_force();
  auto parsed = models::parse_chat(body, now.settings->limits, now.settings->models.default_model);
  if (!parsed.ok()) return parsed.error();
  const auto& own = parsed->own;
  if (own.conversation && !is_plain_name(*own.conversation)) {
    return bad_name("A conversation's id", "conversation");
  }
  if (own.collection && !is_plain_name(*own.collection)) {
    return bad_name("A collection's name", "collection");
  }
  return done();
}

bool ChatWork::travels(const std::string& body) const {
  const InForce now = tools_.in_force();
  auto parsed = models::parse_chat(body, now.settings->limits, now.settings->models.default_model);
  if (!parsed.ok()) return true;
  const bool kept_apart = !tools_.settings.storage.postgres_url.empty();
  return kept_apart || (!parsed->own.collection && !parsed->own.conversation);
}

std::optional<admission::Use> ChatWork::use_of(const std::string& body) const {
  const InForce now = tools_.in_force();
  auto parsed = models::parse_chat(body, now.settings->limits, now.settings->models.default_model);
  if (!parsed.ok()) return std::nullopt;
  const auto& chat = parsed->request;
  return admission::Use{now.models->limited_as(chat.model),
                        {models::text_bytes_of(chat), chat.max_tokens, chat.choices}};
}

Result<assistant::Question> ChatWork::question_of(const Settings& settings, const Run& run,
                                                  std::string body, bool quiet) const {
  auto parsed = models::parse_chat(body, settings.limits, settings.models.default_model);
  if (!parsed.ok()) return parsed.error();
  const bool stream = !quiet && parsed->request.choices == 1 && !wants_more_than_text(body);
  parsed =
      models::parse_chat(with_stream(body, stream), settings.limits, settings.models.default_model);
  if (!parsed.ok()) return parsed.error();
  const auto& job = run.job().job;
  assistant::Question question;
  question.owner = job.owner;
  question.received = tools_.clock.now();
  question.chat = std::move(parsed->request);
  if (parsed->own.collection) question.chat.collection = CollectionName(*parsed->own.collection);
  question.chat.tenant = job.owner.tenant;
  question.chat.user = job.owner.user;
  question.chat.cache.no_cache = asks_anew(run.job());
  question.chat.request = RequestId(job.id.text());
  if (parsed->own.conversation) {
    question.conversation = conversation_of(*parsed->own.conversation, job.id);
    question.turn_id = RequestId(job.id.text());
    question.finished = std::make_shared<storage::Turn>();
  }
  return question;
}

Co<Result<Outcome>> ChatWork::answer(Run& run, std::string body, bool quiet, Deadline by) {
  const JobSettings& settings = tools_.settings.jobs;
  const Backoff rests{settings.backoff_min, std::min<Duration>(settings.backoff_max, kRestMax), 2};
  const Deadline until = last_question(run.job().job, tools_.clock, by);
  for (std::uint32_t refused = 1;; ++refused) {
    auto outcome = co_await ask(run, body, quiet, by);
    if (outcome.ok() || !is_not_now(outcome.error())) co_return outcome;
    // Many jobs hear the same moment: the draw spreads them behind it.
    const Duration pause =
        outcome.error().retry_after + delay_after(rests, refused, Duration::zero(), tools_.random);
    if (pause >= until.left(tools_.clock.now())) {
      run.put_off(pause);
      co_return outcome;
    }
    auto rested = co_await run.rest(pause);
    if (!rested) co_return outcome;
  }
}

Co<Result<Outcome>> ChatWork::ask(Run& run, std::string body, bool quiet, Deadline by) {
  const InForce now = tools_.in_force();
  auto question = question_of(*now.settings, run, std::move(body), quiet);
  if (!question.ok()) co_return question.error();
  const auto turn = question->finished;
  const auto conversation = question->conversation;
  auto answer = co_await now.assistant->ask(std::move(*question), by);
  if (!answer.ok()) co_return answer.error();
  const bool degraded = answer->by.degraded;
  auto completion = co_await read(run, std::move(*answer), by);
  if (!completion.ok()) co_return completion.error();
  Outcome out;
  out.result = marked(std::move(*completion), conversation, degraded);
  if (conversation) out.effects.turn = std::move(*turn);
  co_return out;
}

Co<Result<std::string>> ChatWork::read(Run& run, models::Answer answer, Deadline by) {
  if (answer.reply) co_return std::move(answer.reply->body);
  Completion completion;
  for (;;) {
    auto chunk = co_await answer.stream->next(by);
    if (!chunk.ok()) co_return chunk.error();
    if (!chunk->has_value()) break;
    auto text = completion.add(**chunk);
    if (!text.ok()) co_return text.error();
    if (completion.size() > tools_.settings.upstream.response_max.value) {
      co_return Error::say(Errc::too_large, "result_too_large",
                           "The answer is longer than the result of a job may be.");
    }
    if (text->empty()) continue;
    Json data = Json::object();
    data["text"] = std::move(*text);
    co_await run.tell("token", std::move(data));
  }
  co_return completion.text();
}

}  // namespace mainstay::jobs
