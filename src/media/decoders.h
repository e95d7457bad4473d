// The decoder processes: PDFs and images are read there, locked in, never in this program. A
// bounded number of them, a bounded line before them, a deadline for each item.
// Used by media/pdf_text.h, media/image.h, app (which makes it) and tests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"
#include "config/settings.h"
#include "media/frames.h"
#include "resources/child_process.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::media {

struct DecoderFigures {
  std::uint32_t running = 0;  ///< items under way
  std::uint32_t idle = 0;     ///< processes that wait for one
  std::uint32_t waiting = 0;  ///< items that wait for a process
  std::uint64_t done = 0;     ///< items that ended well
  std::uint64_t refused = 0;  ///< files that a decoder found wanting
  std::uint64_t failed = 0;   ///< items whose process ended or said what it must not
  std::uint64_t killed = 0;   ///< processes killed: out of time, or nobody wanted the rest
  std::uint64_t started = 0;  ///< processes
};

/// One file under way in one process. On the executor of whoever began it. Letting go of it before
/// the last frame kills the process.
class Decoding {
 public:
  virtual ~Decoding() = default;
  /// The next frame: start, page or data; after `end`, whose head it gives, nothing may be asked.
  /// Errors: what the decoder says of the file (see reasons.h), unprocessable "decoder_failed"
  /// (its process ended, or answered nonsense), "decoder_deadline" (media.decoder_deadline is the
  /// time that is waited for all frames together), deadline (`by` came first).
  virtual Co<Result<Frame>> next(Deadline by) = 0;
};

enum class IfBusy : std::uint8_t { wait, refuse };

/// Thread-safe. Outlives what it began.
class Decoders {
 public:
  /// `program`: of the decoder; empty: it was not found. References outlive it and its decodings.
  Decoders(const MediaSettings& settings, std::string program, Clock& clock, Log& log,
           Metrics& metrics);
  ~Decoders();
  Decoders(const Decoders&) = delete;
  Decoders& operator=(const Decoders&) = delete;

  /// Hands `file` (a regular file, open for reading, read from its start) to a process. Its limits
  /// are filled in from the settings where the order has zeros. Errors: unavailable
  /// "decoder_missing", "decoders_busy" (no process became free by `by`), "decoder_failed".
  Co<Result<std::unique_ptr<Decoding>>> begin(resources::Descriptor file, Order order, Deadline by,
                                              IfBusy busy = IfBusy::wait);
  /// Ends processes that had nothing to do for media.decoder_idle; never returns.
  Co<> tidy();
  /// No further items; processes at rest end. Those under way end with their decodings.
  void close();
  DecoderFigures figures() const;
  /// Processes at once.
  std::uint32_t size() const noexcept;

  struct Core;

 private:
  const std::shared_ptr<Core> core_;
};

/// Where the decoder is: `wanted` when it is given, else mainstay-decoder beside this program or in
/// ../libexec/mainstay. Empty: nowhere. Blocks for a moment.
std::string find_decoder(const std::string& wanted);

/// What a decoder says of itself and of the machine, as `mainstay doctor` shows it. Blocks, 10 s at
/// most; from the main thread. Errors: unavailable with a sentence.
Result<Json> probe_decoder(const std::string& program);

}  // namespace mainstay::media
