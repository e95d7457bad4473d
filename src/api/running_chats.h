// The chats with an Idempotency-Key that run now, so that who asked can stop them: their work goes
// on when the reader leaves, and stops with this alone. Owned by app; used by idempotency.cpp (who
// runs) and chat_stop.cpp (who stops).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "assistant/early_end.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/hold.h"
#include "storage/replies.h"

namespace mainstay::api {

/// The route whose requests are here (ReplyPlace::route).
inline constexpr std::string_view kStoppable = "createChatCompletion";

/// Thread-safe; no call but ended() waits. As many entries as chats run.
class RunningChats {
 public:
  explicit RunningChats(Clock& clock) : clock_(clock), ended_(clock) {}
  /// `hold` is kept for the chat already: stopping it drops that, and counts its reader as gone.
  /// False: it was stopped before it began, and must not run.
  bool add(const storage::ReplyPlace& place, std::shared_ptr<Hold> hold,
           std::shared_ptr<assistant::EarlyEnd> early_end);
  /// The chat ends. True: it was stopped and its hold dropped; its reply is not to be kept.
  bool remove(const storage::ReplyPlace& place);
  enum class Stopping : std::uint8_t {
    unknown,  ///< nothing runs there; what comes there within kStopHolds will not run
    soon,     ///< its answer is being recorded: what there is of it is stored at the next chunk
    now,      ///< it ends, or goes on for others that wait for the same
  };
  Stopping stop(const storage::ReplyPlace& place);
  /// The same for one that stop() told to end soon and that has no next chunk.
  void end_now(const storage::ReplyPlace& place);
  bool runs(const storage::ReplyPlace& place);
  /// Until nothing runs there, or the deadline.
  Co<> ended(storage::ReplyPlace place, Deadline by);

  /// For a request that is slower than the word that stops it.
  static constexpr Duration kStopHolds = std::chrono::seconds(10);
  static constexpr std::size_t kStoppedMax = 256;  ///< remembered; the oldest are forgotten first

 private:
  struct Running {
    std::shared_ptr<Hold> hold;
    std::shared_ptr<assistant::EarlyEnd> early_end;
    bool dropped = false;
  };
  struct Stopped {
    storage::ReplyPlace place;
    TimePoint until;
  };
  void remember(const storage::ReplyPlace& place);
  static void drop(Running& one);
  Clock& clock_;
  Event ended_;  ///< one of them
  std::mutex mutex_;
  std::map<storage::ReplyPlace, Running> running_;
  std::deque<Stopped> stopped_;
};

}  // namespace mainstay::api
