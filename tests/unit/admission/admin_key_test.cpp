// The admin key's file: made once, complete, private, shown once.
#include "admission/admin_key.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace mainstay::admission {
namespace {

struct AdminKeyTest : testing::Test {
  AdminKeyTest() {
    std::string form = testing::TempDir() + "/mainstay-admin-XXXXXX";
    dir = ::mkdtemp(form.data());
  }
  ~AdminKeyTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
  std::string path() const { return dir + "/admin.key"; }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  std::string dir;
};

TEST_F(AdminKeyTest, the_first_start_makes_it_shows_it_once_and_keeps_it_private) {
  auto first = open_admin_key(dir);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->fresh.starts_with("ms_"));
  EXPECT_EQ(first->digest, key_digest(first->fresh));
  EXPECT_EQ(first->path, path());
  EXPECT_FALSE(first->exposed);
  struct stat info{};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  auto second = open_admin_key(dir);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->fresh.empty());
  EXPECT_EQ(second->digest, first->digest);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir)) ++files;
  EXPECT_EQ(files, 1u) << "no temporary file is left";
}

TEST_F(AdminKeyTest, a_key_of_ones_own_is_taken_when_it_is_long_enough) {
  write(std::string(31, 'k') + "\n");
  EXPECT_FALSE(open_admin_key(dir).ok());
  write("  " + std::string(32, 'k') + "  \n");
  auto own = open_admin_key(dir);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->digest, key_digest(std::string(32, 'k')));
}

TEST_F(AdminKeyTest, an_unusable_file_is_an_error_that_names_it_and_is_left_alone) {
  for (const std::string& text :
       {std::string(), std::string("short"), std::string(40, 'a') + " " + std::string(40, 'b'),
        std::string(40, 'a') + "\n" + std::string(40, 'b'), std::string(4097, 'k')}) {
    write(text);
    auto refused = open_admin_key(dir);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().reason, "admin_key_unusable");
    EXPECT_NE(refused.error().message.find(path()), std::string::npos);
    std::ifstream file(path());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

TEST_F(AdminKeyTest, a_file_that_others_may_read_is_said_to_be) {
  ASSERT_TRUE(open_admin_key(dir).ok());
  ::chmod(path().c_str(), 0640);
  EXPECT_TRUE(open_admin_key(dir)->exposed);
}

TEST_F(AdminKeyTest, a_folder_that_cannot_be_written_is_an_error) {
  auto refused = open_admin_key(dir + "/missing");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::invalid);
}

}  // namespace
}  // namespace mainstay::admission
