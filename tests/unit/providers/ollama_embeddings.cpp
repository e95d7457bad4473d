// Ollama's /api/embed.
#include "embed_desk.h"
#include "models/ollama/provider.h"

namespace mainstay::models::ollama {
namespace {

using Desk = ProviderDesk<make>;
const std::string kGood =
    R"({"model":"m","embeddings":[[1,0.5,-2e-1],[0,0.25,1]],"total_duration":5,"prompt_eval_count":7})";

TEST(OllamaEmbeddings, texts_go_in_one_call_and_come_back_in_order) {
  Desk desk;
  auto got = embed(desk, net::script(kJsonType, kGood, 9),
                   embed_request({"one \"x\"", "zwei \xc3\xa9"}, EmbedPurpose::query, 3));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  EXPECT_EQ(got->vectors, (std::vector<std::vector<float>>{{1, 0.5F, -0.2F}, {0, 0.25F, 1}}));
  EXPECT_EQ(got->tokens, 7U);
  EXPECT_EQ(desk.client.sent.at(0).address, "http://models.example:11434/api/embed");
  EXPECT_EQ(
      desk.sent(),
      *parse_json(
          R"({"model":"model-5","truncate":true,"dimensions":3,"input":["one \"x\"","zwei é"]})"));
  expect_tagged(desk.client.sent.at(0), "authorization: Bearer sk-secret-7");
}

TEST(OllamaEmbeddings, replies_are_read_strictly) {
  embeddings_are_read_strictly<Desk>(kGood);
}

TEST(OllamaEmbeddings, another_dimension_than_was_asked_for_is_told) {
  Desk desk;
  auto got = embed(desk, net::script(kJsonType, kGood), embed_request({"a", "b"}, {}, 2));
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().reason, "upstream_cannot");
}

}  // namespace
}  // namespace mainstay::models::ollama
