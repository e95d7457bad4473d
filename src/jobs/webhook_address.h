// Which addresses a webhook may have, as far as its text tells; the name's addresses are checked
// when it is delivered.
// Used by jobs. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"
#include "base/result.h"

namespace mainstay::jobs {

inline constexpr std::size_t kWebhookUrlMax = 2048;

/// Lower-case host of an address ("[…]" removed, and the dot that ends a full name: "localhost." is
/// "localhost"); empty when it is not an address that a webhook may have.
std::string webhook_host(std::string_view url);
/// `host` is in the list, whatever its case.
bool host_is_allowed(std::string_view host, const std::vector<std::string>& allow);
/// http or https, a host, no credentials, no fragment; a private literal only when its host is in
/// `allow`. Errors: invalid "invalid_webhook", forbidden "webhook_address_refused"; field
/// "webhook.url".
Status check_webhook_url(std::string_view url, const std::vector<std::string>& allow);

}  // namespace mainstay::jobs
