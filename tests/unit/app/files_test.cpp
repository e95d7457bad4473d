// Files that commands read and write.
#include "app/files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "app/terminal.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = testing::TempDir() + "files-XXXXXX";
    ASSERT_NE(::mkdtemp(form.data()), nullptr);
    root_ = form;
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
    return (root_ / name).string();
  }
  static std::vector<std::string> names(const std::vector<NamedFile>& files) {
    std::vector<std::string> out;
    for (const auto& file : files) out.push_back(file.name);
    return out;
  }
  fs::path root_;
};
using Names = std::vector<std::string>;

TEST_F(FilesTest, the_starter_set_is_readme_and_docs_in_order) {
  put("docs/b.md", "b");
  put("docs/a/z.md", "z");
  put("README.md", "r");
  put("CHANGELOG.md", "not part of it");
  put("src/notes.md", "not part of it");
  put("docs/picture.png", "not a document");
  const auto files = starter_files(root_.string());
  EXPECT_EQ(names(files), (Names{"README.md", "docs/a/z.md", "docs/b.md"}));
  EXPECT_EQ(files[1].path, (root_ / "docs/a/z.md").string());
}

TEST_F(FilesTest, a_directory_without_readme_or_docs_has_no_starter_set) {
  EXPECT_TRUE(starter_files(root_.string()).empty());
  EXPECT_TRUE(starter_files((root_ / "missing").string()).empty());
}

TEST_F(FilesTest, documents_of_a_directory_are_chosen_by_their_ending) {
  for (const char* name :
       {"a.md", "b.MARKDOWN", "c.txt", "sub/d.HTML", "e.htm", "f.pdf", "g", "h.md~"}) {
    put(name, "x");
  }
  auto files = documents_at({root_.string()});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(names(files->files),
            (Names{"a.md", "b.MARKDOWN", "c.txt", "e.htm", "f.pdf", "sub/d.HTML"}));
  EXPECT_EQ(files->other_kinds, 2u) << "g and h.md~";
}

TEST_F(FilesTest, what_is_below_a_directory_is_chosen_by_patterns) {
  for (const char* name : {"a.md", "b.jpg", "deep/c.jpg", "deep/d.txt", "skip/e.md", "x.csv"}) {
    put(name, "x");
  }
  const auto chosen = [&](FileChoice choice) {
    auto files = documents_at({root_.string()}, choice);
    return files.ok() ? names(files->files) : Names{files.error().message};
  };
  EXPECT_EQ(chosen({{"*.jpg"}, {}}), (Names{"b.jpg", "deep/c.jpg"}));
  EXPECT_EQ(chosen({{"deep/*"}, {"*.txt"}}), Names{"deep/c.jpg"});
  EXPECT_EQ(chosen({{}, {"skip", "deep"}}), (Names{"a.md", "x.csv"}));
  EXPECT_EQ(documents_at({root_.string()}, {{}, {"deep"}})->other_kinds, 1u) << "b.jpg";
  EXPECT_EQ(documents_at({root_.string()}, {{"*.md"}, {}})->other_kinds, 0u)
      << "what a pattern leaves out is not left out for its kind";
}

TEST_F(FilesTest, hidden_files_and_links_below_a_directory_are_passed_over) {
  put("a.md", "x");
  put(".b.md", "x");
  put(".git/c.md", "x");
  const auto target = put("outside/d.md", "x");
  fs::create_directory(root_ / "in");
  put("in/e.md", "x");
  fs::create_symlink(target, root_ / "in/f.md");
  fs::create_directory_symlink(root_ / "outside", root_ / "in/g");
  auto files = documents_at({(root_ / "in").string()});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(names(files->files), Names{"e.md"});
  EXPECT_EQ(files->other_kinds, 0u);
  files = documents_at({(root_ / "in/f.md").string()});
  ASSERT_TRUE(files.ok()) << "one that is named by itself is taken";
  EXPECT_EQ(files->files.size(), 1u);
}

TEST_F(FilesTest, a_file_named_by_itself_is_taken_whatever_its_ending) {
  const auto path = put("log.2024", "x");
  auto files = documents_at({path});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(names(files->files), Names{path});
}

TEST_F(FilesTest, files_of_several_directories_keep_apart_by_their_directories_names) {
  put("one/README.md", "x");
  put("two/README.md", "x");
  put("two/deep/a.md", "x");
  const auto file = put("README.md", "x");
  const auto found = [&](const Names& paths) {
    auto files = documents_at(paths);
    return files.ok() ? names(files->files) : Names{files.error().reason};
  };
  const std::string one = (root_ / "one").string();
  const std::string two = (root_ / "two").string();
  EXPECT_EQ(found({one, two + "/"}), (Names{"one/README.md", "two/README.md", "two/deep/a.md"}));
  EXPECT_EQ(found({one, file}), (Names{file, "one/README.md"}));
  EXPECT_EQ(found({one}), Names{"README.md"}) << "one alone needs no name";
  EXPECT_EQ(found({two + "/deep/..", two + "/deep/."}),
            (Names{"deep/a.md", "two/README.md", "two/deep/a.md"}));
}

TEST_F(FilesTest, two_files_of_one_name_are_refused_and_one_given_twice_is_taken_once) {
  const auto first = put("a/docs/x.md", "x");
  const auto second = put("b/docs/x.md", "x");
  const std::string docs = (root_ / "a/docs").string();
  auto files = documents_at({docs, (root_ / "b/docs").string()});
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.error().code, Errc::invalid);
  EXPECT_EQ(files.error().reason, "same_source");
  EXPECT_NE(files.error().message.find("'" + first + "' and '" + second + "'"), std::string::npos);
  files = documents_at({docs, docs + "/", first, first});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(names(files->files), (Names{first, "docs/x.md"}));
}

TEST_F(FilesTest, names_that_would_become_one_in_utf8_are_refused) {
  put("caf\xe8.md", "x");
  auto files = documents_at({root_.string()});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(names(files->files), Names{"caf\xEF\xBF\xBD.md"});
  put("caf\xe9.md", "x");
  EXPECT_FALSE(documents_at({root_.string()}).ok());
}

/// Lets permissions bite where the tests run as root.
class AsNobody {
 public:
  explicit AsNobody(const fs::path& owned) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() != 0) return;
    bool given = true;
    const auto give = [&given](const fs::path& path) {
      given = ::chown(path.c_str(), kNobody, static_cast<gid_t>(-1)) == 0 && given;
    };
    give(owned);
    for (const auto& entry : fs::recursive_directory_iterator(owned)) give(entry.path());
    taken_ = given && ::seteuid(kNobody) == 0;
  }
  ~AsNobody() { [[maybe_unused]] const bool back = taken_ && ::seteuid(0) == 0; }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool taken_ = false;
};

TEST_F(FilesTest, a_directory_that_may_not_be_read_is_named_and_the_rest_is_found) {
  for (const char* name : {"docs/a/1.md", "docs/b/2.md", "docs/c/3.md", "docs/4.md"}) {
    put(name, "x");
  }
  const fs::path shut = root_ / "docs/b";
  fs::permissions(shut, fs::perms::none);
  {
    const AsNobody nobody(root_);
    auto found = documents_at({(root_ / "docs").string()});
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(names(found->files), (Names{"4.md", "a/1.md", "c/3.md"}));
    ASSERT_EQ(found->unreadable.size(), 1u);
    EXPECT_EQ(found->unreadable[0].path, shut.string());
    EXPECT_EQ(found->unreadable[0].why, "Permission denied");
    EXPECT_EQ(names(starter_files(root_.string())),
              (Names{"docs/4.md", "docs/a/1.md", "docs/c/3.md"}));
  }
  fs::permissions(shut, fs::perms::owner_all);
}

TEST_F(FilesTest, what_is_neither_a_file_nor_a_directory_is_not_said_to_be_missing) {
  auto device = documents_at({"/dev/null"});
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().message, "'/dev/null' is neither a file nor a directory.");
}

TEST_F(FilesTest, a_path_that_is_not_there_is_named) {
  const auto missing = (root_ / "missing.md").string();
  auto files = documents_at({put("a.md", "x"), missing});
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.error().code, Errc::not_found);
  EXPECT_NE(files.error().message.find(missing), std::string::npos);
}

TEST_F(FilesTest, a_link_that_leads_back_does_not_trap_the_search) {
  put("docs/a.md", "x");
  fs::create_directory_symlink(root_, root_ / "docs/loop");
  EXPECT_EQ(names(starter_files(root_.string())), Names{"docs/a.md"});
}

TEST_F(FilesTest, a_file_is_read_up_to_its_limit) {
  for (const std::size_t limit : {std::size_t{10}, std::size_t{65536}, std::size_t{100'000}}) {
    const auto outcome = [&](std::size_t size) {
      return read_file(put("file", std::string(size, 'x')), Bytes{limit});
    };
    EXPECT_EQ(outcome(limit - 1)->size(), limit - 1);
    EXPECT_EQ(outcome(limit)->size(), limit);
    auto over = outcome(limit + 1);
    ASSERT_FALSE(over.ok());
    EXPECT_EQ(over.error().code, Errc::too_large);
  }
  EXPECT_EQ(*read_file(put("empty", ""), Bytes{10}), "");
}

TEST_F(FilesTest, what_cannot_be_read_is_an_error) {
  auto missing = read_file((root_ / "missing").string(), 1_KiB);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Errc::not_found);
  auto directory = read_file(root_.string(), 1_KiB);
  ASSERT_FALSE(directory.ok());
  EXPECT_EQ(directory.error().code, Errc::unavailable);
}

TEST_F(FilesTest, the_format_follows_the_ending_and_then_the_text) {
  EXPECT_EQ(format_of("a.md", "<html>"), "markdown");
  EXPECT_EQ(format_of("a.MARKDOWN", ""), "markdown");
  EXPECT_EQ(format_of("a.html", "# Title"), "html");
  EXPECT_EQ(format_of("a.HTM", ""), "html");
  EXPECT_EQ(format_of("a.txt", "plain"), "text");
  EXPECT_EQ(format_of("page", "\n  <!DOCTYPE html><p>x"), "html");
  EXPECT_EQ(format_of("page", "<HTML lang=\"en\">"), "html");
  EXPECT_EQ(format_of("page", "see <html> below"), "text");
  EXPECT_EQ(format_of("page", ""), "text");
}

TEST_F(FilesTest, the_address_of_a_server_that_was_killed_or_of_a_copied_directory_is_none) {
  const std::string dir = root_.string();
  {
    auto held = write_address(dir, "http://127.0.0.1:41234");
    ASSERT_TRUE(held.ok());
    EXPECT_FALSE(has_stale_address(dir));
    const std::string copy = dir + "/copy";
    std::filesystem::create_directory(copy);
    std::filesystem::copy_file(dir + "/address", copy + "/address");
    EXPECT_FALSE(read_address(copy));
    EXPECT_TRUE(has_stale_address(copy));
  }
  EXPECT_FALSE(read_address(dir));
  EXPECT_TRUE(has_stale_address(dir));
}

TEST_F(FilesTest, the_address_of_a_running_server_is_written_replaced_and_removed) {
  const std::string dir = root_.string();
  EXPECT_FALSE(read_address(dir));
  auto first = write_address(dir, "http://127.0.0.1:41234");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(read_address(dir), "http://127.0.0.1:41234");
  auto second = write_address(dir, "http://[::1]:1");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(read_address(dir), "http://[::1]:1")
      << "a shorter one leaves nothing of the longer one";
  struct stat facts{};
  ASSERT_EQ(::stat((dir + "/address").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  remove_address(dir);
  EXPECT_FALSE(read_address(dir));
  remove_address(dir);
}

TEST_F(FilesTest, an_address_file_that_is_empty_or_too_long_counts_as_none) {
  const std::string dir = root_.string();
  for (const std::string& text : {std::string(), std::string(1025, 'a')}) {
    auto held = write_address(dir, text);
    ASSERT_TRUE(held.ok());
    EXPECT_FALSE(read_address(dir));
  }
  auto held = write_address(dir, "http://127.0.0.1:1\n");
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(read_address(dir), "http://127.0.0.1:1");
}

TEST_F(FilesTest, an_address_that_cannot_be_written_is_an_error) {
  EXPECT_FALSE(write_address((root_ / "missing").string(), "http://127.0.0.1:1").ok());
}

TEST(Terminal, a_pipe_is_no_terminal_and_gets_no_colours) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(is_terminal(ends[1]));
  EXPECT_FALSE(wants_color(ends[1]));
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_FALSE(is_terminal(-1));
}

TEST(Starts, the_last_hundred_are_remembered_oldest_first) {
  const std::string dir = testing::TempDir() + "starts-" + std::to_string(::getpid());
  std::filesystem::remove_all(dir);
  EXPECT_TRUE(read_starts(dir).empty()) << "no folder yet";
  std::filesystem::create_directories(dir);
  for (int i = 1; i <= 100; ++i) note_start(dir, wall_from_micros(i));
  ASSERT_EQ(read_starts(dir).size(), 100u);
  note_start(dir, wall_from_micros(101));
  const auto starts = read_starts(dir);
  ASSERT_EQ(starts.size(), 100u);
  EXPECT_EQ(starts.front(), wall_from_micros(2));
  EXPECT_EQ(starts.back(), wall_from_micros(101));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace mainstay::app
