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
  "collection":{"type":"string","description":"Answer from this collection's documents"},
  "documents":{"type":"boolean","description":"false: the built-in answerer reads no documents"}}},
"Message": {"type":"object","required":["role"],"additionalProperties":true,"properties":{
  "role":{"type":"string","enum":["system","developer","user","assistant","tool","function"]},
  "content":{"type":["string","array","null"]}}},
"PromptRequest": {"type":"object","required":["prompt"],"additionalProperties":false,"properties":{
  "prompt":{"type":"string","minLength":1},"model":{"type":"string"},
  "conversation":{"type":"string"},"collection":{"type":"string"}}},
"DocumentRequest": {"type":"object","additionalProperties":false,"properties":{
  "text":{"type":"string","minLength":1},"file_id":{"type":"string"},"file":{"type":"string"},
  "title":{"type":"string"},"source":{"type":"string"},"collection":{"type":"string"},
  "tags":{"type":"array","items":{"type":"string"}},
  "format":{"type":"string","enum":["text","markdown","html","csv","jsonl","pdf","image"]}}},
"DocumentUpload": {"type":"object","required":["file"],"properties":{
  "file":{"type":"string","format":"binary"},"title":{"type":"string"},"source":{"type":"string"},
  "collection":{"type":"string"},"tags":{"type":"string"},"format":{"type":"string"}}},
"DocumentChanges": {"type":"object","additionalProperties":false,"minProperties":1,"properties":{
  "title":{"type":"string","minLength":1},"tags":{"type":"array","items":{"type":"string"}},
  "collection":{"type":"string","minLength":1}}},
"DocumentContent": {"type":"object","additionalProperties":false,"properties":{
  "text":{"type":"string","minLength":1},"file_id":{"type":"string"},"file":{"type":"string"},
  "title":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
  "format":{"type":"string"}}},
"DocumentAccepted": {"type":"object","required":["id","object","state","job"],"properties":{
  "id":{"type":"string"},"object":{"type":"string"},"state":{"type":"string"},
  "collection":{"type":"string"},"source":{"type":"string"},"bytes":{"type":"integer"},
  "job":{"type":"string"}}},
"SearchRequest": {"type":"object","additionalProperties":false,
  "anyOf":[{"required":["query"]},{"required":["queries"]},{"required":["embedding"]},
    {"required":["embeddings"]}],"properties":{
  "queries":{"type":"array","minItems":1,"maxItems":256,"items":{"type":"string","minLength":1}},
  "embedding":{"oneOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]},
  "embeddings":{"type":"array","minItems":1,"maxItems":1024,"items":{
    "oneOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}},
  "model":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
  "query":{"type":"string","minLength":1},"collection":{"type":"string"},
  "document":{"type":"string"},"created_from":{"type":"integer"},"created_to":{"type":"integer"},
  "limit":{"type":"integer","minimum":1}}},
"CollectionRequest": {"type":"object","required":["id"],"additionalProperties":false,"properties":{
  "id":{"type":"string","minLength":1,"maxLength":128}}},
"VectorsRequest": {"type":"object","required":["passages"],"additionalProperties":false,"properties":{
  "collection":{"type":"string"},"title":{"type":"string"},"source":{"type":"string"},
  "tags":{"type":"array","items":{"type":"string"}},
  "model":{"type":"string","description":"Names the space that the vectors belong to"},
  "passages":{"type":"array","minItems":1,"maxItems":4096,"items":{"type":"object",
    "required":["embedding"],"properties":{"text":{"type":"string"},"heading":{"type":"string"},
    "embedding":{"oneOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}}}}}},
"EmbeddingRequest": {"type":"object","required":["input"],"additionalProperties":false,"properties":{
  "model":{"type":"string"},
  "input":{"oneOf":[{"type":"string","minLength":1},
    {"type":"array","minItems":1,"maxItems":2048,"items":{"type":"string","minLength":1}}]},
  "encoding_format":{"type":"string","enum":["float","base64"]},
  "dimensions":{"type":"integer","minimum":1},"user":{"type":"string"}}}
})json";

constexpr const char* kReplies = R"json({
"Error": {"type":"object","required":["error"],"properties":{"error":{"type":"object",
  "required":["message","type","param","code"],"properties":{
  "message":{"type":"string"},"type":{"type":"string"},"param":{"type":["string","null"]},
  "code":{"type":"string"}}}}},
"VectorsAdded": {"type":"object","required":["object","document","collection","model","dimensions",
  "passages","existed"],"properties":{"object":{"const":"vectors"},"document":{"type":"string"},
  "collection":{"type":"string"},"model":{"type":"string"},"dimensions":{"type":"integer"},
  "passages":{"type":"integer"},"existed":{"type":"boolean"}}},
"EmbeddingList": {"type":"object","required":["object","data","model","usage"],"properties":{
  "object":{"const":"list"},"model":{"type":"string"},
  "data":{"type":"array","items":{"type":"object","required":["object","index","embedding"],
    "properties":{"object":{"const":"embedding"},"index":{"type":"integer"},
    "embedding":{"oneOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}}}},
  "usage":{"type":"object","required":["prompt_tokens","total_tokens"],"properties":{
    "prompt_tokens":{"type":"integer"},"total_tokens":{"type":"integer"}}}}},
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
  "heading":{"type":"string"},"page":{"type":"integer"},"score":{"type":"number"}}},
"PromptReply": {"type":"object","required":["response","model","provider"],"properties":{
  "response":{"type":"string"},"model":{"type":"string"},"provider":{"type":"string"},
  "conversation":{"type":"string"},"degraded":{"type":"boolean"},
  "citations":{"type":"array","items":{"$ref":"#/components/schemas/Citation"}}}},
"Model": {"type":"object","required":["id","object","created","owned_by","loaded","state","capabilities"],
  "properties":{"id":{"type":"string"},"object":{"const":"model"},"created":{"type":"integer"},
  "owned_by":{"type":"string"},"loaded":{"type":"boolean"},"state":{"type":"string"},
  "capabilities":{"type":"array","items":{"type":"string"}},"context_window":{"type":"integer"},
  "description":{"type":"string"}}},
"ModelList": {"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Model"}}}},
"Document": {"type":"object",
  "required":["id","object","collection","title","source","media_type","sha256","bytes","chunks","created_at"],
  "properties":{"id":{"type":"string"},"object":{"const":"document"},"collection":{"type":"string"},
  "title":{"type":"string"},"source":{"type":"string"},"media_type":{"type":"string"},
  "sha256":{"type":"string"},"bytes":{"type":"integer"},"chunks":{"type":"integer"},
  "created_at":{"type":"integer"},"existed":{"type":"boolean"},"replaced":{"type":"boolean"},
  "state":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},
  "thumbnail":{"type":"string","description":"Where a small JPEG of a picture is"},
  "job":{"type":"string","description":"That makes the change, of a large document"}}},
"DocumentList": {"type":"object","required":["object","data","has_more"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Document"}}}},
"Passage": {"type":"object","required":["document","title","position","text","score"],"properties":{
  "document":{"type":"string"},"collection":{"type":"string"},"title":{"type":"string"},
  "source":{"type":"string"},"heading":{"type":"string"},
  "position":{"$ref":"#/components/schemas/Position"},"text":{"type":"string"},
  "page":{"type":"integer"},"score":{"type":"number"}}},
"Correction": {"type":"object","required":["word","instead"],"properties":{
  "word":{"type":"string"},"instead":{"type":"array","items":{"type":"string"}}}},
"SearchResults": {"type":"object","required":["object"],"properties":{
  "object":{"const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/Passage"}},
  "corrected":{"type":"array","items":{"$ref":"#/components/schemas/Correction"}},
  "results":{"type":"array","items":{"type":"object","required":["data"],"properties":{
    "query":{"type":"string"},
    "data":{"type":"array","items":{"$ref":"#/components/schemas/Passage"}},
    "corrected":{"type":"array","items":{"$ref":"#/components/schemas/Correction"}}}}}}},
"PartList": {"type":"object","required":["object","data","has_more","total"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "total":{"type":"integer","description":"Passages of the document"},
  "data":{"type":"array","items":{"type":"object","required":["number","heading","position","text"],
  "properties":{"number":{"type":"integer","description":"Its place, from 0"},
  "heading":{"type":"string"},"page":{"type":"integer"},"text":{"type":"string"},
  "position":{"type":"object","required":["start","end"],"properties":{
    "start":{"type":"integer"},"end":{"type":"integer"}}}}}}}},
"Collection": {"type":"object","required":["id","object","documents","chunks","bytes"],"properties":{
  "id":{"type":"string"},"object":{"const":"collection"},"documents":{"type":"integer"},
  "chunks":{"type":"integer"},"bytes":{"type":"integer"},"newest_at":{"type":["integer","null"]}}},
"MeaningProgress": {"type":"object","required":["state","model","serves","documents","done","share"],
  "description":"How far the vectors of the caller's documents are","properties":{
  "state":{"type":"string","enum":["whole","filling","waiting"]},
  "model":{"type":"string"},"serves":{"type":["string","null"]},
  "documents":{"type":"integer"},"done":{"type":"integer"},
  "share":{"type":"number","minimum":0,"maximum":1}}},
"ChatCancel": {"type":"object","required":["idempotency_key"],"additionalProperties":false,
  "properties":{"idempotency_key":{"type":"string","minLength":1,"maxLength":255,
  "description":"That of the chat to be stopped"}}},
"ChatCancelled": {"type":"object","required":["object","cancelled"],"properties":{
  "object":{"const":"chat.completion.cancelled"},"cancelled":{"const":true}}},
"CollectionDeleted": {"type":"object","required":["id","object","deleted","documents"],
  "properties":{"id":{"type":"string"},"object":{"type":"string"},"deleted":{"const":true},
  "documents":{"type":"integer"}}},
"CollectionList": {"type":"object","required":["object","data","meaning"],"properties":{
  "object":{"const":"list"},"meaning":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/MeaningProgress"}]},"data":{"type":"array","items":{"$ref":"#/components/schemas/Collection"}}}},
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
  "interrupted":{"type":"boolean"},"extra_content":{}}},
"ConversationList": {"type":"object","required":["object","data","has_more"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Conversation"}}}},
"Deleted": {"type":"object","required":["id","object","deleted"],"properties":{
  "id":{"type":"string"},"object":{"type":"string"},"deleted":{"const":true}}},
"Health": {"type":"object","required":["status"],"properties":{"status":{"type":"string"}}},
"Readiness": {"type":"object","required":["status","reasons","providers"],"properties":{
  "status":{"type":"string","enum":["ready","not_ready"]},
  "reasons":{"type":"array","items":{"type":"object"}},
  "providers":{"type":"array","items":{"type":"object"}},
  "hosts":{"type":"array","items":{"$ref":"#/components/schemas/HostProgress"}}}}
})json";

}  // namespace

Json openapi_schemas() {
  Json out = Json::object();
  for (const char* text :
       {kRequests, console_schemas(), kReplies, admin_schemas(), job_schemas(), file_schemas(),
        analyze_schemas(), voice_schemas(), audio_schemas(), response_schemas()}) {
    auto schemas = parse_json(text);
    CHECK(schemas.ok());
    out.update(*schemas);
  }
  return out;
}

}  // namespace mainstay::api
