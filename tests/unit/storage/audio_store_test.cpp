// Kept audio on the disk and in memory: owners, bounds, what is still coming, what survives a
// restart.   proves M5, M11
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include <filesystem>

#include "base/sim_clock.h"
#include "storage/audio_store.h"

namespace mainstay::storage {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A clock whose wall time a test sets; its steady time is the machine's.
class WallClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return real_.now(); }
  WallTime wall() const noexcept override {
    return wall_from_micros(1'700'000'000'000'000) + ahead;
  }
  std::unique_ptr<Alarm> alarm(Executor executor) override { return real_.alarm(executor); }
  std::chrono::microseconds ahead{0};

 private:
  RealClock real_;
};

Co<> read_all(AudioStore& store, Owner owner, AudioId id, Deadline by,
              std::vector<std::string>& got) {
  std::uint64_t at = 0;
  for (;;) {
    auto block = co_await store.read(owner, id, at, 1000, by);
    if (!block.ok() || block->empty()) co_return;
    at += block->size();
    got.push_back(*block);
  }
}

Co<> read_once(AudioStore& store, Owner owner, AudioId id, Deadline by, std::string& reason) {
  auto block = co_await store.read(owner, id, 0, 1000, by);
  if (!block.ok()) reason = block.error().reason;
}

Co<> write_all(AudioStore& store, AudioId id, Deadline by) {
  for (const char* piece : {"one ", "two ", "three"}) {
    std::string bytes(piece);
    auto put = co_await store.append(id, std::move(bytes), by);
    EXPECT_TRUE(put.ok());
  }
  auto ended = co_await store.finish(id, by);
  EXPECT_TRUE(ended.ok());
}

class AudioStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  AudioStoreTest() {
    LogSettings silent;
    silent.sink = "none";
    log_ = std::move(*Log::open(silent, clock));
    folder = fs::temp_directory_path() / ("mainstay-audio-" + std::to_string(random_.next()));
    settings.store = GetParam();
    settings.disk_free_min = Bytes(0);
  }
  ~AudioStoreTest() override {
    store.reset();
    pool_.stop();
    log_->stop(1s);
    fs::remove_all(folder);
  }
  void open() {
    store.reset();
    auto made = open_audio_store({settings, folder, pool_, clock, random_, *log_, metrics});
    ASSERT_TRUE(made.ok()) << made.error().message;
    store = std::move(*made);
    look();
  }
  /// Runs a coroutine to its end.
  template <class T>
  T run(Co<T> work) {
    asio::io_context io;
    std::optional<T> out;
    asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, T got) {
      if (thrown) std::rethrow_exception(thrown);
      out.emplace(std::move(got));
    });
    io.run();
    return std::move(*out);
  }
  void look() {
    asio::io_context io;
    asio::co_spawn(io, store->look(), [](std::exception_ptr) {});
    io.run();
  }
  Deadline soon() { return Deadline::in(clock, 20s); }
  static Owner owner(const char* user) { return {TenantId("t"), UserId(user)}; }

  Result<AudioId> begin(const char* user = "ann") {
    return run(store->begin({owner(user), "audio/mpeg", "mp3"}, soon()));
  }
  Status append(const AudioId& id, std::string bytes) {
    return run(store->append(id, std::move(bytes), soon()));
  }
  Status finish(const AudioId& id) { return run(store->finish(id, soon())); }
  Result<std::string> read(const AudioId& id, const char* user = "ann", std::uint64_t at = 0,
                           std::size_t most = 1000) {
    return run(store->read(owner(user), id, at, most, soon()));
  }
  AudioId keep(const std::string& bytes, const char* user = "ann") {
    auto id = begin(user);
    EXPECT_TRUE(id.ok());
    EXPECT_TRUE(append(*id, bytes).ok());
    EXPECT_TRUE(finish(*id).ok());
    return *id;
  }

  WallClock clock;
  AudioSettings settings;
  Metrics metrics;
  fs::path folder;
  std::unique_ptr<AudioStore> store;

 private:
  OffloadPool pool_{"test", 1, 64};
  RealRandom random_;
  std::unique_ptr<Log> log_;
};

TEST_P(AudioStoreTest, a_piece_is_read_by_its_owner_alone) {
  open();
  const AudioId id = keep("hello sound");
  EXPECT_EQ(*read(id), "hello sound");
  EXPECT_EQ(*read(id, "ann", 6, 3), "sou");
  EXPECT_EQ(*read(id, "ann", 11), "");
  EXPECT_EQ(read(id, "bob").error().reason, "unknown_audio");
  EXPECT_EQ(run(store->get(owner("bob"), id, soon())).error().reason, "unknown_audio");
  EXPECT_EQ(run(store->get(owner("ann"), id, soon()))->size, 11U);
  EXPECT_EQ(read(AudioId("../../etc/passwd")).error().reason, "unknown_audio");
  EXPECT_EQ(id.text().size(), std::string("audio-").size() + 26);
}

TEST_P(AudioStoreTest, what_is_coming_is_read_as_it_comes) {  // proves M11
  open();
  auto id = begin();
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(run(store->get(owner("ann"), *id, soon()))->whole);
  asio::io_context io;
  std::vector<std::string> got;
  asio::co_spawn(io, read_all(*store, owner("ann"), *id, soon(), got), [](std::exception_ptr) {});
  asio::co_spawn(io, write_all(*store, *id, soon()), [](std::exception_ptr) {});
  io.run();
  std::string all;
  for (const auto& piece : got) all += piece;
  EXPECT_EQ(all, "one two three");
}

TEST_P(AudioStoreTest, who_waits_for_a_piece_that_is_dropped_is_told) {
  open();
  auto id = begin();
  ASSERT_TRUE(id.ok());
  asio::io_context io;
  std::string reason;
  asio::co_spawn(io, read_once(*store, owner("ann"), *id, soon(), reason),
                 [](std::exception_ptr) {});
  asio::post(io, [&] { store->drop(*id); });
  io.run();
  EXPECT_EQ(reason, "unknown_audio");
  EXPECT_EQ(append(*id, "late").error().reason, "unknown_audio");
  EXPECT_EQ(store->memory_bytes() + store->disk_bytes(), 0U);
}

TEST_P(AudioStoreTest, a_piece_at_its_limit_fits_and_one_byte_more_does_not) {
  settings.entry_max = Bytes(10);
  open();
  auto id = begin();
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(append(*id, "123456789").ok());
  EXPECT_TRUE(append(*id, "0").ok());
  EXPECT_EQ(append(*id, "x").error().reason, "too_much_audio");
  EXPECT_TRUE(finish(*id).ok());
  EXPECT_EQ(*read(*id), "1234567890");
}

TEST_P(AudioStoreTest, all_pieces_together_have_a_bound) {
  settings.disk_max = Bytes(10);
  settings.memory_max = Bytes(10);
  open();
  const AudioId first = keep("12345");
  auto second = begin();
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(append(*second, "1234").ok());
  EXPECT_EQ(append(*second, "56").error().reason, "too_much_audio");
  EXPECT_TRUE(append(*second, "5").ok());
  EXPECT_EQ(store->place(), AudioPlace::none);
  EXPECT_EQ(begin().error().reason, "audio_not_kept");
  store->drop(first);
  EXPECT_NE(store->place(), AudioPlace::none);
}

TEST_P(AudioStoreTest, a_users_oldest_piece_makes_room_for_the_next_and_nobody_elses) {
  settings.owner_entries_max = 2;
  open();
  const AudioId other = keep("other", "bob");
  const AudioId first = keep("first");
  clock.ahead += 1s;
  const AudioId second = keep("second");
  clock.ahead += 1s;
  const AudioId third = keep("third");
  EXPECT_FALSE(read(first).ok());
  EXPECT_EQ(*read(second), "second");
  EXPECT_EQ(*read(third), "third");
  EXPECT_EQ(*read(other, "bob"), "other");
}

TEST_P(AudioStoreTest, its_time_ends) {
  settings.keep = 60s;
  open();
  const AudioId id = keep("soon gone");
  clock.ahead = 60s - 1us;
  EXPECT_TRUE(read(id).ok());
  clock.ahead = 60s;
  EXPECT_EQ(read(id).error().reason, "unknown_audio");
  look();
  EXPECT_EQ(store->memory_bytes() + store->disk_bytes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Places, AudioStoreTest, ::testing::Values("disk", "memory"));

using AudioStoreOnDisk = AudioStoreTest;

TEST_P(AudioStoreOnDisk, a_whole_piece_survives_a_restart_and_the_rest_is_swept) {
  open();
  const AudioId whole = keep("whole");
  auto half = begin();
  ASSERT_TRUE(half.ok() && append(*half, "half").ok());
  EXPECT_EQ(store->place(), AudioPlace::disk);
  open();
  EXPECT_EQ(*read(whole), "whole");
  EXPECT_FALSE(read(*half).ok());
  EXPECT_EQ(store->disk_bytes(), 5U);
  store->drop(whole);
  open();
  EXPECT_FALSE(read(whole).ok());
  store.reset();
}

TEST_P(AudioStoreOnDisk, facts_that_were_tampered_with_are_not_believed) {
  open();
  const AudioId id = keep("whole");
  const fs::path facts = folder / (id.text() + "-facts");
  ASSERT_TRUE(fs::exists(facts));
  fs::resize_file(folder / id.text(), 3);  // shorter than its facts say
  open();
  EXPECT_FALSE(read(id).ok());
}

TEST_P(AudioStoreOnDisk, without_room_on_the_disk_memory_takes_over) {
  settings.store = "auto";
  settings.disk_free_min = Bytes(~0ULL >> 1);
  open();
  EXPECT_EQ(store->place(), AudioPlace::memory);
  const AudioId id = keep("in memory");
  EXPECT_EQ(store->memory_bytes(), 9U);
  EXPECT_EQ(*read(id), "in memory");
}

TEST_P(AudioStoreOnDisk, a_folder_that_cannot_be_written_to_is_passed_over_or_named) {
  folder = "/proc/mainstay-nowhere";
  settings.store = "auto";
  open();
  EXPECT_EQ(store->place(), AudioPlace::memory);
  settings.store = "inline";
  open();
  EXPECT_EQ(store->place(), AudioPlace::none);
}

INSTANTIATE_TEST_SUITE_P(Disk, AudioStoreOnDisk, ::testing::Values("disk"));

}  // namespace
}  // namespace mainstay::storage
