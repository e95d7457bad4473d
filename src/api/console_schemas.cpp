// Schemas of the endpoints that the console is made of.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kConsole = R"json({
"KeyLimits": {"type":"object","additionalProperties":false,"properties":{
  "requests_per_minute":{"type":"integer"},"burst":{"type":"integer"},
  "concurrent":{"type":"integer"},"queued":{"type":"integer"},
  "tokens_per_minute":{"type":"integer"},"tokens_per_day":{"type":"integer"}}},
"Caller": {"type":"object","required":["object","user","tenant","how","key","scopes","most_urgent",
  "may","limits","serves","version","server_time"],"properties":{
  "object":{"const":"caller"},"user":{"type":"string"},"tenant":{"type":"string"},
  "how":{"type":"string","enum":["local","key","token","admin_key"]},
  "key":{"type":["string","null"]},"scopes":{"type":"array","items":{"type":"string"}},
  "most_urgent":{"type":"string"},
  "may":{"type":"object","required":["chat","jobs","knowledge","look","change"],"properties":{
    "chat":{"type":"boolean"},"jobs":{"type":"boolean"},"knowledge":{"type":"boolean"},
    "look":{"type":"boolean"},"change":{"type":"boolean"}}},
  "limits":{"$ref":"#/components/schemas/KeyLimits"},
  "serves":{"type":"object","required":["api","admin"],"properties":{
    "api":{"type":"boolean"},"admin":{"type":"boolean"}}},
  "version":{"type":"string"},"server_time":{"type":"integer"}}},
"ConversationChange": {"type":"object","required":["title"],"additionalProperties":false,
  "properties":{"title":{"type":"string","minLength":1,"maxLength":200}}},
"KeyRequest": {"type":"object","required":["name"],"additionalProperties":false,"properties":{
  "name":{"type":"string","minLength":1,"maxLength":128},
  "scopes":{"type":"array","items":{"type":"string",
    "enum":["chat","jobs","knowledge","admin","admin:read"]}},
  "user":{"type":"string"},"tenant":{"type":"string"},
  "expires_in_seconds":{"type":"integer","minimum":0},
  "most_urgent":{"type":"string","enum":["voice","interactive","batch","background"]},
  "limits":{"$ref":"#/components/schemas/KeyLimits"}}},
"Key": {"type":"object","required":["id","object","prefix","name","state","scopes","tenant","user",
  "most_urgent","created_at","expires_at","last_used_at","revoked_at","limits"],"properties":{
  "id":{"type":"string"},"object":{"const":"key"},"prefix":{"type":"string"},
  "name":{"type":"string"},"state":{"type":"string","enum":["active","expired","revoked"]},
  "scopes":{"type":"array","items":{"type":"string"}},"tenant":{"type":"string"},
  "user":{"type":"string"},"most_urgent":{"type":"string"},"created_at":{"type":"integer"},
  "expires_at":{"type":["integer","null"]},"last_used_at":{"type":["integer","null"]},
  "revoked_at":{"type":["integer","null"]},"limits":{"$ref":"#/components/schemas/KeyLimits"},
  "key":{"type":"string","description":"The key itself, shown once"}}},
"KeyList": {"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Key"}}}},
"History": {"type":"object",
  "required":["object","step_seconds","times","series","units","has_more","now"],"properties":{
  "object":{"const":"history"},"step_seconds":{"type":"integer"},
  "times":{"type":"array","items":{"type":"integer"}},
  "series":{"type":"object","description":"By column: one figure or null for each of times"},
  "units":{"type":"object","description":"By column, of all there are"},
  "has_more":{"type":"boolean"},"now":{"type":"integer"}}},
"LogLine": {"type":"object","required":["number","level","line"],"properties":{
  "number":{"type":"integer"},"level":{"type":"string","enum":["debug","info","warn","error"]},
  "line":{"type":"string"}}},
"LogLines": {"type":"object",
  "required":["object","format","kept","first","next","dropped","data","has_more"],"properties":{
  "object":{"const":"list"},"format":{"type":"string","enum":["json","text"]},
  "kept":{"type":"boolean"},"first":{"type":"integer"},"next":{"type":"integer"},
  "dropped":{"type":"integer"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/LogLine"}}}},
"DoctorReport": {"type":"object",
  "required":["ok","version","profile","machine","checks","age_seconds","took_ms"],"properties":{
  "ok":{"type":"boolean"},"version":{"type":"string"},"profile":{"type":"string"},
  "machine":{"type":"object"},"age_seconds":{"type":"integer"},"took_ms":{"type":"integer"},
  "checks":{"type":"array","items":{"type":"object","required":["check","state","says","fix"],
    "properties":{"check":{"type":"string"},
    "state":{"type":"string","enum":["ok","warning","bad"]},"says":{"type":"string"},
    "fix":{"type":"string"}}}}}}
})json";

}  // namespace

const char* console_schemas() {
  return kConsole;
}

}  // namespace mainstay::api
