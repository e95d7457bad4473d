// POST /v1/embeddings in OpenAI's shape, for any provider's embedding model.
#include <cstring>

#include <fmt/format.h>

#include "api/routes.h"
#include "base/base64.h"
#include "base/json_fields.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

/// Providers make vectors of up to some thousand numbers.
constexpr std::uint64_t kDimensionsMax = 65'536;

struct Asked {
  std::string model;
  models::EmbedRequest request;
  bool base64 = false;
  std::size_t bytes = 0;  ///< of all texts
};

Status add_text(Asked& asked, const Json& value, const std::string& field,
                const LimitSettings& limits) {
  if (!value.is_string()) {
    return Error::say(Errc::invalid, "invalid_type",
                      "'" + field + "' must be a text; arrays of tokens are not taken.", field);
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty()) {
    return Error::say(Errc::invalid, "empty_field", "'" + field + "' must not be empty.", field);
  }
  if (text.size() > limits.message_max.value) {
    return Error::say(Errc::too_large, "message_too_large",
                      "'" + field + "' is larger than limits.message_max allows.", field);
  }
  asked.bytes += text.size();
  asked.request.texts.push_back(text);
  return done();
}

Status read_input(Asked& asked, const Json& input, const Settings& settings) {
  if (!input.is_array()) return add_text(asked, input, "input", settings.limits);
  const std::size_t most = settings.embeddings.inputs_max;
  if (input.empty()) {
    return Error::say(Errc::invalid, "empty_field", "'input' must hold a text.", "input");
  }
  if (input.size() > most) {
    return Error::say(Errc::invalid, "too_many",
                      "'input' may hold at most " + std::to_string(most) + " texts.", "input");
  }
  for (std::size_t i = 0; i < input.size(); ++i) {
    auto added = add_text(asked, input[i], "input[" + std::to_string(i) + "]", settings.limits);
    if (!added.ok()) return added;
  }
  return done();
}

Result<Asked> read_request(const std::string& body, const Settings& settings) {
  auto object = object_of(body, {"model", "input", "encoding_format", "dimensions", "user"});
  if (!object.ok()) return object.error();
  Asked out;
  auto model = text_member(*object, "model", {false, 256});
  if (!model.ok()) return model.error();
  out.model = model->empty() ? settings.knowledge.embedding_model : std::move(*model);
  if (out.model.empty()) {
    return Error::say(Errc::invalid, "missing_field",
                      "'model' is required: knowledge.embedding_model names none.", "model");
  }
  auto format = text_member(*object, "encoding_format", {false, 16});
  if (!format.ok()) return format.error();
  if (!format->empty() && *format != "float" && *format != "base64") {
    return Error::say(Errc::invalid, "invalid_value", "'encoding_format' must be float or base64.",
                      "encoding_format");
  }
  out.base64 = *format == "base64";
  const Json& dimensions = field(*object, "dimensions");
  if (!dimensions.is_null()) {
    const auto wanted = count_field(*object, "dimensions");
    if (!dimensions.is_number_unsigned() || wanted < 1 || wanted > kDimensionsMax) {
      return Error::say(
          Errc::invalid, "out_of_range",
          "'dimensions' must be a whole number from 1 to " + std::to_string(kDimensionsMax) + ".",
          "dimensions");
    }
    out.request.dimensions = static_cast<std::uint32_t>(wanted);
  }
  if (!object->contains("input")) {
    return Error::say(Errc::invalid, "missing_field", "'input' is required.", "input");
  }
  auto read = read_input(out, (*object)["input"], settings);
  if (!read.ok()) return read.error();
  return out;
}

void append_vector(std::string& out, const std::vector<float>& values, bool base64) {
  if (base64) {
    std::string bytes(values.size() * sizeof(float), '\0');
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    out += '"';
    out += to_base64(bytes);
    out += '"';
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    fmt::format_to(std::back_inserter(out), "{}", values[i]);
  }
  out += ']';
}

std::string reply_of(const models::Embeddings& got, const std::string& model, bool base64,
                     std::uint64_t tokens) {
  std::string out = R"({"object":"list","data":[)";
  out.reserve(got.vectors.size() * (got.dimension * (base64 ? 6 : 12) + 64) + 256);
  for (std::size_t i = 0; i < got.vectors.size(); ++i) {
    if (i > 0) out += ',';
    fmt::format_to(std::back_inserter(out), R"({{"object":"embedding","index":{},"embedding":)", i);
    append_vector(out, got.vectors[i], base64);
    out += '}';
  }
  out += R"(],"model":)";
  append_json_string(out, model);
  fmt::format_to(std::back_inserter(out),
                 R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}}}})", tokens);
  return out;
}

}  // namespace

Co<Status> create_embeddings(const Rooms& rooms, Context& context) {
  auto body = co_await read_json_body(rooms, context);
  if (!body.ok()) co_return body.error();
  auto asked = read_request(*body, rooms.settings);
  if (!asked.ok()) co_return asked.error();
  const admission::Estimate estimate{asked->bytes, 0};
  auto reserved = rooms.admission.reserve(context.caller, context.rate, context.sender,
                                          rooms.models.limited_as(asked->model), estimate);
  if (!reserved.ok()) co_return reserved.error();
  auto permit = co_await rooms.admission.enter(context.caller, context.by);
  if (!permit.ok()) {
    reserved->settle(0);
    co_return permit.error();
  }
  std::uint64_t tokens = 0;
  for (const auto& text : asked->request.texts) tokens += estimate_tokens(text);
  asked->request.request = context.id;
  if (context.trace.span != 0) {
    asked->request.traceparent = child_of(context.trace, rooms.random).traceparent();
  }
  auto answer = co_await rooms.models.embed(std::move(asked->request), asked->model, context.by);
  if (!answer.ok()) {
    reserved->settle(0);
    co_return answer.error();
  }
  const models::Embeddings& got = *answer->embeddings;
  if (got.tokens > 0) tokens = got.tokens;
  reserved->settle(tokens);
  context.usage.prompt = tokens;
  context.usage.known = true;
  context.by_whom = std::move(answer->by);
  context.status = 200;
  net::Response response;
  add_common_headers(response.headers, context);
  add_attribution(response.headers, context, rooms.clock.now() - context.exchange.head().received);
  response.body = reply_of(got, context.by_whom.model, asked->base64, tokens);
  auto sent = co_await context.exchange.reply(std::move(response));
  co_return sent;
}

}  // namespace mainstay::api
