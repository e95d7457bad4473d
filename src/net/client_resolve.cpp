// Name lookups: cached per origin, shared by the calls that wait, on Asio's resolver thread.
#include <boost/asio/ip/address.hpp>

#include "base/public_address.h"
#include "net/client_pool.h"

namespace mainstay::net {
namespace {

void start_lookup(LoopPool& loop, Origin& origin) {
  auto lookup = std::make_shared<Lookup>(loop.budget().clock());
  origin.lookup = lookup;
  // A blocking lookup cannot be cancelled: it ends by itself, and nobody needs to wait for it.
  loop.resolver().async_resolve(
      origin.host, "", [lookup](const error_code& failed, const Resolver::results_type& found) {
        if (!failed) {
          for (const auto& entry : found) lookup->addresses.push_back(entry.endpoint().address());
        }
        lookup->done = true;
        lookup->finished.notify();
      });
}

Error not_public(const Origin& origin) {
  return upstream_error(Errc::forbidden, "address_not_public", "inside: " + origin.host);
}

}  // namespace

Co<Result<std::vector<asio::ip::address>>> resolve(std::shared_ptr<LoopPool> loop,
                                                   std::shared_ptr<Origin> origin, Deadline by) {
  Clock& clock = loop->budget().clock();
  if (!origin->addresses.empty() && clock.now() < origin->addresses_until) {
    co_return origin->addresses;
  }
  error_code not_literal;
  const auto literal = asio::ip::make_address(origin->host, not_literal);
  if (!not_literal) {
    if (origin->public_only && !is_public(literal)) co_return not_public(*origin);
    origin->addresses.assign(1, literal);
    origin->addresses_until = TimePoint::max();
    co_return origin->addresses;
  }
  if (!origin->lookup) start_lookup(*loop, *origin);
  auto lookup = origin->lookup;
  const auto seen = lookup->finished.version();
  if (!lookup->done) {
    auto woken = co_await lookup->finished.wait(seen, by);
    if (!woken && !lookup->done) {
      if (clock.now() < by.at()) co_return Error::log(Errc::cancelled, "lookup cancelled");
      co_return upstream_error(Errc::deadline, "upstream_connect_timeout",
                               "name lookup of " + origin->host + " took too long");
    }
  }
  if (origin->lookup == lookup) origin->lookup.reset();
  if (lookup->addresses.empty()) {
    co_return upstream_error(Errc::unavailable, "upstream_unresolved",
                             "no address for " + origin->host);
  }
  std::vector<asio::ip::address> found = lookup->addresses;
  if (origin->public_only) {
    std::erase_if(found, [](const auto& address) { return !is_public(address); });
    if (found.empty()) co_return not_public(*origin);
  }
  origin->addresses = std::move(found);
  origin->addresses_until = clock.now() + loop->budget().settings().dns_ttl;
  co_return origin->addresses;
}

}  // namespace mainstay::net
