// Which endpoint a method and path lead to.
#include "api/routes.h"

#include <gtest/gtest.h>

#include <set>

namespace mainstay::api {
namespace {

std::string operation(std::string_view method, std::string_view path) {
  const Matched found = match(method, path);
  if (found.route == nullptr) return found.allowed.empty() ? "none" : "only " + found.allowed;
  return std::string(found.route->operation);
}

TEST(Routes, each_route_is_found_by_its_own_method_and_path) {
  std::set<std::string_view> operations;
  for (const auto& route : routes()) {
    EXPECT_TRUE(operations.insert(route.operation).second) << route.operation;
    std::string path(route.path);
    if (const auto brace = path.find("{id}"); brace != std::string::npos) {
      path.replace(brace, 4, "some-id");
      EXPECT_EQ(match(route.method, path).param, "some-id") << route.path;
    }
    EXPECT_EQ(match(route.method, path).route, &route) << route.path;
  }
  EXPECT_GE(operations.size(), 17u);
}

TEST(Routes, a_path_that_is_not_there_allows_nothing) {
  for (const char* path : {"/assets", "", "/v1", "/v1/chat", "/v1/chat/completions/", "/V1/models",
                           "//v1/models", "/v1/models/", "/v1/documents/", "/health/other",
                           "/v1/documents/a/b", "/v1/conversations/a/b", "/chat?x=1"}) {
    EXPECT_EQ(operation("GET", path), "none") << path;
    EXPECT_EQ(operation("POST", path), "none") << path;
  }
}

TEST(Routes, a_wrong_method_is_told_the_right_ones) {
  EXPECT_EQ(operation("GET", "/chat"), "only POST");
  EXPECT_EQ(operation("PUT", "/v1/documents"), "only POST, GET");
  EXPECT_EQ(operation("PUT", "/v1/conversations/conv_1"), "only GET, POST, DELETE");
  EXPECT_EQ(operation("get", "/health"), "only GET") << "methods have a case";
  EXPECT_EQ(operation("OPTIONS", "/health"), "only GET");
}

TEST(Routes, head_is_answered_where_get_is) {
  EXPECT_EQ(operation("HEAD", "/health"), "health");
  EXPECT_EQ(operation("HEAD", "/v1/models/auto"), "getModel");
  EXPECT_EQ(operation("HEAD", "/chat"), "only POST");
}

TEST(Routes, a_models_id_may_hold_slashes_and_others_may_not) {
  EXPECT_EQ(match("GET", "/v1/models/mainstay/extractive").param, "mainstay/extractive");
  EXPECT_EQ(match("GET", "/v1/models/a/b/c").param, "a/b/c");
  EXPECT_EQ(operation("GET", "/v1/documents/doc_1/chunks"), "none");
}

TEST(Routes, words_may_follow_an_id) {
  EXPECT_EQ(operation("GET", "/v1/jobs/job_1/events"), "jobEvents");
  EXPECT_EQ(match("GET", "/v1/jobs/job_1/events").param, "job_1");
  EXPECT_EQ(operation("POST", "/v1/jobs/job_1/retry"), "retryJob");
  EXPECT_EQ(operation("GET", "/v1/jobs/events"), "getJob") << "an id like any other";
  for (const char* path : {"/v1/jobs//events", "/v1/jobs/a/b/events", "/v1/jobs/a/events/",
                           "/v1/jobs/a/event", "/v1/jobs/aevents", "/v1/jobs/"}) {
    EXPECT_EQ(operation("GET", path) == "jobEvents", false) << path;
  }
  EXPECT_EQ(operation("GET", "/v1/jobs/a/b/events"), "none");
  EXPECT_EQ(operation("PUT", "/v1/jobs/a/retry"), "only POST");
}

TEST(Routes, what_changes_or_costs_something_is_behind_the_door_and_counted) {
  for (const auto& route : routes()) {
    const bool admin = route.path.starts_with("/admin/");
    EXPECT_EQ(route.access == Access::admin, admin) << route.path;
    // Pages, and what browsers say of them: nothing is stored, and no model is asked.
    const bool page = route.path == "/" || route.path.starts_with("/assets/") ||
                      route.path.starts_with("/console/");
    // The upload that they belong to was counted; their number and their bytes are bounded.
    const bool part = route.operation == "addUploadPart";
    // Stopping a chat makes less work, and must get through when its asker's limits are used up.
    const bool stop = route.operation == "cancelChatCompletion";
    if (route.method == "POST" && !page && !part && !stop) {
      // An administrator must get through when everybody's limits are used up.
      EXPECT_EQ(route.counted, admin ? Counted::no : Counted::yes) << route.path;
    }
    if (route.method != "GET" && !page) {
      EXPECT_NE(route.access, Access::open) << route.path;
    }
    const bool open = page || route.path.starts_with("/health") || route.path == "/openapi.json";
    EXPECT_EQ(route.access == Access::open, open) << route.path;
  }
}

}  // namespace
}  // namespace mainstay::api
