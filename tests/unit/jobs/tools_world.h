// The world of jobs with what the real kinds work with: scripted models, real memory stores, a post
// office that keeps its letters.
// Used by the tests of the kinds.
#pragma once

#include "jobs/all_kinds.h"
#include "storage/memory/documents.h"
#include "unit/assistant/world.h"
#include "unit/jobs/world.h"

namespace mainstay::jobs::test {

class FakePost final : public Post {
 public:
  Co<Result<Receipt>> send(Letter letter, Deadline) override {
    letters.push_back(std::move(letter));
    if (hangs != nullptr) co_await sleep(*hangs, 1h);
    if (error) co_return *error;
    Receipt receipt;
    receipt.status = status;
    receipt.retry_after = retry_after;
    co_return receipt;
  }
  std::vector<Letter> letters;
  int status = 204;
  std::chrono::milliseconds retry_after{0};
  std::optional<Error> error;
  Clock* hangs = nullptr;  ///< set: receivers take the letter and say nothing
};

struct ToolsWorld : JobsWorld {
  Tools tools() {
    const auto in_force = [this] { return InForce{{}, &settings, &assistant, &models, &library}; };
    Tools out{settings, clock, random, *log, in_force, store, post, {}, {}, {}};
    out.status_of = [](const Error& error) { return error.code == Errc::invalid ? 400 : 503; };
    out.body_of = [](const Error& error) {
      return dump(Json{{"error", {{"message", error.message}, {"code", error.reason}}}});
    };
    return out;
  }
  ~ToolsWorld() override { close_workers(); }

  FakePost post;
  assistant::test::FakeModels models;
  assistant::test::FakePassages passages;
  storage::memory::MemoryDocuments documents{clock};
  OffloadPool pool{"test", 1, 16};
  assistant::Assistant assistant{settings, clock, random, models, passages, conversations};
  knowledge::Library library{settings.knowledge, clock, random, pool, documents};
};

}  // namespace mainstay::jobs::test
