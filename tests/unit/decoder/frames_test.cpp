// Frames and orders as bytes: whatever the pieces, within their bounds.
#include "media/frames.h"

#include <gtest/gtest.h>

namespace mainstay::media {
namespace {

std::string lengths(std::uint32_t head, std::uint32_t body) {
  std::string out;
  for (const std::uint32_t length : {head, body}) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      out += static_cast<char>((length >> shift) & 0xff);
    }
  }
  return out;
}

/// A head of exactly so many bytes.
std::string head_of(std::size_t size) {
  const std::string begin = R"({"is":"end","pad":")";
  return begin + std::string(size - begin.size() - 2, 'p') + "\"}";
}

TEST(Frames, are_the_same_whatever_pieces_they_come_in) {
  Json head = frame_head(7, Is::page);
  head["page"] = 3;
  const std::string bytes = frame_text(head, "text ") + frame_text(frame_head(7, Is::end), "");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    FrameReader reader;
    std::vector<Frame> got;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.feed(std::string_view(bytes).substr(at, step));
      for (;;) {
        auto frame = reader.next();
        ASSERT_TRUE(frame.ok());
        if (!*frame) break;
        got.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(got.size(), 2u) << step;
    EXPECT_EQ(got[0].item, 7u);
    EXPECT_EQ(got[0].is, Is::page);
    EXPECT_EQ(got[0].head["page"], 3);
    EXPECT_EQ(got[0].body, "text ");
    EXPECT_EQ(got[1].is, Is::end);
    EXPECT_TRUE(reader.empty());
  }
}

TEST(Frames, a_head_may_have_exactly_its_most) {
  for (const std::size_t size : {kHeadMax - 1, kHeadMax}) {
    FrameReader reader;
    reader.feed(lengths(static_cast<std::uint32_t>(size), 0) + head_of(size));
    auto frame = reader.next();
    ASSERT_TRUE(frame.ok());
    EXPECT_TRUE(frame->has_value());
  }
  FrameReader reader;
  reader.feed(lengths(kHeadMax + 1, 0));
  EXPECT_FALSE(reader.next().ok()) << "refused before it is waited for";
}

TEST(Frames, a_body_may_have_exactly_its_most) {
  const std::string head = R"({"is":"data"})";
  for (const std::size_t size : {kBodyMax - 1, kBodyMax}) {
    FrameReader reader;
    reader.feed(lengths(static_cast<std::uint32_t>(head.size()), static_cast<std::uint32_t>(size)) +
                head + std::string(size, 'b'));
    auto frame = reader.next();
    ASSERT_TRUE(frame.ok());
    ASSERT_TRUE(frame->has_value());
    EXPECT_EQ((*frame)->body.size(), size);
  }
  FrameReader reader;
  reader.feed(lengths(static_cast<std::uint32_t>(head.size()), kBodyMax + 1));
  EXPECT_FALSE(reader.next().ok());
}

TEST(Frames, what_is_no_frame_is_refused) {
  for (const std::string& head :
       {std::string("[1]"), std::string("{"), std::string("nonsense"), std::string(R"({"is":3})"),
        std::string(R"({"is":"novel"})"), std::string("{\"is\":\"end\",\"x\":\"\xff\"}")}) {
    FrameReader reader;
    reader.feed(lengths(static_cast<std::uint32_t>(head.size()), 0) + head);
    EXPECT_FALSE(reader.next().ok()) << head;
  }
  FrameReader reader;
  reader.feed(lengths(0, 0));
  EXPECT_FALSE(reader.next().ok());
}

TEST(Orders, come_back_as_they_were_sent) {
  Order order;
  order.item = 12;
  order.want = Want::image;
  order.pages_max = 1;
  order.text_max = 2;
  order.pixels_max = 3;
  order.result_max = 4;
  order.width = 5;
  order.height = 6;
  order.fit = Fit::cover;
  order.enlarge = true;
  order.format = "webp";
  order.quality = 7;
  order.strip = false;
  order.seconds = 8;
  const std::string text = order_text(order);
  EXPECT_LT(text.size(), kOrderMax);
  auto back = order_of(text);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(order_text(*back), text);
  EXPECT_FALSE(order_of(R"({"want":"a shell"})").ok());
  EXPECT_FALSE(order_of("").ok());
}

}  // namespace
}  // namespace mainstay::media
