// Small JPEGs straight from libjpeg: point for point what libvips makes of them.
#include "decoder/small_jpeg.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vips/vips.h>

#include <string>

#include "base/random.h"

namespace mainstay::decoder {
namespace {

struct Unref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using Picture = std::unique_ptr<VipsImage, Unref>;

/// Noise over light and shade, the same each time.
Picture noise(int width, int height, int bands) {
  SeededRandom random(3);
  std::string points(static_cast<std::size_t>(width) * static_cast<std::size_t>(height * bands),
                     '\0');
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = static_cast<char>(i * 200 / points.size() + random.below(50));
  }
  Picture made(vips_image_new_from_memory_copy(points.data(), points.size(), width, height, bands,
                                               VIPS_FORMAT_UCHAR));
  VipsImage* out = nullptr;
  const auto colours = bands == 1   ? VIPS_INTERPRETATION_B_W
                       : bands == 3 ? VIPS_INTERPRETATION_sRGB
                                    : VIPS_INTERPRETATION_CMYK;
  EXPECT_EQ(vips_copy(made.get(), &out, "interpretation", colours, nullptr), 0);
  return Picture(out);
}

std::string saved(const Picture& picture, const char* how) {
  void* data = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(vips_image_write_to_buffer(picture.get(), how, &data, &size, nullptr), 0);
  std::string out(static_cast<const char*>(data), size);
  g_free(data);
  return out;
}

class File {
 public:
  explicit File(const std::string& bytes) : file_(::memfd_create("picture", 0)) {
    EXPECT_EQ(::pwrite(file_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  ~File() { ::close(file_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const noexcept { return file_; }

 private:
  int file_;
};

std::string of_libvips(const std::string& jpeg, unsigned shrink) {
  VipsImage* out = nullptr;
  if (vips_jpegload_buffer(const_cast<char*>(jpeg.data()), jpeg.size(), &out, "shrink",
                           static_cast<int>(shrink), nullptr) != 0) {
    return vips_error_buffer();
  }
  const Picture picture(out);
  std::size_t size = 0;
  void* points = vips_image_write_to_memory(out, &size);
  std::string text(static_cast<const char*>(points), size);
  g_free(points);
  return std::to_string(vips_image_get_width(out)) + "x" + text;
}

std::string of_ours(const std::string& jpeg, unsigned shrink) {
  const File file(jpeg);
  const auto got = read_small_jpeg(file.fd(), shrink);
  if (!got) return "none";
  return std::to_string(got->size.width) + "x" +
         std::string(reinterpret_cast<const char*>(got->points.get()), got->bytes());
}

struct SmallJpegs : testing::Test {
  SmallJpegs() {
    if (vips_init("decoder_tests") != 0) ADD_FAILURE() << vips_error_buffer();
  }
};

TEST_F(SmallJpegs, are_point_for_point_what_libvips_reads) {
  for (const int bands : {1, 3}) {
    for (const char* how : {".jpg[Q=90]", ".jpg[Q=40,interlace]", ".jpg[subsample_mode=off]"}) {
      const std::string jpeg = saved(noise(403, 299, bands), how);
      for (const unsigned shrink : {2U, 4U, 8U}) {
        EXPECT_TRUE(of_ours(jpeg, shrink) == of_libvips(jpeg, shrink))
            << bands << " " << how << " " << shrink;
      }
    }
  }
}

TEST_F(SmallJpegs, with_much_between_their_parts_are_read_too) {
  const std::string plain = saved(noise(160, 80, 3), ".jpg");
  // Comments of 60,000 bytes behind the first mark: more than is read at once, and to be passed
  // over.
  std::string comment = "\xff\xfe";
  comment += {static_cast<char>(60'000 >> 8), static_cast<char>(60'000 & 0xff)};
  comment.append(60'000 - 2, 'n');
  std::string jpeg = plain.substr(0, 2);
  for (int i = 0; i < 5; ++i) jpeg += comment;
  jpeg += plain.substr(2);
  EXPECT_TRUE(of_ours(jpeg, 4) == of_libvips(plain, 4));
}

TEST_F(SmallJpegs, that_are_damaged_or_in_inks_or_large_are_left_to_libvips) {
  const std::string jpeg = saved(noise(400, 300, 3), ".jpg");
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{2}, std::size_t{200}, jpeg.size() / 2, jpeg.size() - 200}) {
    EXPECT_EQ(of_ours(jpeg.substr(0, cut), 8), "none") << cut;
  }
  std::string turned = jpeg;
  for (std::size_t i = jpeg.size() / 2; i < jpeg.size() / 2 + 64; ++i) turned[i] = '\xff';
  EXPECT_EQ(of_ours(turned, 8), "none");
  EXPECT_EQ(of_ours(saved(noise(160, 80, 4), ".jpg"), 8), "none");
  EXPECT_EQ(of_ours(saved(noise(4, 4, 3), ".jpg"), 8), "none") << "nothing would be left of it";
  const std::string large = saved(noise(3600, 3200, 3), ".jpg[Q=10]");
  EXPECT_EQ(of_ours(large, 2), "none");
  EXPECT_NE(of_ours(large, 4), "none");
}

TEST_F(SmallJpegs, of_bytes_turned_over_at_random_end_always) {
  SeededRandom random(11);
  const std::string whole = saved(noise(200, 150, 3), ".jpg");
  for (int round = 0; round < 200; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 6; ++i) {
      bytes[2 + random.below(bytes.size() - 2)] = static_cast<char>(random.below(256));
    }
    const std::string got = of_ours(bytes, 8);
    EXPECT_TRUE(got == "none" || got.find('x') < 6);
  }
}

}  // namespace
}  // namespace mainstay::decoder
