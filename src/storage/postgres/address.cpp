// libpq takes the URL apart; this looks at the parts.
#include "storage/postgres/address.h"

#include <libpq-fe.h>

#include <cstring>
#include <memory>

namespace mainstay::storage::postgres {
namespace {

struct Free {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, Free>;

std::string value_of(const PQconninfoOption* options, const char* keyword) {
  for (; options->keyword != nullptr; ++options) {
    if (std::strcmp(options->keyword, keyword) == 0) {
      return options->val != nullptr ? options->val : "";
    }
  }
  return "";
}

/// A name in the DNS: neither a socket's folder, nor a list, nor an address already.
bool is_name(const std::string& host) {
  return !host.empty() && host.front() != '/' && host.front() != '@' &&
         host.find_first_of(",:") == std::string::npos;
}

}  // namespace

Result<Address> parse_address(const std::string& url) {
  const auto bad = [](const char* why) {
    return Error::say(Errc::invalid, "postgres_url_invalid",
                      std::string("'storage.postgres_url' ") + why +
                          "; write postgres://user:password@host:5432/database.",
                      "storage.postgres_url");
  };
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
    return bad("does not begin with postgres:// or postgresql://");
  }
  // libpq's own message may quote the password.
  char* said = nullptr;
  const Options options(PQconninfoParse(url.c_str(), &said));
  if (said != nullptr) PQfreemem(said);
  if (!options) return bad("is not an address that libpq understands");
  Address out;
  out.url = url;
  const std::string host = value_of(options.get(), "host");
  const std::string given = value_of(options.get(), "hostaddr");
  out.port = value_of(options.get(), "port");
  if (out.port.empty()) out.port = "5432";
  const std::string database = value_of(options.get(), "dbname");
  out.shown = (host.empty() ? (given.empty() ? "localhost" : given) : host) + ":" + out.port +
              (database.empty() ? "" : "/" + database);
  const bool one_port = out.port.find(',') == std::string::npos;
  if (given.empty() && one_port && is_name(host)) out.host = host;
  return out;
}

}  // namespace mainstay::storage::postgres
