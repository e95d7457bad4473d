// Listening over the socket of /v1/voice: who interrupts whom, and what `start` may say.
// proves Z7
#include "base/random.h"
#include "unit/api/voice_sound.h"
#include "unit/api/voice_world.h"

namespace mainstay::api {
namespace {

using namespace test;

constexpr std::uint32_t kRate = 16'000;

struct ListeningTest : VoiceTest {
  ListeningTest() {
    settings.voice.question_max = 2s;
    voices.speech_time = 10s;
  }
  FakeSocket& hands_free(const std::string& more = "") {
    FakeSocket& socket = ready();
    say(socket, R"({"type":"start","mode":"hands_free")" + more + "}");
    EXPECT_EQ(types(socket.take()), "started");
    return socket;
  }
  /// In pieces of `each` bytes, as fast as they were spoken.
  void speak(FakeSocket& socket, const std::string& sound, std::size_t each) {
    for (std::size_t at = 0; at < sound.size(); at += each) {
      const std::string piece = sound.substr(at, each);
      say(socket, piece, false);
      clock.advance(std::chrono::milliseconds(piece.size() / 2 * 1000 / kRate));
    }
  }
  static int count(const std::vector<Json>& told, const char* type) {
    int out = 0;
    for (const auto& one : told) out += one["type"] == type ? 1 : 0;
    return out;
  }
};

TEST_F(ListeningTest, a_voice_that_goes_on_after_the_longest_question_does_not_interrupt_itself) {
  for (const char* more : {"", R"(,"barge_in":false)"}) {
    FakeSocket& socket = hands_free(more);
    speak(socket, quiet(1000, kRate) + hum(7000, kRate) + quiet(1000, kRate), 3200);
    const auto told = socket.take();
    EXPECT_EQ(count(told, "speech_started"), 1) << types(told);
    EXPECT_EQ(count(told, "transcript"), 1) << types(told);
    EXPECT_EQ(count(told, "interrupted"), 0) << types(told);
    say(socket, R"({"type":"cancel"})");
    EXPECT_EQ(types(socket.take()), "interrupted cancelled") << "it was being answered";
  }
}

TEST_F(ListeningTest, a_new_voice_interrupts_unless_it_may_not_whatever_the_pieces) {
  const std::string sound = quiet(1000, kRate) + hum(1000, kRate) + quiet(1000, kRate) +
                            hum(1000, kRate) + quiet(1000, kRate);
  for (const std::size_t each : {sound.size(), std::size_t{3201}, std::size_t{640}}) {
    FakeSocket& free = hands_free();
    speak(free, sound, each);
    EXPECT_EQ(count(free.take(), "interrupted"), 1) << each;
    say(free, R"({"type":"cancel"})");
    FakeSocket& deaf = hands_free(R"(,"barge_in":false)");
    speak(deaf, sound, each);
    const auto told = deaf.take();
    EXPECT_EQ(count(told, "speech_started"), 1) << each << " " << types(told);
    EXPECT_EQ(count(told, "interrupted"), 0) << each << " " << types(told);
    say(deaf, R"({"type":"cancel"})");
  }
}

// Samples that are put together wrongly are noise, which is a voice for whoever listens: here the
// low bytes of a hiss that nobody hears would be high ones.
TEST_F(ListeningTest, an_odd_byte_stays_in_its_place_until_the_next_start) {
  std::string sound = quiet(1000, kRate);
  SeededRandom random{7};
  for (int i = 0; i < 32'000; ++i) {
    sound += static_cast<char>(random.below(8));
    sound += '\0';
  }
  FakeSocket& answered = hands_free(R"(,"barge_in":false)");
  say(answered, R"({"type":"text","text":"one"})");
  clock.advance(1s);
  say(answered, sound.substr(0, 3201), false);  // passed over: an answer is under way
  clock.advance(60s);
  EXPECT_TRUE(types(answered.take()).ends_with("done"));
  speak(answered, sound.substr(3201), 3200);
  EXPECT_EQ(types(answered.take()), "");

  FakeSocket& cancelled = hands_free();
  say(cancelled, sound.substr(0, 3201), false);
  say(cancelled, R"({"type":"cancel"})");
  EXPECT_EQ(types(cancelled.take()), "cancelled");
  speak(cancelled, sound.substr(3201), 3200);
  EXPECT_EQ(types(cancelled.take()), "");
  // A new start is a new stream.
  say(cancelled, "x", false);
  say(cancelled, R"({"type":"start","mode":"hands_free"})");
  EXPECT_EQ(types(cancelled.take()), "started");
  speak(cancelled, sound, 3200);
  EXPECT_EQ(types(cancelled.take()), "");
}

TEST_F(ListeningTest, stop_while_nobody_speaks_says_no_more_than_that) {
  FakeSocket& socket = hands_free();
  speak(socket, quiet(1000, kRate), 3200);
  say(socket, R"({"type":"text","text":"one"})");
  clock.advance(1s);
  socket.take();
  say(socket, R"({"type":"stop","id":"s"})");
  auto told = socket.take();
  EXPECT_EQ(types(told), "stopped");
  clock.advance(60s);
  told = socket.take();
  EXPECT_TRUE(types(told).ends_with("done")) << types(told);
  EXPECT_EQ(count(told, "error"), 0);
  // Somebody speaks: that is a question.
  FakeSocket& open = hands_free();
  speak(open, quiet(1000, kRate) + hum(600, kRate), 3200);
  say(open, R"({"type":"stop"})");
  clock.advance(100s);
  EXPECT_EQ(count(open.take(), "transcript"), 1);
}

TEST_F(ListeningTest, what_start_may_not_say_is_named) {
  FakeSocket& socket = ready();
  const struct {
    const char* member;
    const char* want;
    const char* param;
  } kCases[] = {{R"("mode":5)", "error:invalid_type", "mode"},
                {R"("mode":"")", "error:invalid_value", "mode"},
                {R"("barge_in":"false")", "error:invalid_type", "barge_in"},
                {R"("barge_in":0)", "error:invalid_type", "barge_in"},
                {R"("sample_rate":16000.7)", "error:invalid_value", "sample_rate"},
                {R"("sample_rate":"16000")", "error:invalid_value", "sample_rate"},
                {R"("response":"json")", "error:unknown_field", "response"},
                {R"("voice":7)", "error:invalid_type", "voice"},
                {R"("speak":1)", "error:invalid_type", "speak"},
                {R"("language":"de\r\nx: y")", "error:control_character", "language"},
                {R"("hearing_model":"a\nb")", "error:control_character", "hearing_model"}};
  for (const auto& one : kCases) {
    say(socket, R"({"type":"start",)" + std::string(one.member) + "}");
    const auto told = socket.take();
    ASSERT_EQ(types(told), one.want) << one.member;
    EXPECT_EQ(told[0]["error"]["param"], one.param);
  }
  for (const char* fine : {R"("mode":null)", R"("sample_rate":16000.0)", R"("barge_in":null)",
                           R"("barge_in":true)", R"("speak":false,"speed":2)"}) {
    say(socket, R"({"type":"start",)" + std::string(fine) + "}");
    EXPECT_EQ(types(socket.take()), "started") << fine;
  }
}

}  // namespace
}  // namespace mainstay::api
