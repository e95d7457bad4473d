// Sound in one process, for bench/suites/voice.py: files decoded by mainstay-audio, sentences
// spoken and heard by the built-in engines.
//   sound decode PROGRAM FILE THREADS     {"wall","cpu","peak","seconds","pieces"}
//   sound speech PROGRAM SENTENCES VOICE  {"words","wrong","spoken","heard_in",...} and each
//   sentence
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "media/audio.h"

namespace {

using namespace mainstay;
using Seconds = std::chrono::duration<double>;

struct World {
  asio::io_context io;
  RealClock clock;
  Metrics metrics;
  std::unique_ptr<Log> log;
  SoundSettings settings;
  std::unique_ptr<media::Audio> audio;
  int code = 0;

  explicit World(const std::string& program, std::uint32_t threads) {
    LogSettings quiet;
    quiet.sink = "none";
    log = std::move(*Log::open(quiet, clock));
    settings.threads = threads;
    settings.decoders = settings.recognisers = settings.speakers = 1;
    audio = std::make_unique<media::Audio>(settings, program, clock, *log, metrics);
  }
  Deadline late() const { return Deadline::in(clock, std::chrono::hours(2)); }
  int fail(const Error& error) {
    std::fprintf(stderr, "%s\n", error.detail.c_str());
    code = 1;
    return 1;
  }
};

Co<> decode(World& world, std::string path) {
  media::AudioInput input;
  input.file = resources::Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const TimePoint began = world.clock.now();
  const media::DecodeWish whole;
  auto begun = co_await world.audio->decode(std::move(input), whole, world.late());
  if (!begun.ok()) {
    world.fail(begun.error());
    co_return;
  }
  const auto stream = std::move(*begun);
  std::uint64_t bytes = 0;
  for (;;) {
    auto piece = co_await stream->next(world.late());
    if (!piece.ok()) {
      world.fail(piece.error());
      co_return;
    }
    if (!*piece) break;
    bytes += (*piece)->bytes.size();
  }
  const double wall = Seconds(world.clock.now() - began).count();
  world.audio->close();
  const auto& summary = stream->summary();
  Json out = {{"wall", wall},
              {"seconds", summary.seconds},
              {"samples", bytes / 2},
              {"pieces", summary.pieces}};
  std::printf("%s", dump(out).c_str());
}

std::vector<std::string> words_of(const std::string& text) {
  std::string plain;
  for (const char c : lower_ascii(text)) plain += std::isalpha(c) || c == '\'' ? c : ' ';
  std::istringstream in(plain);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

/// Words to be put in, left out or replaced.
std::size_t distance(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t change = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, above + 1, row[j - 1] + 1});
      corner = above;
    }
  }
  return row.back();
}

Co<Result<std::string>> spoken(World& world, std::string text, std::string voice) {
  media::SpeakWish wish;
  wish.text = std::move(text);
  wish.voice = std::move(voice);
  auto begun = co_await world.audio->speak(std::move(wish), world.late());
  if (!begun.ok()) co_return begun.error();
  std::string out;
  for (;;) {
    auto piece = co_await (*begun)->next(world.late());
    if (!piece.ok()) co_return piece.error();
    if (!*piece) co_return out;
    out += **piece;
  }
}

Co<Result<std::string>> heard(World& world, std::string bytes) {
  media::AudioInput input;
  input.file = std::move(*media::memory_file(bytes));
  auto begun = co_await world.audio->hear(std::move(input), world.late());
  if (!begun.ok()) co_return begun.error();
  std::string out;
  for (;;) {
    auto segment = co_await (*begun)->next(world.late());
    if (!segment.ok()) co_return segment.error();
    if (!*segment) co_return out;
    out += (*segment)->text + " ";
  }
}

Co<> speech(World& world, std::string list, std::string voice) {
  std::ifstream in(list);
  Json all = Json::array();
  std::size_t words = 0;
  std::size_t wrong = 0;
  std::size_t whole = 0;
  double seconds = 0;
  double listening = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    auto bytes = co_await spoken(world, line, voice);
    if (!bytes.ok()) {
      world.fail(bytes.error());
      co_return;
    }
    const TimePoint began = world.clock.now();
    auto text = co_await heard(world, *bytes);
    if (!text.ok()) {
      world.fail(text.error());
      co_return;
    }
    listening += Seconds(world.clock.now() - began).count();
    seconds += static_cast<double>(bytes->size()) / (2.0 * media::kSpokenRate);
    const auto said = words_of(line);
    const std::size_t off = distance(said, words_of(*text));
    words += said.size();
    wrong += off;
    whole += off == 0 ? 1 : 0;
    all.push_back({{"said", line}, {"heard", *text}, {"wrong", off}});
  }
  Json out = {{"words", words},    {"wrong", wrong},        {"whole", whole},
              {"spoken", seconds}, {"heard_in", listening}, {"sentences", all}};
  std::printf("%s\n", dump(out).c_str());
  world.audio->close();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (argc != 5 || (verb != "decode" && verb != "speech")) {
    std::fprintf(stderr, "usage: sound decode PROGRAM FILE THREADS | speech PROGRAM LIST VOICE\n");
    return 2;
  }
  int code = 0;
  {
    World world(argv[2], verb == "decode" ? static_cast<std::uint32_t>(std::atoi(argv[4])) : 1);
    Co<> work = verb == "decode" ? decode(world, argv[3]) : speech(world, argv[3], argv[4]);
    asio::co_spawn(world.io, std::move(work), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
    world.io.run();
    code = world.code;
  }
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);  // all are gone by now
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  if (verb == "decode" && code == 0) {
    std::printf("\n{\"cpu\":%.6f,\"peak\":%ld}\n", of(used.ru_utime) + of(used.ru_stime),
                used.ru_maxrss);
  }
  return code;
}
