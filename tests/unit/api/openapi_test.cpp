// The document at /openapi.json against the table it is written from.
#include <set>

#include "api/routes.h"
#include "models/hosts.h"
#include "storage/audio_store.h"
#include "unit/api/job_world.h"
#include "unit/api/schema.h"

namespace mainstay::api {
namespace {

using namespace test;

struct OpenApiTest : JobWorld {
  OpenApiTest() { kinds.add(std::make_unique<IdleKind>("ingest")); }
  void SetUp() override {
    settings.limits.enabled = false;
    prepare();
    auto reply = serve(get("/openapi.json"));
    ASSERT_EQ(reply->status, 200);
    document = json(reply->body);
    ASSERT_TRUE(document.is_object());
  }
  /// Every "$ref" below `value`.
  static void collect(const Json& value, std::set<std::string>& into) {
    if (value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        if (key == "$ref") into.insert(inner.get<std::string>());
        collect(inner, into);
      }
    }
    if (value.is_array()) {
      for (const auto& inner : value) collect(inner, into);
    }
  }
  static std::string lower_method(const Route& route) { return lower_ascii(route.method); }
  const Json& operation(const Route& route) {
    return document["paths"][std::string(route.path)][lower_method(route)];
  }
  /// One request of each admin endpoint, and of the health pages that belong to them.
  std::vector<std::pair<std::string, Sent>> collection_requests() {
    Sent remove = get("/v1/collections/shelf");
    remove.method = "DELETE";
    return {
        {"addVectors", post("/v1/vectors", R"({"passages":[{"text":"red","embedding":[1,0]}]})")},
        {"createEmbedding", post("/v1/embeddings", R"({"model":"m","input":"red"})")},
        {"createCollection", post("/v1/collections", R"({"id":"box"})")},
        {"listCollections", get("/v1/collections")},
        {"getCollection", get("/v1/collections/box")},
        {"renameCollection", post("/v1/collections/box", R"({"id":"shelf"})")},
        {"deleteCollection", remove},
    };
  }
  std::vector<std::pair<std::string, Sent>> admin_requests() {
    Sent cancel_task = get("/admin/tasks/7");
    cancel_task.method = "DELETE";
    return {
        {"sessionHealth", get("/health/sessions")},
        {"databaseHealth", get("/health/database")},
        {"resourceHealth", admin(get("/admin/resources/health"))},
        {"resourceStats", admin(get("/admin/resources/stats"))},
        {"invalidateCache", admin(post("/admin/resources/cache/invalidate", ""))},
        {"cleanUp", admin(post("/admin/cleanup", ""))},
        {"reloadSettings", admin(post("/admin/reload", ""))},
        {"showSettings", admin(get("/admin/config"))},
        {"showMaintenance", admin(get("/admin/maintenance"))},
        {"setMaintenance", admin(post("/admin/maintenance", R"({"enabled":false})"))},
        {"listAudit", admin(get("/admin/audit"))},
        {"listSlow", admin(get("/admin/slow"))},
        {"listTasks", admin(get("/admin/tasks"))},
        {"cancelTask", admin(cancel_task)},
        {"listAlerts", admin(get("/admin/alerts"))},
        {"databaseStats", admin(get("/admin/database/stats"))},
    };
  }
  /// The same of model hosts, of which there is one.
  std::vector<std::pair<std::string, Sent>> host_requests() {
    HostSettings host;
    host.name = "llama";
    hosts = std::make_unique<mainstay::models::Hosts>(
        std::vector<HostSettings>{host}, settings.hosting, mainstay::models::HostMachine{}, clock,
        random, *log, metrics);
    rooms->hosts = hosts.get();
    return {
        {"listHosts", admin(get("/admin/hosts"))},
        {"startHost", admin(post("/admin/hosts/llama/start", ""))},
        {"stopHost", admin(post("/admin/hosts/llama/stop", ""))},
    };
  }
  /// One request of each endpoint of the console that has a schema.
  std::vector<std::pair<std::string, Sent>> console_requests() {
    storage::AccessKey row;
    row.id = "key_1";
    row.digest = std::string(64, 'a');
    row.created = clock.wall();
    EXPECT_TRUE(run(stores->access_keys().add(row, 9, Deadline::in(clock, 1s))).ok());
    serve(chat(R"(,"conversation":"conv-3")"));
    return {
        {"whoAmI", get("/v1/me")},
        {"renameConversation", post("/v1/conversations/conv-3", R"({"title":"Other"})")},
        {"createKey", admin(post("/admin/keys", R"({"name":"laptop"})"))},
        {"listKeys", admin(get("/admin/keys"))},
        {"revokeKey", admin(post("/admin/keys/key_1/revoke", ""))},
        {"showHistory", admin(get("/admin/history"))},
        {"listLog", admin(get("/admin/logs"))},
        {"askDoctor", admin(get("/admin/doctor"))},
    };
  }
  /// A chat runs; the request that stops it.
  Sent stop_running() {
    const storage::ReplyPlace place{
        {TenantId("default"), UserId("local")}, std::string(kStoppable), "key-9"};
    auto hold = std::make_shared<Hold>([] {});
    hold->keep();
    running_chats.add(place, std::move(hold), std::make_shared<assistant::EarlyEnd>());
    return post("/v1/chat/completions/cancel", R"({"idempotency_key":"key-9"})");
  }
  /// One request of each job endpoint that has a schema, in an order in which all succeed.
  std::vector<std::pair<std::string, Sent>> job_requests() {
    const std::string mine = "/v1/jobs/" + submit();
    const std::string any = "/admin/jobs/" + submit();
    return {
        {"submitJob", post("/v1/jobs", R"({"kind":"slow"})")},
        {"listJobs", get("/v1/jobs")},
        {"getJob", get(mine)},
        {"cancelJob", post(mine + "/cancel", "")},
        {"retryJob", post(mine + "/retry", "")},
        {"deleteJob", method("DELETE", mine)},
        {"jobStats", admin(get("/admin/jobs"))},
        {"getAnyJob", admin(get(any))},
        {"cancelAnyJob", admin(post(any + "/cancel", ""))},
        {"retryAnyJob", admin(post(any + "/retry", ""))},
    };
  }
  /// The same of files and batches.
  std::vector<std::pair<std::string, Sent>> file_requests() {
    prepare_files();
    const auto file_id = [&] { return json(serve(upload("{}\n"))->body)["id"].get<std::string>(); };
    const std::string input = file_id();
    const std::string file = "/v1/files/" + file_id();
    const Sent create = post(
        "/v1/batches", R"({"input_file_id":")" + input +
                           R"(","endpoint":"/v1/chat/completions","completion_window":"24h"})");
    const std::string batch = "/v1/batches/" + json(serve(create)->body)["id"].get<std::string>();
    return {
        {"uploadFile", upload("{}\n")}, {"listFiles", get("/v1/files")},
        {"getFile", get(file)},         {"deleteFile", method("DELETE", file)},
        {"createBatch", create},        {"listBatches", get("/v1/batches")},
        {"getBatch", get(batch)},       {"cancelBatch", post(batch + "/cancel", "")},
    };
  }
  static Sent part(const std::string& upload) {
    Sent sent = post(upload + "/parts",
                     "--cut\r\nContent-Disposition: form-data; name=\"data\"; filename=\"p\"\r\n"
                     "\r\nwords\r\n--cut--\r\n");
    sent.headers = {{"content-type", "multipart/form-data; boundary=cut"}};
    return sent;
  }
  /// The same of recordings and speech.
  std::vector<std::pair<std::string, Sent>> audio_requests() {
    prepare();
    auto opened = storage::open_audio_store(
        {settings.audio, "/proc/nowhere", pool, clock, random, *log, metrics});
    EXPECT_TRUE(opened.ok());
    kept = std::move(*opened);
    rooms->audio = kept.get();
    const auto hear = [](const char* target) {
      Sent sent = post(target,
                       "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\""
                       "\r\n\r\nRIFF\r\n--cut--\r\n");
      sent.headers = {{"content-type", "multipart/form-data; boundary=cut"}};
      return sent;
    };
    const Sent say = post("/v1/audio/speech", R"({"input":"hello","stream_format":"file"})");
    const std::string id = json(serve(say)->body)["id"].get<std::string>();
    return {
        {"createTranscription", hear("/v1/audio/transcriptions")},
        {"createTranslation", hear("/v1/audio/translations")},
        {"createSpeech", say},
        {"listVoices", get("/v1/audio/voices")},
        {"deleteAudio", method("DELETE", "/v1/audio/files/" + id)},
    };
  }
  /// The same of uploads and of documents that change.
  std::vector<std::pair<std::string, Sent>> change_requests() {
    const Sent begin =
        post("/v1/uploads", R"({"filename":"a.txt","bytes":5,"mime_type":"text/plain",)"
                            R"("purpose":"user_data"})");
    const auto upload = [&] {
      return "/v1/uploads/" + json(serve(begin)->body)["id"].get<std::string>();
    };
    const std::string takes = upload();
    const std::string ends = upload();
    const std::string id = json(serve(part(ends))->body)["id"].get<std::string>();
    const Json added = json(serve(post("/v1/documents", R"({"text":"Of many words."})"))->body);
    const std::string changed = "/v1/documents/" + added["id"].get<std::string>();
    return {
        {"createUpload", begin},
        {"listUploads", get("/v1/uploads")},
        {"addUploadPart", part(takes)},
        {"getUpload", get(takes)},
        {"cancelUpload", post(takes + "/cancel", "")},
        {"completeUpload", post(ends + "/complete", R"({"part_ids":[")" + id + R"("]})")},
        {"updateDocument", post(changed, R"({"title":"Another","tags":["a"]})")},
        {"replaceDocument", post(changed + "/content", R"({"text":"New words."})")},
    };
  }
  Json document;
  std::unique_ptr<storage::AudioStore> kept;
  std::unique_ptr<mainstay::models::Hosts> hosts;
};

TEST_F(OpenApiTest, every_route_is_described_and_nothing_else) {
  std::size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) operations += methods.size();
  EXPECT_EQ(operations, routes().size());
  for (const auto& route : routes()) {
    ASSERT_TRUE(document["paths"].contains(std::string(route.path))) << route.path;
    ASSERT_TRUE(document["paths"][std::string(route.path)].contains(lower_method(route)));
    EXPECT_EQ(operation(route)["operationId"], route.operation);
    EXPECT_FALSE(operation(route)["summary"].get<std::string>().empty()) << route.operation;
  }
}

TEST_F(OpenApiTest, every_reference_leads_to_a_schema) {
  std::set<std::string> references;
  collect(document, references);
  EXPECT_GE(references.size(), 15u);
  const std::string prefix = "#/components/schemas/";
  for (const auto& reference : references) {
    ASSERT_TRUE(reference.starts_with(prefix)) << reference;
    EXPECT_TRUE(document["components"]["schemas"].contains(reference.substr(prefix.size())))
        << reference;
  }
}

TEST_F(OpenApiTest, every_schema_is_referred_to) {
  std::set<std::string> references;
  collect(document, references);
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    EXPECT_TRUE(references.contains("#/components/schemas/" + name)) << name;
    EXPECT_TRUE(schema.contains("type")) << name;
    if (!schema.contains("required")) continue;
    for (const auto& required : schema["required"]) {
      EXPECT_TRUE(schema["properties"].contains(required.get<std::string>()))
          << name << " requires " << required << " but does not describe it";
    }
  }
}

TEST_F(OpenApiTest, bodies_replies_and_errors_have_the_tables_schemas) {
  for (const auto& route : routes()) {
    const Json& out = operation(route);
    EXPECT_EQ(out.contains("requestBody"), !route.request.empty()) << route.operation;
    EXPECT_TRUE(out["responses"].contains(std::to_string(route.status))) << route.operation;
    EXPECT_EQ(out["responses"]["default"]["content"]["application/json"]["schema"]["$ref"],
              "#/components/schemas/Error");
    if (!route.response.empty()) {
      EXPECT_EQ(out["responses"][std::to_string(route.status)]["content"]["application/json"]
                   ["schema"]["$ref"],
                "#/components/schemas/" + std::string(route.response))
          << route.operation;
    }
  }
}

TEST_F(OpenApiTest, ids_are_parameters_and_open_routes_need_no_key) {
  for (const auto& route : routes()) {
    const Json& out = operation(route);
    const bool has_id = route.path.find("{id}") != std::string_view::npos;
    const std::size_t parameters = out.contains("parameters") ? out["parameters"].size() : 0;
    const bool keyed = route.method == "POST";
    ASSERT_EQ(parameters, std::size_t{has_id} + std::size_t{keyed}) << route.operation;
    if (keyed) EXPECT_EQ(out["parameters"].back()["name"], "Idempotency-Key");
    if (has_id) {
      EXPECT_EQ(out["parameters"][0]["name"], "id");
      EXPECT_EQ(out["parameters"][0]["in"], "path");
      EXPECT_EQ(out["parameters"][0]["required"], true);
    }
    ASSERT_EQ(out.contains("security"), route.access == Access::open) << route.operation;
  }
  EXPECT_EQ(document["openapi"], "3.1.0");
  for (const auto& alternative : document["security"]) {
    for (const auto& [scheme, scopes] : alternative.items()) {
      EXPECT_TRUE(document["components"]["securitySchemes"].contains(scheme)) << scheme;
    }
  }
}

TEST_F(OpenApiTest, a_value_that_does_not_fit_its_schema_is_noticed) {
  const Schemas schemas(document);
  EXPECT_EQ(schemas.mismatch("Health", json(R"({"status":"ok"})")), "");
  EXPECT_EQ(schemas.mismatch("Health", json(R"({"status":5})")), "$.status should be \"string\"");
  EXPECT_EQ(schemas.mismatch("Health", json("{}")), "$ lacks \"status\"");
  EXPECT_EQ(schemas.mismatch("Health", json(R"({"status":"ok","more":1})")),
            "$.more is not described");
  EXPECT_EQ(schemas.mismatch("ModelList", json(R"({"object":"list","data":[5]})")),
            "$.data[0] should be \"object\"");
}

// proves the promise that /openapi.json describes what is really sent
TEST_F(OpenApiTest, real_replies_fit_the_schemas_of_their_routes) {
  models::ModelInfo info;
  info.id = "auto";
  info.provider = "provider-x";
  info.context = 8192;
  models.infos = {info};
  models::ProviderState state;
  state.name = "provider-x";
  models.states = {state};
  models.body = R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[)"
                R"({"index":0,"message":{"role":"assistant","content":"Bern."},)"
                R"("finish_reason":"stop"}],"usage":{}})";
  models.by.degraded = true;
  const Json added =
      json(serve(post("/v1/documents", R"({"text":"Bern is the capital.","collection":"notes"})"))
               ->body);
  const std::string document_path = "/v1/documents/" + added["id"].get<std::string>();
  Sent remove_document = get(document_path);
  remove_document.method = "DELETE";
  Sent remove_conversation = get("/v1/conversations/conv-1");
  remove_conversation.method = "DELETE";
  settings.admin.slow_threshold = 0ms;  // so that the list of slow requests is not empty
  const std::string more = R"(,"conversation":"conv-1","collection":"notes")";
  std::vector<std::pair<std::string, Sent>> requests = {
      {"createChatCompletion", chat(more)},
      {"createResponse", post("/v1/responses", R"({"input":"Capital?")" + more + "}")},
      {"chat", post("/chat", R"({"prompt":"Capital?")" + more + "}")},
      {"listModels", get("/v1/models")},
      {"getModel", get("/v1/models/auto")},
      {"addDocument", post("/v1/documents", R"({"text":"Another text."})")},
      {"listDocuments", get("/v1/documents")},
      {"getDocument", get(document_path)},
      {"listDocumentPassages", get(document_path + "/passages?at=3&limit=1")},
      {"cancelChatCompletion", stop_running()},
      {"search", post("/v1/search", R"({"query":"capital"})")},
      {"analyzeText", post("/v1/analyze", R"({"text":"The cat sat. The dog ran."})")},
      {"listConversations", get("/v1/conversations")},
      {"getConversation", get("/v1/conversations/conv-1")},
      {"deleteDocument", remove_document},
      {"deleteConversation", remove_conversation},
      {"health", get("/health")},
      {"live", get("/health/live")},
      {"ready", get("/health/ready")},
  };
  for (auto& one : collection_requests()) requests.push_back(std::move(one));
  for (auto& one : admin_requests()) requests.push_back(std::move(one));
  for (auto& one : host_requests()) requests.push_back(std::move(one));
  for (auto& one : console_requests()) requests.push_back(std::move(one));
  for (auto& one : job_requests()) requests.push_back(std::move(one));
  for (auto& one : file_requests()) requests.push_back(std::move(one));
  for (auto& one : change_requests()) requests.push_back(std::move(one));
  for (auto& one : audio_requests()) requests.push_back(std::move(one));
  const Schemas schemas(document);
  std::set<std::string> answered;
  for (const auto& [name, sent] : requests) {
    auto reply = serve(sent);
    answered.insert(name);
    for (const auto& route : routes()) {
      if (route.operation != name) continue;
      EXPECT_EQ(reply->status, route.status) << name << " " << reply->body;
      EXPECT_EQ(schemas.mismatch(std::string(route.response), json(reply->body)), "")
          << name << " " << reply->body;
    }
  }
  for (const auto& route : routes()) {
    EXPECT_EQ(answered.contains(std::string(route.operation)), !route.response.empty())
        << route.operation << " has a schema that no reply was held against";
  }
  EXPECT_EQ(schemas.mismatch("Error", json(serve(get("/nowhere"))->body)), "");
}

}  // namespace
}  // namespace mainstay::api
