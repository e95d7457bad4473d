// "ingest": a text, Markdown or HTML document into a collection. Doing it twice is doing it once:
// the library knows a document by its content.
#include "base/json_fields.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"

namespace mainstay::jobs {
namespace {

constexpr std::size_t kNameMax = 1024;

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
  out["existed"] = added.existed;
  out["replaced"] = added.replaced;
  return out;
}

class IngestKind final : public Kind {
 public:
  explicit IngestKind(const Tools& tools) : tools_(tools), limits_(common_limits(tools.settings)) {
    limits_.scope = admission::Scope::knowledge;
    limits_.priority = storage::JobClass::batch;
  }
  std::string_view name() const noexcept override { return "ingest"; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    auto known = check_members(input, {"collection", "title", "source", "format", "text"});
    if (!known.ok()) return known.error();
    const InForce now = tools_.in_force();
    auto text = text_member(input, "text", 1, now.settings->knowledge.document_max.value);
    if (!text.ok()) return text.error();
    Json kept = Json::object();
    for (const char* name : {"collection", "title", "source"}) {
      auto value = text_member(input, name, 0, kNameMax);
      if (!value.ok()) return value.error();
      if (!value->empty()) kept[name] = std::move(*value);
    }
    const std::string collection = string_field(kept, "collection");
    if (!collection.empty() && !is_plain_name(collection)) {
      return Error::say(Errc::invalid, "invalid_name",
                        "A collection's name has 1 to 128 characters of A-Z a-z 0-9 . _ : -",
                        "input.collection");
    }
    auto format = text_member(input, "format", 0, 16);
    if (!format.ok()) return format.error();
    if (format->empty()) *format = "text";
    if (*format != "text" && *format != "markdown" && *format != "html") {
      return Error::say(Errc::invalid, "invalid_value",
                        "'input.format' must be one of text, markdown, html.", "input.format");
    }
    kept["format"] = std::move(*format);
    kept["text"] = std::move(*text);
    return dump(kept);
  }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto input = parse_json(run.job().job.input);
    if (!input.ok()) co_return input.error();
    const InForce now = tools_.in_force();
    knowledge::NewText text;
    text.collection = CollectionName(
        string_field(*input, "collection", now.settings->knowledge.default_collection));
    text.title = string_field(*input, "title");
    text.source = string_field(*input, "source");
    text.format = string_field(*input, "format", "text");
    text.text = string_field(*input, "text");
    auto added = co_await now.library->add(run.job().job.owner.tenant, std::move(text), by);
    if (!added.ok()) co_return added.error();
    Outcome out;
    out.result = dump(info_of(*added));
    co_return out;
  }

 private:
  const Tools tools_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_ingest_kind(const Tools& tools) {
  return std::make_unique<IngestKind>(tools);
}

}  // namespace mainstay::jobs
