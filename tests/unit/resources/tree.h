// A folder of files that looks like /proc, /sys or a control group, gone with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "resources/roots.h"

namespace mainstay::resources {

class Tree {
 public:
  Tree() {
    std::string name = testing::TempDir() + "/machine-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  void put(const std::string& path, const std::string& text) const {
    const auto file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }
  std::string path(const std::string& below = "") const { return (root_ / below).string(); }
  /// Roots of this tree, without a GPU library.
  Roots roots() const { return {path("proc"), path("sys"), path("cgroup"), ""}; }

  // What most tests need.
  void process(int resident_kb, int descriptors) const {
    put("proc/self/status",
        "Name:\tx\nVmRSS:\t" + std::to_string(resident_kb) + " kB\nThreads:\t3\n");
    put("proc/self/stat", "1 (x) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0\n");
    remove("proc/self/fd");
    for (int i = 0; i < descriptors; ++i) put("proc/self/fd/" + std::to_string(i), "");
  }
  void machine_memory(int total_kb, int available_kb) const {
    put("proc/meminfo", "MemTotal: " + std::to_string(total_kb) + " kB\nMemFree: 1 kB\n" +
                            "MemAvailable: " + std::to_string(available_kb) + " kB\n");
  }
  void heat(double degrees) const {
    put("sys/class/thermal/thermal_zone0/temp", std::to_string(int(degrees * 1000)) + "\n");
  }
  void stall(const std::string& kind, unsigned long long some, unsigned long long full) const {
    put("proc/pressure/" + kind,
        "some avg10=1.50 avg60=0.00 avg300=0.00 total=" + std::to_string(some) +
            "\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=" + std::to_string(full) + "\n");
  }

 private:
  std::filesystem::path root_;
};

}  // namespace mainstay::resources
