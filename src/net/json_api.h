// Calling a JSON API: one call whose refusals come back as facts, not as a body to be read.
// Used by models' inner rooms.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/client.h"

namespace mainstay::net {

/// A status of 400 or above, with what the server said.
struct ApiRefusal {
  int status = 0;
  std::string body;                          ///< at most 64 KiB
  std::chrono::milliseconds retry_after{0};  ///< retry-after-ms, retry-after or x-ratelimit-reset-*
};

/// Either the reply (status below 300, body unread) or the refusal.
struct ApiReply {
  std::unique_ptr<Reply> reply;
  std::optional<ApiRefusal> refusal;
};

/// Sends and looks at the head. Errors: Client::send's; bad_upstream "upstream_bad_reply" for a
/// redirect and for a compressed reply.
Co<Result<ApiReply>> call_api(Client& client, Call call, CallTimers timers, Deadline by);

/// The same for a reply whose head is here.
Co<Result<ApiReply>> look_at(std::unique_ptr<Reply> reply, Deadline by);

/// A body that would have to be unpacked, which nothing here does.
bool compressed(const Reply& reply);

/// "mainstay/1.2.3": firewalls before providers refuse calls that do not say what makes them.
std::string_view user_agent();

/// What ties a call to the request it serves; either may be empty.
struct CallTags {
  std::string request_id;
  std::string traceparent;
};

/// One JSON API at one address with its fixed headers (credentials). Immutable: any loop may call.
class JsonApi {
 public:
  JsonApi(Client& client, Url url, HeaderLines headers, UpstreamSettings settings)
      : client_(client),
        url_(std::make_shared<const Url>(std::move(url))),
        headers_(std::move(headers)),
        settings_(std::move(settings)) {}
  /// POST of a JSON body; `target` is added to the address's path.
  Co<Result<ApiReply>> post(std::string target, std::string body, CallTags tags, CallTimers timers,
                            Deadline by) const;
  /// GET, its whole body read. With a refusal, `body` is empty.
  struct Got {
    std::string body;
    std::optional<ApiRefusal> refusal;
  };
  Co<Result<Got>> get(std::string target, Deadline by) const;
  const UpstreamSettings& settings() const noexcept { return settings_; }

 private:
  Call call_to(std::string_view method, const std::string& target) const;
  Client& client_;
  const std::shared_ptr<const Url> url_;
  const HeaderLines headers_;
  const UpstreamSettings settings_;
};

/// "6m0s", "1.5s", "250ms", "1h2m": the form of Go's durations; zero for anything else. At most a
/// day.
std::chrono::milliseconds duration_text(std::string_view text);

/// When a server says to come back, from its headers; zero when it does not say. Understands
/// seconds ("2", "1.5"), HTTP dates, and OpenAI's durations ("6m0s", "250ms").
std::chrono::milliseconds retry_after_of(const Reply& reply);

}  // namespace mainstay::net
