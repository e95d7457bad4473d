// The document at /openapi.json against the table it is written from.
#include <set>

#include "api/routes.h"
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct OpenApiTest : World {
  void SetUp() override {
    auto reply = serve(get("/openapi.json"));
    ASSERT_EQ(reply->status, 200);
    document = json(reply->body);
    ASSERT_TRUE(document.is_object());
  }
  /// Every "$ref" below `value`.
  static void collect(const Json& value, std::set<std::string>& into) {
    if (value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        if (key == "$ref") into.insert(inner.get<std::string>());
        collect(inner, into);
      }
    }
    if (value.is_array()) {
      for (const auto& inner : value) collect(inner, into);
    }
  }
  static std::string lower_method(const Route& route) { return lower_ascii(route.method); }
  const Json& operation(const Route& route) {
    return document["paths"][std::string(route.path)][lower_method(route)];
  }
  Json document;
};

TEST_F(OpenApiTest, every_route_is_described_and_nothing_else) {
  std::size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) operations += methods.size();
  EXPECT_EQ(operations, routes().size());
  for (const auto& route : routes()) {
    ASSERT_TRUE(document["paths"].contains(std::string(route.path))) << route.path;
    ASSERT_TRUE(document["paths"][std::string(route.path)].contains(lower_method(route)));
    EXPECT_EQ(operation(route)["operationId"], route.operation);
    EXPECT_FALSE(operation(route)["summary"].get<std::string>().empty()) << route.operation;
  }
}

TEST_F(OpenApiTest, every_reference_leads_to_a_schema) {
  std::set<std::string> references;
  collect(document, references);
  EXPECT_GE(references.size(), 15u);
  const std::string prefix = "#/components/schemas/";
  for (const auto& reference : references) {
    ASSERT_TRUE(reference.starts_with(prefix)) << reference;
    EXPECT_TRUE(document["components"]["schemas"].contains(reference.substr(prefix.size())))
        << reference;
  }
}

TEST_F(OpenApiTest, every_schema_is_referred_to) {
  std::set<std::string> references;
  collect(document, references);
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    EXPECT_TRUE(references.contains("#/components/schemas/" + name)) << name;
    EXPECT_TRUE(schema.contains("type")) << name;
    if (!schema.contains("required")) continue;
    for (const auto& required : schema["required"]) {
      EXPECT_TRUE(schema["properties"].contains(required.get<std::string>()))
          << name << " requires " << required << " but does not describe it";
    }
  }
}

TEST_F(OpenApiTest, bodies_replies_and_errors_have_the_tables_schemas) {
  for (const auto& route : routes()) {
    const Json& out = operation(route);
    EXPECT_EQ(out.contains("requestBody"), !route.request.empty()) << route.operation;
    EXPECT_TRUE(out["responses"].contains(std::to_string(route.status))) << route.operation;
    EXPECT_EQ(out["responses"]["default"]["content"]["application/json"]["schema"]["$ref"],
              "#/components/schemas/Error");
    if (!route.response.empty()) {
      EXPECT_EQ(out["responses"][std::to_string(route.status)]["content"]["application/json"]
                   ["schema"]["$ref"],
                "#/components/schemas/" + std::string(route.response))
          << route.operation;
    }
  }
}

TEST_F(OpenApiTest, ids_are_parameters_and_open_routes_need_no_key) {
  for (const auto& route : routes()) {
    const Json& out = operation(route);
    const bool has_id = route.path.find("{id}") != std::string_view::npos;
    ASSERT_EQ(out.contains("parameters"), has_id) << route.operation;
    if (has_id) {
      EXPECT_EQ(out["parameters"][0]["name"], "id");
      EXPECT_EQ(out["parameters"][0]["in"], "path");
      EXPECT_EQ(out["parameters"][0]["required"], true);
    }
    ASSERT_EQ(out.contains("security"), route.access == Access::open) << route.operation;
  }
  EXPECT_EQ(document["openapi"], "3.1.0");
  for (const auto& alternative : document["security"]) {
    for (const auto& [scheme, scopes] : alternative.items()) {
      EXPECT_TRUE(document["components"]["securitySchemes"].contains(scheme)) << scheme;
    }
  }
}

}  // namespace
}  // namespace mainstay::api
