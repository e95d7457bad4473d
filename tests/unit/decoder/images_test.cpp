// Pictures through the real decoder: every format, every way to be wrong.
#include <vips/vips.h>

#include "media/image.h"
#include "unit/decoder/rig.h"

namespace mainstay::media {
namespace {

using namespace test;

struct Unref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using Picture = std::unique_ptr<VipsImage, Unref>;

/// Red at the left, blue at the right, a green band on top: every turn and flip shows.
Picture painted(int width, int height, int bands = 3) {
  VipsImage* black = nullptr;
  vips_black(&black, width, height, "bands", bands, nullptr);
  VipsImage* drawn = vips_image_copy_memory(black);
  g_object_unref(black);
  std::vector<double> red(static_cast<std::size_t>(bands), 0.0), green = red, blue = red;
  red.front() = 250;
  blue[bands > 2 ? 2 : 0] = 250;
  green[bands > 2 ? 1 : 0] = 120;
  if (bands == 4) red[3] = green[3] = blue[3] = 255;
  vips_draw_rect(drawn, red.data(), bands, 0, 0, width / 2, height, "fill", TRUE, nullptr);
  vips_draw_rect(drawn, blue.data(), bands, width / 2, 0, width, height, "fill", TRUE, nullptr);
  vips_draw_rect(drawn, green.data(), bands, 0, 0, width, height / 4, "fill", TRUE, nullptr);
  VipsImage* tagged = nullptr;
  vips_copy(drawn, &tagged, "interpretation",
            bands == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, nullptr);
  g_object_unref(drawn);
  return Picture(tagged);
}

std::string saved(const Picture& picture, const char* suffix) {
  void* data = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(vips_image_write_to_buffer(picture.get(), suffix, &data, &size, nullptr), 0)
      << vips_error_buffer();
  std::string out(static_cast<const char*>(data), size);
  g_free(data);
  return out;
}

std::string as(const char* suffix, int width = 80, int height = 40, int bands = 3) {
  return saved(painted(width, height, bands), suffix);
}

/// The head of a PNG that says it is this large, and nothing more.
std::string huge_png(std::uint32_t width, std::uint32_t height) {
  std::string out = as(".png", 8, 8);
  for (int i = 0; i < 4; ++i) {
    out[static_cast<std::size_t>(16 + i)] = static_cast<char>(width >> (24 - 8 * i));
    out[static_cast<std::size_t>(20 + i)] = static_cast<char>(height >> (24 - 8 * i));
  }
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<unsigned char>(out[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i)
    out[static_cast<std::size_t>(29 + i)] = static_cast<char>(crc >> (24 - 8 * i));
  return out;
}

struct ImagesTest : Rig {
  ImagesTest() {
    if (vips_init("decoder_tests") != 0) ADD_FAILURE() << vips_error_buffer();
    make_again();
  }
  void make_again() { make(DECODER); }

  struct Got {
    ImageFacts facts;
    std::string bytes;
    std::string reason;
    std::string size() const {
      return reason.empty() ? facts.format + " " + std::to_string(facts.width) + "x" +
                                  std::to_string(facts.height)
                            : reason;
    }
  };
  Co<Got> converting(std::string bytes, ImageWish wish) {
    Got out;
    auto begun = co_await decoders->begin(file_of(bytes), order_of(wish), soon());
    if (!begun.ok()) {
      out.reason = begun.error().reason;
      co_return out;
    }
    ImageResult result(std::move(*begun));
    auto facts = co_await result.facts(soon());
    if (!facts.ok()) {
      out.reason = facts.error().reason;
      co_return out;
    }
    out.facts = *facts;
    for (;;) {
      auto piece = co_await result.next(soon());
      if (!piece.ok()) out.reason = piece.error().reason;
      if (!piece.ok() || !*piece) co_return out;
      out.bytes += **piece;
    }
  }
  Got converted(const std::string& bytes, const char* wish = "{}") {
    auto object = parse_json(wish);
    auto parsed = image_wish(*object);
    EXPECT_TRUE(parsed.ok());
    return run(converting(bytes, *parsed));
  }
  Result<ImageFacts> measured(const std::string& bytes) {
    return run(measure_image(*decoders, file_of(bytes), soon()));
  }
  std::string kind(const std::string& bytes) {
    auto facts = measured(bytes);
    if (!facts.ok()) return facts.error().reason;
    return facts->format + " " + std::to_string(facts->width) + "x" + std::to_string(facts->height);
  }
  bool still_works() { return converted(as(".png")).size() == "png 80x40"; }
};

Picture opened(const std::string& bytes) {
  return Picture(vips_image_new_from_buffer(bytes.data(), bytes.size(), "", nullptr));
}
/// Colour of a point, as "r", "g", "b" or what it is.
std::string colour(const Picture& picture, int x, int y) {
  double* point = nullptr;
  int count = 0;
  if (!picture || vips_getpoint(picture.get(), &point, &count, x, y, nullptr) != 0) return "none";
  std::string out;
  if (count >= 3 && point[0] > 150 && point[2] < 100) out = "r";
  if (count >= 3 && point[2] > 150 && point[0] < 100) out = "b";
  if (count >= 3 && point[1] > 80 && point[0] < 60 && point[2] < 60) out = "g";
  if (out.empty()) {
    for (int i = 0; i < count; ++i) out += std::to_string(static_cast<int>(point[i])) + " ";
  }
  g_free(point);
  return out;
}

TEST_F(ImagesTest, every_format_is_measured_by_its_content) {
  EXPECT_EQ(kind(as(".jpg")), "jpeg 80x40");
  EXPECT_EQ(kind(as(".png")), "png 80x40");
  EXPECT_EQ(kind(as(".webp")), "webp 80x40");
  EXPECT_EQ(kind(as(".gif")), "gif 80x40");
  EXPECT_EQ(kind(as(".tif")), "tiff 80x40");
  EXPECT_EQ(kind(as(".png", 1, 1)), "png 1x1");
  EXPECT_TRUE(measured(as(".png", 8, 8, 4))->alpha);
  EXPECT_FALSE(measured(as(".png"))->alpha);
  EXPECT_EQ(measured(as(".png"))->bytes, as(".png").size());
  EXPECT_EQ(kind("text, whatever its name says"), "image_format");
  EXPECT_EQ(kind("%PDF-1.4"), "image_format");
  EXPECT_EQ(kind("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "image_format");
  EXPECT_EQ(kind(""), "file_empty");
  EXPECT_EQ(kind("\xff\xd8\xff"), "image_damaged");
}

TEST_F(ImagesTest, each_format_becomes_each_result) {
  for (const char* from : {".jpg", ".png", ".webp", ".gif", ".tif"}) {
    const std::string bytes = as(from, 400, 200);
    for (const char* to : {"jpeg", "png", "webp"}) {
      const std::string wish = std::string(R"({"width":100,"format":")") + to + "\"}";
      const auto got = converted(bytes, wish.c_str());
      EXPECT_EQ(got.size(), std::string(to) + " 100x50") << from;
      EXPECT_EQ(got.bytes.size(), got.facts.bytes);
      EXPECT_EQ(kind(got.bytes), got.size());
      const Picture picture = opened(got.bytes);
      EXPECT_EQ(colour(picture, 20, 40), "r") << from << to;
      EXPECT_EQ(colour(picture, 80, 40), "b") << from << to;
      EXPECT_EQ(colour(picture, 50, 4), "g") << from << to;
    }
  }
}

TEST_F(ImagesTest, sizes_come_out_as_asked) {
  const std::string jpeg = as(".jpg", 1000, 500);
  EXPECT_EQ(converted(jpeg, R"({"width":160,"height":160})").size(), "jpeg 160x80");
  EXPECT_EQ(converted(jpeg, R"({"width":90,"height":90,"fit":"cover"})").size(), "jpeg 90x90");
  EXPECT_EQ(converted(jpeg, R"({"width":33,"height":77,"fit":"fill"})").size(), "jpeg 33x77");
  EXPECT_EQ(converted(jpeg, R"({"width":2000})").size(), "jpeg 1000x500");
  EXPECT_EQ(converted(jpeg, R"({"width":2000,"enlarge":true})").size(), "jpeg 2000x1000");
  EXPECT_EQ(converted(jpeg, R"({"width":1,"height":1})").size(), "jpeg 1x1");
  EXPECT_EQ(converted(as(".png", 1, 1), R"({"width":100})").size(), "png 1x1");
  const auto square = converted(jpeg, R"({"width":90,"height":90,"fit":"cover"})");
  const Picture cut = opened(square.bytes);
  EXPECT_EQ(colour(cut, 10, 60), "r") << "cut at both sides";
  EXPECT_EQ(colour(cut, 80, 60), "b");
}

TEST_F(ImagesTest, it_stands_upright_whatever_the_camera_noted) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Picture picture = painted(400, 200);
    vips_image_set_int(picture.get(), VIPS_META_ORIENTATION, orientation);
    const std::string jpeg = saved(picture, ".jpg");
    EXPECT_EQ(measured(jpeg)->orientation, static_cast<std::uint32_t>(orientation));
    const auto got = converted(jpeg, R"({"width":100,"height":100,"format":"png"})");
    EXPECT_EQ(got.size(), orientation < 5 ? "png 100x50" : "png 50x100") << orientation;
    const Picture turned = opened(got.bytes);
    const bool swapped = orientation >= 5;
    const int w = swapped ? 50 : 100, h = swapped ? 100 : 50;
    // Where the green band, at first on top, is now.
    constexpr const char* kGreenAt[] = {"",     "top",   "top",   "bottom", "bottom",
                                        "left", "right", "right", "left"};
    const std::string at = kGreenAt[orientation];
    const int x = at == "left" ? 3 : at == "right" ? w - 4 : w / 2;
    const int y = at == "top" ? 3 : at == "bottom" ? h - 4 : h / 2;
    EXPECT_EQ(colour(turned, x, y), "g") << orientation;
    EXPECT_EQ(measured(got.bytes)->orientation, 1u);
  }
}

TEST_F(ImagesTest, metadata_goes_unless_it_is_to_stay) {
  const Picture picture = painted(80, 40);
  const std::string note = "where it was taken";
  vips_image_set_blob_copy(picture.get(), VIPS_META_XMP_NAME, note.data(), note.size());
  const std::string jpeg = saved(picture, ".jpg");
  ASSERT_NE(jpeg.find(note), std::string::npos);
  EXPECT_EQ(converted(jpeg).bytes.find(note), std::string::npos);
  EXPECT_NE(converted(jpeg, R"({"strip":false})").bytes.find(note), std::string::npos);
}

TEST_F(ImagesTest, a_profile_counts_in_a_small_picture_as_in_a_large_one) {
  VipsImage* wide = nullptr;
  ASSERT_EQ(
      vips_icc_transform(painted(400, 200).get(), &wide, "p3", "input_profile", "srgb", nullptr), 0)
      << vips_error_buffer();
  const std::string jpeg = saved(Picture(wide), ".jpg[Q=95,subsample_mode=off]");
  const auto red = [&](const char* wish) {
    const std::string bytes = converted(jpeg, wish).bytes;
    const Picture got = opened(bytes);
    double* point = nullptr;
    int count = 0;
    EXPECT_EQ(vips_getpoint(got.get(), &point, &count, vips_image_get_width(got.get()) / 4,
                            vips_image_get_height(got.get()) / 2, nullptr),
              0);
    const double value = count > 0 ? point[0] : -1;
    g_free(point);
    return value;
  };
  const double whole = red(R"({"format":"png"})");
  EXPECT_GT(whole, 245) << "236 in the wider colours";
  EXPECT_NEAR(red(R"({"width":50,"format":"png"})"), whole, 2);
}

TEST_F(ImagesTest, what_can_be_seen_through_becomes_white_in_a_jpeg) {
  Picture picture = painted(40, 40, 4);
  const double clear[] = {255, 0, 255, 0};
  vips_draw_rect(picture.get(), const_cast<double*>(clear), 4, 0, 20, 40, 20, "fill", TRUE,
                 nullptr);
  const std::string png = saved(picture, ".png");
  const auto jpeg = converted(png, R"({"format":"jpeg","quality":95})");
  EXPECT_FALSE(measured(jpeg.bytes)->alpha);
  double* point = nullptr;
  int count = 0;
  const Picture back = opened(jpeg.bytes);
  ASSERT_EQ(vips_getpoint(back.get(), &point, &count, 20, 35, nullptr), 0);
  for (int i = 0; i < count; ++i) EXPECT_GT(point[i], 245);
  g_free(point);
  EXPECT_TRUE(measured(converted(png, R"({"width":10})").bytes)->alpha);
}

TEST_F(ImagesTest, unusual_colours_become_usual) {
  VipsImage* made = nullptr;
  const Picture four = painted(80, 40, 4);
  vips_copy(four.get(), &made, "interpretation", VIPS_INTERPRETATION_CMYK, nullptr);
  const Picture cmyk(made);
  const std::string jpeg = saved(cmyk, ".jpg");
  EXPECT_EQ(kind(jpeg), "jpeg 80x40");
  const auto from_cmyk = converted(jpeg, R"({"format":"png"})");
  EXPECT_EQ(from_cmyk.size(), "png 80x40");
  EXPECT_EQ(vips_image_get_bands(opened(from_cmyk.bytes).get()), 3);
  made = nullptr;
  vips_colourspace(painted(80, 40).get(), &made, VIPS_INTERPRETATION_RGB16, nullptr);
  const Picture sixteen(made);
  const auto from_sixteen = converted(saved(sixteen, ".png"), R"({"width":40})");
  EXPECT_EQ(from_sixteen.size(), "png 40x20");
  EXPECT_EQ(vips_image_get_format(opened(from_sixteen.bytes).get()), VIPS_FORMAT_UCHAR);
  EXPECT_EQ(colour(opened(from_sixteen.bytes), 10, 15), "r");
  EXPECT_EQ(converted(as(".png", 80, 40, 1), R"({"width":40,"format":"webp"})").size(),
            "webp 40x20");
}

TEST_F(ImagesTest, of_an_animation_the_first_frame_is_taken) {
  const Picture tall = painted(40, 60);
  vips_image_set_int(tall.get(), VIPS_META_PAGE_HEIGHT, 20);
  const std::string gif = saved(tall, ".gif");
  EXPECT_EQ(kind(gif), "gif 40x20");
  EXPECT_EQ(measured(gif)->frames, 3u);
  EXPECT_EQ(converted(gif).size(), "png 40x20");
}

TEST_F(ImagesTest, truncated_pictures_fail_alone) {
  for (const char* suffix : {".jpg", ".png", ".webp", ".gif", ".tif"}) {
    const std::string whole = as(suffix, 300, 300);
    for (const std::size_t cut : {whole.size() / 2, whole.size() / 4, std::size_t{20}}) {
      const auto got = converted(whole.substr(0, cut), R"({"width":50})");
      EXPECT_TRUE(got.reason == "image_damaged") << suffix << cut << " " << got.size();
    }
  }
  EXPECT_TRUE(still_works());
  EXPECT_EQ(decoders->figures().started, 1u) << "none of them cost a process";
}

TEST_F(ImagesTest, security_30_pixels_are_counted_before_they_are_decoded) {
  EXPECT_EQ(converted(huge_png(30'000, 30'000)).reason, "image_too_many_pixels");
  EXPECT_EQ(kind(huge_png(30'000, 30'000)), "png 30000x30000") << "its head may be looked at";
  const auto beyond = converted(huge_png(0x7fffffff, 0x7fffffff)).reason;
  EXPECT_TRUE(beyond == "image_damaged" || beyond == "image_too_many_pixels") << beyond;
  EXPECT_TRUE(still_works());
}

TEST_F(ImagesTest, a_picture_may_have_exactly_so_many_pixels) {
  settings.image_pixels_max = 10'000;
  make_again();
  EXPECT_EQ(converted(as(".png", 101, 99)).size(), "png 101x99");
  EXPECT_EQ(converted(as(".png", 100, 100)).size(), "png 100x100");
  EXPECT_EQ(converted(as(".png", 101, 100)).reason, "image_too_many_pixels");
  const auto grown = R"({"width":101,"height":100,"fit":"fill","enlarge":true})";
  EXPECT_EQ(converted(as(".png", 10, 10), grown).reason, "image_too_many_pixels");
}

TEST_F(ImagesTest, a_result_may_have_exactly_so_many_bytes) {
  const std::string bytes = as(".png", 200, 100);
  const std::size_t size = converted(bytes).bytes.size();
  settings.image_result_max = Bytes{size};
  make_again();
  EXPECT_EQ(converted(bytes).bytes.size(), size);
  settings.image_result_max = Bytes{size - 1};
  make_again();
  EXPECT_EQ(converted(bytes).reason, "image_result_too_large");
}

TEST_F(ImagesTest, security_30_an_even_picture_that_was_packed_tight_is_read_in_little_memory) {
  settings.image_pixels_max = 100'000'000;
  settings.decoder_resident = Bytes{100 << 20};
  make_again();
  VipsImage* black = nullptr;
  vips_black(&black, 7000, 7000, "bands", 3, nullptr);
  const Picture picture(black);
  const std::string png = saved(picture, ".png[compression=9]");
  EXPECT_LT(png.size() * 300, 7000u * 7000 * 3);
  EXPECT_EQ(converted(png, R"({"width":90})").size(), "png 90x90");
  EXPECT_TRUE(still_works());
  EXPECT_EQ(decoders->figures().started, 1u) << "it held no more than it may afterwards";
}

TEST_F(ImagesTest, bytes_turned_over_at_random_never_cost_more_than_the_file) {
  SeededRandom random(7);
  for (const char* suffix : {".jpg", ".png", ".webp", ".gif", ".tif"}) {
    const std::string whole = as(suffix, 120, 90);
    for (int round = 0; round < 12; ++round) {
      std::string bytes = whole;
      for (int i = 0; i < 8; ++i) {
        bytes[12 + random.below(bytes.size() - 12)] = static_cast<char>(random.below(256));
      }
      const auto got = converted(bytes, R"({"width":30})");
      EXPECT_TRUE(got.reason.empty() || got.reason.starts_with("image_") ||
                  got.reason.starts_with("decoder_"))
          << got.reason;
    }
  }
  EXPECT_TRUE(still_works());
}

TEST_F(ImagesTest, the_decoder_says_what_it_is) {
  auto said = probe_decoder(DECODER);
  ASSERT_TRUE(said.ok()) << said.error().message;
  EXPECT_TRUE((*said)["seccomp"].get<bool>());
  EXPECT_NE((*said)["libvips"], "");
  EXPECT_NE((*said)["poppler"], "");
}

}  // namespace
}  // namespace mainstay::media
