// Embeddings of a provider over scripted replies. Used by the tests of the three that make them.
#pragma once

#include "provider_desk.h"

namespace mainstay::models {

inline EmbedRequest embed_request(std::vector<std::string> texts,
                                  EmbedPurpose purpose = EmbedPurpose::plain,
                                  std::uint32_t dimensions = 0) {
  EmbedRequest out;
  out.texts = std::move(texts);
  out.purpose = purpose;
  out.dimensions = dimensions;
  out.request = RequestId("req_41");
  out.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  return out;
}

template <class Desk>
Result<Embeddings> embed(Desk& desk, net::Script reply, const EmbedRequest& request) {
  desk.play(std::move(reply));
  auto got = net::run(desk.provider->embed(request, Desk::attempt(), desk.timings));
  if (!got.ok()) return got;
  auto checked = check_embeddings(request, *got);
  if (!checked.ok()) return checked.error();
  return got;
}

/// Statuses and garbage become the errors that provider.h lists. `good` answers two texts.
template <class Desk>
void embeddings_are_read_strictly(const std::string& good) {
  for (const StatusRow& row : kStatusRows) {
    Desk desk;
    auto got =
        embed(desk, net::script(kJsonType, R"({"error":{"message":"overdone"}})", 5, row.status),
              embed_request({"a", "b"}));
    ASSERT_FALSE(got.ok()) << row.status;
    EXPECT_EQ(got.error().code, row.code) << row.status;
    EXPECT_EQ(got.error().reason, row.reason) << row.status;
  }
  SeededRandom random(31);
  std::size_t refused = 0;
  for (int i = 0; i < 600; ++i) {
    Desk desk;
    auto got = embed(desk, net::script(kJsonType, mutated(good, random), 1 + random.below(30)),
                     embed_request({"a", "b"}));
    if (got.ok()) continue;
    ++refused;
    EXPECT_NE(got.error().code, Errc::internal);
    EXPECT_FALSE(got.error().reason.starts_with("invalid_json")) << got.error().reason;
  }
  EXPECT_GT(refused, 100U);
  for (std::size_t size = 0; size < good.size(); size += 3) {
    Desk desk;
    auto got = embed(desk, net::script(kJsonType, good.substr(0, size)), embed_request({"a", "b"}));
    EXPECT_FALSE(got.ok()) << size;
  }
  for (const std::size_t texts : {1U, 3U}) {
    Desk desk;
    auto got = embed(desk, net::script(kJsonType, good),
                     embed_request(std::vector<std::string>(texts, "x")));
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().reason, "upstream_bad_reply");
  }
}

}  // namespace mainstay::models
