// What every request passes before its endpoint: host and page, identity and rights, limits, and
// whether the machine can take it.
// Used by api (service) alone.
#pragma once

#include "api/context.h"

namespace mainstay::api {

/// Immutable; any loop may ask.
class Gate {
 public:
  explicit Gate(const Rooms& rooms);
  /// Fills the context's caller, rate and deadline. The error is the refusal.
  Status admit(Context& context) const;
  /// Further work of a request that was let in, as a WebSocket brings it: counted, and refused by a
  /// machine under pressure, like a request of its own.
  Status admit_more(Context& context) const;
  /// For replies that last: whether the same caller would be let in now. A key may have been
  /// revoked, or a token have ended, since. Takes the caller's rights as they are now.
  bool still_lets_in(Context& context) const;
  /// The answer to a browser that asks before it sends ("OPTIONS"). `methods`: of the path.
  Result<net::Response> preflight(const net::RequestHead& head, std::string_view methods) const;
  /// What lets the page that sent the request read its reply, if its origin may call.
  void add_cors(const net::RequestHead& head, net::HeaderLines& to) const;

 private:
  Status check_host(const net::RequestHead& head) const;
  Status check_page(Context& context) const;
  Status identify(Context& context) const;
  Status check_scope(const Context& context) const;
  Status count(Context& context) const;
  Status check_pressure(const Context& context) const;

  const Rooms& rooms_;
  const bool loopback_only_;
};

/// What a request says of who sends it; views into its head.
admission::Credentials credentials_of(const net::RequestHead& head);
/// The refusal of a key without that scope.
Error lacks_scope(std::string_view scope);

/// Whether something may be stored now; admit() asks for uploads, the endpoint where only the body
/// tells. Errors: disk_full.
Status check_writable(const Rooms& rooms);

}  // namespace mainstay::api
