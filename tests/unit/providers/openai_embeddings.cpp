// POST /embeddings of servers that speak OpenAI's API.
#include "embed_desk.h"
#include "models/openai/provider.h"

namespace mainstay::models::openai {
namespace {

/// make() with the desk's arguments.
Result<std::unique_ptr<ChatProvider>> make_openai(const ProviderSettings& settings,
                                                  const UpstreamSettings& upstream, Clock&, Random&,
                                                  net::Client& client) {
  return make(settings, upstream, client);
}
using Desk = ProviderDesk<make_openai>;
const std::string kGood =
    R"({"object":"list","data":[{"object":"embedding","index":1,"embedding":[0,0.25]},)"
    R"({"object":"embedding","index":0,"embedding":[1,-0.5]}],"model":"m",)"
    R"("usage":{"prompt_tokens":9,"total_tokens":9}})";

TEST(OpenAiEmbeddings, vectors_are_put_in_order_by_their_index) {
  Desk desk("https://api.example/v1/");
  auto got = embed(desk, net::script(kJsonType, kGood, 9), embed_request({"one", "t\"wo"}, {}, 2));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got->vectors, (std::vector<std::vector<float>>{{1, -0.5F}, {0, 0.25F}}));
  EXPECT_EQ(got->tokens, 9U);
  EXPECT_EQ(desk.client.sent.at(0).address, "https://api.example/v1/embeddings");
  EXPECT_EQ(desk.sent(), *parse_json(R"({"model":"model-5","encoding_format":"float",
      "dimensions":2,"input":["one","t\"wo"]})"));
  expect_tagged(desk.client.sent.at(0), "authorization: Bearer sk-secret-7");
}

TEST(OpenAiEmbeddings, entries_without_an_index_are_in_order_and_base64_is_understood) {
  Desk desk;
  // 1.0 and -0.5 as little-endian floats
  auto got = embed(
      desk,
      net::script(kJsonType, R"({"data":[{"embedding":"AACAPwAAAL8="},{"embedding":[3,4]}]})"),
      embed_request({"a", "b"}));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got->vectors, (std::vector<std::vector<float>>{{1, -0.5F}, {3, 4}}));
}

TEST(OpenAiEmbeddings, what_is_no_list_of_vectors_is_a_bad_reply) {
  for (const char* body : {R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
                           R"({"data":[{"index":5,"embedding":[1]},{"index":1,"embedding":[1]}]})",
                           R"({"data":[{"embedding":"AACAPw"},{"embedding":[1]}]})",
                           R"({"data":[{"embedding":"AACA"},{"embedding":[1]}]})",
                           R"({"data":[{"embedding":[1e300]},{"embedding":[1]}]})",
                           R"({"data":[{"embedding":[null]},{"embedding":[1]}]})",
                           R"({"data":[1,2]})", R"({"data":{}})", "[]"}) {
    Desk desk;
    auto got = embed(desk, net::script(kJsonType, body), embed_request({"a", "b"}));
    ASSERT_FALSE(got.ok()) << body;
    EXPECT_EQ(got.error().reason, "upstream_bad_reply") << body;
  }
}

TEST(OpenAiEmbeddings, replies_are_read_strictly) {
  embeddings_are_read_strictly<Desk>(kGood);
}

}  // namespace
}  // namespace mainstay::models::openai
