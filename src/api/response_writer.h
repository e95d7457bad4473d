// A Response of OpenAI's Responses API, made of the pieces of a chat completion, and the events
// that tell how it comes about. Used by api/responses.cpp. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "assistant/transcript.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "models/chat.h"

namespace mainstay::api {

/// Items come in the order in which they begin: thoughts, text, calls of functions. One text is
/// open at a time; calls stay open to the end, since their pieces may alternate.
class ResponseWriter {
 public:
  /// `frame` is the Response without output. Without `tells` no events are made.
  ResponseWriter(Json frame, bool tells);
  /// The events that a stream begins with.
  void begin();
  /// One chat.completion.chunk. Errors: bad_upstream when it is not JSON.
  Status add(const std::string& chunk);
  /// A whole chat.completion, instead of chunks.
  Status add_whole(const std::string& completion);
  /// The answer is complete, unless its finish reason says otherwise.
  void finish(const models::Usage& usage, WallTime now);
  /// The answer broke off.
  void fail(const Error& error);
  /// Bytes of the answer so far, about; an item takes more than its text.
  std::size_t size() const {
    constexpr std::size_t kItem = 2048;
    return transcript_.size() + beside_ + kItem * response_["output"].size();
  }
  /// Server-sent events made since the last call.
  std::string take_events();
  const Json& response() const noexcept { return response_; }

 private:
  struct Words;
  static const Words kThoughts, kText, kRefusal;
  /// A call of a function: where it stands in the output, and how much of it was told.
  struct Call {
    std::size_t place = 0;
    std::size_t told = 0;
    bool begun = false;
  };
  void add(const Json& chunk);
  void take_texts();
  void annotate(const Json& annotations);
  void take_calls(bool last);
  void append(const Words& words, std::string_view piece);
  void open(const Words& words);
  void close(const char* status);
  std::size_t begin_item(Json item);
  void end_item(std::size_t place, const char* status);
  void begin_call(Call& call, const Json& whole);
  void end_call(const Call& call, const Json& whole, const char* status);
  void fill(const Call& call, const Json& whole);
  void tell(const char* type, const Json& event);
  void tell_response(const char* type);
  void tell_text(const char* type, std::string_view members);
  std::string item_id(std::string_view kind) const;

  Json response_;
  const bool tells_;
  std::uint64_t sequence_ = 0;
  std::string events_;
  assistant::Transcript transcript_;
  std::size_t beside_ = 0;  ///< bytes of thoughts and annotations that the transcript lacks
  std::string finish_reason_;
  const Words* open_ = nullptr;  ///< of the text that is open; null: none
  std::size_t open_place_ = 0;
  std::size_t text_told_ = 0;     ///< of the transcript's
  std::size_t refusal_told_ = 0;  ///< the same
  std::vector<Call> calls_;
};

}  // namespace mainstay::api
