// mainstay analyze: reads files in pieces and tells what they hold, without a server.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "api/status.h"
#include "app/commands.h"
#include "app/terminal.h"
#include "media/analysis.h"

namespace mainstay::app {
namespace {

constexpr std::size_t kPiece = 1024 * 1024;  ///< read at once
constexpr std::uint64_t kMegabyte = 1'000'000;
constexpr std::uint64_t kShowEvery = 32;  ///< pieces between two looks of the bar

using media::Report;

/// An open file; standard input is left open.
class Input {
 public:
  explicit Input(const std::string& path)
      : fd_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Input() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  int fd() const noexcept { return fd_; }
  /// Of a file; 0 where it is not known.
  std::uint64_t size() const {
    struct stat facts{};
    if (::fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) return 0;
    return static_cast<std::uint64_t>(facts.st_size);
  }

 private:
  int fd_;
};

Error unreadable(int number) {
  return Error::say(number == ENOENT ? Errc::not_found : Errc::unavailable,
                    number == ENOENT ? "file_not_found" : "file_unreadable",
                    std::string("It cannot be read: ") + std::strerror(number) + ".");
}

Result<Report> analyze_file(const std::string& path, std::uint32_t terms, char* piece) {
  const Input input(path);
  if (input.fd() < 0) return unreadable(errno);
  const std::uint64_t size = input.size();
  ::posix_fadvise(input.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  media::AnalysisLimits limits;
  limits.top_terms = terms;
  media::Analysis analysis(limits);
  ProgressBar bar("Analysing (MB)", size / kMegabyte);
  std::uint64_t done = 0;
  for (std::uint64_t pieces = 0; !analysis.refused(); ++pieces) {
    const ssize_t got = ::read(input.fd(), piece, kPiece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(errno);
    if (got == 0) break;
    analysis.feed({piece, static_cast<std::size_t>(got)});
    done += static_cast<std::uint64_t>(got);
    // A file that grows, or a pipe, has no end that a bar could show.
    if (size > 0 && pieces % kShowEvery == 0 && done <= size) bar.show(done / kMegabyte, path);
  }
  return analysis.finish();
}

std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, ",");
  return out;
}

/// A file's name as a terminal may show it.
std::string shown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    out += u < 0x20 || u == 0x7f ? '?' : c;
  }
  return out;
}

void row(const char* what, const std::string& value) {
  std::printf("  %-12s %s\n", what, value.c_str());
}

std::string repeats_of(const media::Repeats& repeats) {
  return std::string(repeats.exact ? "" : "at least ") + grouped(repeats.repeated) + " of " +
         grouped(repeats.total);
}

std::string percent(std::uint64_t some, std::uint64_t all) {
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(some) / static_cast<double>(all));
}

std::string characters_of(const Report& report) {
  std::string out = grouped(report.characters);
  if (report.characters == 0) return out;
  std::uint64_t letters = 0;
  std::string scripts;
  for (std::size_t i = 0; i < media::kCharKinds; ++i) {
    const auto kind = static_cast<media::CharKind>(i);
    if (!media::is_letter(kind) || report.kinds[i] == 0) continue;
    letters += report.kinds[i];
    scripts += (scripts.empty() ? " (" : ", ") + std::string(media::name(kind));
  }
  out += ": letters " + percent(letters, report.characters);
  if (!scripts.empty()) out += scripts + ")";
  for (std::size_t i = 0; i < static_cast<std::size_t>(media::CharKind::letter); ++i) {
    if (report.kinds[i] == 0) continue;
    out += ", " + std::string(media::name(static_cast<media::CharKind>(i))) + " " +
           percent(report.kinds[i], report.characters);
  }
  return out;
}

std::string readability_of(const media::Readability& readability) {
  std::string out;
  if (readability.flesch_reading_ease) {
    out = fmt::format("Flesch reading ease {:.1f}, ", *readability.flesch_reading_ease);
  }
  if (readability.flesch_kincaid_grade) {
    out += fmt::format("school year {:.1f}, ", *readability.flesch_kincaid_grade);
  }
  if (readability.lix) out += fmt::format("LIX {:.1f}, ", *readability.lix);
  return out + fmt::format("{:.1f} words a sentence, {:.1f} letters a word",
                           readability.sentence_words, readability.word_letters);
}

std::string terms_of(const Report& report) {
  std::string out;
  for (const auto& term : report.top_terms) {
    out += (out.empty() ? "" : ", ") + term.text + " " + grouped(term.count);
  }
  if (report.term_error > 0) out += "; each up to " + grouped(report.term_error) + " more";
  return out;
}

void print(const std::string& path, const Report& report) {
  std::printf("%s\n", shown(path).c_str());
  std::string encoding = report.ascii ? "ASCII" : "UTF-8";
  if (report.byte_order_mark) encoding += " with a byte order mark";
  if (report.invalid_bytes > 0) encoding += ", " + grouped(report.invalid_bytes) + " invalid bytes";
  row("size", grouped(report.bytes) + " bytes, " + encoding);
  row("characters", characters_of(report));
  const auto& longest = report.lines.longest;
  row("lines", grouped(report.lines.lines) +
                   (longest.number == 0 ? ""
                                        : "; longest: line " + grouped(longest.number) + ", " +
                                              grouped(longest.characters) + " characters"));
  row("text", grouped(report.words) + " words, " + grouped(report.sentences) + " sentences, " +
                  grouped(report.lines.paragraphs.total) + " paragraphs");
  row("language", std::string(report.language.code) +
                      fmt::format(", confidence {:.2f}", report.language.confidence));
  if (report.readability) row("reading", readability_of(*report.readability));
  row("repeated", repeats_of(report.lines.not_blank) + " lines, " +
                      repeats_of(report.lines.paragraphs) + " paragraphs");
  if (!report.top_terms.empty()) row("terms", terms_of(report));
}

void print_json(const std::string& path, const Result<Report>& report) {
  Json out = {{"file", path}};
  if (report.ok()) {
    out.update(media::to_json(*report));
  } else {
    const Error& error = report.error();
    out["error"] = {{"code", api::stable_code(error)}, {"message", error.message}};
  }
  std::printf("%s\n", dump(out).c_str());
}

}  // namespace

Exit analyze(const Common& common, const AnalyzeOptions& options) {
  const auto piece = std::make_unique<char[]>(kPiece);
  Exit exit = Exit::ok;
  for (const auto& path : options.files) {
    const auto report = analyze_file(path, options.terms, piece.get());
    if (!report.ok() && exit == Exit::ok) exit = Exit::failed;
    if (common.json) {
      print_json(path, report);
    } else if (report.ok()) {
      print(path, *report);
    } else {
      const std::string& text = report.error().message;
      std::fprintf(stderr, "mainstay: %s: %s\n", shown(path).c_str(), text.c_str());
    }
    std::fflush(stdout);
  }
  return exit;
}

}  // namespace mainstay::app
