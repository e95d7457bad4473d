// Beginnings of documents: kept while their job may go on with them, removed when it will not.
#include "jobs/document_upkeep.h"

#include "base/task_group.h"
#include "storage/memory/documents.h"
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;

struct DocumentUpkeepTest : JobsWorld {
  DocumentUpkeepTest()
      : group(clock, io.get_executor(), [](const auto&, const auto&) { ADD_FAILURE(); }) {}
  ~DocumentUpkeepTest() override {
    asio::co_spawn(io.get_executor(), group.close(), [](std::exception_ptr) {});
    clock.advance(0s);
  }
  void begin_document(const DocumentId& id) {
    storage::NewDocument head;
    head.id = id;
    head.collection = CollectionName("c");
    ASSERT_TRUE(run(documents.begin(tenant, head, soon())).ok());
  }
  bool there(const DocumentId& id) { return run(documents.get(tenant, id, soon())).ok(); }

  const TenantId tenant{"clinic"};
  storage::memory::MemoryDocuments documents{clock};
  TaskGroup group;
};

TEST_F(DocumentUpkeepTest, ids_of_jobs_and_documents_are_of_one_pair) {
  const storage::JobId job("job_01abc");
  EXPECT_EQ(document_of(job).text(), "doc_01abc");
  EXPECT_EQ(job_of(document_of(job)), job);
  EXPECT_TRUE(job_of(DocumentId("other")).empty());
}

TEST_F(DocumentUpkeepTest, a_beginning_goes_when_its_job_is_gone_or_has_ended) {
  Order later = order(Json::object());
  later.delay = 20h;
  const JobId waits = submit(std::move(later));
  const JobId cancelled = go(Json::object());
  ASSERT_TRUE(run(desk().cancel(caller, cancelled, soon())).ok());
  const DocumentId orphan("doc_none");
  for (const auto& id : {document_of(waits), document_of(cancelled), orphan}) begin_document(id);
  group.spawn("keep", keep_documents(clock, *log, documents, store));
  clock.advance(50min);
  EXPECT_TRUE(there(orphan)) << "young ones are left alone: somebody may be at work";
  clock.advance(30min);
  EXPECT_FALSE(there(orphan));
  EXPECT_FALSE(there(document_of(cancelled)));
  EXPECT_TRUE(there(document_of(waits))) << "its job may go on";
}

}  // namespace
}  // namespace mainstay::jobs
