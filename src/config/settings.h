// Every setting of Mainstay, once, with its default. config/table.cpp gives each its key, bounds
// and sentence; a test compares the two. Used by every room; knows no room.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "config/secret.h"
#include "config/settings_console.h"
#include "config/settings_hosts.h"
#include "config/settings_sound.h"
#include "config/settings_uploads.h"
#include "config/settings_voice.h"

namespace mainstay {

using Millis = std::chrono::milliseconds;

/// [server.websocket]
struct WebSocketSettings {
  Bytes message_max = 1_MiB;               ///< one message of a client
  Bytes outbound_max = 1_MiB;              ///< kept for a client that reads too slowly
  std::uint32_t outbound_messages = 4096;  ///< the same, in messages
  std::uint32_t message_rate = 50;         ///< frames a second of one client, over 10 s
  std::uint32_t per_user = 64;             ///< open at once of one user; 0: any number
  std::uint32_t pongs_missed = 2;          ///< unanswered pings after which a client is dead
  Millis ping{25'000};                     ///< between two pings
  Millis idle_timeout{1'800'000};          ///< without a message either way
  Millis close_timeout{2'000};             ///< for the goodbye to get out
  Millis auth_timeout{10'000};             ///< until the first message has said who it is
  Millis recheck{2'000};                   ///< between two looks whether the key still holds
};
/// [server] the HTTP listener.
struct ServerSettings {
  std::string listen = "127.0.0.1:8080";  ///< HOST:PORT; port 0 picks a free one
  std::string health_listen;              ///< extra HOST:PORT for health alone; empty: none
  std::string admin_listen;               ///< HOST:PORT for /admin alone; empty: on `listen`
  std::string tls_certificate;            ///< PEM file; empty: plain HTTP
  std::string tls_key;                    ///< PEM file
  std::uint32_t threads = 0;              ///< event loops; 0: one for each core
  std::uint32_t connections_max = 12000;
  Bytes header_max = 32_KiB;
  std::uint32_t headers_max = 100;  ///< header fields of one request
  Bytes body_max = 10_MiB;          ///< body on the wire and decoded
  Millis header_timeout{10'000};
  Millis body_timeout{30'000};
  Bytes body_rate_min{1_KiB};       ///< a second, of a body on its way; 0: any
  Millis body_rate_window{10'000};  ///< looked back at for body_rate_min
  Millis idle_timeout{75'000};
  Millis write_timeout{30'000};            ///< one write that makes no progress
  Millis stream_ping_interval{15'000};     ///< comment sent on a silent stream
  Millis request_timeout{300'000};         ///< one request from head to last byte
  Millis stop_timeout{30'000};             ///< to finish running requests at stop
  std::vector<std::string> allowed_hosts;  ///< Host names accepted beside loopback's
  std::vector<std::string> cors_origins;   ///< origins of web pages that may call
  WebSocketSettings websocket;
};

/// [storage]
struct StorageSettings {
  std::string data_dir;   ///< empty: $XDG_DATA_HOME/mainstay or ~/.local/share/mainstay
  std::string redis_url;  ///< of the server that holds jobs; empty: SQLite does
  std::string redis_durability = "always";  ///< always everysec; what its append-only file must do
  Secret postgres_url;  ///< of the server that holds conversations, keys, documents and vectors
  std::uint32_t readers = 4;  ///< reading connections
  std::uint32_t read_queue_max = 1024;
  std::uint32_t write_queue_max = 4096;
  std::uint32_t batch_max = 2048;  ///< operations of one commit
  Millis operation_timeout{5'000};
  Bytes reader_cache{2_MiB};
  Millis read_timeout{1'000};       ///< one read once it runs; a longer one is stopped
  Millis busy_timeout{2'000};       ///< waiting for another process's lock on a database
  std::string job_claims = "lazy";  ///< strict: an attempt begins after it was counted on the disk
  Bytes job_inputs_memory{8_MiB};   ///< inputs of waiting jobs that are kept in memory
};

/// [redis] connections to the server of storage.redis_url.
struct RedisSettings {
  std::string prefix = "mainstay";        ///< of all keys; processes that share jobs share it
  std::uint32_t connections = 2;          ///< for commands; waiting has one of its own, news two
  std::uint32_t queue_max = 8192;         ///< commands of one connection without a reply
  std::uint32_t batch_max = 64;           ///< jobs handled by one call of a script
  std::uint32_t batches_max = 2;          ///< calls of one script under way at once
  std::uint32_t batch_queue_max = 65536;  ///< jobs that wait for a call, of one script
  Millis connect_timeout{2'000};
  Millis reply_timeout{5'000};  ///< silence after which a connection is made anew
  Millis check_interval{30'000};
  Millis block{15'000};     ///< longest wait of one blocking read
  Millis patience{1'000};   ///< commands wait so long for a lost connection
  Millis retry_base{50};    ///< first pause before connecting again; doubles, with full jitter
  Millis retry_cap{2'000};  ///< longest pause
  Millis start_timeout{10'000};
  Bytes reply_max = 64_MiB;
};

/// [postgres] connections to the server of storage.postgres_url.
struct PostgresSettings {
  std::uint32_t pool_size = 20;      ///< connections that are kept
  std::uint32_t pool_overflow = 40;  ///< made beyond those when all are busy
  std::uint32_t queue_max = 4096;    ///< statements that wait for a connection
  Millis acquire_timeout{2'000};     ///< a statement's wait for a connection
  Millis connect_timeout{5'000};
  Millis statement_timeout{5'000};  ///< the server stops a statement that takes longer
  Millis check_interval{30'000};    ///< a connection idle for so long is asked before it is used
  Millis recycle{3'600'000};        ///< age at which a connection is made anew
  Millis patience{1'000};           ///< statements wait so long for a server that went away
  Millis retry_base{50};            ///< first pause before connecting again; doubles, full jitter
  Millis retry_cap{2'000};          ///< longest pause
  Millis start_timeout{10'000};
};

/// [log]
struct LogSettings {
  std::string level = "info";      ///< debug info warn error off
  std::string sink = "stderr";     ///< stderr, stdout, none or a file's path
  std::string format = "json";     ///< json or text
  std::uint32_t queue_max = 8192;  ///< lines; more are dropped and counted
  bool requests = true;            ///< one line for each request
};

/// [auth.jwt] tokens of one issuer. Off while none of jwks_url, public_key and secret is set.
struct JwtSettings {
  std::string issuer;    ///< the only accepted `iss`
  std::string audience;  ///< must be in `aud`
  std::string jwks_url;
  std::string public_key;  ///< PEM file: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)
  Secret secret;           ///< HS256
  std::string user_claim = "sub";
  std::string scopes_claim = "scope";
  std::string tenant_claim;         ///< empty: every user belongs to the tenant "default"
  std::vector<std::string> scopes;  ///< of every accepted token, beside those of its claim
  Millis leeway{60'000};            ///< between our clock and the issuer's
  Millis refresh{300'000};          ///< between two readings of jwks_url
  Millis refresh_min{60'000};       ///< the same when a token names an unknown key
  Millis stale_max{86'400'000};     ///< keys are used so long after jwks_url failed
  Millis fetch_timeout{10'000};
};
/// [auth] who may call.
struct AuthSettings {
  std::vector<Secret> keys;            ///< accepted API keys, beside those of `mainstay keys`
  bool required = false;               ///< callers of this machine need credentials too
  std::uint32_t keys_max = 10'000;     ///< keys of `mainstay keys`
  Millis keys_refresh{2'000};          ///< between two looks for changed keys
  std::uint32_t tokens_max = 10'000;   ///< verified tokens remembered
  std::uint32_t revoked_max = 10'000;  ///< tokens revoked by their id
  std::uint32_t failures_free = 50;    ///< wrong credentials of one address without a delay
  Millis failure_delay{1'000};         ///< after those; doubles with each
  Millis failure_delay_max{300'000};
  Millis failure_memory{900'000};              ///< quiet time after which failures are forgotten
  std::uint32_t failing_addresses_max = 8192;  ///< remembered at once
  JwtSettings jwt;
};

/// [limits.user]; 0: no limit.
struct UserLimits {
  std::uint32_t requests_per_minute = 30;
  std::uint32_t burst = 5;       ///< above requests_per_minute, at once
  std::uint32_t queued = 10;     ///< waiting messages of one user, and jobs; 0: one job alone
  std::uint32_t concurrent = 0;  ///< answered at once; more wait
  std::uint32_t tokens_per_minute = 0;
  std::uint32_t tokens_per_day = 0;
};
/// [limits.key], [limits.address], [limits.model]; 0: no limit.
struct SubjectLimits {
  std::uint32_t requests_per_minute = 0;
  std::uint32_t burst = 0;       ///< above requests_per_minute, at once
  std::uint32_t concurrent = 0;  ///< answered or waiting at once; more are refused
  std::uint32_t tokens_per_minute = 0;
  std::uint32_t tokens_per_day = 0;
};
/// [limits]
struct LimitSettings {
  bool enabled = true;
  UserLimits user;
  SubjectLimits key;                     ///< of one API key
  SubjectLimits address;                 ///< of one client address; of one /64 network with IPv6
  SubjectLimits model;                   ///< of one model, over all callers
  std::uint32_t tokens_reserved = 1024;  ///< for an answer whose request sets no maximum
  std::uint32_t users_max = 100'000;     ///< users, keys, addresses and models remembered at once
  std::uint32_t concurrent_max = 2000;   ///< requests answered at once
  std::uint32_t queued_max = 1000;       ///< requests waiting for a permit
  Millis queue_timeout{10'000};
  Millis overload_after{2'000};       ///< waiting without a break this long is overload
  std::uint32_t share_every = 16;     ///< one permit in this many is for less urgent classes
  std::uint32_t messages_max = 2048;  ///< messages of one chat request
  Bytes message_max = 4_MiB;          ///< text of one message
  std::uint32_t tools_max = 128;
  std::uint32_t max_tokens = 1'000'000;  ///< largest max_tokens a client may ask for
  std::uint32_t choices_max = 8;         ///< largest n
};

/// [upstream] the one HTTP client.
struct UpstreamSettings {
  std::uint32_t connections_max = 100;
  std::uint32_t keepalive_max = 20;
  std::uint32_t waiting_max = 1000;  ///< calls waiting for a connection
  Millis timeout{30'000};            ///< default for a whole call
  Millis connect_timeout{2'000};
  Millis keepalive_timeout{60'000};
  Millis dns_ttl{60'000};
  Bytes response_max = 64_MiB;  ///< body of one reply that is not a stream
  Bytes header_max = 64_KiB;
  Bytes event_max = 1_MiB;  ///< one server-sent event
  std::string proxy;        ///< http://host:port for https providers; empty: none
  std::string ca_file;      ///< PEM bundle; empty: the system's
  bool http2 = true;
};

/// [[providers]] one model server.
struct ProviderSettings {
  std::string name;
  std::string kind;  ///< openai ollama gemini anthropic wyoming
  std::string base_url;
  std::string host;  ///< name of the [[hosts]] entry that runs it; empty: it runs elsewhere
  Secret api_key;
  std::vector<std::string> models;  ///< served models; empty: asked of the provider
  std::string default_model;        ///< for `auto`; empty: the first
  std::uint32_t concurrent_max = 64;
  /// Of its own; zero: the one of the same name in [models].
  Millis first_token_timeout{0};
  Millis whole_answer_timeout{0};
  Millis between_tokens_timeout{0};
  Millis total_timeout{0};
};

/// One candidate of a route.
struct CandidateSettings {
  std::string provider;
  std::string model;
  std::uint32_t weight = 1;  ///< candidates with the same order share by weight
  std::uint32_t order = 0;   ///< lower is tried first
};
/// [[routes]] a model's name and who answers for it.
struct RouteSettings {
  std::string model;
  std::vector<std::string> aliases;
  std::vector<CandidateSettings> candidates;
  bool extractive_fallback = true;  ///< the built-in answerer when every candidate fails
};

/// [models] routing, timers, retry, breaker.
struct ModelSettings {
  std::string default_model = "auto";
  std::string transcription = "auto";  ///< model of a recording whose request names none
  std::string speech = "auto";         ///< model of a text to speak whose request names none
  bool discover = true;                ///< look for Ollama and llama-server on loopback
  Millis discover_interval{30'000};
  Millis queue_timeout{10'000};  ///< waiting for a provider's permit
  Millis first_token_timeout{30'000};
  Millis whole_answer_timeout{180'000};
  Millis between_tokens_timeout{10'000};
  Millis total_timeout{300'000};
  std::uint32_t attempts_max = 3;  ///< per candidate
  Millis retry_base{100};
  Millis retry_cap{20'000};
  double retry_budget_ratio = 0.2;       ///< retries earned by one request
  double retry_budget_per_second = 1.0;  ///< retries earned by time
  std::uint32_t breaker_window = 20;     ///< calls looked back at
  std::uint32_t breaker_calls_min = 5;
  double breaker_failure_ratio = 0.5;
  Millis breaker_open{5'000};  ///< doubles up to breaker_open_max
  Millis breaker_open_max{300'000};
  Millis raise_every{1'000};  ///< calls at once grow by at most one in this time
  std::uint32_t extractive_sentences = 5;
};

/// [cache] the response cache.
struct CacheSettings {
  bool enabled = true;
  Bytes size_max = 16_MiB;
  Bytes entry_max = 1_MiB;
  Millis ttl{300'000};
  bool stale_if_error = false;
  Millis stale_max{3'600'000};
  bool coalesce = true;
  std::uint32_t followers_max = 1000;  ///< of one call in flight
  Bytes stream_buffer_max = 4_MiB;     ///< of one shared stream
};

/// [conversations]
struct ConversationSettings {
  std::uint32_t window_tokens = 8'000;  ///< history sent with a question
  std::uint32_t list_max = 100;
  Bytes message_max = 1_MiB;
};

/// [knowledge]
struct KnowledgeSettings {
  std::string default_collection = "default";
  std::uint32_t chunk_tokens = 256;
  std::uint32_t chunk_overlap_tokens = 32;
  Bytes document_max = 4_GiB;
  Bytes html_max = 8_MiB;      ///< of one HTML page, which is read as a whole
  std::uint32_t passages = 8;  ///< given to a model
  std::uint32_t search_max = 100;
  std::uint32_t context_tokens = 3'000;      ///< of all passages together
  Millis ingest_timeout{7'200'000};          ///< of one attempt at a file
  std::uint32_t vocabulary_max = 1'000'000;  ///< words known for typing errors
  std::string embedding_model;               ///< "provider/model" or a route; empty: no vectors
  Millis embedding_patience{3'000};          ///< a search waits so long for its question's vector
  Bytes vector_memory = 256_MiB;             ///< vectors in memory; beyond it search is by words
};

/// [embeddings] turning texts into vectors.
struct EmbeddingSettings {
  std::uint32_t batch_max = 64;         ///< texts of one call to a provider
  std::uint32_t batch_tokens = 16'384;  ///< of one call, estimated
  std::uint32_t at_once = 4;            ///< calls under way
  std::uint32_t waiting_max = 10'000;   ///< texts that wait for a call; more are refused
  Bytes cache_memory = 8_MiB;           ///< vectors kept in memory
  Bytes cache_max = 256_MiB;            ///< vectors kept on the disk
  std::uint32_t cache_entries = 200'000;
  std::uint32_t inputs_max = 2048;  ///< texts of one POST /v1/embeddings
};

/// [reload] when the configuration is read again while the program runs.
struct ReloadSettings {
  Millis ttl{300'000};           ///< read again at least this often
  Millis check_interval{1'000};  ///< between two looks at the file
  Millis probe_timeout{1'500};   ///< for new providers to answer before they take over
};

/// [sessions] who was active of late.
struct SessionSettings {
  Millis idle_timeout{1'800'000};  ///< silence after which a session is over
  std::uint32_t sessions_max = 100'000;
};

/// [admin] what the admin endpoints remember.
struct AdminSettings {
  std::uint32_t audit_max = 1000;
  Millis slow_threshold{1'000};  ///< requests that take as long or longer are listed
  std::uint32_t slow_max = 100;
  std::uint32_t tasks_max = 100;  ///< ended background tasks that stay listed
};

/// [resources] what Mainstay may use of its machine, and when it gives back. Shares are 0 to 1.
struct ResourceSettings {
  bool enabled = true;
  Millis sample_interval{1'000};
  std::string machine_root;  ///< put before /proc and /sys where the sensors look
  Bytes memory_max{0};  ///< most memory of the process; 0: what the control group or machine has
  double memory_soft = 0.85;
  double memory_hard = 0.95;
  double stall_memory_some = 0.10;  ///< share of time in which something waited for memory
  double stall_memory_full = 0.05;  ///< share of time in which everything waited for memory
  double stall_io = 0.20;           ///< share of time in which everything waited for a disk
  double stall_cpu = 0.60;          ///< share of time in which something waited for a core
  Millis loop_late_hard{250};       ///< an own event loop that is this late takes fewer requests
  double descriptors_soft = 0.70;
  double descriptors_hard = 0.90;
  double disk_soft_share = 0.05;  ///< of the disk and of its inodes that stays free
  Bytes disk_soft{512_MiB};       ///< the larger of share and size holds
  double disk_hard_share = 0.02;
  Bytes disk_hard{128_MiB};
  Bytes disk_ballast{32_MiB};  ///< twice the WAL's cap; given back when the disk is full
  double heat_trip = 85;       ///< degrees of a sensor that names no trip point
  double heat_soft_margin = 10;
  double heat_hard_margin = 3;
  double gpu_soft = 0.85;
  double gpu_hard = 0.93;
  Millis hold{10'000};  ///< calm time before a level is left
  Millis stall_hold{30'000};
  Millis heat_hold{60'000};
  Millis trim_interval{10'000};     ///< between two returns of free heap
  Bytes request_growth{50_MiB};     ///< growth within one request that is reported
  double growth_alarm = 5;          ///< percent of memory an hour
  Millis growth_warm_up{600'000};   ///< after the start, not looked at
  Millis growth_window{3'600'000};  ///< looked back at
  double cpu_alarm = 0.70;          ///< share of all cores
  double pool_alarm = 0.80;         ///< use of one pool
  Bytes memory_alarm{512_MiB};
  std::uint32_t handles_alarm = 100;  ///< descriptors beside client connections
  Millis alarm_hold{60'000};          ///< time that a figure stays bad before its alert
  std::uint32_t alerts_max = 100;     ///< past alerts remembered
};

/// [jobs.events] news of jobs, kept for those who follow them.
struct JobEventSettings {
  std::uint32_t events_max = 512;     ///< kept of one job or user; the oldest go first
  Bytes bytes_max{256_KiB};           ///< of one job or user
  std::uint32_t topics_max = 20'000;  ///< jobs and users with news
  Millis keep{600'000};               ///< after the last event of a job or user
  Bytes result_max{32_KiB};           ///< a longer result is left out of the news
  Millis token_interval{50};          ///< between two events with pieces of one answer
  Millis recheck{5'000};              ///< between two looks at the record of a followed job
  std::uint32_t followed_max = 256;   ///< jobs that one event stream watches at once
};
/// [jobs.webhooks] messages about the ends of jobs.
struct JobWebhookSettings {
  Secret secret;                   ///< whsec_ and base64; empty: no job may name a webhook
  std::vector<std::string> allow;  ///< hosts that may be private addresses
  Millis timeout{15'000};          ///< of one delivery
  std::uint32_t attempts_max = 10;
  Millis backoff_min{5'000};  ///< grows fourfold with each attempt, up to backoff_max
  Millis backoff_max{21'600'000};
  Bytes result_max{256_KiB};     ///< a longer result is left out of the message
  Millis look_after{3'600'000};  ///< until a job is looked at whose end nobody reported
};
/// [jobs] durable work.
struct JobSettings {
  std::uint32_t workers = 0;       ///< jobs run at once; 0: by cores
  std::string runs = "all";        ///< all own shared; which jobs this process takes
  Millis lease{30'000};            ///< a silent worker loses its job after this
  Millis poll{15'000};             ///< longest wait of one request for work
  std::uint32_t attempts_max = 3;  ///< of one job
  Millis backoff_min{1'000};       ///< between attempts; the bound doubles with each
  Millis backoff_max{600'000};
  Millis timeout{300'000};          ///< of one attempt
  Millis keep_results{86'400'000};  ///< ended jobs with their results
  Millis keep_dead{604'800'000};
  Millis keep_keys{86'400'000};     ///< idempotency keys, at least
  std::uint32_t depth_high = 5000;  ///< unfinished jobs; more are refused …
  std::uint32_t depth_low = 3000;   ///< … until there are fewer than this
  std::uint32_t poison_after = 3;   ///< leases that ended without a word before a job is dead
  Bytes input_max{1_MiB};           ///< of one job, as JSON
  Millis delay_max{2'592'000'000};  ///< how far ahead a job may be planned
  Millis repeat_min{60'000};        ///< between two occurrences of a repeating job
  Millis give_back_time{2'000};     ///< kept at the end of a stop for handing jobs back
  std::uint32_t list_max = 100;     ///< jobs on one page
  JobEventSettings events;
  JobWebhookSettings webhooks;
};

/// [launch] the processes of `mainstay launch`.
struct LaunchSettings {
  std::uint32_t worker_processes = 1;  ///< beside the web process; with storage.redis_url alone
  std::uint32_t restarts_max = 5;      ///< of one child in restart_window; then it is given up
  Millis restart_window{300'000};
  Millis backoff_min{1'000};  ///< before a restart; the bound doubles with each
  Millis backoff_max{30'000};
  Millis heartbeat{2'000};       ///< between two signs of life
  std::uint32_t missed_max = 3;  ///< so many missed in a row: the child hangs
  Millis stuck_after{30'000};    ///< it lives, but not every loop of it answers
  Millis start_timeout{60'000};
};

/// [idempotency] replies kept for requests that carry an Idempotency-Key.
struct IdempotencySettings {
  Millis keep{86'400'000};
  Bytes reply_max{1_MiB};  ///< a larger reply is not kept
  std::uint32_t owner_entries_max = 1000;
  Bytes owner_bytes_max{16_MiB};
  std::uint32_t entries_max = 100'000;
  Bytes bytes_max{256_MiB};
};

/// [files] what clients put here with POST /v1/files.
struct FileSettings {
  Bytes size_max{200_MiB};  ///< of one file
  std::uint32_t owner_entries_max = 1000;
  Bytes owner_bytes_max{16_GiB};  ///< with what its unfinished uploads will be
  Millis keep{2'592'000'000};     ///< of a file that names no time of its own
};
/// [batches] many requests in one file.
struct BatchSettings {
  std::uint32_t requests_max = 50'000;  ///< lines of one input file
  Bytes line_max{1_MiB};
  std::uint32_t owner_open_max = 10;  ///< unfinished batches of one user
  std::uint32_t at_once = 8;          ///< batches worked at; the others wait
  std::uint32_t outstanding = 64;     ///< jobs of one batch at once
  Millis recheck{15'000};             ///< longest wait for news before looking again
  Millis keep{2'592'000'000};         ///< ended batches, from when they were made
};

/// [media] PDFs and images, read by processes that are locked in (docs/images.md).
struct MediaSettings {
  std::uint32_t decoders = 0;        ///< at once; 0: one for each core, at most 2
  std::string decoder;               ///< the program; empty: mainstay-decoder beside this one
  Bytes decoder_memory = 1_GiB;      ///< address space of one
  Bytes decoder_resident = 128_MiB;  ///< after a file; one that holds more is replaced
  Millis decoder_deadline{30'000};   ///< for one file
  Millis decoder_idle{60'000};       ///< one without work is ended then
  std::uint32_t decoder_waiting_max = 64;
  std::uint32_t items_per_decoder = 500;
  std::uint32_t pdf_pages_max = 10'000;
  Bytes pdf_text_max = 256_MiB;
  std::uint32_t image_pixels_max = 40'000'000;
  Bytes image_bytes_max = 64_MiB;  ///< one picture
  Bytes image_result_max = 64_MiB;
  std::uint32_t images_max = 256;  ///< in one request
  Bytes images_bytes_max = 1_GiB;  ///< in one request
};

/// [analysis] texts given to POST /v1/analyze.
struct AnalysisSettings {
  Bytes body_max{4_GiB};      ///< of one text; it is never whole in memory
  std::uint32_t at_once = 4;  ///< each holds up to 14 MB
};

/// [offload] threads for work that blocks.
struct OffloadSettings {
  std::uint32_t threads = 2;
  std::uint32_t queue_max = 1024;
};

/// The whole tree. Immutable once loaded; shared as shared_ptr<const Settings>.
struct Settings {
  std::string profile = "auto";  ///< auto sbc nas desktop server cluster
  ServerSettings server;
  StorageSettings storage;
  RedisSettings redis;
  PostgresSettings postgres;
  LogSettings log;
  AuthSettings auth;
  LimitSettings limits;
  UpstreamSettings upstream;
  ModelSettings models;
  CacheSettings cache;
  ConversationSettings conversations;
  KnowledgeSettings knowledge;
  EmbeddingSettings embeddings;
  ResourceSettings resources;
  OffloadSettings offload;
  ReloadSettings reload;
  SessionSettings sessions;
  AdminSettings admin;
  ConsoleSettings console;
  JobSettings jobs;
  LaunchSettings launch;
  IdempotencySettings idempotency;
  FileSettings files;
  UploadSettings uploads;
  ArchiveSettings archives;
  BatchSettings batches;
  AnalysisSettings analysis;
  MediaSettings media;
  SoundSettings sound;
  AudioSettings audio;
  VoiceSettings voice;
  HostingSettings hosting;
  WyomingSettings wyoming;
  std::vector<ProviderSettings> providers;
  std::vector<RouteSettings> routes;
  std::vector<HostSettings> hosts;
};

}  // namespace mainstay
