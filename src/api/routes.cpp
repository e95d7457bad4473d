// The table and the matcher.
#include "api/routes.h"

#include <array>

namespace mainstay::api {
namespace {

constexpr auto kOpen = Access::open;
constexpr auto kSocket = Access::socket;
constexpr auto kCaller = Access::caller;
constexpr auto kChat = Access::chat;
constexpr auto kKnowledge = Access::knowledge;
constexpr auto kJobs = Access::jobs;
constexpr auto kAdmin = Access::admin;
constexpr auto kYes = Counted::yes;
constexpr auto kNo = Counted::no;

constexpr std::array kRoutes = {
    Route{"POST", "/v1/chat/completions", chat_completions, kChat, kYes, "createChatCompletion",
          "Answer a conversation (OpenAI's shape); streams when asked to", "ChatRequest",
          "ChatCompletion", 200, Sheds::chat},
    Route{"POST", "/v1/chat/completions/cancel", cancel_chat, kChat, kNo, "cancelChatCompletion",
          "Stop an answer that goes on for its Idempotency-Key", "ChatCancel", "ChatCancelled"},
    Route{"POST", "/v1/responses", create_response, kChat, kYes, "createResponse",
          "Answer input items (OpenAI's Responses shape); streams when asked to", "ResponseRequest",
          "Response", 200, Sheds::chat},
    Route{"POST", "/chat", simple_chat, kChat, kYes, "chat", "Answer one prompt", "PromptRequest",
          "PromptReply", 200, Sheds::chat},
    Route{"POST", "/v1/embeddings", create_embeddings, kChat, kYes, "createEmbedding",
          "Vectors of texts (OpenAI's shape)", "EmbeddingRequest", "EmbeddingList", 200,
          Sheds::chat},
    Route{"GET", "/v1/models", list_models, kCaller, kNo, "listModels",
          "Models that can be asked for", "", "ModelList"},
    Route{"GET", "/v1/models/{id}", get_model, kCaller, kNo, "getModel", "One model", "", "Model"},
    Route{"POST", "/v1/documents", add_document, kKnowledge, kYes, "addDocument",
          "Store a document and make it searchable", "DocumentRequest", "Document", 201,
          Sheds::uploads, true},
    Route{"GET", "/v1/documents", list_documents, kKnowledge, kNo, "listDocuments",
          "Stored documents, newest first", "", "DocumentList"},
    Route{"GET", "/v1/documents/{id}", get_document, kKnowledge, kNo, "getDocument",
          "One document's facts", "", "Document"},
    Route{"GET", "/v1/documents/{id}/passages", list_passages, kKnowledge, kNo,
          "listDocumentPassages", "The passages of a document, in order", "", "PartList"},
    Route{"POST", "/v1/documents/{id}", update_document, kKnowledge, kYes, "updateDocument",
          "Give a document another title, other tags, another collection", "DocumentChanges",
          "Document"},
    Route{"POST", "/v1/documents/{id}/content", replace_document, kKnowledge, kYes,
          "replaceDocument", "Ingest a document again: new content, the same id", "DocumentContent",
          "DocumentAccepted", 202, Sheds::uploads, true},
    Route{"GET", "/v1/documents/{id}/thumbnail", document_thumbnail, kKnowledge, kNo,
          "documentThumbnail", "A small picture of an image document", "", ""},
    Route{"DELETE", "/v1/documents/{id}", delete_document, kKnowledge, kNo, "deleteDocument",
          "Remove a document and its index entries", "", "Deleted"},
    Route{"GET", "/v1/collections", list_collections, kKnowledge, kNo, "listCollections",
          "Collections of documents, by name", "", "CollectionList"},
    Route{"POST", "/v1/collections", create_collection, kKnowledge, kYes, "createCollection",
          "Make an empty collection", "CollectionRequest", "Collection", 201},
    Route{"GET", "/v1/collections/{id}", get_collection, kKnowledge, kNo, "getCollection",
          "One collection's facts", "", "Collection"},
    Route{"POST", "/v1/collections/{id}", rename_collection, kKnowledge, kYes, "renameCollection",
          "Give a collection another name", "CollectionRequest", "Collection"},
    Route{"DELETE", "/v1/collections/{id}", delete_collection, kKnowledge, kNo, "deleteCollection",
          "Remove a collection and all its documents", "", "CollectionDeleted"},
    Route{"POST", "/v1/search", search_documents, kKnowledge, kYes, "search",
          "Passages that match a question", "SearchRequest", "SearchResults"},
    Route{"POST", "/v1/vectors", add_vectors, kKnowledge, kYes, "addVectors",
          "Store passages with vectors made elsewhere, many at once", "VectorsRequest",
          "VectorsAdded", 201, Sheds::uploads},
    Route{"POST", "/v1/analyze", analyze_text, kKnowledge, kYes, "analyzeText",
          "Sizes, words, language, terms, readability and repetitions of a text", "AnalyzeRequest",
          "Analysis", 200, Sheds::chat, true},
    Route{"GET", "/v1/conversations", list_conversations, kChat, kNo, "listConversations",
          "The caller's conversations, newest first", "", "ConversationList"},
    Route{"GET", "/v1/conversations/{id}", get_conversation, kChat, kNo, "getConversation",
          "One conversation with its messages", "", "Conversation"},
    Route{"POST", "/v1/conversations/{id}", rename_conversation, kChat, kYes, "renameConversation",
          "Give a conversation another title", "ConversationChange", "Conversation"},
    Route{"DELETE", "/v1/conversations/{id}", delete_conversation, kChat, kNo, "deleteConversation",
          "Remove a conversation and its messages", "", "Deleted"},
    Route{"POST", "/v1/jobs", submit_job, kJobs, kYes, "submitJob", "Hand in work to be done later",
          "JobRequest", "JobSubmitted", 202, Sheds::chat},
    Route{"GET", "/v1/jobs", list_jobs, kJobs, kNo, "listJobs", "The caller's jobs, newest first",
          "", "JobList"},
    Route{"GET", "/v1/jobs/{id}", get_job, kJobs, kNo, "getJob",
          "One job with its input and its result", "", "Job"},
    Route{"DELETE", "/v1/jobs/{id}", delete_job, kJobs, kNo, "deleteJob",
          "Cancel a job that has not ended, forget one that has", "", "JobDeleted"},
    Route{"POST", "/v1/jobs/{id}/retry", retry_job, kJobs, kYes, "retryJob",
          "Run a dead, cancelled or expired job again", "", "JobRow", 200, Sheds::chat},
    Route{"POST", "/v1/jobs/{id}/cancel", cancel_job, kJobs, kYes, "cancelJob",
          "End a job that has not ended", "", "JobRow"},
    Route{"GET", "/v1/jobs/{id}/events", job_events, kJobs, kNo, "jobEvents",
          "What happens to a job, as server-sent events; resumable", "", ""},
    Route{"POST", "/v1/files", upload_file, kChat, kYes, "uploadFile", "Put a file here",
          "FileUpload", "File", 200, Sheds::uploads, true},
    Route{"GET", "/v1/files", list_files, kChat, kNo, "listFiles", "The caller's files", "",
          "FileList"},
    Route{"GET", "/v1/files/{id}", get_file, kChat, kNo, "getFile", "One file's facts", "", "File"},
    Route{"DELETE", "/v1/files/{id}", delete_file, kChat, kNo, "deleteFile", "Remove a file", "",
          "Deleted"},
    Route{"GET", "/v1/files/{id}/content", file_content, kChat, kNo, "fileContent",
          "What a file holds", "", ""},
    Route{"POST", "/v1/uploads", create_upload, kChat, kYes, "createUpload",
          "Begin a file that comes in parts (OpenAI's shape)", "UploadRequest", "Upload", 200,
          Sheds::uploads},
    Route{"GET", "/v1/uploads", list_uploads, kChat, kNo, "listUploads",
          "The caller's unfinished uploads, newest first", "", "UploadList"},
    Route{"GET", "/v1/uploads/{id}", get_upload, kChat, kNo, "getUpload",
          "One upload with the parts that were received", "", "Upload"},
    Route{"POST", "/v1/uploads/{id}/parts", add_upload_part, kChat, kNo, "addUploadPart",
          "Send a part; in any order, several at once", "UploadPartForm", "UploadPart", 200,
          Sheds::never, true},
    Route{"POST", "/v1/uploads/{id}/complete", complete_upload, kChat, kYes, "completeUpload",
          "Put the parts together to a file", "UploadCompletion", "Upload"},
    Route{"POST", "/v1/uploads/{id}/cancel", cancel_upload, kChat, kYes, "cancelUpload",
          "Give an upload up; its parts are gone", "", "Upload"},
    Route{"POST", "/v1/images", make_images, kKnowledge, kYes, "makeImages",
          "Resize, convert and strip pictures; each result comes as soon as it is made",
          "ImagesUpload", "", 200, Sheds::uploads, true},
    Route{"POST", "/v1/batches", create_batch, kChat, kYes, "createBatch",
          "Run the requests of a file, within a day", "BatchRequest", "Batch", 200, Sheds::chat},
    Route{"GET", "/v1/batches", list_batches, kChat, kNo, "listBatches",
          "The caller's batches, newest first", "", "BatchList"},
    Route{"GET", "/v1/batches/{id}", get_batch, kChat, kNo, "getBatch", "One batch", "", "Batch"},
    Route{"POST", "/v1/batches/{id}/cancel", cancel_batch, kChat, kYes, "cancelBatch",
          "End a batch that has not ended", "", "Batch"},
    Route{"POST", "/v1/audio/transcriptions", transcribe_audio, kChat, kYes, "createTranscription",
          "The words of a recording (OpenAI's shape); streams when asked to", "TranscriptionUpload",
          "Transcription", 200, Sheds::chat, true},
    Route{"POST", "/v1/audio/translations", translate_audio, kChat, kYes, "createTranslation",
          "The words of a recording in English, where the engine translates", "TranscriptionUpload",
          "Transcription", 200, Sheds::chat, true},
    Route{"POST", "/v1/audio/speech", create_speech, kChat, kYes, "createSpeech",
          "Speak a text (OpenAI's shape); its sound comes while it is made", "SpeechRequest",
          "KeptAudio", 200, Sheds::chat},
    Route{"GET", "/v1/audio/voices", list_voices, kChat, kNo, "listVoices",
          "Voices that can be asked for", "", "VoiceList"},
    Route{"GET", "/v1/audio/files/{id}", audio_content, kChat, kNo, "audioContent",
          "Kept speech; what is still being made comes as it is made", "", ""},
    Route{"DELETE", "/v1/audio/files/{id}", delete_audio, kChat, kNo, "deleteAudio",
          "Forget kept speech", "", "Deleted"},
    Route{"POST", "/v1/voice", voice_turn, kChat, kYes, "voiceTurn",
          "Answer a spoken question aloud: events, one JSON reply, or sound", "VoiceUpload", "",
          200, Sheds::voice, true},
    Route{"GET", "/v1/voice", voice_socket, kSocket, kNo, "voiceSocket",
          "Talk over a WebSocket: sound in, events and sound out", "", "", 101, Sheds::voice},
    Route{"GET", "/v1/ws", websocket, kSocket, kNo, "webSocket",
          "Jobs and their events over a WebSocket", "", "", 101, Sheds::chat},
    Route{"GET", "/health", health, kOpen, kNo, "health",
          "Answers as long as the process serves at all", "", "Health"},
    Route{"GET", "/health/live", live, kOpen, kNo, "live", "The same, for probes", "", "Health"},
    Route{"GET", "/health/ready", ready, kOpen, kNo, "ready",
          "Whether work is accepted, and why not", "", "Readiness"},
    Route{"GET", "/metrics", metrics_text, kCaller, kNo, "metrics", "Prometheus text", "", ""},
    Route{"GET", "/openapi.json", openapi_json, kOpen, kNo, "openapi", "This description", "", ""},
    Route{"GET", "/health/sessions", session_health, kOpen, kNo, "sessionHealth",
          "Callers active of late", "", "SessionHealth"},
    Route{"GET", "/health/database", database_health, kOpen, kNo, "databaseHealth",
          "The pool of database connections", "", "DatabaseHealth"},
    Route{"GET", "/v1/me", who_am_i, kCaller, kNo, "whoAmI",
          "Who the caller is, what it may, what its limits are", "", "Caller"},
    Route{"GET", "/", console_page, kOpen, kNo, "console", "The console, a page for browsers", "",
          ""},
    Route{"GET", "/assets/{id}", console_asset, kOpen, kNo, "consoleAsset", "A part of the console",
          "", ""},
    Route{"POST", "/console/csp-report", console_report, kOpen, kNo, "consoleReport",
          "Where browsers report that the console broke its policy", "", "", 204},
    Route{"GET", "/admin/resources/health", resource_health, kAdmin, kNo, "resourceHealth",
          "Whether the shared parts do their work", "", "ResourceHealth"},
    Route{"GET", "/admin/resources/stats", resource_stats, kAdmin, kNo, "resourceStats",
          "Figures of the shared parts, the process and the machine", "", "ResourceStats"},
    Route{"POST", "/admin/resources/cache/invalidate", invalidate_cache, kAdmin, kNo,
          "invalidateCache", "Read the configuration again", "", "Done"},
    Route{"POST", "/admin/cleanup", clean_up, kAdmin, kNo, "cleanUp",
          "Give memory back: ended sessions, cached answers", "", "CleanupReport"},
    Route{"POST", "/admin/reload", reload_settings, kAdmin, kNo, "reloadSettings",
          "Read the configuration again and say what changed", "", "ReloadReport"},
    Route{"GET", "/admin/config", show_settings, kAdmin, kNo, "showSettings",
          "The settings in force and where they come from", "", "EffectiveSettings"},
    Route{"GET", "/admin/maintenance", show_maintenance, kAdmin, kNo, "showMaintenance",
          "Whether new work is refused", "", "Maintenance"},
    Route{"POST", "/admin/maintenance", set_maintenance, kAdmin, kNo, "setMaintenance",
          "Refuse new work with a message, or take it again", "MaintenanceRequest", "Maintenance"},
    Route{"GET", "/admin/audit", list_audit, kAdmin, kNo, "listAudit",
          "What administrators changed, newest first", "", "AuditList"},
    Route{"GET", "/admin/slow", list_slow, kAdmin, kNo, "listSlow",
          "Requests that took long, newest first", "", "SlowList"},
    Route{"GET", "/admin/tasks", list_tasks, kAdmin, kNo, "listTasks",
          "Background tasks, running and ended", "", "TaskList"},
    Route{"DELETE", "/admin/tasks/{id}", cancel_task, kAdmin, kNo, "cancelTask",
          "Cancel a background task", "", "TaskCancelled", 202},
    Route{"GET", "/admin/jobs", job_stats, kAdmin, kNo, "jobStats",
          "Figures of the queue and its workers, dead jobs, anybody's jobs", "", "JobStats"},
    Route{"GET", "/admin/jobs/{id}", get_any_job, kAdmin, kNo, "getAnyJob", "Anybody's job", "",
          "AnyJob"},
    Route{"POST", "/admin/jobs/{id}/retry", retry_any_job, kAdmin, kNo, "retryAnyJob",
          "Run anybody's dead, cancelled or expired job again", "", "AnyJobRow"},
    Route{"POST", "/admin/jobs/{id}/cancel", cancel_any_job, kAdmin, kNo, "cancelAnyJob",
          "End anybody's job", "", "AnyJobRow"},
    Route{"GET", "/admin/hosts", list_hosts, kAdmin, kNo, "listHosts",
          "Model servers that Mainstay starts itself", "", "HostList"},
    Route{"POST", "/admin/hosts/{id}/start", start_host, kAdmin, kNo, "startHost",
          "Start a model server, also one that was given up", "", "Host", 202},
    Route{"POST", "/admin/hosts/{id}/stop", stop_host, kAdmin, kNo, "stopHost",
          "Stop a model server once its calls under way have ended", "", "Host", 202},
    Route{"GET", "/admin/alerts", list_alerts, kAdmin, kNo, "listAlerts",
          "Alerts raised now and of late", "", "AlertList"},
    Route{"GET", "/admin/keys", list_keys, kAdmin, kNo, "listKeys", "API keys, the oldest first",
          "", "KeyList"},
    Route{"POST", "/admin/keys", create_key, kAdmin, kNo, "createKey",
          "Make an API key; it is shown this once", "KeyRequest", "Key", 201},
    Route{"POST", "/admin/keys/{id}/revoke", revoke_key, kAdmin, kNo, "revokeKey",
          "Refuse a key from now on", "", "Key"},
    Route{"GET", "/admin/history", show_history, kAdmin, kNo, "showHistory",
          "Figures of the last hour by seconds and of the last day by minutes", "", "History"},
    Route{"GET", "/admin/live", live_figures, kAdmin, kNo, "liveFigures",
          "One sample a second, as server-sent events; resumable", "", ""},
    Route{"GET", "/admin/logs", list_log, kAdmin, kNo, "listLog",
          "The newest log lines; with follow=true as server-sent events", "", "LogLines"},
    Route{"GET", "/admin/doctor", ask_doctor, kAdmin, kNo, "askDoctor",
          "What mainstay doctor finds", "", "DoctorReport"},
    Route{"GET", "/admin/database/stats", database_stats, kAdmin, kNo, "databaseStats",
          "Pages, log, pool and query timings of each database", "", "DatabaseStats"},
};

/// True when `path` fits the route's; fills the {id}.
bool fits(const Route& route, std::string_view path, std::string_view& param) {
  constexpr std::string_view kId = "{id}";
  const auto brace = route.path.find(kId);
  if (brace == std::string_view::npos) return path == route.path;
  const auto before = route.path.substr(0, brace);
  const auto after = route.path.substr(brace + kId.size());
  if (path.size() <= before.size() + after.size()) return false;
  if (!path.starts_with(before) || !path.ends_with(after)) return false;
  param = path.substr(brace, path.size() - before.size() - after.size());
  // A model's name may hold a slash ("mainstay/extractive"); other ids may not.
  return param.find('/') == std::string_view::npos || route.operation == "getModel";
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

Matched match(std::string_view method, std::string_view path) {
  Matched out;
  // HEAD is answered as GET; the listener leaves the body out.
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const auto& route : kRoutes) {
    std::string_view param;
    if (!fits(route, path, param)) continue;
    if (route.method == wanted) {
      out.route = &route;
      out.param = param;
      return out;
    }
    if (!out.allowed.empty()) out.allowed += ", ";
    out.allowed += route.method;
  }
  return out;
}

}  // namespace mainstay::api
