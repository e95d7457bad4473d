// Where a locked-in program is, and what it says of itself.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/text.h"
#include "media/child_pool.h"
#include "media/decoders.h"

namespace mainstay::media {
namespace {

constexpr int kProbeMillis = 10'000;
constexpr std::size_t kSaidMax = 64 * 1024;

Error unusable(const std::string& why) {
  return Error::log(Errc::unavailable, why);
}

/// All that comes out of a pipe that does not block, until its end or the time is over.
std::string read_all(int fd) {
  std::string out;
  std::array<char, 1024> bytes{};
  for (int turns = 64; turns > 0 && out.size() < kSaidMax; --turns) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, kProbeMillis) <= 0) break;
    const auto got = ::read(fd, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return out;
}

}  // namespace

std::string find_program(const std::string& wanted, const char* name) {
  if (!wanted.empty()) return wanted;
  std::array<char, PATH_MAX> bytes{};
  const auto length = ::readlink("/proc/self/exe", bytes.data(), bytes.size());
  if (length <= 0) return "";
  const std::string self(bytes.data(), static_cast<std::size_t>(length));
  const std::string folder = self.substr(0, self.rfind('/') + 1);
  for (const char* place : {"", "../libexec/mainstay/"}) {
    const std::string path = folder + place + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

Result<Json> ask_program(const std::string& program, const std::vector<std::string>& argv) {
  if (program.empty()) return unusable("it is not beside this program.");
  resources::ChildProgram what{program, argv, {"LANG=C.UTF-8"}};
  auto made = resources::spawn(what);
  if (made.error != 0) return unusable(program + ": " + std::strerror(made.error) + ".");
  const std::string said = read_all(made.process.out.get());
  const std::string wrong = read_all(made.process.err.get());
  const auto how = resources::reap(made.process.pid);
  auto object = parse_json(said);
  if (object.ok() && object->is_object()) return object;
  const std::string words(cut_utf8(to_utf8(trim(wrong)), 200));
  return unusable(program + ": " + (words.empty() ? resources::describe(how) : words) + ".");
}

std::string find_decoder(const std::string& wanted) {
  return find_program(wanted, "mainstay-decoder");
}

Result<Json> probe_decoder(const std::string& program) {
  auto said = ask_program(program, {"mainstay-decoder", "probe"});
  if (said.ok()) return said;
  return Error::say(Errc::unavailable, "decoder_missing",
                    "The decoder for PDFs and images cannot be used: " + said.error().detail);
}

}  // namespace mainstay::media
