// Address lists, recordings, the description of this server.
#include "api/wyoming_rules.h"

#include <algorithm>

#include "api/query.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "models/synthesize.h"

namespace mainstay::api {
namespace {

using asio::ip::address;

Error bad_word(const std::string& word) {
  return Error::say(Errc::invalid, "invalid_config",
                    "wyoming.allow holds \"" + std::string(cut_utf8(to_utf8(word), 100)) +
                        "\": an address (192.168.1.5) or a network (192.168.1.0/24).",
                    "wyoming.allow");
}

Error bad_audio(const char* says) {
  return Error::say(Errc::invalid, "bad_audio", says);
}

Json attribution() {
  return {{"name", "Mainstay"}, {"url", ""}};
}

/// What every entry of an info has.
Json entry(const std::string& name, const std::string& description, const std::string& version) {
  return {{"name", name},
          {"description", description},
          {"attribution", attribution()},
          {"installed", true},
          {"version", version}};
}

/// Languages in which speech is commonly recognised; Home Assistant offers an engine only for those
/// that it lists, and an engine behind an HTTP server does not say which it knows.
Json common_languages() {
  return Json::array({"ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "es",
                      "et", "eu", "fa", "fi", "fr", "gl", "he", "hi", "hr", "hu", "id",
                      "is", "it", "ja", "ka", "kk", "ko", "lt", "lv", "mk", "ml", "mn",
                      "ms", "nb", "ne", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sq",
                      "sr", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh"});
}

Json hearing(const WyomingFacts& facts) {
  Json out = entry("mainstay", "Speech to text of Mainstay", facts.version);
  const bool only_built_in =
      std::none_of(facts.models.begin(), facts.models.end(), [](const auto& model) {
        return model.task == "transcription" && model.provider != "builtin";
      });
  Json model = entry("auto", "The model that Mainstay is configured with", facts.version);
  model["languages"] = only_built_in ? Json::array({"en"}) : common_languages();
  out["models"] = Json::array({std::move(model)});
  out["supports_transcript_streaming"] = false;
  return out;
}

Json speaking(const WyomingFacts& facts) {
  Json out = entry("mainstay", "Text to speech of Mainstay", facts.version);
  Json voices = Json::array();
  for (const auto& voice : facts.voices) {
    Json one = entry(to_utf8(voice.id), to_utf8(voice.name.empty() ? voice.id : voice.name),
                     facts.version);
    one["languages"] = Json::array({voice.language.empty() ? "en" : to_utf8(voice.language)});
    voices.push_back(std::move(one));
  }
  if (voices.empty()) {
    Json one = entry("default", "The voice that Mainstay is configured with", facts.version);
    one["languages"] = Json::array({"en"});
    voices.push_back(std::move(one));
  }
  out["voices"] = std::move(voices);
  out["supports_synthesize_streaming"] = false;
  return out;
}

Json answering(const WyomingFacts& facts) {
  Json out = entry("mainstay", "Conversation agent of Mainstay", facts.version);
  Json model = entry("assistant", "Answers from models and from your documents", facts.version);
  model["languages"] = common_languages();
  out["models"] = Json::array({std::move(model)});
  out["supports_handled_streaming"] = false;
  return out;
}

}  // namespace

Result<AddressList> AddressList::parse(const std::vector<std::string>& words) {
  AddressList out;
  for (const auto& word : words) {
    const bool network = word.find('/') != std::string::npos;
    const bool six = word.find(':') != std::string::npos;
    error_code failed;
    if (six) {
      const auto one = asio::ip::make_network_v6(network ? word : word + "/128", failed);
      if (!failed) out.v6_.push_back(one.canonical());
    } else {
      const auto one = asio::ip::make_network_v4(network ? word : word + "/32", failed);
      if (!failed) out.v4_.push_back(one.canonical());
    }
    if (failed) return bad_word(word);
  }
  return out;
}

bool AddressList::allows(const address& peer) const {
  if (peer.is_loopback()) return true;
  if (peer.is_v6() && peer.to_v6().is_v4_mapped()) {
    return allows(address(asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6())));
  }
  // A network holds an address whose own network of that length it is.
  if (peer.is_v4()) {
    return std::any_of(v4_.begin(), v4_.end(), [&](const auto& one) {
      return asio::ip::network_v4(peer.to_v4(), one.prefix_length()).canonical() == one;
    });
  }
  return std::any_of(v6_.begin(), v6_.end(), [&](const auto& one) {
    return asio::ip::network_v6(peer.to_v6(), one.prefix_length()).canonical() == one;
  });
}

Status WyomingRecording::start(const Json& data) {
  samples_.clear();
  shape_.reset();
  auto shape = net::wyoming_audio(data);
  if (!shape.ok()) {
    return bad_audio("The audio needs a rate, a width of 1 to 4 and 1 to 8 channels.");
  }
  shape_ = *shape;
  return done();
}

Status WyomingRecording::add(const net::WyomingEvent& chunk) {
  if (!shape_) {
    auto begun = start(chunk.data);
    if (!begun.ok()) return begun;
  } else if (chunk.data.contains("rate")) {
    auto shape = net::wyoming_audio(chunk.data);
    if (!shape.ok() || *shape != *shape_) {
      return bad_audio("The layout of the audio changed within the recording.");
    }
  }
  if (chunk.payload.size() > bytes_max_ - samples_.size()) {
    return Error::say(Errc::too_large, "audio_too_long",
                      "The recording is longer than wyoming.audio_max.");
  }
  samples_ += chunk.payload;
  return done();
}

std::string WyomingRecording::take() {
  std::string out;
  if (shape_) {
    const std::size_t frame = std::size_t{shape_->width} * shape_->channels;
    samples_.resize(samples_.size() / frame * frame);
    const models::AudioShape shape{models::AudioForm::wav, shape_->rate, shape_->channels};
    const auto size = static_cast<std::uint32_t>(samples_.size());
    if (size > 0) out = models::wav_head(shape, size, shape_->width) + samples_;
  }
  samples_ = {};
  shape_.reset();
  return out;
}

Json wyoming_info(const WyomingFacts& facts) {
  return {{"asr", Json::array({hearing(facts)})},
          {"tts", Json::array({speaking(facts)})},
          {"handle", Json::array({answering(facts)})},
          {"intent", Json::array()},
          {"wake", Json::array()},
          {"mic", Json::array()},
          {"snd", Json::array()}};
}

std::string wyoming_conversation(const Json& data) {
  std::string id = string_field(object_field(data, "context"), "conversation_id");
  if (id.empty()) id = string_field(data, "conversation_id");
  return is_safe_name(id) ? id : std::string();
}

}  // namespace mainstay::api
