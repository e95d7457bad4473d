// What a request carries through its endpoint, and what the endpoint may reach.
// Used by api alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "assistant/assistant.h"
#include "base/json.h"
#include "base/offload.h"
#include "config/settings.h"
#include "knowledge/library.h"
#include "models/models.h"
#include "net/client.h"
#include "net/server.h"
#include "resources/request_memory.h"
#include "storage/stores.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

namespace mainstay::api {

struct AdminDesk;
struct AnalyzeDesk;
class RunningChats;
}  // namespace mainstay::api
namespace mainstay::resources {
class Governor;
}
namespace mainstay::storage {
class AudioStore;
class Shelf;
}  // namespace mainstay::storage
namespace mainstay::media {
class Decoders;
}
namespace mainstay::models {
class Hosts;
}
namespace mainstay::jobs {
class BatchDesk;
class Desk;
}  // namespace mainstay::jobs
namespace mainstay::api {

/// What `mainstay launch` says of the processes that it keeps running.
class Launched {
 public:
  virtual ~Launched() = default;
  /// {"children": [{"name", "state", "restarts", "last_exit", ...}]}; null when not started by it.
  /// Any thread.
  virtual Json processes() const = 0;
};

/// Everything endpoints use. Owned by app; outlives the listener.
struct Rooms {
  const Settings& settings;
  Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
  admission::Admission& admission;
  assistant::Assistant& assistant;
  models::Models& models;
  knowledge::Library& library;
  storage::Stores& stores;
  net::Client& client;
  /// Why the program is not ready ("starting", "stopping"); empty when it is. Never null.
  std::atomic<const char*>& not_ready;
  std::string listen;          ///< as configured, for the Host check
  AdminDesk* admin = nullptr;  ///< behind the admin endpoints; null: there are none
  const resources::Governor* governor = nullptr;  ///< null: pressure is not looked at
  std::function<void()> disk_was_full = {};       ///< called on a loop; must not block
  storage::Shelf* shelf = nullptr;                ///< contents of files; null: there are none
  jobs::BatchDesk* batches = nullptr;             ///< null: there are no batches
  jobs::Desk* jobs = nullptr;                     ///< null: there are no jobs
  const Launched* launched = nullptr;             ///< null: nothing is known of other processes
  media::Decoders* decoders = nullptr;            ///< null: no PDFs, no images
  AnalyzeDesk* analyze = nullptr;                 ///< null: texts are not analysed
  OffloadPool* pool = nullptr;                    ///< for long parsing; null: there is none
  models::Hosts* hosts = nullptr;                 ///< model servers of ours; null: there are none
  storage::AudioStore* audio = nullptr;           ///< null: spoken answers go inline
  RunningChats* running_chats = nullptr;          ///< null: chats with a key cannot be stopped
};

struct Route;
class KeyedExchange;

/// One request on its way. Lives in Service::serve's frame.
struct Context {
  Context(net::Exchange& e, const Route& r) : exchange(e), route(r) {}
  net::Exchange& exchange;
  const Route& route;
  RequestId id;
  TraceContext trace;
  admission::Caller caller;
  admission::RateView rate;
  admission::Priority priority = admission::Priority::interactive;
  std::string sender;     ///< whose limits.address it counts against; empty: none is set
  net::HeaderLines cors;  ///< for the page that sent it; mostly empty
  resources::RequestMemory::Start memory;
  std::string param;               ///< the path's {id}, if the route has one
  KeyedExchange* keyed = nullptr;  ///< is `exchange`, of a request with an Idempotency-Key
  std::string keyed_id;            ///< what the key makes of ids: the same when it is sent again
  Deadline by = Deadline::never();
  Duration queue_time{};
  // What the log line and the metrics say in the end.
  int status = 0;
  std::string_view code;  ///< stable error code; empty when none
  std::string detail;     ///< of an error, for the log
  models::Attribution by_whom;
  models::Usage usage;
  std::uint64_t told_tokens = 0;  ///< of a stream, by estimate
  bool streamed = false;
  bool lasting = false;  ///< a WebSocket: its length says nothing about how quick the program is
};

/// A header whose value is a list: its lines joined with commas, as HTTP has it; `name` in lower
/// case, empty when absent.
std::string list_header(const net::RequestHead& head, std::string_view name);

/// Headers that every reply of a request carries: id, limits.
void add_common_headers(net::HeaderLines& headers, const Context& context);
/// How an answer came about: x-mainstay-*, server-timing.
void add_attribution(net::HeaderLines& headers, const Context& context, Duration total);

/// Replies with JSON text.
Co<Status> reply_json(Context& context, int status, std::string body);
/// Whether the body is declared as JSON. Errors: unsupported "unsupported_media_type".
Status check_json(const Context& context);
/// Reads the body, which must be declared as JSON. Errors: check_json's and read_body's.
Co<Result<std::string>> read_json_body(const Rooms& rooms, Context& context);
/// The same, parsed to an object of known members: others are refused by name ("unknown_field").
Result<Json> object_of(const std::string& body, std::initializer_list<std::string_view> known);
/// A string member: required or not, bounded in bytes, without NUL. Errors name the field.
struct TextRule {
  bool required = false;
  std::size_t max = 1024;
};
Result<std::string> text_member(const Json& object, const char* key, TextRule rule);

}  // namespace mainstay::api
