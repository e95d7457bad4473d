// Frames of a PDF as pages.
#include "media/pdf_text.h"

#include "base/json_fields.h"
#include "base/text.h"
#include "media/reasons.h"

namespace mainstay::media {
namespace {

constexpr std::size_t kTitleMax = 1024;

std::uint32_t small(const Json& head, const char* key) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count_field(head, key), UINT32_MAX));
}

}  // namespace

Co<Result<std::unique_ptr<PdfText>>> PdfText::open(Decoders& decoders, resources::Descriptor file,
                                                   Deadline by) {
  Order order;
  order.want = Want::pdf;
  auto begun = co_await decoders.begin(std::move(file), std::move(order), by);
  if (!begun.ok()) co_return begun.error();
  std::unique_ptr<PdfText> out(new PdfText(std::move(*begun)));
  auto first = co_await out->decoding_->next(by);
  if (!first.ok()) co_return first.error();
  if (first->is != Is::start) co_return decoder_failed("a PDF without its start");
  out->title_ = std::string(cut_utf8(to_utf8(string_field(first->head, "title")), kTitleMax));
  out->pages_ = small(first->head, "pages");
  co_return out;
}

Co<Result<std::optional<PdfPage>>> PdfText::next(Deadline by) {
  if (!decoding_) co_return std::optional<PdfPage>();
  auto frame = co_await decoding_->next(by);
  if (!frame.ok() || frame->is != Is::page) decoding_.reset();
  if (!frame.ok()) co_return frame.error();
  if (frame->is == Is::end) co_return std::optional<PdfPage>();
  if (frame->is != Is::page) co_return decoder_failed("a PDF with something else in it");
  PdfPage page;
  page.number = small(frame->head, "page");
  page.more = flag_field(frame->head, "more");
  // It is not to be trusted with UTF-8 either.
  page.text = is_utf8(frame->body) ? std::move(frame->body) : to_utf8(frame->body);
  co_return std::optional<PdfPage>(std::move(page));
}

}  // namespace mainstay::media
