// Shared by the configuration tests: a scratch folder and sources that see nothing of the machine.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/load.h"

namespace mainstay::config {

/// A folder that goes away with the test.
class Scratch {
 public:
  Scratch() {
    std::string pattern = ::testing::TempDir() + "mainstay-config-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = path_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Sources with the profile "server" (whose values differ little from the defaults), an empty
/// environment and a root without any file.
class Setup : public ::testing::Test {
 protected:
  Setup() {
    sources.root = scratch.path() + "/root";
    sources.file = scratch.path() + "/mainstay.toml";
  }
  void toml(const std::string& text) { sources.file = scratch.write("mainstay.toml", text); }
  std::string here(int line) const { return sources.file + ":" + std::to_string(line); }
  Loaded loaded() {
    auto result = load(sources);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? std::move(*result) : Loaded{};
  }
  std::vector<Problem> problems() { return check(sources); }
  /// The one problem; fails the test when there are none or several.
  Problem problem() {
    auto all = problems();
    EXPECT_EQ(all.size(), 1u);
    for (const auto& one : all) {
      if (all.size() != 1) ADD_FAILURE() << one.where << ": " << one.key << " " << one.says;
    }
    return all.empty() ? Problem{} : all.front();
  }

  Scratch scratch;
  Sources sources;
};

}  // namespace mainstay::config
