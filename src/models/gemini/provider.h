// Gemini's generateContent as a provider.
// Used by app/wire.cpp alone.
#pragma once

#include <memory>

#include "models/provider.h"
#include "net/client.h"

namespace mainstay::models::gemini {

/// References outlive the provider. Errors: invalid when base_url is none.
Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings,
                                           const UpstreamSettings& upstream, Clock& clock,
                                           Random& random, net::Client& client);

}  // namespace mainstay::models::gemini
