// The schemas, written as JSON text: that is how readers know them.
#include "api/openapi_schemas.h"

#include "base/check.h"

namespace mainstay::api {
namespace {

constexpr const char* kRequests = R"json({
"ChatRequest": {"type":"object","required":["messages"],"additionalProperties":true,"properties":{
  "model":{"type":"string","description":"Default: auto"},
  "messages":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/Message"}},
  "stream":{"type":"boolean"},
  "conversation":{"type":"string","description":"Id chosen by the client, or 'new'; the turn is stored under it"},
  "collection":{"type":"string","description":"Answer from this collection's documents"}}},
"Message": {"type":"object","required":["role"],"additionalProperties":true,"properties":{
  "role":{"type":"string","enum":["system","developer","user","assistant","tool","function"]},
  "content":{"type":["string","array","null"]}}},
"PromptRequest": {"type":"object","required":["prompt"],"additionalProperties":false,"properties":{
  "prompt":{"type":"string","minLength":1},"model":{"type":"string"},
  "conversation":{"type":"string"},"collection":{"type":"string"}}},
"DocumentRequest": {"type":"object","required":["text"],"additionalProperties":false,"properties":{
  "text":{"type":"string","minLength":1},"title":{"type":"string"},"source":{"type":"string"},
  "collection":{"type":"string"},"format":{"type":"string","enum":["text","markdown","html"]}}},
"SearchRequest": {"type":"object","required":["query"],"additionalProperties":false,"properties":{
  "query":{"type":"string","minLength":1},"collection":{"type":"string"},
  "limit":{"type":"integer","minimum":1}}}
})json";

constexpr const char* kReplies = R"json({
"Error": {"type":"object","required":["error"],"properties":{"error":{"type":"object",
  "required":["message","type","param","code"],"properties":{
  "message":{"type":"string"},"type":{"type":"string"},"param":{"type":["string","null"]},
  "code":{"type":"string"}}}}},
"ChatCompletion": {"type":"object","required":["choices"],"properties":{
  "id":{"type":"string"},"object":{"type":"string"},"created":{"type":"integer"},
  "model":{"type":"string"},
  "choices":{"type":"array","items":{"type":"object","required":["index","message"],"properties":{
    "index":{"type":"integer"},"message":{"$ref":"#/components/schemas/Message"},
    "finish_reason":{"type":["string","null"]}}}},
  "usage":{"type":"object"},
  "citations":{"type":"array","items":{"$ref":"#/components/schemas/Citation"}},
  "degraded":{"type":"boolean"}}},
"Position": {"type":"object","required":["start","end"],"properties":{
  "start":{"type":"integer"},"end":{"type":"integer"}}},
"Citation": {"type":"object","required":["document","title","position","text","score"],"properties":{
  "document":{"type":"string"},"title":{"type":"string"},"source":{"type":"string"},
  "position":{"$ref":"#/components/schemas/Position"},"text":{"type":"string"},
  "score":{"type":"number"}}},
"PromptReply": {"type":"object","required":["response","model","provider"],"properties":{
  "response":{"type":"string"},"model":{"type":"string"},"provider":{"type":"string"},
  "conversation":{"type":"string"},"degraded":{"type":"boolean"},
  "citations":{"type":"array","items":{"$ref":"#/components/schemas/Citation"}}}},
"Model": {"type":"object","required":["id","object","created","owned_by","loaded","state","capabilities"],
  "properties":{"id":{"type":"string"},"object":{"const":"model"},"created":{"type":"integer"},
  "owned_by":{"type":"string"},"loaded":{"type":"boolean"},"state":{"type":"string"},
  "capabilities":{"type":"array","items":{"type":"string"}},"context_window":{"type":"integer"}}},
"ModelList": {"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Model"}}}},
"Document": {"type":"object",
  "required":["id","object","collection","title","source","media_type","sha256","bytes","chunks","created_at"],
  "properties":{"id":{"type":"string"},"object":{"const":"document"},"collection":{"type":"string"},
  "title":{"type":"string"},"source":{"type":"string"},"media_type":{"type":"string"},
  "sha256":{"type":"string"},"bytes":{"type":"integer"},"chunks":{"type":"integer"},
  "created_at":{"type":"integer"},"existed":{"type":"boolean"},"replaced":{"type":"boolean"}}},
"DocumentList": {"type":"object","required":["object","data","has_more"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Document"}}}},
"Passage": {"type":"object","required":["document","title","position","text","score"],"properties":{
  "document":{"type":"string"},"collection":{"type":"string"},"title":{"type":"string"},
  "source":{"type":"string"},"heading":{"type":"string"},
  "position":{"$ref":"#/components/schemas/Position"},"text":{"type":"string"},
  "score":{"type":"number"}}},
"SearchResults": {"type":"object","required":["object","data"],"properties":{
  "object":{"const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/Passage"}}}},
"Conversation": {"type":"object",
  "required":["id","object","title","created_at","updated_at","message_count"],"properties":{
  "id":{"type":"string"},"object":{"const":"conversation"},"title":{"type":"string"},
  "created_at":{"type":"integer"},"updated_at":{"type":"integer"},"message_count":{"type":"integer"},
  "has_more":{"type":"boolean"},
  "messages":{"type":"array","items":{"$ref":"#/components/schemas/StoredMessage"}}}},
"StoredMessage": {"type":"object","required":["id","created_at","role"],"properties":{
  "id":{"type":"string"},"created_at":{"type":"integer"},
  "role":{"type":"string","enum":["user","assistant","tool","function"]},
  "content":{"type":["string","array","null"]},"name":{"type":"string"},
  "tool_calls":{"type":["array","null"]},"tool_call_id":{"type":["string","null"]},
  "function_call":{"type":["object","null"]},"refusal":{"type":["string","null"]},
  "audio":{"type":["object","null"]},"annotations":{"type":["array","null"]},
  "citations":{"type":["array","null"]},"reasoning":{},"reasoning_content":{},
  "extra_content":{}}},
"ConversationList": {"type":"object","required":["object","data","has_more"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Conversation"}}}},
"Deleted": {"type":"object","required":["id","object","deleted"],"properties":{
  "id":{"type":"string"},"object":{"type":"string"},"deleted":{"const":true}}},
"Health": {"type":"object","required":["status"],"properties":{"status":{"type":"string"}}},
"Readiness": {"type":"object","required":["status","reasons","providers"],"properties":{
  "status":{"type":"string","enum":["ready","not_ready"]},
  "reasons":{"type":"array","items":{"type":"object"}},
  "providers":{"type":"array","items":{"type":"object"}}}}
})json";

}  // namespace

Json openapi_schemas() {
  auto requests = parse_json(kRequests);
  auto replies = parse_json(kReplies);
  auto admin = parse_json(admin_schemas());
  auto jobs = parse_json(job_schemas());
  auto files = parse_json(file_schemas());
  CHECK(requests.ok() && replies.ok() && admin.ok() && jobs.ok() && files.ok());
  Json out = *requests;
  for (const auto& [name, schema] : replies->items()) out[name] = schema;
  for (const auto& [name, schema] : admin->items()) out[name] = schema;
  for (const auto& [name, schema] : jobs->items()) out[name] = schema;
  for (const auto& [name, schema] : files->items()) out[name] = schema;
  return out;
}

}  // namespace mainstay::api
