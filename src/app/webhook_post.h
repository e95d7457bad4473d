// Webhooks over the program's HTTP client: to public addresses alone, but for the hosts that the
// operator allows; no redirect is followed.
// Used by app's wiring, as the jobs room's Post.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"
#include "jobs/post.h"
#include "net/client.h"

namespace mainstay {

/// Any of the client's loops may call. The client outlives it.
class WebhookPost final : public jobs::Post {
 public:
  WebhookPost(const JobWebhookSettings& settings, net::Client& client)
      : allow_(settings.allow), timeout_(settings.timeout), client_(client) {}
  Co<Result<jobs::Receipt>> send(jobs::Letter letter, Deadline by) override;

 private:
  const std::vector<std::string> allow_;
  const Duration timeout_;
  net::Client& client_;
};

}  // namespace mainstay
