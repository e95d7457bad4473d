// The table and the matcher.
#include "api/routes.h"

#include <array>

namespace mainstay::api {
namespace {

constexpr auto kOpen = Access::open;
constexpr auto kCaller = Access::caller;
constexpr auto kYes = Counted::yes;
constexpr auto kNo = Counted::no;

constexpr std::array kRoutes = {
    Route{"POST", "/v1/chat/completions", chat_completions, kCaller, kYes, "createChatCompletion",
          "Answer a conversation (OpenAI's shape); streams when asked to", "ChatRequest",
          "ChatCompletion"},
    Route{"POST", "/chat", simple_chat, kCaller, kYes, "chat", "Answer one prompt", "PromptRequest",
          "PromptReply"},
    Route{"GET", "/v1/models", list_models, kCaller, kNo, "listModels",
          "Models that can be asked for", "", "ModelList"},
    Route{"GET", "/v1/models/{id}", get_model, kCaller, kNo, "getModel", "One model", "", "Model"},
    Route{"POST", "/v1/documents", add_document, kCaller, kYes, "addDocument",
          "Store a document and make it searchable", "DocumentRequest", "Document", 201},
    Route{"GET", "/v1/documents", list_documents, kCaller, kNo, "listDocuments",
          "Stored documents, newest first", "", "DocumentList"},
    Route{"GET", "/v1/documents/{id}", get_document, kCaller, kNo, "getDocument",
          "One document's facts", "", "Document"},
    Route{"DELETE", "/v1/documents/{id}", delete_document, kCaller, kNo, "deleteDocument",
          "Remove a document and its index entries", "", "Deleted"},
    Route{"POST", "/v1/search", search_documents, kCaller, kYes, "search",
          "Passages that match a question", "SearchRequest", "SearchResults"},
    Route{"GET", "/v1/conversations", list_conversations, kCaller, kNo, "listConversations",
          "The caller's conversations, newest first", "", "ConversationList"},
    Route{"GET", "/v1/conversations/{id}", get_conversation, kCaller, kNo, "getConversation",
          "One conversation with its messages", "", "Conversation"},
    Route{"DELETE", "/v1/conversations/{id}", delete_conversation, kCaller, kNo,
          "deleteConversation", "Remove a conversation and its messages", "", "Deleted"},
    Route{"GET", "/health", health, kOpen, kNo, "health",
          "Answers as long as the process serves at all", "", "Health"},
    Route{"GET", "/health/live", live, kOpen, kNo, "live", "The same, for probes", "", "Health"},
    Route{"GET", "/health/ready", ready, kOpen, kNo, "ready",
          "Whether work is accepted, and why not", "", "Readiness"},
    Route{"GET", "/metrics", metrics_text, kCaller, kNo, "metrics", "Prometheus text", "", ""},
    Route{"GET", "/openapi.json", openapi_json, kOpen, kNo, "openapi", "This description", "", ""},
};

/// True when `path` fits the route's; fills the {id}.
bool fits(const Route& route, std::string_view path, std::string_view& param) {
  const auto brace = route.path.find('{');
  if (brace == std::string_view::npos) return path == route.path;
  if (path.size() <= brace || path.substr(0, brace) != route.path.substr(0, brace)) return false;
  param = path.substr(brace);
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
