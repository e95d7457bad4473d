// OpenAI's audio reference (v1), and what whisper.cpp's server, Speaches and LocalAI make of it.
#include "models/openai/audio.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/json_fields.h"
#include "base/text.h"
#include "models/provider_error.h"
#include "net/form_writer.h"

namespace mainstay::models::openai {
namespace {

class FileSource final : public net::BodySource {
 public:
  explicit FileSource(std::shared_ptr<const Recording> recording)
      : recording_(std::move(recording)) {}
  std::uint64_t size() const noexcept override { return recording_->bytes(); }
  Co<Result<std::string>> read(std::uint64_t at, std::size_t most, Deadline by) const override {
    return recording_->read(at, most, by);
  }
  std::int64_t read_now(std::uint64_t at, char* into, std::size_t most) const noexcept override {
    return recording_->read_now(at, into, most);
  }

 private:
  const std::shared_ptr<const Recording> recording_;
};

std::optional<double> told_number(const Json& value, const char* key) {
  const Json& found = field(value, key);
  if (!found.is_number()) return std::nullopt;
  const double number = found.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

double number_field(const Json& value, const char* key) {
  return told_number(value, key).value_or(0);
}

SegmentFacts facts_of(const Json& segment) {
  SegmentFacts out;
  if (field(segment, "seek").is_number()) out.seek = count_field(segment, "seek");
  for (const auto& token : array_field(segment, "tokens")) {
    if (token.is_number_integer()) out.tokens.push_back(token.get<std::int64_t>());
  }
  out.temperature = told_number(segment, "temperature");
  out.avg_logprob = told_number(segment, "avg_logprob");
  out.compression_ratio = told_number(segment, "compression_ratio");
  out.no_speech_prob = told_number(segment, "no_speech_prob");
  return out;
}

/// The member's JSON text when it is of that type and holds something; else empty.
std::string told_json(const Json& value, const char* key, Json::value_t type) {
  const Json& found = field(value, key);
  return found.type() == type && !found.empty() ? dump(found) : std::string();
}

Result<Json> object_of_reply(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed.ok()) return not_understood("the transcript: " + parsed.error().detail);
  if (!parsed->is_object()) return not_understood("the transcript is no object");
  const Json& error = field(*parsed, "error");
  if (error.is_object() || error.is_string()) return told_inside(body);
  return parsed;
}

Transcript transcript_of(const Json& reply) {
  Transcript out;
  out.text = std::string(trim(string_field(reply, "text")));
  out.language = string_field(reply, "language");
  out.seconds = number_field(reply, "duration");
  for (const auto& entry : array_field(reply, "segments")) {
    Segment segment;
    segment.start = number_field(entry, "start");
    segment.end = number_field(entry, "end");
    segment.text = std::string(trim(string_field(entry, "text")));
    segment.facts = facts_of(entry);
    if (const auto logprob = segment.facts.avg_logprob) {
      segment.confidence = std::clamp(std::exp(*logprob), 0.0, 1.0);
    }
    if (!segment.text.empty()) out.segments.push_back(std::move(segment));
  }
  for (const auto& entry : array_field(reply, "words")) {
    SpokenWord word;
    word.start = number_field(entry, "start");
    word.end = number_field(entry, "end");
    word.text = std::string(trim(string_field(entry, "word")));
    if (!word.text.empty()) out.words.push_back(std::move(word));
  }
  out.usage = told_json(reply, "usage", Json::value_t::object);
  out.logprobs = told_json(reply, "logprobs", Json::value_t::array);
  return out;
}

}  // namespace

AudioFormBody transcription_form(const TranscribeRequest& request, const std::string& model,
                                 const std::string& boundary) {
  net::FormWriter form(boundary);
  form.field("model", model);
  const bool detailed = request.segments || request.words;
  form.field("response_format", detailed ? "verbose_json" : "json");
  if (!request.language.empty() && !request.translate) form.field("language", request.language);
  if (!request.prompt.empty()) form.field("prompt", request.prompt);
  if (request.temperature) form.field("temperature", fmt::format("{}", *request.temperature));
  // The endpoint for translations knows none of these.
  if (!request.translate) {
    if (request.segments) form.field("timestamp_granularities[]", "segment");
    if (request.words) form.field("timestamp_granularities[]", "word");
    if (request.partial && !detailed) form.field("stream", "true");
    if (request.logprobs) form.field("include[]", "logprobs");
    for (const auto& each : request.chunking) form.field(each.name, each.value);
  }
  form.begin_file("file", request.name.empty() ? "audio" : request.name, request.mime);
  AudioFormBody out;
  out.content_type = form.content_type();
  out.head = form.take();
  form.end();
  out.tail = form.take();
  return out;
}

std::shared_ptr<const net::BodySource> source_of(std::shared_ptr<const Recording> recording) {
  return std::make_shared<FileSource>(std::move(recording));
}

Result<Transcript> read_transcript(std::string_view body) {
  auto reply = object_of_reply(body);
  if (!reply.ok()) return reply.error();
  if (!field(*reply, "text").is_string()) return not_understood("the transcript has no text");
  return transcript_of(*reply);
}

Result<std::optional<TranscriptPiece>> read_transcript_event(std::string_view data) {
  auto event = object_of_reply(data);
  if (!event.ok()) return event.error();
  const std::string type = string_field(*event, "type");
  TranscriptPiece piece;
  if (type == "transcript.text.delta") {
    piece.delta = string_field(*event, "delta");
    if (piece.delta.empty()) return std::optional<TranscriptPiece>();
    piece.logprobs = told_json(*event, "logprobs", Json::value_t::array);
    return std::optional<TranscriptPiece>(std::move(piece));
  }
  const bool done = type == "transcript.text.done";
  // Servers without types send their reply as one event.
  const bool bare = type.empty() && field(*event, "text").is_string();
  if (!done && !bare) return std::optional<TranscriptPiece>();
  if (!field(*event, "text").is_string()) return not_understood("the transcript has no text");
  piece.whole = transcript_of(*event);
  return std::optional<TranscriptPiece>(std::move(piece));
}

std::string speech_body(const SpeechRequest& request, const std::string& model) {
  std::string out = R"({"model":)";
  append_json_string(out, model);
  out += ",\"input\":";
  append_json_string(out, request.text);
  out += ",\"voice\":";
  append_json_string(out, request.voice.empty() ? "alloy" : request.voice);
  out += ",\"response_format\":";
  append_json_string(out, name(request.form));
  if (request.speed != 1) out += fmt::format(",\"speed\":{}", request.speed);
  if (!request.instructions.empty()) {
    out += ",\"instructions\":";
    append_json_string(out, request.instructions);
  }
  out += '}';
  return out;
}

std::optional<AudioForm> form_of(std::string_view content_type, AudioForm asked) {
  const std::string type = lower_ascii(trim(content_type.substr(0, content_type.find(';'))));
  if (type.empty() || type == "application/octet-stream" || type == "binary/octet-stream") {
    return asked;
  }
  if (type == "audio/mpeg" || type == "audio/mp3") return AudioForm::mp3;
  if (type == "audio/wav" || type == "audio/x-wav" || type == "audio/wave" ||
      type == "audio/vnd.wave") {
    return AudioForm::wav;
  }
  if (type == "audio/ogg" || type == "audio/opus") return AudioForm::opus;
  if (type == "audio/flac" || type == "audio/x-flac") return AudioForm::flac;
  if (type == "audio/aac") return AudioForm::aac;
  if (type == "audio/pcm" || type == "audio/l16") return AudioForm::pcm;
  if (type.starts_with("audio/")) return asked;
  return std::nullopt;
}

std::vector<Voice> read_voices(std::string_view body) {
  std::vector<Voice> out;
  auto parsed = parse_json(body);
  if (!parsed.ok()) return out;
  constexpr std::size_t kMost = 1000;
  for (const auto& entry : array_field(*parsed, "voices")) {
    Voice voice;
    voice.id = entry.is_string() ? entry.get<std::string>() : string_field(entry, "voice_id");
    if (voice.id.empty()) voice.id = string_field(entry, "id");
    if (voice.id.empty()) voice.id = string_field(entry, "name");
    voice.name = string_field(entry, "name", voice.id);
    voice.language = string_field(entry, "language");
    if (!voice.id.empty() && out.size() < kMost) out.push_back(std::move(voice));
  }
  return out;
}

}  // namespace mainstay::models::openai
