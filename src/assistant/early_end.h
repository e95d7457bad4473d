// EarlyEnd: a reader's wish to end an answer before its end, and how far the wish has come.
// Used by assistant (the recorder heeds it) and api (running chats wish it).
#pragma once

#include <atomic>
#include <cstdint>

namespace mainstay::assistant {

/// One answer's. Thread-safe; never waits.
class EarlyEnd {
 public:
  /// The answer is recorded from now on: a wish is heeded with its next chunk.
  void recording() noexcept { step(Stage::asked, Stage::recording); }
  /// True: what there is of the answer will be stored, then stored() is true. False: nothing of it
  /// is recorded yet, and there is nothing to store.
  bool wish() noexcept {
    step(Stage::recording, Stage::wished);
    return stage_.load(std::memory_order_acquire) != Stage::asked;
  }
  bool wished() const noexcept { return stage_.load(std::memory_order_acquire) == Stage::wished; }
  /// What there was has been stored: the rest is not needed.
  void store() noexcept { step(Stage::wished, Stage::stored); }
  bool stored() const noexcept { return stage_.load(std::memory_order_acquire) == Stage::stored; }

 private:
  enum class Stage : std::uint8_t { asked, recording, wished, stored };
  void step(Stage from, Stage to) noexcept {
    stage_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
  }
  std::atomic<Stage> stage_{Stage::asked};
};

}  // namespace mainstay::assistant
