// One GET, bounded in size; no redirect is followed.
#include "app/issuer.h"

namespace mainstay::app {
namespace {

constexpr Bytes kKeySetMax = 256_KiB;

/// Path and query; some issuers need the query.
std::string target_of(const std::string& url) {
  const auto slash = url.find('/', url.find("://") + 3);
  return slash == std::string::npos ? "/" : url.substr(slash, url.find('#') - slash);
}

Co<Result<std::string>> read_key_set(net::Client* client, const admission::Identity* identity,
                                     Deadline by) {
  const std::string text = identity->issuer_url();
  auto url = net::Url::parse(text.substr(0, text.find('?')));
  if (!url.ok()) co_return url.error();
  net::Call call;
  call.method = "GET";
  call.target = target_of(text);
  call.headers.add("accept", "application/json");
  call.url = std::make_shared<const net::Url>(std::move(*url));
  const net::CallTimers timers;
  auto reply = co_await client->send(std::move(call), timers, by);
  if (!reply.ok()) co_return reply.error();
  const int status = (*reply)->status();
  if (status != 200) {
    co_return Error::log(Errc::bad_upstream, "the issuer answered " + std::to_string(status));
  }
  co_return co_await net::read_all(**reply, kKeySetMax, by);
}

}  // namespace

admission::FetchKeySet issuer_reader(net::Client& client, const admission::Identity& identity) {
  return [client = &client, identity = &identity](Deadline by) {
    return read_key_set(client, identity, by);
  };
}

}  // namespace mainstay::app
