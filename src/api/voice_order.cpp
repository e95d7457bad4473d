// Fields to an order, an order to a question, events to JSON.
#include "api/voice_order.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "api/status.h"
#include "base/base64.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

using assistant::VoiceEvent;
using models::AudioForm;

constexpr std::size_t kFieldMax = 256;
constexpr std::size_t kTitleMax = 80;  ///< of a conversation, as the assistant gives it
constexpr double kSlowest = 0.25;
constexpr double kFastest = 4;
constexpr std::array<std::string_view, 13> kFields = {
    "conversation_id", "conversation",  "model",        "collection", "voice", "format",  "speed",
    "language",        "hearing_model", "speech_model", "speak",      "audio", "response"};

Error bad_value(const std::string& sentence, const std::string& field) {
  return Error::say(Errc::invalid, "invalid_value", sentence, field);
}

/// Pieces of these can be put one behind the other; of flac they cannot.
Result<AudioForm> form_of(const std::string& value) {
  const auto form = models::audio_form(value);
  if (form && *form != AudioForm::flac) return *form;
  return Error::say(Errc::unsupported, "audio_format_unsupported",
                    "A spoken answer is made in mp3, wav, opus, aac or pcm.", "format");
}

Result<double> speed_of(const std::string& value) {
  double speed = 0;
  const char* end = value.data() + value.size();
  const auto [stop, failed] = std::from_chars(value.data(), end, speed);
  if (failed == std::errc() && stop == end && speed >= kSlowest && speed <= kFastest) return speed;
  return bad_value("'speed' is a number from 0.25 to 4.", "speed");
}

Result<bool> flag_of(const std::string& key, const std::string& value) {
  if (value == "true" || value == "false") return value == "true";
  return bad_value("'" + key + "' must be true or false.", key);
}

Status set_choice(VoiceOrder& order, const std::string& key, const std::string& value) {
  if (key == "audio") {
    if (value != "address" && value != "inline") {
      return bad_value("'audio' is address or inline.", key);
    }
    order.wish.keep = value == "address";
    order.place_said = true;
    return done();
  }
  if (value != "json" && value != "stream") return bad_value("'response' is json or stream.", key);
  order.reply = value == "json" ? VoiceOrder::Reply::json : VoiceOrder::Reply::stream;
  return done();
}

Status set_name(std::string& to, const std::string& key, const std::string& value) {
  if (value.empty() || is_safe_name(value)) {
    to = value;
    return done();
  }
  return Error::say(Errc::invalid, "invalid_name",
                    "'" + key + "' has 1 to 128 characters of A-Z a-z 0-9 . _ : -", key);
}

Status set(VoiceOrder& order, const std::string& key, const std::string& value) {
  auto& wish = order.wish;
  if (value.size() > kFieldMax) {
    return Error::say(Errc::invalid, "field_too_long",
                      "'" + key + "' must be a text of at most 256 bytes.", key);
  }
  if (has_control_characters(value) || value.find_first_of("\t\r\n") != std::string::npos) {
    return Error::say(Errc::invalid, "control_character",
                      "'" + key + "' must not hold control characters.", key);
  }
  if (key == "conversation_id" || key == "conversation") {
    return set_name(order.conversation, key, value);
  }
  if (key == "collection") return set_name(order.collection, key, value);
  if (key == "audio" || key == "response") return set_choice(order, key, value);
  if (key == "format") {
    auto form = form_of(value);
    if (!form.ok()) return form.error();
    wish.form = *form;
    order.form_said = true;
  } else if (key == "speed") {
    auto speed = speed_of(value);
    if (!speed.ok()) return speed.error();
    wish.speed = *speed;
  } else if (key == "speak") {
    auto speak = flag_of(key, value);
    if (!speak.ok()) return speak.error();
    wish.speak = *speak;
  } else {
    std::string& to = key == "model"           ? order.model
                      : key == "voice"         ? wish.voice
                      : key == "language"      ? wish.language
                      : key == "hearing_model" ? wish.hearing_model
                                               : wish.speech_model;
    to = value;
  }
  return done();
}

bool listed(std::string_view key, auto&& list) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

Error unknown(const std::string& key) {
  return Error::say(Errc::invalid, "unknown_field", "The field is not known here.",
                    std::string(cut_utf8(key, 64)));
}

/// The permit and the account of an answer, as long as it is written.
class AnsweredStream final : public models::ChatStream {
 public:
  AnsweredStream(Answered answered, Context& context)
      : answered_(std::move(answered)), context_(context) {}
  ~AnsweredStream() override { settle(answered_, context_); }
  AnsweredStream(const AnsweredStream&) = delete;
  AnsweredStream& operator=(const AnsweredStream&) = delete;
  Co<Result<std::optional<models::ChatChunk>>> next(Deadline by) override {
    auto chunk = co_await answered_.answer.stream->next(by);
    if (chunk.ok() && chunk->has_value()) note_usage(context_, **chunk);
    co_return chunk;
  }

 private:
  Answered answered_;
  Context& context_;
};

/// Nobody else can wait for this answer: a turn ends at once when it is interrupted.
std::shared_ptr<Hold> private_hold() {
  auto hold = std::make_shared<Hold>([] {});
  hold->client_gone();
  return hold;
}

}  // namespace

Result<VoiceOrder> voice_order_of(const Query& fields) {
  VoiceOrder out;
  for (const auto& [key, value] : fields) {
    if (!listed(key, kFields)) return unknown(key);
    if (value.empty()) continue;
    auto fine = set(out, key, value);
    if (!fine.ok()) return fine.error();
  }
  return out;
}

Result<VoiceOrder> voice_order_of(const Json& message,
                                  std::initializer_list<std::string_view> pass) {
  Query fields;
  for (const auto& [key, value] : message.items()) {
    if (listed(key, pass)) continue;
    // Over a socket there is no other form of reply.
    if (!listed(key, kFields) || key == "response") return unknown(key);
    const bool number = key == "speed" && value.is_number();
    const bool flag = key == "speak" && value.is_boolean();
    if (value.is_string()) {
      fields[key] = value.get<std::string>();
    } else if (number || flag) {
      fields[key] = value.dump();
    } else if (!value.is_null()) {
      return Error::say(Errc::invalid, "invalid_type", "'" + key + "' must be a text.", key);
    }
  }
  return voice_order_of(fields);
}

std::optional<AudioForm> accepted_sound(std::string_view accept) {
  while (!accept.empty()) {
    const auto comma = accept.find(',');
    const auto range = accept.substr(0, comma);
    const std::string media = lower_ascii(trim(range.substr(0, range.find(';'))));
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
    if (!media.starts_with("audio/")) continue;
    const std::string_view kind = std::string_view(media).substr(6);
    if (kind == "wav" || kind == "x-wav" || kind == "wave") return AudioForm::wav;
    if (kind == "ogg" || kind == "opus") return AudioForm::opus;
    if (kind == "pcm" || kind == "l16") return AudioForm::pcm;
    if (kind == "aac") return AudioForm::aac;
    return AudioForm::mp3;
  }
  return std::nullopt;
}

Status bind_order(const Rooms& rooms, const Context& context, VoiceOrder& order) {
  std::optional<std::string> member;
  if (!order.conversation.empty()) member = order.conversation;
  auto conversation = conversation_of(rooms, context, member);
  if (!conversation.ok()) return conversation.error();
  if (*conversation) order.conversation = (*conversation)->text();
  auto& wish = order.wish;
  wish.owner = context.caller.owner;
  wish.request = context.id;
  if (context.trace.span != 0) {
    wish.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  return done();
}

std::string VoiceAsker::body_of(const std::string& question) const {
  Json messages = Json::array();
  const std::string& instructions = rooms_.settings.voice.instructions;
  if (!instructions.empty()) {
    messages.push_back(Json{{"role", "system"}, {"content", instructions}});
  }
  messages.push_back(Json{{"role", "user"}, {"content", question}});
  Json body = {{"messages", std::move(messages)}, {"stream", true}};
  if (!order_.model.empty()) body["model"] = order_.model;
  if (!order_.collection.empty()) body["collection"] = order_.collection;
  if (!order_.conversation.empty()) body["conversation"] = order_.conversation;
  return dump(body);
}

Co<Result<std::unique_ptr<models::ChatStream>>> VoiceAsker::answer(std::string question,
                                                                   Deadline by) {
  context_.usage = {};  // of an earlier turn
  context_.told_tokens = 0;
  question_ = question;
  auto parsed = models::parse_chat(body_of(question), rooms_.settings.limits,
                                   rooms_.settings.models.default_model);
  if (!parsed.ok()) co_return parsed.error();
  Asked asked;
  asked.parsed = std::move(*parsed);
  asked.hold = private_hold();
  asked.received = received_;
  asked.by = by;
  if (!order_.conversation.empty()) turn_ = std::make_shared<storage::Turn>();
  asked.finished = turn_;
  auto answered = co_await answer_question(rooms_, context_, std::move(asked));
  if (!answered.ok()) co_return answered.error();
  if (!answered->answer.stream) co_return Error::log(Errc::internal, "an answer without a stream");
  std::unique_ptr<models::ChatStream> stream =
      std::make_unique<AnsweredStream>(std::move(*answered), context_);
  co_return stream;
}

/// Of an answer that was cut off while it was written: what is known of it.
storage::Turn VoiceAsker::unfinished() const {
  storage::Turn out;
  out.conversation = ConversationId(order_.conversation);
  out.request = RequestId(make_id("turn_", rooms_.clock, rooms_.random));
  out.title = std::string(cut_utf8(trim(question_), kTitleMax));
  out.provider = context_.by_whom.provider;
  out.model = context_.by_whom.model;
  out.finished = rooms_.clock.wall();
  out.continues = turn_->continues;
  out.total = rooms_.clock.now() - received_;
  storage::StoredMessage asked;
  asked.role = "user";
  asked.json = dump(Json{{"role", "user"}, {"content", question_}});
  asked.tokens = Tokens{estimate_tokens(question_)};
  storage::StoredMessage answer;
  answer.role = "assistant";
  for (auto* message : {&asked, &answer}) {
    message->id = MessageId(make_id("msg_", rooms_.clock, rooms_.random));
    message->created = out.finished;
    out.messages.push_back(std::move(*message));
  }
  return out;
}

Co<Status> VoiceAsker::keep(assistant::AnswerTold told) {
  if (!turn_) co_return done();
  storage::Turn turn = turn_->messages.empty() ? unfinished() : std::move(*turn_);
  turn_.reset();
  if (told.interrupted) {
    auto& answer = turn.messages.back();
    answer.tokens = Tokens{estimate_tokens(told.text)};
    answer.json =
        dump(Json{{"role", "assistant"}, {"content", std::move(told.text)}, {"interrupted", true}});
  }
  const Deadline until = Deadline::in(rooms_.clock, rooms_.settings.storage.operation_timeout);
  storage::Owner owner = context_.caller.owner;
  co_return co_await rooms_.stores.conversations().append(std::move(owner), std::move(turn), until);
}

assistant::VoiceParts voice_parts(const Rooms& rooms, assistant::Answerer& answerer) {
  return {rooms.settings.voice, rooms.clock, rooms.log, rooms.models, answerer, rooms.audio};
}

Json voice_audio_json(const VoiceEvent& event) {
  Json out = {{"format", models::name(event.audio.form)},
              {"content_type", models::mime_of(event.audio.form)}};
  const bool samples = event.audio.form == AudioForm::pcm || event.audio.form == AudioForm::wav;
  if (samples && event.size > 0) {
    out["sample_rate"] = event.audio.rate;
    out["channels"] = event.audio.channels;
  }
  if (!event.id.empty()) {
    out["id"] = event.id.text();
    out["url"] = "/v1/audio/files/" + event.id.text();
  }
  if (event.size > 0) out["bytes"] = event.size;
  if (event.seconds > 0) out["seconds"] = std::round(event.seconds * 1000) / 1000;
  return out;
}

std::string voice_error_json(const Error& error) {
  std::string out = R"({"type":"error",)";
  out += std::string_view(error_json(error)).substr(1);  // {"error":{…}} without its first brace
  return out;
}

std::string voice_event_json(const VoiceEvent& event, const Context& context,
                             const std::string& conversation, bool sound_apart) {
  using Type = VoiceEvent::Type;
  Json out = {{"type", assistant::name(event.type)}};
  switch (event.type) {
    case Type::speech_started:
      out["at"] = event.seconds;
      break;
    case Type::transcript:
      if (!event.language.empty()) out["language"] = event.language;
      if (event.seconds > 0) out["seconds"] = event.seconds;
      out["text"] = event.text;
      break;
    case Type::transcript_partial:
    case Type::token:
      out["text"] = event.text;
      break;
    case Type::citations:
      out["citations"] = event.citations;
      break;
    case Type::audio:
      out["audio"] = voice_audio_json(event);
      if (!sound_apart) out["base64"] = to_base64(event.bytes);
      break;
    case Type::audio_coming:
    case Type::audio_ready:
      out["audio"] = voice_audio_json(event);
      break;
    case Type::speech_failed:
      if (event.error) {
        auto parsed = parse_json(error_json(*event.error));
        if (parsed.ok()) out["error"] = std::move((*parsed)["error"]);
      }
      break;
    case Type::done:
      out["answer"] = event.text;
      out["model"] = context.by_whom.model;
      out["provider"] = context.by_whom.provider;
      if (context.by_whom.degraded) out["degraded"] = true;
      if (!conversation.empty()) out["conversation_id"] = conversation;
      if (event.size > 0) out["audio"] = voice_audio_json(event);
      break;
  }
  return dump(out);
}

}  // namespace mainstay::api
