// Topics and data of news.
#include "jobs/news.h"

#include <gtest/gtest.h>

namespace mainstay::jobs {
namespace {

TEST(News, two_users_never_share_a_topic) {
  const auto topic = [](const char* tenant, const char* user) {
    return topic_of(storage::Owner{TenantId(tenant), UserId(user)});
  };
  EXPECT_EQ(topic("t", "ann"), "user:t/ann");
  EXPECT_NE(topic("a/b", "c"), topic("a", "b/c"));
  EXPECT_NE(topic("a%2Fb", "c"), topic("a/b", "c"));
  EXPECT_NE(topic("a", ""), topic("", "a"));
}

TEST(News, every_type_has_a_name_that_leads_back) {
  for (int i = 0; i <= static_cast<int>(EventType::missed); ++i) {
    const auto type = static_cast<EventType>(i);
    EXPECT_EQ(event_type(name(type)), type);
  }
  EXPECT_FALSE(event_type("other"));
}

storage::Job some_job() {
  storage::Job job;
  job.job.id = storage::JobId("job_1");
  job.job.client = "tab\"7";
  job.job.kind = "chat";
  job.attempts = 2;
  return job;
}

TEST(News, data_says_whose_it_is_and_comes_back) {
  const auto data = event_data(some_job(), storage::JobState::running, Json{{"text", "Hi"}});
  EXPECT_EQ(data, R"({"job":"job_1","client":"tab\"7","kind":"chat","state":"running",)"
                  R"("attempt":2,"text":"Hi"})");
  const auto event = event_of({"1-2", "token", data});
  ASSERT_TRUE(event);
  EXPECT_EQ(event->at, "1-2");
  EXPECT_EQ(event->type, EventType::token);
  EXPECT_EQ(event->job.text(), "job_1");
  EXPECT_EQ(event->client, "tab\"7");
  EXPECT_FALSE(event_of({"1-2", "cancel", data})) << "not of a job's news";
  EXPECT_FALSE(event_of({"1-2", "token", "{"}));
}

TEST(News, a_result_up_to_its_limit_is_part_of_the_end) {
  storage::Job job = some_job();
  job.state = storage::JobState::succeeded;
  job.result = R"({"a":1})";
  EXPECT_NE(end_of(job, 7).data.find(R"("result":{"a":1})"), std::string::npos);
  EXPECT_EQ(end_of(job, 6).data.find("result"), std::string::npos);
  job.state = storage::JobState::dead;
  job.failure = {"code_x", "Sentence."};
  EXPECT_NE(end_of(job, 7).data.find(R"("error":{"code":"code_x","message":"Sentence."})"),
            std::string::npos);
  EXPECT_EQ(end_of(job, 7).data.find("result"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::jobs
