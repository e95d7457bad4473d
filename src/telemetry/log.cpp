// The log's queue and writer thread. Callers format into a string of their own thread, append it to
// the queue under a short lock, and wake the writer only when it sleeps. The writer waits a few
// milliseconds for more lines before it writes, so that a busy server pays one wake-up and one
// write(2) for a hundred lines. Lines wait in blocks of one size, which take what the lines have
// and no more: one long text would double, and hold twice and more what waits in it.
#include "telemetry/log.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "telemetry/log_line.h"
#include "telemetry/log_sink.h"
#include "telemetry/log_tail.h"

namespace mainstay {
namespace {

constexpr std::chrono::milliseconds kGather{5};
/// Room for each line of the queue, in bytes; bounds the queue's memory whatever the lines hold.
constexpr std::size_t kBytesPerLine = 512;
constexpr std::size_t kBlock = 64 * 1024;
constexpr std::size_t kSpareBlocks = 4;

struct Block {
  std::string text;
  std::size_t lines = 0;
};
using Blocks = std::vector<Block>;

/// Lines that wait, the oldest first.
struct Batch {
  Blocks blocks;
  std::size_t lines = 0;
  std::size_t bytes = 0;

  /// `spare`: blocks to use before new memory.
  void add(std::string_view line, Blocks& spare) {
    if (blocks.empty() || blocks.back().text.size() + line.size() > kBlock) {
      if (spare.empty()) spare.emplace_back().text.reserve(kBlock);
      blocks.push_back(std::move(spare.back()));
      spare.pop_back();
    }
    blocks.back().text += line;
    ++blocks.back().lines;
    bytes += line.size();
    ++lines;
  }
};

}  // namespace

struct Log::Writer {
  Writer(LogSink to, std::string name, LogFormat as, std::size_t lines_max, Clock& time)
      : sink(std::move(to)),
        sink_name(std::move(name)),
        silent(sink.none()),
        format(as),
        queue_max(lines_max),
        bytes_max(std::max(lines_max * kBytesPerLine, kLogLineMax)),
        clock(time) {
    spare.reserve(kSpareBlocks);  // so that giving a block back takes no memory
  }

  void push(std::string_view line);
  void run();
  void write_out(Batch& batch, std::uint64_t lost);
  void give_back(Blocks blocks);
  void stop(Duration for_at_most);

  LogSink sink;  // the writer thread's own once it runs
  const std::string sink_name;
  const bool silent;
  const LogFormat format;
  const std::size_t queue_max;
  const std::size_t bytes_max;
  Clock& clock;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable ended;
  Batch queue;
  Blocks spare;                   // empty blocks, at most kSpareBlocks
  std::optional<LogSink> next;    // takes over from `sink` before the next line
  std::uint64_t lost_unsaid = 0;  // dropped since the last log.dropped line
  bool sleeping = false;
  bool stopping = false;
  bool finished = false;
  std::atomic<bool> hurry{false};  // stop's time is over: leave a full sink alone
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> dropped{0};
  std::unique_ptr<LogTail> kept;
  std::atomic<LogTail*> tail{nullptr};  // `kept`, once it is there
  std::thread thread;  // lint: thread the log's one writer, alive as long as the log
};

void Log::Writer::push(std::string_view line) {
  bool must_wake = false;
  {
    std::lock_guard lock(mutex);
    if (stopping || queue.lines >= queue_max || queue.bytes + line.size() > bytes_max) {
      dropped.fetch_add(1, std::memory_order_relaxed);
      if (!stopping) ++lost_unsaid;
      return;
    }
    queue.add(line, spare);
    must_wake = std::exchange(sleeping, false);
  }
  if (must_wake) wake.notify_one();
}

void Log::Writer::run() {
  sigset_t quiet;
  sigfillset(&quiet);  // signals belong to the main thread; SIGPIPE becomes an error of write()
  pthread_sigmask(SIG_BLOCK, &quiet, nullptr);
  Batch batch;
  for (;;) {
    std::uint64_t lost = 0;
    std::optional<LogSink> fresh;
    {
      std::unique_lock lock(mutex);
      while (queue.lines == 0 && lost_unsaid == 0 && !stopping && !next) {
        sleeping = true;
        wake.wait(lock);
      }
      sleeping = false;
      if (!stopping) wake.wait_for(lock, kGather, [this] { return stopping; });
      std::swap(batch, queue);
      lost = std::exchange(lost_unsaid, 0);
      fresh = std::exchange(next, std::nullopt);
      if (batch.lines == 0 && lost == 0 && !fresh) {
        finished = true;
        ended.notify_all();
        return;
      }
    }
    if (fresh) sink = std::move(*fresh);
    if (batch.lines > 0 || lost > 0) write_out(batch, lost);
  }
}

void Log::Writer::write_out(Batch& batch, std::uint64_t lost) {
  if (lost > 0) try {
      Blocks none;
      std::string line;
      append_log_line(line, format, clock.wall(), Level::warn, "log.dropped", {{"count", lost}});
      batch.add(line, none);
    } catch (const std::bad_alloc&) {
      // Told by the counter alone.
    }
  // First, so that a full sink does not hold up those who look here.
  if (LogTail* const tail_now = tail.load(std::memory_order_acquire); tail_now != nullptr) {
    for (const Block& block : batch.blocks) tail_now->add(block.text);
  }
  for (const Block& block : batch.blocks) {
    const bool wrote = sink.write(block.text, [this] { return hurry.load(); });
    (wrote ? written : dropped).fetch_add(block.lines, std::memory_order_relaxed);
  }
  give_back(std::exchange(batch, {}).blocks);
}

void Log::Writer::give_back(Blocks blocks) {
  std::erase_if(blocks, [](const Block& block) { return block.text.capacity() > kBlock; });
  std::lock_guard lock(mutex);
  while (!blocks.empty() && spare.size() < kSpareBlocks) {
    blocks.back().text.clear();
    blocks.back().lines = 0;
    spare.push_back(std::move(blocks.back()));
    blocks.pop_back();
  }
}

void Log::Writer::stop(Duration for_at_most) {
  {
    std::unique_lock lock(mutex);
    stopping = true;
    wake.notify_one();
    if (thread.joinable()) ended.wait_for(lock, for_at_most, [this] { return finished; });
    hurry = true;
  }
  if (thread.joinable()) thread.join();
}

Result<Level> level_from(std::string_view text) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    if (text == name(level)) return level;
  }
  return Error::say(Errc::invalid, "log_level",
                    "The log level must be one of debug, info, warn, error, off.");
}

Result<std::unique_ptr<Log>> Log::open(const LogSettings& settings, Clock& clock) {
  auto level = level_from(settings.level);
  if (!level.ok()) return level.error();
  if (settings.format != "json" && settings.format != "text") {
    return Error::say(Errc::invalid, "log_format", "The log format must be json or text.");
  }
  auto sink = LogSink::open(settings.sink);
  if (!sink.ok()) return std::move(sink.error());
  const LogFormat format = settings.format == "json" ? LogFormat::json : LogFormat::text;
  auto writer =
      std::make_unique<Writer>(std::move(*sink), settings.sink, format, settings.queue_max, clock);
  if (!writer->silent) {
    Writer* const self = writer.get();
    writer->thread = std::thread([self] { self->run(); });  // lint: thread the log's one writer
    pthread_setname_np(writer->thread.native_handle(), "log");
  }
  return std::unique_ptr<Log>(new Log(std::move(writer), *level, clock));
}

Log::Log(std::unique_ptr<Writer> writer, Level level, Clock& clock)
    : clock_(clock), level_(level), writer_(std::move(writer)) {}

Log::~Log() {
  stop(std::chrono::seconds(1));
}

void Log::write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!wants(level) || level == Level::off || writer_->silent) return;
  // A line is written where things go wrong, in catch blocks above all: it must not throw itself.
  try {
    thread_local std::string line;
    line.clear();
    append_log_line(line, writer_->format, clock_.wall(), level, event, fields);
    writer_->push(line);
  } catch (...) {
    writer_->dropped.fetch_add(1, std::memory_order_relaxed);
  }
}

void Log::pass(std::string_view text) {
  if (writer_->silent) return;
  try {
    std::string line;
    line.reserve(text.size() + 1);
    for (const char c : text) {
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\t') line += c;
    }
    line += '\n';
    writer_->push(line);
  } catch (const std::bad_alloc&) {
    writer_->dropped.fetch_add(1, std::memory_order_relaxed);
  }
}

void Log::keep_tail(Bytes room) {
  if (writer_->silent || room.value == 0 || writer_->kept) return;
  writer_->kept = std::make_unique<LogTail>(room);
  writer_->tail.store(writer_->kept.get(), std::memory_order_release);
}

const LogTail* Log::tail() const noexcept {
  return writer_->tail.load(std::memory_order_acquire);
}

std::string_view Log::format() const noexcept {
  return writer_->format == LogFormat::json ? "json" : "text";
}

std::uint64_t Log::written() const noexcept {
  return writer_->written.load();
}
std::uint64_t Log::queued_bytes() const {
  std::lock_guard lock(writer_->mutex);
  return writer_->queue.bytes;
}
std::uint64_t Log::dropped() const noexcept {
  return writer_->dropped.load();
}

Status Log::reopen() {
  const std::string& name = writer_->sink_name;
  if (name == "none" || name == "stderr" || name == "stdout") return done();
  auto sink = LogSink::open(name);
  if (!sink.ok()) return std::move(sink.error());
  {
    std::lock_guard lock(writer_->mutex);
    writer_->next = std::move(*sink);
    writer_->sleeping = false;
  }
  writer_->wake.notify_one();
  return done();
}

void Log::stop(Duration for_at_most) {
  writer_->stop(for_at_most);
}

}  // namespace mainstay
