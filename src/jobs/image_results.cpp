// A result and its line are kept one after the other; a result whose line was lost is made again
// under the same id.
#include "jobs/image_results.h"

#include "base/json_fields.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kBlock = 1 << 20;

/// "a/photo.jpg" made into a "png": "photo.png".
std::string result_name(const std::string& name, const std::string& format) {
  const auto slash = name.find_last_of("/\\");
  std::string own = slash == std::string::npos ? name : name.substr(slash + 1);
  const auto dot = own.rfind('.');
  if (dot != std::string::npos && dot > 0) own.resize(dot);
  return own + '.' + (format == "jpeg" ? "jpg" : format);
}

/// "file-" and the job's own part: the same in each attempt.
std::string prefix_of(const storage::JobId& job) {
  const std::string& text = job.text();
  return "file-" + (text.starts_with("job_") ? text.substr(4) : text);
}

}  // namespace

struct ImageResults::Made {
  std::string id;
  media::ImageFacts facts;
};

ImageResults::ImageResults(const Tools& tools, Run& run, const media::ImageWish& wish)
    : tools_(tools),
      run_(run),
      wish_(wish),
      owner_(run.job().job.owner),
      prefix_(prefix_of(run.job().job.id)),
      lines_(prefix_ + "-lines"),
      spool_(prefix_ + "-in") {}

ImageResults::~ImageResults() {
  tools_.shelf->drop(spool_);
}

void ImageResults::count(const Json& line) {
  ++next_;
  if (string_field(line, "status") == "done") ++done_;
}

Co<Status> ImageResults::begin(std::size_t total, Deadline by) {
  total_ = total;
  std::string rest;
  std::uint64_t at = 0;
  for (;;) {
    auto block = co_await tools_.shelf->read(lines_, at, kBlock, by);
    const bool none = !block.ok() && block.error().reason == "unknown_file";
    if (none) co_return done();
    if (!block.ok()) co_return block.error();
    if (block->empty()) co_return done();
    at += block->size();
    rest += *block;
    std::size_t from = 0;
    for (std::size_t end = 0; (end = rest.find('\n', from)) != std::string::npos; from = end + 1) {
      auto line = parse_json(rest.substr(from, end - from));
      if (!line.ok()) co_return done();  // from here on nothing was synced
      count(*line);
      lines_bytes_ += end + 1 - from;
    }
    rest.erase(0, from);
  }
}

storage::FileInfo ImageResults::file_of(std::string id) const {
  storage::FileInfo out;
  out.id = storage::FileId(std::move(id));
  out.owner = owner_;
  out.purpose = "vision";
  out.created = tools_.clock.wall();
  out.expires = out.created + std::chrono::duration_cast<WallTime::duration>(
                                  Duration(tools_.settings.files.keep));
  return out;
}

Co<Status> ImageResults::add_file(storage::FileInfo file, Deadline by) {
  const storage::FileLimits limits{tools_.settings.files.owner_entries_max,
                                   tools_.settings.files.owner_bytes_max.value};
  co_return co_await tools_.files->add(std::move(file), limits, by);
}

Co<Result<ImageResults::Made>> ImageResults::convert(const ImageItem& item, std::string id,
                                                     Deadline by) {
  auto content = co_await tools_.shelf->open_content(item.content, by);
  if (!content.ok()) co_return content.error();
  resources::Descriptor file(content->release());
  media::Order order = media::order_of(wish_);
  auto begun = co_await tools_.decoders->begin(std::move(file), std::move(order), by);
  if (!begun.ok()) co_return begun.error();
  media::ImageResult result(std::move(*begun));
  auto facts = co_await result.facts(by);
  if (!facts.ok()) co_return facts.error();
  std::uint64_t at = 0;
  std::string waiting;
  for (;;) {
    auto piece = co_await result.next(by);
    if (!piece.ok()) co_return piece.error();
    const bool last = !piece->has_value();
    if (!last) waiting += **piece;
    if (!last && waiting.size() < kBlock) continue;
    const std::uint64_t from = at;
    at += waiting.size();
    std::string bytes = std::move(waiting);
    waiting = std::string();
    auto put = co_await tools_.shelf->put(id, from, std::move(bytes), last, by);
    if (!put.ok()) co_return put.error();
    if (last) break;
  }
  co_return Made{std::move(id), std::move(*facts)};
}

Co<Status> ImageResults::keep(const Made& made, const ImageItem& item, Deadline by) {
  storage::FileInfo file = file_of(made.id);
  file.name = result_name(item.name, made.facts.format);
  file.size = made.facts.bytes;
  co_return co_await add_file(std::move(file), by);
}

Co<Status> ImageResults::make(ImageItem item, Deadline by) {
  const std::string id = prefix_ + "-" + std::to_string(item.index);
  auto made = co_await convert(item, id, by);
  if (!made.ok()) {
    tools_.shelf->drop(id);
    co_return co_await failed(std::move(item), made.error(), by);
  }
  auto kept = co_await keep(*made, item, by);
  if (!kept.ok()) {
    tools_.shelf->drop(id);
    co_return co_await failed(std::move(item), kept.error(), by);
  }
  Json line = {{"index", item.index},
               {"name", item.name},
               {"status", "done"},
               {"format", made->facts.format},
               {"width", made->facts.width},
               {"height", made->facts.height},
               {"bytes", made->facts.bytes},
               {"file", id},
               {"url", "/v1/files/" + id + "/content"}};
  co_return co_await append(std::move(line), by);
}

/// A full disk or a busy decoder is no property of the picture.
Co<Status> ImageResults::failed(ImageItem item, Error error, Deadline by) {
  const bool of_picture = !worth_another(error) || error.code == Errc::over_limit;
  if (!of_picture) co_return error;
  auto body = parse_json(tools_.body_of(error));
  Json line = {{"index", item.index}, {"name", item.name}, {"status", "failed"}};
  if (body.ok()) line["error"] = field(*body, "error");
  co_return co_await append(std::move(line), by);
}

Co<Status> ImageResults::append(Json line, Deadline by) {
  std::string text = dump(line) + '\n';
  const std::uint64_t at = lines_bytes_;
  const std::uint64_t end = at + text.size();
  auto put = co_await tools_.shelf->put(lines_, at, std::move(text), true, by);
  if (!put.ok()) co_return put;
  lines_bytes_ = end;
  count(line);
  Json news = {{"stage", "images"},
               {"done", next_},
               {"failed", next_ - done_},
               {"what", string_field(line, "name")}};
  if (total_ > 0) news["total"] = total_;
  co_await run_.tell("progress", std::move(news));
  co_return done();
}

Co<Result<Outcome>> ImageResults::end(Deadline by) {
  if (next_ == 0) {
    co_return Error::say(Errc::unprocessable, "archive_empty", "The archive holds no files.");
  }
  storage::FileInfo file = file_of(lines_);
  file.name = "results.jsonl";
  file.size = lines_bytes_;
  auto kept = co_await add_file(std::move(file), by);
  if (!kept.ok()) co_return kept.error();
  Outcome out;
  out.result = dump(Json{{"object", "images"},
                         {"total", next_},
                         {"done", done_},
                         {"failed", next_ - done_},
                         {"results", lines_},
                         {"url", "/v1/files/" + lines_ + "/content"}});
  co_return out;
}

}  // namespace mainstay::jobs
