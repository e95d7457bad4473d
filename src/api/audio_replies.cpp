// JSON as OpenAI's, SubRip and WebVTT.
#include "api/audio_replies.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

struct FormName {
  std::string_view name;
  TranscriptForm form;
};
constexpr std::array<FormName, 5> kForms = {{{"json", TranscriptForm::json},
                                             {"text", TranscriptForm::text},
                                             {"srt", TranscriptForm::srt},
                                             {"verbose_json", TranscriptForm::verbose_json},
                                             {"vtt", TranscriptForm::vtt}}};

/// Times with a thousandth of a second, as a JSON number.
double rounded(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

/// JSON text: what the engine says that it took, else the recording's length; empty: neither is
/// known.
std::string usage_of(const models::Transcript& transcript) {
  if (!transcript.usage.empty()) return transcript.usage;
  if (transcript.seconds <= 0) return {};
  return fmt::format(R"({{"type":"duration","seconds":{}}})",
                     static_cast<std::int64_t>(std::ceil(transcript.seconds)));
}

/// `,"name":json` unless there is none.
std::string member(std::string_view name, std::string_view json) {
  return json.empty() ? std::string() : fmt::format(R"(,"{}":{})", name, json);
}

Json segment_json(const models::Segment& segment, std::size_t id, double temperature) {
  // Strict clients want every member. What the engine does not tell is zero.
  const models::SegmentFacts& facts = segment.facts;
  const double confidence = segment.confidence.value_or(0);
  const double logprob = confidence > 0 ? std::log(confidence) : 0;
  return {{"id", id},
          {"seek", facts.seek.value_or(0)},
          {"start", rounded(segment.start)},
          {"end", rounded(segment.end)},
          {"text", segment.text},
          {"tokens", facts.tokens},
          {"temperature", facts.temperature.value_or(temperature)},
          {"avg_logprob", facts.avg_logprob.value_or(logprob)},
          {"compression_ratio", facts.compression_ratio.value_or(0)},
          {"no_speech_prob", facts.no_speech_prob.value_or(0)}};
}

std::string plain(const models::Transcript& transcript) {
  std::string out = R"({"text":)";
  append_json_string(out, transcript.text);
  return out + member("logprobs", transcript.logprobs) + member("usage", usage_of(transcript)) +
         "}";
}

std::string verbose(const models::Transcript& transcript, const TranscriptWish& wish) {
  Json out = {{"task", wish.translate ? "translate" : "transcribe"},
              {"language", wish.translate ? std::string("english") : transcript.language},
              {"duration", rounded(transcript.seconds)},
              {"text", transcript.text}};
  if (wish.segments) {
    out["segments"] = Json::array();
    for (std::size_t i = 0; i < transcript.segments.size(); ++i) {
      out["segments"].push_back(segment_json(transcript.segments[i], i, wish.temperature));
    }
  }
  if (wish.words) {
    out["words"] = Json::array();
    for (const auto& word : transcript.words) {
      out["words"].push_back(
          {{"word", word.text}, {"start", rounded(word.start)}, {"end", rounded(word.end)}});
    }
  }
  std::string text = dump(out);
  text.pop_back();
  return text + member("usage", usage_of(transcript)) + "}";
}

/// A cue's text: lines that would end it early, or be an arrow, are taken apart.
std::string cue_text(const std::string& text) {
  std::string out;
  for (const char c : trim(text)) out += c == '\n' || c == '\r' ? ' ' : c;
  for (auto at = out.find("-->"); at != std::string::npos; at = out.find("-->", at)) {
    out.replace(at, 3, "->");
  }
  return out;
}

std::string cues(const models::Transcript& transcript, bool vtt) {
  const char mark = vtt ? '.' : ',';
  std::string out = vtt ? "WEBVTT\n\n" : "";
  std::size_t number = 1;
  for (const auto& segment : transcript.segments) {
    const std::string text = cue_text(segment.text);
    if (text.empty()) continue;
    if (!vtt) out += std::to_string(number++) + "\n";
    out += cue_time(segment.start, mark) + " --> " + cue_time(segment.end, mark) + "\n";
    out += text + "\n\n";
  }
  return out;
}

}  // namespace

std::optional<TranscriptForm> transcript_form(std::string_view name) noexcept {
  for (const auto& each : kForms) {
    if (each.name == name) return each.form;
  }
  return std::nullopt;
}

bool has_times(TranscriptForm form) noexcept {
  return form == TranscriptForm::srt || form == TranscriptForm::vtt ||
         form == TranscriptForm::verbose_json;
}

std::string_view content_type_of(TranscriptForm form) noexcept {
  switch (form) {
    case TranscriptForm::json:
    case TranscriptForm::verbose_json:
      return "application/json";
    case TranscriptForm::text:
    case TranscriptForm::srt:
      return "text/plain; charset=utf-8";
    case TranscriptForm::vtt:
      return "text/vtt; charset=utf-8";
  }
  return "application/json";
}

std::string cue_time(double seconds, char mark) {
  const auto all = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds) * 1000));
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", all / 3'600'000, all / 60'000 % 60,
                     all / 1000 % 60, mark, all % 1000);
}

std::string transcript_text(const models::Transcript& transcript, const TranscriptWish& wish) {
  switch (wish.form) {
    case TranscriptForm::json:
      return plain(transcript);
    case TranscriptForm::text:
      return transcript.text + "\n";
    case TranscriptForm::srt:
      return cues(transcript, false);
    case TranscriptForm::verbose_json:
      return verbose(transcript, wish);
    case TranscriptForm::vtt:
      return cues(transcript, true);
  }
  return {};
}

std::string delta_event(const models::TranscriptPiece& piece) {
  std::string out = R"(data: {"type":"transcript.text.delta","delta":)";
  append_json_string(out, piece.delta);
  return out + member("logprobs", piece.logprobs) + "}\n\n";
}

std::string done_event(const models::Transcript& transcript) {
  std::string out = R"(data: {"type":"transcript.text.done","text":)";
  append_json_string(out, transcript.text);
  return out + member("logprobs", transcript.logprobs) + member("usage", usage_of(transcript)) +
         "}\n\n";
}

}  // namespace mainstay::api
