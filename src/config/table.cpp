// Every setting's key, bounds and sentence. Defaults are those of settings.h.
#include "config/table.h"

#include <array>

namespace mainstay::config {
namespace {

template <class T>
struct Member;
template <class Class, class Type>
struct Member<Type Class::*> {
  using Of = Class;
};

/// Follows a path of members from the object to the value.
template <auto First, auto... Rest>
Slot at(void* object) {
  auto& first = static_cast<typename Member<decltype(First)>::Of*>(object)->*First;
  if constexpr (sizeof...(Rest) == 0) {
    return &first;
  } else {
    return at<Rest...>(&first);
  }
}

template <auto... Path>
constexpr Row row(const char* key, Range range, const char* says, Change change = Change::restart) {
  return {key, &at<Path...>, range, "", Form::any, change, says};
}
template <auto... Path>
constexpr Row choice(const char* key, const char* allowed, const char* says,
                     Change change = Change::restart) {
  return {key, &at<Path...>, {1, 64}, allowed, Form::any, change, says};
}
template <auto... Path>
constexpr Row text(const char* key, Form form, const char* says, Range length = {0, 4096}) {
  return {key, &at<Path...>, length, "", form, Change::restart, says};
}

constexpr double kKiB = 1024;
constexpr double kMiB = 1024 * kKiB;
constexpr double kGiB = 1024 * kMiB;
constexpr double kSecond = 1000;
constexpr double kHour = 3600 * kSecond;
constexpr double kDay = 24 * kHour;
constexpr Range kOnOff{0, 1};
constexpr Range kCount{1, 1'000'000};
constexpr Range kTimeout{1, kDay};
constexpr auto kLive = Change::live;

using S = Settings;

constexpr auto kServer = &S::server;
using Server = ServerSettings;
constexpr auto kStorage = &S::storage;
using Storage = StorageSettings;
constexpr auto kLimits = &S::limits;
using Limits = LimitSettings;
constexpr auto kUpstream = &S::upstream;
using Upstream = UpstreamSettings;
constexpr auto kModels = &S::models;
using Models = ModelSettings;
constexpr auto kCache = &S::cache;
constexpr auto kKnowledge = &S::knowledge;
using Knowledge = KnowledgeSettings;

constexpr std::array kRows = {
    choice<&S::profile>("profile", "auto|sbc|nas|desktop|server|cluster",
                        "Set of defaults that fits a kind of machine; auto looks at the machine."),

    text<kServer, &Server::listen>(
        "server.listen", Form::host_port,
        "Address to listen on, HOST:PORT; port 0 takes a free one and prints it.", {1, 300}),
    text<kServer, &Server::health_listen>(
        "server.health_listen", Form::host_port,
        "Further address HOST:PORT that answers health alone; empty: none.", {0, 300}),
    text<kServer, &Server::tls_certificate>(
        "server.tls_certificate", Form::any,
        "PEM file with the certificate chain; with tls_key it turns TLS on."),
    text<kServer, &Server::tls_key>("server.tls_key", Form::any,
                                    "PEM file with the certificate's private key."),
    row<kServer, &Server::threads>("server.threads", {0, 256},
                                   "Event loops, each on its own thread; 0: one for each core."),
    row<kServer, &Server::connections_max>("server.connections_max", kCount,
                                           "Client connections open at once; more are refused."),
    row<kServer, &Server::header_max>("server.header_max", {kKiB, kMiB},
                                      "Request line and header fields of one request."),
    row<kServer, &Server::headers_max>("server.headers_max", {8, 1000},
                                       "Number of header fields of one request."),
    row<kServer, &Server::body_max>("server.body_max", {kKiB, 4 * kGiB},
                                    "Body of one request, on the wire and decoded."),
    row<kServer, &Server::header_timeout>(
        "server.header_timeout", kTimeout,
        "Time to receive a request's head once its first byte is there."),
    row<kServer, &Server::body_timeout>("server.body_timeout", kTimeout,
                                        "Time to receive a request's body."),
    row<kServer, &Server::idle_timeout>(
        "server.idle_timeout", kTimeout,
        "Time that a kept connection may be silent between requests."),
    row<kServer, &Server::write_timeout>("server.write_timeout", kTimeout,
                                         "Time that one write to a client may make no progress."),
    row<kServer, &Server::stream_ping_interval>(
        "server.stream_ping_interval", {10, kHour},
        "Silence of a stream after which a comment is sent to keep it open."),
    row<kServer, &Server::request_timeout>(
        "server.request_timeout", kTimeout,
        "Time for one request from its head to the last byte of its reply."),
    row<kServer, &Server::stop_timeout>(
        "server.stop_timeout", {0, kHour},
        "Time that running requests get to finish when the program stops."),
    row<kServer, &Server::allowed_hosts>(
        "server.allowed_hosts", {0, 1000},
        "Further Host names that are accepted; loopback names always are."),

    text<kStorage, &Storage::data_dir>(
        "storage.data_dir", Form::any,
        "Folder of the databases; empty: $XDG_DATA_HOME/mainstay or ~/.local/share/mainstay."),
    text<kStorage, &Storage::redis_url>("storage.redis_url", Form::any,
                                        "Reserved for distributed operation."),
    text<kStorage, &Storage::postgres_url>("storage.postgres_url", Form::any,
                                           "Reserved for distributed operation."),
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

    row<&S::auth, &AuthSettings::keys>(
        "auth.keys", {0, 1000},
        "Accepted API keys; without any, only callers from this machine are served.", kLive),

    row<kLimits, &Limits::enabled>("limits.enabled", kOnOff, "Apply the limits of users.", kLive),
    row<kLimits, &Limits::user, &UserLimits::requests_per_minute>(
        "limits.user.requests_per_minute", kCount, "Requests of one user in a minute.", kLive),
    row<kLimits, &Limits::user, &UserLimits::burst>(
        "limits.user.burst", {1, 100'000},
        "Requests that one user may send at once before the rate counts.", kLive),
    row<kLimits, &Limits::user, &UserLimits::queued>(
        "limits.user.queued", {0, 100'000}, "Messages of one user that wait for a permit.", kLive),
    row<kLimits, &Limits::users_max>("limits.users_max", {1, 10'000'000},
                                     "Users whose rate is remembered at once."),
    row<kLimits, &Limits::concurrent_max>("limits.concurrent_max", kCount,
                                          "Requests that are answered at once."),
    row<kLimits, &Limits::queued_max>("limits.queued_max", {0, 1'000'000},
                                      "Requests that wait for a permit; more are refused."),
    row<kLimits, &Limits::queue_timeout>("limits.queue_timeout", {0, kHour},
                                         "Longest wait for a permit."),
    row<kLimits, &Limits::messages_max>("limits.messages_max", {1, 100'000},
                                        "Messages of one chat request."),
    row<kLimits, &Limits::message_max>("limits.message_max", {kKiB, kGiB},
                                       "Text of one message of a chat request."),
    row<kLimits, &Limits::tools_max>("limits.tools_max", {0, 10'000},
                                     "Tools that one chat request may offer."),
    row<kLimits, &Limits::max_tokens>("limits.max_tokens", {1, 100'000'000},
                                      "Largest max_tokens that a request may ask for."),
    row<kLimits, &Limits::choices_max>("limits.choices_max", {1, 128},
                                       "Largest n (number of answers) that a request may ask for."),

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
                                          "Model of a request that names none.", {1, 256}),
    row<kModels, &Models::discover>(
        "models.discover", kOnOff,
        "Look for Ollama and llama-server on their usual loopback ports."),
    row<kModels, &Models::discover_interval>("models.discover_interval", {100, kDay},
                                             "Time between two looks."),
    row<kModels, &Models::queue_timeout>("models.queue_timeout", {0, kHour},
                                         "Longest wait for a provider's permit."),
    row<kModels, &Models::first_token_timeout>("models.first_token_timeout", kTimeout,
                                               "Time until the first token of an answer."),
    row<kModels, &Models::between_tokens_timeout>("models.between_tokens_timeout", kTimeout,
                                                  "Longest silence inside a streamed answer."),
    row<kModels, &Models::total_timeout>("models.total_timeout", kTimeout,
                                         "Time for one attempt from its start to its last token."),
    row<kModels, &Models::attempts_max>("models.attempts_max", {1, 20},
                                        "Attempts with one candidate, the first included."),
    row<kModels, &Models::retry_base>(
        "models.retry_base", {1, kHour},
        "Longest wait before the first retry; doubles with each (full jitter)."),
    row<kModels, &Models::retry_cap>("models.retry_cap", {1, kHour},
                                     "Longest wait before any retry."),
    row<kModels, &Models::retry_budget_ratio>(
        "models.retry_budget_ratio", {0, 10},
        "Retries that one request earns for the whole program."),
    row<kModels, &Models::retry_budget_per_second>("models.retry_budget_per_second", {0, 1000},
                                                   "Retries that one second earns."),
    row<kModels, &Models::breaker_window>("models.breaker_window", {1, 10'000},
                                          "Last calls of a provider that its breaker looks at."),
    row<kModels, &Models::breaker_calls_min>(
        "models.breaker_calls_min", {1, 10'000},
        "Calls before the breaker may open; at most breaker_window."),
    row<kModels, &Models::breaker_failure_ratio>(
        "models.breaker_failure_ratio", {0.01, 1},
        "Share of failed calls at which the breaker opens."),
    row<kModels, &Models::breaker_open>(
        "models.breaker_open", {1, kDay},
        "Time that a breaker stays open at first; doubles up to breaker_open_max."),
    row<kModels, &Models::breaker_open_max>("models.breaker_open_max", {1, kDay},
                                            "Longest time that a breaker stays open."),
    row<kModels, &Models::extractive_sentences>(
        "models.extractive_sentences", {1, 50},
        "Sentences of an answer that the built-in answerer gives."),

    row<kCache, &CacheSettings::enabled>("cache.enabled", kOnOff,
                                         "Keep replies and give them again to the same question."),
    row<kCache, &CacheSettings::size_max>("cache.size_max", {64 * kKiB, 1024 * kGiB},
                                          "Memory of all kept replies."),
    row<kCache, &CacheSettings::entry_max>("cache.entry_max", {kKiB, kGiB},
                                           "Largest reply that is kept; at most size_max."),
    row<kCache, &CacheSettings::ttl>("cache.ttl", {1, 30 * kDay}, "Time that a reply is kept."),
    row<kCache, &CacheSettings::stale_if_error>("cache.stale_if_error", kOnOff,
                                                "Give an expired reply when every provider fails."),
    row<kCache, &CacheSettings::stale_max>(
        "cache.stale_max", {0, 30 * kDay},
        "Time after its end that an expired reply may still be given."),
    row<kCache, &CacheSettings::coalesce>(
        "cache.coalesce", kOnOff,
        "Let identical requests that run at once share one upstream call."),
    row<kCache, &CacheSettings::followers_max>("cache.followers_max", {0, 1'000'000},
                                               "Requests that may share one call in flight."),
    row<kCache, &CacheSettings::stream_buffer_max>("cache.stream_buffer_max", {kKiB, kGiB},
                                                   "Memory of one shared stream."),

    row<&S::conversations, &ConversationSettings::window_tokens>(
        "conversations.window_tokens", {16, 10'000'000},
        "History that is sent with a question, in tokens."),
    row<&S::conversations, &ConversationSettings::list_max>("conversations.list_max", {1, 10'000},
                                                            "Entries of one page of a list."),
    row<&S::conversations, &ConversationSettings::message_max>(
        "conversations.message_max", {kKiB, kGiB}, "Text of one stored message."),

    text<kKnowledge, &Knowledge::default_collection>(
        "knowledge.default_collection", Form::name,
        "Collection of a document or a search that names none.", {1, 128}),
    row<kKnowledge, &Knowledge::chunk_tokens>("knowledge.chunk_tokens", {16, 8192},
                                              "Size of one passage, in tokens."),
    row<kKnowledge, &Knowledge::chunk_overlap_tokens>(
        "knowledge.chunk_overlap_tokens", {0, 4096},
        "Tokens that two neighbouring passages share; less than chunk_tokens."),
    row<kKnowledge, &Knowledge::document_max>("knowledge.document_max", {kKiB, 16 * kGiB},
                                              "Size of one document."),
    row<kKnowledge, &Knowledge::passages>("knowledge.passages", {1, 100},
                                          "Passages that are given to a model."),
    row<kKnowledge, &Knowledge::search_max>("knowledge.search_max", {1, 10'000},
                                            "Passages that one search may ask for."),
    row<kKnowledge, &Knowledge::context_tokens>(
        "knowledge.context_tokens", {16, 10'000'000},
        "Size of all passages given to a model together, in tokens."),

    row<&S::offload, &OffloadSettings::threads>("offload.threads", {1, 256},
                                                "Threads for work that would block an event loop."),
    row<&S::offload, &OffloadSettings::queue_max>(
        "offload.queue_max", kCount, "Pieces of such work that wait; more are refused."),
};

using P = ProviderSettings;
constexpr std::array kProviderRows = {
    text<&P::name>("name", Form::name, "Name of the provider; required, used in routes.", {1, 64}),
    choice<&P::kind>("kind", "openai|ollama|gemini|anthropic",
                     "Wire format it speaks; required. openai fits every compatible server."),
    text<&P::base_url>("base_url", Form::http_url, "Where it is; empty: the kind's usual address.",
                       {0, 2048}),
    row<&P::api_key>("api_key", {0, 4096}, "Key that is sent to it."),
    row<&P::models>("models", {0, 1000}, "Models it serves; empty: it is asked."),
    text<&P::default_model>("default_model", Form::any, "Its model for `auto`; empty: the first.",
                            {0, 256}),
    row<&P::concurrent_max>("concurrent_max", {1, 10'000}, "Calls to it at once."),
};

using R = RouteSettings;
constexpr std::array kRouteRows = {
    text<&R::model>("model", Form::any, "Model's name as clients ask for it; required.", {1, 256}),
    row<&R::aliases>("aliases", {0, 100}, "Further names of the same model."),
    row<&R::extractive_fallback>("extractive_fallback", kOnOff,
                                 "Let the built-in answerer reply when every candidate fails."),
};

using C = CandidateSettings;
constexpr std::array kCandidateRows = {
    text<&C::provider>("provider", Form::name, "Name of a provider; required.", {1, 64}),
    text<&C::model>("model", Form::any, "Model's name at that provider; required.", {1, 256}),
    row<&C::weight>("weight", {1, 1000}, "Share among the candidates of the same order."),
    row<&C::order>("order", {0, 1000}, "Lower is tried first."),
};

}  // namespace

std::span<const Row> rows() {
  return kRows;
}
std::span<const Row> provider_rows() {
  return kProviderRows;
}
std::span<const Row> route_rows() {
  return kRouteRows;
}
std::span<const Row> candidate_rows() {
  return kCandidateRows;
}

}  // namespace mainstay::config
