// Live snapshots.
#include "config/snapshot.h"

#include <gtest/gtest.h>

#include <thread>

#include "config/settings.h"

namespace mainstay::config {
namespace {

std::shared_ptr<const Settings> with_threads(std::uint32_t threads) {
  auto out = std::make_shared<Settings>();
  out->server.threads = threads;
  out->offload.threads = threads;
  return out;
}

TEST(snapshot, readers_see_a_swap_at_their_next_read_and_keep_what_they_hold) {
  Live<Settings> live(with_threads(1));
  const auto before = live.get();
  live.swap(with_threads(2));
  EXPECT_EQ(before->server.threads, 1u);
  EXPECT_EQ(live.get()->server.threads, 2u);
  EXPECT_EQ(live.peek().server.threads, 2u);
}

TEST(snapshot, reads_and_reloads_are_counted_exactly) {
  Live<Settings> live(with_threads(1));
  for (int i = 0; i < 10; ++i) (void)live.get();
  live.swap(with_threads(2));
  for (int i = 0; i < 5; ++i) (void)live.get();
  EXPECT_EQ(live.misses(), 2u);
  EXPECT_EQ(live.hits(), 13u);
  EXPECT_EQ(live.reloads(), 1u);
}

TEST(snapshot, two_holders_of_one_type_do_not_mix) {
  Live<Settings> a(with_threads(1));
  Live<Settings> b(with_threads(2));
  EXPECT_EQ(a.get()->server.threads, 1u);
  EXPECT_EQ(b.get()->server.threads, 2u);
  EXPECT_EQ(a.get()->server.threads, 1u);
}

TEST(snapshot, a_replaced_snapshot_dies_with_its_last_reader) {
  auto first = with_threads(1);
  const std::weak_ptr<const Settings> watch = first;
  Live<Settings> live(std::move(first));
  auto held = live.get();
  live.swap(with_threads(2));
  (void)live.get();
  EXPECT_FALSE(watch.expired());
  held.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(snapshot, who_looks_once_keeps_nothing_alive) {
  auto first = with_threads(1);
  const std::weak_ptr<const Settings> watch = first;
  Live<Settings> live(std::move(first));
  EXPECT_EQ(live.once()->server.threads, 1u);
  live.swap(with_threads(2));
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(live.once()->server.threads, 2u);
  EXPECT_EQ(live.hits() + live.misses(), 0u);
}

/// Looks at its holder when it dies, which must not be under the holder's lock.
struct Curious {
  explicit Curious(const Live<Curious>** at) : at_(at) {}
  ~Curious() {
    if (*at_ != nullptr) (void)(*at_)->once();
  }
  const Live<Curious>** at_;
};

TEST(snapshot, what_is_replaced_dies_outside_the_lock) {
  const Live<Curious>* at = nullptr;
  {
    Live<Curious> live(std::make_shared<const Curious>(&at));
    at = &live;
    (void)live.get();
    live.swap(std::make_shared<const Curious>(&at));
    (void)live.get();  // the first one dies here
    live.swap(std::make_shared<const Curious>(&at));
    live.swap(std::make_shared<const Curious>(&at));  // and one that nobody read, here
    at = nullptr;
  }
}

TEST(snapshot, readers_on_other_threads_never_see_half_a_snapshot) {
  Live<Settings> live(with_threads(0));
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      std::uint32_t last = 0;
      while (!stop) {
        const auto seen = live.get();
        if (seen->server.threads != seen->offload.threads || seen->server.threads < last) ++torn;
        last = seen->server.threads;
      }
    });
  }
  for (std::uint32_t i = 1; i <= 2000; ++i) live.swap(with_threads(i));
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(live.reloads(), 2000u);
}

}  // namespace
}  // namespace mainstay::config
