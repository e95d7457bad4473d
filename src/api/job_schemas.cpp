// Schemas of the job endpoints.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kJobs = R"json({
"JobRequest": {"type":"object","required":["kind"],"additionalProperties":false,"properties":{
  "kind":{"type":"string","description":"chat, ingest, cleanup"},
  "input":{"type":"object","description":"What the kind takes"},
  "priority":{"type":"string","enum":["voice","interactive","batch","background"]},
  "client":{"type":"string","description":"Which of the user's clients the events are for"},
  "run_at":{"type":"number","description":"Seconds since 1970"},
  "delay":{"type":"number","description":"Seconds from now; not beside run_at"},
  "expires":{"type":"number","description":"Seconds since 1970; no attempt begins later"},
  "expires_in":{"type":"number","description":"Seconds from now; not beside expires"},
  "repeat_every":{"type":"integer","minimum":1,"description":"Seconds between two occurrences"},
  "attempts_max":{"type":"integer","minimum":1},
  "webhook":{"type":"object","required":["url"],"additionalProperties":false,"properties":{
    "url":{"type":"string"}}}}},
"JobSubmitted": {"type":"object","required":["id","object","kind","state","existed","waiting"],
  "properties":{"id":{"type":"string"},"object":{"const":"job"},"kind":{"type":"string"},
  "state":{"$ref":"#/components/schemas/JobState"},
  "existed":{"type":"boolean","description":"The Idempotency-Key was used before, for the same request"},
  "waiting":{"type":"integer","description":"Jobs of this user that wait, this one included"}}},
"JobState": {"type":"string",
  "enum":["scheduled","queued","running","succeeded","dead","cancelled","expired"]},
"JobFailure": {"type":["object","null"],"required":["code","message"],"properties":{
  "code":{"type":"string"},"message":{"type":["string","null"]}}},
"JobRow": {"type":"object","required":["id","object","kind","state","priority","attempts",
  "attempts_max","created_at","finished_at","error"],"properties":{
  "id":{"type":"string"},"object":{"const":"job"},"kind":{"type":"string"},
  "state":{"$ref":"#/components/schemas/JobState"},
  "priority":{"type":"string","enum":["voice","interactive","batch","background"]},
  "client":{"type":["string","null"]},"batch":{"type":["string","null"]},
  "attempts":{"type":"integer"},"attempts_max":{"type":"integer"},
  "created_at":{"type":"integer"},"run_at":{"type":["integer","null"]},
  "expires_at":{"type":["integer","null"]},"started_at":{"type":["integer","null"]},
  "finished_at":{"type":["integer","null"]},"repeat_every":{"type":["integer","null"]},
  "next":{"type":["string","null"],"description":"Id of the next occurrence, once this one has ended"},
  "error":{"$ref":"#/components/schemas/JobFailure"}}},
"Job": {"type":"object","required":["id","object","kind","state","priority","attempts",
  "attempts_max","created_at","finished_at","error","input","result"],"properties":{
  "id":{"type":"string"},"object":{"const":"job"},"kind":{"type":"string"},
  "state":{"$ref":"#/components/schemas/JobState"},
  "priority":{"type":"string","enum":["voice","interactive","batch","background"]},
  "client":{"type":["string","null"]},"batch":{"type":["string","null"]},
  "attempts":{"type":"integer"},"attempts_max":{"type":"integer"},
  "created_at":{"type":"integer"},"run_at":{"type":["integer","null"]},
  "expires_at":{"type":["integer","null"]},"started_at":{"type":["integer","null"]},
  "finished_at":{"type":["integer","null"]},"repeat_every":{"type":["integer","null"]},
  "next":{"type":["string","null"],"description":"Id of the next occurrence, once this one has ended"},
  "error":{"$ref":"#/components/schemas/JobFailure"},
  "webhook":{"type":["object","null"],"properties":{"url":{"type":"string"}}},
  "input":{"type":["object","null"],"additionalProperties":true},
  "result":{"type":["object","null"],"additionalProperties":true}}},
"JobList": {"type":"object","required":["object","data","has_more"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/JobRow"}}}},
"JobDeleted": {"type":"object","required":["id","object","deleted","cancelled"],"properties":{
  "id":{"type":"string"},"object":{"const":"job.deleted"},
  "deleted":{"type":"boolean","description":"It had ended and is forgotten"},
  "cancelled":{"type":"boolean","description":"It had not ended and was cancelled"}}},
"AnyJobRow": {"type":"object","required":["id","object","kind","state","tenant","user"],"properties":{
  "id":{"type":"string"},"object":{"const":"job"},"kind":{"type":"string"},
  "state":{"$ref":"#/components/schemas/JobState"},"priority":{"type":"string"},
  "client":{"type":["string","null"]},"batch":{"type":["string","null"]},
  "attempts":{"type":"integer"},"attempts_max":{"type":"integer"},
  "created_at":{"type":"integer"},"run_at":{"type":["integer","null"]},
  "expires_at":{"type":["integer","null"]},"started_at":{"type":["integer","null"]},
  "finished_at":{"type":["integer","null"]},"repeat_every":{"type":["integer","null"]},
  "next":{"type":["string","null"],"description":"Id of the next occurrence, once this one has ended"},
  "error":{"$ref":"#/components/schemas/JobFailure"},
  "tenant":{"type":"string"},"user":{"type":"string"},"worker":{"type":["string","null"]}}},
"AnyJob": {"type":"object","required":["id","object","kind","state","tenant","user","input","result"],
  "properties":{"id":{"type":"string"},"object":{"const":"job"},"kind":{"type":"string"},
  "state":{"$ref":"#/components/schemas/JobState"},"priority":{"type":"string"},
  "client":{"type":["string","null"]},"batch":{"type":["string","null"]},
  "attempts":{"type":"integer"},"attempts_max":{"type":"integer"},
  "created_at":{"type":"integer"},"run_at":{"type":["integer","null"]},
  "expires_at":{"type":["integer","null"]},"started_at":{"type":["integer","null"]},
  "finished_at":{"type":["integer","null"]},"repeat_every":{"type":["integer","null"]},
  "next":{"type":["string","null"],"description":"Id of the next occurrence, once this one has ended"},
  "error":{"$ref":"#/components/schemas/JobFailure"},
  "tenant":{"type":"string"},"user":{"type":"string"},"worker":{"type":["string","null"]},
  "webhook":{"type":["object","null"],"properties":{"url":{"type":"string"}}},
  "input":{"type":["object","null"],"additionalProperties":true},
  "result":{"type":["object","null"],"additionalProperties":true}}},
"JobWorker": {"type":"object","required":["name","slots","busy","running"],"properties":{
  "name":{"type":"string"},"slots":{"type":"integer"},"busy":{"type":"integer"},
  "claimed":{"type":"integer"},"succeeded":{"type":"integer"},"failed":{"type":"integer"},
  "timed_out":{"type":"integer"},"cancelled":{"type":"integer"},"stale":{"type":"integer"},
  "given_back":{"type":"integer"},"threw":{"type":"integer"},
  "running":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},
    "kind":{"type":"string"},"attempt":{"type":"integer"},"started_at":{"type":"string"}}}}}},
"JobStats": {"type":"object","required":["object","data","has_more","dead","depth","shedding",
  "drained_per_second","classes","totals","workers","timestamp"],"properties":{
  "object":{"const":"list"},"has_more":{"type":"boolean"},
  "everybody":{"type":"boolean","description":"Not of one user alone"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/AnyJobRow"}},
  "dead":{"type":"array","items":{"$ref":"#/components/schemas/AnyJobRow"}},
  "depth":{"type":"integer"},"shedding":{"type":"boolean"},"drained_per_second":{"type":"number"},
  "classes":{"type":"array","items":{"type":"object","properties":{"class":{"type":"string"},
    "states":{"type":"object"},"oldest_ready_seconds":{"type":"number"}}}},
  "totals":{"type":"object"},
  "workers":{"type":"array","items":{"$ref":"#/components/schemas/JobWorker"}},
  "timestamp":{"type":"string"}}}
})json";

}  // namespace

const char* job_schemas() {
  return kJobs;
}

}  // namespace mainstay::api
