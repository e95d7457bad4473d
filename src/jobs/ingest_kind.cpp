// "ingest": a text, or a file of any size, into a collection. Doing it twice is doing it once: the
// document's id comes from the job's, and the library knows a document by its content.
#include "base/json_fields.h"
#include "jobs/document_upkeep.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"
#include "storage/files.h"
#include "storage/shelf.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kNameMax = 1024;
constexpr Duration kTellEvery = std::chrono::milliseconds(500);

Json info_of(const storage::Added& added) {
  const auto& document = added.document;
  Json out = Json::object();
  out["id"] = document.id.text();
  out["object"] = "document";
  out["collection"] = document.collection.text();
  out["title"] = document.title;
  out["source"] = document.source;
  out["media_type"] = document.media_type;
  out["sha256"] = document.sha256;
  out["bytes"] = document.size.value;
  out["chunks"] = document.chunks;
  out["created_at"] = unix_seconds(document.created);
  if (!document.tags.empty()) out["tags"] = document.tags;
  out["existed"] = added.existed;
  out["replaced"] = added.replaced;
  if (added.superseded) out["superseded"] = true;
  return out;
}

/// Tells a job's followers how far it is, not more often than is of use.
class Teller final : public knowledge::IngestWatcher {
 public:
  Teller(Run& run, Clock& clock) : run_(run), clock_(clock) {}
  Co<> progress(knowledge::IngestProgress now) override {
    const TimePoint at = clock_.now();
    if (last_ && at - *last_ < kTellEvery) co_return;
    last_ = at;
    Json data = {{"stage", "storing"},
                 {"bytes", now.bytes},
                 {"bytes_total", now.of},
                 {"chunks", now.chunks}};
    co_await run_.tell("progress", std::move(data));
  }

 private:
  Run& run_;
  Clock& clock_;
  std::optional<TimePoint> last_;
};

knowledge::NewFile file_of(const Json& input) {
  knowledge::NewFile file;
  file.collection = CollectionName(string_field(input, "collection"));
  file.title = string_field(input, "title");
  file.source = string_field(input, "source");
  file.format = string_field(input, "format");
  file.replaces = DocumentId(string_field(input, "document"));
  file.collection_number = static_cast<std::int64_t>(count_field(input, "collection_number"));
  auto tags = words_member(input, "tags", "input.tags");
  if (tags.ok() && input.contains("tags")) file.tags = std::move(*tags);
  return file;
}

class IngestKind final : public Kind {
 public:
  explicit IngestKind(const Tools& tools) : tools_(tools), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::knowledge;
    limits_.priority = storage::JobClass::batch;
    limits_.timeout = tools.settings.knowledge.ingest_timeout;
    limits_.timeout_setting = "knowledge.ingest_timeout";
  }
  std::string_view name() const noexcept override { return "ingest"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    auto known =
        check_members(input, {"collection", "collection_number", "title", "source", "format",
                              "tags", "text", "file", "file_is_own", "document"});
    if (!known.ok()) return known.error();
    Json kept = Json::object();
    for (const char* name : {"collection", "title", "source", "format", "file", "document"}) {
      auto value = text_member(input, name, 0, kNameMax);
      if (!value.ok()) return value.error();
      if (!value->empty()) kept[name] = std::move(*value);
    }
    const bool of_file = kept.contains("file");
    if (of_file && input.contains("text")) {
      return Error::say(Errc::invalid, "invalid_value",
                        "Give 'input.text' or 'input.file', not both.", "input.file");
    }
    // A document and nothing else to read: it is made anew from its own passages.
    const bool remade = kept.contains("document") && !of_file && !input.contains("text");
    auto text = text_member(input, "text", of_file || remade ? 0 : 1, limits_.input_max.value);
    if (!text.ok()) return text.error();
    const std::string collection = string_field(kept, "collection");
    if (!collection.empty() && !is_plain_name(collection)) {
      return Error::say(Errc::invalid, "invalid_name",
                        "A collection's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                        "input.collection");
    }
    auto tags = words_member(input, "tags", "input.tags");
    if (!tags.ok()) return tags.error();
    const bool wanted = input.contains("tags") && !input["tags"].is_null();
    if (wanted) kept["tags"] = *tags;  // none at all is a wish too
    const auto number = count_field(input, "collection_number");
    if (number > 0) kept["collection_number"] = number;
    if (flag_field(input, "file_is_own")) kept["file_is_own"] = true;
    auto fits = knowledge::Ingest::check(file_of(kept));
    if (!fits.ok()) return below_input(fits.error());
    if (!of_file && !remade) {
      auto type = knowledge::type_of({}, {}, string_field(kept, "format"));
      if (!type.ok() || !knowledge::is_text(*type)) {
        return Error::say(Errc::invalid, "invalid_value",
                          "'input.format' of a text is one of text, markdown, html, csv, jsonl.",
                          "input.format");
      }
      kept["text"] = std::move(*text);
    }
    return dump(kept);
  }

  /// Documents in PostgreSQL are those of all processes; files are of one.
  bool travels(const std::string& input) const override {
    if (tools_.settings.storage.postgres_url.empty()) return false;
    auto parsed = parse_json(input);
    return parsed.ok() && !parsed->contains("file");
  }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto input = parse_json(run.job().job.input);
    if (!input.ok()) co_return input.error();
    const InForce now = tools_.in_force();
    knowledge::NewFile file = file_of(*input);
    file.id = document_of(run.job().job.id);
    file.accepted = run.job().created;
    Teller teller(run, tools_.clock);
    const storage::Owner owner = run.job().job.owner;
    Result<storage::Added> added;
    if (input->contains("text")) {
      if (file.format.empty()) file.format = "text";
      knowledge::TextSource text(string_field(*input, "text"));
      added = co_await now.library->ingest(owner.tenant, std::move(file), text, &teller,
                                           run.last_attempt(), by);
    } else if (input->contains("file")) {
      storage::FileId id(string_field(*input, "file"));
      Kept what{std::move(id), flag_field(*input, "file_is_own")};
      added = co_await read_file(run, *now.library, std::move(file), std::move(what), teller, by);
    } else {
      added = co_await now.library->remake(owner.tenant, std::move(file), &teller,
                                           run.last_attempt(), by);
    }
    if (!added.ok()) co_return added.error();
    Outcome out;
    out.result = dump(info_of(*added));
    co_return out;
  }

 private:
  struct Kept {
    storage::FileId id;
    bool own = false;  ///< it came with the order: nobody has it but the job
  };
  Co<Result<storage::Added>> read_file(Run& run, knowledge::Library& library,
                                       knowledge::NewFile file, Kept what, Teller& teller,
                                       Deadline by) {
    const storage::Owner owner = run.job().job.owner;
    auto kept = co_await find(owner, what.id, by);
    if (!kept.ok()) co_return kept.error();
    if (file.source.empty()) file.source = kept->name;
    knowledge::ShelfSource source(*tools_.shelf, what.id.text(), kept->size);
    auto added = co_await library.ingest(owner.tenant, std::move(file), source, &teller,
                                         run.last_attempt(), by);
    // A file that was put here for this alone, once nobody will read it again.
    const bool read = added.ok() || (what.own && is_over(run, added.error()));
    if (read && kept->purpose == kForIngest) co_await forget(owner, std::move(what.id));
    co_return added;
  }
  /// Whether the error is the job's end. What was stopped may be handed to another attempt.
  static bool is_over(const Run& run, const Error& error) {
    if (run.cancelled() || error.code == Errc::cancelled || is_not_now(error)) return false;
    return run.last_attempt() || !worth_another(error);
  }
  Co<Result<storage::FileInfo>> find(storage::Owner owner, storage::FileId id, Deadline by) {
    if (tools_.files == nullptr || tools_.shelf == nullptr) {
      co_return Error::say(Errc::unavailable, "files_unavailable",
                           "This server has no place for files now.");
    }
    auto found = co_await tools_.files->get(std::move(owner), std::move(id), by);
    co_return found;
  }
  Co<> forget(storage::Owner owner, storage::FileId id) {
    // The attempt's own time may be over.
    const Deadline soon = Deadline::in(tools_.clock, tools_.settings.storage.operation_timeout);
    auto gone = co_await tools_.files->erase(std::move(owner), id, soon);
    // Who deleted the document may have taken the row away first.
    if (gone.ok() || gone.error().code == Errc::not_found) tools_.shelf->drop(id.text());
  }
  const Tools tools_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_ingest_kind(const Tools& tools) {
  return std::make_unique<IngestKind>(tools);
}

}  // namespace mainstay::jobs
