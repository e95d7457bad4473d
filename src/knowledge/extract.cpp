// One class for each way of reading: pieces of text, a page of HTML as a whole, pages of a PDF,
// what is known of a picture. Cutting and digesting happen on the pool, on a state that outlives a
// caller who gave up.
#include "knowledge/extract.h"

#include "base/sha256.h"
#include "knowledge/html.h"
#include "knowledge/picture_text.h"
#include "knowledge/records.h"
#include "media/pdf_text.h"

namespace mainstay::knowledge {
namespace {

/// A batch of ingest.cpp may be larger than it should be by one of these.
constexpr std::size_t kPiece = 256 * 1024;

Format format_of(FileType type) noexcept {
  return type == FileType::markdown || type == FileType::html ? Format::markdown : Format::text;
}

/// What the pool works on.
struct State {
  State(FileType of, ChunkSize size, bool terms)
      : type(of), cutter(format_of(of), size, terms), lines(of == FileType::json_log) {}

  Status take(const std::string& bytes) {
    digest.update(bytes);
    read += bytes.size();
    std::string text;
    switch (type) {
      case FileType::csv: {
        auto fed = csv.feed(bytes, text);
        return fed.ok() ? cutter.feed(text) : fed;
      }
      case FileType::json_lines:
      case FileType::json_log: {
        auto fed = lines.feed(bytes, text);
        return fed.ok() ? cutter.feed(text) : fed;
      }
      case FileType::text:
      case FileType::markdown:
        return cutter.feed(bytes);
      case FileType::html:
      case FileType::pdf:
      case FileType::image:
        break;
    }
    return done();
  }

  Status finish() {
    std::string text;
    Status ended = done();
    if (type == FileType::csv) ended = csv.finish(text);
    if (type == FileType::json_lines || type == FileType::json_log) ended = lines.finish(text);
    if (ended.ok() && !text.empty()) ended = cutter.feed(text);
    return ended.ok() ? cutter.finish() : ended;
  }

  const FileType type;
  Cutter cutter;
  CsvText csv;
  JsonLinesText lines;
  Sha256 digest;
  std::uint64_t read = 0;
  std::string title;
  std::string thumbnail;
};

Error no_decoder() {
  return Error::say(Errc::unavailable, "decoder_missing",
                    "This server cannot read PDF files and pictures: its decoder is missing.");
}

class Base : public Extraction {
 public:
  Base(const ExtractTools& tools, FileType type, ByteSource& source)
      : tools_(tools),
        source_(source),
        state_(std::make_shared<State>(
            type, ChunkSize{tools.settings.chunk_tokens, tools.settings.chunk_overlap_tokens},
            tools.terms)) {}
  Cutter& cutter() noexcept override { return state_->cutter; }
  const std::string& title() const noexcept override { return state_->title; }
  const std::string& thumbnail() const noexcept override { return state_->thumbnail; }
  std::uint64_t bytes_read() const noexcept override { return state_->read; }
  std::string sha256() override { return state_->digest.hex(); }

 protected:
  /// The next piece of the file; empty at its end.
  Co<Result<std::string>> next_piece(Deadline by) { return source_.read(state_->read, kPiece, by); }
  /// Reads the file for its digest alone; then opens it for a decoder.
  Co<Result<resources::Descriptor>> digest_and_open(Deadline by) {
    if (tools_.decoders == nullptr) co_return no_decoder();
    for (;;) {
      auto piece = co_await next_piece(by);
      if (!piece.ok()) co_return piece.error();
      if (piece->empty()) break;
      auto work = [state = state_, bytes = std::move(*piece)] { return state->take(bytes); };
      auto digested = co_await offload(tools_.clock, tools_.pool, std::move(work), by);
      if (!digested.ok()) co_return digested.error();
    }
    auto file = co_await source_.open(by);
    if (!file.ok()) co_return file.error();
    co_return resources::Descriptor(file->release());
  }
  const ExtractTools tools_;
  ByteSource& source_;
  const std::shared_ptr<State> state_;
};

class PlainText final : public Base {
 public:
  using Base::Base;
  Co<Result<bool>> step(Deadline by) override {
    auto piece = co_await next_piece(by);
    if (!piece.ok()) co_return piece.error();
    const bool more = !piece->empty();
    auto work = [state = state_, bytes = std::move(*piece)] {
      return bytes.empty() ? state->finish() : state->take(bytes);
    };
    auto cut = co_await offload(tools_.clock, tools_.pool, std::move(work), by);
    if (!cut.ok()) co_return cut.error();
    co_return more;
  }
};

/// HTML is read as a whole: its structure is known at its end only.
class HtmlText final : public Base {
 public:
  using Base::Base;
  Co<Result<bool>> step(Deadline by) override {
    const std::uint64_t most = tools_.settings.html_max.value;
    if (source_.size() > most) {
      co_return Error::say(
          Errc::too_large, "document_too_large",
          "An HTML file may have at most " + std::to_string(most) + " bytes (knowledge.html_max).",
          "file");
    }
    std::string html;
    for (;;) {
      auto piece = co_await next_piece(by);
      if (!piece.ok()) co_return piece.error();
      if (piece->empty()) break;
      state_->read += piece->size();
      html += *piece;
    }
    auto work = [state = state_, html = std::move(html)]() -> Status {
      state->digest.update(html);
      auto page = read_html(html);
      if (!page.ok()) return page.error();
      state->title = std::move(page->title);
      auto fed = state->cutter.feed(page->markdown);
      return fed.ok() ? state->cutter.finish() : fed;
    };
    auto cut = co_await offload(tools_.clock, tools_.pool, std::move(work), by);
    if (!cut.ok()) co_return cut.error();
    co_return false;
  }
};

class PdfPages final : public Base {
 public:
  using Base::Base;
  Co<Result<bool>> step(Deadline by) override {
    if (!pdf_) {
      auto opened = co_await open(by);
      if (!opened.ok()) co_return opened.error();
    }
    auto page = co_await pdf_->next(by);
    if (!page.ok()) co_return page.error();
    const bool more = page->has_value();
    const bool page_goes_on = more && (*page)->more;
    auto work = [state = state_, page = std::move(*page), same = same_page_]() -> Status {
      if (!page) return state->cutter.finish();
      auto begun = same ? done() : state->cutter.begin_page(page->number);
      return begun.ok() ? state->cutter.feed(page->text) : begun;
    };
    same_page_ = page_goes_on;
    auto cut = co_await offload(tools_.clock, tools_.pool, std::move(work), by);
    if (!cut.ok()) co_return cut.error();
    co_return more;
  }

 private:
  Co<Status> open(Deadline by) {
    auto file = co_await digest_and_open(by);
    if (!file.ok()) co_return file.error();
    auto pdf = co_await media::PdfText::open(*tools_.decoders, std::move(*file), by);
    if (!pdf.ok()) co_return pdf.error();
    pdf_ = std::move(*pdf);
    state_->title = pdf_->title();
    co_return done();
  }
  std::unique_ptr<media::PdfText> pdf_;
  bool same_page_ = false;  ///< the piece before was not the last of its page
};

/// Of a picture there is what its file says of it.
class Picture final : public Base {
 public:
  Picture(const ExtractTools& tools, FileType type, ByteSource& source, std::string name)
      : Base(tools, type, source), name_(std::move(name)) {}
  Co<Result<bool>> step(Deadline by) override {
    auto file = co_await digest_and_open(by);
    if (!file.ok()) co_return file.error();
    auto read = co_await read_picture(*tools_.decoders, std::move(*file), name_, by);
    if (!read.ok()) co_return read.error();
    state_->title = std::move(read->title);
    auto again = co_await source_.open(by);
    if (!again.ok()) co_return again.error();
    resources::Descriptor whole(again->release());
    auto small = co_await make_thumbnail(*tools_.decoders, std::move(whole), by);
    if (!small.ok()) co_return small.error();
    state_->thumbnail = std::move(*small);
    auto fed = state_->cutter.feed(read->text);
    if (!fed.ok()) co_return fed.error();
    auto ended = state_->cutter.finish();
    if (!ended.ok()) co_return ended.error();
    co_return false;
  }

 private:
  const std::string name_;
};

}  // namespace

std::unique_ptr<Extraction> extraction_of(const ExtractTools& tools, FileType type,
                                          ByteSource& source, std::string name) {
  if (type == FileType::image) {
    return std::make_unique<Picture>(tools, type, source, std::move(name));
  }
  if (type == FileType::html) return std::make_unique<HtmlText>(tools, type, source);
  if (type == FileType::pdf) return std::make_unique<PdfPages>(tools, type, source);
  return std::make_unique<PlainText>(tools, type, source);
}

}  // namespace mainstay::knowledge
