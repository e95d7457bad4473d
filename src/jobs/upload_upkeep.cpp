// Contents first: a row that is left without them is found again.
#include "jobs/upload_upkeep.h"

namespace mainstay::jobs {
namespace {

constexpr Duration kPause = std::chrono::seconds(60);
constexpr Duration kStep = std::chrono::seconds(30);
constexpr std::uint32_t kAtOnce = 64;

Co<Status> remove_one(Clock& clock, storage::Uploads& uploads, storage::Shelf& shelf,
                      storage::UploadInfo upload) {
  auto parts = co_await uploads.parts_of(upload.id, Deadline::in(clock, kStep));
  if (!parts.ok()) co_return parts.error();
  for (const auto& part : *parts) {
    auto removed = co_await shelf.remove(part.id.text(), Deadline::in(clock, kStep));
    if (!removed.ok()) co_return removed;
  }
  if (upload.state == storage::UploadState::completing) {
    auto removed = co_await shelf.remove(upload.file.text(), Deadline::in(clock, kStep));
    if (!removed.ok()) co_return removed;
  }
  co_return co_await uploads.erase(upload.id, Deadline::in(clock, kStep));
}

}  // namespace

Co<std::size_t> sweep_uploads(Clock& clock, Log& log, storage::Uploads& uploads,
                              storage::Shelf& shelf) {
  std::size_t gone = 0;
  auto over = co_await uploads.over(kAtOnce, Deadline::in(clock, kStep));
  if (!over.ok()) co_return gone;
  for (auto& upload : *over) {
    const bool open = upload.state == storage::UploadState::pending ||
                      upload.state == storage::UploadState::completing;
    auto removed = co_await remove_one(clock, uploads, shelf, upload);
    if (!removed.ok()) {
      log.warn("uploads.sweep_failed", {{"error", removed.error().detail}});
      co_return gone;
    }
    ++gone;
    if (open) log.info("uploads.expired", {{"upload", upload.id.text()}});
  }
  co_return gone;
}

Co<> keep_uploads(Clock& clock, Log& log, storage::Uploads& uploads, storage::Shelf& shelf) {
  for (;;) {
    auto gone = co_await sweep_uploads(clock, log, uploads, shelf);
    if (gone == kAtOnce) continue;
    auto slept = co_await sleep(clock, kPause);
    if (!slept) co_return;
  }
}

}  // namespace mainstay::jobs
