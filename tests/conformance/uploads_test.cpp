// What every back end of uploads must do, and what the shelf does with their parts.
#include "storage/uploads.h"
#include "conformance/back_ends.h"
#include "storage/shelf.h"

namespace mainstay::storage {
namespace {

using std::chrono::hours;
using Ids = std::vector<PartId>;

template <class T>
std::string reason_of(const T& result) {
  if (result.ok()) return "ok";
  const Error& error = result.error();
  return error.reason.empty() ? std::string(name(error.code)) : error.reason;
}

Owner user(const std::string& name) {
  return owner_of("tenant of " + name, name);
}

class UploadsFace : public testing::TestWithParam<const char*> {
 protected:
  Uploads& face() { return back_end_->stores().uploads(); }
  Files& files() { return back_end_->stores().files(); }
  WallTime in(hours some) { return ground_.clock.wall() + some; }
  UploadInfo upload(int n, std::uint64_t bytes = 100, const std::string& of = "ann") {
    UploadInfo out;
    out.id = UploadId("upload_" + std::to_string(n));
    out.owner = user(of);
    out.name = "name " + std::to_string(n);
    out.purpose = "user_data";
    out.media_type = "text/x" + std::to_string(n);
    out.bytes = bytes;
    out.created = wall_from_micros(1'700'000'000'000'000 + n);
    out.expires = in(hours(24));
    out.file_keep = 4000 + static_cast<std::uint64_t>(n);
    return out;
  }
  std::string add(UploadInfo info, UploadLimits limits = {}) {
    return reason_of(ground_.run(face().add(std::move(info), limits, ground_.soon())));
  }
  static UploadPart part(const std::string& id, std::uint64_t size, const std::string& digest) {
    return {PartId(id), size, digest, wall_from_micros(1'700'000'000'500'000)};
  }
  Result<UploadPart> put(int n, UploadPart one, std::uint32_t most = 100,
                         const std::string& of = "ann") {
    UploadId id("upload_" + std::to_string(n));
    return ground_.run(face().add_part(user(of), std::move(id), std::move(one), most, in(hours(30)),
                                       ground_.soon()));
  }
  Result<UploadInfo> get(int n, const std::string& of = "ann") {
    return ground_.run(
        face().get(user(of), UploadId("upload_" + std::to_string(n)), ground_.soon()));
  }
  std::vector<std::string> parts(int n) {
    auto found = ground_.run(
        face().parts(user("ann"), UploadId("upload_" + std::to_string(n)), ground_.soon()));
    EXPECT_TRUE(found.ok());
    std::vector<std::string> out;
    if (found.ok()) {
      for (const auto& one : *found) out.push_back(one.id.text());
    }
    return out;
  }
  Result<UploadInfo> complete(int n, Ids order, const std::string& file = "file-1",
                              const std::string& of = "ann") {
    UploadId id("upload_" + std::to_string(n));
    return ground_.run(
        face().complete(user(of), std::move(id), std::move(order), FileId(file), ground_.soon()));
  }
  std::string finish(int n, const std::string& file = "file-1") {
    FileInfo info;
    info.id = FileId(file);
    info.owner = user("ann");
    info.name = "whole";
    info.purpose = "user_data";
    info.size = 100;
    info.created = ground_.clock.wall();
    UploadId id("upload_" + std::to_string(n));
    return reason_of(ground_.run(face().finish(user("ann"), std::move(id), info, ground_.soon())));
  }
  std::string cancel(int n, const std::string& of = "ann") {
    UploadId id("upload_" + std::to_string(n));
    return reason_of(ground_.run(face().cancel(user(of), std::move(id), ground_.soon())));
  }
  bool holds(const std::string& name) { return *ground_.run(face().holds(name, ground_.soon())); }
  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
};
INSTANTIATE_TEST_SUITE_P(Over, UploadsFace, testing::ValuesIn(kBackEnds), back_end_name);

TEST_P(UploadsFace, an_upload_is_read_back_in_every_field_by_its_owner_alone) {
  ASSERT_EQ(add(upload(1)), "ok");
  auto info = get(1);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->name, "name 1");
  EXPECT_EQ(info->purpose, "user_data");
  EXPECT_EQ(info->media_type, "text/x1");
  EXPECT_EQ(info->bytes, 100u);
  EXPECT_EQ(info->state, UploadState::pending);
  EXPECT_EQ(micros(info->created), 1'700'000'000'000'001);
  EXPECT_EQ(info->file_keep, 4001u);
  EXPECT_EQ(reason_of(get(1, "bob")), "unknown_upload");
  EXPECT_EQ(reason_of(put(1, part("part_1", 5, "a"), 100, "bob")), "unknown_upload");
  EXPECT_EQ(reason_of(complete(1, {PartId("part_1")}, "file-1", "bob")), "unknown_upload");
  EXPECT_EQ(cancel(1, "bob"), "unknown_upload");
  EXPECT_EQ(reason_of(get(2)), "unknown_upload");
}

// proves the order of parts is the client's, whatever the order in which they came
TEST_P(UploadsFace, parts_in_any_order_become_the_file_that_was_announced) {
  ASSERT_EQ(add(upload(1)), "ok");
  ASSERT_TRUE(put(1, part("part_b", 40, "b")).ok());
  ASSERT_TRUE(put(1, part("part_a", 60, "a")).ok());
  EXPECT_EQ(parts(1), (std::vector<std::string>{"part_b", "part_a"}));
  EXPECT_EQ(get(1)->parts_bytes, 100u);
  EXPECT_EQ(reason_of(complete(1, {PartId("part_a")})), "upload_size_mismatch");
  EXPECT_EQ(reason_of(complete(1, {PartId("part_a"), PartId("part_c")})), "unknown_part");
  EXPECT_EQ(get(1)->state, UploadState::pending) << "a wrong order changes nothing";
  const Ids order{PartId("part_a"), PartId("part_b")};
  auto begun = complete(1, order);
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun->state, UploadState::completing);
  EXPECT_EQ(begun->file.text(), "file-1");
  EXPECT_TRUE(holds("file-1"));
  EXPECT_TRUE(holds("part_a"));
  auto again = complete(1, order, "file-2");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->file.text(), "file-1") << "an attempt after a crash goes on with the same file";
  EXPECT_EQ(again->order, order);
  EXPECT_EQ(reason_of(complete(1, {PartId("part_b"), PartId("part_a")})), "upload_not_pending");
  EXPECT_EQ(reason_of(put(1, part("part_d", 1, "d"))), "upload_not_pending");
  EXPECT_EQ(cancel(1), "upload_not_pending");
  ASSERT_EQ(finish(1), "ok");
  ASSERT_EQ(finish(1), "ok") << "twice is once";
  EXPECT_EQ(get(1)->state, UploadState::completed);
  EXPECT_TRUE(parts(1).empty());
  EXPECT_FALSE(holds("part_a"));
  auto file = ground_.run(files().get(user("ann"), FileId("file-1"), ground_.soon()));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->name, "whole");
  EXPECT_EQ(complete(1, order)->state, UploadState::completed);
}

TEST_P(UploadsFace, a_part_that_is_there_already_is_the_same_part) {
  ASSERT_EQ(add(upload(1)), "ok");
  ASSERT_TRUE(put(1, part("part_1", 50, "same")).ok());
  auto again = put(1, part("part_2", 50, "same"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->id.text(), "part_1");
  EXPECT_EQ(get(1)->parts, 1u);
  EXPECT_FALSE(holds("part_2"));
  EXPECT_TRUE(complete(1, {PartId("part_1"), PartId("part_1")}).ok()) << "twice in one file";
}

TEST_P(UploadsFace, each_bound_holds_at_its_edge) {
  UploadLimits limits;
  limits.open_max = 2;
  limits.files = {100, 250};
  ASSERT_EQ(add(upload(1, 100), limits), "ok");
  EXPECT_EQ(add(upload(2, 151), limits), "too_many_file_bytes");
  ASSERT_EQ(add(upload(2, 150), limits), "ok");
  limits.files.bytes_max = 1000;
  EXPECT_EQ(add(upload(3, 1), limits), "too_many_uploads");
  EXPECT_EQ(add(upload(3, 1, "bob"), limits), "ok") << "another's uploads do not count";
  ASSERT_EQ(cancel(2), "ok");
  EXPECT_EQ(add(upload(4, 1), limits), "ok") << "a cancelled one does not count";
  ASSERT_TRUE(put(1, part("part_1", 100, "1"), 3).ok());
  ASSERT_TRUE(put(1, part("part_2", 100, "2"), 3).ok());
  EXPECT_EQ(reason_of(put(1, part("part_3", 1, "3"), 3)), "upload_parts_too_long");
  EXPECT_EQ(reason_of(put(1, part("part_3", 0, "3"), 2)), "too_many_parts");
}

TEST_P(UploadsFace, a_cancelled_upload_gives_its_parts_and_takes_no_more) {
  ASSERT_EQ(add(upload(1)), "ok");
  ASSERT_TRUE(put(1, part("part_1", 10, "1")).ok());
  auto gone = ground_.run(face().cancel(user("ann"), UploadId("upload_1"), ground_.soon()));
  ASSERT_TRUE(gone.ok());
  ASSERT_EQ(gone->size(), 1u);
  EXPECT_EQ(gone->front().id.text(), "part_1");
  EXPECT_EQ(cancel(1), "ok");
  EXPECT_EQ(reason_of(put(1, part("part_2", 10, "2"))), "upload_not_pending");
  EXPECT_EQ(reason_of(complete(1, {PartId("part_1")})), "upload_not_pending");
  EXPECT_FALSE(holds("part_1"));
}

TEST_P(UploadsFace, unfinished_ones_are_listed_and_those_whose_time_is_over_are_given_up) {
  for (int n = 1; n <= 3; ++n) ASSERT_EQ(add(upload(n, 10)), "ok");
  ASSERT_EQ(cancel(2), "ok");
  ASSERT_TRUE(put(3, part("part_1", 10, "1")).ok());
  auto open = ground_.run(face().open(user("ann"), 10, ground_.soon()));
  ASSERT_TRUE(open.ok());
  ASSERT_EQ(open->size(), 2u);
  EXPECT_EQ(open->front().id.text(), "upload_3") << "newest first";
  ground_.clock.move(hours(25));
  EXPECT_EQ(reason_of(get(1)), "unknown_upload");
  EXPECT_TRUE(get(3).ok()) << "a part puts the end off";
  auto over = ground_.run(face().over(10, ground_.soon()));
  ASSERT_TRUE(over.ok());
  EXPECT_EQ(over->size(), 2u);
  ground_.clock.move(hours(6));
  EXPECT_EQ(reason_of(put(3, part("part_2", 1, "2"))), "unknown_upload");
  auto left = ground_.run(face().parts_of(UploadId("upload_3"), ground_.soon()));
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left->size(), 1u);
  ASSERT_TRUE(ground_.run(face().erase(UploadId("upload_3"), ground_.soon())).ok());
  EXPECT_TRUE(ground_.run(face().erase(UploadId("upload_3"), ground_.soon())).ok());
  EXPECT_FALSE(holds("part_1"));
}

class ShelfParts : public testing::Test {
 protected:
  std::string read(const std::string& name) {
    auto out = ground_.run(shelf_->read(name, 0, 1000, ground_.soon()));
    return out.ok() ? *out : out.error().reason;
  }
  void put(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(ground_.run(shelf_->put(name, 0, bytes, false, ground_.soon())).ok());
  }
  Ground ground_;
  TemporaryDir dir_;
  OffloadPool pool_{"shelf", 1, 16};
  std::unique_ptr<Shelf> shelf_ = *Shelf::open(dir_.path() + "/files", pool_, ground_.clock);
};

TEST_F(ShelfParts, a_piece_is_copied_to_its_place_and_what_is_beside_it_stays) {
  put("a", "0123456789");
  put("b", "xxxxxxxxxx");
  Shelf::Piece piece{"a", 2, "b", 4, 3, true};
  EXPECT_EQ(*ground_.run(shelf_->copy(piece, ground_.soon())), 3u);
  EXPECT_EQ(read("b"), "xxxx234xxx");
  EXPECT_EQ(*ground_.run(shelf_->copy(piece, ground_.soon())), 3u) << "twice does no harm";
  EXPECT_EQ(read("b"), "xxxx234xxx");
  piece.from_at = 9;
  EXPECT_EQ(*ground_.run(shelf_->copy(piece, ground_.soon())), 1u) << "up to the end";
  piece.from = "none";
  EXPECT_EQ(ground_.run(shelf_->copy(piece, ground_.soon())).error().reason, "unknown_file");
  piece.to = "../b";
  EXPECT_FALSE(ground_.run(shelf_->copy(piece, ground_.soon())).ok());
}

TEST_F(ShelfParts, a_content_gets_another_name) {
  put("a", "words");
  ASSERT_TRUE(ground_.run(shelf_->rename("a", "b", ground_.soon())).ok());
  EXPECT_EQ(read("b"), "words");
  EXPECT_EQ(read("a"), "unknown_file");
  EXPECT_EQ(*ground_.run(shelf_->size("b", ground_.soon())), 5u);
  EXPECT_EQ(ground_.run(shelf_->rename("a", "b", ground_.soon())).error().reason, "unknown_file");
  EXPECT_FALSE(ground_.run(shelf_->rename("b", "x/y", ground_.soon())).ok());
  EXPECT_GT(*ground_.run(shelf_->room(ground_.soon())), 0u);
}

}  // namespace
}  // namespace mainstay::storage
