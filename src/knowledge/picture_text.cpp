// Words around figures.
#include "knowledge/picture_text.h"

#include "base/text.h"
#include "storage/documents.h"

namespace mainstay::knowledge {
namespace {

constexpr std::uint32_t kSide = 256;
constexpr std::uint32_t kQuality = 75;

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

/// The last component of a name or an address.
std::string own_name(const std::string& name) {
  const auto slash = name.find_last_of("/\\");
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

void add_line(std::string& text, const char* what, const std::string& value) {
  if (!value.empty()) text += "\n" + std::string(what) + ": " + value;
}

}  // namespace

PictureText words_of(const media::ImageFacts& facts, const std::string& name) {
  PictureText out;
  const std::string file = own_name(name);
  out.title = facts.description.empty() ? file : facts.description;
  const bool turned = facts.orientation >= 5;
  out.text = "Picture " + (file.empty() ? std::string("without a name") : file) + "\n";
  add_line(out.text, "Shows", facts.description);
  add_line(out.text, "Taken", facts.date);
  add_line(out.text, "By", facts.author);
  add_line(out.text, "Camera", facts.camera);
  add_line(out.text, "Format", upper(facts.format));
  add_line(out.text, "Size",
           std::to_string(turned ? facts.height : facts.width) + " x " +
               std::to_string(turned ? facts.width : facts.height) + " pixels, " +
               std::to_string(facts.bytes) + " bytes");
  if (facts.frames > 1) add_line(out.text, "Frames", std::to_string(facts.frames));
  out.text += "\n";
  return out;
}

Co<Result<PictureText>> read_picture(media::Decoders& decoders, resources::Descriptor file,
                                     std::string name, Deadline by) {
  auto facts = co_await media::measure_image(decoders, std::move(file), by);
  if (!facts.ok()) co_return facts.error();
  co_return words_of(*facts, name);
}

Co<Result<std::string>> make_thumbnail(media::Decoders& decoders, resources::Descriptor file,
                                       Deadline by) {
  media::ImageWish wish;
  wish.width = kSide;
  wish.height = kSide;
  wish.format = "jpeg";
  wish.quality = kQuality;
  media::Order order = media::order_of(wish);
  auto begun = co_await decoders.begin(std::move(file), std::move(order), by);
  if (!begun.ok()) co_return begun.error();
  media::ImageResult result(std::move(*begun));
  auto facts = co_await result.facts(by);
  if (!facts.ok()) co_return facts.error();
  std::string out;
  for (;;) {
    auto piece = co_await result.next(by);
    if (!piece.ok()) co_return piece.error();
    if (!piece->has_value()) break;
    out += **piece;
  }
  if (out.size() > storage::kThumbnailMax) out.clear();
  co_return out;
}

}  // namespace mainstay::knowledge
