// Schemas of the admin endpoints and of the health pages that belong to them.
#include "api/openapi_schemas.h"

namespace mainstay::api {
namespace {

constexpr const char* kAdmin = R"json({
"MaintenanceRequest": {"type":"object","required":["enabled"],"additionalProperties":false,"properties":{
  "enabled":{"type":"boolean"},"message":{"type":"string"},
  "retry_after_seconds":{"type":"integer","minimum":1}}},
"Maintenance": {"type":"object","required":["enabled","message","retry_after_seconds","timestamp"],
  "properties":{"enabled":{"type":"boolean"},"message":{"type":"string"},
  "retry_after_seconds":{"type":"integer"},"timestamp":{"type":"string"}}},
"ResourceHealth": {"type":"object","required":["status","checks","timestamp"],"properties":{
  "status":{"type":"string","enum":["healthy","unhealthy"]},"timestamp":{"type":"string"},
  "checks":{"type":"object","required":["healthy","http_client","config_cache","cleanup_tasks"],
    "properties":{"healthy":{"type":"boolean"},"http_client":{"type":"boolean"},
    "config_cache":{"type":"boolean"},"storage":{"type":"boolean"},
    "cleanup_tasks":{"type":"integer"}}}}},
"ResourceStats": {"type":"object",
  "required":["resource_manager","config_cache","resources","timestamp"],"properties":{
  "resource_manager":{"type":"object","required":["http_clients_created","http_requests_made",
    "config_cache_hits","config_cache_misses","config_cache_hit_rate","cleanup_tasks_registered",
    "startup_time","shutdown_time","uptime_seconds"],"properties":{
    "http_clients_created":{"type":"integer"},"http_requests_made":{"type":"integer"},
    "http_connections_created":{"type":"integer"},"http_connections_reused":{"type":"integer"},
    "http_connections_open":{"type":"integer"},"http_connections_idle":{"type":"integer"},
    "http_connections_waiting":{"type":"integer"},
    "config_cache_hits":{"type":"integer"},"config_cache_misses":{"type":"integer"},
    "config_cache_hit_rate":{"type":"number"},"cleanup_tasks_registered":{"type":"integer"},
    "startup_time":{"type":"number"},"shutdown_time":{"type":["number","null"]},
    "uptime_seconds":{"type":"number"}}},
  "config_cache":{"type":"object","required":["hits","misses","hit_rate","cache_age_seconds","cached"],
    "properties":{"hits":{"type":"integer"},"misses":{"type":"integer"},
    "hit_rate":{"type":"number"},"cache_age_seconds":{"type":"number"},
    "cached":{"type":"boolean"},"version":{"type":"integer"},"reloads":{"type":"integer"},
    "failures":{"type":"integer"},"last_succeeded":{"type":"boolean"},
    "waits_for_restart":{"type":"array","items":{"type":"string"}}}},
  "resources":{"type":"object"},"timestamp":{"type":"string"}}},
"Done": {"type":"object","required":["status","message","timestamp"],"properties":{
  "status":{"const":"success"},"message":{"type":"string"},"timestamp":{"type":"string"}}},
"CleanupReport": {"type":"object",
  "required":["status","sessions_removed","cached_answers_removed","bytes_returned","timestamp"],
  "properties":{"status":{"const":"success"},"sessions_removed":{"type":"integer"},
  "cached_answers_removed":{"type":"integer"},"bytes_returned":{"type":"integer"},
  "timestamp":{"type":"string"}}},
"ReloadReport": {"type":"object","required":["status","message","version","changed",
  "restart_needed","unreachable","cache_emptied","took_ms","timestamp"],"properties":{
  "status":{"const":"success"},"message":{"type":"string"},"version":{"type":"integer"},
  "changed":{"type":"array","items":{"type":"string"}},
  "restart_needed":{"type":"array","items":{"type":"string"}},
  "unreachable":{"type":"array","items":{"type":"string"}},
  "cache_emptied":{"type":"boolean"},"took_ms":{"type":"integer"},"timestamp":{"type":"string"}}},
"EffectiveSettings": {"type":"object",
  "required":["version","file","profile","age_seconds","last_error","restart_needed","settings"],
  "properties":{"version":{"type":"integer"},"file":{"type":"string"},"profile":{"type":"string"},
  "age_seconds":{"type":"number"},"last_error":{"type":"string"},
  "restart_needed":{"type":"array","items":{"type":"string"}},
  "settings":{"type":"object","description":"By key: value, default, origin; secrets as stars"}}},
"AuditEntry": {"type":"object","required":["number","at","who","key","from","what","before","after",
  "outcome","request"],"properties":{"number":{"type":"integer"},"at":{"type":"string"},
  "who":{"type":"string"},"key":{"type":"string"},"from":{"type":"string"},
  "what":{"type":"string"},"before":{"type":"string"},"after":{"type":"string"},
  "outcome":{"type":"string"},"request":{"type":"string"}}},
"AuditList": {"type":"object","required":["object","data","total"],"properties":{
  "object":{"const":"list"},"total":{"type":"integer"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/AuditEntry"}}}},
"SlowRequest": {"type":"object","required":["id","at","method","route","status","total_ms",
  "queue_ms","first_token_ms","provider","model","stream"],"properties":{
  "id":{"type":"string"},"at":{"type":"string"},"method":{"type":"string"},
  "route":{"type":"string"},"status":{"type":"integer"},"total_ms":{"type":"integer"},
  "queue_ms":{"type":"integer"},"first_token_ms":{"type":"integer"},
  "provider":{"type":"string"},"model":{"type":"string"},"stream":{"type":"boolean"}}},
"SlowList": {"type":"object","required":["object","data","threshold_ms","total"],"properties":{
  "object":{"const":"list"},"threshold_ms":{"type":"integer"},"total":{"type":"integer"},
  "data":{"type":"array","items":{"$ref":"#/components/schemas/SlowRequest"}}}},
"Task": {"type":"object","required":["id","name","state","cancellable","why","started_at",
  "ended_at"],"properties":{"id":{"type":"string"},"name":{"type":"string"},
  "state":{"type":"string","enum":["running","cancelling","ended","cancelled","failed"]},
  "cancellable":{"type":"boolean"},"why":{"type":"string"},"started_at":{"type":"string"},
  "ended_at":{"type":["string","null"]}}},
"TaskList": {"type":"object","required":["object","data"],"properties":{
  "object":{"const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/Task"}}}},
"TaskCancelled": {"type":"object","required":["id","object","state"],"properties":{
  "id":{"type":"string"},"object":{"const":"task"},"state":{"const":"cancelling"}}},
"HostProgress": {"type":"object","required":["name","state","for_seconds","waiting","why"],
  "properties":{"name":{"type":"string"},"state":{"type":"string","enum":["stopped","waiting",
  "starting","probing","ready","stopping","failed","degraded"]},"for_seconds":{"type":"number"},
  "waiting":{"type":"integer"},"why":{"type":"string"},"again_in_seconds":{"type":"number"}}},
"Host": {"type":"object","required":["name","object","state","for_seconds","why","said","pid","port",
  "in_use","waiting","gpus","memory_bytes","gpu_memory_bytes","load_seconds","again_in_seconds",
  "starts","failures","evictions","memory_kept_bytes"],"properties":{"name":{"type":"string"},
  "object":{"const":"host"},"state":{"type":"string","enum":["stopped","waiting","starting",
  "probing","ready","stopping","failed","degraded"]},"for_seconds":{"type":"number"},
  "why":{"type":"string"},"said":{"type":"string"},"pid":{"type":"integer"},
  "port":{"type":"integer"},"in_use":{"type":"integer"},"waiting":{"type":"integer"},
  "gpus":{"type":"array","items":{"type":"integer"}},"memory_bytes":{"type":"integer"},
  "gpu_memory_bytes":{"type":"integer"},"load_seconds":{"type":"number"},
  "again_in_seconds":{"type":"number"},"starts":{"type":"integer"},
  "failures":{"type":"integer"},"evictions":{"type":"integer"},
  "memory_kept_bytes":{"type":"integer"}}},
"HostList": {"type":"object","required":["object","data"],"properties":{
  "object":{"const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/Host"}}}},
"AlertList": {"type":"object","required":["object","data"],"properties":{
  "object":{"const":"list"},"data":{"type":"array","items":{"type":"object"}}}},
"Database": {"type":"object","required":["name","pages","file_bytes","wal_bytes","pool","writer",
  "queries"],"properties":{"name":{"type":"string"},
  "pages":{"type":"object","properties":{"size":{"type":"integer"},"count":{"type":"integer"},
    "free":{"type":"integer"}}},
  "file_bytes":{"type":"integer"},"wal_bytes":{"type":"integer"},
  "pool":{"type":"object","properties":{"size":{"type":"integer"},"open":{"type":"integer"},
    "in_use":{"type":"integer"}}},
  "writer":{"type":"object","properties":{"waiting":{"type":"integer"},
    "commits":{"type":"integer"},"operations":{"type":"integer"},"failed":{"type":"integer"},
    "writable":{"type":"boolean"},"why_not":{"type":"string"}}},
  "queries":{"type":"array","items":{"type":"object","properties":{
    "operation":{"type":"string"},"count":{"type":"integer"},"mean_ms":{"type":"number"},
    "p50_ms":{"type":"number"},"p99_ms":{"type":"number"}}}}}},
"DatabaseStats": {"type":"object","required":["databases","timestamp"],"properties":{
  "databases":{"type":"array","items":{"$ref":"#/components/schemas/Database"}},
  "timestamp":{"type":"string"}}},
"DatabaseHealth": {"type":"object","required":["status","writable","pool","writes_waiting",
  "timestamp"],"properties":{"status":{"type":"string","enum":["healthy","read_only"]},
  "writable":{"type":"boolean"},"pool":{"type":"object",
    "required":["size","open","in_use","idle","waiting","utilization"],"properties":{
    "size":{"type":"integer"},"open":{"type":"integer"},"in_use":{"type":"integer"},
    "idle":{"type":"integer"},"waiting":{"type":"integer"},"utilization":{"type":"number"}}},
  "writes_waiting":{"type":"integer"},"timestamp":{"type":"string"}}},
"SessionHealth": {"type":"object","required":["status","active","limit","started_total",
  "expired_total","evicted_total","idle_timeout_seconds","timestamp"],"properties":{
  "status":{"const":"healthy"},"active":{"type":"integer"},"limit":{"type":"integer"},
  "started_total":{"type":"integer"},"expired_total":{"type":"integer"},
  "evicted_total":{"type":"integer"},"idle_timeout_seconds":{"type":"integer"},
  "timestamp":{"type":"string"}}}
})json";

}  // namespace

const char* admin_schemas() {
  return kAdmin;
}

}  // namespace mainstay::api
