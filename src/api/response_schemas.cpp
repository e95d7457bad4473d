// The schemas of POST /v1/responses.
#include "api/openapi_schemas.h"

namespace mainstay::api {

const char* response_schemas() {
  return R"json({
"ResponseRequest": {"type":"object","required":["input"],"additionalProperties":true,"properties":{
  "model":{"type":"string","description":"Default: auto"},
  "input":{"oneOf":[{"type":"string"},
    {"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/ResponseItem"}}]},
  "instructions":{"type":["string","null"]},
  "stream":{"type":["boolean","null"]},
  "max_output_tokens":{"type":["integer","null"],"minimum":1},
  "reasoning":{"type":["object","null"]},"text":{"type":["object","null"]},
  "tools":{"type":["array","null"],"items":{"type":"object","required":["type","name"],"properties":{
    "type":{"const":"function"},"name":{"type":"string"},"parameters":{"type":["object","null"]}}}},
  "conversation":{"oneOf":[{"type":"string"},{"type":"null"},
    {"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}],
    "description":"Id chosen by the client, or 'new'; the turn is stored under it"},
  "collection":{"type":"string","description":"Answer from this collection's documents"},
  "documents":{"type":"boolean","description":"false: the built-in answerer reads no documents"}}},
"ResponseItem": {"type":"object","properties":{
  "type":{"type":"string","enum":["message","reasoning","function_call","function_call_output"]},
  "id":{"type":"string"},"status":{"type":"string"},"role":{"type":"string"},
  "content":{"type":["string","array","null"]},"summary":{"type":"array"},
  "call_id":{"type":"string"},"name":{"type":"string"},"arguments":{"type":"string"},
  "output":{"type":["string","array"]}}},
"Response": {"type":"object","required":["id","object","created_at","status","model","output","error",
  "incomplete_details","usage","tools","tool_choice","parallel_tool_calls"],"properties":{
  "id":{"type":"string"},"object":{"const":"response"},"created_at":{"type":"integer"},
  "completed_at":{"type":"integer"},
  "status":{"type":"string","enum":["in_progress","completed","incomplete","failed"]},
  "model":{"type":"string"},
  "output":{"type":"array","items":{"$ref":"#/components/schemas/ResponseItem"}},
  "tools":{"type":"array"},"tool_choice":{"type":["string","object"]},
  "parallel_tool_calls":{"type":"boolean"},
  "error":{"type":["object","null"]},"incomplete_details":{"type":["object","null"]},
  "usage":{"type":["object","null"]},
  "background":{"type":"boolean"},"store":{"type":"boolean"},"metadata":{"type":"object"},
  "previous_response_id":{"type":"null"},"truncation":{"type":"string"},
  "instructions":{"type":["string","null"]},"max_output_tokens":{"type":["integer","null"]},
  "temperature":{"type":["number","null"]},"top_p":{"type":["number","null"]},
  "reasoning":{"type":"object"},"text":{"type":"object"},
  "conversation":{"type":["object","null"]},
  "citations":{"type":"array","items":{"$ref":"#/components/schemas/Citation"}},
  "degraded":{"type":"boolean"}}}
})json";
}

}  // namespace mainstay::api
