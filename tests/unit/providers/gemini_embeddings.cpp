// Gemini's batchEmbedContents.
#include "embed_desk.h"
#include "models/gemini/provider.h"

namespace mainstay::models::gemini {
namespace {

using Desk = ProviderDesk<make>;
const std::string kGood = R"({"embeddings":[{"values":[1,0.5]},{"values":[0,-0.25]}]})";

TEST(GeminiEmbeddings, texts_go_with_their_purpose) {
  Desk desk("https://generativelanguage.example");
  auto got = embed(desk, net::script(kJsonType, kGood, 9),
                   embed_request({"one", "two"}, EmbedPurpose::document, 2));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got->vectors, (std::vector<std::vector<float>>{{1, 0.5F}, {0, -0.25F}}));
  EXPECT_EQ(desk.client.sent.at(0).address,
            "https://generativelanguage.example/v1beta/models/model-5:batchEmbedContents");
  EXPECT_EQ(desk.sent(),
            *parse_json(
                R"({"requests":[{"model":"models/model-5","content":{"parts":[{"text":"one"}]},
      "taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":2},
      {"model":"models/model-5","content":{"parts":[{"text":"two"}]},
      "taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":2}]})"));
  expect_tagged(desk.client.sent.at(0), "x-goog-api-key: sk-secret-7");
  auto query = embed(desk, net::script(kJsonType, kGood),
                     embed_request({"one", "two"}, EmbedPurpose::query));
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(desk.sent()["requests"][0]["taskType"], "RETRIEVAL_QUERY");
  EXPECT_FALSE(desk.sent()["requests"][0].contains("outputDimensionality"));
}

TEST(GeminiEmbeddings, more_than_a_hundred_texts_take_several_calls) {
  for (const std::size_t count : {99U, 100U, 101U}) {
    Desk desk;
    const auto reply = [](std::size_t n) {
      std::string out = R"({"embeddings":[)";
      for (std::size_t i = 0; i < n; ++i)
        out += std::string(i > 0 ? "," : "") + R"({"values":[1]})";
      return net::script(kJsonType, out + "]}");
    };
    if (count > 100) desk.play(reply(100));
    auto got = embed(desk, reply(count > 100 ? count - 100 : count),
                     embed_request(std::vector<std::string>(count, "x")));
    ASSERT_TRUE(got.ok()) << got.error().detail;
    EXPECT_EQ(got->vectors.size(), count);
    EXPECT_EQ(desk.client.sent.size(), count > 100 ? 2U : 1U);
  }
}

TEST(GeminiEmbeddings, replies_are_read_strictly) {
  embeddings_are_read_strictly<Desk>(kGood);
}

}  // namespace
}  // namespace mainstay::models::gemini
