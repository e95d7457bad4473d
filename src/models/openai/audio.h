// What goes to and comes from an OpenAI-compatible server's audio endpoints: the form around a
// recording, transcripts, the events of a streamed one, speech. Pure, but for its source.
// Used by provider.cpp and tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models/synthesize.h"
#include "models/transcribe.h"
#include "net/body_source.h"

namespace mainstay::models::openai {

/// The multipart form of a transcription: what comes before the recording and behind it.
struct AudioFormBody {
  std::string content_type;
  std::string head;
  std::string tail;
};
AudioFormBody transcription_form(const TranscribeRequest& request, const std::string& model,
                                 const std::string& boundary);

/// The recording as the client's body source.
std::shared_ptr<const net::BodySource> source_of(std::shared_ptr<const Recording> recording);

/// A whole reply: {"text"} with or without language, duration, segments and words. Errors:
/// bad_upstream "upstream_bad_reply", "upstream_error".
Result<Transcript> read_transcript(std::string_view body);

/// One event of a streamed transcription: a piece of the text, or the end with all of it. nullopt:
/// it says nothing. Errors as above.
Result<std::optional<TranscriptPiece>> read_transcript_event(std::string_view data);

/// The body of POST /audio/speech.
std::string speech_body(const SpeechRequest& request, const std::string& model);

/// What a Content-Type says the speech is; nullopt: it is no sound. Servers that say nothing in
/// particular gave what was asked for.
std::optional<AudioForm> form_of(std::string_view content_type, AudioForm asked);

/// The reply of GET /audio/voices: {"voices": [name or {"id" or "name", …}]}; what is no voice is
/// left out.
std::vector<Voice> read_voices(std::string_view body);

}  // namespace mainstay::models::openai
