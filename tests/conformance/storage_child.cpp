// Appends turns and documents without end and prints a line for each that was acknowledged.
// The kill tests start it and kill it. Arguments: data directory, tag of this run.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "conformance/storage_child.h"

namespace mainstay::storage {
namespace {

void say(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) ::_exit(3);
}

Co<> append_for_ever(Stores& stores, Clock& clock, std::string tag, int worker) {
  const Owner owner{TenantId("t"), UserId("u")};
  for (int n = 0;; ++n) {
    const std::string name = tag + "-" + std::to_string(worker) + "-" + std::to_string(n);
    Turn turn = child_turn(name);
    const Deadline by = Deadline::in(clock, std::chrono::seconds(10));
    auto stored = co_await stores.conversations().append(owner, std::move(turn), by);
    if (!stored.ok()) ::_exit(4);
    say("turn " + name);
    if (n % 8 != 0) continue;
    NewDocument document = child_document(name);
    auto added = co_await stores.documents().add(owner.tenant, std::move(document), by);
    if (!added.ok()) ::_exit(5);
    say("document " + name);
  }
}

int run(const std::string& dir, const std::string& tag) {
  RealClock clock;
  RealRandom random;
  LogSettings log_settings;
  log_settings.sink = "none";
  auto log = Log::open(log_settings, clock);
  Metrics metrics;
  auto stores = sqlite::open(StorageSettings{}, dir, clock, random, **log, metrics);
  if (!stores.ok()) {
    std::fprintf(stderr, "%s\n", stores.error().detail.c_str());
    return 2;
  }
  asio::io_context io{1};
  for (int worker = 0; worker < 4; ++worker) {
    const auto ended = [](std::exception_ptr) { ::_exit(6); };
    asio::co_spawn(io.get_executor(), append_for_ever(**stores, clock, tag, worker), ended);
  }
  io.run();
  return 0;
}

}  // namespace
}  // namespace mainstay::storage

int main(int count, char** values) {
  if (count != 3) return 64;
  return mainstay::storage::run(values[1], values[2]);
}
