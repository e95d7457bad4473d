// The route table: every endpoint once, with what its documentation needs.
// Used by api (service, openapi) alone.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "api/context.h"

namespace mainstay::api {

/// An endpoint. It replies itself; an Error it returns is replied for it, if nothing was sent yet.
using Endpoint = Co<Status> (*)(const Rooms& rooms, Context& context);

/// open: no credentials looked at; caller: any known one; socket: the endpoint asks who it is, and
/// for the scope it needs; the others: the scope of that name.
enum class Access { open, socket, caller, chat, knowledge, jobs, admin };
enum class Counted { no, yes };  ///< against the caller's requests a minute
/// What of it a machine under pressure refuses; looked at for counted routes alone. voice: as chat,
/// but it asks as the class "voice" when it says none.
enum class Sheds { never, chat, uploads, voice };

struct Route {
  std::string_view method;
  std::string_view path;  ///< at most one {id}, a whole segment; words may follow
  Endpoint endpoint;
  Access access = Access::caller;
  Counted counted = Counted::no;
  std::string_view operation;  ///< OpenAPI operationId; also the metrics' route label
  std::string_view summary;
  std::string_view request;   ///< name of a schema in openapi_schemas.cpp; empty: no body
  std::string_view response;  ///< the same; empty: text or nothing
  int status = 200;
  Sheds sheds = Sheds::never;
  bool streams_body = false;  ///< the endpoint reads it in pieces and calls begin_keyed() itself
};

std::span<const Route> routes();

/// What a method and path lead to.
struct Matched {
  const Route* route = nullptr;
  std::string_view param;  ///< the {id}
  std::string allowed;     ///< methods of the path, when only the method is wrong
};
Matched match(std::string_view method, std::string_view path);

// The endpoints, by file.
Co<Status> chat_completions(const Rooms& rooms, Context& context);   // chat.cpp
Co<Status> simple_chat(const Rooms& rooms, Context& context);        // chat.cpp
Co<Status> create_response(const Rooms& rooms, Context& context);    // responses.cpp
Co<Status> cancel_chat(const Rooms& rooms, Context& context);        // chat_stop.cpp
Co<Status> create_embeddings(const Rooms& rooms, Context& context);  // embeddings.cpp
Co<Status> add_vectors(const Rooms& rooms, Context& context);        // vectors.cpp
Co<Status> list_models(const Rooms& rooms, Context& context);        // models.cpp
Co<Status> get_model(const Rooms& rooms, Context& context);          // models.cpp
Co<Status> add_document(const Rooms& rooms, Context& context);       // documents.cpp
Co<Status> list_documents(const Rooms& rooms, Context& context);
Co<Status> get_document(const Rooms& rooms, Context& context);
Co<Status> delete_document(const Rooms& rooms, Context& context);
Co<Status> list_passages(const Rooms& rooms, Context& context);    // document_passages.cpp
Co<Status> update_document(const Rooms& rooms, Context& context);  // document_changes.cpp
Co<Status> replace_document(const Rooms& rooms, Context& context);
Co<Status> document_thumbnail(const Rooms& rooms, Context& context);
Co<Status> search_documents(const Rooms& rooms, Context& context);  // search.cpp
Co<Status> list_collections(const Rooms& rooms, Context& context);  // collections.cpp
Co<Status> create_collection(const Rooms& rooms, Context& context);
Co<Status> get_collection(const Rooms& rooms, Context& context);
Co<Status> rename_collection(const Rooms& rooms, Context& context);
Co<Status> delete_collection(const Rooms& rooms, Context& context);
Co<Status> list_conversations(const Rooms& rooms, Context& context);  // conversations.cpp
Co<Status> get_conversation(const Rooms& rooms, Context& context);
Co<Status> delete_conversation(const Rooms& rooms, Context& context);
Co<Status> rename_conversation(const Rooms& rooms, Context& context);
Co<Status> submit_job(const Rooms& rooms, Context& context);  // jobs.cpp
Co<Status> list_jobs(const Rooms& rooms, Context& context);
Co<Status> get_job(const Rooms& rooms, Context& context);
Co<Status> delete_job(const Rooms& rooms, Context& context);
Co<Status> retry_job(const Rooms& rooms, Context& context);
Co<Status> cancel_job(const Rooms& rooms, Context& context);
Co<Status> job_events(const Rooms& rooms, Context& context);  // job_events.cpp
Co<Status> job_stats(const Rooms& rooms, Context& context);   // admin_jobs.cpp
Co<Status> get_any_job(const Rooms& rooms, Context& context);
Co<Status> retry_any_job(const Rooms& rooms, Context& context);
Co<Status> cancel_any_job(const Rooms& rooms, Context& context);
Co<Status> upload_file(const Rooms& rooms, Context& context);  // files.cpp
Co<Status> list_files(const Rooms& rooms, Context& context);
Co<Status> get_file(const Rooms& rooms, Context& context);
Co<Status> delete_file(const Rooms& rooms, Context& context);
Co<Status> file_content(const Rooms& rooms, Context& context);
Co<Status> create_upload(const Rooms& rooms, Context& context);  // uploads.cpp
Co<Status> list_uploads(const Rooms& rooms, Context& context);
Co<Status> get_upload(const Rooms& rooms, Context& context);
Co<Status> add_upload_part(const Rooms& rooms, Context& context);
Co<Status> complete_upload(const Rooms& rooms, Context& context);
Co<Status> cancel_upload(const Rooms& rooms, Context& context);
Co<Status> make_images(const Rooms& rooms, Context& context);   // images.cpp
Co<Status> create_batch(const Rooms& rooms, Context& context);  // batches.cpp
Co<Status> list_batches(const Rooms& rooms, Context& context);
Co<Status> get_batch(const Rooms& rooms, Context& context);
Co<Status> cancel_batch(const Rooms& rooms, Context& context);
Co<Status> analyze_text(const Rooms& rooms, Context& context);      // analyze.cpp
Co<Status> websocket(const Rooms& rooms, Context& context);         // ws.cpp
Co<Status> transcribe_audio(const Rooms& rooms, Context& context);  // audio.cpp
Co<Status> translate_audio(const Rooms& rooms, Context& context);
Co<Status> create_speech(const Rooms& rooms, Context& context);  // audio_speech.cpp
Co<Status> list_voices(const Rooms& rooms, Context& context);
Co<Status> audio_content(const Rooms& rooms, Context& context);  // audio_files.cpp
Co<Status> delete_audio(const Rooms& rooms, Context& context);
Co<Status> voice_turn(const Rooms& rooms, Context& context);    // voice.cpp
Co<Status> voice_socket(const Rooms& rooms, Context& context);  // voice_ws.cpp
Co<Status> health(const Rooms& rooms, Context& context);        // health.cpp
Co<Status> live(const Rooms& rooms, Context& context);
Co<Status> ready(const Rooms& rooms, Context& context);
Co<Status> metrics_text(const Rooms& rooms, Context& context);
Co<Status> openapi_json(const Rooms& rooms, Context& context);     // openapi.cpp
Co<Status> resource_health(const Rooms& rooms, Context& context);  // admin.cpp
Co<Status> resource_stats(const Rooms& rooms, Context& context);
Co<Status> invalidate_cache(const Rooms& rooms, Context& context);
Co<Status> clean_up(const Rooms& rooms, Context& context);
Co<Status> reload_settings(const Rooms& rooms, Context& context);  // admin_config.cpp
Co<Status> show_settings(const Rooms& rooms, Context& context);
Co<Status> show_maintenance(const Rooms& rooms, Context& context);  // admin_maintenance.cpp
Co<Status> set_maintenance(const Rooms& rooms, Context& context);
Co<Status> list_hosts(const Rooms& rooms, Context& context);  // hosts.cpp
Co<Status> start_host(const Rooms& rooms, Context& context);
Co<Status> stop_host(const Rooms& rooms, Context& context);
Co<Status> list_audit(const Rooms& rooms, Context& context);  // admin_lists.cpp
Co<Status> list_slow(const Rooms& rooms, Context& context);
Co<Status> list_tasks(const Rooms& rooms, Context& context);
Co<Status> cancel_task(const Rooms& rooms, Context& context);
Co<Status> list_alerts(const Rooms& rooms, Context& context);
Co<Status> database_stats(const Rooms& rooms, Context& context);  // admin_database.cpp
Co<Status> database_health(const Rooms& rooms, Context& context);
Co<Status> session_health(const Rooms& rooms, Context& context);
Co<Status> console_page(const Rooms& rooms, Context& context);  // console.cpp
Co<Status> console_asset(const Rooms& rooms, Context& context);
Co<Status> console_report(const Rooms& rooms, Context& context);
Co<Status> who_am_i(const Rooms& rooms, Context& context);   // console_me.cpp
Co<Status> list_keys(const Rooms& rooms, Context& context);  // admin_keys.cpp
Co<Status> create_key(const Rooms& rooms, Context& context);
Co<Status> revoke_key(const Rooms& rooms, Context& context);
Co<Status> show_history(const Rooms& rooms, Context& context);  // admin_history.cpp
Co<Status> live_figures(const Rooms& rooms, Context& context);  // admin_live.cpp
Co<Status> list_log(const Rooms& rooms, Context& context);      // admin_logs.cpp
Co<Status> ask_doctor(const Rooms& rooms, Context& context);    // admin_doctor.cpp

}  // namespace mainstay::api
