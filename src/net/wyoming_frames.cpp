// The states line -> data -> payload of the parser, and the writer.
#include "net/wyoming_frames.h"

#include <algorithm>

#include "base/json_fields.h"

namespace mainstay::net {
namespace {

/// The version of the protocol's description that this follows.
constexpr std::string_view kVersion = "1.5.4";

constexpr std::uint32_t kRateMin = 1'000;
constexpr std::uint32_t kRateMax = 384'000;
constexpr std::uint32_t kWidthMax = 4;
constexpr std::uint32_t kChannelsMax = 8;

/// A length of the line: absent and null are 0, anything but a whole number is nullopt.
std::optional<std::size_t> length_of(const Json& line, const char* key) {
  const Json& found = field(line, key);
  if (found.is_null()) return 0;
  if (found.is_number_unsigned()) return found.get<std::size_t>();
  if (found.is_number_integer() && found.get<std::int64_t>() >= 0) {
    return static_cast<std::size_t>(found.get<std::int64_t>());
  }
  return std::nullopt;
}

/// A whole number from `least` to `most`, else nullopt.
std::optional<std::uint32_t> number_in(const Json& data, const char* key, std::uint32_t least,
                                       std::uint32_t most) {
  const std::uint64_t n = count_field(data, key);
  if (n < least || n > most) return std::nullopt;
  return static_cast<std::uint32_t>(n);
}

}  // namespace

Error WyomingParser::fail(std::string why) {
  failure_ = "wyoming: " + std::move(why);
  line_ = {};
  data_ = {};
  event_ = {};
  return Error::log(Errc::invalid, failure_);
}

Result<std::optional<WyomingEvent>> WyomingParser::next(std::string_view& piece) {
  if (!failure_.empty()) return Error::log(Errc::invalid, failure_);
  if (place_ == Place::line) {
    if (!take_line(piece)) {
      if (line_.size() > limits_.line_max) return fail("a line is longer than its limit");
      return std::optional<WyomingEvent>();
    }
    if (auto read = read_line(); !read.ok()) return read.error();
  }
  if (place_ == Place::data) {
    if (!take_to(data_, data_wanted_, piece)) return std::optional<WyomingEvent>();
    if (auto read = read_data(); !read.ok()) return read.error();
  }
  if (!take_to(event_.payload, payload_wanted_, piece)) return std::optional<WyomingEvent>();
  place_ = Place::line;
  std::optional<WyomingEvent> whole(std::move(event_));
  event_ = {};
  return whole;
}

/// Collects into line_; true when a line that is not empty is whole. A line above its limit stays
/// in line_, cut one byte behind the limit, and is told of by the caller.
bool WyomingParser::take_line(std::string_view& piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::size_t size = std::min(piece.size(), end);
    const std::size_t room = limits_.line_max + 1 - line_.size();
    line_.append(piece.substr(0, std::min(size, room)));
    if (size >= room) return false;
    piece.remove_prefix(std::min(piece.size(), size + 1));
    if (end == std::string_view::npos) return false;
    if (line_.ends_with('\r')) line_.pop_back();
    if (!line_.empty()) return true;
  }
  return false;
}

Status WyomingParser::read_line() {
  auto parsed = parse_json(line_);
  if (!parsed.ok()) return fail("a line is no JSON: " + parsed.error().detail);
  if (!parsed->is_object()) return fail("a line is no JSON object");
  line_.clear();
  const auto data = length_of(*parsed, "data_length");
  const auto payload = length_of(*parsed, "payload_length");
  if (!data || !payload) return fail("a length is no whole number");
  if (*data > limits_.data_max) return fail("the data are longer than their limit");
  if (*payload > limits_.payload_max) return fail("the payload is longer than its limit");
  event_ = {};
  event_.type = string_field(*parsed, "type");
  if (event_.type.empty()) return fail("an event has no type");
  if (const Json& inside = field(*parsed, "data"); inside.is_object()) {
    event_.data = inside;
  } else if (!inside.is_null()) {
    return fail("data is no object");
  }
  data_wanted_ = *data;
  payload_wanted_ = *payload;
  place_ = *data > 0 ? Place::data : Place::payload;
  return done();
}

Status WyomingParser::read_data() {
  auto parsed = parse_json(data_);
  if (!parsed.ok()) return fail("the data are no JSON: " + parsed.error().detail);
  if (!parsed->is_object()) return fail("the data are no JSON object");
  data_.clear();
  if (event_.data.empty()) {
    event_.data = std::move(*parsed);
  } else {
    for (auto& [key, value] : parsed->items()) event_.data[key] = std::move(value);
  }
  place_ = Place::payload;
  return done();
}

bool WyomingParser::take_to(std::string& to, std::size_t wanted, std::string_view& piece) {
  const std::size_t more = std::min(wanted - to.size(), piece.size());
  to.append(piece.substr(0, more));
  piece.remove_prefix(more);
  return to.size() == wanted;
}

std::string wyoming_head(std::string_view type, const Json& data, std::size_t payload_bytes) {
  const bool has_data = data.is_object() && !data.empty();
  const std::string behind = has_data ? dump(data) : std::string();
  Json line{{"type", std::string(type)}, {"version", std::string(kVersion)}};
  if (has_data) line["data_length"] = behind.size();
  if (payload_bytes > 0) line["payload_length"] = payload_bytes;
  std::string out = dump(line);
  out += '\n';
  out += behind;
  return out;
}

std::string wyoming_bytes(const WyomingEvent& event) {
  return wyoming_head(event.type, event.data, event.payload.size()) + event.payload;
}

Result<WyomingAudio> wyoming_audio(const Json& data) {
  const auto rate = number_in(data, "rate", kRateMin, kRateMax);
  const auto width = number_in(data, "width", 1, kWidthMax);
  const auto channels = number_in(data, "channels", 1, kChannelsMax);
  if (!rate || !width || !channels) {
    return Error::log(Errc::invalid, "wyoming: audio without a rate, width and channels in range");
  }
  return WyomingAudio{.rate = *rate, .width = *width, .channels = *channels};
}

Json wyoming_audio_data(WyomingAudio audio) {
  return Json{{"rate", audio.rate}, {"width", audio.width}, {"channels", audio.channels}};
}

}  // namespace mainstay::net
