// A voice turn from the recording to the last piece of speech.
// proves Z7, M11
#include <algorithm>

#include "unit/assistant/voice_world.h"

namespace mainstay::assistant {
namespace {

using namespace test;
using Lines = std::vector<std::string>;

struct VoiceTurnTest : VoiceWorld {
  static Lines only(const Lines& lines, const std::string& what) {
    Lines out;
    std::copy_if(lines.begin(), lines.end(), std::back_inserter(out),
                 [&](const std::string& line) { return line.starts_with(what); });
    return out;
  }
};

TEST_F(VoiceTurnTest, a_spoken_question_is_heard_answered_and_spoken_in_order) {
  wish.partial = true;
  voices.pieces = {heard_delta("what is "), heard_delta("the capital"),
                   heard_whole("what is the capital")};
  hear();
  const Lines lines = all();
  EXPECT_EQ(ended_with, "end");
  EXPECT_EQ(only(lines, "transcript"),
            (Lines{"transcript_partial what is ", "transcript_partial what is the capital",
                   "transcript what is the capital"}));
  EXPECT_EQ(lines.front(), "speech_started");
  EXPECT_EQ(answerer.asked, (Lines{"what is the capital"}));
  EXPECT_EQ(only(lines, "token"),
            (Lines{"token It is Bern. ", "token It is old. ", "token It lies on a river."}));
  EXPECT_EQ(only(lines, "audio"), (Lines{"audio_coming", "audio <It is Bern.:0>",
                                         "audio <It is old. It lies on a river.:0>"}));
  EXPECT_EQ(lines.back(), "done It is Bern. It is old. It lies on a river.");
}

TEST_F(VoiceTurnTest, audio_is_announced_before_any_of_it_is_made) {
  voices.speech_time = 5s;
  answerer.token_time = 10ms;
  ask();
  const Lines lines = all();
  const auto coming = std::find(lines.begin(), lines.end(), "audio_coming");
  const auto token = std::find(lines.begin(), lines.end(), "token It lies on a river.");
  ASSERT_NE(coming, lines.end());
  EXPECT_LT(coming, token) << "told while the answer is still being written";
}

TEST_F(VoiceTurnTest, a_sentence_is_spoken_while_the_next_one_is_written) {
  answerer.token_time = 1s;
  voices.speech_time = 100ms;
  ask();
  const auto begun = clock.now();
  const Lines lines = all();
  ASSERT_EQ(voices.said.size(), 2u);
  EXPECT_EQ(voices.said_at[0] - begun, 2s) << "as soon as the next word shows that it has ended";
  EXPECT_GE(clock.now() - begun, 4s);
  const auto sound = std::find(lines.begin(), lines.end(), "audio <It is Bern.:0>");
  const auto last = std::find(lines.begin(), lines.end(), "token It lies on a river.");
  EXPECT_LT(sound, last);
}

TEST_F(VoiceTurnTest, speech_comes_in_the_order_of_the_text_however_long_it_takes) {
  answerer.chunks.clear();
  for (int i = 0; i < 20; ++i) {
    answerer.chunks.push_back(words_chunk("This is sentence " + std::to_string(i) + ". "));
  }
  answerer.chunks.push_back(kFinishChunk);
  voices.pieces_of_speech = 3;
  voices.speech_time = 7ms;
  ask();
  const Lines sound = only(all(), "audio <");
  ASSERT_EQ(sound.size(), 60u);
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(
        sound[static_cast<std::size_t>(i)],
        "audio <This is sentence " + std::to_string(i / 3) + ".:" + std::to_string(i % 3) + ">");
  }
}

TEST_F(VoiceTurnTest, a_voice_that_fails_does_not_take_the_text_along) {
  voices.fail_from = 1;
  ask();
  Lines lines = all();
  EXPECT_EQ(ended_with, "end");
  EXPECT_EQ(only(lines, "audio"), (Lines{"audio_coming", "audio <It is Bern.:0>"}));
  EXPECT_EQ(only(lines, "speech_failed"), (Lines{"speech_failed voice_lost"}));
  EXPECT_EQ(only(lines, "token").size(), 3u);
  EXPECT_EQ(lines.back(), "done It is Bern. It is old. It lies on a river.");
  // From the first sentence on, and in the middle of one.
  voices.said.clear();
  voices.fail_from = 0;
  ask();
  lines = all();
  EXPECT_EQ(only(lines, "speech_failed").size(), 1u);
  EXPECT_TRUE(only(lines, "audio <").empty());
  EXPECT_EQ(only(lines, "done").size(), 1u);
  voices.said.clear();
  voices.fail_late = true;
  ask();
  lines = all();
  EXPECT_EQ(only(lines, "audio <").size(), 1u);
  EXPECT_EQ(only(lines, "speech_failed").size(), 1u);
  EXPECT_EQ(only(lines, "done").size(), 1u);
}

TEST_F(VoiceTurnTest, an_engine_that_is_busy_is_waited_for_as_long_as_the_turn_lasts) {
  voices.busy = 5;
  hear();
  Lines lines = all();
  EXPECT_EQ(ended_with, "end");
  EXPECT_EQ(voices.heard.size(), 6u);
  EXPECT_TRUE(only(lines, "speech_failed").empty());
  voices.busy = 3;
  ask();
  lines = all();
  EXPECT_EQ(only(lines, "audio <").size(), 2u);
  // For ever is too long.
  voices.busy = 1'000'000;
  hear();
  all();
  EXPECT_EQ(ended_with, "provider_busy");
  EXPECT_LT(voices.heard.size(), 400u);
}

TEST_F(VoiceTurnTest, silence_is_an_error_that_says_so) {
  voices.pieces = {heard_whole("")};
  hear();
  EXPECT_TRUE(all().empty());
  EXPECT_EQ(ended_with, "nothing_heard");
  EXPECT_TRUE(answerer.asked.empty());
}

TEST_F(VoiceTurnTest, what_hearing_and_writing_fail_with_ends_the_turn) {
  voices.hearing_error = Error::say(Errc::invalid, "bad_audio", "That is no audio.");
  hear();
  EXPECT_TRUE(all().empty());
  EXPECT_EQ(ended_with, "bad_audio");
  answerer.error = Error::say(Errc::over_limit, "rate_limited", "Too many.");
  ask();
  EXPECT_TRUE(all().empty());
  EXPECT_EQ(ended_with, "rate_limited");
  answerer.error.reset();
  answerer.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "Cut.");
  ask();
  EXPECT_FALSE(all().empty());
  EXPECT_EQ(ended_with, "upstream_truncated");
  // A transcription that ends without its end.
  voices.hearing_error.reset();
  voices.pieces = {heard_delta("what")};
  hear();
  all();
  EXPECT_EQ(ended_with, "upstream_truncated");
}

TEST_F(VoiceTurnTest, stopping_ends_writing_and_speaking_at_once) {
  answerer.token_time = 1s;
  voices.speech_time = 10s;
  voices.pieces_of_speech = 100;
  ask();
  for (int i = 0; i < 3; ++i) next();  // two tokens and audio_coming
  clock.advance(1s);
  EXPECT_EQ(answerer.writing, 1);
  EXPECT_EQ(voices.speaking, 1);
  turn->stop();
  clock.advance(0s);
  EXPECT_EQ(answerer.writing, 0) << "the model's answer is let go";
  EXPECT_EQ(voices.speaking, 0) << "so is the voice";
  const auto said = voices.said.size();
  clock.advance(100s);
  EXPECT_EQ(voices.said.size(), said);
  all();
  EXPECT_EQ(ended_with, "cancelled");
}

TEST_F(VoiceTurnTest, an_answer_is_kept_once_before_its_end_is_told) {
  ask();
  std::vector<std::string> seen = all();
  EXPECT_EQ(seen.back().substr(0, 4), "done");
  close();
  EXPECT_EQ(answerer.kept,
            std::vector<std::string>{"whole: It is Bern. It is old. It lies on a river."});
  // What cannot be kept is no answer.
  answerer.kept.clear();
  answerer.keep_error = Error::say(Errc::unavailable, "disk_full", "Full.");
  ask();
  seen = all();
  EXPECT_NE(seen.back().substr(0, 4), "done");
  EXPECT_EQ(ended_with, "disk_full");
}

TEST_F(VoiceTurnTest, an_interrupted_answer_is_kept_as_far_as_it_was_spoken) {
  voices.speech_time = 1s;
  ask();
  clock.advance(1500ms);  // all is written; the second sentence is on its way
  turn->stop();
  close();
  EXPECT_EQ(answerer.kept, std::vector<std::string>{"interrupted: It is Bern."});
}

TEST_F(VoiceTurnTest, an_answer_interrupted_while_it_is_written_is_kept_as_far_as_it_was_told) {
  answerer.token_time = 1s;
  voices.speech_time = 10s;
  ask();
  clock.advance(2500ms);  // two of its pieces are written, no sound came yet
  turn->stop();
  close();
  EXPECT_EQ(answerer.kept, std::vector<std::string>{"interrupted: It is Bern. It is old. "});
  // Nothing was told: nothing is kept.
  answerer.kept.clear();
  ask();
  clock.advance(500ms);
  turn->stop();
  close();
  EXPECT_TRUE(answerer.kept.empty());
}

TEST_F(VoiceTurnTest, an_answer_that_was_written_is_kept_whole_when_its_client_leaves) {
  voices.speech_time = 10s;
  ask();
  clock.advance(1s);
  close();
  EXPECT_EQ(answerer.kept,
            std::vector<std::string>{"whole: It is Bern. It is old. It lies on a river."});
  // One that fails, or is left while it is written, is not.
  answerer.kept.clear();
  answerer.token_time = 1s;
  ask();
  clock.advance(2500ms);
  close();
  answerer.cut = Error::say(Errc::bad_upstream, "upstream_truncated", "Cut.");
  ask();
  all();
  close();
  EXPECT_TRUE(answerer.kept.empty());
}

TEST_F(VoiceTurnTest, closing_in_any_moment_leaves_nothing_behind) {
  answerer.token_time = 10ms;
  voices.speech_time = 7ms;
  voices.hearing_time = 9ms;
  for (int moment = 0; moment < 100; moment += 3) {
    hear(true);
    clock.advance(std::chrono::milliseconds(moment));
    close();
    EXPECT_EQ(answerer.writing, 0) << moment;
    EXPECT_EQ(voices.speaking, 0) << moment;
    for (const auto& [id, bytes] : store.kept) {
      EXPECT_NE(std::find(store.finished.begin(), store.finished.end(), id), store.finished.end())
          << "speech that is not whole is dropped";
    }
  }
}

TEST_F(VoiceTurnTest, a_client_that_does_not_listen_stops_the_work_and_not_the_memory) {
  settings.events_max = Bytes(1000);
  settings.sentences_max = 2;
  answerer.chunks.clear();
  for (int i = 0; i < 500; ++i)
    answerer.chunks.push_back(words_chunk("Some words of a sentence. "));
  answerer.chunks.push_back(kFinishChunk);
  ask();
  clock.advance(10s);
  EXPECT_LE(voices.said.size(), 16u);
  const auto before = voices.said.size();
  clock.advance(10s);
  EXPECT_EQ(voices.said.size(), before) << "everything waits";
  const Lines lines = all();
  EXPECT_EQ(ended_with, "end");
  EXPECT_EQ(only(lines, "token").size(), 500u);
  std::string spoken;
  for (const auto& request : voices.said) spoken += request.text + " ";
  std::string written;
  for (int i = 0; i < 500; ++i) written += "Some words of a sentence. ";
  EXPECT_EQ(spoken, written);
}

TEST_F(VoiceTurnTest, a_turn_that_takes_too_long_says_so) {
  settings.events_max = Bytes(200);
  answerer.chunks.assign(100, words_chunk("Some words of a sentence. "));
  ask();
  clock.advance(61s);  // the turn's deadline passes while nobody listens
  all();
  EXPECT_EQ(ended_with, "voice_timeout");
}

TEST_F(VoiceTurnTest, only_so_much_of_an_answer_is_spoken) {
  settings.spoken_max = Bytes(std::string("It is Bern.").size());
  ask();
  EXPECT_EQ(only(all(), "audio <"), (Lines{"audio <It is Bern.:0>"}));
  settings.spoken_max = Bytes(std::string("It is Bern.").size() - 1);
  voices.said.clear();
  ask();
  const Lines lines = all();
  EXPECT_TRUE(only(lines, "audio").empty());
  EXPECT_EQ(ended_with, "end");
}

TEST_F(VoiceTurnTest, without_speech_only_the_text_is_told) {
  wish.speak = false;
  ask();
  const Lines lines = all();
  EXPECT_TRUE(voices.said.empty());
  EXPECT_EQ(lines.size(), 4u);
}

TEST_F(VoiceTurnTest, kept_speech_has_its_address_before_it_is_made_and_is_whole_in_the_end) {
  ask(true);
  const Lines lines = all();
  EXPECT_EQ(only(lines, "audio"), (Lines{"audio_coming @audio-1", "audio_ready @audio-1"}));
  EXPECT_EQ(only(lines, "done").front(),
            "done It is Bern. It is old. It lies on a river. @audio-1");
  EXPECT_EQ(store.kept["audio-1"], "<It is Bern.:0><It is old. It lies on a river.:0>");
  EXPECT_EQ(store.finished, (Lines{"audio-1"}));
  EXPECT_EQ(store.begun.front().owner.user.text(), "user-a");
  EXPECT_EQ(store.begun.front().mime, "audio/mpeg");
}

TEST_F(VoiceTurnTest, where_nothing_can_be_kept_speech_goes_inline) {
  store.begin_error = Error::say(Errc::unavailable, "audio_not_kept", "Nowhere.");
  ask(true);
  Lines lines = all();
  EXPECT_EQ(only(lines, "audio <").size(), 2u);
  EXPECT_TRUE(only(lines, "speech_failed").empty());
  // A user's own limit is no reason to send it all the same.
  store.begin_error = Error::say(Errc::over_limit, "too_much_audio", "Too much.");
  ask(true);
  lines = all();
  EXPECT_EQ(only(lines, "speech_failed"), (Lines{"speech_failed too_much_audio"}));
  EXPECT_TRUE(only(lines, "audio").empty());
}

TEST_F(VoiceTurnTest, speech_that_fails_in_the_middle_keeps_what_there_is) {
  store.append_error = Error::say(Errc::disk_full, "disk_full", "Full.");
  store.append_max = std::string("<It is Bern.:0>").size();
  ask(true);
  const Lines lines = all();
  EXPECT_EQ(only(lines, "speech_failed").size(), 1u);
  EXPECT_EQ(only(lines, "audio_ready").size(), 1u);
  EXPECT_EQ(store.kept["audio-1"], "<It is Bern.:0>");
}

TEST_F(VoiceTurnTest, a_wav_file_of_many_sentences_has_one_head) {
  wish.form = models::AudioForm::wav;
  voices.shape.rate = voices.later_shape.rate = 22'050;
  ask();
  std::string sound;
  double seconds = 0;
  while (auto event = next()) {
    sound += event->bytes;
    if (event->type == Type::done) seconds = event->seconds;
  }
  EXPECT_EQ(voices.said.front().form, models::AudioForm::pcm);
  EXPECT_EQ(sound.substr(0, 4), "RIFF");
  const std::string samples = "<It is Bern.:0><It is old. It lies on a river.:0>";
  EXPECT_EQ(sound.substr(44), samples);
  EXPECT_DOUBLE_EQ(seconds, static_cast<double>(samples.size()) / 44'100);
}

TEST_F(VoiceTurnTest, a_voice_that_changes_its_rate_is_not_played_at_the_wrong_one) {
  wish.form = models::AudioForm::pcm;
  voices.later_shape.rate = 16'000;
  ask();
  const Lines lines = all();
  EXPECT_EQ(only(lines, "audio <").size(), 1u);
  EXPECT_EQ(only(lines, "speech_failed"), (Lines{"speech_failed speech_changed"}));
}

TEST_F(VoiceTurnTest, citations_are_told_behind_the_text) {
  answerer.chunks = {
      words_chunk("It is Bern."),
      R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"citations":[{"title":"Atlas"}]})"};
  ask();
  const Lines lines = all();
  EXPECT_EQ(only(lines, "citations").size(), 1u);
  EXPECT_LT(std::find(lines.begin(), lines.end(), "token It is Bern."),
            std::find(lines.begin(), lines.end(), "citations"));
}

}  // namespace
}  // namespace mainstay::assistant
