// Events of the Wyoming protocol (voice servers of Home Assistant), as a pure parser and writer.
// Used by models' wyoming room (the client) and by api's Wyoming server. Knows no socket.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace mainstay::net {

/// One event. On the wire: a line of JSON {"type", "version", "data", "data_length",
/// "payload_length"}, then data_length bytes of JSON, then payload_length bytes.
struct WyomingEvent {
  std::string type;            ///< "audio-chunk", "transcribe", …; never empty
  Json data = Json::object();  ///< of both places of the wire; the second one's members win
  std::string payload;         ///< bytes, mostly PCM

  friend bool operator==(const WyomingEvent&, const WyomingEvent&) = default;
};

/// Bounds of what a peer may send, in bytes. One more is an error.
struct WyomingLimits {
  std::size_t line_max = 64U << 10;    ///< the line, without its end
  std::size_t data_max = 1U << 20;     ///< the JSON behind the line
  std::size_t payload_max = 1U << 20;  ///< of one event
};

/// Parser over pieces of bytes, whatever their borders. Holds at most one event that is not whole
/// (payload and data are kept as they come, never allocated by what the line promises).
/// One thread; no I/O, no time.
class WyomingParser {
 public:
  explicit WyomingParser(WyomingLimits limits = {}) : limits_(limits) {}

  /// Takes bytes off the front of `piece` until one event is whole, and returns it; nullopt: all
  /// bytes were taken, more are needed. Call again with what is left. Empty lines are passed over.
  /// Error: invalid with a detail and no sentence of its own (no JSON object, no type, a length
  /// that is no number or above its limit, nested too deep); it then fails for good: close.
  Result<std::optional<WyomingEvent>> next(std::string_view& piece);

  /// True when bytes of an unfinished event are held: a stream that ends now was cut.
  bool unfinished() const noexcept { return place_ != Place::line || !line_.empty(); }

 private:
  enum class Place : std::uint8_t { line, data, payload };
  bool take_line(std::string_view& piece);
  Status read_line();
  Status read_data();
  bool take_to(std::string& to, std::size_t wanted, std::string_view& piece);
  Error fail(std::string why);

  WyomingLimits limits_;
  Place place_ = Place::line;
  std::string line_;
  std::string data_;
  std::size_t data_wanted_ = 0;
  std::size_t payload_wanted_ = 0;
  WyomingEvent event_;
  std::string failure_;  ///< empty: none
};

/// The bytes of an event up to its payload, for a payload of `payload_bytes` that the caller sends
/// behind them. `data` that is no object counts as empty.
std::string wyoming_head(std::string_view type, const Json& data, std::size_t payload_bytes);
/// A whole event.
std::string wyoming_bytes(const WyomingEvent& event);

/// The layout of raw audio: what "audio-start" and "audio-chunk" say of it in their data.
struct WyomingAudio {
  std::uint32_t rate = 0;   ///< samples a second of each channel
  std::uint32_t width = 0;  ///< bytes of a sample, little endian, signed
  std::uint32_t channels = 0;

  friend bool operator==(const WyomingAudio&, const WyomingAudio&) = default;
};

/// Reads {"rate", "width", "channels"}. Error: invalid (detail only) unless rate is 1,000 to
/// 384,000, width 1 to 4 and channels 1 to 8.
Result<WyomingAudio> wyoming_audio(const Json& data);
/// The same as members of an event's data.
Json wyoming_audio_data(WyomingAudio audio);

}  // namespace mainstay::net
