// What Wyoming servers say of themselves, and their addresses.
#include <gtest/gtest.h>

#include "models/wyoming/info.h"
#include "models/wyoming/link.h"

namespace mainstay::models::wyoming {
namespace {

TEST(WyomingInfo, models_and_voices_that_are_installed_are_listed) {
  auto data = parse_json(R"({"asr":[{"name":"faster-whisper","installed":true,"models":[
      {"name":"tiny","languages":["en"],"installed":true},{"name":"big","installed":false},7]}],
      "tts":[{"name":"piper","voices":[
      {"name":"en_US-lessac","languages":["en_US"],"installed":true},
      {"name":"x","installed":false},{}]}],"wake":"?"})");
  const ServerInfo info = read_info(*data, "house");
  EXPECT_TRUE(info.hears && info.speaks);
  ASSERT_EQ(info.models.size(), 2U);
  EXPECT_EQ(info.models[0].id, "tiny");
  EXPECT_EQ(info.models[0].task, "transcription");
  EXPECT_EQ(info.models[1].id, "piper");
  EXPECT_EQ(info.models[1].task, "speech");
  ASSERT_EQ(info.voices.size(), 1U);
  EXPECT_EQ(info.voices[0].language, "en-us");
  EXPECT_EQ(info.programs, (std::vector<std::string>{"faster-whisper", "piper"}));
}

TEST(WyomingInfo, what_is_not_as_it_should_be_counts_as_absent) {
  for (const char* text : {"{}", "[]", "7", R"({"asr":7,"tts":{"a":1}})", R"({"asr":[null,3]})"}) {
    const ServerInfo info = read_info(*parse_json(text), "house");
    EXPECT_TRUE(info.models.empty()) << text;
    EXPECT_FALSE(info.speaks) << text;
  }
}

TEST(WyomingAddress, it_is_tcp_host_and_port) {
  auto address = Address::parse("tcp://piper.local:10200");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->host, "piper.local");
  EXPECT_EQ(address->port, 10'200);
  EXPECT_EQ(Address::parse("tcp://[::1]:7/")->host, "::1");
  for (const char* bad : {"", "http://x:1", "tcp://x", "tcp://x:0", "tcp://x:65536", "tcp://:1",
                          "tcp://x:1a", "tcp://a b:1", "tcp://u@x:1"}) {
    EXPECT_FALSE(Address::parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace mainstay::models::wyoming
