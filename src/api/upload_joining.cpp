// The first part becomes the file by its name; the others are put behind it one after the other,
// and each goes when the disk has its bytes at their place. So a part that is gone stands in the
// file already, and at no time is there room for more than one part twice.
#include "api/upload_joining.h"

#include <algorithm>

#include "api/file_facts.h"
#include "base/md5.h"
#include "storage/shelf.h"

namespace mainstay::api {
namespace {

using storage::PartId;
using storage::UploadInfo;
using storage::UploadPart;
using storage::UploadState;

constexpr std::size_t kStep = 8 << 20;      ///< copied at once
constexpr std::size_t kBlock = 256 * 1024;  ///< digested at once, on the loop

/// One upload on its way to a file.
class Joining {
 public:
  Joining(const Rooms& rooms, Context& context, std::vector<UploadPart> parts,
          std::vector<PartId> order)
      : rooms_(rooms),
        context_(context),
        shelf_(*rooms.shelf),
        parts_(std::move(parts)),
        order_(std::move(order)) {}
  Co<Status> check_md5(std::string md5);
  Co<Status> join(std::string file);

 private:
  std::uint64_t size_of(const PartId& id) const {
    const auto found = std::find_if(parts_.begin(), parts_.end(),
                                    [&](const UploadPart& part) { return part.id == id; });
    return found == parts_.end() ? 0 : found->size;
  }
  bool comes_again(std::size_t at) const {
    return std::find(order_.begin() + static_cast<std::ptrdiff_t>(at) + 1, order_.end(),
                     order_[at]) != order_.end();
  }
  Deadline soon() const { return storage_time(rooms_, context_); }
  Co<Status> place(std::string file, std::size_t index, std::uint64_t at);
  Co<Status> copy(std::string file, PartId id, std::uint64_t at);
  Co<Status> stands_there(std::string file, std::uint64_t end);

  const Rooms& rooms_;
  Context& context_;
  storage::Shelf& shelf_;
  const std::vector<UploadPart> parts_;
  const std::vector<PartId> order_;
};

Co<Status> Joining::check_md5(std::string md5) {
  Md5 digest;
  for (const auto& id : order_) {
    std::uint64_t at = 0;
    for (;;) {
      auto block = co_await shelf_.read(id.text(), at, kBlock, soon());
      if (!block.ok()) co_return block.error();
      if (block->empty()) break;
      at += block->size();
      digest.update(*block);
    }
  }
  if (digest.hex() == md5) co_return done();
  co_return Error::say(Errc::invalid, "md5_mismatch",
                       "The parts in this order have another MD5 than 'md5' says. Check their "
                       "order, or send the file again.",
                       "md5");
}

/// The part is gone: an attempt before this one, or another one, put it where it belongs.
Co<Status> Joining::stands_there(std::string file, std::uint64_t end) {
  auto size = co_await shelf_.size(std::move(file), soon());
  if (!size.ok()) co_return size.error();
  if (*size >= end) co_return done();
  co_return Error::log(Errc::corrupt, "a part of an upload is missing on the shelf");
}

Co<Status> Joining::copy(std::string file, PartId id, std::uint64_t at) {
  const std::uint64_t size = size_of(id);
  for (std::uint64_t from = 0; from < size;) {
    storage::Shelf::Piece piece{id.text(), from, file, at + from, kStep, from + kStep >= size};
    auto copied = co_await shelf_.copy(std::move(piece), soon());
    if (!copied.ok()) co_return copied.error();
    if (*copied == 0) co_return Error::log(Errc::corrupt, "a part of an upload is short");
    from += *copied;
  }
  co_return done();
}

Co<Status> Joining::place(std::string file, std::size_t index, std::uint64_t at) {
  const PartId id = order_[index];
  const std::uint64_t end = at + size_of(id);
  const bool again = comes_again(index);
  Status placed;
  if (index == 0 && !again) {
    placed = co_await shelf_.rename(id.text(), file, soon());
  } else {
    placed = co_await copy(file, id, at);
  }
  if (!placed.ok() && placed.error().reason == "unknown_file") {
    co_return co_await stands_there(std::move(file), end);
  }
  if (!placed.ok() || again || index == 0) co_return placed;
  co_return co_await shelf_.remove(id.text(), soon());
}

Co<Status> Joining::join(std::string file) {
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    auto placed = co_await place(file, i, at);
    if (!placed.ok()) co_return placed;
    at += size_of(order_[i]);
  }
  co_return done();
}

storage::FileInfo file_of(const Rooms& rooms, const Context& context, const UploadInfo& upload) {
  const Duration keep = upload.file_keep > 0 ? Duration(std::chrono::seconds(upload.file_keep))
                                             : Duration(rooms.settings.files.keep);
  storage::FileInfo out = file_of_now(rooms, context, keep);
  out.id = upload.file;
  out.name = upload.name;
  out.purpose = upload.purpose;
  out.size = upload.bytes;
  return out;
}

}  // namespace

Co<Result<UploadInfo>> join_upload(const Rooms& rooms, Context& context, UploadInfo upload,
                                   std::vector<PartId> order, std::string md5) {
  auto& uploads = rooms.stores.uploads();
  auto parts = co_await uploads.parts(upload.owner, upload.id, storage_time(rooms, context));
  if (!parts.ok()) co_return parts.error();
  Joining joining(rooms, context, *parts, order);
  if (upload.state == UploadState::pending && !md5.empty()) {
    auto fits = storage::check_order(upload, *parts, order);
    if (!fits.ok()) co_return fits.error();
    auto same = co_await joining.check_md5(std::move(md5));
    if (!same.ok()) co_return same.error();
  }
  storage::FileId file(make_id("file-", rooms.clock, rooms.random));
  auto begun = co_await uploads.complete(upload.owner, upload.id, std::move(order), std::move(file),
                                         storage_time(rooms, context));
  if (!begun.ok() || begun->state == UploadState::completed) co_return begun;
  auto joined = co_await joining.join(begun->file.text());
  if (!joined.ok()) {
    // Another call may have completed it meanwhile, and its parts with it.
    auto now = co_await uploads.get(upload.owner, upload.id, storage_time(rooms, context));
    if (now.ok() && now->state == UploadState::completed) co_return now;
    co_return joined.error();
  }
  storage::FileInfo facts = file_of(rooms, context, *begun);
  auto finished = co_await uploads.finish(upload.owner, upload.id, std::move(facts),
                                          storage_time(rooms, context));
  if (!finished.ok()) co_return finished.error();
  // Those that the order leaves out; the others are gone.
  for (const auto& part : *parts) rooms.shelf->drop(part.id.text());
  begun->state = UploadState::completed;
  co_return begun;
}

}  // namespace mainstay::api
