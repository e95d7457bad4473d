// The results of one job over many pictures: files, and a file with a line about each.
// Used by images_kind.cpp alone.
#pragma once

#include <string>

#include "jobs/all_kinds.h"
#include "media/image.h"

namespace mainstay::jobs {

/// One picture of the job.
struct ImageItem {
  std::size_t index = 0;
  std::string name;     ///< as it may be shown
  std::string content;  ///< where it is on the shelf
};

/// Belongs to one attempt. What it put on the shelf beside the results leaves with it.
class ImageResults {
 public:
  ImageResults(const Tools& tools, Run& run, const media::ImageWish& wish);
  ~ImageResults();
  ImageResults(const ImageResults&) = delete;
  ImageResults& operator=(const ImageResults&) = delete;

  /// Finds what an earlier attempt kept. `total`: of all pictures; 0: not known.
  Co<Status> begin(std::size_t total, Deadline by);
  /// Number of the first picture about which nothing is kept.
  std::size_t next() const noexcept { return next_; }
  /// A name on the shelf for one picture that has none.
  const std::string& spool() const noexcept { return spool_; }
  /// Makes the result, keeps it as a file of the owner, keeps its line. A picture that cannot be
  /// read is a line too; the error is of what another attempt may do better.
  Co<Status> make(ImageItem item, Deadline by);
  Co<Status> failed(ImageItem item, Error error, Deadline by);
  /// Keeps the lines as a file of the owner; what the job gives.
  Co<Result<Outcome>> end(Deadline by);

 private:
  struct Made;
  Co<Result<Made>> convert(const ImageItem& item, std::string id, Deadline by);
  Co<Status> keep(const Made& made, const ImageItem& item, Deadline by);
  Co<Status> append(Json line, Deadline by);
  Co<Status> add_file(storage::FileInfo file, Deadline by);
  storage::FileInfo file_of(std::string id) const;
  void count(const Json& line);

  const Tools& tools_;
  Run& run_;
  const media::ImageWish wish_;
  const storage::Owner owner_;
  const std::string prefix_;  ///< of the names of contents
  const std::string lines_;
  const std::string spool_;
  std::size_t total_ = 0;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
  std::uint64_t lines_bytes_ = 0;
};

}  // namespace mainstay::jobs
