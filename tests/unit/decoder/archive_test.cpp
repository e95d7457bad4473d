// Archives through the real decoder: good ones, hostile ones, and each bound.
// proves security_30_decompression_bombs and security_33_path_traversal for archives
#include "media/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <fstream>

#include "unit/decoder/rig.h"

namespace mainstay::media {
namespace {

using namespace test;

struct Entry {
  std::string name;
  std::string bytes;
  int type = AE_IFREG;
  std::string link = {};
};

/// An archive in memory: "zip", "tar" or "tgz".
std::string packed(const std::string& kind, const std::vector<Entry>& entries) {
  std::string out(64 << 20, '\0');
  std::size_t used = 0;
  archive* made = archive_write_new();
  if (kind == "zip") {
    archive_write_set_format_zip(made);
  } else {
    archive_write_set_format_pax_restricted(made);
    if (kind == "tgz") archive_write_add_filter_gzip(made);
  }
  EXPECT_EQ(archive_write_open_memory(made, out.data(), out.size(), &used), ARCHIVE_OK);
  for (const auto& one : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, one.name.c_str());
    archive_entry_set_filetype(entry, static_cast<unsigned>(one.type));
    archive_entry_set_perm(entry, 0644);
    if (!one.link.empty()) archive_entry_set_symlink(entry, one.link.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(one.bytes.size()));
    EXPECT_GE(archive_write_header(made, entry), ARCHIVE_WARN) << archive_error_string(made);
    if (!one.bytes.empty()) archive_write_data(made, one.bytes.data(), one.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(made);
  archive_write_free(made);
  out.resize(used);
  return out;
}

struct ArchiveTest : Rig {
  ArchiveTest() { std::setlocale(LC_CTYPE, "C.UTF-8"); }
  Settings all;
  std::unique_ptr<Archives> archives;

  struct Got {
    std::string log;  ///< "name=bytes;" or "name!reason;" for each entry
    std::string end;  ///< reason of the archive's own error; empty: none
    std::string detail = {};
  };
  Got unpack(const std::string& bytes) {
    archives = std::make_unique<Archives>(all, DECODER, clock, *log, metrics);
    Got out;
    auto opened = run(archives->open(file_of(bytes), soon()));
    if (!opened.ok()) return {"", opened.error().reason, opened.error().detail};
    std::string name;
    std::string content;
    bool open = false;
    const auto flush = [&] {
      if (open) out.log += name + "=" + content + ";";
      open = false;
      content.clear();
    };
    for (;;) {
      auto step = run(opened->next(soon()));
      if (!step.ok()) {
        if (step.error().reason.starts_with("archive_")) flush();
        out.end = step.error().reason;
        out.detail = step.error().detail;
        return out;
      }
      if (step->is == ArchiveStep::Is::data) {
        content += step->bytes.size() > 100 ? "#" : step->bytes;
        continue;
      }
      const bool same = step->is == ArchiveStep::Is::wrong && open && step->name == name;
      if (same) open = false;
      flush();
      if (step->is == ArchiveStep::Is::end) return out;
      if (step->is == ArchiveStep::Is::wrong) {
        out.log += step->name + "!" + step->error.reason + ";";
        continue;
      }
      name = step->name;
      open = true;
    }
  }
};

TEST_F(ArchiveTest, files_of_every_kind_of_archive_come_in_their_order) {
  for (const char* kind : {"zip", "tar", "tgz"}) {
    const auto got = unpack(packed(kind, {{"a/", "", AE_IFDIR},
                                          {"a/one.txt", "first"},
                                          {"a/leer.txt", ""},
                                          {"grün/zwei.txt", "second"}}));
    EXPECT_EQ(got.log, "a/one.txt=first;a/leer.txt=;grün/zwei.txt=second;") << kind;
    EXPECT_EQ(got.end, "") << kind << ": " << got.detail;
  }
}

TEST_F(ArchiveTest, security_33_what_leads_out_of_an_archive_is_refused_alone) {
  for (const char* kind : {"zip", "tar"}) {
    const auto got = unpack(packed(kind, {{"../up.txt", "x"},
                                          {"/etc/passwd", "x"},
                                          {"a/../../b.txt", "x"},
                                          {"C:\\windows", "x"},
                                          {"link", "", AE_IFLNK, "/etc/passwd"},
                                          {"..fine.txt", "good"}}));
    const std::string drive = kind == std::string("zip") ? "C:/windows" : "C:\\windows";
    EXPECT_EQ(got.log,
              "../up.txt!archive_entry_name;/etc/passwd!archive_entry_name;"
              "a/../../b.txt!archive_entry_name;" +
                  drive + "!archive_entry_name;link!archive_entry_kind;..fine.txt=good;")
        << kind;
  }
}

TEST_F(ArchiveTest, security_30_a_bomb_is_refused_alone) {
  all.archives.entry_max = Bytes{1ULL << 30};
  const std::string zeros(40 << 20, '\0');
  for (const char* kind : {"zip", "tgz"}) {
    const auto got = unpack(packed(kind, {{"a.txt", "words"}, {"bomb", zeros}, {"b.txt", "more"}}));
    EXPECT_EQ(got.log, "a.txt=words;bomb!archive_entry_bomb;b.txt=more;") << kind;
    EXPECT_EQ(got.end, "") << kind;
  }
}

TEST_F(ArchiveTest, each_bound_holds_at_its_edge) {
  all.archives.entries_max = 2;
  EXPECT_EQ(unpack(packed("zip", {{"a", "1"}, {"b", "2"}})).log, "a=1;b=2;");
  const auto many = unpack(packed("zip", {{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(many.log, "a=1;b=2;");
  EXPECT_EQ(many.end, "archive_too_many");
  all.archives.entry_max = Bytes{10};
  EXPECT_EQ(unpack(packed("tar", {{"a", std::string(10, 'x')}, {"b", std::string(11, 'x')}})).log,
            "a=xxxxxxxxxx;b!archive_entry_too_large;");
  all.archives.entry_max = Bytes{1000};
  all.archives.bytes_max = Bytes{20};
  EXPECT_EQ(unpack(packed("tar", {{"a", std::string(10, 'x')}, {"b", std::string(10, 'x')}})).end,
            "");
  EXPECT_EQ(unpack(packed("tar", {{"a", std::string(10, 'x')}, {"b", std::string(11, 'x')}})).end,
            "archive_too_large");
}

TEST_F(ArchiveTest, what_is_no_archive_or_cut_off_says_so) {
  EXPECT_EQ(unpack("only words, and many of them, in no archive at all").end, "archive_format");
  EXPECT_EQ(unpack("").end, "file_empty");
  std::string noise(200'000, '\0');
  std::uint32_t seed = 7;
  for (char& c : noise) c = static_cast<char>((seed = seed * 1103515245 + 12345) >> 24);
  const std::string whole = packed("tgz", {{"a.txt", "first"}, {"b.bin", noise}});
  const auto cut = unpack(whole.substr(0, whole.size() / 2));
  EXPECT_TRUE(cut.log.starts_with("a.txt=first;")) << "what came before stays: " << cut.log;
  EXPECT_TRUE(cut.end == "archive_damaged" || cut.log.ends_with("!archive_entry_damaged;"))
      << cut.end << " " << cut.log;
}

TEST_F(ArchiveTest, one_process_serves_many_archives) {
  archives = std::make_unique<Archives>(all, DECODER, clock, *log, metrics);
  for (int i = 0; i < 3; ++i) {
    auto opened = run(archives->open(file_of(packed("zip", {{"a", "1"}})), soon()));
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    while (run(opened->next(soon()))->is != ArchiveStep::Is::end) {
    }
  }
  EXPECT_EQ(metrics.counter("mainstay_archive_started_total", "Processes started.").value(), 1u);
}

}  // namespace
}  // namespace mainstay::media
