// The line before the decoders, over a decoder that does what it is told: it ends, hangs, lies.
#include "media/decoders.h"

#include <signal.h>

#include "base/json_fields.h"
#include "media/pdf_text.h"
#include "unit/decoder/rig.h"

namespace mainstay::media {
namespace {

using namespace test;

struct DecodersTest : Rig {
  DecodersTest() { settings.decoder_deadline = Millis(20'000); }

  Co<Result<std::unique_ptr<Decoding>>> begin(std::string what, IfBusy if_busy = IfBusy::wait,
                                              Duration within = seconds(30)) {
    Order order;
    order.want = Want::image;
    const Deadline by = Deadline::in(clock, within);
    auto begun = co_await decoders->begin(file_of(what), std::move(order), by, if_busy);
    co_return begun;
  }
  std::unique_ptr<Decoding> begun(const std::string& what) {
    auto out = run(begin(what));
    EXPECT_TRUE(out.ok());
    return out.ok() ? std::move(*out) : nullptr;
  }
  /// Reads one file to its end: the body of its frames, or the reason why not.
  Co<Result<std::string>> read(std::string what) {
    auto decoding = co_await begin(what);
    if (!decoding.ok()) co_return decoding.error();
    std::string out;
    for (;;) {
      auto frame = co_await (*decoding)->next(soon());
      if (!frame.ok()) co_return frame.error();
      out += frame->body;
      if (frame->is == Is::end) co_return out;
    }
  }
  Co<bool> pause(Duration d) {
    auto reached = co_await sleep(clock, d);
    co_return reached;
  }
  std::string outcome(const std::string& what) {
    auto out = run(read(what));
    return out.ok() ? *out : out.error().reason;
  }
  /// Whether the file that comes next is read.
  bool next_is_fine() {
    return outcome("good").find_first_not_of("0123456789") == std::string::npos;
  }
};

TEST_F(DecodersTest, one_process_serves_many_files) {
  make(FAKE_DECODER);
  EXPECT_EQ(decoders->figures().started, 0u) << "none is started before it is needed";
  const std::string first = outcome("good");
  EXPECT_NE(first, "");
  EXPECT_EQ(outcome("good"), first);
  EXPECT_EQ(outcome("refuse pdf_encrypted"), "pdf_encrypted");
  EXPECT_EQ(outcome("good"), first) << "a refusal does not cost a process";
  const auto figures = decoders->figures();
  EXPECT_EQ(figures.started, 1u);
  EXPECT_EQ(figures.done, 3u);
  EXPECT_EQ(figures.refused, 1u);
  EXPECT_EQ(figures.idle, 1u);
  EXPECT_EQ(figures.running, 0u);
}

TEST_F(DecodersTest, security_30_a_process_that_ends_fails_its_own_file_alone) {
  make(FAKE_DECODER);
  EXPECT_EQ(outcome("crash"), "decoder_failed");
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(outcome("half"), "decoder_failed");
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(outcome("no memory"), "decoder_memory");
  EXPECT_EQ(outcome("too long"), "decoder_deadline");
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(decoders->figures().failed, 4u);
}

TEST_F(DecodersTest, what_it_said_last_is_in_the_log_and_not_for_the_client) {
  make(FAKE_DECODER);
  auto out = run(read("last words"));
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().reason, "decoder_failed");
  EXPECT_EQ(out.error().detail, "decoder: exit code 3: this broke");
  EXPECT_EQ(out.error().message.find("this broke"), std::string::npos);
}

TEST_F(DecodersTest, a_process_that_lies_is_killed) {
  make(FAKE_DECODER);
  for (const char* lie :
       {"garbage", "long head", "long body", "other item", "no kind", "talks on"}) {
    EXPECT_EQ(outcome(lie), "decoder_failed") << lie;
  }
  EXPECT_EQ(outcome("refuse a reason of its own <script>"), "decoder_failed");
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(decoders->figures().killed, 6u);
}

TEST_F(DecodersTest, a_process_that_hangs_is_killed_at_the_deadline) {
  settings.decoder_deadline = Millis(1000);
  make(FAKE_DECODER);
  EXPECT_EQ(outcome("hang"), "decoder_deadline");
  EXPECT_EQ(decoders->figures().killed, 1u);
  EXPECT_TRUE(next_is_fine());
}

TEST_F(DecodersTest, the_callers_deadline_holds_too) {
  make(FAKE_DECODER);
  auto decoding = begun("hang");
  const Deadline by = Deadline::in(clock, milliseconds(50));
  auto frame = run(decoding->next(by));
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.error().code, Errc::deadline);
  EXPECT_TRUE(next_is_fine());
}

TEST_F(DecodersTest, waiting_for_a_slow_reader_is_not_held_against_the_file) {
  settings.decoder_deadline = Millis(2000);  // a loaded machine starts the process within it
  make(FAKE_DECODER);
  auto decoding = begun("much");
  std::size_t bytes = 0;
  for (int i = 0; i < 41; ++i) {
    auto frame = run(decoding->next(soon()));
    ASSERT_TRUE(frame.ok()) << i;
    bytes += frame->body.size();
    if (i == 3) run(pause(milliseconds(2500)));
  }
  EXPECT_EQ(bytes, 40u * 200'000u);
  EXPECT_EQ(decoders->figures().done, 1u);
}

TEST_F(DecodersTest, letting_go_of_a_file_kills_its_process) {
  make(FAKE_DECODER);
  begun("much").reset();
  EXPECT_EQ(decoders->figures().killed, 1u);
  EXPECT_EQ(decoders->figures().running, 0u);
  EXPECT_TRUE(next_is_fine());
}

TEST_F(DecodersTest, a_process_is_replaced_after_so_many_files) {
  settings.items_per_decoder = 3;
  make(FAKE_DECODER);
  const std::string first = outcome("good");
  EXPECT_EQ(outcome("good"), first);
  EXPECT_EQ(outcome("good"), first);
  EXPECT_NE(outcome("good"), first);
  EXPECT_EQ(decoders->figures().started, 2u);
}

TEST_F(DecodersTest, a_process_that_grew_is_replaced) {
  make(FAKE_DECODER);
  const std::string first = outcome("grown");
  EXPECT_EQ(decoders->figures().idle, 0u);
  EXPECT_NE(outcome("good"), first);
}

TEST_F(DecodersTest, a_process_that_died_while_idle_costs_no_file) {
  make(FAKE_DECODER);
  const std::string first = outcome("good");
  ::kill(std::stoi(first), SIGKILL);
  run(pause(milliseconds(50)));
  const std::string second = outcome("good");
  EXPECT_NE(second, first);
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(decoders->figures().failed, 0u);
}

TEST_F(DecodersTest, further_files_wait_in_a_line_of_bounded_length) {
  settings.decoder_waiting_max = 2;
  make(FAKE_DECODER);
  auto first = begun("hang");
  auto refused = run(begin("good", IfBusy::refuse));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "decoders_busy");
  auto late = run(begin("good", IfBusy::wait, milliseconds(30)));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().reason, "decoders_busy");
  int ended = 0;
  std::string order;
  const auto wait = [&](const std::string& name) {
    asio::co_spawn(io.get_executor(), read("good"),
                   [&, name](std::exception_ptr, const Result<std::string>& got) {
                     ++ended;
                     order += got.ok() ? name : got.error().reason;
                   });
    io.restart();
    io.poll();
  };
  wait("a");
  wait("b");
  EXPECT_EQ(decoders->figures().waiting, 2u);
  wait("c");
  EXPECT_EQ(order, "decoders_busy") << "the line holds two";
  first.reset();
  while (ended < 3) {
    io.restart();
    io.run_one_for(milliseconds(10));
  }
  EXPECT_EQ(order, "decoders_busyab") << "who came first is served first";
  EXPECT_EQ(decoders->figures().waiting, 0u);
}

TEST_F(DecodersTest, as_many_run_at_once_as_the_setting_says) {
  settings.decoders = 3;
  make(FAKE_DECODER);
  auto a = begun("hang");
  auto b = begun("hang");
  auto c = run(begin("hang", IfBusy::refuse));
  EXPECT_TRUE(c.ok());
  EXPECT_FALSE(run(begin("hang", IfBusy::refuse)).ok());
  EXPECT_EQ(decoders->figures().running, 3u);
}

TEST_F(DecodersTest, without_a_decoder_the_answer_says_so) {
  make("");
  EXPECT_EQ(outcome("good"), "decoder_missing");
  make("/nonexistent/mainstay-decoder");
  EXPECT_EQ(outcome("good"), "decoder_missing");
  EXPECT_EQ(decoders->figures().running, 0u);
  EXPECT_FALSE(probe_decoder("/nonexistent/mainstay-decoder").ok());
}

TEST_F(DecodersTest, idle_processes_are_ended) {
  settings.decoder_idle = Millis(200);
  make(FAKE_DECODER);
  EXPECT_TRUE(next_is_fine());
  EXPECT_EQ(decoders->figures().idle, 1u);
  asio::cancellation_signal stop;
  bool ended = false;
  asio::co_spawn(
      io.get_executor(), decoders->tidy(),
      asio::bind_cancellation_slot(stop.slot(), [&ended](std::exception_ptr) { ended = true; }));
  while (decoders->figures().idle > 0) {
    io.restart();
    io.run_one_for(milliseconds(10));
  }
  stop.emit(asio::cancellation_type::terminal);
  while (!ended) {
    io.restart();
    io.run_one_for(milliseconds(10));
  }
  EXPECT_TRUE(next_is_fine());
}

TEST_F(DecodersTest, after_the_close_nothing_begins) {
  make(FAKE_DECODER);
  EXPECT_TRUE(next_is_fine());
  decoders->close();
  EXPECT_EQ(outcome("good"), "decoders_busy");
  EXPECT_EQ(decoders->figures().idle, 0u);
}

}  // namespace
}  // namespace mainstay::media
