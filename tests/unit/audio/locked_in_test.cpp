// The process itself: what it may, what its end costs, what it holds.
// proves security rows 30 42
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json_fields.h"
#include "unit/audio/rig.h"

namespace mainstay::audio::test {
namespace {

struct LockedIn : Rig {
  /// Ids of the processes that this one has started and that run mainstay-audio.
  static std::vector<pid_t> children() {
    std::vector<pid_t> out;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat");
      std::stringstream text;
      text << stat.rdbuf();
      const std::string line = text.str();
      const auto end = line.rfind(')');
      if (end == std::string::npos || line.find("(mainstay-audio)") == std::string::npos) continue;
      std::istringstream rest(line.substr(end + 2));
      char state = 0;
      pid_t parent = 0;
      rest >> state >> parent;
      if (parent == ::getpid() && state != 'Z') out.push_back(std::stoi(name));
    }
    return out;
  }
  static std::string status_of(pid_t pid, const std::string& key) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(key + ":")) continue;
      const auto value = line.substr(line.find_first_of("0123456789"));
      return value.substr(0, value.find(' '));
    }
    return "";
  }
};

std::string sound() {
  return wav_of(std::string(320'000, '\x11'), 1, 1, 16'000, 16);
}

TEST_F(LockedIn, security_42_every_role_is_filtered_and_has_no_new_rights) {
  EXPECT_EQ(outcome(sound()), "fine");
  EXPECT_TRUE(spoken("Yes.").ok());
  (void)heard(sound());
  const auto all = children();
  EXPECT_EQ(all.size(), 3u);
  for (const pid_t pid : all) {
    EXPECT_EQ(status_of(pid, "Seccomp"), "2") << pid;
    EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1") << pid;
  }
}

TEST_F(LockedIn, security_42_threads_of_a_long_file_are_filtered_too) {
  settings.threads = 3;
  make(AUDIO);
  const Recipe flac{"flac", "flac", 44'100, 2, 0, {}};
  auto out = decoded(make_file(flac, signal_of(70, 44'100)));
  ASSERT_TRUE(out.ok()) << out.error().detail;
  EXPECT_GT(out->summary.pieces, 3u);
  const auto all = children();
  ASSERT_EQ(all.size(), 1u);
#if __has_feature(thread_sanitizer)
  constexpr const char* kLeft = "2";  // its own beside ours
#else
  constexpr const char* kLeft = "1";
#endif
  EXPECT_EQ(status_of(all[0], "Threads"), kLeft) << "they ended with the file";
}

// proves fault_11: what the kernel kills for its memory ends by the same signal
TEST_F(LockedIn, security_30_a_process_that_is_killed_costs_its_own_sound_alone) {
  auto live = media::live_input(16'000, io.get_executor(), clock);
  ASSERT_TRUE(live.ok());
  auto begun = run(audio->decode(std::move(live->input), {}, soon()));
  ASSERT_TRUE(begun.ok());
  const auto all = children();
  ASSERT_EQ(all.size(), 1u);
  ::kill(all[0], SIGKILL);
  auto piece = run((*begun)->next(soon()));
  ASSERT_FALSE(piece.ok());
  EXPECT_EQ(piece.error().reason, "audio_failed");
  EXPECT_EQ(outcome(sound()), "fine");
  EXPECT_EQ(audio->decoding().started, 2u);
}

TEST_F(LockedIn, letting_go_of_a_sound_ends_its_process) {
  auto live = media::live_input(16'000, io.get_executor(), clock);
  auto begun = run(audio->decode(std::move(live->input), {}, soon()));
  ASSERT_TRUE(begun.ok());
  begun->reset();
  EXPECT_EQ(audio->decoding().killed, 1u);
  EXPECT_EQ(outcome(sound()), "fine");
}

TEST_F(LockedIn, a_sound_that_waits_too_long_is_ended_but_a_live_one_is_not) {
  settings.deadline = milliseconds(300);
  make(AUDIO);
  auto live = media::live_input(16'000, io.get_executor(), clock);
  auto begun = run(audio->decode(std::move(live->input), {}, soon()));
  ASSERT_TRUE(begun.ok());
  const Deadline later = Deadline::in(clock, milliseconds(700));
  auto piece = run((*begun)->next(later));
  ASSERT_FALSE(piece.ok());
  EXPECT_EQ(piece.error().code, Errc::deadline) << "the caller's own, not sound.deadline";
}

TEST_F(LockedIn, all_at_work_means_busy_or_a_place_in_the_line) {
  auto live = media::live_input(16'000, io.get_executor(), clock);
  auto begun = run(audio->decode(std::move(live->input), {}, soon()));
  ASSERT_TRUE(begun.ok());
  auto refused = run(audio->decode(input_of(sound()), {}, soon(), media::IfBusy::refuse));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "audio_busy");
  EXPECT_GT(refused.error().retry_after.count(), 0);
  EXPECT_TRUE(spoken("Yes.").ok()) << "speakers are others";
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MAINSTAY_SANITIZED 1
#endif
#endif
#ifndef MAINSTAY_SANITIZED
TEST_F(LockedIn, ten_minutes_take_hardly_more_memory_than_one) {
  const auto peak = [this](double seconds) {
    make(AUDIO);
    const Recipe opus{"ogg", "libopus", 48'000, 1, 24'000, {}};
    EXPECT_EQ(outcome(make_file(opus, signal_of(seconds, 48'000))), "fine");
    const auto all = children();
    return all.empty() ? 0 : std::stoi(status_of(all.front(), "VmHWM"));
  };
  const int minute = peak(60);
  EXPECT_GT(minute, 1000);
  EXPECT_LT(peak(600), minute * 3 / 2);
}
#endif

TEST_F(LockedIn, after_the_close_nothing_begins) {
  EXPECT_EQ(outcome(sound()), "fine");
  audio->close();
  EXPECT_EQ(outcome(sound()), "audio_busy");
  EXPECT_EQ(audio->decoding().idle, 0u);
}

TEST_F(LockedIn, the_probe_says_what_it_is_and_anything_else_how_it_is_used) {
  auto said = media::ask_program(AUDIO, {"mainstay-audio", "probe"});
  ASSERT_TRUE(said.ok());
  EXPECT_FALSE(string_field(*said, "ffmpeg").empty());
  EXPECT_FALSE(media::ask_program(AUDIO, {"mainstay-audio", "dance"}).ok());
  EXPECT_FALSE(media::ask_program(AUDIO, {"mainstay-audio", "serve", "1", "dance", ""}).ok());
}

}  // namespace
}  // namespace mainstay::audio::test
