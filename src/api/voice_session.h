// One WebSocket for voice: what its user says, by voice or in writing, and the turns that answer.
// Used by voice_ws.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/gate.h"
#include "api/voice_intake.h"
#include "api/voice_order.h"
#include "api/ws_door.h"
#include "api/ws_messages.h"
#include "base/event.h"
#include "base/task_group.h"

namespace mainstay::api {

/// Lives in its endpoint's coroutine, on one loop. One coroutine reads; one more for each turn
/// tells its events. A new question ends the turn before it.
class VoiceSession {
 public:
  VoiceSession(const Rooms& rooms, Context& context, net::WebSocket& socket, Badge badge,
               Executor executor);
  /// Until the socket is closed.
  Co<> run();
  /// After run(), however it ended. Must be awaited.
  Co<> close() { return tasks_.close(); }

 private:
  /// A turn with what it uses; shared by the session and the coroutine that tells its events.
  struct Turn {
    Turn(const Rooms& rooms, Context& context, const VoiceOrder& order, Executor executor,
         TimePoint now)
        : asker(rooms, context, order, now),
          turn(voice_parts(rooms, asker), order.wish, executor),
          conversation(order.conversation) {}
    VoiceAsker asker;
    assistant::VoiceTurn turn;
    const std::string conversation;
    bool sounding = false;  ///< its first piece of sound was told
    Deadline by = Deadline::never();
  };

  Co<> handle(net::WebSocketMessage message);
  Co<> take_sound(std::string bytes);
  Co<> take_heard(VoiceIntake::Heard heard);
  Co<> act(Json said, std::string type, std::string id);
  Status start(const Json& said);
  Co<> stop_listening(std::string id);
  Co<> ask_in_writing(Json said, std::string id);
  Co<> ask_with_sound(std::string sound, std::uint32_t rate, std::string id);
  void auth(const Json& said, const std::string& id);
  void forget_sound();
  Co<std::shared_ptr<Turn>> begin_turn(std::string id);
  Co<> tell_turn(std::shared_ptr<Turn> turn);
  Co<> tell_events(std::shared_ptr<Turn> turn);
  Co<Status> tell_sound(std::shared_ptr<Turn> turn, assistant::VoiceEvent event);
  void interrupt();
  void welcome();
  void answer(const std::string& text);
  void refuse(const std::string& id, const Error& error) { answer(error_message(id, error)); }

  const Rooms& rooms_;
  Context& context_;
  net::WebSocket& socket_;
  const VoiceSettings& settings_;
  const Executor executor_;
  SocketGuest guest_;
  Gate gate_;
  VoiceOrder order_;
  std::optional<VoiceIntake> intake_;  ///< while somebody is listened to
  bool bound_ = false;                 ///< something was asked for: the socket stays whose it is
  bool started_ = false;               ///< there was a `start`
  bool barge_in_ = true;               ///< hands-free: a voice ends the answer that is spoken
  std::shared_ptr<Turn> turn_;         ///< the one that answers now
  Event ended_;                        ///< a turn has ended
  TaskGroup tasks_;                    ///< last: it uses all of the above
};

}  // namespace mainstay::api
