// Chunks into items, and items into events.
#include "api/response_writer.h"

#include <utility>

#include "api/status.h"
#include "base/json_fields.h"

namespace mainstay::api {

/// What an item's text is called, in its part and in its events.
struct ResponseWriter::Words {
  const char* item;
  const char* part;
  const char* text;
  const char* delta;
  const char* done;
  bool logprobs;  ///< clients look for them there, if only for an empty list
};
constexpr ResponseWriter::Words ResponseWriter::kThoughts{"rs_",
                                                          "reasoning_text",
                                                          "text",
                                                          "response.reasoning_text.delta",
                                                          "response.reasoning_text.done",
                                                          false};
constexpr ResponseWriter::Words ResponseWriter::kText{
    "msg_", "output_text", "text", "response.output_text.delta", "response.output_text.done", true};
constexpr ResponseWriter::Words ResponseWriter::kRefusal{
    "msg_", "refusal", "refusal", "response.refusal.delta", "response.refusal.done", false};

namespace {

Json usage_of(const models::Usage& usage) {
  if (!usage.known) return nullptr;
  return {{"input_tokens", usage.prompt},
          {"input_tokens_details", {{"cached_tokens", usage.cached}}},
          {"output_tokens", usage.completion},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning}}},
          {"total_tokens", usage.prompt + usage.completion}};
}

}  // namespace

ResponseWriter::ResponseWriter(Json frame, bool tells)
    : response_(std::move(frame)), tells_(tells) {
  response_["status"] = "in_progress";
  response_["output"] = Json::array();
}

void ResponseWriter::begin() {
  tell_response("response.created");
  tell_response("response.in_progress");
}

Status ResponseWriter::add(const std::string& chunk) {
  auto parsed = parse_json(chunk);
  if (!parsed.ok()) return Error::log(Errc::bad_upstream, "chunk is not JSON");
  add(*parsed);
  return done();
}

Status ResponseWriter::add_whole(const std::string& completion) {
  auto parsed = parse_json(completion);
  if (!parsed.ok()) return Error::log(Errc::bad_upstream, "completion is not JSON");
  Json chunk = {{"choices", Json::array()}};
  if (parsed->contains("citations")) chunk["citations"] = (*parsed)["citations"];
  for (const auto& choice : array_field(*parsed, "choices")) {
    Json delta = object_field(choice, "message");
    std::size_t index = 0;
    if (delta.contains("tool_calls") && delta["tool_calls"].is_array()) {
      for (auto& call : delta["tool_calls"]) {
        if (call.is_object()) call["index"] = index++;
      }
    }
    chunk["choices"].push_back({{"index", 0},
                                {"delta", std::move(delta)},
                                {"finish_reason", field(choice, "finish_reason")}});
    break;
  }
  add(chunk);
  return done();
}

void ResponseWriter::add(const Json& chunk) {
  transcript_.add_parsed(chunk);
  for (const auto& choice : array_field(chunk, "choices")) {
    if (count_field(choice, "index") != 0) continue;
    const Json& delta = field(choice, "delta");
    // Two names are in use for what a model thinks aloud.
    std::string thought = string_field(delta, "reasoning_content");
    if (thought.empty()) {
      thought = string_field(delta, "reasoning");
      beside_ += thought.size();
    }
    append(kThoughts, thought);
    take_texts();
    annotate(array_field(delta, "annotations"));
    take_calls(false);
    const std::string reason = string_field(choice, "finish_reason");
    if (!reason.empty()) finish_reason_ = reason;
    break;
  }
}

void ResponseWriter::take_texts() {
  const std::string_view text = transcript_.text();
  append(kText, text.substr(text_told_));
  text_told_ = text.size();
  const std::string_view refusal = transcript_.refusal();
  append(kRefusal, refusal.substr(refusal_told_));
  refusal_told_ = refusal.size();
}

/// What the open text cites. Chat completions hold a citation's members in one named as its type.
void ResponseWriter::annotate(const Json& annotations) {
  if (open_ != &kText) return;
  Json& item = response_["output"][open_place_];
  Json& all = item["content"][0]["annotations"];
  for (const auto& each : annotations) {
    if (string_field(each, "type") != "url_citation") continue;
    const Json& inner = object_field(each, "url_citation");
    const Json& told = inner.empty() ? each : inner;
    Json one = {{"type", "url_citation"},
                {"url", string_field(told, "url")},
                {"title", string_field(told, "title")},
                {"start_index", count_field(told, "start_index")},
                {"end_index", count_field(told, "end_index")}};
    beside_ += dump(one).size();
    tell("response.output_text.annotation.added", {{"item_id", item["id"]},
                                                   {"output_index", open_place_},
                                                   {"content_index", 0},
                                                   {"annotation_index", all.size()},
                                                   {"annotation", one}});
    all.push_back(std::move(one));
  }
}

/// What is new of the calls. Without `last` one that has no name yet waits for it.
void ResponseWriter::take_calls(bool last) {
  calls_.resize(transcript_.calls());
  for (std::size_t n = 0; n < calls_.size(); ++n) {
    Call& call = calls_[n];
    const Json& whole = transcript_.call(n);
    const Json& function = object_field(whole, "function");
    const Json& written = field(function, "arguments");
    if (!written.is_string()) continue;  // no function
    const auto& arguments = written.get_ref<const std::string&>();
    const bool nothing = string_field(function, "name").empty() && (!last || arguments.empty());
    if (!call.begun && nothing) continue;
    if (!call.begun) begin_call(call, whole);
    if (arguments.size() <= call.told) continue;
    tell("response.function_call_arguments.delta",
         {{"item_id", response_["output"][call.place]["id"]},
          {"output_index", call.place},
          {"delta", arguments.substr(call.told)}});
    call.told = arguments.size();
  }
}

void ResponseWriter::begin_call(Call& call, const Json& whole) {
  close("completed");
  call.begun = true;
  // Its output is told by this id, so there must be one, and it stays.
  const std::string id = item_id("fc_");
  const std::string given = string_field(whole, "id");
  Json item = {{"id", id},
               {"type", "function_call"},
               {"status", "in_progress"},
               {"call_id", given.empty() ? id : given},
               {"name", string_field(field(whole, "function"), "name")},
               {"arguments", ""}};
  call.place = begin_item(std::move(item));
}

void ResponseWriter::append(const Words& words, std::string_view piece) {
  if (piece.empty()) return;
  if (open_ != &words) open(words);
  Json& item = response_["output"][open_place_];
  item["content"][0][words.text].get_ref<std::string&>() += piece;
  Json event = {{"item_id", item["id"]},
                {"output_index", open_place_},
                {"content_index", 0},
                {"delta", piece}};
  if (words.logprobs) event["logprobs"] = Json::array();
  tell(words.delta, event);
}

/// Each text is an item of its own, with one part.
void ResponseWriter::open(const Words& words) {
  close("completed");
  Json item = {{"id", item_id(words.item)}};
  if (&words == &kThoughts) {
    item.update({{"type", "reasoning"}, {"status", "in_progress"}, {"summary", Json::array()}});
  } else {
    item.update({{"type", "message"}, {"status", "in_progress"}, {"role", "assistant"}});
  }
  item["content"] = Json::array();
  open_place_ = begin_item(std::move(item));
  open_ = &words;
  Json part = {{"type", words.part}, {words.text, ""}};
  if (words.logprobs) part.update({{"annotations", Json::array()}, {"logprobs", Json::array()}});
  Json& whole = response_["output"][open_place_];
  tell("response.content_part.added", {{"item_id", whole["id"]},
                                       {"output_index", open_place_},
                                       {"content_index", 0},
                                       {"part", part}});
  whole["content"].push_back(std::move(part));
}

void ResponseWriter::close(const char* status) {
  if (open_ == nullptr) return;
  const Words& words = *std::exchange(open_, nullptr);
  const Json& item = response_["output"][open_place_];
  const Json& part = item["content"][0];
  Json event = {{"item_id", item["id"]},
                {"output_index", open_place_},
                {"content_index", 0},
                {words.text, part[words.text]}};
  if (words.logprobs) event["logprobs"] = Json::array();
  tell(words.done, event);
  tell("response.content_part.done", {{"item_id", item["id"]},
                                      {"output_index", open_place_},
                                      {"content_index", 0},
                                      {"part", part}});
  end_item(open_place_, status);
}

std::size_t ResponseWriter::begin_item(Json item) {
  const std::size_t place = response_["output"].size();
  tell("response.output_item.added", {{"output_index", place}, {"item", item}});
  response_["output"].push_back(std::move(item));
  return place;
}

void ResponseWriter::end_item(std::size_t place, const char* status) {
  Json& item = response_["output"][place];
  item["status"] = status;
  tell("response.output_item.done", {{"output_index", place}, {"item", item}});
}

void ResponseWriter::finish(const models::Usage& usage, WallTime now) {
  const bool cut = finish_reason_ == "length";
  const bool incomplete = cut || finish_reason_ == "content_filter";
  const char* status = incomplete ? "incomplete" : "completed";
  take_calls(true);
  close(status);
  for (std::size_t n = 0; n < calls_.size(); ++n) {
    if (calls_[n].begun) end_call(calls_[n], transcript_.call(n), status);
  }
  if (!transcript_.citations().is_null()) response_["citations"] = transcript_.citations();
  response_["status"] = status;
  if (incomplete) {
    response_["incomplete_details"] = {{"reason", cut ? "max_output_tokens" : "content_filter"}};
  }
  response_["completed_at"] = micros(now) / 1'000'000;
  response_["usage"] = usage_of(usage);
  tell_response(("response." + std::string(status)).c_str());
}

void ResponseWriter::end_call(const Call& call, const Json& whole, const char* status) {
  fill(call, whole);
  const Json& item = response_["output"][call.place];
  tell("response.function_call_arguments.done", {{"item_id", item["id"]},
                                                 {"output_index", call.place},
                                                 {"name", item["name"]},
                                                 {"arguments", item["arguments"]}});
  end_item(call.place, status);
}

/// What has come since the call began.
void ResponseWriter::fill(const Call& call, const Json& whole) {
  const Json& function = object_field(whole, "function");
  Json& item = response_["output"][call.place];
  item["name"] = string_field(function, "name");
  item["arguments"] = string_field(function, "arguments");
  if (whole.contains("extra_content")) item["extra_content"] = whole["extra_content"];
}

/// The clients throw at the event "error"; what there is of the answer goes out before it.
void ResponseWriter::fail(const Error& error) {
  const auto told = parse_json(error_json(error));
  const Json what = told.ok() ? object_field(*told, "error") : Json::object();
  for (std::size_t n = 0; n < calls_.size(); ++n) {
    if (calls_[n].begun) fill(calls_[n], transcript_.call(n));
  }
  for (auto& item : response_["output"]) {
    if (item["status"] == "in_progress") item["status"] = "incomplete";
  }
  response_["status"] = "failed";
  response_["error"] = {{"code", field(what, "code")}, {"message", field(what, "message")}};
  tell_response("response.failed");
  tell("error", {{"code", field(what, "code")},
                 {"message", field(what, "message")},
                 {"param", field(what, "param")},
                 {"error", what}});
}

std::string ResponseWriter::item_id(std::string_view kind) const {
  const std::string id = string_field(response_, "id");
  const auto from = id.find('_');
  return std::string(kind) + id.substr(from == std::string::npos ? 0 : from + 1) + "_" +
         std::to_string(response_["output"].size());
}

void ResponseWriter::tell(const char* type, const Json& event) {
  if (!tells_) return;
  const std::string text = dump(event);
  tell_text(type, std::string_view(text).substr(1));  // without its first brace
}

void ResponseWriter::tell_response(const char* type) {
  if (tells_) tell_text(type, "\"response\":" + dump(response_) + "}");
}

/// `members` ends with the event's last brace.
void ResponseWriter::tell_text(const char* type, std::string_view members) {
  events_.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type);
  events_.append("\",\"sequence_number\":").append(std::to_string(sequence_++)).append(",");
  events_.append(members).append("\n\n");
}

std::string ResponseWriter::take_events() {
  return std::exchange(events_, {});
}

}  // namespace mainstay::api
