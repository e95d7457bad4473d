// What is asked of a voice turn beside its question: fields of a form, a query or a message.
// Used by voice.cpp and voice_session.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/answering.h"
#include "api/query.h"
#include "assistant/voice.h"
#include "base/json.h"

namespace mainstay::api {

/// One order; every field may be left out.
struct VoiceOrder {
  std::string conversation;  ///< id, or "new"; empty: none
  std::string model;
  std::string collection;
  assistant::VoiceWish wish;
  enum class Reply : std::uint8_t { unsaid, json, stream } reply = Reply::unsaid;
  bool form_said = false;   ///< `format` was given
  bool place_said = false;  ///< `audio` was given
};

/// Reads the fields: conversation_id, model, collection, voice, format, speed, language,
/// hearing_model, speech_model, speak, audio (address, inline), response (json, stream). Others:
/// invalid "unknown_field". Errors: invalid "invalid_value", "invalid_name", "field_too_long",
/// "control_character";
/// unsupported "audio_format_unsupported". Pure.
Result<VoiceOrder> voice_order_of(const Query& fields);
/// The same from the members of a message, which has no `response`; `pass`: members that are
/// somebody else's. Errors: also invalid "invalid_type".
Result<VoiceOrder> voice_order_of(const Json& message,
                                  std::initializer_list<std::string_view> pass);

/// The format that an Accept header names; nullopt: it asks for no sound. Pure.
std::optional<models::AudioForm> accepted_sound(std::string_view accept);

/// The order as one of this request: whose it is, and the conversation that it belongs to ("new"
/// becomes an id). Errors: invalid "invalid_name".
Status bind_order(const Rooms& rooms, const Context& context, VoiceOrder& order);

/// Who answers a voice turn: the same way as a chat request, its conversation, limits and permit.
/// Lives as long as the turn.
class VoiceAsker final : public assistant::Answerer {
 public:
  /// `order` is copied; the others outlive it. `received`: when the question began to come.
  VoiceAsker(const Rooms& rooms, Context& context, VoiceOrder order, TimePoint received)
      : rooms_(rooms), context_(context), order_(std::move(order)), received_(received) {}
  Co<Result<std::unique_ptr<models::ChatStream>>> answer(std::string question,
                                                         Deadline by) override;
  /// The turn goes into its conversation, if it has one. An answer that was interrupted is stored
  /// as far as it was told, with "interrupted": true. Has a deadline of its own.
  Co<Status> keep(assistant::AnswerTold told) override;

 private:
  std::string body_of(const std::string& question) const;
  storage::Turn unfinished() const;
  const Rooms& rooms_;
  Context& context_;
  const VoiceOrder order_;
  const TimePoint received_;
  std::string question_;
  std::shared_ptr<storage::Turn> turn_;  ///< its messages come when the answer was written whole
};

/// The parts of a turn in these rooms.
assistant::VoiceParts voice_parts(const Rooms& rooms, assistant::Answerer& answerer);

/// An event as a message of JSON: {"type":"token","text":"…"}. Pieces of sound hold "base64" unless
/// `sound_apart`. `done` says how the answer came about. Pure but for the context it reads.
std::string voice_event_json(const assistant::VoiceEvent& event, const Context& context,
                             const std::string& conversation, bool sound_apart);
/// {"format","content_type", and where known
/// "sample_rate","channels","id","url","bytes","seconds"}.
Json voice_audio_json(const assistant::VoiceEvent& event);
/// {"type":"error","error":{…}}
std::string voice_error_json(const Error& error);

}  // namespace mainstay::api
