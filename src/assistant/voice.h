// One spoken turn: a recording in, its words, an answer as it is written, and its sentences spoken
// while the next ones are still being written. Whoever owns the turn pulls its events.
// Used by api (POST /v1/voice, its WebSocket) and the Wyoming server. Knows no HTTP.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "assistant/sentences.h"
#include "base/event.h"
#include "base/json.h"
#include "base/task_group.h"
#include "config/settings.h"
#include "media/ogg_opus.h"
#include "models/models.h"
#include "storage/audio_store.h"
#include "telemetry/log.h"

namespace mainstay::assistant {

/// Something to tell the one who asked.
struct VoiceEvent {
  enum class Type : std::uint8_t {
    speech_started,      ///< somebody speaks in the recording; seconds: from when on
    transcript_partial,  ///< text: what was heard so far
    transcript,          ///< text, language, seconds: all that was said
    token,               ///< text: the next piece of the answer
    citations,           ///< citations: of the answer
    audio_coming,        ///< speech is being made; audio, and its id when it is kept
    audio,               ///< bytes: the next piece of it, of speech that is not kept
    audio_ready,         ///< the kept speech is whole; audio, size, seconds
    speech_failed,       ///< error: no more is spoken; the text goes on
    done,                ///< text: the whole answer. The last event
  };
  Type type = Type::done;
  std::string text;
  std::string language;
  std::string bytes;
  double seconds = 0;
  std::uint64_t size = 0;  ///< bytes of all speech
  models::AudioShape audio;
  storage::AudioId id;  ///< empty: not kept
  Json citations;
  std::optional<Error> error;
};
/// "speech_started", "transcript", …
std::string_view name(VoiceEvent::Type type) noexcept;

/// How the answer is to be heard, and the question to be read.
struct VoiceWish {
  bool speak = true;
  bool partial = false;  ///< tell what was heard so far, where the engine can
  bool keep = true;      ///< in the store, where there is one with room; else its bytes are events
  storage::Owner owner;
  models::AudioForm form = models::AudioForm::mp3;  ///< wav, pcm, mp3, opus or aac
  std::string voice;
  double speed = 1;
  std::string speech_model;
  std::string hearing_model;
  std::string language;  ///< of question and answer, ISO 639-1; empty: not known
  RequestId request;
  std::string traceparent;
};

/// How far an answer came by the end of its turn.
struct AnswerTold {
  bool interrupted = false;  ///< somebody spoke, or asked, before its end
  std::string text;  ///< interrupted: as far as it was spoken; else as far as it was written
};

/// Face: who writes the answer. Its owner decides about conversation, knowledge and permits.
class Answerer {
 public:
  virtual ~Answerer() = default;
  /// The answer to `question`, as a stream whose first token is there. Called once in a turn.
  virtual Co<Result<std::unique_ptr<models::ChatStream>>> answer(std::string question,
                                                                 Deadline by) = 0;
  /// The answer belongs to its conversation now: all of it, or what was told of it. Once at most,
  /// after answer(); never for one that failed. Before it, nothing of the turn is remembered.
  virtual Co<Status> keep(AnswerTold) { co_return done(); }
};

/// What a turn works with; all outlive it. `store` may be null: nothing is kept.
struct VoiceParts {
  const VoiceSettings& settings;
  Clock& clock;
  Log& log;
  models::Models& models;
  Answerer& answerer;
  storage::AudioStore* store = nullptr;
};

/// On one loop. Two coroutines of its own: one hears and writes, one speaks; what they tell waits
/// in a bounded line, and so do the sentences between them. Events come in the order in which they
/// happen: pieces of speech in the order of their text, `done` last.
class VoiceTurn {
 public:
  VoiceTurn(VoiceParts parts, VoiceWish wish, Executor executor);
  /// close() was awaited.
  ~VoiceTurn();
  VoiceTurn(const VoiceTurn&) = delete;
  VoiceTurn& operator=(const VoiceTurn&) = delete;

  /// Begins with a recording, or with a question in writing. Once.
  void hear(std::shared_ptr<const models::Recording> recording, std::string mime, Deadline by);
  void ask(std::string question, Deadline by);
  /// The next event; nullopt after `done`. Errors end the turn: unprocessable "nothing_heard";
  /// deadline (`by`, or the turn's own); those of transcribing and of the Answerer.
  Co<Result<std::optional<VoiceEvent>>> next(Deadline by);
  /// Somebody interrupts: what is under way is cut off now. What was told is kept by close().
  void stop();
  /// Ends it at once, wherever it is: writing and speaking stop, speech that is not whole is
  /// dropped; an answer that was written to its end or interrupted is kept. Must be awaited before
  /// the destructor.
  Co<> close();

 private:
  Co<> hear_and_answer(models::TranscribeRequest request, Deadline by);
  Co<Result<models::Answer>> transcribe(models::TranscribeRequest request, Deadline by);
  Co<Result<models::Answer>> synthesize(models::SpeechRequest request, Deadline by);
  Co<bool> may_try_again(std::string reason, Deadline by);
  Co<Result<std::string>> listen(models::TranscribeRequest request, Deadline by);
  Co<Status> tell_heard(models::TranscriptPiece piece, std::string heard, Deadline by);
  Co<> answer(std::string question, Deadline by);
  Co<Status> write(std::string question, Deadline by);
  Co<Status> hand_over(Deadline by);
  Co<Status> keep();
  Co<> speak(Deadline by);
  Co<Status> speak_all(Deadline by);
  Co<Status> speak_one(std::string sentence, Deadline by);
  Co<Status> announce(Deadline by);
  Co<Status> add_audio(std::string bytes, models::AudioShape shape, Deadline by);
  Co<Status> put_audio(std::string bytes, Deadline by);
  Co<> finish_audio(Status outcome, Deadline by);
  Co<Status> tell(VoiceEvent event, Deadline by);
  VoiceEvent about_audio(VoiceEvent::Type type) const;
  void end(Status outcome);
  bool room_for(const VoiceEvent& event) const noexcept;

  const VoiceParts parts_;
  const VoiceWish wish_;
  Event changed_;  ///< events, sentences, ends
  std::deque<VoiceEvent> events_;
  std::size_t events_bytes_ = 0;
  bool ended_ = false;
  Status outcome_;
  std::string answer_;     ///< as far as it is written
  bool to_keep_ = false;   ///< an answer came and was not kept yet
  bool complete_ = false;  ///< it is written to its end
  AnswerTold told_;        ///< set by stop()

  SentenceSplitter splitter_;
  std::deque<std::string> sentences_;
  std::string spoken_;           ///< sentences of which some sound was told
  std::size_t handed_over_ = 0;  ///< bytes of text that went to be spoken
  bool speaking_ = false;        ///< speech was begun and not ended yet
  bool mute_ = false;            ///< no more is spoken
  bool written_ = false;         ///< no sentence comes any more

  std::optional<models::AudioShape> shape_;  ///< of the speech; set with its first piece
  media::OpusJoiner opus_;                   ///< files of sentences into one stream
  storage::AudioId audio_;                   ///< where it is kept; empty: nowhere
  std::uint64_t audio_bytes_ = 0;            ///< of it so far, with its head
  std::uint64_t sample_bytes_ = 0;           ///< the same without, of wav and pcm
  bool kept_ = false;                        ///< it is whole in the store
  std::uint64_t turn_task_ = 0;
  std::uint64_t speech_task_ = 0;
  TaskGroup tasks_;  ///< last: what it runs uses all of the above
};

}  // namespace mainstay::assistant
