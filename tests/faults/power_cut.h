// What a disk holds after the power failed: of each file what was synced, and of what was written
// since then nothing, or as many of the first writes as chance says.
// Used by rig.h after it killed a program that ran with disk_shim.cpp.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "faults/undo_record.h"

namespace mainstay::faults {

struct CutCounts {
  std::uint64_t undone = 0;   ///< writes that were lost
  std::uint64_t removed = 0;  ///< files that were never synced
};

class PowerCut {
 public:
  /// `whole`: every unsynced write is lost; else the first ones of each file may stay.
  static CutCounts cut(const std::string& folder, const std::string& undo, Random& random,
                       bool whole) {
    CutCounts counts;
    std::vector<std::filesystem::path> files;
    for (const auto& found : std::filesystem::recursive_directory_iterator(folder)) {
      if (found.is_regular_file() && found.path().parent_path() != undo) {
        files.push_back(found.path());
      }
    }
    for (const auto& file : files) {
      if (file.string().ends_with("-shm")) {
        std::filesystem::remove(file);
        continue;
      }
      struct stat about{};
      if (::stat(file.c_str(), &about) != 0) continue;
      const std::string log = undo + "/" + std::to_string(about.st_ino);
      if (std::filesystem::exists(log)) put_back(file, log, random, whole, counts);
    }
    for (const auto& log : std::filesystem::directory_iterator(undo)) {
      std::filesystem::remove(log.path());
    }
    return counts;
  }

 private:
  struct Place {
    UndoRecord record;
    std::uint64_t at;  ///< of the record in the log
  };

  static void put_back(const std::filesystem::path& file, const std::string& log, Random& random,
                       bool whole, CutCounts& counts) {
    std::ifstream in(log, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::vector<Place> places;
    std::uint64_t synced = 0;
    bool entered = false;
    for (std::uint64_t at = 0; at + sizeof(UndoRecord) <= text.size();) {
      Place place{{}, at};
      std::memcpy(&place.record, text.data() + at, sizeof(UndoRecord));
      at += sizeof(UndoRecord) + place.record.length;
      if (at > text.size()) break;  // died while it was written: the change was not made
      if (static_cast<UndoKind>(place.record.kind) == UndoKind::synced) {
        synced = std::max(synced, place.record.offset);
      } else if (static_cast<UndoKind>(place.record.kind) == UndoKind::entered) {
        entered = true;
      } else {
        places.push_back(place);
      }
    }
    std::erase_if(places, [&](const Place& place) {
      const bool made = static_cast<UndoKind>(place.record.kind) == UndoKind::created;
      return place.at < synced || (made && entered);
    });
    const std::uint64_t kept = whole ? 0 : random.below(places.size() + 1);
    while (places.size() > kept) {
      undo_one(file, places.back(), text, counts);
      places.pop_back();
    }
  }

  static void undo_one(const std::filesystem::path& file, const Place& place,
                       const std::string& text, CutCounts& counts) {
    const UndoRecord& record = place.record;
    if (static_cast<UndoKind>(record.kind) == UndoKind::created) {
      std::filesystem::remove(file);
      ++counts.removed;
      return;
    }
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) throw std::runtime_error("cannot open " + file.string());
    const char* old = text.data() + place.at + sizeof(UndoRecord);
    const bool done = ::pwrite(fd, old, record.length, static_cast<off_t>(record.offset)) ==
                          static_cast<ssize_t>(record.length) &&
                      ::ftruncate(fd, static_cast<off_t>(record.size)) == 0;
    ::close(fd);
    if (!done) throw std::runtime_error("cannot put back " + file.string());
    ++counts.undone;
  }
};

}  // namespace mainstay::faults
