// mainstay serve: runs until a signal or a failed disk, then stops in order.
#include <cstdio>

#include "admission/origin.h"
#include "api/console_files.h"
#include "app/engine_process.h"
#include "base/version.h"

namespace mainstay::app {
namespace {

/// What a caller of this machine has to add to a request.
const char* credentials(const Settings& settings) {
  const bool open = admission::listens_on_loopback(settings.server.listen) &&
                    !settings.auth.required && settings.auth.keys.empty();
  return open ? "" : " -H 'Authorization: Bearer KEY'";
}

void print_welcome(const Engine& engine) {
  const std::string at = engine.address();
  std::printf(
      "Mainstay %s is listening on %s\n"
      "Data: %s\n"
      "Try:  curl -s %s/chat%s -H 'Content-Type: application/json' -d '{\"prompt\":\"What is "
      "Mainstay?\"}'\n",
      version(), at.c_str(), engine.data_dir().c_str(), at.c_str(), credentials(engine.settings()));
  if (engine.settings().console.enabled && !api::console_files().empty()) {
    std::printf("Console: %s/ (its dashboard asks for the key in %s/admin.key)\n", at.c_str(),
                engine.data_dir().c_str());
  }
  if (!engine.health_address().empty()) {
    std::printf("Health alone: %s/health\n", engine.health_address().c_str());
  }
  if (!engine.admin_address().empty()) {
    std::printf("Admin alone: %s/admin\n", engine.admin_address().c_str());
  }
  if (!engine.fresh_admin_key().empty()) {
    std::printf("Admin key, shown this once and kept in %s/admin.key: %s\n",
                engine.data_dir().c_str(), engine.fresh_admin_key().c_str());
  }
  std::fflush(stdout);
}

}  // namespace

Exit serve(const Common& common) {
  const sigset_t signals = block_signals();
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  EngineOptions options = engine_options(common);
  const auto status = [](const Engine& engine) { return "Listening on " + engine.address(); };
  return run_engine({common, signals, status, print_welcome}, std::move(*loaded),
                    std::move(options));
}

}  // namespace mainstay::app
