// A provider's stream as chunks: pieces of bytes -> events or lines -> a translator -> chunks.
// Used by the inner rooms whose providers speak another format. Knows no socket: Reply and Parser
// are net's, given as types.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "models/chat.h"

namespace mainstay::models {

/// `Translator` has take(text) -> Status, ready() -> deque of chunks, ended() (the end marker was
/// seen), and closed() -> Status (the connection ended: fine, or cut off). `Parser` has feed() and
/// next(), and rest() when its last piece may come without an end.
template <class Reply, class Parser, class Translator>
class TranslatedStream final : public ChatStream {
 public:
  TranslatedStream(std::unique_ptr<Reply> reply, Parser parser, Translator translator)
      : reply_(std::move(reply)), parser_(std::move(parser)), translator_(std::move(translator)) {}

  Co<Result<std::optional<ChatChunk>>> next(Deadline by) override {
    for (bool fed = false;;) {
      auto& ready = translator_.ready();
      if (!ready.empty()) {
        std::optional<ChatChunk> chunk(std::move(ready.front()));
        ready.pop_front();
        co_return chunk;
      }
      if (translator_.ended()) reply_->wind_up();
      if (translator_.ended() || closed_) co_return std::optional<ChatChunk>();
      auto event = parser_.next();
      if (!event.ok()) co_return event.error();
      if (event->has_value()) {
        auto taken = translator_.take(text_of(**event));
        if (!taken.ok()) co_return taken.error();
        continue;
      }
      if (fed) co_return std::optional<ChatChunk>(ChatChunk());  // a ping, or a part of an event
      auto piece = co_await reply_->read(by);
      if (!piece.ok()) co_return piece.error();
      if (piece->empty()) {
        auto finished = close();
        if (!finished.ok()) co_return finished.error();
        closed_ = true;
        continue;
      }
      parser_.feed(*piece);
      fed = true;
    }
  }

 private:
  template <class Event>
  static std::string text_of(const Event& event) {
    if constexpr (requires { event.data; }) {
      return std::string(event.data);
    } else {
      return std::string(event);
    }
  }

  /// The connection ended. A last line may come without its line end; one that does not parse was
  /// cut off in its middle.
  Status close() {
    if constexpr (requires { parser_.rest(); }) {
      const std::string last(parser_.rest());
      if (last.empty()) return translator_.closed();
      auto taken = translator_.take(last);
      if (taken.ok() && translator_.ended()) return done();
      if (!taken.ok() && taken.error().reason != "upstream_bad_reply") return taken;
    }
    return translator_.closed();
  }

  std::unique_ptr<Reply> reply_;
  Parser parser_;
  Translator translator_;
  bool closed_ = false;
};

}  // namespace mainstay::models
