// Face and back ends: audio that answers are spoken in, until it is fetched or its time is over.
// On the disk, in memory (files without a name), or not at all (then it goes inline, as base64).
// Used by api and assistant; opened by app.
#pragma once

#include <memory>
#include <string>

#include "base/co.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/offload.h"
#include "base/random.h"
#include "base/result.h"
#include "config/settings.h"
#include "storage/conversations.h"
#include "storage/shelf.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::storage {

using AudioId = Id<struct AudioTag>;

enum class AudioPlace : std::uint8_t { disk, memory, none };
/// "disk", "memory", "inline".
std::string_view name(AudioPlace place) noexcept;

/// What is known of a kept piece of audio.
struct AudioFacts {
  AudioId id;  ///< "audio-" and 26 characters, 80 bits of them random
  Owner owner;
  std::string mime;
  std::string ending;      ///< "mp3": of the name it is downloaded under
  std::uint64_t size = 0;  ///< so far
  WallTime created{};
  WallTime expires{};  ///< not found from then on
  bool whole = false;  ///< false: more of it is coming
};

/// A new piece of audio.
struct NewAudio {
  Owner owner;
  std::string mime;
  std::string ending;
};

/// Thread-safe; any loop may call, none is blocked. Every verb is limited to its owner: another's
/// id is not_found. Pieces that are not finished when the program ends are gone at its next start.
class AudioStore {
 public:
  virtual ~AudioStore() = default;
  /// Where begin() would put audio now: watched space may have run out. `none`: send it inline.
  virtual AudioPlace place() const noexcept = 0;
  /// An empty piece that can be asked for at once ("audio is coming"). Errors: unavailable
  /// "audio_not_kept" (place() is none), over_limit "too_much_audio" (of this owner).
  virtual Co<Result<AudioId>> begin(NewAudio audio, Deadline by) = 0;
  /// Adds to a piece that is coming; the one who began it alone, one call at a time. Errors:
  /// not_found "unknown_audio" (dropped, expired), disk_full, over_limit "too_much_audio",
  /// unavailable.
  virtual Co<Status> append(AudioId id, std::string bytes, Deadline by) = 0;
  /// It is whole now; kept until its time is over. On the disk it survives a restart.
  virtual Co<Status> finish(AudioId id, Deadline by) = 0;
  /// Forgets a piece, whole or not; those who read it are told. Does not wait.
  virtual void drop(const AudioId& id) noexcept = 0;
  /// Errors: not_found "unknown_audio".
  virtual Co<Result<AudioFacts>> get(Owner owner, AudioId id, Deadline by) = 0;
  /// Up to `most` bytes from `at` on. Of a piece that is coming it waits for more; empty: the end
  /// of a whole piece. Errors: not_found "unknown_audio" (also: dropped while waiting), deadline.
  virtual Co<Result<std::string>> read(Owner owner, AudioId id, std::uint64_t at, std::size_t most,
                                       Deadline by) = 0;
  /// Drops what is over and looks at the space that is left. app calls it now and then.
  virtual Co<> look() = 0;
  /// Bytes held in memory, and on the disk. Any thread.
  virtual std::size_t memory_bytes() const noexcept = 0;
  virtual std::uint64_t disk_bytes() const noexcept = 0;
};

/// What an audio store works with; all outlive it.
struct AudioStoreParts {
  const AudioSettings& settings;
  std::string folder;  ///< on the disk, of its own
  OffloadPool& pool;
  Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
};

/// Opens the store where the settings say, else where the machine allows: the disk when its folder
/// can be written to and has room, memory, nothing. What an earlier run left whole is found again.
/// Blocks. Errors: invalid "audio_store_unusable" when a place was named and cannot be used.
Result<std::unique_ptr<AudioStore>> open_audio_store(AudioStoreParts parts);

}  // namespace mainstay::storage
