// What every back end of conversations must do, and that a failed call leaves nothing half-done.
#include "conformance/back_ends.h"

#include <set>

namespace mainstay::storage {
namespace {

class ConversationsFace : public testing::TestWithParam<const char*> {
 protected:
  Conversations& face() { return back_end_->stores().conversations(); }
  Status append(const Owner& owner, Turn turn) {
    return ground_.run(face().append(owner, std::move(turn), ground_.soon()));
  }
  std::vector<StoredMessage> window(const Owner& owner, const std::string& id,
                                    std::uint64_t budget) {
    auto got =
        ground_.run(face().window(owner, ConversationId(id), Tokens{budget}, ground_.soon()));
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : std::vector<StoredMessage>();
  }
  Result<PageOfConversations> list(const Owner& owner, const std::string& after, std::uint32_t n) {
    return ground_.run(face().list(owner, ConversationId(after), n, ground_.soon()));
  }
  Result<ConversationInfo> get(const Owner& owner, const std::string& id) {
    return ground_.run(face().get(owner, ConversationId(id), ground_.soon()));
  }
  Result<std::vector<StoredMessage>> messages(const Owner& owner, const std::string& id,
                                              const std::string& after, std::uint32_t n) {
    return ground_.run(
        face().messages(owner, ConversationId(id), MessageId(after), n, ground_.soon()));
  }
  Result<PageOfConversations> search(const Owner& owner, const std::string& text,
                                     const std::string& after, std::uint32_t n) {
    return ground_.run(face().search(owner, text, ConversationId(after), n, ground_.soon()));
  }
  Status rename(const Owner& owner, const std::string& id, const std::string& title) {
    return ground_.run(face().rename(owner, ConversationId(id), title, ground_.soon()));
  }
  Status erase(const Owner& owner, const std::string& id) {
    return ground_.run(face().erase(owner, ConversationId(id), ground_.soon()));
  }
  static std::vector<std::string> ids(const std::vector<StoredMessage>& of) {
    std::vector<std::string> out;
    for (const auto& message : of) out.push_back(message.id.text());
    return out;
  }

  Ground ground_;
  std::unique_ptr<BackEnd> back_end_ = back_end(GetParam(), ground_);
  const Owner ann_ = owner_of("clinic", "ann");
  const Owner bob_ = owner_of("clinic", "bob");
  const Owner ann_elsewhere_ = owner_of("school", "ann");
};
INSTANTIATE_TEST_SUITE_P(Over, ConversationsFace, testing::ValuesIn(kTalkBackEnds), back_end_name);

using Ids = std::vector<std::string>;

TEST_P(ConversationsFace, an_appended_turn_is_read_back_in_every_field) {
  const Turn turn = turn_of("c1", 1);
  ASSERT_TRUE(append(ann_, turn).ok());
  auto info = get(ann_, "c1");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->id, turn.conversation);
  EXPECT_EQ(info->title, "title 1");
  EXPECT_EQ(info->created, turn.finished);
  EXPECT_EQ(info->updated, turn.finished);
  EXPECT_EQ(info->messages, 2u);
  auto all = messages(ann_, "c1", "", 10);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*all)[i].id, turn.messages[i].id);
    EXPECT_EQ((*all)[i].role, turn.messages[i].role);
    EXPECT_EQ((*all)[i].json, turn.messages[i].json);
    EXPECT_EQ((*all)[i].tokens, turn.messages[i].tokens);
    EXPECT_EQ((*all)[i].created, turn.messages[i].created);
  }
}

TEST_P(ConversationsFace, the_last_message_of_a_turn_has_its_citations) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  Turn cited = turn_of("c1", 2);
  cited.citations = R"([{"document":"doc_1","title":"Häfen"}])";
  ASSERT_TRUE(append(ann_, cited).ok());
  Turn plain = turn_of("c1", 3);
  plain.citations.clear();
  ASSERT_TRUE(append(ann_, plain).ok());
  const auto citations = [&](const std::string& after, std::uint32_t limit) {
    Ids out;
    auto got = messages(ann_, "c1", after, limit);
    EXPECT_TRUE(got.ok());
    for (const auto& message : *got) out.push_back(message.citations);
    return out;
  };
  const std::string first = turn_of("c1", 1).citations;
  EXPECT_EQ(citations("", 9), (Ids{"", first, "", cited.citations, "", ""}));
  EXPECT_EQ(citations("a1", 2), (Ids{"", cited.citations})) << "on any page";
}

TEST_P(ConversationsFace, the_title_stays_the_first_and_updated_is_the_latest) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 5)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c1", 3)).ok());  // finished before the first: clocks jump
  ASSERT_TRUE(append(ann_, turn_of("c1", 9)).ok());
  auto info = get(ann_, "c1");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->title, "title 5");
  EXPECT_EQ(info->created, turn_of("c1", 5).finished);
  EXPECT_EQ(info->updated, turn_of("c1", 9).finished);
  EXPECT_EQ(info->messages, 6u);
}

TEST_P(ConversationsFace, repeating_a_request_changes_nothing) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  Turn again = turn_of("c1", 1);
  again.messages[0].json = R"({"role":"user","content":"other"})";
  again.finished = turn_of("c1", 50).finished;
  EXPECT_TRUE(append(ann_, again).ok());
  auto info = get(ann_, "c1");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->messages, 2u);
  EXPECT_EQ(info->updated, turn_of("c1", 1).finished);
  EXPECT_EQ((*messages(ann_, "c1", "", 9))[0].json, turn_of("c1", 1).messages[0].json);
}

TEST_P(ConversationsFace, the_same_request_id_in_another_conversation_is_another_turn) {
  Turn other = turn_of("c2", 2);
  other.request = turn_of("c1", 1).request;
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  ASSERT_TRUE(append(ann_, other).ok());
  EXPECT_EQ(get(ann_, "c2")->messages, 2u);
}

TEST_P(ConversationsFace, anothers_conversation_is_not_found_by_any_verb) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  for (const Owner& other : {bob_, ann_elsewhere_}) {
    auto appended = append(other, turn_of("c1", 2));
    ASSERT_FALSE(appended.ok());
    EXPECT_EQ(appended.error().code, Errc::not_found);
    EXPECT_EQ(get(other, "c1").error().code, Errc::not_found);
    EXPECT_EQ(messages(other, "c1", "", 5).error().code, Errc::not_found);
    EXPECT_EQ(erase(other, "c1").error().code, Errc::not_found);
    EXPECT_EQ(list(other, "c1", 5).error().code, Errc::not_found);
    EXPECT_EQ(search(other, "title", "c1", 5).error().code, Errc::not_found);
    EXPECT_TRUE(search(other, "title", "", 5)->items.empty());
    EXPECT_EQ(rename(other, "c1", "mine").error().code, Errc::not_found);
    auto foreign =
        ground_.run(face().window(other, ConversationId("c1"), Tokens{1000}, ground_.soon()));
    ASSERT_FALSE(foreign.ok());
    EXPECT_EQ(foreign.error().code, Errc::not_found);
    EXPECT_TRUE(list(other, "", 5)->items.empty());
  }
  EXPECT_EQ(get(ann_, "c1")->messages, 2u);
}

TEST_P(ConversationsFace, what_does_not_exist_is_not_found) {
  EXPECT_EQ(get(ann_, "none").error().code, Errc::not_found);
  EXPECT_EQ(get(ann_, "none").error().reason, "unknown_conversation");
  EXPECT_EQ(messages(ann_, "none", "", 5).error().code, Errc::not_found);
  EXPECT_EQ(erase(ann_, "none").error().code, Errc::not_found);
  EXPECT_TRUE(window(ann_, "none", 1000).empty());
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  EXPECT_EQ(messages(ann_, "c1", "none", 5).error().reason, "unknown_message");
}

TEST_P(ConversationsFace, a_message_id_used_twice_refuses_the_whole_turn) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  Turn clash = turn_of("c1", 2);
  clash.messages[1].id = MessageId("q1");
  auto refused = append(ann_, clash);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(get(ann_, "c1")->messages, 2u);
  EXPECT_EQ(get(ann_, "c1")->updated, turn_of("c1", 1).finished);
  clash.messages[1].id = MessageId("a2");
  EXPECT_TRUE(append(ann_, clash).ok()) << "the refused turn must not count as done";
  EXPECT_EQ(ids(*messages(ann_, "c1", "", 9)), (Ids{"q1", "a1", "q2", "a2"}));
}

TEST_P(ConversationsFace, the_window_holds_the_newest_whole_turns_that_fit) {
  for (int n = 1; n <= 3; ++n) ASSERT_TRUE(append(ann_, turn_of("c1", n, 10)).ok());  // 23 each
  EXPECT_EQ(ids(window(ann_, "c1", 22)), Ids{});
  EXPECT_EQ(ids(window(ann_, "c1", 23)), (Ids{"q3", "a3"}));
  EXPECT_EQ(ids(window(ann_, "c1", 45)), (Ids{"q3", "a3"}));
  EXPECT_EQ(ids(window(ann_, "c1", 46)), (Ids{"q2", "a2", "q3", "a3"}));
  EXPECT_EQ(ids(window(ann_, "c1", 68)), (Ids{"q2", "a2", "q3", "a3"}));
  EXPECT_EQ(ids(window(ann_, "c1", 69)), (Ids{"q1", "a1", "q2", "a2", "q3", "a3"}));
  EXPECT_EQ(ids(window(ann_, "c1", 1'000'000)).size(), 6u);
}

TEST_P(ConversationsFace, the_window_never_skips_a_turn_that_does_not_fit) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1, 1)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c1", 2, 500)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c1", 3, 1)).ok());
  EXPECT_EQ(ids(window(ann_, "c1", 100)), (Ids{"q3", "a3"}));
}

TEST_P(ConversationsFace, the_window_opens_with_a_message_that_may_open_a_conversation) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1, 100)).ok());
  Turn tool = turn_of("c1", 2, 10);  // answers a tool call of the turn before
  tool.messages[0].role = "tool";
  ASSERT_TRUE(append(ann_, tool).ok());
  EXPECT_EQ(ids(window(ann_, "c1", 50)), Ids{});
  EXPECT_EQ(ids(window(ann_, "c1", 500)), (Ids{"q1", "a1", "q2", "a2"}));
  ASSERT_TRUE(append(ann_, turn_of("c1", 3, 10)).ok());
  EXPECT_EQ(ids(window(ann_, "c1", 50)), (Ids{"q3", "a3"}));
}

TEST_P(ConversationsFace, a_greeting_before_the_first_question_does_not_hide_its_turn) {
  Turn greeted = turn_of("c1", 1, 10);
  std::swap(greeted.messages[0].role, greeted.messages[1].role);  // the assistant speaks first
  ASSERT_TRUE(append(ann_, greeted).ok());
  ASSERT_TRUE(append(ann_, turn_of("c1", 2, 10)).ok());
  EXPECT_EQ(ids(window(ann_, "c1", 500)), (Ids{"a1", "q2", "a2"}));
}

TEST_P(ConversationsFace, conversations_are_listed_newest_first_in_pages) {
  for (int n = 1; n <= 5; ++n) ASSERT_TRUE(append(ann_, turn_of("c" + std::to_string(n), n)).ok());
  ASSERT_TRUE(append(bob_, turn_of("b1", 3)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c2", 9)).ok());  // c2 is the newest now
  const Ids expected{"c2", "c5", "c4", "c3", "c1"};
  for (std::uint32_t limit : {1u, 2u, 4u, 5u, 6u}) {
    Ids seen;
    std::string after;
    for (;;) {
      auto page = list(ann_, after, limit);
      ASSERT_TRUE(page.ok());
      EXPECT_LE(page->items.size(), limit);
      for (const auto& item : page->items) seen.push_back(item.id.text());
      EXPECT_EQ(page->more, seen.size() < expected.size());
      if (!page->more) break;
      after = seen.back();
    }
    EXPECT_EQ(seen, expected) << "pages of " << limit;
  }
}

TEST_P(ConversationsFace, equal_times_are_still_paged_one_by_one) {
  for (int n = 1; n <= 4; ++n) {
    Turn turn = turn_of("c" + std::to_string(n), n);
    turn.finished = turn_of("x", 1).finished;
    ASSERT_TRUE(append(ann_, turn).ok());
  }
  Ids seen;
  for (int i = 0; i < 4; ++i) {
    auto page = list(ann_, seen.empty() ? "" : seen.back(), 1);
    ASSERT_TRUE(page.ok());
    ASSERT_EQ(page->items.size(), 1u);
    seen.push_back(page->items[0].id.text());
  }
  EXPECT_EQ(seen, (Ids{"c4", "c3", "c2", "c1"}));
}

TEST_P(ConversationsFace, a_renamed_conversation_keeps_its_place_and_its_messages) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c2", 2)).ok());
  ASSERT_TRUE(rename(ann_, "c1", "Ferien in Zürich").ok());
  auto info = get(ann_, "c1");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->title, "Ferien in Zürich");
  EXPECT_EQ(info->updated, turn_of("c1", 1).finished);
  EXPECT_EQ(info->messages, 2u);
  EXPECT_EQ(list(ann_, "", 5)->items.front().id.text(), "c2");
  ASSERT_TRUE(append(ann_, turn_of("c1", 3)).ok());
  EXPECT_EQ(get(ann_, "c1")->title, "Ferien in Zürich");
  EXPECT_EQ(rename(ann_, "none", "x").error().reason, "unknown_conversation");
}

TEST_P(ConversationsFace, search_finds_titles_in_any_case_and_pages_as_the_list) {
  const std::pair<int, const char*> titles[] = {{1, "Trip to Bern"}, {2, "tripod 100%"},
                                                {3, "Other"},        {4, "A TRIP\\plan"},
                                                {5, "Ärger"},        {6, "Наш план"}};
  for (const auto& [n, title] : titles) {
    const std::string id = "c" + std::to_string(n);
    ASSERT_TRUE(append(ann_, turn_of(id, n)).ok());
    ASSERT_TRUE(rename(ann_, id, title).ok());
  }
  const auto found = [&](const std::string& text) {
    Ids out;
    auto page = search(ann_, text, "", 9);
    EXPECT_TRUE(page.ok() && !page->more);
    if (page.ok()) {
      for (const auto& item : page->items) out.push_back(item.id.text());
    }
    return out;
  };
  EXPECT_EQ(found("tRiP"), (Ids{"c4", "c2", "c1"}));
  EXPECT_EQ(found("100%"), (Ids{"c2"})) << "no sign is special";
  EXPECT_EQ(found("p_o"), Ids{});
  EXPECT_EQ(found("trip\\"), (Ids{"c4"}));
  EXPECT_EQ(found("Ärg"), (Ids{"c5"}));
  EXPECT_EQ(found("äRG"), (Ids{"c5"})) << "as in the search of documents";
  EXPECT_EQ(found("arger"), (Ids{"c5"}));
  EXPECT_EQ(found("ПЛАН"), (Ids{"c6"}));
  auto first = search(ann_, "trip", "", 2);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->more);
  ASSERT_EQ(first->items.size(), 2u);
  auto rest = search(ann_, "trip", first->items.back().id.text(), 2);
  ASSERT_TRUE(rest.ok());
  EXPECT_FALSE(rest->more);
  ASSERT_EQ(rest->items.size(), 1u);
  EXPECT_EQ(rest->items[0].id.text(), "c1");
  EXPECT_EQ(search(ann_, "trip", "none", 2).error().code, Errc::not_found);
}

TEST_P(ConversationsFace, a_page_goes_on_behind_a_conversation_that_was_erased_meanwhile) {
  if (back_end_->restarts()) GTEST_SKIP() << "known until the next start";
  for (int n = 1; n <= 4; ++n) ASSERT_TRUE(append(ann_, turn_of("c" + std::to_string(n), n)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c1", 9)).ok());  // the first to come, the last to be used
  ASSERT_TRUE(erase(ann_, "c1").ok());
  auto page = list(ann_, "c1", 2);
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->more);
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[0].id.text(), "c4");
  ASSERT_TRUE(erase(ann_, "c3").ok());
  page = list(ann_, "c3", 2);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].id.text(), "c2");
  EXPECT_EQ(search(ann_, "title", "c3", 2)->items.size(), 1u);
  EXPECT_EQ(list(bob_, "c3", 2).error().code, Errc::not_found);
}

TEST_P(ConversationsFace, messages_are_paged_oldest_first) {
  for (int n = 1; n <= 3; ++n) ASSERT_TRUE(append(ann_, turn_of("c1", n)).ok());
  EXPECT_EQ(ids(*messages(ann_, "c1", "", 4)), (Ids{"q1", "a1", "q2", "a2"}));
  EXPECT_EQ(ids(*messages(ann_, "c1", "a2", 4)), (Ids{"q3", "a3"}));
  EXPECT_EQ(ids(*messages(ann_, "c1", "a3", 4)), Ids{});
  EXPECT_EQ(ids(*messages(ann_, "c1", "q1", 1)), (Ids{"a1"}));
}

TEST_P(ConversationsFace, an_erased_conversation_is_gone_and_its_id_is_free) {
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  ASSERT_TRUE(append(ann_, turn_of("c2", 2)).ok());
  ASSERT_TRUE(erase(ann_, "c1").ok());
  EXPECT_EQ(get(ann_, "c1").error().code, Errc::not_found);
  EXPECT_EQ(messages(ann_, "c1", "", 5).error().code, Errc::not_found);
  EXPECT_TRUE(window(ann_, "c1", 1000).empty());
  EXPECT_EQ(erase(ann_, "c1").error().code, Errc::not_found);
  EXPECT_EQ(list(ann_, "", 5)->items.size(), 1u);
  EXPECT_EQ(get(ann_, "c2")->messages, 2u);
  // The same request may come again: nothing of the old conversation is left to recognise it.
  ASSERT_TRUE(append(bob_, turn_of("c1", 1)).ok());
  EXPECT_EQ(get(bob_, "c1")->messages, 2u);
}

TEST_P(ConversationsFace, a_turn_that_continues_is_stored_only_where_the_conversation_still_is) {
  Turn next = turn_of("c1", 2);
  next.continues = true;
  EXPECT_TRUE(append(ann_, next).ok());
  EXPECT_EQ(get(ann_, "c1").error().code, Errc::not_found);
  ASSERT_TRUE(append(ann_, turn_of("c1", 1)).ok());
  ASSERT_TRUE(append(ann_, next).ok());
  ASSERT_TRUE(append(ann_, next).ok());
  EXPECT_EQ(get(ann_, "c1")->messages, 4u);
  ASSERT_TRUE(erase(ann_, "c1").ok());
  EXPECT_TRUE(append(ann_, next).ok());
  EXPECT_EQ(get(ann_, "c1").error().code, Errc::not_found);
  ASSERT_TRUE(append(bob_, turn_of("c1", 5)).ok());  // the id is free, and now another's
  EXPECT_TRUE(append(ann_, next).ok());
  EXPECT_EQ(get(bob_, "c1")->messages, 2u);
}

TEST_P(ConversationsFace, odd_but_valid_texts_come_back_as_they_were) {
  const std::string odd[] = {"", "'; DROP TABLE message; --", std::string("a\0b", 3),
                             "\xF0\x9F\x98\x80 \xE4\xB8\xAD\xE6\x96\x87",
                             std::string(300'000, 'x')};
  int n = 0;
  for (const auto& text : odd) {
    ++n;
    Turn turn = turn_of("odd" + std::to_string(n), n);
    turn.title = text;
    turn.messages[0].json = text;
    ASSERT_TRUE(append(ann_, turn).ok());
    const std::string id = turn.conversation.text();
    EXPECT_EQ(get(ann_, id)->title, text);
    EXPECT_EQ((*messages(ann_, id, "", 5))[0].json, text);
  }
}

Co<bool> append_many(Conversations& to, Owner owner, int writer, int turns, Deadline by) {
  bool all = true;
  for (int n = 0; n < turns; ++n) {
    Turn turn = turn_of("shared", writer * 1000 + n);
    auto stored = co_await to.append(owner, std::move(turn), by);
    all = all && stored.ok();
  }
  co_return all;
}

TEST_P(ConversationsFace, eight_writers_at_once_lose_nothing) {
  Conversations& to = face();
  int succeeded = 0;
  for (int writer = 0; writer < 8; ++writer) {
    const auto ended = [&](std::exception_ptr thrown, bool all) {
      EXPECT_FALSE(thrown);
      succeeded += all ? 1 : 0;
    };
    asio::co_spawn(ground_.io.get_executor(), append_many(to, ann_, writer, 200, ground_.soon()),
                   ended);
  }
  ground_.io.restart();
  ground_.io.run();
  EXPECT_EQ(succeeded, 8);
  auto all = messages(ann_, "shared", "", 10'000);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 3200u);
  std::set<std::string> different;
  for (std::size_t i = 0; i < all->size(); ++i) {
    different.insert((*all)[i].id.text());
    // A turn's messages stay together and in order.
    if (i % 2 == 1) {
      EXPECT_EQ((*all)[i].id.text().substr(1), (*all)[i - 1].id.text().substr(1));
    }
  }
  EXPECT_EQ(different.size(), 3200u);
}

/// Fails the Nth call: before it acts, or after (the answer was lost).
class FailNth final : public Conversations {
 public:
  enum class When { before, after };
  FailNth(Conversations& to, int nth, When when) : to_(to), left_(nth), when_(when) {}
  Co<Status> append(Owner owner, Turn turn, Deadline by) override {
    const bool fails = --left_ == 0;
    if (fails && when_ == When::before) co_return failure();
    auto out = co_await to_.append(std::move(owner), std::move(turn), by);
    if (fails) co_return failure();
    co_return out;
  }
  Co<Result<std::vector<StoredMessage>>> window(Owner o, ConversationId id, Tokens b,
                                                Deadline by) override {
    co_return co_await to_.window(std::move(o), std::move(id), b, by);
  }
  Co<Result<PageOfConversations>> list(Owner o, ConversationId after, std::uint32_t limit,
                                       Deadline by) override {
    co_return co_await to_.list(std::move(o), std::move(after), limit, by);
  }
  Co<Result<PageOfConversations>> search(Owner o, std::string text, ConversationId after,
                                         std::uint32_t limit, Deadline by) override {
    co_return co_await to_.search(std::move(o), std::move(text), std::move(after), limit, by);
  }
  Co<Status> rename(Owner o, ConversationId id, std::string title, Deadline by) override {
    co_return co_await to_.rename(std::move(o), std::move(id), std::move(title), by);
  }
  Co<Result<ConversationInfo>> get(Owner o, ConversationId id, Deadline by) override {
    co_return co_await to_.get(std::move(o), std::move(id), by);
  }
  Co<Result<std::vector<StoredMessage>>> messages(Owner o, ConversationId id, MessageId after,
                                                  std::uint32_t limit, Deadline by) override {
    co_return co_await to_.messages(std::move(o), std::move(id), std::move(after), limit, by);
  }
  Co<Status> erase(Owner o, ConversationId id, Deadline by) override {
    const bool fails = --left_ == 0;
    if (fails && when_ == When::before) co_return failure();
    auto out = co_await to_.erase(std::move(o), std::move(id), by);
    if (fails) co_return failure();
    co_return out;
  }

 private:
  static Error failure() { return Error::log(Errc::unavailable, "made to fail"); }
  Conversations& to_;
  int left_;
  When when_;
};

TEST_P(ConversationsFace, a_caller_that_repeats_a_failed_call_ends_where_it_would_have) {
  for (const auto when : {FailNth::When::before, FailNth::When::after}) {
    for (int nth = 1; nth <= 5; ++nth) {
      FailNth faulty(face(), nth, when);
      const std::string id =
          "c-" + std::to_string(nth) + (when == FailNth::When::after ? "a" : "b");
      for (int n = 1; n <= 4; ++n) {
        auto stored = ground_.run(faulty.append(ann_, turn_of(id, n), ground_.soon()));
        if (!stored.ok()) stored = ground_.run(faulty.append(ann_, turn_of(id, n), ground_.soon()));
        ASSERT_TRUE(stored.ok());
      }
      auto erased = ground_.run(faulty.erase(ann_, ConversationId(id), ground_.soon()));
      if (!erased.ok())
        erased = ground_.run(faulty.erase(ann_, ConversationId(id), ground_.soon()));
      // Repeating an erase whose answer was lost finds nothing: as good as done.
      if (!erased.ok()) {
        EXPECT_EQ(erased.error().code, Errc::not_found);
      }
      EXPECT_EQ(get(ann_, id).error().code, Errc::not_found);
    }
  }
}

}  // namespace
}  // namespace mainstay::storage
