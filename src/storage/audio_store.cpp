// One table of pieces; their bytes are in it (memory) or on a shelf of their own (disk), where a
// finished piece has its facts beside it, so that it is found again after a restart.
#include "storage/audio_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "base/event.h"
#include "base/json_fields.h"

namespace mainstay::storage {
namespace {

constexpr std::string_view kFacts = "-facts";
constexpr std::string_view kPrefix = "audio-";
constexpr std::size_t kFactsMax = 4096;

Error unknown_audio() {
  return Error::say(Errc::not_found, "unknown_audio",
                    "There is no audio of this name; audio is kept for a while only.");
}

Error too_much(const char* key) {
  return Error::say(Errc::over_limit, "too_much_audio",
                    std::string("No more audio is kept now (") + key +
                        "). Ask for it inline, or wait until kept audio has expired.");
}

Error not_kept() {
  return Error::say(Errc::unavailable, "audio_not_kept",
                    "This server keeps no audio now. Ask for it inline.");
}

/// One piece of audio.
struct Piece {
  explicit Piece(Clock& clock) : changed(clock) {}
  Event changed;
  // Under the store's mutex.
  AudioFacts facts;
  AudioPlace place = AudioPlace::memory;
  std::string bytes;  ///< in memory
  bool dropped = false;
};
using PiecePtr = std::shared_ptr<Piece>;

std::string facts_json(const AudioFacts& facts) {
  return dump(Json{{"tenant", facts.owner.tenant.text()},
                   {"user", facts.owner.user.text()},
                   {"mime", facts.mime},
                   {"ending", facts.ending},
                   {"size", facts.size},
                   {"created", micros(facts.created)},
                   {"expires", micros(facts.expires)}});
}

std::optional<AudioFacts> read_facts(const std::string& id, const std::string& text) {
  auto parsed = parse_json(text);
  if (!parsed.ok() || !parsed->is_object()) return std::nullopt;
  AudioFacts facts;
  facts.id = AudioId(id);
  facts.owner.tenant = TenantId(string_field(*parsed, "tenant"));
  facts.owner.user = UserId(string_field(*parsed, "user"));
  facts.mime = string_field(*parsed, "mime");
  facts.ending = string_field(*parsed, "ending");
  facts.size = count_field(*parsed, "size");
  facts.created = wall_from_micros(static_cast<std::int64_t>(count_field(*parsed, "created")));
  facts.expires = wall_from_micros(static_cast<std::int64_t>(count_field(*parsed, "expires")));
  facts.whole = true;
  if (facts.mime.empty() || facts.size == 0) return std::nullopt;
  return facts;
}

/// Whether files can be made in the folder; it is made when it is missing.
bool can_write(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return false;
  const std::string probe = folder + "/probe-" + std::to_string(::getpid());
  const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool wrote = ::write(fd, "x", 1) == 1;
  ::close(fd);
  ::unlink(probe.c_str());
  return wrote;
}

std::uint64_t free_bytes(const std::string& folder) {
  struct statvfs room{};
  if (::statvfs(folder.c_str(), &room) != 0) return 0;
  return std::uint64_t{room.f_bavail} * room.f_frsize;
}

Gauge& gauge_of(Metrics& metrics, const char* place) {
  return metrics.gauge("mainstay_audio_kept_bytes", "Bytes of kept audio", {{"place", place}});
}

class Kept final : public AudioStore {
 public:
  /// `shelf` null: nothing goes to the disk.
  Kept(AudioStoreParts parts, std::unique_ptr<Shelf> shelf, bool memory)
      : parts_(std::move(parts)),
        shelf_(std::move(shelf)),
        memory_(memory),
        memory_gauge_(gauge_of(parts_.metrics, "memory")),
        disk_gauge_(gauge_of(parts_.metrics, "disk")),
        has_scanned_(shelf_ == nullptr),
        scanned_(parts_.clock) {}

  AudioPlace place() const noexcept override {
    if (shelf_ && has_room_.load(std::memory_order_relaxed) &&
        disk_bytes() < parts_.settings.disk_max.value) {
      return AudioPlace::disk;
    }
    if (memory_ && memory_bytes() < parts_.settings.memory_max.value) return AudioPlace::memory;
    return AudioPlace::none;
  }

  Co<Result<AudioId>> begin(NewAudio audio, Deadline by) override;
  Co<Status> append(AudioId id, std::string bytes, Deadline by) override;
  Co<Status> finish(AudioId id, Deadline by) override;
  void drop(const AudioId& id) noexcept override { forget(id.text()); }
  Co<Result<AudioFacts>> get(Owner owner, AudioId id, Deadline by) override;
  Co<Result<std::string>> read(Owner owner, AudioId id, std::uint64_t at, std::size_t most,
                               Deadline by) override;
  Co<> look() override;
  std::size_t memory_bytes() const noexcept override {
    return memory_bytes_.load(std::memory_order_relaxed);
  }
  std::uint64_t disk_bytes() const noexcept override {
    return disk_bytes_.load(std::memory_order_relaxed);
  }

 private:
  /// What a read finds at once.
  struct Look {
    std::optional<Error> error;
    std::string bytes;
    bool ended = false;    ///< nothing comes behind
    bool on_disk = false;  ///< read it there, up to `most`
    std::size_t most = 0;
    std::uint64_t seen = 0;  ///< version to wait for
    PiecePtr piece;
  };
  PiecePtr find(const Owner* owner, const std::string& id) const;
  Look look_at(const Owner& owner, const std::string& id, std::uint64_t at, std::size_t most) const;
  Status make_room(const Owner& owner);
  Status count(Piece& piece, std::size_t more);
  void add_bytes(const Piece& piece, std::int64_t n) noexcept;
  void forget(const std::string& id) noexcept;
  void forget_on_disk(const std::string& id) noexcept;
  Co<Status> scanned(Deadline by);
  Co<> scan();
  Co<> take_back(std::string facts_name);
  Deadline soon() const { return Deadline::in(parts_.clock, std::chrono::seconds(30)); }

  const AudioStoreParts parts_;
  const std::unique_ptr<Shelf> shelf_;
  const bool memory_;
  Gauge& memory_gauge_;
  Gauge& disk_gauge_;
  std::atomic<bool> has_room_{true};
  std::atomic<std::size_t> memory_bytes_{0};
  std::atomic<std::uint64_t> disk_bytes_{0};
  std::atomic<bool> has_scanned_;
  Event scanned_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, PiecePtr> pieces_;
};

void Kept::add_bytes(const Piece& piece, std::int64_t n) noexcept {
  const bool disk = piece.place == AudioPlace::disk;
  if (disk) {
    disk_bytes_.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_relaxed);
  } else {
    memory_bytes_.fetch_add(static_cast<std::size_t>(n), std::memory_order_relaxed);
  }
  (disk ? disk_gauge_ : memory_gauge_).add(n);
}

/// With the mutex held. Null also when its time is over. `owner` null: whoever's.
PiecePtr Kept::find(const Owner* owner, const std::string& id) const {
  const auto found = pieces_.find(id);
  if (found == pieces_.end()) return nullptr;
  const AudioFacts& facts = found->second->facts;
  if (owner != nullptr && facts.owner != *owner) return nullptr;
  if (facts.expires <= parts_.clock.wall()) return nullptr;
  return found->second;
}

/// Room for one more piece: the owner's oldest whole one makes it, nobody else's.
Status Kept::make_room(const Owner& owner) {
  std::string oldest;
  {
    std::lock_guard lock(mutex_);
    std::size_t own = 0;
    const AudioFacts* first = nullptr;
    for (const auto& [id, piece] : pieces_) {
      if (piece->facts.owner != owner) continue;
      ++own;
      if (!piece->facts.whole) continue;
      if (first == nullptr || piece->facts.created < first->created) first = &piece->facts;
    }
    const bool owner_full = own >= parts_.settings.owner_entries_max;
    if (!owner_full && pieces_.size() < parts_.settings.entries_max) return done();
    if (first == nullptr) {
      return too_much(owner_full ? "audio.owner_entries_max" : "audio.entries_max");
    }
    oldest = first->id.text();
  }
  forget(oldest);
  return done();
}

Co<Result<AudioId>> Kept::begin(NewAudio audio, Deadline by) {
  auto ready = co_await scanned(by);
  if (!ready.ok()) co_return ready.error();
  const AudioPlace where = place();
  if (where == AudioPlace::none) co_return not_kept();
  auto room = make_room(audio.owner);
  if (!room.ok()) co_return room.error();
  auto piece = std::make_shared<Piece>(parts_.clock);
  piece->place = where;
  AudioFacts& facts = piece->facts;
  facts.id = AudioId(make_id("audio-", parts_.clock, parts_.random));
  facts.owner = std::move(audio.owner);
  facts.mime = std::move(audio.mime);
  facts.ending = std::move(audio.ending);
  facts.created = parts_.clock.wall();
  facts.expires = facts.created +
                  std::chrono::duration_cast<WallTime::duration>(Duration(parts_.settings.keep));
  AudioId id = facts.id;
  if (where == AudioPlace::disk) {
    std::string nothing;
    auto made = co_await shelf_->put(id.text(), 0, std::move(nothing), false, by);
    if (!made.ok()) {
      if (made.error().code == Errc::disk_full) has_room_.store(false);
      co_return made.error();
    }
  }
  std::lock_guard lock(mutex_);
  pieces_.emplace(id.text(), std::move(piece));
  co_return id;
}

/// Counts bytes before they are stored. With the mutex held.
Status Kept::count(Piece& piece, std::size_t more) {
  const AudioSettings& settings = parts_.settings;
  if (piece.facts.size + more > settings.entry_max.value) return too_much("audio.entry_max");
  const bool disk = piece.place == AudioPlace::disk;
  if (disk && disk_bytes() + more > settings.disk_max.value) return too_much("audio.disk_max");
  if (!disk && memory_bytes() + more > settings.memory_max.value) {
    return too_much("audio.memory_max");
  }
  add_bytes(piece, static_cast<std::int64_t>(more));
  return done();
}

Co<Status> Kept::append(AudioId id, std::string bytes, Deadline by) {
  if (bytes.empty()) co_return done();
  const std::size_t more = bytes.size();
  PiecePtr piece;
  std::uint64_t at = 0;
  {
    std::lock_guard lock(mutex_);
    piece = find(nullptr, id.text());
    if (!piece || piece->facts.whole) co_return unknown_audio();
    auto counted = count(*piece, more);
    if (!counted.ok()) co_return counted;
    at = piece->facts.size;
    if (piece->place == AudioPlace::memory) {
      piece->bytes += bytes;
      piece->facts.size += more;
    }
  }
  if (piece->place == AudioPlace::disk) {
    auto put = co_await shelf_->put(id.text(), at, std::move(bytes), false, by);
    std::lock_guard lock(mutex_);
    if (piece->dropped || !put.ok()) add_bytes(*piece, -static_cast<std::int64_t>(more));
    if (!put.ok()) {
      if (put.error().code == Errc::disk_full) has_room_.store(false);
      co_return put;
    }
    if (piece->dropped) {
      shelf_->drop(id.text());
      co_return unknown_audio();
    }
    piece->facts.size += more;
  }
  piece->changed.notify();
  co_return done();
}

Co<Status> Kept::finish(AudioId id, Deadline by) {
  PiecePtr piece;
  std::string facts;
  {
    std::lock_guard lock(mutex_);
    piece = find(nullptr, id.text());
    if (!piece) co_return unknown_audio();
    facts = facts_json(piece->facts);
  }
  if (piece->place == AudioPlace::disk) {
    // Without its facts it is there all the same, until the program ends.
    std::string name = id.text() + std::string(kFacts);
    [[maybe_unused]] auto put =
        co_await shelf_->put(std::move(name), 0, std::move(facts), false, by);
  }
  {
    std::lock_guard lock(mutex_);
    if (piece->dropped) {
      forget_on_disk(id.text());
      co_return unknown_audio();
    }
    piece->facts.whole = true;
    piece->bytes.shrink_to_fit();
  }
  piece->changed.notify();
  co_return done();
}

void Kept::forget(const std::string& id) noexcept {
  PiecePtr piece;
  {
    std::lock_guard lock(mutex_);
    const auto found = pieces_.find(id);
    if (found == pieces_.end()) return;
    piece = std::move(found->second);
    pieces_.erase(found);
    piece->dropped = true;
    add_bytes(*piece, -static_cast<std::int64_t>(piece->facts.size));
    piece->bytes = std::string();
  }
  if (piece->place == AudioPlace::disk) forget_on_disk(id);
  piece->changed.notify();
}

void Kept::forget_on_disk(const std::string& id) noexcept {
  shelf_->drop(id + std::string(kFacts));
  shelf_->drop(id);
}

Co<Result<AudioFacts>> Kept::get(Owner owner, AudioId id, Deadline by) {
  auto ready = co_await scanned(by);
  if (!ready.ok()) co_return ready.error();
  std::lock_guard lock(mutex_);
  const PiecePtr piece = find(&owner, id.text());
  if (!piece) co_return unknown_audio();
  co_return piece->facts;
}

Kept::Look Kept::look_at(const Owner& owner, const std::string& id, std::uint64_t at,
                         std::size_t most) const {
  Look out;
  std::lock_guard lock(mutex_);
  out.piece = find(&owner, id);
  if (!out.piece) {
    out.error = unknown_audio();
    return out;
  }
  const Piece& piece = *out.piece;
  out.seen = piece.changed.version();
  const std::uint64_t left = piece.facts.size > at ? piece.facts.size - at : 0;
  out.ended = left == 0 && piece.facts.whole;
  out.most = static_cast<std::size_t>(std::min<std::uint64_t>(left, most));
  out.on_disk = out.most > 0 && piece.place == AudioPlace::disk;
  if (out.most > 0 && !out.on_disk) {
    out.bytes = piece.bytes.substr(static_cast<std::size_t>(at), out.most);
  }
  return out;
}

Co<Result<std::string>> Kept::read(Owner owner, AudioId id, std::uint64_t at, std::size_t most,
                                   Deadline by) {
  auto ready = co_await scanned(by);
  if (!ready.ok()) co_return ready.error();
  for (;;) {
    Look found = look_at(owner, id.text(), at, most);
    if (found.error) co_return *found.error;
    if (found.on_disk) {
      auto bytes = co_await shelf_->read(id.text(), at, found.most, by);
      if (!bytes.ok() && bytes.error().code == Errc::not_found) co_return unknown_audio();
      co_return bytes;
    }
    if (found.ended || !found.bytes.empty()) co_return std::move(found.bytes);
    auto woken = co_await found.piece->changed.wait(found.seen, by);
    if (woken) continue;
    if (by.passed(parts_.clock.now())) {
      co_return Error::log(Errc::deadline, "no more of a piece of audio came in time");
    }
    co_return Error::log(Errc::cancelled, "reading a piece of audio was cancelled");
  }
}

Co<Status> Kept::scanned(Deadline by) {
  while (!has_scanned_.load(std::memory_order_acquire)) {
    const auto seen = scanned_.version();
    if (has_scanned_.load(std::memory_order_acquire)) break;
    auto woken = co_await scanned_.wait(seen, by);
    if (!woken) co_return Error::log(Errc::deadline, "kept audio was not looked through in time");
  }
  co_return done();
}

/// Registers what an earlier run finished, and removes the rest.
Co<> Kept::scan() {
  const Duration ahead = -std::chrono::hours(24 * 365 * 50);  // whatever the clock said
  auto names = co_await shelf_->older_than(ahead, soon());
  if (!names.ok()) {
    parts_.log.warn("audio.not_scanned", {{"detail", names.error().detail}});
    co_return;
  }
  for (auto& name : *names) {
    if (!name.starts_with(kPrefix)) continue;
    if (name.ends_with(kFacts)) co_await take_back(name);
  }
  for (const auto& name : *names) {
    const bool ours = name.starts_with(kPrefix) && !name.ends_with(kFacts);
    std::lock_guard lock(mutex_);
    if (ours && !pieces_.contains(name)) shelf_->drop(name);
  }
}

Co<> Kept::take_back(std::string facts_name) {
  const std::string id = facts_name.substr(0, facts_name.size() - kFacts.size());
  auto text = co_await shelf_->read(facts_name, 0, kFactsMax, soon());
  auto facts = text.ok() ? read_facts(id, *text) : std::nullopt;
  if (facts && facts->expires > parts_.clock.wall()) {
    // The last byte tells that all of it is there.
    auto last = co_await shelf_->read(id, facts->size - 1, 2, soon());
    if (!last.ok() || last->size() != 1) facts.reset();
  } else {
    facts.reset();
  }
  if (!facts) {
    shelf_->drop(facts_name);
    co_return;
  }
  auto piece = std::make_shared<Piece>(parts_.clock);
  piece->place = AudioPlace::disk;
  piece->facts = std::move(*facts);
  std::lock_guard lock(mutex_);
  add_bytes(*piece, static_cast<std::int64_t>(piece->facts.size));
  pieces_.emplace(id, std::move(piece));
}

Co<> Kept::look() {
  if (!has_scanned_.load()) {
    co_await scan();
    has_scanned_.store(true, std::memory_order_release);
    scanned_.notify();
  }
  std::vector<std::string> over;
  {
    std::lock_guard lock(mutex_);
    const WallTime now = parts_.clock.wall();
    for (const auto& [id, piece] : pieces_) {
      if (piece->facts.expires <= now) over.push_back(id);
    }
  }
  for (const auto& id : over) forget(id);
  if (!shelf_) co_return;
  auto work = [folder = parts_.folder]() -> Result<std::uint64_t> { return free_bytes(folder); };
  auto room = co_await offload(parts_.clock, parts_.pool, std::move(work), soon());
  if (!room.ok()) co_return;
  const bool enough = *room >= parts_.settings.disk_free_min.value;
  if (has_room_.exchange(enough) != enough) {
    parts_.log.warn("audio.place", {{"place", name(place())}, {"free", *room}});
  }
}

}  // namespace

std::string_view name(AudioPlace place) noexcept {
  switch (place) {
    case AudioPlace::disk:
      return "disk";
    case AudioPlace::memory:
      return "memory";
    case AudioPlace::none:
      return "inline";
  }
  return "inline";
}

Result<std::unique_ptr<AudioStore>> open_audio_store(AudioStoreParts parts) {
  const std::string& wanted = parts.settings.store;
  const bool any = wanted == "auto";
  std::unique_ptr<Shelf> shelf;
  if (any || wanted == "disk") {
    auto opened =
        can_write(parts.folder)
            ? Shelf::open(parts.folder, parts.pool, parts.clock)
            : Result<std::unique_ptr<Shelf>>(Error::log(Errc::unavailable, "not writable"));
    if (opened.ok()) shelf = std::move(*opened);
    if (!shelf && !any) {
      return Error::say(Errc::invalid, "audio_store_unusable",
                        "The folder " + parts.folder +
                            " cannot be written to. Choose another one with audio.folder, or set "
                            "audio.store to memory or inline.",
                        "audio.store");
    }
  }
  const bool memory = any || wanted == "memory";
  auto& log = parts.log;
  if (any && !shelf && !parts.settings.folder.empty()) {
    log.warn("audio.folder_unusable", {{"folder", parts.folder}});
  }
  std::unique_ptr<AudioStore> made =
      std::make_unique<Kept>(std::move(parts), std::move(shelf), memory);
  log.info("audio.store", {{"place", name(made->place())}});
  return made;
}

}  // namespace mainstay::storage
