// Orders by recvmsg; what is read is mapped or read by its library, never copied whole.
#include "decoder/serve.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "decoder/answers.h"
#include "decoder/images.h"
#include "decoder/pdf.h"

namespace mainstay::decoder {
namespace {

using media::Is;
using media::Order;

constexpr int kNoMemory = 77;  ///< exit code; media/decoders.cpp knows it
constexpr std::uint32_t kOpenFiles = 64;
constexpr std::uint32_t kHardSeconds = 24 * 3600;  ///< each item is granted far less

[[noreturn]] void out_of_memory() {
  ::_exit(kNoMemory);
}

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
  if (!refused) end_with(media::frame_head(order.item, Is::end));
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

/// One datagram: a line of JSON and a descriptor.
struct Incoming {
  std::string text;
  int file = -1;
};

bool receive(Incoming& out) {
  std::array<char, media::kOrderMax> bytes{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof out.file)> beside{};
  iovec text{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = beside.data();
  message.msg_controllen = beside.size();
  ssize_t got = 0;
  do got = ::recvmsg(media::kOrders, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  out.text.assign(bytes.data(), static_cast<std::size_t>(got));
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return false;
  std::memcpy(&out.file, CMSG_DATA(head), sizeof out.file);
  return out.file >= 0;
}

void answer(const Order& order, int file) {
  grant_seconds(order.seconds);
  auto refused = carry_out(order, file);
  if (!refused) return;
  Json head = media::frame_head(order.item, Is::failed);
  head["reason"] = refused->reason;
  head["detail"] = refused->detail;
  end_with(std::move(head));
}

}  // namespace

Result<resources::Sandbox> lock_in(std::uint64_t memory) {
  if (!warm_images()) return Error::log(Errc::unavailable, "libvips does not start");
  if (!warm_pdf()) return Error::log(Errc::unavailable, "poppler does not start");
  open_memory_figures();
  resources::SandboxRules rules;
  rules.memory = memory;
  rules.cpu_seconds = kHardSeconds;
  rules.open_files = kOpenFiles;
  rules.threads = true;                     // libvips computes on one beside the main one
  rules.readable = {"/usr/share/poppler"};  // tables of East Asian encodings
  return resources::enter_sandbox(rules);
}

void serve() {
  std::set_new_handler(&out_of_memory);
  for (;;) {
    Incoming incoming;
    if (!receive(incoming)) return;
    auto order = media::order_of(incoming.text);
    if (!order.ok()) return;
    answer(*order, incoming.file);
    ::close(incoming.file);
  }
}

}  // namespace mainstay::decoder
