// Long sounds over several threads: the samples of one.
#include "audio/split.h"

#include "unit/audio/rig.h"

namespace mainstay::audio::test {
namespace {

struct SeamTest : ::testing::TestWithParam<Recipe> {};

TEST_P(SeamTest, several_threads_give_the_samples_of_one_bit_for_bit) {
  const Recipe& recipe = GetParam();
  const std::string file = make_file(recipe, signal_of(75, recipe.rate));
  ASSERT_FALSE(file.empty());
  const Read one = read(file, order_of(1));
  ASSERT_EQ(one.refused, "");
  EXPECT_EQ(one.totals.pieces, 1u);
  EXPECT_NEAR(one.totals.seconds, 75, 0.2);
  for (const std::uint32_t threads : {2U, 3U}) {
    const Read many = read(file, order_of(threads));
    ASSERT_EQ(many.refused, "");
    EXPECT_EQ(many.samples.size(), one.samples.size()) << threads;
    EXPECT_TRUE(many.samples == one.samples) << threads << " threads";
    EXPECT_EQ(many.totals.seconds, one.totals.seconds);
    EXPECT_FALSE(many.totals.cut_off);
    const bool cut = recipe.encoder != "aac" && recipe.encoder != "pcm_s16le";
    EXPECT_EQ(many.totals.pieces > 1, cut);
    // Speech at a low rate may look back for longer than it pays to look.
    const bool opus = recipe.encoder == "libopus";
    EXPECT_LE(many.totals.redone, opus ? many.totals.pieces / 4 : 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, SeamTest,
                         ::testing::Values(Recipe{"wav", "pcm_s16le", 44'100, 2, 0, {}},
                                           Recipe{"flac", "flac", 44'100, 2, 0, {}},
                                           Recipe{"flac", "flac", 96'000, 1, 0, {}},
                                           Recipe{"mp3", "libmp3lame", 44'100, 2, 128'000, {}},
                                           Recipe{"mp3", "libmp3lame", 22'050, 1, 32'000, {}},
                                           Recipe{"mp3", "libmp3lame", 48'000, 2, 320'000, {}},
                                           Recipe{"ogg", "libopus", 48'000, 2, 64'000, {}},
                                           Recipe{"ogg", "libopus", 48'000, 1, 16'000, {}},
                                           Recipe{"webm", "libopus", 48'000, 1, 24'000, {}},
                                           Recipe{"ogg", "libvorbis", 44'100, 2, 96'000, {}},
                                           Recipe{"ipod", "aac", 44'100, 2, 96'000, {}}),
                         [](const auto& param) {
                           return param.param.muxer + "_" + param.param.encoder + "_" +
                                  std::to_string(param.param.rate) + "_" +
                                  std::to_string(param.index);
                         });

TEST(Seam, what_is_short_or_costs_nothing_is_not_split) {
  const Recipe mp3{"mp3", "libmp3lame", 44'100, 2, 128'000, {}};
  EXPECT_EQ(read(make_file(mp3, signal_of(30, 44'100)), order_of(2)).totals.pieces, 1u);
}

TEST(Seam, a_window_that_does_not_fit_is_decoded_again) {
  // Two files one behind the other: what stands at the seam was encoded by an encoder of its own.
  const Recipe mp3{"mp3", "libmp3lame", 44'100, 2, 128'000, {}};
  const std::string file =
      make_file(mp3, signal_of(40, 44'100)) + make_file(mp3, signal_of(40, 44'100, 7));
  const Read one = read(file, order_of(1));
  const Read two = read(file, order_of(2));
  EXPECT_TRUE(one.samples == two.samples);
}

TEST(Seam, fault_13_without_a_single_thread_more_the_samples_are_the_same) {
  const Recipe mp3{"mp3", "libmp3lame", 44'100, 2, 128'000, {}};
  const std::string bytes = make_file(mp3, signal_of(20, 44'100));
  const auto file = media::memory_file(bytes);
  ASSERT_TRUE(file.ok());
  const auto samples = [&file](std::uint32_t threads) {
    Source source(file->get());
    Container container(source);
    EXPECT_FALSE(container.open(order_of()).has_value());
    std::vector<float> out;
    const auto take = [&out](Block& block) {
      out.insert(out.end(), block.samples.begin(), block.samples.end());
      return true;
    };
    const SplitOutcome outcome = decode_split(container, order_of(threads), take);
    EXPECT_GT(outcome.pieces, 3u);
    EXPECT_FALSE(outcome.refused.has_value());
    return out;
  };
  const auto with = samples(2);
  EXPECT_GT(with.size(), 800'000u);
  EXPECT_TRUE(with == samples(0)) << "as if none could be started";
}

TEST(Seam, where_cutting_does_not_pay_no_more_is_decoded_twice) {
  // Speech at so low a rate looks back for longer than a lead lasts.
  const Recipe speech{"ogg", "libopus", 8'000, 1, 6'000, {}};
  const std::string file = make_file(speech, signal_of(150, 8'000));
  const Read one = read(file, order_of(1));
  const Read two = read(file, order_of(2));
  ASSERT_EQ(two.refused, "");
  EXPECT_TRUE(two.samples == one.samples);
  EXPECT_GE(two.totals.redone, 3u);
  EXPECT_GT(two.totals.redone * 4, two.totals.pieces);
  // From the third on that did not fit, but for those that workers had by then.
  EXPECT_GT(two.totals.undivided, 0u);
  EXPECT_LE(two.totals.redone - two.totals.undivided, 3u + 2u);
}

TEST(Seam, what_fits_is_never_left_to_one_thread) {
  const Recipe mp3{"mp3", "libmp3lame", 44'100, 2, 128'000, {}};
  EXPECT_EQ(read(make_file(mp3, signal_of(75, 44'100)), order_of(2)).totals.undivided, 0u);
}

TEST(Seam, a_damaged_file_gives_the_same_whatever_the_threads) {
  const Recipe mp3{"mp3", "libmp3lame", 44'100, 2, 128'000, {}};
  std::string file = make_file(mp3, signal_of(80, 44'100));
  for (std::size_t at = file.size() / 3; at < file.size() / 3 + 3000; ++at) file[at] ^= 0x5a;
  const Read one = read(file, order_of(1));
  const Read two = read(file, order_of(2));
  EXPECT_EQ(one.refused, two.refused);
  EXPECT_TRUE(one.samples == two.samples);
}

}  // namespace
}  // namespace mainstay::audio::test
