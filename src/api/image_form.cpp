// Multipart events to blocks on the shelf.
#include "api/image_form.h"

#include <algorithm>

#include "api/form_stream.h"
#include "api/gate.h"

namespace mainstay::api {
namespace {

constexpr std::size_t kBlock = 512 * 1024;
constexpr std::size_t kOperationsMax = 4096;
constexpr std::uint64_t kFormMax = 1024;  ///< of a form for each picture, beside the picture
constexpr std::uint32_t kOtherParts = 8;

Error bad_form(const char* reason, const std::string& sentence, const char* param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

Error image_too_large(const MediaSettings& settings) {
  return Error::say(Errc::too_large, "image_too_large",
                    "A picture may have at most " + std::to_string(settings.image_bytes_max.value) +
                        " bytes (media.image_bytes_max).");
}

}  // namespace

ImageForm::~ImageForm() {
  for (std::size_t i = 0; i < images_.size(); ++i) let_go(i);
}

void ImageForm::let_go(std::size_t index) noexcept {
  SentImage& image = images_[index];
  if (!image.shelf.text().empty()) rooms_.shelf->drop(image.shelf.text());
  image.shelf = storage::FileId();
}

Status ImageForm::begin_part(bool is_file, const std::string& name, const std::string& file_name) {
  in_ = In::nothing;
  if (!is_file && name == "operations") {
    if (has_operations_) {
      return bad_form("duplicate_field", "The form gives 'operations' twice.", "operations");
    }
    has_operations_ = true;
    in_ = In::operations;
    return done();
  }
  if (!is_file) {
    return bad_form("unknown_field", "The form holds files and 'operations'.", "operations");
  }
  if (images_.size() >= rooms_.settings.media.images_max) {
    return Error::say(Errc::too_large, "too_many_images",
                      "One request may hold " + std::to_string(rooms_.settings.media.images_max) +
                          " pictures (media.images_max). Send several.");
  }
  in_ = In::image;
  SentImage image;
  image.name = shown_file_name(file_name);
  image.shelf = storage::FileId(make_id("file-", rooms_.clock, rooms_.random));
  images_.push_back(std::move(image));
  return done();
}

Co<Status> ImageForm::put(Context& context) {
  auto writable = check_writable(rooms_);
  if (!writable.ok()) co_return writable;
  SentImage& image = images_.back();
  const std::size_t size = block_.size();
  const Deadline by =
      context.by.sooner(rooms_.clock.now(), rooms_.settings.storage.operation_timeout);
  std::string block = std::move(block_);
  block_ = std::string();
  // Not synced: it is gone in a moment anyway.
  auto put =
      co_await rooms_.shelf->put(image.shelf.text(), image.size, std::move(block), false, by);
  image.size += size;
  co_return put;
}

/// `form` is the caller's, and stands where it is until this is over.
Co<Status> ImageForm::take(Context& context, const FormStream& form) {
  const std::string_view bytes = form.data();
  const MediaSettings& settings = rooms_.settings.media;
  SentImage& image = images_.back();
  total_ += bytes.size();
  if (total_ > settings.images_bytes_max.value) {
    co_return Error::say(Errc::too_large, "images_too_large",
                         "The pictures of one request may have at most " +
                             std::to_string(settings.images_bytes_max.value) +
                             " bytes (media.images_bytes_max). Send several requests.");
  }
  if (image.wrong) co_return done();
  if (image.size + block_.size() + bytes.size() > settings.image_bytes_max.value) {
    image.wrong = image_too_large(settings);
    block_ = std::string();
    let_go(images_.size() - 1);
    co_return done();
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (block_.empty()) block_.reserve(kBlock);
    const std::size_t n = std::min(kBlock - block_.size(), bytes.size() - at);
    block_.append(bytes.substr(at, n));
    at += n;
    if (block_.size() < kBlock) continue;
    auto written = co_await put(context);
    if (!written.ok()) co_return written;
  }
  co_return done();
}

Co<Status> ImageForm::receive(Context& context) {
  const MediaSettings& settings = rooms_.settings.media;
  const Bytes most(settings.images_bytes_max.value + settings.images_max * kFormMax + 65536);
  auto form = FormStream::open(context, most, "images", settings.images_max + kOtherParts);
  if (!form.ok()) co_return form.error();
  for (;;) {
    auto event = co_await form->next();
    if (!event.ok()) co_return event.error();
    if (*event == Multipart::Event::end) break;
    if (*event == Multipart::Event::part) {
      const PartHead& head = form->head();
      auto begun = begin_part(head.is_file, head.name, head.file_name);
      if (!begun.ok()) co_return begun;
    } else if (*event == Multipart::Event::data && in_ == In::image) {
      auto taken = co_await take(context, *form);
      if (!taken.ok()) co_return taken;
    } else if (*event == Multipart::Event::data && in_ == In::operations) {
      operations_.append(form->data());
      if (operations_.size() > kOperationsMax) {
        co_return bad_form("field_too_long", "'operations' is too long.", "operations");
      }
    } else if (*event == Multipart::Event::part_end && in_ == In::image) {
      if (images_.back().wrong) continue;
      auto written = co_await put(context);
      if (!written.ok()) co_return written;
    }
  }
  if (images_.empty()) {
    co_return bad_form("missing_field", "The form holds no picture.", "images");
  }
  co_return done();
}

}  // namespace mainstay::api
