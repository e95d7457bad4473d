// One strict parse per reply or chunk, to see what it carries; the text itself goes on as it came,
// or mended where it could not be read.
#include "models/openai/reply.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/json_mend.h"
#include "base/text.h"
#include "models/provider_error.h"

namespace mainstay::models::openai {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

/// A count of tokens above this (2^53, what a JSON number can hold) is not believed.
constexpr std::uint64_t kTokensMax = 1ULL << 53;

template <class T>
std::optional<T> member(const object& in, std::string_view name) {
  T value;
  if (in[name].get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::string_view text_member(const object& in, std::string_view name) {
  return member<std::string_view>(in, name).value_or(std::string_view());
}

Usage usage_of(const object& reply) {
  Usage usage;
  const auto found = member<object>(reply, "usage");
  if (!found) return usage;
  const auto prompt = member<std::uint64_t>(*found, "prompt_tokens");
  const auto completion = member<std::uint64_t>(*found, "completion_tokens");
  usage.prompt = std::min(prompt.value_or(0), kTokensMax);
  usage.completion = std::min(completion.value_or(0), kTokensMax);
  usage.known = prompt || completion;
  const auto detail = [&found](std::string_view of, std::string_view name) {
    const auto details = member<object>(*found, of);
    const auto told = details ? member<std::uint64_t>(*details, name) : std::nullopt;
    return std::min(told.value_or(0), kTokensMax);
  };
  usage.cached = detail("prompt_tokens_details", "cached_tokens");
  usage.reasoning = detail("completion_tokens_details", "reasoning_tokens");
  return usage;
}

/// A member that a client would see: text that is not empty, a list with entries, or an object.
bool shows(const object& delta, std::string_view name) {
  if (!text_member(delta, name).empty()) return true;
  const auto list = member<array>(delta, name);
  return (list && list->size() > 0) || member<object>(delta, name).has_value();
}

bool has_token(const object& choice) {
  constexpr std::array<std::string_view, 7> kVisible{
      "content",   "tool_calls",    "refusal", "reasoning_content",
      "reasoning", "function_call", "audio"};
  const auto delta = member<object>(choice, "delta");
  if (!delta) return false;
  return std::any_of(kVisible.begin(), kVisible.end(),
                     [&](std::string_view name) { return shows(*delta, name); });
}

/// The reply's object, looked at for an error. `what` names it in the log.
Result<object> open(std::string& text, const char* what) {
  auto parsed = read_mended(text);
  if (!parsed.ok()) return not_understood(std::string(what) + ": " + parsed.error().detail);
  object reply;
  if (parsed->get(reply) != simdjson::SUCCESS) {
    return not_understood(std::string(what) + " is no object");
  }
  element error;
  if (reply["error"].get(error) == simdjson::SUCCESS && !error.is_null()) return told_inside(text);
  return reply;
}

/// {"message": {"content": text, parts or null, …}, …} with the assistant's role, if any is said.
bool is_choice(const element& entry) {
  object choice;
  if (entry.get(choice) != simdjson::SUCCESS) return false;
  const auto message = member<object>(choice, "message");
  if (!message) return false;
  element role;
  if ((*message)["role"].get(role) == simdjson::SUCCESS &&
      text_member(*message, "role") != "assistant") {
    return false;
  }
  element content;
  if ((*message)["content"].get(content) != simdjson::SUCCESS) return true;
  return content.is_string() || content.is_null() || content.is_array();
}

/// What a model is for: Speaches says it; of others the router looks at the name.
std::string task_of(std::string_view said) {
  if (said == "automatic-speech-recognition") return "transcription";
  if (said == "text-to-speech") return "speech";
  return "chat";
}

std::string padded(std::string_view text) {
  std::string out;
  out.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  out.assign(text);
  return out;
}

}  // namespace

Result<ChatReply> read_reply(std::string body) {
  auto reply = open(body, "the reply");
  if (!reply.ok()) return std::move(reply.error());
  const auto choices = member<array>(*reply, "choices");
  if (!choices || choices->size() == 0) return not_understood("the reply has no choices");
  for (const element entry : *choices) {
    if (!is_choice(entry)) return not_understood("a choice holds no message");
  }
  ChatReply out;
  out.usage = usage_of(*reply);
  out.body = std::move(body);
  return out;
}

Result<ChatChunk> read_chunk(std::string_view data, Unfinished* unfinished) {
  ChatChunk chunk;
  chunk.json = padded(data);
  // Between a JSON text's tokens they are blanks; inside its strings they cannot be.
  for (const char unwanted : {'\n', '\r'}) {
    auto at = chunk.json.find(unwanted);
    for (; at != std::string::npos; at = chunk.json.find(unwanted, at)) chunk.json[at] = ' ';
  }
  auto event = open(chunk.json, "a chunk");
  if (!event.ok()) return std::move(event.error());
  const auto choices = member<array>(*event, "choices");
  chunk.usage = usage_of(*event);
  if (!choices) {
    element other;
    const bool absent = (*event)["choices"].get(other) != simdjson::SUCCESS || other.is_null();
    if (!absent) return not_understood("a chunk's choices are no list");
    if (text_member(*event, "object") == "error" || text_member(*event, "type") == "error") {
      return told_inside(chunk.json);
    }
    // A ping, or another event of the server's own, that clients of OpenAI's do not know.
    if (!chunk.usage.known) return ChatChunk();
    return chunk;
  }
  for (const element entry : *choices) {
    object choice;
    if (entry.get(choice) != simdjson::SUCCESS) return not_understood("a choice is no object");
    chunk.token = chunk.token || has_token(choice);
    if (text_member(choice, "finish_reason").empty()) continue;
    chunk.finish = true;
    if (unfinished != nullptr)
      unfinished->erase(member<std::uint64_t>(choice, "index").value_or(0));
  }
  return chunk;
}

Result<ChatChunk> chunk_of_reply(std::string_view body) {
  auto whole = read_reply(padded(body));
  if (!whole.ok()) return std::move(whole.error());
  auto parsed = parse_mended(body);
  if (!parsed.ok()) return std::move(parsed.error());
  Json& tree = *parsed;
  tree["object"] = "chat.completion.chunk";
  for (auto& choice : tree["choices"]) {
    if (!choice.is_object() || !choice.contains("message")) {
      return not_understood("a choice has no message");
    }
    Json delta = std::move(choice["message"]);
    choice.erase("message");
    if (delta.is_object() && delta.contains("tool_calls") && delta["tool_calls"].is_array()) {
      std::size_t index = 0;
      for (auto& call : delta["tool_calls"]) {
        if (call.is_object() && !call.contains("index")) call["index"] = index;
        ++index;
      }
    }
    choice["delta"] = std::move(delta);
  }
  return read_chunk(dump(tree));
}

std::string embed_body(const EmbedRequest& request, const std::string& model) {
  std::string out = R"({"model":)";
  append_json_string(out, model);
  // Base64 would be shorter, but not every server that speaks this knows it.
  out += R"(,"encoding_format":"float")";
  if (request.dimensions > 0) out += ",\"dimensions\":" + std::to_string(request.dimensions);
  out += ",\"input\":[";
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, request.texts[i]);
  }
  out += "]}";
  return out;
}

Result<Embeddings> read_embeddings(std::string_view body) {
  std::string text = padded(body);
  auto reply = open(text, "the embeddings");
  if (!reply.ok()) return std::move(reply.error());
  const auto data = member<array>(*reply, "data");
  if (!data) return not_understood("the embeddings have no data");
  Embeddings out;
  out.vectors.resize(data->size());
  std::size_t at = 0;
  for (const element entry : *data) {
    object one;
    element values;
    if (entry.get(one) != simdjson::SUCCESS || one["embedding"].get(values) != simdjson::SUCCESS) {
      return not_understood("an entry holds no embedding");
    }
    const auto index = member<std::uint64_t>(one, "index").value_or(at++);
    if (index >= out.vectors.size() || !out.vectors[index].empty()) {
      return not_understood("an embedding's index is out of range or comes twice");
    }
    auto vector = read_vector(values);
    if (!vector.ok()) return std::move(vector.error());
    if (vector->empty()) return not_understood("an embedding is empty");
    out.vectors[index] = std::move(*vector);
  }
  out.tokens = usage_of(*reply).prompt;
  return out;
}

Result<std::vector<ModelInfo>> read_models(std::string_view body, const std::string& provider) {
  std::string text = padded(body);
  auto reply = open(text, "the list of models");
  if (!reply.ok()) return std::move(reply.error());
  const auto data = member<array>(*reply, "data");
  if (!data) return not_understood("the list of models has no data");
  std::vector<ModelInfo> out;
  for (const element entry : *data) {
    object model;
    if (entry.get(model) != simdjson::SUCCESS) continue;
    ModelInfo info;
    info.id = text_member(model, "id");
    info.provider = provider;
    // OpenAI says nothing; OpenRouter, vLLM and llama-server say it each in a member of their own.
    for (const std::string_view name : {"context_length", "max_model_len", "context_window"}) {
      if (info.context == 0) info.context = member<std::uint64_t>(model, name).value_or(0);
    }
    const auto meta = member<object>(model, "meta");
    if (info.context == 0 && meta) {
      info.context = member<std::uint64_t>(*meta, "n_ctx_train").value_or(0);
    }
    info.task = task_of(text_member(model, "task"));
    if (!info.id.empty()) out.push_back(std::move(info));
  }
  return out;
}

}  // namespace mainstay::models::openai
