// The checks of a start, made without one.
#include "app/settings_check.h"

#include "app/wire.h"
#include "net/transport.h"

namespace mainstay::app {

Status check_tls(const ServerSettings& settings) {
  if (settings.tls_certificate.empty()) return done();
  auto context = net::make_tls_context(settings);
  if (context.ok()) return done();
  Error error = context.error();
  const bool key = error.message.starts_with("server.tls_key");
  error.field = key ? "server.tls_key" : "server.tls_certificate";
  return error;
}

std::vector<Error> unusable_settings(const Settings& settings) {
  std::vector<Error> out;
  for (auto& checked : {check_redis_url(settings.storage), check_postgres_url(settings.storage),
                        check_tls(settings.server)}) {
    if (!checked.ok()) out.push_back(checked.error());
  }
  return out;
}

}  // namespace mainstay::app
