// One webhook as one call.
#include "app/webhook_post.h"

#include "jobs/webhook_address.h"
#include "net/json_api.h"

namespace mainstay {

Co<Result<jobs::Receipt>> WebhookPost::send(jobs::Letter letter, Deadline by) {
  const std::string host = jobs::webhook_host(letter.url);
  const std::size_t rest = letter.url.find_first_of("/?", letter.url.find("://") + 3);
  auto url = net::Url::parse(std::string_view(letter.url).substr(0, rest));
  if (host.empty() || !url.ok()) {
    co_return Error::say(Errc::invalid, "invalid_webhook", "The webhook's address is not valid.",
                         "webhook.url");
  }
  net::Call call;
  call.url = std::make_shared<const net::Url>(std::move(*url));
  call.target = rest == std::string::npos ? "/" : letter.url.substr(rest);
  if (!call.target.starts_with('/')) call.target = "/" + call.target;
  for (const auto& [name, value] : letter.headers) call.headers.add(name, value);
  call.headers.add("user-agent", "mainstay-webhook");
  call.body = std::move(letter.body);
  call.once = true;  // else jobs.webhooks.attempts_max would not count what the client sends again
  call.public_only = !jobs::host_is_allowed(host, allow_);
  net::CallTimers timers;
  timers.first_byte = timeout_;
  auto reply = co_await client_.send(std::move(call), timers, by);
  if (!reply.ok() && reply.error().reason == "address_not_public") {
    co_return Error::say(Errc::forbidden, "webhook_address_refused",
                         "The webhook's name leads to an address that is not public; the operator "
                         "may allow the host (jobs.webhooks.allow).",
                         "webhook.url");
  }
  if (!reply.ok()) co_return reply.error();
  jobs::Receipt receipt;
  receipt.status = (*reply)->status();
  receipt.retry_after = net::retry_after_of(**reply);
  co_return receipt;  // the body is nobody's: dropping the reply closes the connection
}

}  // namespace mainstay
