// The rooms of /v1/voice over scripted ears, mouth and models, on a fake clock: calls and sockets.
// Used by the tests of voice turns.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "unit/api/fake_socket.h"
#include "unit/api/world.h"
#include "unit/assistant/voice_world.h"

namespace mainstay::api::test {

using assistant::test::FakeVoices;
using assistant::test::heard_delta;
using assistant::test::heard_whole;
using assistant::test::kFinishChunk;
using assistant::test::words_chunk;

struct Client {
  explicit Client(Clock& clock) : socket(clock) {}
  FakeSocket socket;
  std::unique_ptr<FakeExchange> exchange;
  bool ended = false;
};

struct VoiceTest : World {
  VoiceTest() {
    settings.limits.enabled = false;
    models.chunks = {words_chunk("It is Bern. "), words_chunk("It is old."), kFinishChunk};
    voices.pieces = {heard_delta("what is "), heard_whole("what is the capital")};
  }
  ~VoiceTest() override {
    for (auto& client : clients) client->socket.close(net::CloseCode::going_away, "test");
    clock.advance(0s);
    for (auto& client : clients) EXPECT_TRUE(client->ended);
  }
  /// The rooms with `voices` in the place of the models; the assistant keeps its own.
  void prepare() {
    if (voice_api) return;
    open();
    voice_rooms.reset(new Rooms{settings, clock, random, *log, metrics, *admission, *assistant,
                                voices, *library, *stores, client, not_ready,
                                settings.server.listen});
    voice_rooms->admin = &*desk;
    voice_rooms->audio = store;
    voice_api.emplace(*voice_rooms);
  }
  Reply ask(Sent sent, const std::function<void(FakeExchange&)>& prepare_exchange = {}) {
    prepare();
    auto exchange = std::make_unique<FakeExchange>(std::move(sent), clock.now());
    if (prepare_exchange) prepare_exchange(*exchange);
    bool ended = false;
    asio::co_spawn(io.get_executor(), voice_api->serve(*exchange), [&](std::exception_ptr thrown) {
      ended = true;
      EXPECT_FALSE(thrown);
    });
    for (int i = 0; i < 100'000 && !ended; ++i) {
      clock.advance(1ms);
      std::this_thread::yield();
    }
    EXPECT_TRUE(ended);
    return exchange;
  }
  static Sent sound(const std::string& query = "", std::string body = "RIFF of sound") {
    Sent sent;
    sent.method = "POST";
    sent.target = "/v1/voice" + query;
    sent.body = std::move(body);
    return sent.with("content-type", "audio/wav");
  }
  static Sent form(const std::vector<std::pair<std::string, std::string>>& fields,
                   const std::string& file = "") {
    Sent sent;
    sent.method = "POST";
    sent.target = "/v1/voice";
    for (const auto& [name, value] : fields) {
      sent.body +=
          "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    }
    if (!file.empty()) {
      sent.body += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.wav\"\r\n" +
                   std::string("Content-Type: audio/wav\r\n\r\n") + file + "\r\n";
    }
    sent.body += "--b--\r\n";
    return sent.with("content-type", "multipart/form-data; boundary=b");
  }
  static std::vector<Json> events(const Reply& reply) {
    std::vector<Json> out;
    const std::string text = reply->streamed();
    for (std::size_t at = 0; (at = text.find("\ndata: ", at)) != std::string::npos;) {
      at += 7;
      out.push_back(json(text.substr(at, text.find("\n\n", at) - at)));
    }
    return out;
  }
  static std::string types(const std::vector<Json>& told) {
    std::string out;
    for (const auto& one : told) {
      if (!out.empty()) out += " ";
      out += one["type"].get<std::string>();
      if (one["type"] == "error") out += ":" + one["error"]["code"].get<std::string>();
    }
    return out;
  }

  Client& connect() {
    prepare();
    auto made = std::make_unique<Client>(clock);
    made->exchange = std::make_unique<FakeExchange>(get("/v1/voice"), clock.now());
    made->exchange->socket = &made->socket;
    Client& placed = *made;
    clients.push_back(std::move(made));
    asio::co_spawn(io.get_executor(), voice_api->serve(*placed.exchange),
                   [&placed](std::exception_ptr thrown) {
                     placed.ended = true;
                     EXPECT_FALSE(thrown);
                   });
    clock.advance(0s);
    return placed;
  }
  FakeSocket& ready() {
    FakeSocket& socket = connect().socket;
    EXPECT_EQ(types(socket.take()), "ready");
    return socket;
  }
  void say(FakeSocket& socket, std::string text, bool is_text = true) {
    socket.say(std::move(text), is_text);
    clock.advance(1ms);
  }

  FakeVoices voices{clock};
  assistant::test::FakeStore kept;
  storage::AudioStore* store = nullptr;
  std::unique_ptr<Rooms> voice_rooms;
  std::optional<Api> voice_api;
  std::vector<std::unique_ptr<Client>> clients;
};

}  // namespace mainstay::api::test
