// The memory back end put together.
#include "storage/memory/open.h"

#include "storage/local_leader.h"
#include "storage/local_signal.h"
#include "storage/memory/access_keys.h"
#include "storage/memory/batches.h"
#include "storage/memory/conversations.h"
#include "storage/memory/documents.h"
#include "storage/memory/files.h"
#include "storage/memory/jobs.h"
#include "storage/memory/replies.h"
#include "storage/memory/uploads.h"
#include "storage/memory/vectors.h"

namespace mainstay::storage::memory {
namespace {

class MemoryStores final : public Stores {
 public:
  MemoryStores(Clock& clock, const JobLimits& jobs, const SignalLimits& signal,
               const VectorLimits& vectors)
      : documents_(clock),
        jobs_(clock, jobs, conversations_),
        signal_(clock, signal),
        leader_(clock, roles_),
        replies_(clock),
        files_(clock),
        uploads_(clock, files_),
        vectors_(documents_),
        embeddings_(clock, vectors) {}
  Conversations& conversations() override { return conversations_; }
  Documents& documents() override { return documents_; }
  AccessKeys& access_keys() override { return access_keys_; }
  JobStore& jobs() override { return jobs_; }
  Signal& signal() override { return signal_; }
  Leader& leader() override { return leader_; }
  Replies& replies() override { return replies_; }
  Files& files() override { return files_; }
  Uploads& uploads() override { return uploads_; }
  Batches& batches() override { return batches_; }
  Vectors& vectors() override { return vectors_; }
  EmbeddingCache& embedding_cache() override { return embeddings_; }
  StoreFigures figures() const override {
    StoreFigures out;
    out.operations = out.commits = conversations_.operations();
    return out;
  }
  Status close() override {
    jobs_.close();
    return done();
  }

 private:
  MemoryConversations conversations_;
  MemoryDocuments documents_;
  MemoryAccessKeys access_keys_;
  MemoryJobs jobs_;
  LocalSignal signal_;
  LocalRoles roles_;
  LocalLeader leader_;
  MemoryReplies replies_;
  MemoryFiles files_;
  MemoryUploads uploads_;
  MemoryBatches batches_;
  MemoryVectors vectors_;
  MemoryEmbeddingCache embeddings_;
};

}  // namespace

std::unique_ptr<Stores> open(Clock& clock, const JobLimits& jobs, const SignalLimits& signal,
                             const VectorLimits& vectors) {
  return std::make_unique<MemoryStores>(clock, jobs, signal, vectors);
}

}  // namespace mainstay::storage::memory
