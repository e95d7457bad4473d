// What every signal promises: news in order, from a place on, to many readers, within its bounds.
#include "conformance/jobs_rig.h"

namespace mainstay::storage {
namespace {

class Signals : public testing::TestWithParam<const char*> {
 protected:
  Signal& signal() {
    if (!back_) {
      back_ = back_end(GetParam(), ground_);
      stores_ = &back_->stores();
    }
    return stores_->signal();
  }
  void tell(const std::string& topic, const std::string& data, const std::string& type = "t") {
    EXPECT_TRUE(ground_.run(signal().tell(topic, type, data, ground_.soon())).ok());
  }
  /// What there is now, without waiting.
  Heard hear(const std::string& topic, const std::string& place) {
    const Deadline now = Deadline::in(ground_.clock, milliseconds(50));
    auto out = ground_.run(signal().hear(topic, place, now));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : Heard{};
  }
  std::string place(const std::string& topic) {
    auto out = ground_.run(signal().place(topic, ground_.soon()));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : "";
  }
  static std::string words(const Heard& heard) {
    std::string out;
    for (const auto& one : heard.news) out += one.data + " ";
    return out + (heard.missed ? "missed" : "");
  }
  Ground ground_;
  std::unique_ptr<BackEnd> back_;
  Stores* stores_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(BackEnds, Signals, testing::ValuesIn(kJobBackEnds), back_end_name);

TEST_P(Signals, news_comes_in_order_from_the_readers_place_on) {
  tell("a", "one", "progress");
  tell("b", "other");
  tell("a", "two", "token");
  const Heard all = hear("a", "");
  ASSERT_EQ(words(all), "one two ");
  EXPECT_EQ(all.news[0].type, "progress");
  EXPECT_EQ(all.news[1].type, "token");
  EXPECT_NE(all.news[0].at, all.news[1].at);
  EXPECT_NE(all.news[0].at.find('-'), std::string::npos);
  EXPECT_EQ(words(hear("a", all.news[0].at)), "two ");
  EXPECT_EQ(words(hear("a", all.news[1].at)), "");
  tell("a", "three");
  EXPECT_EQ(words(hear("a", all.news[1].at)), "three ");
  EXPECT_EQ(words(hear("b", "")), "other ");
}

TEST_P(Signals, a_place_is_after_the_newest_and_misses_nothing_told_later) {
  const std::string before = place("quiet");
  tell("quiet", "one");
  EXPECT_EQ(words(hear("quiet", before)), "one ");
  const std::string after = place("quiet");
  EXPECT_EQ(words(hear("quiet", after)), "");
  EXPECT_EQ(words(hear("quiet", "$")), "");
  tell("quiet", "two");
  EXPECT_EQ(words(hear("quiet", after)), "two ");
}

TEST_P(Signals, a_topic_that_nobody_told_is_empty) {
  EXPECT_EQ(words(hear("nowhere", "")), "");
  EXPECT_EQ(words(hear("nowhere", place("nowhere"))), "");
}

TEST_P(Signals, a_place_that_is_not_known_is_said_and_what_is_kept_is_given) {
  tell("a", "one");
  for (const char* odd : {"yesterday", "1-1-1", "-5", "7", "12-"}) {
    EXPECT_EQ(words(hear("a", odd)), "one missed") << odd;
  }
  const std::string first = hear("a", "").news.at(0).at;
  const std::string born = first.substr(0, first.find('-') + 1);
  for (const char* odd : {"18446744073709551616", "99999999999999999999999", "x", "1-1", ""}) {
    EXPECT_EQ(words(hear("a", born + odd)), "one missed") << odd;
  }
}

TEST_P(Signals, a_place_beyond_the_newest_is_not_known) {
  tell("a", "one");
  const std::string newest = place("a");
  const auto dash = newest.find('-') + 1;
  const std::uint64_t number = std::stoull(newest.substr(dash));
  const auto beyond = [&](std::uint64_t n) {
    return newest.substr(0, dash) + std::to_string(number + n);
  };
  EXPECT_EQ(words(hear("a", beyond(0))), "");
  EXPECT_EQ(words(hear("a", beyond(1))), "one missed");
  EXPECT_EQ(words(hear("a", beyond(99'999'999))), "one missed");
}

TEST_P(Signals, a_reader_who_is_too_slow_learns_that_it_missed_some) {
  ground_.signal.events_max = 3;
  tell("a", "0");
  const std::string first = hear("a", "").news.at(0).at;
  for (int i = 1; i <= 3; ++i) tell("a", std::to_string(i));
  EXPECT_EQ(words(hear("a", first)), "1 2 3 ");  // what went was heard
  EXPECT_EQ(words(hear("a", "")), "1 2 3 ");
  tell("a", "4");
  EXPECT_EQ(words(hear("a", first)), "2 3 4 missed");
}

TEST_P(Signals, the_bytes_of_a_topic_are_bounded) {
  ground_.signal.bytes_max = 100;
  const std::string start = place("a");
  tell("a", std::string(49, 'x'));
  tell("a", std::string(49, 'y'));
  EXPECT_EQ(hear("a", start).news.size(), 2U);  // one for the type: 100 in all
  tell("a", "");
  EXPECT_EQ(hear("a", start).news.size(), 2U);
  EXPECT_TRUE(hear("a", start).missed);
}

Co<bool> hears(Signal& signal, std::string topic, std::string from, std::string word, Deadline by) {
  auto heard = co_await signal.hear(std::move(topic), std::move(from), by);
  co_return heard.ok() && heard->news.size() == 1 && heard->news[0].data == word;
}
Co<bool> tells(Signal& signal, std::string topic, std::string word, Deadline by) {
  auto told = co_await signal.tell(std::move(topic), "t", std::move(word), by);
  co_return told.ok();
}

TEST_P(Signals, every_waiting_reader_of_the_topic_is_woken) {
  std::vector<Co<bool>> all;
  for (int i = 0; i < 100; ++i) all.push_back(hears(signal(), "a", "$", "word", ground_.soon()));
  for (int i = 0; i < 10; ++i) all.push_back(hears(signal(), "b", "", "other", ground_.soon()));
  all.push_back(tells(signal(), "a", "word", ground_.soon()));
  all.push_back(tells(signal(), "b", "other", ground_.soon()));
  for (const bool one : run_all(ground_, std::move(all))) EXPECT_TRUE(one);
}

TEST_P(Signals, a_reader_without_news_waits_until_its_deadline) {
  const Deadline by = Deadline::in(ground_.clock, milliseconds(80));
  auto heard = ground_.run(signal().hear("a", "", by));
  ASSERT_TRUE(heard.ok());
  EXPECT_EQ(words(*heard), "");
  EXPECT_TRUE(by.passed(ground_.clock.now()));
}

TEST_P(Signals, histories_go_some_time_after_their_last_event) {
  back_ = back_end(GetParam(), ground_);
  ground_.clock.stand_still();
  stores_ = &back_->stores();
  tell("a", "one");
  ground_.clock.move(minutes(10) - microseconds(1));
  tell("b", "two");
  const auto now = [&](const std::string& topic) {
    return words(*ground_.run(signal().hear(topic, "", Deadline(ground_.clock.now()))));
  };
  EXPECT_EQ(now("a"), "one ");
  ground_.clock.move(microseconds(1));
  EXPECT_EQ(now("a"), "");
  EXPECT_EQ(now("b"), "two ");
}

TEST_P(Signals, the_least_recently_used_topic_goes_first_and_its_reader_is_told) {
  ground_.signal.topics_max = 3;
  tell("a", "one");
  const std::string old = hear("a", "").news.at(0).at;
  tell("a", "two");
  tell("b", "x");
  tell("c", "x");
  EXPECT_EQ(words(hear("a", "")), "one two ");  // used: now b is the least recently used
  tell("d", "x");
  EXPECT_EQ(words(hear("a", old)), "two ");
  tell("e", "x");
  tell("f", "x");
  tell("g", "x");
  EXPECT_EQ(words(hear("a", old)), "missed");
  const std::string again = place("a");
  tell("a", "three");
  EXPECT_EQ(words(hear("a", again)), "three ");
  EXPECT_EQ(words(hear("a", old)), "three missed");
}

}  // namespace
}  // namespace mainstay::storage
