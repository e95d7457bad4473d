// Members of a body: known ones, limits, wrong types.
#include "api/context.h"

#include <gtest/gtest.h>

namespace mainstay::api {
namespace {

Error refusal(const std::string& body) {
  auto object = object_of(body, {"prompt", "model", "collection"});
  EXPECT_FALSE(object.ok()) << body;
  return object.ok() ? Error() : object.error();
}

TEST(Body, known_members_are_taken_in_their_order) {
  auto object = object_of(R"({"model":"m","prompt":"p"})", {"prompt", "model"});
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(dump(*object), R"({"model":"m","prompt":"p"})");
  EXPECT_TRUE(object_of("{}", {"prompt"}).ok());
}

TEST(Body, an_unknown_member_is_refused_by_name_with_the_nearest_one) {
  const Error near = refusal(R"({"promt":"p"})");
  EXPECT_EQ(near.reason, "unknown_field");
  EXPECT_EQ(near.field, "promt");
  EXPECT_NE(near.message.find("Did you mean 'prompt'?"), std::string::npos) << near.message;
  const Error far = refusal(R"({"xyzzy-plugh":1})");
  EXPECT_EQ(far.field, "xyzzy-plugh");
  EXPECT_EQ(far.message, "'xyzzy-plugh' is not known here. Known are: prompt, model, collection.");
}

TEST(Body, a_long_unknown_name_is_cut_at_64_bytes_and_whole_characters) {
  EXPECT_EQ(refusal("{\"" + std::string(63, 'k') + "\":1}").field.size(), 63u);
  EXPECT_EQ(refusal("{\"" + std::string(64, 'k') + "\":1}").field.size(), 64u);
  EXPECT_EQ(refusal("{\"" + std::string(65, 'k') + "\":1}").field.size(), 64u);
  EXPECT_EQ(refusal("{\"" + std::string(63, 'k') + "ü\":1}").field, std::string(63, 'k'));
}

TEST(Body, what_is_no_object_or_no_json_is_refused) {
  EXPECT_EQ(refusal("").reason, "invalid_json");
  EXPECT_EQ(refusal("{").reason, "invalid_json");
  EXPECT_EQ(refusal("{\"prompt\":\"\xff\"}").reason, "invalid_json");
  EXPECT_EQ(refusal("{} x").reason, "invalid_json");
  for (const char* body : {"[]", "null", "5", "\"prompt\"", "true"}) {
    EXPECT_EQ(refusal(body).reason, "invalid_type") << body;
  }
}

TEST(Body, a_text_has_its_limit_in_bytes) {
  const auto outcome = [](std::size_t size) {
    return text_member(Json{{"prompt", std::string(size, 'p')}}, "prompt", {true, 100});
  };
  EXPECT_TRUE(outcome(99).ok());
  EXPECT_EQ(outcome(100)->size(), 100u);
  auto over = outcome(101);
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().code, Errc::too_large);
  EXPECT_EQ(over.error().reason, "field_too_long");
  EXPECT_EQ(over.error().field, "prompt");
}

TEST(Body, a_required_text_is_missing_wrong_or_empty_by_name) {
  const auto reason = [](const char* body) {
    auto text = text_member(*parse_json(body), "prompt", {true, 100});
    EXPECT_FALSE(text.ok()) << body;
    EXPECT_EQ(text.error().code, Errc::invalid);
    EXPECT_EQ(text.error().field, "prompt");
    return text.error().reason;
  };
  EXPECT_EQ(reason("{}"), "missing_field");
  EXPECT_EQ(reason(R"({"prompt":null})"), "missing_field");
  for (const char* body :
       {R"({"prompt":5})", R"({"prompt":["p"]})", R"({"prompt":{}})", R"({"prompt":true})"}) {
    EXPECT_EQ(reason(body), "invalid_type") << body;
  }
  EXPECT_EQ(reason(R"({"prompt":""})"), "empty_field");
  EXPECT_EQ(reason(R"({"prompt":" \n\t "})"), "empty_field");
  EXPECT_EQ(reason(R"({"prompt":"a\u0000b"})"), "control_character");
}

TEST(Body, an_optional_text_may_be_absent_null_or_empty) {
  for (const char* body : {"{}", R"({"title":null})", R"({"title":""})"}) {
    auto text = text_member(*parse_json(body), "title", {});
    ASSERT_TRUE(text.ok()) << body;
    EXPECT_EQ(*text, "");
  }
  EXPECT_FALSE(text_member(*parse_json(R"({"title":1})"), "title", {}).ok());
}

}  // namespace
}  // namespace mainstay::api
