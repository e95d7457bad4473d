// Schemas of files and batches.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kFiles = R"json({
"FileUpload": {"type":"object","required":["file","purpose"],"properties":{
  "file":{"type":"string","format":"binary"},
  "purpose":{"type":"string","enum":["batch","assistants","fine-tune","vision","user_data","evals",
    "ingest"]},
  "expires_after[anchor]":{"const":"created_at"},
  "expires_after[seconds]":{"type":"integer","minimum":3600,"maximum":2592000}}},
"ImagesUpload": {"type":"object","properties":{
  "images":{"type":"array","items":{"type":"string","format":"binary"}},
  "operations":{"type":"object","additionalProperties":false,"properties":{
    "width":{"type":"integer","minimum":1,"maximum":65535},
    "height":{"type":"integer","minimum":1,"maximum":65535},
    "fit":{"type":"string","enum":["inside","cover","fill"]},
    "enlarge":{"type":"boolean"},
    "format":{"type":"string","enum":["jpeg","png","webp"]},
    "quality":{"type":"integer","minimum":1,"maximum":100},
    "strip":{"type":"boolean"}}}}},
"File": {"type":"object","required":["id","object","bytes","created_at","filename","purpose","status"],
  "properties":{"id":{"type":"string"},"object":{"const":"file"},"bytes":{"type":"integer"},
  "created_at":{"type":"integer"},"expires_at":{"type":["integer","null"]},
  "filename":{"type":"string"},"purpose":{"type":"string"},"status":{"const":"processed"}}},
"UploadRequest": {"type":"object","required":["filename","bytes","mime_type","purpose"],
  "additionalProperties":false,"properties":{
  "filename":{"type":"string","minLength":1},"bytes":{"type":"integer","minimum":1},
  "mime_type":{"type":"string","minLength":1},
  "purpose":{"type":"string","enum":["batch","assistants","fine-tune","vision","user_data","evals",
    "ingest"]},
  "expires_after":{"type":"object","required":["anchor","seconds"],"properties":{
    "anchor":{"const":"created_at"},
    "seconds":{"type":"integer","minimum":3600,"maximum":2592000}}}}},
"UploadPartForm": {"type":"object","required":["data"],"properties":{
  "data":{"type":"string","format":"binary"},
  "sha256":{"type":"string","description":"Of the part, in hexadecimal; compared when given"}}},
"UploadCompletion": {"type":"object","required":["part_ids"],"additionalProperties":false,
  "properties":{"part_ids":{"type":"array","minItems":1,"items":{"type":"string"}},
  "md5":{"type":"string","description":"Of the whole file; compared when given"}}},
"UploadPart": {"type":"object","required":["id","object","upload_id","created_at","bytes","sha256"],
  "properties":{"id":{"type":"string"},"object":{"const":"upload.part"},
  "upload_id":{"type":"string"},"created_at":{"type":"integer"},"bytes":{"type":"integer"},
  "sha256":{"type":"string"}}},
"Upload": {"type":"object","required":["id","object","bytes","created_at","expires_at","filename",
  "purpose","status","bytes_received"],"properties":{"id":{"type":"string"},
  "object":{"const":"upload"},"bytes":{"type":"integer"},"created_at":{"type":"integer"},
  "expires_at":{"type":"integer"},"filename":{"type":"string"},"purpose":{"type":"string"},
  "mime_type":{"type":"string"},
  "status":{"type":"string","enum":["pending","completed","cancelled"]},
  "bytes_received":{"type":"integer"},
  "file":{"oneOf":[{"$ref":"#/components/schemas/File"},{"type":"null"}]},
  "parts":{"type":"array","items":{"$ref":"#/components/schemas/UploadPart"}}}},
"UploadList": {"type":"object","required":["object","data"],"properties":{
  "object":{"const":"list"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Upload"}}}},
"FileList": {"type":"object","required":["object","data","has_more","first_id","last_id"],
  "properties":{"object":{"const":"list"},"has_more":{"type":"boolean"},
  "first_id":{"type":["string","null"]},"last_id":{"type":["string","null"]},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/File"}}}},
"BatchRequest": {"type":"object","required":["input_file_id","endpoint","completion_window"],
  "additionalProperties":false,"properties":{
  "input_file_id":{"type":"string"},"endpoint":{"const":"/v1/chat/completions"},
  "completion_window":{"const":"24h"},
  "output_expires_after":{"type":["object","null"],"required":["anchor","seconds"],"properties":{
  "anchor":{"const":"created_at"},"seconds":{"type":"integer","minimum":3600,"maximum":2592000}}},
  "metadata":{"type":["object","null"],"additionalProperties":{"type":"string"}}}},
"Batch": {"type":"object","required":["id","object","endpoint","input_file_id","completion_window",
  "status","created_at","request_counts"],"properties":{
  "id":{"type":"string"},"object":{"const":"batch"},"endpoint":{"type":"string"},
  "errors":{"type":["object","null"],"properties":{"object":{"const":"list"},
    "data":{"type":"array","items":{"type":"object","properties":{
      "code":{"type":"string"},"line":{"type":["integer","null"]},"message":{"type":"string"},
      "param":{"type":["string","null"]}}}}}},
  "input_file_id":{"type":"string"},"completion_window":{"type":"string"},
  "status":{"type":"string","enum":["validating","failed","in_progress","finalizing","completed",
    "expired","cancelling","cancelled"]},
  "output_file_id":{"type":["string","null"]},"error_file_id":{"type":["string","null"]},
  "created_at":{"type":"integer"},"in_progress_at":{"type":["integer","null"]},
  "expires_at":{"type":["integer","null"]},"finalizing_at":{"type":["integer","null"]},
  "completed_at":{"type":["integer","null"]},"failed_at":{"type":["integer","null"]},
  "expired_at":{"type":["integer","null"]},"cancelling_at":{"type":["integer","null"]},
  "cancelled_at":{"type":["integer","null"]},
  "request_counts":{"type":"object","required":["total","completed","failed"],"properties":{
    "total":{"type":"integer"},"completed":{"type":"integer"},"failed":{"type":"integer"}}},
  "metadata":{"type":["object","null"],"additionalProperties":{"type":"string"}}}},
"BatchList": {"type":"object","required":["object","data","has_more","first_id","last_id"],
  "properties":{"object":{"const":"list"},"has_more":{"type":"boolean"},
  "first_id":{"type":["string","null"]},"last_id":{"type":["string","null"]},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/Batch"}}}}
})json";

}  // namespace

const char* file_schemas() {
  return kFiles;
}

}  // namespace mainstay::api
