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

Json operation_of(const Route& route) {
  Json out = {{"operationId", route.operation}, {"summary", route.summary}};
  if (route.access == Access::open) out["security"] = Json::array();
  if (route.path.find('{') != std::string_view::npos) {
    out["parameters"] = Json::array(
        {{{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}});
  }
  if (!route.request.empty()) {
    out["requestBody"] = {{"required", true}, {"content", json_content(route.request)}};
  }
  Json success = {{"description", "Success"}};
  if (!route.response.empty()) success["content"] = json_content(route.response);
  out["responses"][std::to_string(route.status)] = success;
  if (route.status == 201) {
    out["responses"]["200"] = success;
    out["responses"]["200"]["description"] = "The same content was there already";
  }
  if (route.operation == "ready") {
    out["responses"]["503"] = {{"description", "Not ready"},
                               {"content", json_content("Readiness")}};
  }
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
