// Sound on the command line: a recording that is sent while it is read, speech that is written, the
// form that carries a recording.
// Used by ask_aloud.cpp, say_command.cpp and transcribe_command.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/remote.h"
#include "net/body_source.h"

namespace mainstay::app {

/// An open file, read as it is sent. Blocks, as a command may.
class SoundFile final : public net::BodySource {
 public:
  /// Told how many bytes were read.
  using OnRead = std::function<void(std::uint64_t)>;
  /// Errors: not_found "file_not_found", unavailable "file_unreadable", invalid "empty_audio".
  static Result<std::shared_ptr<SoundFile>> open(const std::string& path);
  ~SoundFile() override;
  SoundFile(const SoundFile&) = delete;
  SoundFile& operator=(const SoundFile&) = delete;
  std::uint64_t size() const noexcept override { return size_; }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) const override;
  std::int64_t read_now(std::uint64_t at, char* into, std::size_t most) const noexcept override;
  void watch(OnRead on_read) { on_read_ = std::move(on_read); }

 private:
  SoundFile(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  const int fd_;
  const std::uint64_t size_;
  OnRead on_read_;
};

using FormFields = std::vector<std::pair<std::string, std::string>>;
/// A form of fields (empty values are left out) and, unless `file` is null, a file named `path`.
Remote::Upload form_of(const FormFields& fields, std::shared_ptr<SoundFile> file,
                       const std::string& path);

/// Where speech goes: a file, standard output ("-"), a device or a pipe. A file is written beside
/// its place and takes it when all is there: what stood there is not lost to a command that fails.
class SoundOut {
 public:
  /// Errors: unavailable "file_unwritable"; invalid "terminal" (it is no place for sound).
  static Result<std::unique_ptr<SoundOut>> open(const std::string& path);
  /// Removes what was not kept.
  ~SoundOut();
  SoundOut(const SoundOut&) = delete;
  SoundOut& operator=(const SoundOut&) = delete;
  Status write(std::string_view bytes);
  std::uint64_t written() const noexcept { return written_; }
  /// All is written: the file takes its place, and one of the format "wav" that was written in
  /// pieces learns its length. Errors: unavailable "file_unwritable".
  Status keep(const std::string& format);

 private:
  SoundOut(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Error unwritable() const;
  void finish_wav();
  int fd_;
  const std::string path_;  ///< as it is told
  std::string part_ = {};   ///< what is written; empty: the place itself, or it was kept
  std::string place_ = {};  ///< of part_ in the end
  std::uint64_t written_ = 0;
};

/// The format that a command means: `said`, else by the file's ending, else wav.
std::string sound_format(const std::string& said, const std::string& path);

}  // namespace mainstay::app
