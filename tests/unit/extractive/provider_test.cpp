// The built-in answerer as a provider: OpenAI's shape, citations, streams, plain words.
#include "unit/extractive/library_of_corpus.h"

namespace mainstay::models::extractive {
namespace {

TEST(Provider, answers_in_openais_shape_with_citations) {
  Desk desk;
  const Json reply = desk.ask(desk.request("Who started Heron?"));
  EXPECT_EQ(reply["object"], "chat.completion");
  EXPECT_EQ(reply["model"], "mainstay/extractive");
  EXPECT_TRUE(reply["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(reply["choices"][0]["message"]["role"], "assistant");
  EXPECT_NE(Desk::text(reply).find("[1]"), std::string::npos);
  EXPECT_GT(reply["usage"]["prompt_tokens"], 0);
  EXPECT_GT(reply["usage"]["completion_tokens"], 0);
  ASSERT_FALSE(reply["citations"].empty());
  const Json& cited = reply["citations"][0];
  EXPECT_EQ(cited["title"], "Heron");
  EXPECT_EQ(cited["source"], "readme.md");
  EXPECT_TRUE(cited["document"].get<std::string>().starts_with("doc_"));
  EXPECT_GT(cited["score"], 0.0);
  std::ifstream in(std::string(CORPUS) + "/readme.md", std::ios::binary);
  std::ostringstream file;
  file << in.rdbuf();
  const auto start = cited["position"]["start"].get<std::size_t>();
  const auto end = cited["position"]["end"].get<std::size_t>();
  EXPECT_EQ(file.str().substr(start, end - start), cited["text"].get<std::string>())
      << "the position points at the text in the file";
}

TEST(Provider, every_mark_has_its_citation) {
  Desk desk;
  for (const char* question : {"What is Heron?", "How do I install Heron?", "How do I descale?",
                               "What are the network settings?", "When is the clinic open?"}) {
    const Json reply = desk.ask(desk.request(question));
    const std::string text = Desk::text(reply);
    const std::size_t count = reply["citations"].size();
    EXPECT_LE(count, 5u);
    for (std::size_t n = 1; n <= count; ++n) {
      EXPECT_NE(text.find("[" + std::to_string(n) + "]"), std::string::npos) << question << text;
    }
    EXPECT_EQ(text.find("[" + std::to_string(count + 1) + "]"), std::string::npos);
  }
}

TEST(Provider, what_something_is_is_found_among_many_passages_that_name_it_more_often) {
  Desk desk;
  for (int i = 0; i < 40; ++i) {
    desk.add_text("note" + std::to_string(i),
                  "heron.toml and heron --verbose, note " + std::to_string(i) + " of heron");
  }
  const std::string text = Desk::text(desk.ask(desk.request("What is Heron?")));
  EXPECT_NE(text.find("backup server for small offices"), std::string::npos) << text;
}

TEST(Provider, a_block_of_code_is_quoted_whole_and_ends_as_markdown_wants) {
  Desk desk;
  desk.add_text("gizmo.md",
                "# Gizmo\n\nTo install gizmo, run this:\n\n```sh\napt update\n"
                "apt install gizmo \\\n    --yes\ngizmo init\n```\n\nThat is all.\n",
                "markdown");
  const Json reply = desk.ask(desk.request("How do I install gizmo?"));
  const std::string code = "apt update\napt install gizmo \\\n    --yes\ngizmo init";
  EXPECT_NE(Desk::text(reply).find("```\n" + code + "\n```\n["), std::string::npos)
      << Desk::text(reply);
  const auto cites = [&](const Json& one) { return one["text"] == code; };
  EXPECT_TRUE(std::any_of(reply["citations"].begin(), reply["citations"].end(), cites));
}

TEST(Provider, lines_without_a_word_do_not_end_a_block_and_a_step_keeps_its_code) {
  Desk desk;
  desk.add_text("widget.md",
                "# Widget\n\nTo configure the widget:\n\n1. Write the widget's configuration:\n\n"
                "```json\n{\n  \"widget\": {\n    \"size\": 2\n  },\n  \"colour\": \"red\"\n}\n"
                "```\n\nDone.\n",
                "markdown");
  const Json reply = desk.ask(desk.request("How do I configure the widget?"));
  EXPECT_NE(Desk::text(reply).find("\"size\": 2\n  },\n  \"colour\": \"red\""), std::string::npos)
      << Desk::text(reply);
}

TEST(Provider, a_list_that_a_sentence_announces_comes_with_it) {
  Desk desk;
  desk.add_text("pancakes.md",
                "# Pancakes\n\nThe ingredients of the pancakes are:\n\n- flour\n- milk\n"
                "- two eggs\n- salt\n\nStir well.\n",
                "markdown");
  const std::string text =
      Desk::text(desk.ask(desk.request("What are the ingredients of the pancakes?")));
  EXPECT_NE(text.find("- flour\n- milk\n- two eggs\n- salt [2]"), std::string::npos) << text;
}

TEST(Provider, citations_have_the_heading_of_their_passage) {
  Desk desk;
  const Json reply = desk.ask(desk.request("What is Heron?"));
  EXPECT_TRUE(reply["citations"][0].contains("heading")) << dump(reply);
}

TEST(Provider, the_same_question_gets_the_same_answer) {
  Desk one;
  Desk two;
  const Json first = one.ask(one.request("How do I install Heron?"));
  const Json again = one.ask(one.request("How do I install Heron?"));
  const Json other = two.ask(two.request("How do I install Heron?"));
  EXPECT_EQ(Desk::text(first), Desk::text(again));
  EXPECT_EQ(Desk::text(first), Desk::text(other));
}

TEST(Provider, streams_the_same_words_and_citations) {
  Desk desk;
  ChatRequest request = desk.request("How do I restore a file?");
  request.stream = true;
  request.include_usage = true;
  const Json whole = desk.ask(request);
  Attempt attempt;
  attempt.by = desk.ground.soon();
  AttemptTimings timings;
  auto stream = desk.ground.run(desk.provider.stream(request, attempt, timings));
  ASSERT_TRUE(stream.ok());
  std::vector<ChatChunk> chunks;
  for (;;) {
    auto next = desk.ground.run((*stream)->next(desk.ground.soon()));
    ASSERT_TRUE(next.ok());
    if (!*next) break;
    chunks.push_back(**next);
  }
  ASSERT_GT(chunks.size(), 5u) << "word by word";
  std::string text;
  int finishes = 0;
  for (const auto& chunk : chunks) {
    auto json = parse_json(chunk.json);
    ASSERT_TRUE(json.ok());
    EXPECT_EQ((*json)["object"], "chat.completion.chunk");
    if ((*json)["choices"].empty()) continue;
    const Json& choice = (*json)["choices"][0];
    text += choice["delta"].value("content", std::string());
    EXPECT_EQ(chunk.finish, !choice["finish_reason"].is_null());
    finishes += chunk.finish ? 1 : 0;
    if (chunk.finish) {
      EXPECT_EQ(choice["finish_reason"], "stop");
      EXPECT_EQ((*json)["citations"], whole["citations"]);
    } else {
      EXPECT_FALSE(json->contains("citations"));
    }
  }
  EXPECT_EQ(finishes, 1);
  EXPECT_EQ(text, Desk::text(whole));
  EXPECT_TRUE(chunks.back().usage.known);
  EXPECT_EQ((*parse_json(chunks.front().json))["choices"][0]["delta"]["role"], "assistant");
}

TEST(Provider, says_plainly_what_it_cannot_answer) {
  Desk desk;
  const Json unknown = desk.ask(desk.request("Who won the football world cup in 1998?"));
  EXPECT_EQ(Desk::text(unknown), "I do not know: nothing in the documents answers this.");
  EXPECT_TRUE(unknown["citations"].empty());
  const Json greeting = desk.ask(desk.request("Hello!"));
  EXPECT_NE(Desk::text(greeting).find("built-in answerer"), std::string::npos);
  Desk empty(false);
  EXPECT_NE(Desk::text(empty.ask(empty.request("Which port?"))).find("mainstay ingest"),
            std::string::npos);
}

TEST(Provider, follow_up_questions_use_the_one_before) {
  Desk desk;
  const Json reply = desk.ask(desk.conversation(
      Json::array({{{"role", "user"}, {"content", "What does Heron require to be installed?"}},
                   {{"role", "assistant"}, {"content", "A 64-bit Linux machine."}},
                   {{"role", "user"}, {"content", "And how much memory?"}}})));
  EXPECT_NE(Desk::text(reply).find("512 MB"), std::string::npos) << Desk::text(reply);
}

TEST(Provider, looks_only_in_the_collection_and_tenant_asked_for) {
  Desk desk;
  ChatRequest request = desk.request("Who is the head physician?");
  request.collection = CollectionName("clinic");
  EXPECT_NE(Desk::text(desk.ask(request)).find("Okafor"), std::string::npos);
  request.collection = CollectionName("manuals");
  EXPECT_EQ(Desk::text(desk.ask(request)).find("Okafor"), std::string::npos);
  request.collection.reset();
  request.tenant = TenantId("others");
  EXPECT_NE(Desk::text(desk.ask(request)).find("no documents"), std::string::npos);
}

TEST(Provider, refuses_what_one_text_cannot_be) {
  Desk desk;
  const auto asked = [&](const char* member, const Json& value) -> std::string {
    ChatRequest request = desk.request("Who started Heron?");
    Json body = *parse_json(request.body);
    body[member] = value;
    request.body = dump(body);
    if (std::string_view(member) == "n") request.choices = value.get<std::uint32_t>();
    Attempt attempt;
    attempt.by = desk.ground.soon();
    AttemptTimings timings;
    auto whole = desk.ground.run(desk.provider.complete(request, attempt, timings));
    auto stream = desk.ground.run(desk.provider.stream(request, attempt, timings));
    EXPECT_EQ(whole.ok(), stream.ok()) << member;
    if (whole.ok()) return "answered";
    return whole.error().reason + " " + whole.error().field;
  };
  EXPECT_EQ(asked("response_format", {{"type", "json_object"}}), "upstream_cannot response_format");
  EXPECT_EQ(asked("response_format", {{"type", "json_schema"}, {"json_schema", Json::object()}}),
            "upstream_cannot response_format");
  EXPECT_EQ(asked("response_format", {{"type", "text"}}), "answered");
  EXPECT_EQ(asked("n", 2), "upstream_cannot n");
  EXPECT_EQ(asked("n", 1), "answered");
  EXPECT_EQ(asked("tool_choice", "required"), "upstream_cannot tool_choice");
  EXPECT_EQ(asked("tool_choice", {{"type", "function"}, {"function", {{"name", "f"}}}}),
            "upstream_cannot tool_choice");
  EXPECT_EQ(asked("tool_choice", "auto"), "answered");
}

TEST(Provider, reads_nothing_for_a_request_that_may_not_read_documents) {
  Desk desk;
  ChatRequest request = desk.request("Who is the head physician?");
  ASSERT_NE(Desk::text(desk.ask(request)).find("Okafor"), std::string::npos);
  request.documents = false;
  const Json reply = desk.ask(request);
  EXPECT_NE(Desk::text(reply).find("may not read"), std::string::npos) << Desk::text(reply);
  EXPECT_TRUE(reply["citations"].empty());
}

TEST(Provider, content_in_parts_and_max_tokens_are_understood) {
  Desk desk;
  const Json parts = Json::array({{{"type", "text"}, {"text", "Who started Heron?"}}});
  ChatRequest request = desk.conversation(Json::array({{{"role", "user"}, {"content", parts}}}));
  const Json whole = desk.ask(request);
  EXPECT_NE(Desk::text(whole).find("Solberg"), std::string::npos);
  request.body.insert(1, "\"max_tokens\":5,");
  const Json cut = desk.ask(request);
  EXPECT_EQ(cut["choices"][0]["finish_reason"], "length");
  EXPECT_LE(cut["usage"]["completion_tokens"], 5);
}

TEST(Provider, odd_requests_do_no_harm) {
  Desk desk;
  for (const Json& messages :
       {Json::array(), Json::array({{{"role", "system"}, {"content", "x"}}}),
        Json::array({{{"role", "user"}, {"content", nullptr}}}),
        Json::array({{{"role", "user"}, {"content", ""}}}),
        Json::array({{{"role", "user"}, {"content", std::string(100'000, '"')}}})}) {
    EXPECT_NE(Desk::text(desk.ask(desk.conversation(messages))), "");
  }
}

TEST(Provider, names_its_model) {
  Desk desk;
  auto models = desk.ground.run(desk.provider.models(desk.ground.soon()));
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->front().id, "mainstay/extractive");
  EXPECT_FALSE(models->front().tools);
}

}  // namespace
}  // namespace mainstay::models::extractive
