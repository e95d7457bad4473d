// Servers that speak OpenAI's chat completions (OpenAI, vLLM, llama-server, LM Studio, …): bodies
// and chunks go through as they are. Used by app/wire.cpp alone.
#pragma once

#include <memory>

#include "models/provider.h"
#include "net/client.h"

namespace mainstay::models::openai {

/// References outlive the provider. Errors: invalid when base_url is none.
Result<std::unique_ptr<ChatProvider>> make(const ProviderSettings& settings,
                                           const UpstreamSettings& upstream, net::Client& client);

}  // namespace mainstay::models::openai
