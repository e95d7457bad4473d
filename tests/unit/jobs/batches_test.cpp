// Batches at work: inputs that vanish, owners who take turns, answers behind a slow one.
#include "jobs/batches.h"

#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "base/json_fields.h"
#include "storage/memory/open.h"
#include "unit/jobs/world.h"

namespace mainstay::jobs {
namespace {

using namespace test;
using storage::BatchId;

/// The feeder over memory stores and a real shelf, whose pool answers in real time. Tests play the
/// worker.
struct BatchesTest : JobsWorld {
  BatchesTest() {
    settings.storage.operation_timeout = 100h;
    settings.batches.outstanding = 4;
    settings.jobs.keep_results = 4h;
    auto item = std::make_unique<ScriptKind>(clock, "batch_item");
    item->limits_.for_clients = false;
    item->limits_.timeout = 5min;
    items = item.get();
    kinds.add(std::move(item));
    std::string form = "/tmp/mainstay-batches-XXXXXX";
    folder = ::mkdtemp(form.data());
    shelf = std::move(*storage::Shelf::open(folder, pool, clock));
    storage::JobLimits limits;
    limits.keep_results = 4h;
    stores = storage::memory::open(clock, limits);
    item_desk.emplace(settings, clock, random, *log, admission, kinds, stores->jobs(),
                      stores->signal());
    batches.emplace(settings.batches, clock, random, *stores);
  }
  ~BatchesTest() override {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void begin() {
    feeder = std::make_unique<BatchFeeder>(
        FeederParts{settings, clock, *log, *item_desk, *stores, *shelf}, io.get_executor());
    feeder->start();
  }
  void stop() {
    if (!feeder) return;
    bool closed = false;
    asio::co_spawn(io.get_executor(), feeder->close(), [&](std::exception_ptr) { closed = true; });
    ASSERT_TRUE(until([&] { return closed; }));
    feeder.reset();
  }
  /// Goes on: in real time for the pool, and a second of virtual time now and then.
  bool until(const std::function<bool()>& so) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (int i = 1; !so(); ++i) {
      if (std::chrono::steady_clock::now() > end) return false;
      clock.advance(i % 1000 == 0 ? Duration(1s) : Duration(0s));
      std::this_thread::yield();
    }
    return true;
  }
  Deadline soon() { return Deadline::in(clock, 100h); }
  template <class T>
  T now(Co<T> work) {
    mainstay::Outcome<T> out;
    start(io, std::move(work), out);
    EXPECT_TRUE(until([&] { return out.done; }));
    return std::move(*out.value);
  }
  /// Lines of 8 KiB: 40 of them are more than is read at once.
  std::string put(const std::string& name, int lines, const std::string& user = "ann") {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      text += dump(Json{{"custom_id", "c" + std::to_string(i)},
                        {"method", "POST"},
                        {"url", "/v1/chat/completions"},
                        {"body", {{"pad", std::string(8192, 'x')}}}}) +
              "\n";
    }
    storage::FileInfo file;
    file.id = storage::FileId(name);
    file.owner = someone(user).owner;
    file.purpose = "batch";
    file.size = text.size();
    file.expires = clock.wall() + 1h;
    EXPECT_TRUE(now(shelf->put(name, 0, std::move(text), false, soon())).ok());
    EXPECT_TRUE(now(stores->files().add(std::move(file), {}, soon())).ok());
    return name;
  }
  BatchId create(const std::string& file, const std::string& user = "ann") {
    BatchOrder order{file, "/v1/chat/completions", "24h", nullptr};
    auto made = now(batches->create(someone(user), std::move(order), {}, soon()));
    EXPECT_TRUE(made.ok());
    return made.ok() ? made->id : BatchId();
  }
  BatchRecord record(const BatchId& id, const std::string& user = "ann") {
    auto view = now(batches->get(someone(user).owner, id, soon()));
    EXPECT_TRUE(view.ok());
    return view.ok() ? view->record : BatchRecord();
  }
  bool comes_to(const BatchId& id, BatchStatus status, const std::string& user = "ann") {
    return until([&] { return record(id, user).status == status; });
  }
  /// Attempts that begin now.
  std::vector<storage::Claimed> claim(std::uint32_t most) {
    storage::Claim claim{"w", {}, most, Duration(1000h)};
    auto got = now(stores->jobs().claim(std::move(claim), Deadline(clock.now())));
    return got.ok() ? std::move(*got) : std::vector<storage::Claimed>();
  }
  std::vector<storage::Claimed> claim_all(std::size_t wanted) {
    std::vector<storage::Claimed> out;
    EXPECT_TRUE(until([&] {
      for (auto& one : claim(100)) out.push_back(std::move(one));
      return out.size() >= wanted;
    }));
    return out;
  }
  static std::string id_in(const storage::Claimed& one) {
    return string_field(*parse_json(one.job.job.input), "custom_id");
  }
  void answer(const storage::Claimed& one) {
    auto done = try_answer(one);
    EXPECT_TRUE(done.ok()) << done.error().detail;
  }
  Status try_answer(const storage::Claimed& one) {
    auto done = now(stores->jobs().complete(
        one.lease, R"({"status_code":200,"body":{"to":")" + id_in(one) + R"("}})", {}, soon()));
    auto told = now(stores->signal().tell(topic_of(one.job.job.id), "succeeded", "{}", soon()));
    EXPECT_TRUE(told.ok());
    return done;
  }
  /// Answers all that comes until the batch has ended.
  BatchRecord end(const BatchId& id) {
    EXPECT_TRUE(until([&] {
      for (const auto& one : claim(100)) answer(one);
      return ended(record(id).status);
    }));
    return record(id);
  }
  /// custom_ids of an output or error file.
  Names lines_of(const std::string& file) {
    Names out;
    if (file.empty()) return out;
    auto text = now(shelf->read(file, 0, 1 << 20, soon()));
    EXPECT_TRUE(text.ok());
    std::istringstream in(text.ok() ? *text : std::string());
    for (std::string line; std::getline(in, line);) {
      out.push_back(string_field(*parse_json(line), "custom_id"));
    }
    return out;
  }
  /// custom_ids and codes of what was not answered.
  Names errors_of(const BatchRecord& record) {
    Names out;
    auto text = now(shelf->read(record.error_file, 0, 1 << 20, soon()));
    EXPECT_TRUE(text.ok());
    std::istringstream in(text.ok() ? *text : std::string());
    for (std::string line; std::getline(in, line);) {
      const Json one = *parse_json(line);
      out.push_back(string_field(one, "custom_id") + " " +
                    string_field(field(one, "error"), "code"));
    }
    return out;
  }
  static Names ids(int from, int to) {
    Names out;
    for (int i = from; i < to; ++i) out.push_back("c" + std::to_string(i));
    return out;
  }
  static std::string code_of(const BatchRecord& record) {
    return record.errors.empty() ? "" : string_field(record.errors[0], "code");
  }
  bool reads(const std::string& file, const std::string& user = "ann") {
    return *now(is_read(stores->batches(), someone(user).owner, storage::FileId(file), soon()));
  }
  bool on_shelf(const std::string& name) { return now(shelf->size(name, soon())).ok(); }

  OffloadPool pool{"test", 1, 16};
  std::string folder;
  std::unique_ptr<storage::Shelf> shelf;
  std::unique_ptr<storage::Stores> stores;
  ScriptKind* items = nullptr;
  std::optional<Desk> item_desk;
  std::optional<BatchDesk> batches;
  std::unique_ptr<BatchFeeder> feeder;
};

TEST_F(BatchesTest, a_batch_whose_input_vanishes_fails_with_what_was_answered) {
  begin();
  const BatchId id = create(put("input", 60));
  ASSERT_TRUE(comes_to(id, BatchStatus::in_progress));
  shelf->drop("input");
  const BatchRecord over = end(id);
  EXPECT_EQ(over.status, BatchStatus::failed);
  EXPECT_EQ(code_of(over), "input_unreadable");
  EXPECT_GE(over.completed, 4u);
  EXPECT_LT(over.completed, 60u);
  EXPECT_EQ(over.total, 60u);
  EXPECT_EQ(lines_of(over.output_file), ids(0, static_cast<int>(over.completed)));
  EXPECT_EQ(over.error_file, "");
}

TEST_F(BatchesTest, a_batch_whose_input_vanishes_can_be_cancelled) {
  begin();
  const BatchId id = create(put("input", 60));
  ASSERT_TRUE(comes_to(id, BatchStatus::in_progress));
  const auto taken = claim_all(4);
  shelf->drop("input");
  answer(taken[0]);
  ASSERT_TRUE(now(batches->cancel(caller.owner, id, soon())).ok());
  ASSERT_TRUE(comes_to(id, BatchStatus::cancelled));
  const BatchRecord over = record(id);
  EXPECT_EQ(lines_of(over.output_file), ids(0, 1));
  EXPECT_EQ(code_of(over), "input_unreadable");
}

TEST_F(BatchesTest, after_a_restart_without_its_input_the_answers_to_come_are_still_collected) {
  begin();
  const BatchId id = create(put("input", 60));
  const auto taken = claim_all(4);
  stop();
  shelf->drop("input");
  begin();
  for (const auto& one : taken) answer(one);
  const BatchRecord over = end(id);
  EXPECT_EQ(over.status, BatchStatus::failed);
  EXPECT_EQ(lines_of(over.output_file), ids(0, 4));
}

TEST_F(BatchesTest, a_batch_whose_output_is_damaged_ends) {
  begin();
  const BatchId id = create(put("input", 8));
  const auto taken = claim_all(4);
  answer(taken[0]);
  ASSERT_TRUE(until([&] { return record(id).collected == 1; }));
  ASSERT_TRUE(now(shelf->put(output_id(id), 0, "", true, soon())).ok());
  // The next save finds it, which this outcome brings about, unless it comes earlier still.
  [[maybe_unused]] auto may_be_late = try_answer(taken[1]);
  ASSERT_TRUE(until([&] { return ended(record(id).status); }));
  const BatchRecord over = record(id);
  EXPECT_EQ(over.status, BatchStatus::failed);
  EXPECT_EQ(code_of(over), "batch_damaged");
  EXPECT_EQ(over.output_bytes, 0u) << "as much as is there";
  storage::JobFilter filter;
  filter.batch = id.text();
  const auto jobs = now(stores->jobs().list(filter, {}, 100, soon()));
  ASSERT_TRUE(jobs.ok());
  for (const auto& job : jobs->items) EXPECT_TRUE(storage::ended(job.state)) << job.job.id.text();
}

TEST_F(BatchesTest, a_request_that_was_cancelled_by_itself_does_not_speak_of_the_batch) {
  begin();
  const BatchId id = create(put("input", 4));
  const auto taken = claim_all(4);
  ASSERT_TRUE(now(item_desk->cancel(caller, taken[1].job.job.id, soon())).ok());
  for (const std::size_t i : {0u, 2u, 3u}) answer(taken[i]);
  BatchRecord over = end(id);
  EXPECT_EQ(over.status, BatchStatus::completed);
  EXPECT_EQ(errors_of(over), (Names{"c1 request_cancelled"}));
  const BatchId whole = create(put("second", 6));
  ASSERT_TRUE(comes_to(whole, BatchStatus::in_progress));
  claim_all(4);
  ASSERT_TRUE(now(batches->cancel(caller.owner, whole, soon())).ok());
  ASSERT_TRUE(comes_to(whole, BatchStatus::cancelled));
  over = record(whole);
  EXPECT_EQ(errors_of(over).front(), "c0 batch_cancelled");
  EXPECT_EQ(errors_of(over).back(), "c5 batch_cancelled") << "handed in or not";
}

TEST_F(BatchesTest, an_input_is_held_from_the_order_to_the_end) {
  begin();
  put("other", 1);
  const BatchId id = create(put("input", 1));
  EXPECT_TRUE(reads("input"));
  EXPECT_FALSE(reads("other"));
  EXPECT_FALSE(reads("input", "bob"));
  clock.advance(2h);
  ASSERT_TRUE(until([&] { return !on_shelf("other"); })) << "its time is over";
  EXPECT_TRUE(on_shelf("input"));
  EXPECT_EQ(end(id).status, BatchStatus::completed);
  EXPECT_FALSE(reads("input"));
  clock.advance(2min);
  EXPECT_TRUE(until([&] { return !on_shelf("input"); }));
}

TEST_F(BatchesTest, a_user_does_not_wait_for_another_ones_batches) {
  settings.batches.at_once = 2;
  begin();
  std::vector<BatchId> anns;
  for (int i = 0; i < 4; ++i) anns.push_back(create(put("a" + std::to_string(i), 1)));
  for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(comes_to(anns[i], BatchStatus::in_progress));
  const BatchId bobs = create(put("b0", 1, "bob"), "bob");
  const BatchId bobs_next = create(put("b1", 1, "bob"), "bob");
  EXPECT_TRUE(comes_to(bobs, BatchStatus::in_progress, "bob"));
  clock.advance(1min);
  EXPECT_EQ(record(anns[1]).status, BatchStatus::in_progress);
  EXPECT_EQ(record(anns[2]).status, BatchStatus::validating);
  EXPECT_EQ(record(anns[3]).status, BatchStatus::validating);
  EXPECT_EQ(record(bobs_next, "bob").status, BatchStatus::validating);
  EXPECT_EQ(end(anns[3]).status, BatchStatus::completed) << "each has its turn";
}

TEST_F(BatchesTest, a_batch_that_began_goes_on_after_a_restart_though_others_come_before_it) {
  settings.batches.at_once = 2;
  begin();
  const BatchId first = create(put("a0", 1));
  const BatchId second = create(put("a1", 1));
  ASSERT_TRUE(comes_to(second, BatchStatus::in_progress));
  const BatchId bobs = create(put("b0", 1, "bob"), "bob");
  ASSERT_TRUE(comes_to(bobs, BatchStatus::in_progress, "bob"));
  stop();
  begin();
  ASSERT_TRUE(now(batches->cancel(caller.owner, second, soon())).ok());
  EXPECT_TRUE(comes_to(second, BatchStatus::cancelled));
  EXPECT_EQ(record(first).status, BatchStatus::in_progress);
}

TEST_F(BatchesTest, answers_behind_a_slow_one_outlive_their_time_in_the_store) {
  begin();
  const BatchId id = create(put("input", 4));
  const auto taken = claim_all(4);
  ASSERT_EQ(id_in(taken[0]), "c0");
  for (std::size_t i = 1; i < 4; ++i) answer(taken[i]);
  clock.advance(2h);
  clock.advance(3h);
  ASSERT_TRUE(now(stores->jobs().upkeep(soon())).ok());
  ASSERT_FALSE(now(stores->jobs().get(std::nullopt, taken[1].job.job.id, soon())).ok());
  answer(taken[0]);
  const BatchRecord over = end(id);
  EXPECT_EQ(over.status, BatchStatus::completed);
  EXPECT_EQ(lines_of(over.output_file), ids(0, 4));
  EXPECT_EQ(over.error_file, "");
}

TEST_F(BatchesTest, items_are_handed_in_as_the_quotas_of_their_key_allow) {
  LimitSettings limits;
  limits.user.tokens_per_minute = 1000;
  admission.apply(limits);
  items->use = admission::Use{"m", {.answer = 900}};
  begin();
  caller.key = "key_1";
  caller.limits.tokens_per_minute = 2000;
  put("input", 5);
  BatchOrder order{"input", "/v1/chat/completions", "24h", nullptr};
  auto made = now(batches->create(caller, std::move(order), {}, soon()));
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(comes_to(made->id, BatchStatus::in_progress));
  const TimePoint began = clock.now();
  const BatchRecord over = end(made->id);
  EXPECT_EQ(over.status, BatchStatus::completed);
  EXPECT_EQ(over.completed, 5u);
  // 2,000 at once and 2,500 more at 2,000 a minute: the key's own figure, not the user's.
  EXPECT_GE(clock.now() - began, 75s);
  EXPECT_LT(clock.now() - began, 150s);
}

TEST_F(BatchesTest, who_waits_for_room_holds_nobody_up_and_is_cancelled_at_once) {
  settings.batches.at_once = 1;
  settings.batches.recheck = 1h;
  LimitSettings limits;
  limits.user.tokens_per_day = 1000;
  admission.apply(limits);
  items->use = admission::Use{"m", {.answer = 900}};
  begin();
  const BatchId first = create(put("first", 2));
  for (const auto& one : claim_all(1)) answer(one);
  const BatchId second = create(put("second", 1, "bob"), "bob");
  ASSERT_TRUE(until([&] {
    for (const auto& one : claim(100)) answer(one);
    return ended(record(second, "bob").status);
  })) << "ann's batch rests for a day";
  EXPECT_EQ(record(first).status, BatchStatus::in_progress);
  const TimePoint asked = clock.now();
  ASSERT_TRUE(now(batches->cancel(caller.owner, first, soon())).ok());
  ASSERT_TRUE(comes_to(first, BatchStatus::cancelled));
  EXPECT_LT(clock.now() - asked, 30s);
  EXPECT_EQ(errors_of(record(first)), (Names{"c1 batch_cancelled"}));
}

TEST_F(BatchesTest, an_item_that_no_quota_can_ever_hold_is_refused_and_the_batch_goes_on) {
  LimitSettings limits;
  limits.user.tokens_per_day = 1000;
  admission.apply(limits);
  items->use = admission::Use{"m", {.answer = 1001}};
  begin();
  const BatchId id = create(put("input", 2));
  const BatchRecord over = end(id);
  EXPECT_EQ(over.status, BatchStatus::completed);
  EXPECT_EQ(errors_of(over), (Names{"c0 tokens_limited", "c1 tokens_limited"}));
}

}  // namespace
}  // namespace mainstay::jobs
