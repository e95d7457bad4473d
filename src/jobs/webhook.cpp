// Envelope, delivery jobs, signature and message of webhooks.
#include "jobs/webhook.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <ctime>

#include "base/base64.h"
#include "base/ids.h"
#include "base/json.h"
#include "jobs/news.h"
#include "models/splice.h"

namespace mainstay::jobs {
namespace {

/// Owners have names; this tenant has none and so is nobody's.
storage::Owner nobody_for(const storage::Owner& owner) {
  return {TenantId(), UserId(topic_of(owner))};
}

storage::NewJob made_for(const storage::NewJob& job, const JobWebhookSettings& settings,
                         const Clock& clock, Random& random) {
  storage::NewJob out;
  out.id = storage::JobId(make_id("job_", clock, random));
  out.owner = nobody_for(job.owner);
  out.kind = kWebhookKind;
  out.priority = storage::JobClass::interactive;
  out.attempts_max = settings.attempts_max;
  out.follow_up = true;  // a full queue refuses new work, not the news of what it took
  return out;
}

}  // namespace

std::string with_webhook(const std::string& input, std::string_view url) {
  std::string out(kEnvelope);
  append_json_string(out, url);
  const auto body = std::string_view(input).substr(1);
  if (!body.starts_with('}')) out += ',';
  out += body;
  return out;
}

Unwrapped unwrap(std::string stored) {
  if (!stored.starts_with(kEnvelope)) return {std::move(stored), {}};
  const std::size_t end = models::skip_string(stored, kEnvelope.size());
  const std::string_view text(stored);
  std::string url =
      models::decode_escapes(text.substr(kEnvelope.size() + 1, end - kEnvelope.size() - 2));
  std::string_view rest = text.substr(end);
  if (rest.starts_with(',')) rest.remove_prefix(1);
  return {"{" + std::string(rest), std::move(url)};
}

storage::NewJob delivery_of(const storage::Job& job, storage::JobState state,
                            const std::string& url, const JobWebhookSettings& settings,
                            const Clock& clock, Random& random) {
  storage::NewJob out = made_for(job.job, settings, clock, random);
  const std::string what = std::string(storage::name(state));
  out.key = fmt::format("webhook:{}:{}:{}", job.job.id.text(), job.token, what);
  out.digest = out.key;
  out.input = dump(Json{{"job", job.job.id.text()}, {"url", url}});
  return out;
}

storage::NewJob letter_of(const storage::Job& job, const std::string& url,
                          const JobSettings& settings, const Clock& clock, Random& random) {
  storage::NewJob out = delivery_of(job, job.state, url, settings.webhooks, clock, random);
  const auto input = [&](std::size_t result_max) {
    return dump(
        Json{{"job", job.job.id.text()},
             {"url", url},
             {"letter", {{"id", webhook_id(job)}, {"body", webhook_body(job, result_max)}}}});
  };
  out.input = input(settings.webhooks.result_max.value);
  if (out.input.size() > settings.input_max.value) out.input = input(0);
  return out;
}

storage::JobId watch_id(const storage::JobId& job, std::uint32_t number) {
  return storage::JobId(fmt::format("{}_look{}", job.text(), number));
}

storage::NewJob watch_of(const storage::NewJob& job, std::uint32_t number, const std::string& url,
                         const JobWebhookSettings& settings, const Clock& clock, Random& random) {
  storage::NewJob out = made_for(job, settings, clock, random);
  out.id = watch_id(job.id, number);
  const WallTime now = clock.wall();
  WallTime at = now + std::chrono::duration_cast<WallTime::duration>(settings.look_after);
  if (job.expires != WallTime{} && job.expires >= now) {
    at = std::min(at, job.expires + std::chrono::seconds(1));
  }
  out.run_at = at;
  out.key = fmt::format("watch:{}:{}", job.id.text(), number);
  out.digest = out.key;
  out.input = dump(Json{{"job", job.id.text()}, {"url", url}, {"watch", true}, {"number", number}});
  return out;
}

std::string webhook_signature(const std::string& key, std::string_view id, std::int64_t seconds,
                              std::string_view body) {
  const std::string text = fmt::format("{}.{}.{}", id, seconds, body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = mac.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  return "v1," + to_base64({reinterpret_cast<const char*>(mac.data()), size});
}

std::string webhook_id(const storage::Job& job) {
  return fmt::format("{}_{}_{}", job.job.id.text(), job.token, storage::name(job.state));
}

std::string webhook_body(const storage::Job& job, std::size_t result_max) {
  const std::string state(storage::name(job.state));
  Json data = Json::object();
  data["id"] = job.job.id.text();
  data["kind"] = job.job.kind;
  data["state"] = state;
  if (!job.job.client.empty()) data["client"] = job.job.client;
  if (!job.job.batch.empty()) data["batch"] = job.job.batch;
  data["attempts"] = job.attempts;
  data["created_at"] = rfc3339(job.created);
  data["finished_at"] = rfc3339(job.finished);
  if (job.state == storage::JobState::succeeded && job.result.size() <= result_max) {
    auto result = parse_json(job.result);
    if (result.ok()) data["result"] = std::move(*result);
  }
  if (job.state == storage::JobState::dead) {
    data["error"] = Json{{"code", job.failure.code}, {"message", job.failure.message}};
  }
  Json message = Json::object();
  message["type"] = "job." + state;
  message["timestamp"] = rfc3339(job.finished);
  message["data"] = std::move(data);
  return dump(message);
}

std::string rfc3339(WallTime at) {
  const std::int64_t us = micros(at);
  const std::time_t seconds = us / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     us / 1000 % 1000);
}

}  // namespace mainstay::jobs
