// The memory back end put together.
#include "storage/memory/open.h"

#include "storage/memory/access_keys.h"
#include "storage/memory/conversations.h"
#include "storage/memory/documents.h"

namespace mainstay::storage::memory {
namespace {

class MemoryStores final : public Stores {
 public:
  explicit MemoryStores(Clock& clock) : documents_(clock) {}
  Conversations& conversations() override { return conversations_; }
  Documents& documents() override { return documents_; }
  AccessKeys& access_keys() override { return access_keys_; }
  StoreFigures figures() const override {
    StoreFigures out;
    out.operations = out.commits = conversations_.operations();
    return out;
  }
  Status close() override { return done(); }

 private:
  MemoryConversations conversations_;
  MemoryDocuments documents_;
  MemoryAccessKeys access_keys_;
};

}  // namespace

std::unique_ptr<Stores> open(Clock& clock) {
  return std::make_unique<MemoryStores>(clock);
}

}  // namespace mainstay::storage::memory
