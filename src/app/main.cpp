// The command line of mainstay.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>

#include "app/commands.h"
#include "app/completion.h"
#include "app/files.h"
#include "base/text.h"
#include "base/version.h"
#include "net/http.h"

namespace {

using mainstay::app::Common;
using mainstay::app::Exit;

/// Everything the command line can say.
struct Words {
  Common common;
  std::string listen;
  std::string data;
  std::string profile;
  std::vector<std::string> sets;
  mainstay::app::WorkerOptions worker;
  mainstay::app::AskOptions ask;
  std::vector<std::string> question;
  mainstay::app::SayOptions say;
  mainstay::app::TranscribeOptions transcribe;
  mainstay::app::SearchOptions search;
  std::vector<std::string> query;
  std::vector<std::string> spoken;
  mainstay::app::IngestOptions ingest;
  mainstay::app::AnalyzeOptions analyze;
  mainstay::app::KeysNewOptions keys_new;
  mainstay::app::KeysRevokeOptions keys_revoke;
  mainstay::app::JobsListOptions jobs_list;
  mainstay::app::JobsChangeOptions jobs_change;
  mainstay::app::JobsSubmitOptions jobs_submit;
  std::string job;
  std::string format = "markdown";
  std::string shell;
};

void common_options(CLI::App& command, Words& words) {
  command.add_option("--config", words.common.config_file, "Settings file (TOML)");
  command.add_option("--data", words.data, "Data directory (storage.data_dir)");
  command.add_option("--profile", words.profile, "auto sbc nas desktop server cluster");
  // Without this it would also take the words behind its value, such as the question.
  command.add_option("--set", words.sets, "A setting, KEY=VALUE; may be repeated")
      ->allow_extra_args(false);
  command.add_flag("--json", words.common.json, "Print JSON");
}

/// What is wrong with the address of a server; empty: nothing.
std::string says_of_address(const std::string& text) {
  auto address = mainstay::net::Url::parse(text);
  return address.ok() ? "" : address.error().message;
}

void remote_options(CLI::App& command, Words& words) {
  common_options(command, words);
  command.add_option("--url", words.common.url, "A running server, e.g. http://127.0.0.1:8080")
      ->check(CLI::Validator(says_of_address, ""));
  command.add_option("--key-file", words.common.key_file,
                     "File with the API key (else MAINSTAY_API_KEY)");
  command.add_option("--starter", words.common.starter,
                     "Directory whose README.md and docs/ are kept as documents");
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// The flags as settings; false when one is no KEY=VALUE.
bool to_settings(Words& words) {
  auto& flags = words.common.flags;
  if (!words.listen.empty()) flags.emplace_back("server.listen", words.listen);
  if (!words.data.empty()) flags.emplace_back("storage.data_dir", words.data);
  if (!words.profile.empty()) flags.emplace_back("profile", words.profile);
  for (const auto& set : words.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      std::fprintf(stderr, "mainstay: --set wants KEY=VALUE, not '%s'\n", set.c_str());
      return false;
    }
    flags.emplace_back(set.substr(0, equals), set.substr(equals + 1));
  }
  return true;
}

void describe_keys(CLI::App& app, Words& words) {
  auto* keys = app.add_subcommand("keys", "Make, list and revoke API keys");
  keys->require_subcommand(1);
  auto* made = keys->add_subcommand("new", "Make a key; it is printed once");
  common_options(*made, words);
  auto& wish = words.keys_new;
  made->add_option("--name", wish.name, "Whose or what for")->required();
  made->add_option("--scopes", wish.scopes,
                   "chat, jobs, knowledge, admin, admin:read (default: the first three)");
  made->add_option("--user", wish.user, "User whose data it sees (default: a user of its own)");
  made->add_option("--tenant", wish.tenant, "Tenant of the user (default: default)");
  made->add_option("--expires", wish.expires, "Time from now, such as 90d (default: never)");
  made->add_option("--most-urgent", wish.most_urgent,
                   "voice, interactive, batch or background: none more urgent (default: voice)");
  made->add_option("--requests-per-minute", wish.requests_per_minute, "Its own limit");
  made->add_option("--burst", wish.burst, "Its own limit");
  made->add_option("--concurrent", wish.concurrent, "Its own limit");
  made->add_option("--tokens-per-minute", wish.tokens_per_minute, "Its own limit");
  made->add_option("--tokens-per-day", wish.tokens_per_day, "Its own limit");
  made->add_option("--queued", wish.queued, "Its own limit of messages, and of jobs, that wait");
  common_options(*keys->add_subcommand("list", "Every key, without the keys themselves"), words);
  auto* revoke = keys->add_subcommand("revoke", "Refuse a key, or a token, from now on");
  common_options(*revoke, words);
  auto* key = revoke->add_option("key", words.keys_revoke.key, "Its id, or how it begins");
  auto* token = revoke->add_option("--token-id", words.keys_revoke.token_id, "jti of a token");
  revoke->add_option("--for", words.keys_revoke.token_lasts,
                     "Until the token has surely expired (default: 30d)");
  key->excludes(token);
}

void describe_job_submit(CLI::App& jobs, Words& words) {
  auto* submit = jobs.add_subcommand("submit", "Hand in a job as the local user, or the key's");
  remote_options(*submit, words);
  auto& wish = words.jobs_submit;
  submit->add_option("kind", wish.kind, "chat, ingest, images or cleanup")->required();
  submit->add_option("--input", wish.input, "JSON, @FILE, or - for standard input");
  submit->add_option("--priority", wish.priority, "voice, interactive, batch or background");
  submit->add_option("--delay", wish.delay, "Seconds until it may begin");
  submit->add_option("--repeat-every", wish.repeat_every, "Seconds between two occurrences");
  submit->add_option("--key", wish.key, "Idempotency-Key: the same one makes no second job");
  submit->add_option("--webhook", wish.webhook, "Address that is told of its end");
  submit->add_flag("--watch", wish.watch, "Follow it to its end");
}

void describe_jobs(CLI::App& app, Words& words) {
  auto* jobs = app.add_subcommand("jobs", "List, show, retry, cancel, watch and hand in jobs");
  jobs->require_subcommand(1);
  auto* list = jobs->add_subcommand("list", "Jobs, newest first; everybody's with an admin key");
  remote_options(*list, words);
  auto& wish = words.jobs_list;
  list->add_option("--state", wish.state,
                   "scheduled, queued, running, succeeded, dead, cancelled or expired")
      ->check(CLI::IsMember(
          {"scheduled", "queued", "running", "succeeded", "dead", "cancelled", "expired"}));
  list->add_option("--kind", wish.kind, "Jobs of this kind");
  list->add_option("--batch", wish.batch, "Items of this batch");
  list->add_option("--limit", wish.limit, "Jobs at most")->check(CLI::Range(1, 1000));
  list->add_flag("--mine", wish.mine, "Those of the key's user alone, or the local user's");
  auto* show = jobs->add_subcommand("show", "One job with its input and result");
  remote_options(*show, words);
  show->add_option("id", words.job, "Its id")->required();
  auto* retry = jobs->add_subcommand("retry", "Run dead, cancelled or expired jobs again");
  remote_options(*retry, words);
  auto* ids = retry->add_option("ids", words.jobs_change.ids, "Their ids");
  retry->add_flag("--dead", words.jobs_change.dead, "Every dead job")->excludes(ids);
  auto* cancel = jobs->add_subcommand("cancel", "End jobs that have not ended");
  remote_options(*cancel, words);
  cancel->add_option("ids", words.jobs_change.ids, "Their ids")->required();
  auto* watch =
      jobs->add_subcommand("watch", "Follow a job to its end; exit code 1 unless it succeeds");
  remote_options(*watch, words);
  watch->add_option("id", words.job, "Its id")->required();
  describe_job_submit(*jobs, words);
}

void describe_analyze(CLI::App& app, Words& words) {
  auto* analyze = app.add_subcommand("analyze", "Tell what texts hold; needs no server");
  analyze->add_option("files", words.analyze.files, "Files; - for standard input")->required();
  analyze->add_option("--terms", words.analyze.terms, "Most frequent terms shown (default: 20)")
      ->check(CLI::Range(0, 1000));
  analyze->add_flag("--json", words.common.json, "Print JSON, a line for each file");
}

void describe_voice(CLI::App& app, Words& words) {
  const auto formats = CLI::IsMember({"mp3", "wav", "opus", "aac", "flac", "pcm"});
  auto* say = app.add_subcommand("say", "Speak a text into a file");
  remote_options(*say, words);
  say->add_option("text", words.spoken, "The text")->required();
  say->add_option("-o,--out", words.say.out_file, "File for the speech; - for standard output")
      ->required();
  say->add_option("--voice", words.say.voice, "Voice (default: the engine's own)");
  say->add_option("--model", words.say.model, "Model that speaks (default: auto)");
  say->add_option("--speed", words.say.speed, "0.25 to 4 (default: 1)")
      ->check(CLI::Range(0.25, 4.0));
  say->add_option("--format", words.say.format, "mp3, wav, opus, aac, flac or pcm")->check(formats);
  auto* transcribe = app.add_subcommand("transcribe", "Write down what a recording says");
  remote_options(*transcribe, words);
  transcribe->add_option("file", words.transcribe.file, "The recording")->required();
  transcribe->add_option("--format", words.transcribe.format, "text, json, srt or vtt")
      ->check(CLI::IsMember({"text", "json", "srt", "vtt"}));
  transcribe->add_option("--language", words.transcribe.language, "Of the speech, such as en");
  transcribe->add_option("--model", words.transcribe.model, "Model that hears (default: auto)");
}

void describe_ask(CLI::App& app, Words& words) {
  auto* ask = app.add_subcommand("ask", "Ask one question, in writing or by voice");
  remote_options(*ask, words);
  auto* question = ask->add_option("question", words.question, "The question");
  ask->add_option("--model", words.ask.model, "Model (default: auto)");
  ask->add_option("--collection", words.ask.collection, "Collection to answer from");
  ask->add_option("--conversation", words.ask.conversation, "Conversation to go on with");
  ask->add_option("--voice", words.ask.voice_file, "Recording of the question")->excludes(question);
  ask->add_option("-o,--out", words.ask.out_file, "File for the spoken answer");
  ask->add_option("--speak-as", words.ask.voice, "Voice of the spoken answer");
  ask->add_option("--format", words.ask.format, "mp3, wav, opus, aac or pcm")
      ->check(CLI::IsMember({"mp3", "wav", "opus", "aac", "pcm"}));
}

void describe(CLI::App& app, Words& words) {
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("mainstay ") + mainstay::version());
  auto* serve = app.add_subcommand("serve", "Run the server");
  common_options(*serve, words);
  serve->add_option("--listen", words.listen, "HOST:PORT; port 0 picks a free one");
  serve->add_option("--starter", words.common.starter,
                    "Directory whose README.md and docs/ are kept as documents");
  auto* worker = app.add_subcommand("worker", "Run jobs of a shared queue (storage.redis_url)");
  common_options(*worker, words);
  worker->add_option("--name", words.worker.name, "Of this worker on this machine (default: 1)");
  worker->add_option("--listen", words.worker.listen,
                     "HOST:PORT for health, metrics and /admin (default: none)");
  auto* launch = app.add_subcommand("launch", "Run the server and worker processes; restart them");
  common_options(*launch, words);
  launch->add_option("--listen", words.listen, "HOST:PORT of the server; port 0 picks a free one");
  launch->add_option("--starter", words.common.starter,
                     "Directory whose README.md and docs/ are kept as documents");
  describe_ask(app, words);
  describe_voice(app, words);
  auto* ingest = app.add_subcommand("ingest", "Store documents: files or directories");
  remote_options(*ingest, words);
  ingest->add_option("paths", words.ingest.paths, "Files and directories")->required();
  ingest->add_option("--collection", words.ingest.collection, "Collection to store in");
  ingest->add_option("--tag", words.ingest.tags, "A tag of the documents; may be repeated")
      ->allow_extra_args(false);
  ingest
      ->add_option("--include", words.ingest.include,
                   "Files below directories, such as '*.pdf'; may be repeated")
      ->allow_extra_args(false);
  ingest
      ->add_option("--exclude", words.ingest.exclude,
                   "Files and directories that are passed over; may be repeated")
      ->allow_extra_args(false);
  auto* search = app.add_subcommand("search", "Find passages in the documents");
  remote_options(*search, words);
  search->add_option("query", words.query, "What to look for")->required();
  search->add_option("--collection", words.search.collection, "Collection to search");
  search->add_option("--limit", words.search.limit, "Passages at most")->check(CLI::Range(1, 100));
  auto* config = app.add_subcommand("config", "Check, show or explain the settings");
  config->require_subcommand(1);
  common_options(*config->add_subcommand("check", "Check the settings; exit code 78 when bad"),
                 words);
  common_options(*config->add_subcommand("show", "Effective settings and where they come from"),
                 words);
  auto* reference = config->add_subcommand("reference", "Every setting explained");
  common_options(*reference, words);
  reference->add_option("--format", words.format, "markdown, toml or json")
      ->check(CLI::IsMember({"markdown", "toml", "json"}));
  common_options(*app.add_subcommand("doctor", "Look at machine and settings; say what to fix"),
                 words);
  remote_options(*app.add_subcommand("status", "The daily checklist of the running server"), words);
  describe_analyze(app, words);
  describe_keys(app, words);
  describe_jobs(app, words);
  auto* completion = app.add_subcommand("completion", "Print a shell completion script");
  completion->add_option("shell", words.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

Exit run_jobs(const CLI::App& jobs, const Words& words) {
  const Common& common = words.common;
  if (jobs.got_subcommand("list")) return mainstay::app::jobs_list(common, words.jobs_list);
  if (jobs.got_subcommand("show")) return mainstay::app::jobs_show(common, words.job);
  if (jobs.got_subcommand("retry")) return mainstay::app::jobs_retry(common, words.jobs_change);
  if (jobs.got_subcommand("cancel")) return mainstay::app::jobs_cancel(common, words.jobs_change);
  if (jobs.got_subcommand("watch")) return mainstay::app::jobs_watch(common, words.job);
  return mainstay::app::jobs_submit(common, words.jobs_submit);
}

/// A "-" at the end stands for what standard input holds.
bool read_standard_input(std::vector<std::string>& words) {
  if (words.empty() || words.back() != "-") return true;
  auto read = mainstay::app::read_file("-", mainstay::Bytes{16 * 1024 * 1024});
  if (!read.ok()) {
    std::fprintf(stderr, "mainstay: %s\n", read.error().message.c_str());
    return false;
  }
  words.back() = mainstay::trim(*read);
  return true;
}

Exit run(const CLI::App& app, Words& words) {
  if (!to_settings(words)) return Exit::usage;
  const Common& common = words.common;
  if (app.got_subcommand("serve")) return mainstay::app::serve(common);
  if (app.got_subcommand("worker")) return mainstay::app::worker(common, words.worker);
  if (app.got_subcommand("launch")) return mainstay::app::launch(common);
  if (app.got_subcommand("ask")) {
    if (!read_standard_input(words.question)) return Exit::usage;
    words.ask.question = joined(words.question);
    if (words.ask.voice_file.empty() && is_blank(words.ask.question)) {
      std::fprintf(stderr, "mainstay: the question is empty\n");
      return Exit::usage;
    }
    return mainstay::app::ask(common, words.ask);
  }
  if (app.got_subcommand("say")) {
    words.say.text = joined(words.spoken);
    return mainstay::app::say(common, words.say);
  }
  if (app.got_subcommand("transcribe")) return mainstay::app::transcribe(common, words.transcribe);
  if (app.got_subcommand("ingest")) return mainstay::app::ingest(common, words.ingest);
  if (app.got_subcommand("search")) {
    words.search.query = joined(words.query);
    return mainstay::app::search(common, words.search);
  }
  if (app.got_subcommand("analyze")) return mainstay::app::analyze(common, words.analyze);
  if (app.got_subcommand("keys")) {
    const auto* keys = app.get_subcommand("keys");
    if (keys->got_subcommand("new")) return mainstay::app::keys_new(common, words.keys_new);
    if (keys->got_subcommand("list")) return mainstay::app::keys_list(common);
    return mainstay::app::keys_revoke(common, words.keys_revoke);
  }
  if (app.got_subcommand("jobs")) return run_jobs(*app.get_subcommand("jobs"), words);
  if (app.got_subcommand("doctor")) return mainstay::app::doctor(common);
  if (app.got_subcommand("status")) return mainstay::app::status(common);
  if (app.got_subcommand("completion")) {
    std::printf("%s", mainstay::app::completion_script(app, words.shell).c_str());
    return Exit::ok;
  }
  const auto* config = app.get_subcommand("config");
  if (config->got_subcommand("check")) return mainstay::app::config_check(common);
  if (config->got_subcommand("show")) return mainstay::app::config_show(common);
  return mainstay::app::config_reference(common, words.format);
}

bool is_command(const CLI::App& app, const std::string& word) {
  const auto named =
      app.get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
  return !named.empty();
}

/// What could not be written was not done: a key that nobody saw, an answer that is cut.
int to_the_end(Exit exit) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return static_cast<int>(exit);
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  const bool reader_left = ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
  if (reader_left) return static_cast<int>(exit);  // it has had enough
  std::fputs("mainstay: standard output could not be written\n", stderr);
  return exit == Exit::ok ? static_cast<int>(Exit::failed) : static_cast<int>(exit);
}

/// A descriptor below 3 that is closed would go to the next file that is opened, and what is said
/// to the user into it.
void open_standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) ::open("/dev/null", O_RDWR);
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  CLI::App app("Mainstay: the engine that keeps AI assistants standing", "mainstay");
  Words words;
  describe(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (argc > 1 && *argv[1] != '-' && !is_command(app, argv[1])) {
      std::fprintf(stderr, "mainstay: there is no command '%s'; mainstay --help lists them\n",
                   argv[1]);
      return static_cast<int>(Exit::usage);
    }
    const int code = app.exit(e);
    return code == 0 ? 0 : static_cast<int>(Exit::usage);
  }
  try {
    return to_the_end(run(app, words));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mainstay: unexpected failure: %s\n", e.what());
    return static_cast<int>(Exit::failed);
  }
}
