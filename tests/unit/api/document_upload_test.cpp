// Documents that come as files: what is told of one before its job has begun it.
#include "unit/api/job_world.h"

namespace mainstay::api {
namespace {

using namespace test;
using admission::Scope;

struct DocumentUploadTest : JobWorld {
  DocumentUploadTest() {
    settings.limits.enabled = false;
    settings.knowledge.default_collection = "notes";
    settings.uploads.size_max = Bytes{std::uint64_t{1} << 60};
    kinds.add(std::make_unique<IdleKind>("ingest"));
  }
  void SetUp() override { prepare_files(); }
  static Sent form(const std::string& content) {
    Sent sent = upload(content);
    sent.target = "/v1/documents";
    return sent;
  }
  /// The path of a document that was accepted.
  std::string accept(const std::string& content) {
    auto reply = serve(form(content));
    EXPECT_EQ(reply->status, 202) << reply->body;
    return "/v1/documents/" + json(reply->body)["id"].get<std::string>();
  }
};

TEST_F(DocumentUploadTest, a_document_that_was_accepted_is_known_before_its_job_begins) {
  const std::string path = accept("The lighthouse of Genoa.");
  auto reply = serve(get(path));
  ASSERT_EQ(reply->status, 200) << reply->body;
  const Json known = json(reply->body);
  EXPECT_EQ("/v1/documents/" + known["id"].get<std::string>(), path);
  EXPECT_EQ(known["state"], "ingesting");
  EXPECT_EQ(known["collection"], "notes");
  EXPECT_EQ(known["source"], "lines.jsonl");
  EXPECT_EQ(known["chunks"], 0);
  EXPECT_EQ(json(serve(get("/v1/documents"))->body)["data"].size(), 0u);
}

TEST_F(DocumentUploadTest, one_that_is_not_begun_takes_no_new_content) {
  const std::string path = accept("one");
  Sent again = form("two");
  again.target = path + "/content";
  EXPECT_EQ(refused(serve(std::move(again))), "409 document_ingesting");
}

TEST_F(DocumentUploadTest, it_is_unknown_to_other_tenants_and_once_its_job_has_failed) {
  const std::string path = accept("one");
  const std::string other = key("eve", {Scope::knowledge}, "rivals");
  EXPECT_EQ(refused(serve(with_key(get(path), other))), "404 unknown_document");
  EXPECT_EQ(serve(get(path))->status, 200);
  give_up();
  EXPECT_EQ(refused(serve(get(path))), "404 unknown_document");
}

TEST_F(DocumentUploadTest, what_is_too_large_for_the_disk_turns_nobodys_writes_off) {
  int told = 0;
  rooms->disk_was_full = [&told] { ++told; };
  auto reply = serve(post("/v1/uploads", R"({"filename":"a.txt","purpose":"ingest",)"
                                         R"("mime_type":"text/plain","bytes":1000000000000000})"));
  EXPECT_EQ(refused(reply), "507 no_room_for_upload");
  EXPECT_EQ(told, 0);
}

TEST_F(DocumentUploadTest, a_job_that_makes_no_new_document_is_none) {
  auto order = serve(post("/v1/jobs", R"({"kind":"ingest","input":{"document":"doc_old"}})"));
  ASSERT_EQ(order->status, 202) << order->body;
  const std::string job = json(order->body)["id"];
  EXPECT_EQ(refused(serve(get("/v1/documents/doc_" + job.substr(4)))), "404 unknown_document");
  const std::string other = submit();
  EXPECT_EQ(refused(serve(get("/v1/documents/doc_" + other.substr(4)))), "404 unknown_document");
}

}  // namespace
}  // namespace mainstay::api
