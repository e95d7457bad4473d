// Files of Ogg Opus as one stream: pages made by hand, fed in pieces of any size.
#include "media/ogg_opus.h"

#include <gtest/gtest.h>

namespace mainstay::media {
namespace {

constexpr std::uint8_t kContinues = 1, kBegins = 2, kEnds = 4;
constexpr char kCelt20 = static_cast<char>(31 << 3);  ///< a frame of 20 ms

struct PageOf {
  std::uint8_t flags = 0;
  std::uint64_t position = 0;
  std::uint32_t serial = 0;
  std::uint32_t sequence = 0;
  std::string table;
  std::string body;
};

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string bytes_of(const PageOf& page) {
  std::string out("OggS\0", 5);
  out += static_cast<char>(page.flags);
  out += number(page.position, 8) + number(page.serial, 4) + number(page.sequence, 4) + "crc?";
  out += static_cast<char>(page.table.size());
  return out + page.table + page.body;
}

/// A page of whole packets, each shorter than 255 bytes.
PageOf page_of(std::uint8_t flags, const std::vector<std::string>& packets) {
  PageOf out;
  out.flags = flags;
  for (const auto& packet : packets) {
    out.table += static_cast<char>(packet.size());
    out.body += packet;
  }
  return out;
}

std::string head_of(char channels = 1) {
  std::string head = std::string("OpusHead\1") + channels;
  return head + std::string(9, '\0');
}

/// Head, tags, and a page for each list of packets.
std::string file_of(std::uint32_t serial, const std::vector<std::vector<std::string>>& pages,
                    char channels = 1) {
  std::string out;
  std::uint32_t sequence = 0;
  const auto add = [&](PageOf page) {
    page.serial = serial;
    page.sequence = sequence++;
    out += bytes_of(page);
  };
  add(page_of(kBegins, {head_of(channels)}));
  add(page_of(0, {"OpusTags of " + std::to_string(serial)}));
  for (std::size_t i = 0; i < pages.size(); ++i) {
    add(page_of(i + 1 == pages.size() ? kEnds : std::uint8_t{0}, pages[i]));
  }
  return out;
}

std::uint64_t read(const std::string& bytes, std::size_t at, int size) {
  std::uint64_t out = 0;
  for (int i = size - 1; i >= 0; --i) {
    out = out << 8 | static_cast<std::uint8_t>(bytes[at + static_cast<std::size_t>(i)]);
  }
  return out;
}

std::vector<PageOf> pages_of(const std::string& bytes) {
  std::vector<PageOf> out;
  for (std::size_t at = 0; at < bytes.size();) {
    EXPECT_EQ(bytes.substr(at, 4), "OggS") << at;
    PageOf page;
    page.flags = static_cast<std::uint8_t>(bytes[at + 5]);
    page.position = read(bytes, at + 6, 8);
    page.serial = static_cast<std::uint32_t>(read(bytes, at + 14, 4));
    page.sequence = static_cast<std::uint32_t>(read(bytes, at + 18, 4));
    const std::size_t segments = static_cast<std::uint8_t>(bytes[at + 26]);
    page.table = bytes.substr(at + 27, segments);
    std::size_t size = 0;
    for (const char each : page.table) size += static_cast<std::uint8_t>(each);
    page.body = bytes.substr(at + 27 + segments, size);
    at += 27 + segments + size;
    out.push_back(page);
  }
  return out;
}

std::string packet(const std::string& text) {
  return kCelt20 + text;
}

std::string joined(const std::vector<std::string>& files, std::size_t piece) {
  OpusJoiner joiner;
  std::string out;
  for (const auto& file : files) {
    joiner.next_file();
    for (std::size_t at = 0; at < file.size(); at += piece) {
      auto some = joiner.feed(std::string_view(file).substr(at, piece));
      EXPECT_TRUE(some.has_value());
      if (some) out += *some;
    }
  }
  return out + joiner.finish();
}

TEST(OggOpus, files_become_one_stream_whose_time_goes_on) {
  const std::string first = file_of(7, {{packet("a"), packet("b")}, {packet("c")}});
  const std::string second = file_of(9, {{packet("d")}, {packet("e")}});
  const std::string whole = joined({first, second}, 100'000);
  for (const std::size_t piece : {1U, 3U, 29U}) EXPECT_EQ(joined({first, second}, piece), whole);
  const auto pages = pages_of(whole);
  ASSERT_EQ(pages.size(), 7u);
  const std::vector<std::uint64_t> positions = {0, 0, 1920, 2880, 3840, 4800, 4800};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    EXPECT_EQ(pages[i].serial, 7u) << i;
    EXPECT_EQ(pages[i].sequence, i);
    EXPECT_EQ(pages[i].position, positions[i]) << i;
    EXPECT_EQ(pages[i].flags, i == 0 ? kBegins : i + 1 == pages.size() ? kEnds : 0) << i;
  }
  EXPECT_EQ(pages[1].body, "OpusTags of 7");
  EXPECT_EQ(pages[4].body, packet("d"));
  EXPECT_TRUE(pages[6].body.empty());
}

TEST(OggOpus, a_packet_over_two_pages_counts_once_and_where_it_ends) {
  PageOf begins = page_of(0, {});
  begins.table = "\xff";
  begins.body = packet(std::string(254, 'x'));
  PageOf ends = page_of(kContinues | kEnds, {"y"});
  const std::string file = file_of(1, {}) + bytes_of(begins) + bytes_of(ends);
  const auto pages = pages_of(joined({file, file}, 50));
  ASSERT_EQ(pages.size(), 7u);
  EXPECT_EQ(pages[2].position, ~std::uint64_t{0});
  EXPECT_EQ(pages[3].position, 960u);
  EXPECT_EQ(pages[3].flags, kContinues);
  EXPECT_EQ(pages[4].position, ~std::uint64_t{0});
  EXPECT_EQ(pages[5].position, 1920u);
}

TEST(OggOpus, what_is_no_such_file_is_refused_for_good) {
  const std::string fine = file_of(1, {{packet("a")}});
  std::string vorbis = bytes_of(page_of(kBegins, {"\1vorbis and more of it"}));
  for (const std::string& wrong :
       {std::string(30, 'x'), vorbis, fine + fine, std::string("OggS") + std::string(40, '\1')}) {
    OpusJoiner joiner;
    joiner.next_file();
    EXPECT_FALSE(joiner.feed(wrong).has_value());
    joiner.next_file();
    EXPECT_FALSE(joiner.feed(fine).has_value());
    EXPECT_EQ(joiner.finish(), "");
  }
  OpusJoiner joiner;
  joiner.next_file();
  EXPECT_TRUE(joiner.feed(fine).has_value());
  joiner.next_file();
  EXPECT_FALSE(joiner.feed(file_of(1, {{packet("a")}}, 2)).has_value())
      << "two channels behind one";
  EXPECT_EQ(OpusJoiner().finish(), "") << "there was nothing";
}

TEST(OggOpus, a_packet_says_how_long_it_is) {
  const auto of = [](std::uint32_t kind, std::uint32_t code, const std::string& rest = "") {
    return opus_samples(static_cast<char>(kind << 3U | code) + rest);
  };
  EXPECT_EQ(of(0, 0), 480u);    // speech, 10 ms
  EXPECT_EQ(of(3, 0), 2880u);   // 60 ms
  EXPECT_EQ(of(12, 0), 480u);   // both, 10 ms
  EXPECT_EQ(of(13, 1), 1920u);  // two of 20 ms
  EXPECT_EQ(of(16, 0), 120u);   // music, 2.5 ms
  EXPECT_EQ(of(31, 2), 1920u);
  EXPECT_EQ(of(16, 3, "\x83"), 360u);  // three, told by the second byte
  EXPECT_EQ(of(16, 3), 0u);
  EXPECT_EQ(opus_samples(""), 0u);
}

}  // namespace
}  // namespace mainstay::media
