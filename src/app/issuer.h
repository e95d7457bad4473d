// How the issuer's key set (auth.jwt.jwks_url) is read: through the one HTTP client.
// Used by app/engine.cpp, which gives it to Identity::watch_issuer.
#pragma once

#include "admission/identity.h"
#include "net/client.h"

namespace mainstay::app {

/// A reader of whatever address `identity` has at the time. Both outlive it.
admission::FetchKeySet issuer_reader(net::Client& client, const admission::Identity& identity);

}  // namespace mainstay::app
