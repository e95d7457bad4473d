// Rows of [uploads] and [archives]: keys, bounds and sentences. Defaults: settings_uploads.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kUploads = &Settings::uploads;
constexpr auto kArchives = &Settings::archives;
using Up = UploadSettings;
using Arc = ArchiveSettings;

constexpr std::array kUploadRows = {
    row<kUploads, &Up::size_max>("uploads.size_max", {kKiB, 65536 * kGiB},
                                 "Size of one file that comes in parts."),
    row<kUploads, &Up::part_max>("uploads.part_max", {kKiB, 4 * kGiB}, "Size of one part."),
    row<kUploads, &Up::parts_max>("uploads.parts_max", {1, 100'000}, "Parts of one file."),
    row<kUploads, &Up::owner_open_max>("uploads.owner_open_max", {1, 10'000},
                                       "Unfinished uploads of one user."),
    row<kUploads, &Up::keep>("uploads.keep", {kSecond, 365 * kDay},
                             "Time after its last part that an unfinished upload is kept."),
    row<kArchives, &Arc::entries_max>("archives.entries_max", kCount, "Files in one archive."),
    row<kArchives, &Arc::entry_max>("archives.entry_max", {kKiB, 64 * kGiB},
                                    "Size of one file in an archive, unpacked."),
    row<kArchives, &Arc::bytes_max>("archives.bytes_max", {kKiB, 1024 * kGiB},
                                    "Size of all files in an archive, unpacked."),
    row<kArchives, &Arc::ratio_max>(
        "archives.ratio_max", {1, 100'000},
        "Unpacked bytes for each packed one; a file in an archive beyond it is a bomb."),
};

}  // namespace

std::span<const Row> upload_rows() {
  return kUploadRows;
}

}  // namespace mainstay::config
