// Schemas of the audio endpoints.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kAudio = R"json({
"TranscriptionUpload": {"type":"object","required":["file"],"properties":{
  "file":{"type":"string","format":"binary"},"model":{"type":"string","maxLength":256},
  "language":{"type":"string"},"prompt":{"type":"string"},
  "response_format":{"type":"string","enum":["json","text","srt","verbose_json","vtt"]},
  "temperature":{"type":"number","minimum":0,"maximum":1},
  "timestamp_granularities[]":{"type":"array","items":{"type":"string","enum":["word","segment"]}},
  "include[]":{"type":"array","items":{"type":"string","enum":["logprobs"]}},
  "chunking_strategy":{"type":"string"},"stream":{"type":"boolean"}}},
"Transcription": {"type":"object","required":["text"],"properties":{
  "text":{"type":"string"},"task":{"type":"string"},"language":{"type":"string"},
  "duration":{"type":"number"},
  "segments":{"type":"array","items":{"type":"object","properties":{
    "id":{"type":"integer"},"start":{"type":"number"},"end":{"type":"number"},
    "text":{"type":"string"}}}},
  "words":{"type":"array","items":{"type":"object","properties":{
    "word":{"type":"string"},"start":{"type":"number"},"end":{"type":"number"}}}},
  "logprobs":{"type":"array","items":{"type":"object"}},"usage":{"type":"object"}}},
"SpeechRequest": {"type":"object","required":["input"],"additionalProperties":false,"properties":{
  "model":{"type":"string","maxLength":256},"input":{"type":"string","minLength":1},
  "voice":{"oneOf":[{"type":"string"},{"type":"object","properties":{"id":{"type":"string"}}}]},
  "response_format":{"type":"string","enum":["mp3","opus","aac","flac","wav","pcm"]},
  "speed":{"type":"number","minimum":0.25,"maximum":4},
  "instructions":{"type":"string"},"language":{"type":"string"},
  "stream_format":{"type":"string","enum":["audio","sse","file"]}}},
"KeptAudio": {"type":"object","required":["object","content_type","bytes"],"properties":{
  "id":{"type":"string"},"object":{"const":"audio"},"url":{"type":"string"},
  "content_type":{"type":"string"},"bytes":{"type":"integer"},"created_at":{"type":"integer"},
  "expires_at":{"type":"integer"},"audio":{"type":"string","contentEncoding":"base64"}}},
"VoiceList": {"type":"object","required":["object","data","voices"],"properties":{
  "object":{"const":"list"},
  "data":{"type":"array","items":{"type":"object","required":["id","object","name","provider"],
    "properties":{"id":{"type":"string"},"object":{"const":"voice"},"name":{"type":"string"},
    "language":{"type":"string"},"gender":{"type":"string"},"provider":{"type":"string"},
    "model":{"type":"string"}}}},
  "voices":{"type":"array","items":{"type":"object"}}}}
})json";

}  // namespace

const char* audio_schemas() {
  return kAudio;
}

}  // namespace mainstay::api
