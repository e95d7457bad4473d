// Face: sends one webhook to where a client wants it. Implemented by app over net's client: jobs
// knows no sockets.
// Used by the kind "webhook".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/co.h"
#include "base/deadline.h"
#include "base/result.h"

namespace mainstay::jobs {

struct Letter {
  std::string url;  ///< checked by check_webhook_url()
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Receipt {
  int status = 0;                            ///< of the reply; no redirect is followed
  std::chrono::milliseconds retry_after{0};  ///< as the receiver asked; zero: it did not
};

/// Any loop may call.
class Post {
 public:
  virtual ~Post() = default;
  /// Errors: forbidden "webhook_address_refused" (the name leads to an address that is not public
  /// and whose host is not in jobs.webhooks.allow), and those of net's client.
  virtual Co<Result<Receipt>> send(Letter letter, Deadline by) = 0;
};

}  // namespace mainstay::jobs
