// Where the speech of a command goes.
#include "app/sound_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

class SoundOutTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = testing::TempDir() + "sound-XXXXXX";
    ASSERT_NE(::mkdtemp(form.data()), nullptr);
    root_ = form;
    place_ = (root_ / "out.wav").string();
  }
  void TearDown() override { fs::remove_all(root_); }
  static std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }
  mode_t mode() const {
    struct stat facts{};
    return ::stat(place_.c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0;
  }
  fs::path root_;
  std::string place_;
};

TEST_F(SoundOutTest, what_stood_there_stays_until_all_is_written) {
  std::ofstream(place_) << "older";
  ASSERT_EQ(::chmod(place_.c_str(), 0640), 0);
  {
    auto out = SoundOut::open(place_);
    ASSERT_TRUE(out.ok());
    ASSERT_TRUE((*out)->write("half").ok());
    EXPECT_EQ(text_of(place_), "older");
  }
  EXPECT_EQ(text_of(place_), "older") << "the command failed";
  EXPECT_EQ(files(), 1u) << "and left nothing";
  {
    auto out = SoundOut::open(place_);
    ASSERT_TRUE(out.ok());
    ASSERT_TRUE((*out)->write("new").ok());
    ASSERT_TRUE((*out)->keep("mp3").ok());
  }
  EXPECT_EQ(text_of(place_), "new");
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(mode(), 0640U);
}

TEST_F(SoundOutTest, a_new_file_is_there_when_it_is_whole) {
  const mode_t before = ::umask(027);
  auto out = SoundOut::open(place_);
  ::umask(before);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE((*out)->write("sound").ok());
  EXPECT_FALSE(fs::exists(place_));
  ASSERT_TRUE((*out)->keep("mp3").ok());
  EXPECT_EQ(text_of(place_), "sound");
  EXPECT_EQ(mode(), 0640U);
}

TEST_F(SoundOutTest, a_wav_file_in_pieces_learns_its_length) {
  auto out = SoundOut::open(place_);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE((*out)->write(std::string(44, '\xff')).ok());
  ASSERT_TRUE((*out)->write(std::string(10, 's')).ok());
  ASSERT_TRUE((*out)->keep("wav").ok());
  const std::string text = text_of(place_);
  EXPECT_EQ(text.substr(4, 4), std::string("\x2e\0\0\0", 4));
  EXPECT_EQ(text.substr(40, 4), std::string("\x0a\0\0\0", 4));
}

TEST_F(SoundOutTest, a_link_goes_on_leading_to_the_file) {
  const fs::path file = root_ / "real.wav";
  std::ofstream(file) << "older";
  fs::create_symlink(file, place_);
  auto out = SoundOut::open(place_);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE((*out)->write("new").ok());
  ASSERT_TRUE((*out)->keep("mp3").ok());
  EXPECT_TRUE(fs::is_symlink(place_));
  EXPECT_EQ(text_of(file), "new");
}

TEST_F(SoundOutTest, a_pipe_gets_the_sound_as_it_comes) {
  ASSERT_EQ(::mkfifo(place_.c_str(), 0600), 0);
  std::fstream reader(place_, std::ios::in | std::ios::out | std::ios::binary);
  auto out = SoundOut::open(place_);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE((*out)->write("sound").ok());
  std::string heard(5, ' ');
  reader.read(heard.data(), 5);
  EXPECT_EQ(heard, "sound");
  ASSERT_TRUE((*out)->keep("wav").ok());
  EXPECT_TRUE(fs::is_fifo(place_));
  EXPECT_EQ(files(), 1u);
}

TEST_F(SoundOutTest, a_place_that_cannot_be_written_is_said_at_once) {
  for (const auto& path : {root_ / "missing/out.wav", root_}) {
    auto out = SoundOut::open(path.string());
    ASSERT_FALSE(out.ok()) << path;
    EXPECT_EQ(out.error().reason, "file_unwritable");
    EXPECT_NE(out.error().message.find(path.string()), std::string::npos);
  }
  EXPECT_EQ(files(), 0u);
}

}  // namespace
}  // namespace mainstay::app
