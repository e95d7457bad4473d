// POST /v1/analyze over a scripted exchange: bodies, bounds, how many at once.
#include <gtest/gtest.h>

#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using test::Sent;

struct AnalyzeTest : test::World {
  static Sent text(std::string body, const std::string& type = "text/plain") {
    Sent sent;
    sent.method = "POST";
    sent.target = "/v1/analyze";
    sent.body = std::move(body);
    return sent.with("content-type", type);
  }
};

TEST_F(AnalyzeTest, a_text_is_told_whatever_way_it_comes) {
  const std::string body = "One line.\nAnother line.\n";
  auto plain = serve(text(body));
  ASSERT_EQ(plain->status, 200) << plain->body;
  EXPECT_EQ(json(plain->body)["lines"], 2);
  EXPECT_EQ(serve(post("/v1/analyze", dump({{"text", body}})))->body, plain->body);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + body +
      "\r\n--b--\r\n";
  EXPECT_EQ(serve(text(form, "multipart/form-data; boundary=b"))->body, plain->body);
  EXPECT_EQ(serve(text(body, "TEXT/Markdown; charset=\"UTF-8\""))->body, plain->body);
  EXPECT_EQ(analyze.running, 0u);
}

TEST_F(AnalyzeTest, a_text_of_more_than_one_block_is_whole) {
  const std::string body(3 * 1024 * 1024 + 5, 'a');
  EXPECT_EQ(json(serve(text(body))->body)["bytes"], body.size());
}

TEST_F(AnalyzeTest, the_bound_is_kept_at_one_below_at_and_above_it) {
  settings.analysis.body_max = Bytes(2048);
  EXPECT_EQ(serve(text(std::string(2047, 'a')))->status, 200);
  EXPECT_EQ(serve(text(std::string(2048, 'a')))->status, 200);
  EXPECT_EQ(refused(serve(text(std::string(2049, 'a')))), "413 body_too_large");
}

TEST_F(AnalyzeTest, no_more_are_analysed_at_once_than_allowed) {
  settings.analysis.at_once = 2;
  analyze.running = 1;
  EXPECT_EQ(serve(text("a"))->status, 200);
  analyze.running = 2;
  auto busy = serve(text("a"));
  EXPECT_EQ(refused(busy), "503 analysis_busy");
  EXPECT_EQ(busy->header("retry-after"), "1");
  EXPECT_EQ(analyze.running, 2u) << "a refused one takes no place";
}

TEST_F(AnalyzeTest, what_is_no_text_is_refused) {
  EXPECT_EQ(refused(serve(text(std::string("a\0b", 3)))), "415 binary_content");
  EXPECT_EQ(refused(serve(text("\xff\xfe"))), "415 utf16_text");
  EXPECT_EQ(refused(serve(text("a", "image/png"))), "415 unsupported_media_type");
  EXPECT_EQ(refused(serve(text("a", "text/plain; charset=latin1"))), "415 unsupported_media_type");
  EXPECT_EQ(refused(serve(text("x", "multipart/form-data; boundary=b"))), "400 bad_multipart");
  EXPECT_EQ(refused(serve(post("/v1/analyze", "{}"))), "400 missing_field");
  EXPECT_EQ(refused(serve(post("/v1/analyze", R"({"text":5})"))), "400 invalid_type");
  EXPECT_EQ(refused(serve(post("/v1/analyze", R"({"txt":"a"})"))), "400 unknown_field");
  EXPECT_EQ(refused(serve(post("/v1/analyze", R"({"file":"file-1"})"))), "503 files_unavailable");
}

}  // namespace
}  // namespace mainstay::api
