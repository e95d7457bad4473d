// A question is short: it stays in memory, bounded, and nothing of it is written anywhere.
#include "api/voice_form.h"

#include "api/form_parts.h"
#include "base/text.h"

namespace mainstay::api {
namespace {

constexpr const char* kFile = "file";
constexpr const char* kText = "text";

Error bad_form(const char* reason, const std::string& sentence, const std::string& param) {
  return Error::say(Errc::invalid, reason, sentence, param);
}

Error recording_too_large(Bytes most) {
  return Error::say(Errc::too_large, "recording_too_large",
                    "A spoken question may have at most " + std::to_string(most.value) +
                        " bytes (voice.upload_max). Longer recordings go to "
                        "/v1/audio/transcriptions.",
                    kFile);
}

Error empty_audio() {
  return bad_form("empty_audio", "The recording is empty.", kFile);
}

/// A spoken question's form, into memory.
class QuestionParts final : public FormParts {
 public:
  QuestionParts(VoiceQuestion& question, Bytes most) : question_(question), most_(most) {}
  Result<Place> begin(const PartHead& head) override {
    Place out;
    out.file = head.is_file || head.name == kFile;
    if (out.file) {
      if (has_file_) return bad_form("duplicate_field", "The form holds two files.", kFile);
      has_file_ = true;
      question_.mime = head.content_type;
      return out;
    }
    out.text = &question_.text;
    std::string name(cut_utf8(head.name, 64));
    bool twice = name == kText && !question_.text.empty();
    if (name != kText) {
      auto [place, added] = question_.fields.emplace(name, "");
      out.text = &place->second;
      twice = !added;
    }
    if (!twice) return out;
    return bad_form("duplicate_field", "The form gives '" + name + "' twice.", name);
  }
  Co<Status> take(Context&, std::string bytes) override {
    question_.sound += bytes;
    if (question_.sound.size() > most_.value) co_return recording_too_large(most_);
    co_return done();
  }
  bool has_file() const noexcept { return has_file_; }

 private:
  VoiceQuestion& question_;
  const Bytes most_;
  bool has_file_ = false;
};

Co<Status> receive_form(const Rooms& rooms, Context& context, VoiceQuestion& question) {
  const Bytes most = rooms.settings.voice.upload_max;
  QuestionParts parts(question, most);
  auto read = co_await read_form(context, parts, most, kFile);
  if (!read.ok()) co_return read;
  if (parts.has_file() && question.sound.empty()) co_return empty_audio();
  if (parts.has_file() == !trim(question.text).empty()) {
    co_return bad_form("missing_field", "The form holds a recording as 'file', or a 'text'.",
                       kFile);
  }
  co_return done();
}

Co<Status> receive_sound(const Rooms& rooms, Context& context, VoiceQuestion& question) {
  const Bytes most = rooms.settings.voice.upload_max;
  for (;;) {
    auto piece = co_await context.exchange.read_piece(most, context.by);
    if (!piece.ok() && piece.error().code == Errc::too_large) co_return recording_too_large(most);
    if (!piece.ok()) co_return piece.error();
    if (piece->empty()) break;
    question.sound += *piece;
    if (question.sound.size() > most.value) co_return recording_too_large(most);
  }
  if (question.sound.empty()) co_return empty_audio();
  co_return done();
}

}  // namespace

Co<Result<VoiceQuestion>> receive_question(const Rooms& rooms, Context& context) {
  VoiceQuestion question;
  auto query = parse_query(context.exchange.head().query);
  if (!query.ok()) co_return query.error();
  question.fields = std::move(*query);
  const std::string type(context.exchange.head().header("content-type"));
  const std::string media = lower_ascii(trim(type.substr(0, type.find(';'))));
  Status received;
  if (media == "multipart/form-data") {
    received = co_await receive_form(rooms, context, question);
  } else if (media.starts_with("audio/") || media.starts_with("video/") ||
             media == "application/octet-stream" || media == "application/ogg") {
    question.mime = media;
    received = co_await receive_sound(rooms, context, question);
  } else {
    co_return Error::say(Errc::unsupported, "unsupported_media_type",
                         "Send the question as a form (multipart/form-data) with 'file' or 'text', "
                         "or as bare sound with its type, such as 'Content-Type: audio/wav'.");
  }
  if (!received.ok()) co_return received.error();
  co_return question;
}

}  // namespace mainstay::api
