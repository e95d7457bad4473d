// Every setting's key, bounds and sentence, but those of other table_*.cpp. Defaults: settings.h.
#include "config/table.h"

#include <array>
#include <vector>

#include "config/row_makers.h"

namespace mainstay::config {
namespace {

using S = Settings;

constexpr auto kStorage = &S::storage;
using Storage = StorageSettings;
constexpr auto kRedis = &S::redis;
using Redis = RedisSettings;
constexpr auto kAuth = &S::auth;
using Auth = AuthSettings;
using Jwt = JwtSettings;
constexpr auto kLimits = &S::limits;
using Limits = LimitSettings;
using Subject = SubjectLimits;
constexpr auto kUpstream = &S::upstream;
using Upstream = UpstreamSettings;
constexpr auto kModels = &S::models;
using Models = ModelSettings;
constexpr auto kCache = &S::cache;
constexpr auto kKnowledge = &S::knowledge;
using Knowledge = KnowledgeSettings;
constexpr auto kResources = &S::resources;
using Resources = ResourceSettings;
constexpr auto kReload = &S::reload;
using Reload = ReloadSettings;
constexpr auto kSessions = &S::sessions;
using Sessions = SessionSettings;
constexpr auto kAdmin = &S::admin;
using Admin = AdminSettings;

constexpr Row kRows[] = {
    text<kStorage, &Storage::data_dir>(
        "storage.data_dir", Form::any,
        "Folder of the databases; empty: $XDG_DATA_HOME/mainstay or ~/.local/share/mainstay."),
    text<kStorage, &Storage::redis_url>(
        "storage.redis_url", Form::any,
        "Redis server that holds jobs, for several machines: redis://:PASSWORD@HOST:6379/0 or "
        "unix:///PATH; empty: SQLite holds them."),
    choice<kStorage, &Storage::redis_durability>(
        "storage.redis_durability", "always|everysec",
        "What Redis' append-only file must do at least; everysec can lose accepted jobs."),
    text<kStorage, &Storage::postgres_url>(
        "storage.postgres_url", Form::any,
        "PostgreSQL server that holds conversations, keys, documents and vectors, for several "
        "machines: postgres://user:password@host:5432/database; empty: SQLite holds them."),
    row<kStorage, &Storage::readers>("storage.readers", {1, 64},
                                     "Database connections, each with a thread, that read."),
    row<kStorage, &Storage::read_queue_max>("storage.read_queue_max", kCount,
                                            "Reads that wait for a reader; more are refused."),
    row<kStorage, &Storage::write_queue_max>("storage.write_queue_max", kCount,
                                             "Writes that wait for the writer; more are refused."),
    row<kStorage, &Storage::batch_max>("storage.batch_max", {1, 100'000},
                                       "Writes that share one commit."),
    row<kStorage, &Storage::operation_timeout>(
        "storage.operation_timeout", kTimeout,
        "Time for one read or write, its wait in the queue included."),
    row<kStorage, &Storage::reader_cache>("storage.reader_cache", {64 * kKiB, 4 * kGiB},
                                          "Page cache of one database connection."),
    row<kStorage, &Storage::read_timeout>(
        "storage.read_timeout", kTimeout,
        "Time for one read once it runs; a longer one is stopped."),
    row<kStorage, &Storage::busy_timeout>("storage.busy_timeout", kTimeout,
                                          "Wait for another process's lock on a database."),
    choice<kStorage, &Storage::job_claims>(
        "storage.job_claims", "lazy|strict",
        "When an attempt of a job begins: at once (lazy: it is counted on the disk with the next "
        "write), or after it was counted there (strict)."),
    row<kStorage, &Storage::job_inputs_memory>(
        "storage.job_inputs_memory", {0, kGiB},
        "Inputs of waiting jobs that are kept in memory; the others are read when they run."),

    text<kRedis, &Redis::prefix>("redis.prefix", Form::any,
                                 "Begin of all keys; processes that share jobs share it.", {1, 64}),
    row<kRedis, &Redis::connections>("redis.connections", {1, 64},
                                     "Connections for commands; waiting has its own."),
    row<kRedis, &Redis::queue_max>("redis.queue_max", {16, 1'000'000},
                                   "Commands of one connection without a reply; more are refused."),
    row<kRedis, &Redis::batch_max>("redis.batch_max", {1, 500},
                                   "Jobs that are handled by one call of a script."),
    row<kRedis, &Redis::batches_max>("redis.batches_max", {1, 64},
                                     "Calls of one script that are under way at once."),
    row<kRedis, &Redis::batch_queue_max>(
        "redis.batch_queue_max", kCount,
        "Jobs that wait for a call of one script; more are refused."),
    row<kRedis, &Redis::connect_timeout>("redis.connect_timeout", kTimeout,
                                         "Time for connecting, password and checks together."),
    row<kRedis, &Redis::reply_timeout>(
        "redis.reply_timeout", kTimeout,
        "Silence of the server after which a connection is made anew."),
    row<kRedis, &Redis::check_interval>("redis.check_interval", kTimeout,
                                        "Idle time after which a connection is checked."),
    row<kRedis, &Redis::block>("redis.block", {100, kHour},
                               "Longest time that one read waits for work at the server."),
    row<kRedis, &Redis::patience>(
        "redis.patience", {0, kHour},
        "Time that commands wait for a lost connection; later ones are refused until it is back."),
    row<kRedis, &Redis::retry_base>("redis.retry_base", kTimeout,
                                    "First pause before connecting again; doubles, with jitter."),
    row<kRedis, &Redis::retry_cap>("redis.retry_cap", kTimeout,
                                   "Longest pause before connecting again."),
    row<kRedis, &Redis::start_timeout>("redis.start_timeout", kTimeout,
                                       "Time that the server may take to answer at the start."),
    row<kRedis, &Redis::reply_max>("redis.reply_max", {kMiB, 4 * kGiB},
                                   "One reply of the server; a larger one breaks the connection."),

    choice<&S::log, &LogSettings::level>("log.level", "debug|info|warn|error|off",
                                         "Least important lines that are written.", kLive),
    text<&S::log, &LogSettings::sink>("log.sink", Form::any,
                                      "Where lines go: stderr, stdout, none, or a file's path.",
                                      {1, 4096}),
    choice<&S::log, &LogSettings::format>(
        "log.format", "json|text", "Form of a line: json (one object a line) or text (key=value)."),
    row<&S::log, &LogSettings::queue_max>(
        "log.queue_max", {16, 1'000'000},
        "Lines that wait for the writer; more are dropped and counted."),
    row<&S::log, &LogSettings::requests>("log.requests", kOnOff, "Write one line for each request.",
                                         kLive),

    row<kAuth, &Auth::keys>("auth.keys", {0, 1000},
                            "Accepted API keys, beside those of `mainstay keys`; with any, callers "
                            "of this machine need one too.",
                            kLive),
    row<kAuth, &Auth::required>(
        "auth.required", kOnOff,
        "Ask callers of this machine for credentials too; needed behind a proxy on it.", kLive),
    row<kAuth, &Auth::keys_max>("auth.keys_max", {1, 1'000'000},
                                "Keys that `mainstay keys new` may make."),
    row<kAuth, &Auth::keys_refresh>(
        "auth.keys_refresh", {100, kHour},
        "Time after which a running server sees keys made or revoked on the command line."),
    row<kAuth, &Auth::tokens_max>("auth.tokens_max", {16, 1'000'000},
                                  "Verified tokens that are remembered."),
    row<kAuth, &Auth::revoked_max>("auth.revoked_max", {1, 1'000'000},
                                   "Tokens that may be revoked by their id at once."),
    row<kAuth, &Auth::failures_free>(
        "auth.failures_free", {0, 1'000'000},
        "Wrong credentials of one address that are answered without a delay.", kLive),
    row<kAuth, &Auth::failure_delay>("auth.failure_delay", {1, kHour},
                                     "Delay after one more wrong credential; doubles with each.",
                                     kLive),
    row<kAuth, &Auth::failure_delay_max>("auth.failure_delay_max", {1, kDay},
                                         "Longest delay after wrong credentials.", kLive),
    row<kAuth, &Auth::failure_memory>(
        "auth.failure_memory", {1000, kDay},
        "Quiet time after which an address's wrong credentials are forgotten.", kLive),
    row<kAuth, &Auth::failing_addresses_max>("auth.failing_addresses_max", {8, 1'000'000},
                                             "Addresses with wrong credentials remembered."),
    text<kAuth, &Auth::jwt, &Jwt::issuer>("auth.jwt.issuer", Form::any,
                                          "The `iss` that tokens must have.", {0, 1024}),
    text<kAuth, &Auth::jwt, &Jwt::audience>("auth.jwt.audience", Form::any,
                                            "What a token's `aud` must hold.", {0, 1024}),
    text<kAuth, &Auth::jwt, &Jwt::jwks_url>("auth.jwt.jwks_url", Form::http_url,
                                            "Address of the issuer's keys (JSON Web Key Set).",
                                            {0, 2048}),
    text<kAuth, &Auth::jwt, &Jwt::public_key>(
        "auth.jwt.public_key", Form::any,
        "PEM file with the issuer's public key: RSA, P-256 or Ed25519."),
    text<kAuth, &Auth::jwt, &Jwt::secret>("auth.jwt.secret", Form::any,
                                          "Secret of HS256 tokens, at least 32 bytes.", {0, 4096}),
    text<kAuth, &Auth::jwt, &Jwt::user_claim>("auth.jwt.user_claim", Form::any,
                                              "Claim that names the user.", {1, 128}),
    text<kAuth, &Auth::jwt, &Jwt::scopes_claim>(
        "auth.jwt.scopes_claim", Form::any,
        "Claim with the scopes, as a list or separated by blanks.", {1, 128}),
    text<kAuth, &Auth::jwt, &Jwt::tenant_claim>(
        "auth.jwt.tenant_claim", Form::any,
        "Claim that names the tenant; empty: all belong to \"default\".", {0, 128}),
    row<kAuth, &Auth::jwt, &Jwt::scopes>(
        "auth.jwt.scopes", {0, 4},
        "Scopes of every accepted token beside its claim's: chat, jobs, knowledge, admin."),
    row<kAuth, &Auth::jwt, &Jwt::leeway>("auth.jwt.leeway", {0, kHour},
                                         "Difference of clocks allowed at `exp` and `nbf`."),
    row<kAuth, &Auth::jwt, &Jwt::refresh>("auth.jwt.refresh", {1000, kDay},
                                          "Time between two readings of jwks_url."),
    row<kAuth, &Auth::jwt, &Jwt::refresh_min>(
        "auth.jwt.refresh_min", {1000, kDay},
        "Shortest time between two readings when a token names an unknown key."),
    row<kAuth, &Auth::jwt, &Jwt::stale_max>(
        "auth.jwt.stale_max", {1000, 30 * kDay},
        "Time that the last keys are used while jwks_url cannot be read."),
    row<kAuth, &Auth::jwt, &Jwt::fetch_timeout>("auth.jwt.fetch_timeout", kTimeout,
                                                "Time for one reading of jwks_url."),

    row<kLimits, &Limits::enabled>("limits.enabled", kOnOff, "Apply the limits of users.", kLive),
    row<kLimits, &Limits::user, &UserLimits::requests_per_minute>(
        "limits.user.requests_per_minute", kPerMinute,
        "Requests of one user in a minute; 0: no limit.", kLive),
    row<kLimits, &Limits::user, &UserLimits::burst>(
        "limits.user.burst", {0, 100'000},
        "Requests that one user may send at once beyond requests_per_minute.", kLive),
    row<kLimits, &Limits::user, &UserLimits::queued>(
        "limits.user.queued", {0, 100'000},
        "One user's messages that wait for a permit, and jobs (0: one job).", kLive),
    row<kLimits, &Limits::user, &UserLimits::concurrent>(
        "limits.user.concurrent", kAtOnce,
        "Messages of one user that are answered at once; more wait; 0: no limit.", kLive),
    row<kLimits, &Limits::user, &UserLimits::tokens_per_minute>(
        "limits.user.tokens_per_minute", kTokens, "Tokens of one user in a minute; 0: no limit.",
        kLive),
    row<kLimits, &Limits::user, &UserLimits::tokens_per_day>(
        "limits.user.tokens_per_day", kTokens, "Tokens of one user in a day; 0: no limit.", kLive),
    row<kLimits, &Limits::key, &Subject::requests_per_minute>(
        "limits.key.requests_per_minute", kPerMinute,
        "Requests of one API key in a minute; 0: no limit.", kLive),
    row<kLimits, &Limits::key, &Subject::burst>(
        "limits.key.burst", {0, 100'000},
        "Requests of one API key at once beyond requests_per_minute.", kLive),
    row<kLimits, &Limits::key, &Subject::concurrent>(
        "limits.key.concurrent", kAtOnce,
        "Messages of one API key at once, waiting ones counted; more are refused; 0: no limit.",
        kLive),
    row<kLimits, &Limits::key, &Subject::tokens_per_minute>(
        "limits.key.tokens_per_minute", kTokens, "Tokens of one API key in a minute; 0: no limit.",
        kLive),
    row<kLimits, &Limits::key, &Subject::tokens_per_day>(
        "limits.key.tokens_per_day", kTokens, "Tokens of one API key in a day; 0: no limit.",
        kLive),
    row<kLimits, &Limits::address, &Subject::requests_per_minute>(
        "limits.address.requests_per_minute", kPerMinute,
        "Requests of one client address in a minute; 0: no limit.", kLive),
    row<kLimits, &Limits::address, &Subject::burst>(
        "limits.address.burst", {0, 100'000},
        "Requests of one client address at once beyond requests_per_minute.", kLive),
    row<kLimits, &Limits::address, &Subject::concurrent>(
        "limits.address.concurrent", kAtOnce,
        "Messages of one client address at once, waiting ones counted; more are refused; 0: no "
        "limit.",
        kLive),
    row<kLimits, &Limits::address, &Subject::tokens_per_minute>(
        "limits.address.tokens_per_minute", kTokens,
        "Tokens of one client address in a minute; 0: no limit.", kLive),
    row<kLimits, &Limits::address, &Subject::tokens_per_day>(
        "limits.address.tokens_per_day", kTokens,
        "Tokens of one client address in a day; 0: no limit.", kLive),
    row<kLimits, &Limits::model, &Subject::requests_per_minute>(
        "limits.model.requests_per_minute", kPerMinute,
        "Requests of one model in a minute; 0: no limit.", kLive),
    row<kLimits, &Limits::model, &Subject::burst>(
        "limits.model.burst", {0, 100'000},
        "Requests of one model at once beyond requests_per_minute.", kLive),
    row<kLimits, &Limits::model, &Subject::concurrent>(
        "limits.model.concurrent", kAtOnce,
        "Messages of one model at once, waiting ones counted; more are refused; 0: no limit.",
        kLive),
    row<kLimits, &Limits::model, &Subject::tokens_per_minute>(
        "limits.model.tokens_per_minute", kTokens, "Tokens of one model in a minute; 0: no limit.",
        kLive),
    row<kLimits, &Limits::model, &Subject::tokens_per_day>(
        "limits.model.tokens_per_day", kTokens, "Tokens of one model in a day; 0: no limit.",
        kLive),
    row<kLimits, &Limits::tokens_reserved>(
        "limits.tokens_reserved", {1, 100'000'000},
        "Tokens reserved for an answer whose request sets no max_tokens.", kLive),
    row<kLimits, &Limits::users_max>(
        "limits.users_max", {1, 10'000'000},
        "Users, keys, addresses and models whose use is remembered at once."),
    row<kLimits, &Limits::concurrent_max>("limits.concurrent_max", kCount,
                                          "Requests that are answered at once.", kLive),
    row<kLimits, &Limits::queued_max>("limits.queued_max", {0, 1'000'000},
                                      "Requests that wait for a permit; more are refused.", kLive),
    row<kLimits, &Limits::queue_timeout>("limits.queue_timeout", {0, kHour},
                                         "Longest wait for a permit.", kLive),
    row<kLimits, &Limits::overload_after>(
        "limits.overload_after", {1, kHour},
        "Waiting without a break for this long counts as overload: the newest of the anonymous "
        "interactive users goes first.",
        kLive),
    row<kLimits, &Limits::share_every>(
        "limits.share_every", {2, 100'000},
        "A waiting class of work gets a permit after more urgent ones took this many.", kLive),
    row<kLimits, &Limits::messages_max>("limits.messages_max", {1, 100'000},
                                        "Messages of one chat request.", kLive),
    row<kLimits, &Limits::message_max>("limits.message_max", {kKiB, kGiB},
                                       "Text of one message of a chat request.", kLive),
    row<kLimits, &Limits::tools_max>("limits.tools_max", {0, 10'000},
                                     "Tools that one chat request may offer.", kLive),
    row<kLimits, &Limits::max_tokens>("limits.max_tokens", {1, 100'000'000},
                                      "Largest max_tokens that a request may ask for.", kLive),
    row<kLimits, &Limits::choices_max>("limits.choices_max", {1, 128},
                                       "Largest n (number of answers) that a request may ask for.",
                                       kLive),

    row<kUpstream, &Upstream::connections_max>("upstream.connections_max", {1, 10'000},
                                               "Connections to all providers together."),
    row<kUpstream, &Upstream::keepalive_max>(
        "upstream.keepalive_max", {0, 10'000},
        "Idle connections kept open for reuse; at most connections_max."),
    row<kUpstream, &Upstream::waiting_max>("upstream.waiting_max", {0, 1'000'000},
                                           "Calls that wait for a connection; more are refused."),
    row<kUpstream, &Upstream::timeout>("upstream.timeout", kTimeout,
                                       "Time for a whole call that sets no other."),
    row<kUpstream, &Upstream::connect_timeout>("upstream.connect_timeout", {1, kHour},
                                               "Time to connect, TLS included."),
    row<kUpstream, &Upstream::keepalive_timeout>("upstream.keepalive_timeout", {0, kDay},
                                                 "Time that an idle connection is kept."),
    row<kUpstream, &Upstream::dns_ttl>("upstream.dns_ttl", {0, kDay},
                                       "Time that a looked-up address is remembered."),
    row<kUpstream, &Upstream::response_max>("upstream.response_max", {kKiB, 4 * kGiB},
                                            "Body of one reply that is not a stream."),
    row<kUpstream, &Upstream::header_max>("upstream.header_max", {kKiB, kMiB},
                                          "Head of one reply."),
    row<kUpstream, &Upstream::event_max>("upstream.event_max", {kKiB, kGiB},
                                         "One event of a streamed reply."),
    text<kUpstream, &Upstream::proxy>("upstream.proxy", Form::http_url,
                                      "Proxy for https providers, http://HOST:PORT; empty: none.",
                                      {0, 2048}),
    text<kUpstream, &Upstream::ca_file>("upstream.ca_file", Form::any,
                                        "PEM file with trusted authorities; empty: the system's."),
    row<kUpstream, &Upstream::http2>("upstream.http2", kOnOff,
                                     "Speak HTTP/2 with https providers that can."),

    text<kModels, &Models::default_model>("models.default_model", Form::any,
                                          "Model of a request that names none.", {1, 256}, kLive),
    text<kModels, &Models::transcription>(
        "models.transcription", Form::any,
        "Model that hears a recording whose request names none or auto; auto: Wyoming servers that "
        "are configured, then the built-in engine.",
        {1, 256}, kLive),
    text<kModels, &Models::speech>(
        "models.speech", Form::any,
        "Model that speaks a text whose request names none or auto; auto: Wyoming servers that are "
        "configured, then the built-in engine.",
        {1, 256}, kLive),
    row<kModels, &Models::discover>(
        "models.discover", kOnOff,
        "Look for Ollama, LM Studio and llama-server on their loopback ports.", kLive),
    row<kModels, &Models::discover_interval>("models.discover_interval", {100, kDay},
                                             "Time between two looks.", kLive),
    row<kModels, &Models::queue_timeout>("models.queue_timeout", {0, kHour},
                                         "Longest wait for a provider's permit.", kLive),
    row<kModels, &Models::first_token_timeout>("models.first_token_timeout", kTimeout,
                                               "Time until the first token of a streamed answer.",
                                               kLive),
    row<kModels, &Models::whole_answer_timeout>("models.whole_answer_timeout", kTimeout,
                                                "Time for an answer that is not streamed.", kLive),
    row<kModels, &Models::between_tokens_timeout>("models.between_tokens_timeout", kTimeout,
                                                  "Longest silence inside a streamed answer.",
                                                  kLive),
    row<kModels, &Models::total_timeout>("models.total_timeout", kTimeout,
                                         "Time for one attempt from its start to its last token.",
                                         kLive),
    row<kModels, &Models::attempts_max>("models.attempts_max", {1, 20},
                                        "Attempts with one candidate, the first included.", kLive),
    row<kModels, &Models::retry_base>(
        "models.retry_base", {1, kHour},
        "Longest wait before the first retry; doubles with each (full jitter).", kLive),
    row<kModels, &Models::retry_cap>("models.retry_cap", {1, kHour},
                                     "Longest wait before any retry.", kLive),
    row<kModels, &Models::retry_budget_ratio>(
        "models.retry_budget_ratio", {0, 10},
        "Retries that one request earns for the whole program.", kLive),
    row<kModels, &Models::retry_budget_per_second>("models.retry_budget_per_second", {0, 1000},
                                                   "Retries that one second earns.", kLive),
    row<kModels, &Models::breaker_window>(
        "models.breaker_window", {1, 10'000},
        "Last calls that a breaker looks at: a server's or a model's.", kLive),
    row<kModels, &Models::breaker_calls_min>(
        "models.breaker_calls_min", {1, 10'000},
        "Calls before the breaker may open; at most breaker_window.", kLive),
    row<kModels, &Models::breaker_failure_ratio>(
        "models.breaker_failure_ratio", {0.01, 1},
        "Share of failed calls at which the breaker opens.", kLive),
    row<kModels, &Models::breaker_open>(
        "models.breaker_open", {1, kDay},
        "Time that a breaker stays open at first; doubles up to breaker_open_max.", kLive),
    row<kModels, &Models::breaker_open_max>("models.breaker_open_max", {1, kDay},
                                            "Longest time that a breaker stays open.", kLive),
    row<kModels, &Models::raise_every>(
        "models.raise_every", {1, kHour},
        "After a provider said that calls were too many: time in which they grow by one at most."),
    row<kModels, &Models::extractive_sentences>(
        "models.extractive_sentences", {1, 50},
        "Sentences of an answer that the built-in answerer gives.", kLive),

    row<kCache, &CacheSettings::enabled>(
        "cache.enabled", kOnOff, "Keep replies and give them again to the same question.", kLive),
    row<kCache, &CacheSettings::size_max>("cache.size_max", {64 * kKiB, 1024 * kGiB},
                                          "Memory of all kept replies.", kLive),
    row<kCache, &CacheSettings::entry_max>("cache.entry_max", {kKiB, kGiB},
                                           "Largest reply that is kept; at most size_max.", kLive),
    row<kCache, &CacheSettings::ttl>("cache.ttl", {1, 30 * kDay}, "Time that a reply is kept.",
                                     kLive),
    row<kCache, &CacheSettings::stale_if_error>(
        "cache.stale_if_error", kOnOff, "Give an expired reply when every provider fails.", kLive),
    row<kCache, &CacheSettings::stale_max>("cache.stale_max", {0, 30 * kDay},
                                           "Greatest age of a reply that is given so.", kLive),
    row<kCache, &CacheSettings::coalesce>(
        "cache.coalesce", kOnOff,
        "Let identical requests that run at once share one upstream call.", kLive),
    row<kCache, &CacheSettings::followers_max>("cache.followers_max", {0, 1'000'000},
                                               "Requests that may share one call in flight.",
                                               kLive),
    row<kCache, &CacheSettings::stream_buffer_max>("cache.stream_buffer_max", {kKiB, kGiB},
                                                   "Memory of one shared stream.", kLive),

    row<&S::conversations, &ConversationSettings::window_tokens>(
        "conversations.window_tokens", {16, 10'000'000},
        "History that is sent with a question, in tokens.", kLive),
    row<&S::conversations, &ConversationSettings::list_max>(
        "conversations.list_max", {1, 10'000}, "Entries of one page of a list.", kLive),
    row<&S::conversations, &ConversationSettings::message_max>(
        "conversations.message_max", {kKiB, kGiB}, "Text of one stored message.", kLive),

    text<kKnowledge, &Knowledge::default_collection>(
        "knowledge.default_collection", Form::name,
        "Collection of a document or a search that names none.", {1, 128}, kLive),
    row<kKnowledge, &Knowledge::chunk_tokens>("knowledge.chunk_tokens", {16, 8192},
                                              "Size of one passage, in tokens.", kLive),
    row<kKnowledge, &Knowledge::chunk_overlap_tokens>(
        "knowledge.chunk_overlap_tokens", {0, 4096},
        "Tokens that two neighbouring passages share; less than chunk_tokens.", kLive),
    row<kKnowledge, &Knowledge::document_max>("knowledge.document_max", {kKiB, 16 * kGiB},
                                              "Size of one document.", kLive),
    row<kKnowledge, &Knowledge::html_max>(
        "knowledge.html_max", {kKiB, kGiB},
        "Size of one HTML page; it is read as a whole and takes some ten times as much.", kLive),
    row<kKnowledge, &Knowledge::ingest_timeout>("knowledge.ingest_timeout", {kSecond, kDay},
                                                "One attempt at reading one file.", kLive),
    row<kKnowledge, &Knowledge::vocabulary_max>(
        "knowledge.vocabulary_max", {0, 100'000'000},
        "Different words that are kept to find what a mistyped one means; 0: none."),
    row<kKnowledge, &Knowledge::passages>("knowledge.passages", {1, 100},
                                          "Passages that are given to a model.", kLive),
    row<kKnowledge, &Knowledge::search_max>("knowledge.search_max", {1, 10'000},
                                            "Passages that one search may ask for.", kLive),
    row<kKnowledge, &Knowledge::context_tokens>(
        "knowledge.context_tokens", {16, 10'000'000},
        "Size of all passages given to a model together, in tokens.", kLive),
    text<kKnowledge, &Knowledge::embedding_model>(
        "knowledge.embedding_model", Form::any,
        "Model that turns passages and questions into vectors, as provider/model or a route's "
        "name; empty: search is by words alone.",
        {0, 256}),
    row<kKnowledge, &Knowledge::embedding_patience>(
        "knowledge.embedding_patience", kTimeout,
        "Time that a search waits for the vector of its question; then it is by words alone."),
    row<kKnowledge, &Knowledge::vector_memory>(
        "knowledge.vector_memory", {kMiB, 1024 * kGiB},
        "Memory for vectors; when they need more, search is by words alone."),

    row<kResources, &Resources::enabled>(
        "resources.enabled", kOnOff,
        "Watch memory, disks, heat and the rest, and do less before they run out."),
    row<kResources, &Resources::sample_interval>("resources.sample_interval", {50, 60 * kSecond},
                                                 "Time between two looks at the machine."),
    text<kResources, &Resources::machine_root>(
        "resources.machine_root", Form::any,
        "Folder put before /proc and /sys where the sensors look: for a machine's trees mounted "
        "into a container, and for tests."),
    row<kResources, &Resources::memory_max>(
        "resources.memory_max", {0, 1024 * kGiB},
        "Most memory that Mainstay may use; 0: what its control group or the machine has."),
    row<kResources, &Resources::memory_soft>("resources.memory_soft", {0.1, 1},
                                             "Share of memory in use above which caches shrink."),
    row<kResources, &Resources::memory_hard>("resources.memory_hard", {0.1, 1},
                                             "Share of memory in use above which work is refused."),
    row<kResources, &Resources::stall_memory_some>(
        "resources.stall_memory_some", {0.01, 1},
        "Share of time with something waiting for memory, from which less is done at once."),
    row<kResources, &Resources::stall_memory_full>(
        "resources.stall_memory_full", {0.01, 1},
        "Share of time with everything waiting for memory, from which work is refused."),
    row<kResources, &Resources::stall_io>(
        "resources.stall_io", {0.01, 1},
        "Share of time with everything waiting for a disk, from which less is done at once."),
    row<kResources, &Resources::stall_cpu>(
        "resources.stall_cpu", {0.01, 1},
        "Share of time with something waiting for a core, from which background work waits."),
    row<kResources, &Resources::loop_late_hard>(
        "resources.loop_late_hard", {10, 60 * kSecond},
        "Delay of an event loop from which fewer requests run at once."),
    row<kResources, &Resources::descriptors_soft>(
        "resources.descriptors_soft", {0.1, 1},
        "Share of file descriptors in use above which idle connections are not kept."),
    row<kResources, &Resources::descriptors_hard>(
        "resources.descriptors_hard", {0.1, 1},
        "Share of file descriptors in use above which connections are refused."),
    row<kResources, &Resources::disk_soft_share>(
        "resources.disk_soft_share", {0, 0.5},
        "Share of a disk and of its inodes below which uploads stop; disk_soft may ask for more."),
    row<kResources, &Resources::disk_soft>(
        "resources.disk_soft", {0, 1024 * kGiB},
        "Free space below which uploads stop; counts as a quarter of the disk at most."),
    row<kResources, &Resources::disk_hard_share>(
        "resources.disk_hard_share", {0, 0.5},
        "Share of a disk and of its inodes below which writes stop; disk_hard may ask for more."),
    row<kResources, &Resources::disk_hard>(
        "resources.disk_hard", {0, 1024 * kGiB},
        "Free space below which writes stop; counts as a sixteenth of the disk at most."),
    row<kResources, &Resources::disk_ballast>(
        "resources.disk_ballast", {0, 16 * kGiB},
        "File in the data folder that is given back when the disk is full; 0: none. "
        "A sixteenth of the disk at most."),
    row<kResources, &Resources::heat_trip>(
        "resources.heat_trip", {20, 150},
        "Degrees Celsius at which a machine slows down whose sensor does not say."),
    row<kResources, &Resources::heat_soft_margin>(
        "resources.heat_soft_margin", {1, 60},
        "Degrees below that point from which half as much is done at once."),
    row<kResources, &Resources::heat_hard_margin>(
        "resources.heat_hard_margin", {0, 60},
        "Degrees below that point from which one thing is done at a time."),
    row<kResources, &Resources::gpu_soft>(
        "resources.gpu_soft", {0.1, 1},
        "Share of GPU memory above which idle models are unloaded."),
    row<kResources, &Resources::gpu_hard>("resources.gpu_hard", {0.1, 1},
                                          "Share of GPU memory above which no model is loaded."),
    row<kResources, &Resources::hold>("resources.hold", {0, kHour},
                                      "Calm time after which a level of pressure is left."),
    row<kResources, &Resources::stall_hold>("resources.stall_hold", {0, kHour},
                                            "The same for time spent waiting."),
    row<kResources, &Resources::heat_hold>("resources.heat_hold", {0, kHour}, "The same for heat."),
    row<kResources, &Resources::trim_interval>(
        "resources.trim_interval", {kSecond, kHour},
        "Time between two returns of unused heap to the system."),
    row<kResources, &Resources::request_growth>(
        "resources.request_growth", {kMiB, 1024 * kGiB},
        "Growth of memory within one request that is logged and counted."),
    row<kResources, &Resources::growth_alarm>(
        "resources.growth_alarm", {0.1, 10'000},
        "Growth of memory, in percent an hour, that raises an alert."),
    row<kResources, &Resources::growth_warm_up>("resources.growth_warm_up", {0, kDay},
                                                "Time after the start in which growth is normal."),
    row<kResources, &Resources::growth_window>("resources.growth_window", {60 * kSecond, 7 * kDay},
                                               "Time over which growth is measured."),
    row<kResources, &Resources::cpu_alarm>(
        "resources.cpu_alarm", {0.01, 1},
        "Share of all cores that the program uses, above which an alert is raised."),
    row<kResources, &Resources::pool_alarm>("resources.pool_alarm", {0.01, 1},
                                            "Use of one pool above which an alert is raised."),
    row<kResources, &Resources::memory_alarm>(
        "resources.memory_alarm", {kMiB, 1024 * kGiB},
        "Resident memory of the program above which an alert is raised."),
    row<kResources, &Resources::handles_alarm>(
        "resources.handles_alarm", {1, 1'000'000},
        "Open descriptors beside client connections above which an alert is raised."),
    row<kResources, &Resources::alarm_hold>(
        "resources.alarm_hold", {0, kDay},
        "Time that a figure stays bad before its alert is raised."),
    row<kResources, &Resources::alerts_max>("resources.alerts_max", {1, 10'000},
                                            "Past alerts that are remembered."),

    row<&S::offload, &OffloadSettings::threads>("offload.threads", {1, 256},
                                                "Threads for work that would block an event loop."),
    row<&S::offload, &OffloadSettings::queue_max>(
        "offload.queue_max", kCount, "Pieces of such work that wait; more are refused."),

    row<kReload, &Reload::ttl>("reload.ttl", {1000, kDay},
                               "Age at which the configuration is read again by itself.", kLive),
    row<kReload, &Reload::check_interval>("reload.check_interval", {10, kHour},
                                          "Time between two looks at the configuration file.",
                                          kLive),
    row<kReload, &Reload::probe_timeout>(
        "reload.probe_timeout", {0, kHour},
        "Time for new providers to answer before they take over from the old.", kLive),

    row<kSessions, &Sessions::idle_timeout>("sessions.idle_timeout", {1000, 30 * kDay},
                                            "Silence of a caller after which its session is over.",
                                            kLive),
    row<kSessions, &Sessions::sessions_max>("sessions.sessions_max", kCount,
                                            "Sessions remembered at once."),

    row<kAdmin, &Admin::audit_max>("admin.audit_max", {1, 100'000},
                                   "Changes that GET /admin/audit remembers."),
    row<kAdmin, &Admin::slow_threshold>(
        "admin.slow_threshold", {0, kDay},
        "Requests that take this long or longer are listed at GET /admin/slow.", kLive),
    row<kAdmin, &Admin::slow_max>("admin.slow_max", {1, 100'000},
                                  "Slow requests that GET /admin/slow remembers."),
    row<kAdmin, &Admin::tasks_max>("admin.tasks_max", {0, 100'000},
                                   "Ended background tasks that GET /admin/tasks remembers."),
};

}  // namespace

std::span<const Row> rows() {
  static const auto all = [] {
    const auto server = server_rows();
    std::vector<Row> out(server.begin(), server.end());
    out.insert(out.end(), std::begin(kRows), std::end(kRows));
    for (const auto more : {&console_rows, &job_rows, &postgres_rows, &embedding_rows, &media_rows,
                            &sound_rows, &upload_rows, &audio_rows, &voice_rows, &hosting_rows}) {
      const auto part = more();
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  return all;
}

}  // namespace mainstay::config
