// What the engine asks of the governor: the memory accounts with their caps, and caches that
// shrink.
#include "app/governance.h"

#include <gtest/gtest.h>

#include <map>

#include "base/sim_clock.h"
#include "models/cache.h"
#include "unit/resources/tree.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

TEST(Governance, every_account_has_a_cap_that_its_settings_give_and_counts_what_is_held) {
  Settings settings;
  settings.limits.queued_max = 10;
  settings.sessions.sessions_max = 100;
  settings.limits.users_max = 1000;
  AccountReaders readers;
  readers.cache = [] { return 11U; };
  readers.stores = [] { return 13U; };
  readers.log = [] { return 17U; };
  readers.sessions = [] { return 100U; };
  readers.limited = [] { return 1000U; };
  readers.waiting = [] { return 10U; };
  readers.connections = [&] { return settings.server.connections_max; };
  readers.upstream_connections = [&] { return settings.upstream.connections_max; };
  resources::MemoryBook book;
  open_accounts(book, settings, readers);
  std::map<std::string, resources::Account> parts;
  for (const auto& part : book.read().parts) parts[part.name] = part;
  ASSERT_EQ(parts.size(), 7u);
  for (const auto& [name, part] : parts) EXPECT_GT(part.cap, 0u) << name;
  EXPECT_EQ(parts["cache"].bytes, 11u);
  EXPECT_EQ(parts["cache"].cap,
            settings.cache.size_max.value + settings.embeddings.cache_memory.value);
  EXPECT_EQ(parts["index"].bytes, 13u);
  EXPECT_GE(parts["index"].cap, 2 * settings.storage.readers * settings.storage.reader_cache.value);
  EXPECT_EQ(parts["log"].bytes, 17u);
  // As many as there may be are exactly what the account may hold.
  EXPECT_EQ(parts["sessions"].bytes, parts["sessions"].cap);
  EXPECT_EQ(parts["limits"].bytes, parts["limits"].cap);
  EXPECT_EQ(parts["queues"].bytes, parts["queues"].cap);
  EXPECT_EQ(parts["buffers"].bytes, parts["buffers"].cap);
}

class CachesUnderPressure : public testing::Test {
 protected:
  void SetUp() override {
    tree_.process(100, 3);
    LogSettings log;
    log.sink = "none";
    auto opened = Log::open(log, clock_);
    ASSERT_TRUE(opened.ok());
    log_ = std::move(*opened);
    resources::GovernorParts parts;
    parts.roots = tree_.roots();
    governor_ = std::make_unique<resources::Governor>(parts, clock_, *log_, metrics_);
    shrink_under_pressure(*governor_, 10s, [this](double share) { cache_.shrink(share); });
  }
  /// One look at a machine with so much free memory, of 1,000.
  void look(int available) {
    tree_.machine_memory(1000, available);
    clock_.advance(1s);
    governor_->sample();
  }
  void fill(int answers) {
    for (int i = 0; i < answers; ++i) {
      models::CacheKey key;
      key.bytes[0] = static_cast<unsigned char>(i);
      models::CachedAnswer answer;
      answer.body = std::string(1000, 'x');
      cache_.put(key, std::move(answer));
    }
  }
  resources::Tree tree_;
  asio::io_context io_;
  SimClock clock_{io_};
  Metrics metrics_;
  models::ResponseCache cache_{CacheSettings(), metrics_};
  std::unique_ptr<Log> log_;
  std::unique_ptr<resources::Governor> governor_;
};

// proves Z8, fault_12
TEST_F(CachesUnderPressure, fault_12_they_halve_at_the_soft_level_and_empty_at_the_hard_one) {
  fill(100);
  look(900);
  look(151);
  EXPECT_EQ(cache_.entries(), 100u) << "just below the soft mark";
  look(150);
  EXPECT_LE(cache_.entries(), 50u) << "at the mark";
  EXPECT_GE(cache_.entries(), 40u);
  look(51);
  EXPECT_GE(cache_.entries(), 40u) << "just below the hard mark, and less than a period later";
  look(50);
  EXPECT_EQ(cache_.entries(), 0u);
  EXPECT_EQ(cache_.bytes(), 0u);
}

TEST_F(CachesUnderPressure, what_fills_again_is_given_back_again_while_the_pressure_lasts) {
  fill(100);
  look(140);
  EXPECT_LE(cache_.entries(), 50u);
  fill(100);
  for (int i = 0; i < 9; ++i) look(140);
  EXPECT_EQ(cache_.entries(), 100u);
  look(140);
  EXPECT_LE(cache_.entries(), 50u) << "ten seconds later";
}

TEST_F(CachesUnderPressure, a_calm_machine_leaves_them_alone) {
  fill(100);
  for (int i = 0; i < 100; ++i) look(900);
  EXPECT_EQ(cache_.entries(), 100u);
}

}  // namespace
}  // namespace mainstay::app
