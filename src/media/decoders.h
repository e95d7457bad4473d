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
#include "media/child_pool.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::media {

using DecoderFigures = ChildFigures;

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

 private:
  const MediaSettings settings_;
  ChildPool pool_;
};

/// Where the decoder is: `wanted` when it is given, else mainstay-decoder beside this program or in
/// ../libexec/mainstay. Empty: nowhere. Blocks for a moment.
std::string find_decoder(const std::string& wanted);

/// What a decoder says of itself and of the machine, as `mainstay doctor` shows it. Blocks, 10 s at
/// most; from the main thread. Errors: unavailable with a sentence.
Result<Json> probe_decoder(const std::string& program);

}  // namespace mainstay::media
