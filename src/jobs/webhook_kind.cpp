// "webhook": tells an address of a job's end, signed as Standard Webhooks say, until it answers
// 2xx or 410; or looks whether there is an end that nobody reported.
#include "base/json_fields.h"
#include "config/webhook_secret.h"
#include "jobs/kind_fields.h"
#include "jobs/kinds_inside.h"
#include "jobs/webhook.h"
#include "jobs/webhook_address.h"

namespace mainstay::jobs {
namespace {

constexpr int kGone = 410;

Outcome settled(const char* what) {
  Outcome out;
  out.result = dump(Json{{"outcome", what}});
  return out;
}

/// The client that carries webhooks words its failures for calls to models.
Error of_receiver(Error error) {
  const std::string_view why = error.reason;
  std::string_view what;
  if (why == "upstream_refused") what = "refused the connection";
  if (why == "upstream_unresolved") what = "has a name that could not be resolved";
  if (why == "upstream_tls_failed") what = "made no secure connection";
  if (why == "upstream_truncated") what = "ended its reply too early";
  if (why == "upstream_reset") what = "closed the connection";
  if (why == "upstream_bad_reply") what = "sent no valid HTTP";
  if (why == "upstream_too_large") what = "sent too large a reply";
  if (error.code == Errc::deadline) what = "did not answer in time";
  if (why == "upstream_pool_full") error.message = "All connections are in use.";
  if (!what.empty()) error.message = "The webhook's receiver " + std::string(what) + ".";
  return error;
}

class WebhookKind final : public Kind {
 public:
  explicit WebhookKind(const Tools& tools)
      : tools_(tools),
        settings_(tools.settings.jobs.webhooks),
        key_(config::webhook_key(settings_.secret.reveal())),
        limits_(common_limits(tools.settings)) {
    limits_.for_clients = false;
    limits_.timeout = settings_.timeout;
    limits_.timeout_setting = "jobs.webhooks.timeout";
    limits_.attempts_max = settings_.attempts_max;
    limits_.backoff = {settings_.backoff_min, settings_.backoff_max, 4};
  }
  std::string_view name() const noexcept override { return kWebhookKind; }
  const KindLimits& limits() const noexcept override { return limits_; }

  Result<std::string> check(const Json& input, const admission::Caller&) const override {
    auto known = check_members(input, {"job", "url", "watch", "number", "letter"});
    if (!known.ok()) return known.error();
    auto url = text_member(input, "url", 1, kWebhookUrlMax);
    if (!url.ok()) return url.error();
    auto job = text_member(input, "job", 1, 128);
    if (!job.ok()) return job.error();
    return dump(input);
  }

  bool travels(const std::string&) const override { return true; }

  Co<Result<Outcome>> run(Run& run, Deadline by) override {
    auto input = parse_json(run.job().job.input);
    if (!input.ok()) co_return input.error();
    const std::string url = string_field(*input, "url");
    const storage::JobId id(string_field(*input, "job"));
    const Json& letter = field(*input, "letter");
    if (letter.is_object()) {
      co_await drop_look(id, by);
      auto delivered =
          co_await deliver(url, string_field(letter, "id"), string_field(letter, "body"), by);
      co_return delivered;
    }
    auto job = co_await tools_.store.get(std::nullopt, id, by);
    if (!job.ok() && job.error().code == Errc::not_found) co_return settled("forgotten");
    if (!job.ok()) co_return job.error();
    if (flag_field(*input, "watch")) {
      const auto number = static_cast<std::uint32_t>(count_field(*input, "number"));
      auto looked = co_await look(std::move(*job), url, number, by);
      co_return looked;
    }
    if (!storage::ended(job->state)) co_return settled("runs_again");
    co_await drop_look(id, by);
    auto delivered =
        co_await deliver(url, webhook_id(*job), webhook_body(*job, settings_.result_max.value), by);
    co_return delivered;
  }

 private:
  /// This delivery is what the waiting look would make: without it no job that ended stays in the
  /// queue for jobs.webhooks.look_after. One that stays all the same does no harm.
  Co<> drop_look(storage::JobId job, Deadline by) {
    for (std::uint32_t number = 0; number < kLooksTried; ++number) {
      const storage::JobId id = watch_id(job, number);
      auto dropped = co_await tools_.store.cancel(std::nullopt, id, by);
      // One that is over was followed by another, if any waits.
      if (dropped.ok() || dropped.error().reason != "job_ended") co_return;
    }
  }

  Co<Result<Outcome>> look(storage::Job job, std::string url, std::uint32_t number, Deadline by) {
    if (!storage::ended(job.state)) {
      Outcome later = settled("runs");
      later.effects.follow_ups.push_back(
          watch_of(job.job, number + 1, url, settings_, tools_.clock, tools_.random));
      co_return later;
    }
    // A success brought its delivery along in the same step.
    if (job.state == storage::JobState::succeeded) co_return settled("reported");
    storage::NewJob delivery =
        delivery_of(job, job.state, url, settings_, tools_.clock, tools_.random);
    auto submitted = co_await tools_.store.submit(std::move(delivery), 0, by);
    if (!submitted.ok()) co_return submitted.error();
    co_return settled(submitted->existed ? "reported" : "handed_in");
  }

  Co<Result<Outcome>> deliver(std::string url, std::string id, std::string body, Deadline by) {
    if (!key_) {
      co_return Error::say(Errc::unprocessable, "webhooks_off",
                           "No webhook can be sent: the operator must set jobs.webhooks.secret.");
    }
    // Settings may have become stricter since the order.
    auto fine = check_webhook_url(url, settings_.allow);
    if (!fine.ok()) co_return fine.error();
    Letter letter;
    letter.url = url;
    letter.body = std::move(body);
    const std::int64_t seconds = unix_seconds(tools_.clock.wall());
    letter.headers = {
        {"content-type", "application/json"},
        {"webhook-id", id},
        {"webhook-timestamp", std::to_string(seconds)},
        {"webhook-signature", webhook_signature(*key_, id, seconds, letter.body)},
    };
    auto receipt = co_await tools_.post.send(std::move(letter), by);
    if (!receipt.ok()) co_return of_receiver(receipt.error());
    if (receipt->status >= 200 && receipt->status < 300) co_return settled("delivered");
    if (receipt->status == kGone) co_return settled("refused_for_good");
    Error again = Error::say(
        Errc::bad_upstream, "webhook_not_accepted",
        "The webhook's address answered with status " + std::to_string(receipt->status) + ".");
    again.retry_after = receipt->retry_after;
    co_return again;
  }

  const Tools tools_;
  const JobWebhookSettings settings_;
  const std::optional<std::string> key_;
  KindLimits limits_;
};

}  // namespace

std::unique_ptr<Kind> make_webhook_kind(const Tools& tools) {
  return std::make_unique<WebhookKind>(tools);
}

}  // namespace mainstay::jobs
