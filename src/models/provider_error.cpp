// Statuses of providers and what they mean for us.
#include "models/provider_error.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kWordsMax = 500;

using namespace std::string_view_literals;

/// What providers call a request that is longer than the model's context, in small letters: OpenAI
/// and llama-server have a name for it, of others the sentence must do.
constexpr auto kTooLongNames =
    std::to_array({"context_length_exceeded"sv, "exceed_context_size_error"sv});
constexpr auto kTooLongWords = std::to_array({
    "maximum context length"sv,                // vLLM, OpenRouter
    "prompt is too long"sv,                    // Anthropic
    "exceed context limit"sv,                  // Anthropic: with the answer's tokens
    "exceeds the maximum number of tokens"sv,  // Gemini
    "exceeds the available context size"sv,    // llama-server
    "exceeds the context length"sv,            // Ollama
});

/// What servers say, in JSON and small letters, where they have nothing under a path at all; they
/// begin with it. A gateway's proxy says it with a page, or says nothing.
constexpr auto kNoPathWords = std::to_array({
    "not found"sv,  // Anthropic, Spring
    "404"sv,        // Go's mux, behind some gateways
    "page not found"sv,
    "file not found"sv,       // llama-server
    "resource not found"sv,   // Azure
    "invalid url"sv,          // OpenAI
    "unknown request url"sv,  // Groq
    "unexpected endpoint"sv,  // LM Studio
    "cannot get /"sv,         // Express
    "cannot post /"sv,
});

Error make(Errc code, std::string_view reason, std::string message, std::string words) {
  Error e = Error::say(code, reason, std::move(message));
  e.detail = std::move(words);
  return e;
}

bool has_name(const Complaint& said, std::string_view name) {
  return said.code == name || said.type == name;
}

bool is_too_long(const Complaint& said) {
  const std::string words = lower_ascii(said.words);
  return std::any_of(kTooLongNames.begin(), kTooLongNames.end(),
                     [&](auto name) { return has_name(said, name); }) ||
         std::any_of(kTooLongWords.begin(), kTooLongWords.end(),
                     [&](auto some) { return words.find(some) != std::string::npos; });
}

/// No credit is left: waiting does not help. Anthropic has no name for it.
bool is_unpaid(int status, const Complaint& said) {
  return status == 402 || has_name(said, "insufficient_quota") ||
         (status == 400 && said.words.starts_with("Your credit balance is too low"));
}

/// A 404 that is not of a model: nothing is under the path that was asked for.
bool is_of_path(const Complaint& said) {
  const std::string words = lower_ascii(trim(said.words));
  if (words.empty() || words.starts_with('<')) return true;
  if (!said.told) return words.find("model") == std::string::npos;
  const bool begins = std::any_of(kNoPathWords.begin(), kNoPathWords.end(),
                                  [&](auto some) { return words.starts_with(some); });
  // "not found: model x"; but an address may have "models" in it.
  return begins && !has_name(said, "model_not_found") && words.find("model ") == std::string::npos;
}

/// A code as text, whether the provider sends it as one or as a number.
std::string code_of(const Json& error) {
  const Json& code = field(error, "code");
  return code.is_number_integer() ? code.dump() : string_field(error, "code");
}

}  // namespace

Complaint complaint_of(std::string_view body) {
  Complaint out;
  auto parsed = parse_json(body);
  if (parsed.ok() && parsed->is_array() && !parsed->empty()) parsed = Json(parsed->front());
  if (parsed.ok() && parsed->is_object()) {
    const Json& error = field(*parsed, "error");
    out.words = error.is_string() ? error.get<std::string>() : string_field(error, "message");
    if (out.words.empty()) out.words = string_field(*parsed, "message");
    // An event of the type "error" may hold the error's members alone.
    const Json& told = error.is_object() ? error : *parsed;
    out.code = code_of(told);
    out.type = string_field(told, "type");
    out.param = string_field(told, "param");
  }
  out.told = !out.words.empty();
  if (!out.told) out.words = to_utf8(trim(body));
  out.words = std::string(cut_utf8(out.words, kWordsMax));
  return out;
}

std::string words_of(std::string_view body) {
  return complaint_of(body).words;
}

Error told_inside(std::string_view body) {
  Complaint said = complaint_of(body);
  int status = 0;
  const char* end = said.code.data() + said.code.size();
  const auto read = std::from_chars(said.code.data(), end, status);
  if (read.ec != std::errc() || read.ptr != end || status < 400 || status > 599) {
    return failed_inside(std::move(said.words));
  }
  return refused_by_provider(status, std::move(said), std::chrono::milliseconds(0));
}

Error refused_by_provider(int status, Complaint complaint, std::chrono::milliseconds retry_after) {
  const std::string& words = complaint.words;
  const std::string said = "status " + std::to_string(status) + ": " + words;
  Error e;
  if (is_unpaid(status, complaint)) {
    e = make(Errc::bad_upstream, "upstream_quota",
             "This server's account at the model provider has no credit or quota left. Check its "
             "billing.",
             said);
  } else if (status == 429) {
    e = make(Errc::over_limit, "upstream_rate_limited",
             "The model provider's own limit is reached. Try again later.", said);
  } else if (status == 401) {
    e = make(Errc::bad_upstream, "upstream_credentials",
             "The model provider refused this server's credentials. Check the provider's API key.",
             said);
  } else if (status == 403) {  // a right that is missing, a country, a firewall: its words tell
    e = make(Errc::bad_upstream, "upstream_forbidden",
             "The model provider refuses to serve this server (status 403): " + words, said);
  } else if (status == 404 && is_of_path(complaint)) {
    e = make(Errc::bad_upstream, "upstream_wrong_path",
             "The model provider has nothing at this address (status 404): base_url is probably "
             "wrong, or it does not offer this.",
             said);
  } else if (status == 404) {
    e = make(Errc::not_found, "upstream_model_unknown", "The provider does not know this model.",
             said);
  } else if (status == 503 || status == 529) {
    e = make(Errc::unavailable, "upstream_overloaded",
             "The model provider is overloaded. Try again later.", said);
  } else if (status == 408 || status == 504) {
    e = make(Errc::deadline, "upstream_timeout", "The model provider ran out of time.", said);
  } else if (status == 400 || status == 413 || status == 422) {
    const std::string quoted = "The model provider refused the request: " + words;
    e = is_too_long(complaint) ? make(Errc::invalid, "context_length_exceeded", quoted, said)
                               : make(Errc::invalid, "upstream_rejected", quoted, said);
    e.field = std::move(complaint.param);
  } else {  // 5xx, and what is between the provider and us: a wrong path (405), …
    e = make(Errc::bad_upstream, "upstream_error", "The model provider failed.", said);
  }
  e.retry_after = retry_after;
  return e;
}

Error not_understood(std::string detail) {
  return make(Errc::bad_upstream, "upstream_bad_reply",
              "The model provider answered with something that is not its protocol.",
              std::move(detail));
}

Error cut_off(std::string detail) {
  return make(Errc::bad_upstream, "upstream_truncated",
              "The model provider's answer broke off before its end.", std::move(detail));
}

Error failed_inside(std::string words) {
  return make(Errc::bad_upstream, "upstream_error", "The model provider failed.", std::move(words));
}

Error cannot(std::string message, std::string field) {
  return Error::say(Errc::unsupported, "upstream_cannot", std::move(message), std::move(field));
}

}  // namespace mainstay::models
