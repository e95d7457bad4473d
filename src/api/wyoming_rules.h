// What the Wyoming server decides without a socket: who may connect, what a recording is, what it
// says of itself. Pure. Used by wyoming.cpp, wyoming_session.cpp and their tests.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/json.h"
#include "base/result.h"
#include "models/models.h"
#include "net/wyoming_frames.h"

namespace mainstay::api {

/// Addresses that may connect. This machine always may.
class AddressList {
 public:
  /// Words such as "192.168.1.5", "192.168.1.0/24", "fd00::/8". Errors: invalid "invalid_config"
  /// with the word.
  static Result<AddressList> parse(const std::vector<std::string>& words);
  bool allows(const asio::ip::address& peer) const;
  bool empty() const noexcept { return v4_.empty() && v6_.empty(); }

 private:
  std::vector<asio::ip::network_v4> v4_;
  std::vector<asio::ip::network_v6> v6_;
};

/// A recording on its way: raw audio in pieces, out comes a WAV file.
class WyomingRecording {
 public:
  /// At most `bytes_max` bytes of samples.
  explicit WyomingRecording(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  /// "audio-start". What was there is dropped. Errors: invalid "bad_audio".
  Status start(const Json& data);
  /// "audio-chunk": its layout must be the one of the start; without a start its own counts.
  /// Errors: invalid "bad_audio"; too_large "audio_too_long".
  Status add(const net::WyomingEvent& chunk);
  /// The WAV file. Empty when nothing was recorded. What was there is dropped.
  std::string take();
  bool started() const noexcept { return shape_.has_value(); }

 private:
  const std::size_t bytes_max_;
  std::optional<net::WyomingAudio> shape_;
  std::string samples_;
};

/// What "info" says: one program each for hearing, speaking and answering.
struct WyomingFacts {
  std::string version;
  std::vector<models::ModelInfo> models;
  std::vector<models::Voice> voices;
};
Json wyoming_info(const WyomingFacts& facts);

/// The conversation that a question names, as data.context.conversation_id or
/// data.conversation_id; empty: none, or no usable name.
std::string wyoming_conversation(const Json& data);

}  // namespace mainstay::api
