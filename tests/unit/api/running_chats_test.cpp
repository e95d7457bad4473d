// Which chats run, and what stopping one does to its hold.
#include "api/running_chats.h"

#include "unit/base/support.h"

namespace mainstay::api {
namespace {

using namespace std::chrono_literals;
using Stopping = RunningChats::Stopping;

storage::ReplyPlace place_of(const std::string& user, const std::string& key = "key-1") {
  return {{TenantId("default"), UserId(user)}, std::string(kStoppable), key};
}

/// Whether Ann's ends that soon.
Co<bool> ends_within(Clock& clock, RunningChats& chats, Duration most) {
  const Deadline by = Deadline::in(clock, most);
  co_await chats.ended(place_of("ann"), by);
  co_return !by.passed(clock.now());
}

struct RunningChatsTest : SimTest {
  /// One that runs, with its hold kept for the key.
  std::shared_ptr<assistant::EarlyEnd> begin(const storage::ReplyPlace& place) {
    hold = std::make_shared<Hold>([this] { ++cancelled; });
    EXPECT_TRUE(hold->keep());
    auto early = std::make_shared<assistant::EarlyEnd>();
    EXPECT_TRUE(chats.add(place, hold, early));
    return early;
  }
  RunningChats chats{clock};
  std::shared_ptr<Hold> hold;
  int cancelled = 0;
};

TEST_F(RunningChatsTest, stopping_cancels_and_the_chat_learns_of_it_when_it_leaves) {
  begin(place_of("ann"));
  EXPECT_EQ(chats.stop(place_of("ann")), Stopping::now);
  EXPECT_EQ(cancelled, 1);
  EXPECT_TRUE(chats.runs(place_of("ann")));
  EXPECT_TRUE(chats.remove(place_of("ann"))) << "its reply is not to be kept";
  EXPECT_FALSE(chats.runs(place_of("ann")));
  EXPECT_FALSE(chats.remove(place_of("ann")));
}

TEST_F(RunningChatsTest, one_that_others_wait_for_goes_on_for_them) {
  begin(place_of("ann"));
  ASSERT_TRUE(hold->keep());
  EXPECT_EQ(chats.stop(place_of("ann")), Stopping::now);
  EXPECT_EQ(cancelled, 0);
  hold->drop();
  EXPECT_EQ(cancelled, 1);
}

TEST_F(RunningChatsTest, one_that_is_recorded_is_left_to_its_next_chunk_or_to_patience) {
  const auto early = begin(place_of("ann"));
  early->recording();
  EXPECT_EQ(chats.stop(place_of("ann")), Stopping::soon);
  EXPECT_TRUE(early->wished());
  EXPECT_EQ(cancelled, 0);
  chats.end_now(place_of("ann"));
  chats.end_now(place_of("ann"));
  EXPECT_EQ(cancelled, 1);
  EXPECT_TRUE(chats.remove(place_of("ann")));
}

TEST_F(RunningChatsTest, its_end_is_waited_for_and_no_longer_than_the_deadline) {
  begin(place_of("ann"));
  begin(place_of("bob"));
  Outcome<bool> in_time;
  start(io, ends_within(clock, chats, 2s), in_time);
  clock.advance(500ms);
  chats.remove(place_of("bob"));
  clock.advance(500ms);
  EXPECT_FALSE(in_time.done) << "another's end";
  chats.remove(place_of("ann"));
  clock.advance(0ms);
  ASSERT_TRUE(in_time.done);
  EXPECT_TRUE(*in_time.value);
  Outcome<bool> at_once;
  start(io, ends_within(clock, chats, 2s), at_once);
  clock.advance(0ms);
  EXPECT_TRUE(at_once.done) << "nothing runs there";
  begin(place_of("ann"));
  Outcome<bool> late;
  start(io, ends_within(clock, chats, 2s), late);
  clock.advance(2s);
  ASSERT_TRUE(late.done);
  EXPECT_FALSE(*late.value);
}

TEST_F(RunningChatsTest, another_user_or_key_is_another_chat) {
  begin(place_of("ann"));
  EXPECT_EQ(chats.stop(place_of("bob")), Stopping::unknown);
  EXPECT_EQ(chats.stop(place_of("ann", "key-2")), Stopping::unknown);
  EXPECT_EQ(cancelled, 0);
  EXPECT_FALSE(chats.remove(place_of("ann")));
}

TEST_F(RunningChatsTest, what_was_stopped_before_it_came_does_not_begin_for_a_while) {
  const auto add = [this](const storage::ReplyPlace& place) {
    return chats.add(place, std::make_shared<Hold>([] {}), std::make_shared<assistant::EarlyEnd>());
  };
  EXPECT_EQ(chats.stop(place_of("ann")), Stopping::unknown);
  clock.advance(RunningChats::kStopHolds - 1ms);
  EXPECT_FALSE(add(place_of("ann")));
  EXPECT_FALSE(chats.runs(place_of("ann")));
  clock.advance(1ms);
  EXPECT_TRUE(add(place_of("ann")));
}

TEST_F(RunningChatsTest, of_those_remembered_the_oldest_are_forgotten_first) {
  const auto add = [this](const std::string& key) {
    return chats.add(place_of("ann", key), std::make_shared<Hold>([] {}),
                     std::make_shared<assistant::EarlyEnd>());
  };
  for (std::size_t i = 0; i <= RunningChats::kStoppedMax; ++i) {
    chats.stop(place_of("ann", "key-" + std::to_string(i)));
  }
  EXPECT_TRUE(add("key-0"));
  EXPECT_FALSE(add("key-1"));
  EXPECT_FALSE(add("key-" + std::to_string(RunningChats::kStoppedMax)));
}

}  // namespace
}  // namespace mainstay::api
