// mainstay ingest: files of any size into the running engine, with what became of each.
#include <cstdio>

#include "app/commands.h"
#include "app/files.h"
#include "app/ingest_sender.h"
#include "app/terminal.h"
#include "base/json_fields.h"

namespace mainstay::app {
namespace {

std::string words_of(const Error& error) {
  return error.message.empty() ? error.detail : error.message;
}

/// What has become of the files so far.
struct Tally {
  std::size_t stored = 0;
  std::size_t unchanged = 0;
  std::size_t reading = 0;  ///< taken, but this key may not follow the job
  std::size_t failed = 0;
  std::uint64_t skipped = 0;  ///< below directories, for their ending
  std::vector<Unreadable> unreadable;
  std::optional<Exit> worst;  ///< of the failures, when all are of one kind
  Json results = Json::array();

  void note(const NamedFile& file, const Result<Json>& document) {
    Json result = {{"file", file.path}};
    if (document.ok()) {
      const bool existed = flag_field(*document, "existed");
      const bool waits = string_field(*document, "state") == "ingesting";
      ++(waits ? reading : existed ? unchanged : stored);
      result["document"] = *document;
    } else {
      const Exit code = exit_for(document.error());
      if (failed > 0 && worst != code) worst = Exit::failed;
      if (failed == 0) worst = code;
      ++failed;
      result["error"] = words_of(document.error());
    }
    results.push_back(std::move(result));
  }
  Exit exit() const {
    if (!unreadable.empty()) return Exit::failed;
    if (failed == 0) return Exit::ok;
    return stored + unchanged + reading == 0 ? worst.value_or(Exit::failed) : Exit::failed;
  }
};

/// Named before the files are sent, which may take long.
void print_unreadable(const Common& common, const std::vector<Unreadable>& list) {
  if (common.json) return;
  for (const auto& one : list) {
    std::fprintf(stderr, "%s: cannot be read: %s\n", printable(one.path).c_str(), one.why.c_str());
  }
}

void print_end(const Common& common, const Tally& tally) {
  if (common.json) {
    Json unreadable = Json::array();
    for (const auto& one : tally.unreadable) {
      unreadable.push_back({{"path", one.path}, {"error", one.why}});
    }
    const Json out = {{"stored", tally.stored},   {"unchanged", tally.unchanged},
                      {"reading", tally.reading}, {"failed", tally.failed},
                      {"skipped", tally.skipped}, {"unreadable", unreadable},
                      {"files", tally.results}};
    std::printf("%s\n", out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%zu stored, %zu unchanged, %zu failed", tally.stored, tally.unchanged, tally.failed);
  if (tally.reading > 0) std::printf(", %zu still being read", tally.reading);
  if (tally.skipped > 0) {
    std::printf(", %llu skipped: kinds that are not read without --include",
                static_cast<unsigned long long>(tally.skipped));
  }
  if (!tally.unreadable.empty()) std::printf(", %zu unreadable", tally.unreadable.size());
  std::printf("\n");
}

}  // namespace

Exit ingest(const Common& common, const IngestOptions& options) {
  auto found = documents_at(options.paths, {options.include, options.exclude});
  if (!found.ok()) return fail(common, found.error());
  print_unreadable(common, found->unreadable);
  auto remote = Remote::open(common, {"ingest"});
  if (!remote.ok()) return fail(common, remote.error());
  Sender sender(**remote, {options.collection, options.tags});
  Tally tally;
  tally.skipped = found->other_kinds;
  tally.unreadable = found->unreadable;
  const auto& files = found->files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const NamedFile& file = files[i];
    const std::string place = std::to_string(i + 1) + "/" + std::to_string(files.size());
    auto stored = sender.store(file, place);
    const bool shown = !stored.ok() && !common.json;
    if (shown) {
      std::fprintf(stderr, "%s: %s\n", printable(file.path).c_str(),
                   printable(words_of(stored.error())).c_str());
    }
    tally.note(file, stored);
  }
  print_end(common, tally);
  return tally.exit();
}

}  // namespace mainstay::app
