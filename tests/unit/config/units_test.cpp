// Durations and sizes.
#include "config/units.h"

#include <gtest/gtest.h>

#include "config/value.h"

namespace mainstay::config {
namespace {

TEST(units, durations_are_read_with_every_unit_and_bare_numbers_are_milliseconds) {
  EXPECT_EQ(parse_duration("250ms"), Millis(250));
  EXPECT_EQ(parse_duration("30s"), Millis(30'000));
  EXPECT_EQ(parse_duration("5m"), Millis(300'000));
  EXPECT_EQ(parse_duration("1h"), Millis(3'600'000));
  EXPECT_EQ(parse_duration("2d"), Millis(172'800'000));
  EXPECT_EQ(parse_duration("17"), Millis(17));
  EXPECT_EQ(parse_duration("0"), Millis(0));
}

TEST(units, what_is_not_a_duration_is_refused) {
  for (const char* text : {"", "s", "-1s", "1.5s", "1 week", "30 s x", "1e3", "99999999999999d",
                           "99999999999999999999"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(units, sizes_know_binary_and_decimal_units) {
  EXPECT_EQ(parse_size("10MiB"), Bytes{10 << 20});
  EXPECT_EQ(parse_size("64KiB"), Bytes{64 << 10});
  EXPECT_EQ(parse_size("1GB"), Bytes{1'000'000'000});
  EXPECT_EQ(parse_size("3kB"), Bytes{3000});
  EXPECT_EQ(parse_size("12"), Bytes{12});
  EXPECT_EQ(parse_size("7 MiB"), Bytes{7 << 20});
  for (const char* text : {"", "MiB", "1mib", "-5B", "9999999999GiB", "1.5MiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(units, printing_and_reading_agree) {
  for (const std::int64_t ms : {0L, 1L, 999L, 1000L, 1500L, 60'000L, 3'600'000L, 86'400'000L}) {
    EXPECT_EQ(parse_duration(print(Millis(ms))), Millis(ms)) << print(Millis(ms));
  }
  for (const std::uint64_t size : {0UL, 1UL, 1023UL, 1024UL, 1536UL, 1UL << 20, 3UL << 30}) {
    EXPECT_EQ(parse_size(print(Bytes{size})), Bytes{size}) << print(Bytes{size});
  }
  EXPECT_EQ(print(Millis(60'000)), "1m");
  EXPECT_EQ(print(Bytes{10 << 20}), "10MiB");
}

TEST(units, lists_are_split_at_commas_and_trimmed) {
  EXPECT_EQ(parse_list(" a , b,,c "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(parse_list("").empty());
  EXPECT_TRUE(parse_list(" , ").empty());
}

TEST(units, host_and_port_are_told_from_what_only_looks_alike) {
  for (const char* text : {"127.0.0.1:8080", "localhost:0", "[::1]:65535", "0.0.0.0:1"}) {
    EXPECT_TRUE(is_host_port(text)) << text;
  }
  for (const char* text : {"", ":80", "8080", "host:", "host:65536", "host:-1", "::1:80", "[]:80",
                           "a b:80", "http://x:80", "host:8x"}) {
    EXPECT_FALSE(is_host_port(text)) << text;
  }
}

TEST(units, only_plain_http_addresses_are_accepted) {
  for (const char* text :
       {"http://127.0.0.1:11434", "https://api.openai.com/v1", "http://[::1]:80/", "http://host"}) {
    EXPECT_TRUE(is_http_url(text)) << text;
  }
  for (const char* text : {"ftp://host", "http://", "host:80", "http://user:pw@host/",
                           "http://a b/", "https://host:99999/", "http:///path", "http://:80"}) {
    EXPECT_FALSE(is_http_url(text)) << text;
  }
}

}  // namespace
}  // namespace mainstay::config
