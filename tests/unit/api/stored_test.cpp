// /v1/models, /v1/conversations, /v1/documents and /v1/search.
#include "unit/api/world.h"

namespace mainstay::api {
namespace {

using namespace test;

struct StoredTest : World {
  void SetUp() override { settings.limits.enabled = false; }
  Sent remove(std::string target) {
    Sent sent = get(std::move(target));
    sent.method = "DELETE";
    return sent;
  }
  models::ModelInfo model(const char* id) {
    models::ModelInfo info;
    info.id = id;
    info.provider = "provider-x";
    info.context = 8192;
    info.images = true;
    return info;
  }
  std::string add(const std::string& text, const std::string& source) {
    auto reply = serve(post("/v1/documents", R"({"text":")" + text + R"(","source":")" + source +
                                                 R"(","collection":"notes","format":"markdown"})"));
    EXPECT_EQ(reply->status, 201) << reply->body;
    return json(reply->body)["id"].get<std::string>();
  }
};

TEST_F(StoredTest, models_are_listed_with_what_they_can_do) {
  models.infos = {model("auto"), model("mainstay/extractive")};
  const Json list = json(serve(get("/v1/models"))->body);
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][0]["id"], "auto");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["owned_by"], "provider-x");
  EXPECT_EQ(list["data"][0]["context_window"], 8192);
  EXPECT_EQ(dump(list["data"][0]["capabilities"]), R"(["chat","stream","tools","images"])");
}

TEST_F(StoredTest, a_model_is_found_by_its_id_written_plainly_or_percent_encoded) {
  models.infos = {model("auto"), model("mainstay/extractive"), model("llama3:8b")};
  for (const char* path : {"/v1/models/mainstay/extractive", "/v1/models/mainstay%2Fextractive",
                           "/v1/models/mainstay%2fextractive"}) {
    auto reply = serve(get(path));
    EXPECT_EQ(reply->status, 200) << path;
    EXPECT_EQ(json(reply->body)["id"], "mainstay/extractive");
  }
  EXPECT_EQ(serve(get("/v1/models/llama3%3A8b"))->status, 200);
}

TEST_F(StoredTest, a_model_is_found_by_the_other_names_that_chat_takes) {
  models.infos = {model("llama3.2:latest")};
  models.others = {model("olla/llama3.2")};
  auto reply = serve(get("/v1/models/olla/llama3.2"));
  EXPECT_EQ(reply->status, 200) << reply->body;
  EXPECT_EQ(json(reply->body)["id"], "olla/llama3.2");
}

TEST_F(StoredTest, an_unknown_model_is_404_with_the_nearest_name) {
  models.infos = {model("auto"), model("llama3")};
  auto reply = serve(get("/v1/models/lama3"));
  EXPECT_EQ(refused(reply), "404 unknown_model");
  EXPECT_NE(reply->body.find("llama3"), std::string::npos);
}

TEST_F(StoredTest, an_id_with_a_broken_escape_is_refused) {
  for (const char* path :
       {"/v1/models/%", "/v1/models/%4", "/v1/documents/%zz", "/v1/conversations/%ff"}) {
    const int status = serve(get(path))->status;
    EXPECT_TRUE(status == 400 || status == 404) << path << " " << status;
  }
}

TEST_F(StoredTest, conversations_are_listed_page_by_page_newest_first) {
  for (const char* id : {"conv-1", "conv-2", "conv-3"}) {
    serve(chat(std::string(R"(,"conversation":")") + id + "\""));
    clock.advance(1s);
  }
  const Json first = json(serve(get("/v1/conversations?limit=2"))->body);
  ASSERT_EQ(first["data"].size(), 2u);
  EXPECT_EQ(first["data"][0]["id"], "conv-3");
  EXPECT_EQ(first["data"][0]["title"], "Capital?");
  EXPECT_EQ(first["has_more"], true);
  const Json rest = json(serve(get("/v1/conversations?limit=2&after=conv-2"))->body);
  ASSERT_EQ(rest["data"].size(), 1u);
  EXPECT_EQ(rest["data"][0]["id"], "conv-1");
  EXPECT_EQ(rest["has_more"], false);
}

TEST_F(StoredTest, a_conversation_is_read_page_by_page_and_deleted) {
  for (int i = 0; i < 2; ++i) serve(chat(R"(,"conversation":"conv:1")"));
  const Json page = json(serve(get("/v1/conversations/conv:1?limit=3"))->body);
  EXPECT_EQ(page["messages"].size(), 3u);
  EXPECT_EQ(page["has_more"], true);
  const std::string last = page["messages"][2]["id"].get<std::string>();
  const Json rest = json(serve(get("/v1/conversations/conv%3A1?limit=3&after=" + last))->body);
  EXPECT_EQ(rest["messages"].size(), 1u) << "a ':' may come percent-encoded";
  EXPECT_EQ(rest["has_more"], false);
  const Json gone = json(serve(remove("/v1/conversations/conv:1"))->body);
  EXPECT_EQ(gone["deleted"], true);
  EXPECT_EQ(gone["id"], "conv:1");
  EXPECT_EQ(refused(serve(get("/v1/conversations/conv:1"))), "404 unknown_conversation");
  EXPECT_EQ(refused(serve(remove("/v1/conversations/conv:1"))), "404 unknown_conversation");
}

TEST_F(StoredTest, a_conversation_belongs_to_its_user_alone) {
  settings.auth.keys = {Secret("sk-one"), Secret("sk-two")};
  serve(chat(R"(,"conversation":"conv-1")").with("x-api-key", "sk-one"));
  EXPECT_EQ(serve(get("/v1/conversations/conv-1").with("x-api-key", "sk-one"))->status, 200);
  EXPECT_EQ(refused(serve(get("/v1/conversations/conv-1").with("x-api-key", "sk-two"))),
            "404 unknown_conversation");
  const auto theirs = serve(chat(R"(,"conversation":"conv-1")").with("x-api-key", "sk-two"));
  EXPECT_EQ(theirs->status, 404) << theirs->body;
  EXPECT_EQ(json(serve(get("/v1/conversations").with("x-api-key", "sk-two"))->body)["data"].size(),
            0u);
}

TEST_F(StoredTest, wrong_limits_and_queries_are_refused) {
  EXPECT_EQ(refused(serve(get("/v1/conversations?limit=0"))), "400 out_of_range");
  EXPECT_EQ(refused(serve(get("/v1/conversations?limit=101"))), "400 out_of_range");
  EXPECT_EQ(serve(get("/v1/conversations?limit=100"))->status, 200);
  EXPECT_EQ(refused(serve(get("/v1/documents?collection=a%20b"))), "400 invalid_name");
  EXPECT_EQ(refused(serve(get("/v1/documents?limit=%"))), "400 invalid_query");
}

TEST_F(StoredTest, a_document_is_added_found_listed_and_deleted) {
  const std::string id = add("# Atlas\\n\\nBern is the capital of Switzerland.\\n", "atlas.md");
  const Json info = json(serve(get("/v1/documents/" + id))->body);
  EXPECT_EQ(info["title"], "Atlas");
  EXPECT_EQ(info["source"], "atlas.md");
  EXPECT_EQ(info["collection"], "notes");
  EXPECT_EQ(info["media_type"], "text/markdown");
  const Json found =
      json(serve(post("/v1/search", R"({"query":"capital of Switzerland","collection":"notes"})"))
               ->body);
  ASSERT_EQ(found["data"].size(), 1u);
  EXPECT_EQ(found["data"][0]["document"], id);
  EXPECT_NE(found["data"][0]["text"].get<std::string>().find("Bern"), std::string::npos);
  EXPECT_EQ(json(serve(get("/v1/documents?collection=notes"))->body)["data"].size(), 1u);
  EXPECT_EQ(json(serve(get("/v1/documents?collection=others"))->body)["data"].size(), 0u);
  EXPECT_EQ(json(serve(remove("/v1/documents/" + id))->body)["deleted"], true);
  EXPECT_EQ(serve(get("/v1/documents/" + id))->status, 404);
}

TEST_F(StoredTest, the_passages_of_a_document_are_read_page_by_page_or_from_a_byte) {
  std::string text;
  for (const char* name : {"one", "two", "three"}) {
    text += std::string("# Part ") + name + R"(\n\n)";
    for (int i = 0; i < 40; ++i) text += std::string("Words of part ") + name + " come here. ";
    text += R"(\n\n)";
  }
  const std::string path = "/v1/documents/" + add(text, "parts.md") + "/passages";
  const Json all = json(serve(get(path))->body);
  const auto total = all["total"].get<std::size_t>();
  ASSERT_GE(total, 3u);
  ASSERT_EQ(all["data"].size(), total);
  EXPECT_EQ(all["has_more"], false);
  std::vector<Json> read;
  for (bool more = true; more;) {
    const Json page = json(serve(get(path + "?limit=1&from=" + std::to_string(read.size())))->body);
    ASSERT_EQ(page["data"].size(), 1u);
    read.push_back(page["data"][0]);
    more = page["has_more"].get<bool>();
  }
  EXPECT_EQ(Json(read), all["data"]);
  for (std::size_t i = 0; i < total; ++i) {
    EXPECT_EQ(read[i]["number"], i);
    const auto start = read[i]["position"]["start"].get<std::uint64_t>();
    for (const std::uint64_t byte : {start, start + 1}) {
      const Json page = json(serve(get(path + "?limit=1&at=" + std::to_string(byte)))->body);
      EXPECT_EQ(page["data"][0]["number"], i) << byte;
    }
  }
  const Json beyond = json(serve(get(path + "?from=" + std::to_string(total)))->body);
  EXPECT_TRUE(beyond["data"].empty());
  EXPECT_EQ(beyond["has_more"], false);
  EXPECT_EQ(json(serve(get(path + "?at=99999999"))->body)["data"][0]["number"], total - 1);
  EXPECT_EQ(json(serve(get(path + "?limit=100"))->body)["total"], total);
  for (const char* wrong : {"?limit=101", "?limit=0", "?from=-1", "?at=x", "?from="}) {
    EXPECT_EQ(refused(serve(get(path + wrong))), "400 out_of_range") << wrong;
  }
  EXPECT_EQ(refused(serve(get("/v1/documents/doc_0/passages"))).substr(0, 3), "404");
}

TEST_F(StoredTest, the_same_document_again_is_200_and_a_new_text_replaces_it) {
  add("alpha beta", "a.md");
  auto again = serve(
      post("/v1/documents",
           R"({"text":"alpha beta","source":"a.md","collection":"notes","format":"markdown"})"));
  EXPECT_EQ(again->status, 200);
  EXPECT_EQ(json(again->body)["existed"], true);
  auto newer = serve(post(
      "/v1/documents", R"({"text":"gamma","source":"a.md","collection":"notes","format":"text"})"));
  EXPECT_EQ(newer->status, 201);
  EXPECT_EQ(json(newer->body)["replaced"], true);
}

TEST_F(StoredTest, a_search_has_its_limits) {
  settings.knowledge.search_max = 3;
  const auto status = [this](const char* limit) {
    return serve(post("/v1/search", std::string(R"({"query":"q","limit":)") + limit + "}"))->status;
  };
  EXPECT_EQ(status("0"), 400);
  EXPECT_EQ(status("1"), 200);
  EXPECT_EQ(status("3"), 200);
  EXPECT_EQ(status("4"), 400);
  EXPECT_EQ(status("\"3\""), 400);
  EXPECT_EQ(status("-1"), 400);
  const auto sized = [this](std::size_t size) {
    return serve(post("/v1/search", R"({"query":")" + std::string(size, 'q') + "\"}"))->status;
  };
  EXPECT_EQ(sized(8191), 200);
  EXPECT_EQ(sized(8192), 200);
  EXPECT_EQ(sized(8193), 413);
}

}  // namespace
}  // namespace mainstay::api
