// Trace context and request ids.
#include "telemetry/trace.h"

#include <gtest/gtest.h>

namespace mainstay {
namespace {

const std::string kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(trace, a_valid_header_is_read_and_written_back) {
  const auto context = parse_traceparent(kGood);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->span_id(), "b7ad6b7169203331");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(context->traceparent(), kGood);
  EXPECT_FALSE(parse_traceparent(kGood.substr(0, 53) + "00")->sampled);
}

TEST(trace, what_the_standard_forbids_is_refused) {
  const std::string zero_trace = "00-" + std::string(32, '0') + "-b7ad6b7169203331-01";
  const std::string zero_span =
      "00-0af7651916cd43dd8448eb211c80319c-" + std::string(16, '0') + "-01";
  for (const std::string& header :
       {std::string(), kGood.substr(0, 54), kGood + "-", kGood + "x", "ff" + kGood.substr(2),
        "0g" + kGood.substr(2), zero_trace, zero_span,
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x")}) {
    EXPECT_FALSE(parse_traceparent(header)) << header;
  }
}

TEST(trace, later_versions_are_read_as_far_as_we_know_them) {
  EXPECT_TRUE(parse_traceparent("01" + kGood.substr(2)));
  EXPECT_TRUE(parse_traceparent("cc" + kGood.substr(2) + "-more"));
  EXPECT_FALSE(parse_traceparent("cc" + kGood.substr(2) + "more"));
  EXPECT_EQ(parse_traceparent("cc" + kGood.substr(2))->traceparent().substr(0, 2), "00");
}

TEST(trace, a_child_keeps_the_trace_and_has_its_own_span) {
  SeededRandom random(7);
  const auto parent = make_trace(random);
  const auto child = child_of(parent, random);
  EXPECT_EQ(child.trace_id(), parent.trace_id());
  EXPECT_NE(child.span_id(), parent.span_id());
  EXPECT_EQ(parse_traceparent(child.traceparent()), child);
}

TEST(request_id, safe_characters_up_to_the_limit_are_accepted) {
  EXPECT_TRUE(valid_request_id("req-1_A.b:c/d+e="));
  EXPECT_TRUE(valid_request_id(std::string(127, 'a')));
  EXPECT_TRUE(valid_request_id(std::string(128, 'a')));
  EXPECT_FALSE(valid_request_id(std::string(129, 'a')));
  for (const char* id : {"", "a b", "a\nb", "a\"b", "ü", "a,b", "a;b", "\x1b[m", "<x>"}) {
    EXPECT_FALSE(valid_request_id(id)) << id;
  }
}

}  // namespace
}  // namespace mainstay
