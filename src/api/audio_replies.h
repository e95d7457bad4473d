// A transcript in the shapes that clients ask for. Pure.
// Used by api/audio.cpp and its tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/transcribe.h"

namespace mainstay::api {

enum class TranscriptForm : std::uint8_t { json, text, srt, verbose_json, vtt };
std::optional<TranscriptForm> transcript_form(std::string_view name) noexcept;
/// Whether it shows when something was said.
bool has_times(TranscriptForm form) noexcept;
/// Static text.
std::string_view content_type_of(TranscriptForm form) noexcept;

/// What of a transcript was asked for.
struct TranscriptWish {
  TranscriptForm form = TranscriptForm::json;
  bool translate = false;
  bool words = false;    ///< verbose_json with words
  bool segments = true;  ///< verbose_json with segments
  double temperature = 0;
};
std::string transcript_text(const models::Transcript& transcript, const TranscriptWish& wish);

/// "00:01:02,345" (`mark` is ',') or "00:01:02.345".
std::string cue_time(double seconds, char mark);

/// Events of a streamed transcription, as OpenAI's ("transcript.text.delta", "….done").
std::string delta_event(const models::TranscriptPiece& piece);
std::string done_event(const models::Transcript& transcript);

}  // namespace mainstay::api
