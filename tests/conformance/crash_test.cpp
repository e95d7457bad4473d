// Kill -9 at random moments: what was acknowledged is there, and the files are whole.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <set>

#include "conformance/back_ends.h"
#include "conformance/storage_child.h"
#include "storage/sqlite/connection.h"

extern char** environ;

namespace mainstay::storage {
namespace {

/// The program that appends for ever; killed at the latest when this ends.
class Child {
 public:
  Child(const std::string& dir, const std::string& tag) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe[0]);
    std::string program = STORAGE_CHILD;
    std::string first = dir;
    std::string second = tag;
    char* arguments[] = {program.data(), first.data(), second.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, STORAGE_CHILD, &actions, nullptr, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    out_ = pipe[0];
  }
  ~Child() {
    kill();
    ::close(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// One more line, or nothing at the end.
  std::optional<std::string> line() {
    for (;;) {
      const auto end = read_.find('\n');
      if (end != std::string::npos) {
        std::string out = read_.substr(0, end);
        read_.erase(0, end + 1);
        return out;
      }
      std::array<char, 4096> buffer{};
      const ssize_t got = ::read(out_, buffer.data(), buffer.size());
      if (got <= 0) return std::nullopt;
      read_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  std::string read_;
};

void expect_whole(const std::string& file) {
  sqlite::Connection db(file, sqlite::Mode::write, std::chrono::seconds(1));
  EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok") << file;
  EXPECT_EQ(db.text("PRAGMA foreign_key_check"), "") << file;
  if (file.ends_with("knowledge.db")) {
    EXPECT_NO_THROW(db.run("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)"));
  }
}

void expect_stored(Ground& ground, Stores& stores, const std::set<std::string>& acknowledged) {
  const Owner owner = owner_of("t", "u");
  for (const auto& line : acknowledged) {
    const auto space = line.find(' ');
    const std::string name = line.substr(space + 1);
    if (line.starts_with("document")) {
      auto found = ground.run(
          stores.documents().chunks(owner.tenant, DocumentId("d-" + name), 0, 99, ground.soon()));
      ASSERT_TRUE(found.ok()) << "lost: " << line;
      EXPECT_EQ(found->size(), 20u) << line;
      continue;
    }
    const Turn turn = child_turn(name);
    auto found = ground.run(stores.conversations().messages(owner, turn.conversation,
                                                            turn.messages[0].id, 1, ground.soon()));
    ASSERT_TRUE(found.ok()) << "lost: " << line;
    ASSERT_EQ(found->size(), 1u) << line;
    EXPECT_EQ(found->at(0).json, turn.messages[1].json) << line;
  }
}

// proves fault 2 (kill -9 during commit) and the promise "nothing accepted is lost"
TEST(Crash, every_acknowledged_write_survives_twenty_kills) {
  TemporaryDir dir;
  Ground ground;
  std::set<std::string> acknowledged;
  for (int cycle = 0; cycle < 20; ++cycle) {
    Child child(dir.path(), "run" + std::to_string(cycle));
    const auto lines = 1 + ground.random.below(cycle % 4 == 0 ? 400 : 40);
    for (std::uint64_t i = 0; i < lines; ++i) {
      auto line = child.line();
      ASSERT_TRUE(line.has_value()) << "the child ended by itself in cycle " << cycle;
      acknowledged.insert(*line);
    }
    child.kill();
    while (auto line = child.line()) acknowledged.insert(*line);
    auto stores = ground.open(dir.path());  // the dead process's lock is no obstacle
    ASSERT_TRUE(stores.ok()) << stores.error().detail;
    expect_stored(ground, **stores, acknowledged);
    ASSERT_TRUE((*stores)->close().ok());
    stores->reset();
    expect_whole(dir.path() + "/mainstay.db");
    expect_whole(dir.path() + "/knowledge.db");
  }
  EXPECT_GT(acknowledged.size(), 400u);
}

TEST(Crash, a_living_process_keeps_others_out_and_a_dead_one_does_not) {
  TemporaryDir dir;
  Ground ground;
  Child child(dir.path(), "holder");
  ASSERT_TRUE(child.line().has_value());
  auto second = ground.open(dir.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_EQ(second.error().reason, "data_dir_in_use");
  child.kill();
  EXPECT_TRUE(ground.open(dir.path()).ok());
}

}  // namespace
}  // namespace mainstay::storage
