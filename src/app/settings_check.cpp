// The checks of a start, made without one.
#include "app/settings_check.h"

#include <unistd.h>

#include <filesystem>

#include "admission/identity.h"
#include "api/wyoming.h"
#include "app/wire.h"
#include "net/transport.h"

namespace mainstay::app {

namespace fs = std::filesystem;

Status check_tls(const ServerSettings& settings) {
  if (settings.tls_certificate.empty()) return done();
  auto context = net::make_tls_context(settings);
  if (context.ok()) return done();
  Error error = context.error();
  const bool key = error.message.starts_with("server.tls_key");
  error.field = key ? "server.tls_key" : "server.tls_certificate";
  return error;
}

Status check_log_sink(const LogSettings& log) {
  if (log.sink == "stderr" || log.sink == "stdout" || log.sink == "none") return done();
  std::error_code failed;
  const fs::path file = fs::absolute(log.sink, failed);
  const bool there = fs::exists(file, failed);
  const bool fits =
      there ? !fs::is_directory(file, failed) : fs::is_directory(file.parent_path(), failed);
  const fs::path written = there ? file : file.parent_path();
  if (fits && ::access(written.c_str(), W_OK) == 0) return done();
  return Error::say(Errc::invalid, "log_sink",
                    "log.sink: " + log.sink +
                        " cannot be written. Make it writable for this user, or set log.sink.",
                    "log.sink");
}

std::vector<Error> unusable_settings(const Settings& settings) {
  std::vector<Error> out;
  for (auto& checked : {check_redis_url(settings.storage), check_postgres_url(settings.storage),
                        check_tls(settings.server), net::check_ca_file(settings.upstream),
                        admission::check_token_key(settings.auth.jwt),
                        api::check_wyoming(settings.wyoming), check_log_sink(settings.log)}) {
    if (!checked.ok()) out.push_back(checked.error());
  }
  return out;
}

}  // namespace mainstay::app
