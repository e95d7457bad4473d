// Figures of a process, read from a directory that looks like /proc/self.
#include "resources/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mainstay::resources {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStatus =
    "Name:\tmainstay\nVmHWM:\t   90001 kB\nVmRSS:\t   12345 kB\nThreads:\t7\n";
// utime 250 and stime 37 ticks are the 14th and 15th field; the command holds blanks and brackets.
constexpr const char* kStat =
    "4242 (a ) b (c) S 1 4242 4242 0 -1 4194560 1111 22 3 4 250 37 55 66 20 0 7 0 98765 123 45\n";

class ProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("proc-" + std::to_string(::getpid()));
    fs::create_directories(root_ / "fd");
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  fs::path root_;
};

TEST_F(ProcessTest, each_figure_comes_from_its_own_place) {
  put("status", kStatus);
  put("stat", kStat);
  for (const char* fd : {"0", "1", "2", "17"}) put(std::string("fd/") + fd, "");
  auto figures = read_process(root_.string());
  ASSERT_TRUE(figures.ok());
  EXPECT_EQ(figures->resident.value, 12345u * 1024u);
  EXPECT_EQ(figures->threads, 7u);
  EXPECT_EQ(figures->descriptors, 4u);
  EXPECT_DOUBLE_EQ(figures->cpu_seconds, 287.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(figures->descriptors_max, limit.rlim_cur);
}

TEST_F(ProcessTest, a_missing_file_is_an_error_and_not_zeros) {
  auto nothing = read_process(root_.string());
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code, Errc::unavailable);
  put("status", kStatus);
  EXPECT_FALSE(read_process(root_.string()).ok()) << "stat is missing";
  put("stat", kStat);
  EXPECT_TRUE(read_process(root_.string()).ok());
}

TEST_F(ProcessTest, a_file_that_cannot_be_read_is_an_error_and_not_zeros) {
  put("stat", kStat);
  fs::create_directories(root_ / "status");  // opens, but cannot be read
  EXPECT_FALSE(read_process(root_.string()).ok());
}

TEST_F(ProcessTest, files_cut_short_give_zeros_and_no_crash) {
  const std::string stat = kStat;
  put("status", "Name:\tmainstay\n");
  for (std::size_t n = 0; n <= stat.size(); ++n) {
    put("stat", stat.substr(0, n));
    auto figures = read_process(root_.string());
    ASSERT_TRUE(figures.ok()) << n;
    ASSERT_LE(figures->cpu_seconds * static_cast<double>(::sysconf(_SC_CLK_TCK)), 287.0) << n;
    ASSERT_EQ(figures->resident.value, 0u);
  }
}

TEST(Process, this_process_has_memory_a_thread_and_descriptors) {
  auto figures = read_process();
  ASSERT_TRUE(figures.ok());
  EXPECT_GT(figures->resident, 256_KiB);
  EXPECT_GE(figures->threads, 1u);
  EXPECT_GE(figures->descriptors, 3u);
  EXPECT_LE(figures->descriptors, figures->descriptors_max);
}

}  // namespace
}  // namespace mainstay::resources
