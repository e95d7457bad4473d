// Schemas of POST /v1/voice.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kVoice = R"json({
"VoiceUpload": {"type":"object","properties":{
  "file":{"type":"string","format":"binary","description":"The spoken question; or text"},
  "text":{"type":"string"},"conversation_id":{"type":"string"},"model":{"type":"string"},
  "collection":{"type":"string"},"voice":{"type":"string"},
  "format":{"type":"string","enum":["mp3","wav","opus","aac","pcm"]},"speed":{"type":"number"},
  "language":{"type":"string"},"hearing_model":{"type":"string"},"speech_model":{"type":"string"},
  "speak":{"type":"string","enum":["true","false"]},
  "audio":{"type":"string","enum":["address","inline"]},
  "response":{"type":"string","enum":["json","stream"]}}},
"VoiceAudio": {"type":"object","required":["format","content_type"],"properties":{
  "format":{"type":"string"},"content_type":{"type":"string"},"sample_rate":{"type":"integer"},
  "channels":{"type":"integer"},"id":{"type":"string"},"url":{"type":"string"},
  "bytes":{"type":"integer"},"seconds":{"type":"number"},"base64":{"type":"string"}}},
"VoiceAnswer": {"type":"object","required":["object","answer","model","provider"],"properties":{
  "object":{"const":"voice.answer"},"transcript":{"type":"string"},"language":{"type":"string"},
  "answer":{"type":"string"},"citations":{"type":"array","items":{"type":"object"}},
  "model":{"type":"string"},"provider":{"type":"string"},"degraded":{"type":"boolean"},
  "conversation_id":{"type":"string"},"audio":{"$ref":"#/components/schemas/VoiceAudio"},
  "speech_error":{"type":"object"}}}
})json";

}  // namespace

const char* voice_schemas() {
  return kVoice;
}

}  // namespace mainstay::api
