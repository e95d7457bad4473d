// A streamed answer on its way to the client as server-sent events.
// Used by api's chat endpoints.
#pragma once

#include <string>

#include "api/answering.h"

namespace mainstay::api {

/// The events that a stream is told in. One object for each stream.
class StreamForm {
 public:
  virtual ~StreamForm() = default;
  /// May change the chunk. Errors: the stream ends with them.
  virtual Result<std::string> chunk(models::ChatChunk& chunk) = 0;
  virtual std::string failed(const Error& error) = 0;
  virtual std::string ended() = 0;
};

/// Chunks as they are, then [DONE]; after a failure an error event and no [DONE].
class ChatForm final : public StreamForm {
 public:
  /// `degraded`: the chunk that finishes the answer says that the built-in answerer stood in.
  explicit ChatForm(bool degraded) : degraded_(degraded) {}
  Result<std::string> chunk(models::ChatChunk& chunk) override;
  std::string failed(const Error& error) override;
  std::string ended() override;

 private:
  const bool degraded_;
};

/// Sends the answer's stream, piece by piece as it comes, and settles what it cost. While others
/// wait for the same answer it goes on reading after its client has gone.
Co<Status> send_stream(const Rooms& rooms, Context& context, Answered& answered,
                       net::HeaderLines headers, StreamForm& form);

}  // namespace mainstay::api
