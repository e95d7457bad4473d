// Schemas of requests and replies, by the names the route table uses.
// Used by api/openapi.cpp alone.
#pragma once

#include "base/json.h"

namespace mainstay::api {
/// components.schemas of the OpenAPI document.
Json openapi_schemas();
/// Those of the admin endpoints, as JSON text.
const char* admin_schemas();
/// Those of the job endpoints.
const char* job_schemas();
const char* file_schemas();
/// Those that the console is made of.
const char* console_schemas();
const char* analyze_schemas();
/// Those of POST /v1/responses.
const char* response_schemas();
/// Those of POST /v1/voice.
const char* voice_schemas();
/// Those of /v1/audio.
const char* audio_schemas();
}  // namespace mainstay::api
