// What is read is mapped or read by its library, never copied whole.
#include "decoder/serve.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_fields.h"
#include "child/orders.h"
#include "decoder/archive.h"
#include "decoder/images.h"
#include "decoder/pdf.h"

namespace mainstay::decoder {
namespace {

using media::Is;
using media::Order;

/// A file that is looked at through the address space.
class Mapped {
 public:
  explicit Mapped(int file) {
    struct stat about{};
    if (::fstat(file, &about) != 0 || about.st_size <= 0) return;
    size_ = static_cast<std::size_t>(about.st_size);
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  }
  ~Mapped() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  std::optional<Refusal> wrong() const {
    if (size_ == 0) return Refusal{"file_empty", ""};
    if (data_ == MAP_FAILED) return Refusal{"decoder_memory", "the file does not fit"};
    return std::nullopt;
  }
  std::string_view bytes() const noexcept { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

std::optional<Refusal> read_document(const Order& order, int file) {
  const Mapped mapped(file);
  auto wrong = mapped.wrong();
  if (wrong) return wrong;
  auto refused = read_pdf(order, mapped.bytes());
  if (!refused) child::end_with(media::frame_head(order.item, Is::end));
  return refused;
}

std::optional<Refusal> carry_out(const Order& order, int file) {
  switch (order.want) {
    case media::Want::pdf:
      return read_document(order, file);
    case media::Want::image:
      return convert_picture(order, file);
    case media::Want::measure:
      return measure_picture(order, file);
  }
  return Refusal{"image_format", ""};
}

}  // namespace

Result<resources::Sandbox> lock_in(std::uint64_t memory) {
  if (!warm_images()) return Error::log(Errc::unavailable, "libvips does not start");
  if (!warm_pdf()) return Error::log(Errc::unavailable, "poppler does not start");
  warm_archives();
  child::open_memory_figures();
  resources::SandboxRules rules;
  rules.memory = memory;
  rules.cpu_seconds = child::kHardSeconds;
  rules.open_files = child::kOpenFiles;
  rules.threads = true;                     // libvips computes on one beside the main one
  rules.readable = {"/usr/share/poppler"};  // tables of East Asian encodings
  return resources::enter_sandbox(rules);
}

void serve() {
  child::serve([](const Json& object, int file) -> std::optional<Refusal> {
    if (string_field(object, "want") == "archive") return unpack(object, file);
    const auto order = media::order_in(object);
    if (!order.ok()) return Refusal{"", "an order of an unknown kind"};
    return carry_out(*order, file);
  });
}

}  // namespace mainstay::decoder
