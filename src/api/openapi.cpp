// GET /openapi.json: written from the route table, once.
#include "api/openapi_schemas.h"
#include "api/routes.h"
#include "base/version.h"

namespace mainstay::api {
namespace {

Json reference_to(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

Json json_content(std::string_view schema) {
  return {{"application/json", {{"schema", reference_to(schema)}}}};
}

/// What single routes answer beside, or in the place of, JSON.
void add_own_replies(const Route& route, const Json& success, Json& out) {
  if (route.operation == "updateDocument") {
    out["responses"]["202"] = {{"description", "A large document: the job makes the change"},
                               {"content", json_content("Document")}};
  }
  if (route.operation == "documentThumbnail") {
    out["responses"]["200"]["content"] = {
        {"image/jpeg", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}};
  }
  if (route.operation == "submitJob") {
    out["responses"]["200"] = success;
    out["responses"]["200"]["description"] = "The Idempotency-Key was used before";
  }
  if (route.operation == "jobEvents") {
    out["responses"]["200"]["content"] = {
        {"text/event-stream", {{"schema", {{"type", "string"}}}}}};
    out["responses"]["204"] = {{"description", "Last-Event-ID is the end: there is no more"}};
  }
  if (route.operation == "liveFigures") {
    out["responses"]["200"]["content"] = {
        {"text/event-stream", {{"schema", {{"type", "string"}}}}}};
  }
  if (route.operation == "console") {
    out["responses"]["200"]["content"] = {{"text/html", {{"schema", {{"type", "string"}}}}}};
  }
  if (route.operation == "fileContent") {
    out["responses"]["200"]["content"] = {
        {"application/octet-stream", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}};
  }
  if (route.operation == "createSpeech" || route.operation == "audioContent") {
    out["responses"]["200"]["content"]["audio/mpeg"] = {
        {"schema", {{"type", "string"}, {"format", "binary"}}}};
  }
  if (route.operation == "voiceTurn") {
    const Json sound = {{"schema", {{"type", "string"}, {"format", "binary"}}}};
    out["requestBody"]["content"]["audio/wav"] = sound;
    Json& content = out["responses"]["200"]["content"];
    content = json_content("VoiceAnswer");
    content["text/event-stream"] = {{"schema", {{"type", "string"}}}};
    content["audio/mpeg"] = sound;
  }
  if (route.operation == "makeImages") {
    out["responses"]["200"]["content"] = {
        {"multipart/mixed", {{"schema", {{"type", "string"}, {"format", "binary"}}}}},
        {"application/x-ndjson", {{"schema", {{"type", "string"}}}}}};
  }
  if (route.operation == "ready") {
    out["responses"]["503"] = {{"description", "Not ready"},
                               {"content", json_content("Readiness")}};
  }
}

Json operation_of(const Route& route) {
  Json out = {{"operationId", route.operation}, {"summary", route.summary}};
  if (route.access == Access::open) out["security"] = Json::array();
  if (route.path.find('{') != std::string_view::npos) {
    out["parameters"] = Json::array(
        {{{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}});
  }
  if (route.method == "POST") {
    out["parameters"].push_back(
        Json{{"name", "Idempotency-Key"},
             {"in", "header"},
             {"description", "The same request with the same key is carried out once"},
             {"schema", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}}});
  }
  if (route.operation == "analyzeText") {
    Json content = json_content(route.request);
    content["text/plain"] = {{"schema", {{"type", "string"}}}};
    content["multipart/form-data"] = {{"schema", reference_to("AnalyzeUpload")}};
    out["requestBody"] = {{"required", true}, {"content", std::move(content)}};
  } else if (route.operation == "addDocument" || route.operation == "replaceDocument") {
    Json content = json_content(route.request);
    content["multipart/form-data"] = {{"schema", reference_to("DocumentUpload")}};
    out["requestBody"] = {{"required", true}, {"content", std::move(content)}};
  } else if (route.streams_body) {
    out["requestBody"] = {
        {"required", true},
        {"content", {{"multipart/form-data", {{"schema", reference_to(route.request)}}}}}};
  } else if (!route.request.empty()) {
    out["requestBody"] = {{"required", true}, {"content", json_content(route.request)}};
  }
  Json success = {{"description", "Success"}};
  if (!route.response.empty()) success["content"] = json_content(route.response);
  out["responses"][std::to_string(route.status)] = success;
  if (route.status == 201) {
    out["responses"]["200"] = success;
    out["responses"]["200"]["description"] = "The same content was there already";
    out["responses"]["202"] = {{"description", "The file is kept; a job reads it"},
                               {"content", json_content("DocumentAccepted")}};
  }
  add_own_replies(route, success, out);
  out["responses"]["default"] = {{"description", "Error"}, {"content", json_content("Error")}};
  return out;
}

std::string lower(std::string_view method) {
  std::string out(method);
  for (char& c : out) c = static_cast<char>(c + 32);
  return out;
}

std::string build() {
  Json doc = {{"openapi", "3.1.0"},
              {"info",
               {{"title", "Mainstay"},
                {"version", version()},
                {"description", "The engine that keeps AI assistants standing."}}},
              {"paths", Json::object()}};
  for (const auto& route : routes()) {
    doc["paths"][std::string(route.path)][lower(route.method)] = operation_of(route);
  }
  doc["components"]["schemas"] = openapi_schemas();
  doc["components"]["securitySchemes"] = {
      {"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
      {"apiKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}}};
  doc["security"] = Json::array({{{"bearer", Json::array()}}, {{"apiKey", Json::array()}}});
  return dump(doc);
}

}  // namespace

Co<Status> openapi_json(const Rooms&, Context& context) {
  static const std::string text = build();
  auto sent = co_await reply_json(context, 200, text);
  co_return sent;
}

}  // namespace mainstay::api
