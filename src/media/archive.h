// Archives (zip, tar, gzipped tar), unpacked by a locked-in decoder process of their own, entry by
// entry.
// Used by jobs (images, documents), app (which makes it) and tests.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/settings.h"
#include "media/child_pool.h"

namespace mainstay::media {

/// What comes next out of an archive.
struct ArchiveStep {
  enum class Is : std::uint8_t {
    entry,  ///< a file begins
    data,   ///< a piece of it
    wrong,  ///< the file is not given, or not to its end: why
    end     ///< there are no more
  };
  Is is = Is::end;
  std::uint32_t index = 0;  ///< of the file, from 0
  std::string name;         ///< its path in the archive, safe to join; if wrong, to be shown only
  std::string bytes;
  Error error;
};

/// An archive on its way out. On the executor of whoever opened it.
class Unpacking {
 public:
  explicit Unpacking(std::unique_ptr<Decoding> decoding) : decoding_(std::move(decoding)) {}
  /// After `end`, or an error, nothing may be asked. Errors: unsupported "archive_format",
  /// unprocessable "archive_damaged", "file_empty", too_large "archive_too_many",
  /// "archive_too_large", and as Decoding::next(). What came before stays good.
  Co<Result<ArchiveStep>> next(Deadline by);

 private:
  Result<ArchiveStep> begun(const Frame& frame);
  std::unique_ptr<Decoding> decoding_;  ///< null at the end
  std::uint32_t entries_ = 0;           ///< seen so far
  bool open_ = false;                   ///< the last of them takes data
};

/// Thread-safe. Outlives what it opened.
class Archives {
 public:
  /// `program`: of the decoder. References outlive it.
  Archives(const Settings& settings, std::string program, Clock& clock, Log& log, Metrics& metrics);
  /// `file`: an archive, open for reading. Errors: as ChildPool::begin().
  Co<Result<Unpacking>> open(resources::Descriptor file, Deadline by);
  /// Ends a process that had nothing to do for media.decoder_idle; never returns.
  Co<> tidy() { return pool_.tidy(); }
  void close() { pool_.close(); }

 private:
  const ArchiveSettings settings_;
  ChildPool pool_;
};

}  // namespace mainstay::media
