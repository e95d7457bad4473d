// The text of a file, read in bounded pieces into a cutter.
// Used by ingest.cpp.
#pragma once

#include <memory>
#include <string>

#include "base/offload.h"
#include "config/settings.h"
#include "knowledge/cutter.h"
#include "knowledge/file_type.h"
#include "knowledge/source.h"
#include "media/decoders.h"

namespace mainstay::knowledge {

/// What extraction needs beside the file. `decoders` may be null: PDFs are refused.
struct ExtractTools {
  const KnowledgeSettings& settings;
  Clock& clock;
  OffloadPool& pool;
  media::Decoders* decoders = nullptr;
  bool terms = false;  ///< chunks are to have theirs
};

/// One file. Belongs to one coroutine; the cutter may be looked at between two steps only.
class Extraction {
 public:
  virtual ~Extraction() = default;
  /// Reads the next piece. False: there is no more, and the cutter has finished. After an error
  /// nothing more may be asked. Errors: invalid, unprocessable, too_large (the file; as Cutter,
  /// records.h, html.h and PdfText tell them), and those of the source and of Decoders.
  virtual Co<Result<bool>> step(Deadline by) = 0;
  virtual Cutter& cutter() noexcept = 0;
  /// What the file itself says, once step() was called; may be empty.
  virtual const std::string& title() const noexcept = 0;
  /// A small JPEG of a picture, once step() was called; of all else empty.
  virtual const std::string& thumbnail() const noexcept = 0;
  virtual std::uint64_t bytes_read() const noexcept = 0;
  /// SHA-256 of the file, in hex; once all was read.
  virtual std::string sha256() = 0;
};

/// References outlive it. `name`: of the file, as a picture's title.
std::unique_ptr<Extraction> extraction_of(const ExtractTools& tools, FileType type,
                                          ByteSource& source, std::string name = {});

}  // namespace mainstay::knowledge
