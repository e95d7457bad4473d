// "images": pictures in bulk, out of files or an archive. Each result is a file with an id made
// from the job's, and a line about it is kept before the next picture is begun: an attempt after a
// crash goes on behind the last line.
#include <algorithm>

#include "base/json_fields.h"
#include "base/text.h"
#include "jobs/image_results.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kIdMax = 128;
constexpr std::size_t kFilesMax = 10'000;

Error not_here() {
  return Error::say(Errc::unavailable, "decoder_missing",
                    "This server has no decoder for images, or no place for files.");
}

/// One attempt: takes the items one after the other.
class Bulk {
 public:
  Bulk(const Tools& tools, Run& run, const media::ImageWish& wish)
      : tools_(tools), owner_(run.job().job.owner), results_(tools, run, wish) {}
  Co<Result<Outcome>> of_files(std::vector<std::string> ids, Deadline by);
  Co<Result<Outcome>> of_archive(storage::FileId id, Deadline by);

 private:
  Co<Status> take_file(std::size_t index, storage::FileId id, Deadline by);
  Co<Status> take_steps(media::Unpacking& archive, Deadline by);
  Co<Status> take_step(media::ArchiveStep step, Deadline by);
  Co<Status> end_entry(Deadline by);

  const Tools& tools_;
  const storage::Owner owner_;
  ImageResults results_;
  // Of an archive: the entry under way.
  std::optional<ImageItem> entry_;
  std::uint64_t entry_bytes_ = 0;
};

Co<Status> Bulk::take_file(std::size_t index, storage::FileId id, Deadline by) {
  ImageItem item;
  item.index = index;
  item.name = id.text();
  auto file = co_await tools_.files->get(owner_, id, by);
  if (!file.ok()) co_return co_await results_.failed(std::move(item), file.error(), by);
  item.name = file->name;
  item.content = id.text();
  co_return co_await results_.make(std::move(item), by);
}

Co<Result<Outcome>> Bulk::of_files(std::vector<std::string> ids, Deadline by) {
  auto begun = co_await results_.begin(ids.size(), by);
  if (!begun.ok()) co_return begun.error();
  for (std::size_t i = results_.next(); i < ids.size(); ++i) {
    auto taken = co_await take_file(i, storage::FileId(ids[i]), by);
    if (!taken.ok()) co_return taken.error();
  }
  co_return co_await results_.end(by);
}

/// The entry is whole on the shelf.
Co<Status> Bulk::end_entry(Deadline by) {
  if (!entry_) co_return done();
  ImageItem item = std::move(*entry_);
  entry_.reset();
  co_return co_await results_.make(std::move(item), by);
}

Co<Status> Bulk::take_step(media::ArchiveStep step, Deadline by) {
  using Is = media::ArchiveStep::Is;
  if (step.is == Is::data) {
    if (!entry_) co_return done();  // of an entry that an earlier attempt saw to
    const std::uint64_t at = entry_bytes_;
    entry_bytes_ += step.bytes.size();
    co_return co_await tools_.shelf->put(results_.spool(), at, std::move(step.bytes), false, by);
  }
  if (step.is == Is::wrong) {
    const bool begun = entry_ && entry_->index == step.index;
    if (begun) entry_.reset();
    auto before = co_await end_entry(by);
    if (!before.ok()) co_return before;
    if (step.index < results_.next()) co_return done();
    ImageItem item{step.index, std::move(step.name), ""};
    co_return co_await results_.failed(std::move(item), std::move(step.error), by);
  }
  auto before = co_await end_entry(by);
  if (!before.ok() || step.is == Is::end || step.index < results_.next()) co_return before;
  entry_ = ImageItem{step.index, std::move(step.name), results_.spool()};
  entry_bytes_ = 0;
  co_return co_await tools_.shelf->put(results_.spool(), 0, std::string(), false, by);
}

Co<Status> Bulk::take_steps(media::Unpacking& archive, Deadline by) {
  for (;;) {
    auto step = co_await archive.next(by);
    if (!step.ok()) {
      // The decoder says of each file that is not whole; when it fell silent, the last is not.
      if (!step.error().reason.starts_with("archive_")) entry_.reset();
      auto before = co_await end_entry(by);
      if (!before.ok()) co_return before;
      co_return step.error();
    }
    const bool last = step->is == media::ArchiveStep::Is::end;
    auto taken = co_await take_step(std::move(*step), by);
    if (!taken.ok() || last) co_return taken;
  }
}

Co<Result<Outcome>> Bulk::of_archive(storage::FileId id, Deadline by) {
  auto file = co_await tools_.files->get(owner_, id, by);
  if (!file.ok()) co_return file.error();
  auto content = co_await tools_.shelf->open_content(id.text(), by);
  if (!content.ok()) co_return content.error();
  auto begun = co_await results_.begin(0, by);
  if (!begun.ok()) co_return begun.error();
  resources::Descriptor descriptor(content->release());
  auto archive = co_await tools_.archives->open(std::move(descriptor), by);
  if (!archive.ok()) co_return archive.error();
  auto taken = co_await take_steps(*archive, by);
  const bool some = results_.next() > 0;
  if (!taken.ok() && (worth_another(taken.error()) || !some)) co_return taken.error();
  if (!taken.ok()) {
    // The archive breaks off: what came before stays, and a line says so.
    ImageItem rest{results_.next(), "", ""};
    auto told = co_await results_.failed(std::move(rest), taken.error(), by);
    if (!told.ok()) co_return told.error();
  }
  co_return co_await results_.end(by);
}

class ImagesKind final : public Kind {
 public:
  explicit ImagesKind(const Tools& tools) : tools_(tools), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::knowledge;
    limits_.priority = storage::JobClass::batch;
    limits_.timeout = tools.settings.knowledge.ingest_timeout;
    limits_.timeout_setting = "knowledge.ingest_timeout";
  }
  std::string_view name() const noexcept override { return "images"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    auto known = check_members(input, {"files", "archive", "operations"});
    if (!known.ok()) return known.error();
    Json kept = Json::object();
    auto files = words_member(input, "files", "input.files");
    if (!files.ok()) return files.error();
    auto archive = text_member(input, "archive", 0, kIdMax);
    if (!archive.ok()) return archive.error();
    if (files->empty() == archive->empty()) {
      return Error::say(Errc::invalid, files->empty() ? "missing_field" : "invalid_value",
                        "Give 'input.files', ids of pictures, or 'input.archive', the id of one.",
                        "input.files");
    }
    const bool fits = files->size() <= kFilesMax &&
                      std::all_of(files->begin(), files->end(), [](const std::string& id) {
                        return !id.empty() && id.size() <= kIdMax && is_utf8(id);
                      });
    if (!fits) {
      return Error::say(Errc::invalid, "out_of_range",
                        "'input.files' holds 1 to " + std::to_string(kFilesMax) + " ids.",
                        "input.files");
    }
    const Json& operations = object_or_none(input);
    auto wish = media::image_wish(operations);
    if (!wish.ok()) return below_input(wish.error());
    if (!files->empty()) kept["files"] = *files;
    if (!archive->empty()) kept["archive"] = *archive;
    kept["operations"] = operations;
    return dump(kept);
  }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto input = parse_json(run.job().job.input);
    if (!input.ok()) co_return input.error();
    const bool of_archive = input->contains("archive");
    const bool here = tools_.files != nullptr && tools_.shelf != nullptr &&
                      tools_.decoders != nullptr && (tools_.archives != nullptr || !of_archive);
    if (!here) co_return not_here();
    auto wish = media::image_wish(object_field(*input, "operations"));
    if (!wish.ok()) co_return wish.error();
    Bulk bulk(tools_, run, *wish);
    if (of_archive) {
      storage::FileId id(string_field(*input, "archive"));
      co_return co_await bulk.of_archive(std::move(id), by);
    }
    auto files = words_member(*input, "files", "input.files");
    if (!files.ok()) co_return files.error();
    co_return co_await bulk.of_files(std::move(*files), by);
  }

 private:
  /// What is not there asks for nothing; what is no object is refused as such.
  static const Json& object_or_none(const Json& input) {
    static const Json none = Json::object();
    const Json& found = field(input, "operations");
    return found.is_null() ? none : found;
  }
  const Tools tools_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_images_kind(const Tools& tools) {
  return std::make_unique<ImagesKind>(tools);
}

}  // namespace mainstay::jobs
