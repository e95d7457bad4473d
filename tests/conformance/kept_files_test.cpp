// What every back end of files and batches must do, and what the shelf does with contents.
#include <fstream>

#include "conformance/back_ends.h"
#include "storage/shelf.h"

namespace mainstay::storage {
namespace {

using std::chrono::hours;

std::string reason_of(const Error& error) {
  return error.reason.empty() ? std::string(name(error.code)) : error.reason;
}
template <class T>
std::string reason_of(const Result<T>& result) {
  return result.ok() ? "ok" : reason_of(result.error());
}
std::string reason_of(const Status& status) {
  return status.ok() ? "ok" : reason_of(status.error());
}

Owner user(const std::string& name) {
  return owner_of("tenant of " + name, name);
}

class KeptFace : public testing::TestWithParam<const char*> {
 protected:
  Stores& stores() { return back_end_->stores(); }
  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
};

/// A file in which every field has a value of its own, from `n`.
FileInfo file_of(int n, const std::string& of = "ann") {
  const std::string tag = std::to_string(n);
  FileInfo file;
  file.id = FileId("file-" + tag);
  file.owner = user(of);
  file.name = "name " + tag;
  file.purpose = n % 2 == 0 ? "batch" : "evals";
  file.size = static_cast<std::uint64_t>(n) + 100;
  file.created = wall_from_micros(1'700'000'000'000'000 + n);
  return file;
}

class FilesFace : public KeptFace {
 protected:
  std::string add(FileInfo file, FileLimits limits = {}) {
    return reason_of(ground_.run(stores().files().add(std::move(file), limits, ground_.soon())));
  }
  Result<FileInfo> get(const std::string& of, const std::string& id) {
    return ground_.run(stores().files().get(user(of), FileId(id), ground_.soon()));
  }
  std::string erase(const std::string& of, const std::string& id) {
    return reason_of(ground_.run(stores().files().erase(user(of), FileId(id), ground_.soon())));
  }
  /// Ids of a page; "+" where there are more.
  std::string list(FileFilter filter, const std::string& after = "", std::uint32_t limit = 10) {
    auto page =
        ground_.run(stores().files().list(std::move(filter), FileId(after), limit, ground_.soon()));
    if (!page.ok()) return reason_of(page.error());
    std::string out;
    for (const auto& one : page->items) out += one.id.text() + " ";
    return out + (page->more ? "+" : "");
  }
};
INSTANTIATE_TEST_SUITE_P(Over, FilesFace, testing::ValuesIn(kBackEnds), back_end_name);

TEST_P(FilesFace, a_file_is_read_back_in_every_field_by_its_owner_alone) {
  FileInfo file = file_of(1);
  file.expires = ground_.clock.wall() + hours(1);
  ASSERT_EQ(add(file), "ok");
  ASSERT_EQ(add(file_of(2)), "ok");
  const auto got = get("ann", "file-1");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->id, file.id);
  EXPECT_EQ(got->owner, file.owner);
  EXPECT_EQ(got->name, file.name);
  EXPECT_EQ(got->purpose, file.purpose);
  EXPECT_EQ(got->size, file.size);
  EXPECT_EQ(got->created, file.created);
  EXPECT_EQ(got->expires, file.expires);
  EXPECT_EQ(reason_of(get("bob", "file-1")), "unknown_file");
  EXPECT_EQ(erase("bob", "file-1"), "unknown_file");
  EXPECT_EQ(erase("ann", "file-1"), "ok");
  EXPECT_EQ(erase("ann", "file-1"), "unknown_file");
  EXPECT_EQ(reason_of(get("ann", "file-1")), "unknown_file");
}

TEST_P(FilesFace, a_page_holds_the_owners_files_in_either_order) {
  for (int n = 1; n <= 5; ++n) add(file_of(n));
  add(file_of(9, "bob"));
  EXPECT_EQ(list({user("ann"), "", false}), "file-5 file-4 file-3 file-2 file-1 ");
  EXPECT_EQ(list({user("ann"), "", true}, "", 2), "file-1 file-2 +");
  EXPECT_EQ(list({user("ann"), "", true}, "file-2", 3), "file-3 file-4 file-5 ");
  EXPECT_EQ(list({user("ann"), "batch", false}), "file-4 file-2 ");
  EXPECT_EQ(list({user("ann"), "batch", false}, "file-4", 1), "file-2 ");
  EXPECT_EQ(list({user("ann"), "", false}, "file-9"), "unknown_file");
  EXPECT_EQ(list({user("bob"), "", false}), "file-9 ");
  EXPECT_EQ(list({user("eve"), "", false}), "");
}

TEST_P(FilesFace, a_page_goes_on_behind_a_file_that_was_erased_meanwhile) {
  if (back_end_->restarts()) GTEST_SKIP() << "known until the next start";
  for (int n = 1; n <= 5; ++n) ASSERT_EQ(add(file_of(n)), "ok");
  FileFilter newest;
  newest.owner = user("ann");
  FileFilter oldest = newest;
  oldest.oldest_first = true;
  ASSERT_EQ(erase("ann", "file-3"), "ok");
  EXPECT_EQ(list(newest, "file-3"), "file-2 file-1 ");
  EXPECT_EQ(list(oldest, "file-3"), "file-4 file-5 ");
  ASSERT_EQ(erase("ann", "file-5"), "ok");
  EXPECT_EQ(list(newest, "file-5", 2), "file-4 file-2 +");
  newest.owner = user("bob");
  EXPECT_EQ(list(newest, "file-3"), list(newest, "file-none")) << "of another it is unknown";
}

TEST_P(FilesFace, an_owner_has_a_count_and_a_size_and_repeating_costs_none) {
  const FileLimits two{2, 1000};
  EXPECT_EQ(add(file_of(1), two), "ok");
  EXPECT_EQ(add(file_of(2), two), "ok");
  EXPECT_EQ(add(file_of(2), two), "ok");
  EXPECT_EQ(add(file_of(3), two), "too_many_files");
  EXPECT_EQ(add(file_of(3, "bob"), two), "ok");
  FileInfo large = file_of(4, "eve");
  large.size = 1001;
  EXPECT_EQ(add(large, two), "too_many_file_bytes");
  large.size = 1000;
  EXPECT_EQ(add(large, two), "ok");
}

TEST_P(FilesFace, a_file_whose_time_is_over_is_not_found_and_is_told_to_who_removes_it) {
  stores();
  ground_.clock.stand_still();
  FileInfo first = file_of(1);
  first.expires = ground_.clock.wall() + hours(2);
  FileInfo second = file_of(2);
  second.expires = ground_.clock.wall() + hours(1);
  add(first);
  add(second);
  add(file_of(3));
  ground_.clock.move(hours(1) - std::chrono::microseconds(1));
  EXPECT_TRUE(get("ann", "file-2").ok());
  ground_.clock.move(std::chrono::microseconds(1));
  EXPECT_EQ(reason_of(get("ann", "file-2")), "unknown_file");
  EXPECT_EQ(list({user("ann"), "", false}), "file-3 file-1 ");
  ground_.clock.move(hours(1));
  for (const std::uint32_t limit : {1U, 2U, 3U}) {
    auto over = ground_.run(stores().files().over(limit, ground_.soon()));
    ASSERT_TRUE(over.ok());
    EXPECT_EQ(over->size(), std::min(limit, 2U));
    EXPECT_EQ(over->front().id.text(), "file-2");
  }
  EXPECT_EQ(*ground_.run(stores().files().known(FileId("file-2"), ground_.soon())), true);
  EXPECT_EQ(*ground_.run(stores().files().known(FileId("file-7"), ground_.soon())), false);
  EXPECT_EQ(erase("ann", "file-2"), "ok");
}

BatchRow row_of(int n, const std::string& of = "ann") {
  BatchRow row;
  row.id = BatchId("batch_" + std::to_string(n));
  row.owner = user(of);
  row.created = wall_from_micros(1'700'000'000'000'000 + n);
  row.record = R"({"n":)" + std::to_string(n) + "}";
  return row;
}

class BatchesFace : public KeptFace {
 protected:
  std::string add(BatchRow row, std::uint32_t most = 10) {
    return reason_of(ground_.run(stores().batches().add(std::move(row), most, ground_.soon())));
  }
  std::string save(BatchRow row) {
    return reason_of(ground_.run(stores().batches().save(std::move(row), ground_.soon())));
  }
  Result<BatchRow> get(const std::string& of, const std::string& id) {
    return ground_.run(stores().batches().get(user(of), BatchId(id), ground_.soon()));
  }
  std::string list(const std::string& of, const std::string& after, std::uint32_t limit) {
    auto page =
        ground_.run(stores().batches().list(user(of), BatchId(after), limit, ground_.soon()));
    if (!page.ok()) return reason_of(page.error());
    std::string out;
    for (const auto& one : page->items) out += one.id.text() + " ";
    return out + (page->more ? "+" : "");
  }
  static std::string ids_of(const Result<std::vector<BatchRow>>& rows) {
    std::string out;
    if (rows.ok()) {
      for (const auto& one : *rows) out += one.id.text() + " ";
    }
    return out;
  }
  std::string open(std::uint32_t limit) {
    return ids_of(ground_.run(stores().batches().open(limit, ground_.soon())));
  }
  std::string open_of(const std::string& of, std::uint32_t limit) {
    return ids_of(ground_.run(stores().batches().open_of(user(of), limit, ground_.soon())));
  }
};
INSTANTIATE_TEST_SUITE_P(Over, BatchesFace, testing::ValuesIn(kBackEnds), back_end_name);

TEST_P(BatchesFace, a_batch_is_read_back_in_every_field_by_its_owner_alone) {
  ASSERT_EQ(add(row_of(1)), "ok");
  const auto got = get("ann", "batch_1");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->owner, user("ann"));
  EXPECT_TRUE(got->open);
  EXPECT_EQ(got->version, 1U);
  EXPECT_EQ(got->created, row_of(1).created);
  EXPECT_EQ(got->record, R"({"n":1})");
  EXPECT_EQ(reason_of(get("bob", "batch_1")), "unknown_batch");
}

TEST_P(BatchesFace, who_saves_what_was_saved_meanwhile_is_refused) {
  add(row_of(1));
  BatchRow row = *get("ann", "batch_1");
  row.record = "a";
  EXPECT_EQ(save(row), "ok");
  row.record = "b";
  EXPECT_EQ(save(row), "batch_changed");
  EXPECT_EQ(get("ann", "batch_1")->record, "a");
  EXPECT_EQ(get("ann", "batch_1")->version, 2U);
  ++row.version;
  EXPECT_EQ(save(row), "ok");
  EXPECT_EQ(get("ann", "batch_1")->record, "b");
  EXPECT_EQ(save(row_of(7)), "unknown_batch");
}

TEST_P(BatchesFace, an_owner_has_a_bounded_number_of_open_ones) {
  EXPECT_EQ(add(row_of(1), 2), "ok");
  EXPECT_EQ(add(row_of(2), 2), "ok");
  EXPECT_EQ(add(row_of(2), 2), "ok");
  EXPECT_EQ(add(row_of(3), 2), "too_many_batches");
  EXPECT_EQ(add(row_of(4, "bob"), 2), "ok");
  BatchRow row = *get("ann", "batch_1");
  row.open = false;
  EXPECT_EQ(save(row), "ok");
  EXPECT_EQ(add(row_of(3), 2), "ok");
  EXPECT_EQ(open(10), "batch_2 batch_4 batch_3 ");
  EXPECT_EQ(open(2), "batch_2 batch_4 ");
}

TEST_P(BatchesFace, open_ones_come_in_turn_between_their_owners) {
  for (int n = 1; n <= 3; ++n) add(row_of(n));
  add(row_of(4, "bob"));
  add(row_of(5, "cid"));
  add(row_of(6, "bob"));
  EXPECT_EQ(open(10), "batch_1 batch_4 batch_5 batch_2 batch_6 batch_3 ");
  EXPECT_EQ(open(3), "batch_1 batch_4 batch_5 ");
  BatchRow row = *get("ann", "batch_1");
  row.open = false;
  save(row);
  EXPECT_EQ(open(3), "batch_2 batch_4 batch_5 ");
  EXPECT_EQ(open_of("ann", 10), "batch_2 batch_3 ");
  EXPECT_EQ(open_of("bob", 1), "batch_4 ");
  EXPECT_EQ(open_of("dan", 1), "");
}

TEST_P(BatchesFace, a_page_holds_the_owners_batches_newest_first) {
  for (int n = 1; n <= 3; ++n) add(row_of(n));
  add(row_of(9, "bob"));
  EXPECT_EQ(list("ann", "", 2), "batch_3 batch_2 +");
  EXPECT_EQ(list("ann", "batch_2", 2), "batch_1 ");
  EXPECT_EQ(list("ann", "batch_9", 2), "unknown_batch");
}

TEST_P(BatchesFace, old_closed_ones_are_removed_and_open_ones_never) {
  for (int n = 1; n <= 3; ++n) add(row_of(n));
  for (const char* id : {"batch_1", "batch_3"}) {
    BatchRow row = *get("ann", id);
    row.open = false;
    save(row);
  }
  EXPECT_EQ(*ground_.run(stores().batches().sweep(row_of(3).created, ground_.soon())), 1U);
  EXPECT_EQ(list("ann", "", 10), "batch_3 batch_2 ");
}

class ShelfTest : public testing::Test {
 protected:
  std::string put(const std::string& name, std::uint64_t at, const std::string& bytes) {
    return reason_of(ground_.run(shelf_->put(name, at, bytes, true, ground_.soon())));
  }
  std::string read(const std::string& name, std::uint64_t at = 0, std::size_t most = 100) {
    auto got = ground_.run(shelf_->read(name, at, most, ground_.soon()));
    return got.ok() ? *got : reason_of(got.error());
  }
  Ground ground_;
  TemporaryDir dir_;
  OffloadPool pool_{"test", 1, 16};
  std::unique_ptr<Shelf> shelf_ = std::move(*Shelf::open(dir_.path() + "/s", pool_, ground_.clock));
};

TEST_F(ShelfTest, what_stands_behind_the_place_is_cut_off) {
  EXPECT_EQ(put("a", 0, "one "), "ok");
  EXPECT_EQ(put("a", 4, "two and a half"), "ok");
  EXPECT_EQ(put("a", 4, "two"), "ok");
  EXPECT_EQ(read("a"), "one two");
  EXPECT_EQ(read("a", 4, 2), "tw");
  EXPECT_EQ(read("a", 7), "");
  EXPECT_EQ(put("a", 8, "x"), "corrupt");
  EXPECT_EQ(read("b"), "unknown_file");
}

// proves security_07: no name leads out of the folder
TEST_F(ShelfTest, names_and_links_do_not_lead_out_of_the_folder) {
  std::ofstream(dir_.path() + "/secret") << "secret";
  for (const char* bad : {"../secret", "/etc/passwd", ".", "..", "", "a/b", "a.b", "a b"}) {
    EXPECT_EQ(read(bad), "invalid") << bad;
    EXPECT_EQ(put(bad, 0, "x"), "invalid") << bad;
  }
  std::filesystem::create_symlink(dir_.path() + "/secret", dir_.path() + "/s/link");
  EXPECT_NE(read("link"), "secret");
  EXPECT_NE(put("link", 0, "x"), "ok");
}

TEST_F(ShelfTest, a_removed_content_is_gone_and_removing_it_again_is_fine) {
  put("a", 0, "x");
  EXPECT_TRUE(ground_.run(shelf_->remove("a", ground_.soon())).ok());
  EXPECT_TRUE(ground_.run(shelf_->remove("a", ground_.soon())).ok());
  EXPECT_EQ(read("a"), "unknown_file");
  put("b", 0, "x");
  shelf_->drop("b");
  EXPECT_EQ(read("b"), "unknown_file");
}

}  // namespace
}  // namespace mainstay::storage
