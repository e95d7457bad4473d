// The commands behind the command line; each prints for people or, with --json, for programs.
// Used by app/main.cpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_codes.h"
#include "config/load.h"

namespace mainstay::app {

/// Options that every command understands.
struct Common {
  std::string config_file;
  std::vector<std::pair<std::string, std::string>> flags;  ///< settings given on the command line
  std::string starter;
  std::string url;       ///< a running server; empty: the one of the data directory
  std::string key_file;  ///< API key for it; else MAINSTAY_API_KEY
  bool json = false;
};

/// Where every command, and a reload, reads its settings from.
config::Sources sources_of(const Common& common);
/// Loads settings; prints every problem on standard error when it fails.
std::optional<config::Loaded> load_settings(const Common& common);
/// One error line on standard error (or JSON on standard output with --json).
void print_error(const Common& common, const Error& error);
/// Prints it, and says with which code the command ends.
Exit fail(const Common& common, const Error& error);

Exit serve(const Common& common);

struct WorkerOptions {
  std::string name = "1";  ///< of its folder below the data directory
  std::string listen;      ///< HOST:PORT for health, metrics and /admin; empty: none
};
/// Runs jobs and nothing else, until a signal. Needs storage.redis_url.
Exit worker(Common common, const WorkerOptions& options);
/// Keeps a web process and worker processes running, until a signal.
Exit launch(const Common& common);

struct AskOptions {
  std::string question;
  std::string voice_file;  ///< the question is spoken in this file
  std::string out_file;    ///< the answer is spoken into this one
  std::string voice;
  std::string format;  ///< empty: by out_file's ending
  std::string model;
  std::string collection;
  std::string conversation;
};
Exit ask(const Common& common, const AskOptions& options);
/// The same by voice: spoken in, spoken out, or both.
Exit ask_aloud(const Common& common, const AskOptions& options);

struct SayOptions {
  std::string text;
  std::string out_file;  ///< "-": standard output
  std::string voice;
  std::string model;
  std::string format;  ///< empty: by out_file's ending
  double speed = 1;
};
Exit say(const Common& common, const SayOptions& options);

struct TranscribeOptions {
  std::string file;
  std::string format = "text";  ///< text json srt vtt
  std::string language;
  std::string model;
};
Exit transcribe(const Common& common, const TranscribeOptions& options);

struct SearchOptions {
  std::string query;
  std::string collection;
  std::uint32_t limit = 5;
};
Exit search(const Common& common, const SearchOptions& options);

struct IngestOptions {
  std::vector<std::string> paths;
  std::string collection;
  std::vector<std::string> tags;
  std::vector<std::string> include;  ///< patterns of files below directories; empty: by ending
  std::vector<std::string> exclude;
};
Exit ingest(const Common& common, const IngestOptions& options);

struct AnalyzeOptions {
  std::vector<std::string> files;  ///< "-": standard input
  std::uint32_t terms = 20;
};
/// Needs no server and no settings.
Exit analyze(const Common& common, const AnalyzeOptions& options);

Exit config_check(const Common& common);
Exit config_show(const Common& common);
Exit config_reference(const Common& common, const std::string& format);
Exit doctor(const Common& common);

struct KeysNewOptions {
  std::string name;
  std::vector<std::string> scopes;  ///< each may be a list with commas; empty: all but admin
  std::string tenant = "default";
  std::string user;                       ///< empty: a user of its own
  std::string expires;                    ///< "90d"; empty: never
  std::string most_urgent;                ///< class; empty: voice
  std::uint32_t requests_per_minute = 0;  ///< limits; 0: the settings'
  std::uint32_t burst = 0;
  std::uint32_t concurrent = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;
  std::uint32_t queued = 0;
};
struct KeysRevokeOptions {
  std::string key;       ///< id, prefix or the key itself
  std::string token_id;  ///< `jti` of a token, in place of a key
  std::string token_lasts = "30d";
};
/// These work on the data directory, also beside a running server.
Exit keys_new(const Common& common, const KeysNewOptions& options);
Exit keys_list(const Common& common);
Exit keys_revoke(const Common& common, const KeysRevokeOptions& options);
Exit status(const Common& common);

/// All of these talk to a running server.
struct JobsListOptions {
  std::string state;  ///< empty: any, as the next two
  std::string kind;
  std::string batch;
  std::uint32_t limit = 20;
  bool mine = false;  ///< the key's user's alone, also with an administrator's key
};
struct JobsChangeOptions {
  std::vector<std::string> ids;
  bool dead = false;  ///< every dead one
};
struct JobsSubmitOptions {
  std::string kind;
  std::string input;  ///< JSON; "@FILE"; "-" for standard input; empty: {}
  std::string priority;
  std::string key;  ///< Idempotency-Key
  std::string webhook;
  double delay = 0;                    ///< seconds
  std::optional<double> repeat_every;  ///< seconds; none: once
  bool watch = false;
};
Exit jobs_list(const Common& common, const JobsListOptions& options);
Exit jobs_show(const Common& common, const std::string& id);
Exit jobs_retry(const Common& common, const JobsChangeOptions& options);
Exit jobs_cancel(const Common& common, const JobsChangeOptions& options);
Exit jobs_watch(const Common& common, const std::string& id);
Exit jobs_submit(const Common& common, const JobsSubmitOptions& options);

}  // namespace mainstay::app
