// Samples of several channels as one.
#include <gtest/gtest.h>

#include "models/builtin/packer.h"

namespace mainstay::models::builtin {
namespace {

std::string samples(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) {
    const auto bits = static_cast<std::uint16_t>(value);
    out.push_back(static_cast<char>(bits & 0xFFU));
    out.push_back(static_cast<char>(bits >> 8U));
  }
  return out;
}

TEST(ToMono, one_channel_stays_as_it_is_and_two_become_their_mean) {
  std::string rest;
  EXPECT_EQ(to_mono(samples({1, -2}), 1, rest), samples({1, -2}));
  EXPECT_EQ(to_mono(samples({100, 200, -32768, -32768, 32767, -32767}), 2, rest),
            samples({150, -32768, 0}));
  EXPECT_TRUE(rest.empty());
}

TEST(ToMono, frames_that_come_in_part_are_put_together) {
  const std::string all = samples({10, 20, 30, 50});
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    std::string rest;
    std::string out = to_mono(all.substr(0, cut), 2, rest);
    out += to_mono(all.substr(cut), 2, rest);
    EXPECT_EQ(out, samples({15, 40})) << cut;
  }
}

}  // namespace
}  // namespace mainstay::models::builtin
