// Building a generation, and leading requests to the one in force.
#include "app/generation.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "api/status.h"

namespace mainstay::app {
namespace {

/// Settings that the library, the router and the providers were made from.
bool concerns_models(const std::string& key) {
  constexpr std::array<std::string_view, 10> kPrefixes = {
      "audio.",  "models.",   "cache.",      "knowledge.",           "providers.",
      "routes.", "upstream.", "embeddings.", "server.write_timeout", "limits.concurrent_max"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

}  // namespace

Result<std::shared_ptr<const Generation>> Generation::make(
    config::Loaded loaded, const Ground& ground, std::uint64_t version,
    const std::shared_ptr<const Generation>& before) {
  std::shared_ptr<Generation> made(new Generation(std::move(loaded), version));
  auto built = made->build(ground, before);
  if (!built.ok()) return built.error();
  return std::shared_ptr<const Generation>(std::move(made));
}

Status Generation::build(const Ground& g, const std::shared_ptr<const Generation>& before) {
  const Settings& s = settings();
  if (before != nullptr) {
    const auto changed = config::differences(before->settings(), s);
    new_models_ = std::any_of(changed.begin(), changed.end(), concerns_models);
  }
  if (new_models_) {
    parts_ = std::make_shared<Parts>();
    parts_->library = std::make_unique<knowledge::Library>(s.knowledge, g.clock, g.random, g.pool,
                                                           g.stores.documents(), g.decoders);
    auto wired = wire_models(s, g.clock, g.random, g.log, g.metrics, g.client, *parts_->library,
                             &g.stores.embedding_cache(), g.hosts, g.sound);
    if (!wired.ok()) return wired.error();
    parts_->models = std::move(*wired);
    if (g.meaning != nullptr) parts_->library->use(*g.meaning);
  } else {
    parts_ = before->parts_;
  }
  auto& models = parts_->models->models();
  assistant_ = std::make_unique<assistant::Assistant>(s, g.clock, g.random, models,
                                                      *parts_->library, g.stores.conversations());
  analyze_ = std::make_unique<api::AnalyzeDesk>(g.pool);
  const auto rooms = [&](const std::string& listen) {
    auto out = std::make_unique<api::Rooms>(
        api::Rooms{s, g.clock, g.random, g.log, g.metrics, g.admission, *assistant_, models,
                   *parts_->library, g.stores, g.client, g.not_ready, listen});
    out->admin = &g.admin;
    out->governor = &g.governor;
    out->jobs = &g.jobs;
    out->shelf = g.shelf;
    out->batches = g.batches;
    out->launched = g.launched;
    out->decoders = g.decoders;
    out->analyze = analyze_.get();
    out->pool = &g.pool;
    out->hosts = g.hosts;
    out->audio = g.audio;
    out->running_chats = g.running_chats;
    out->disk_was_full = g.disk_was_full;
    return out;
  };
  const bool apart = !s.server.admin_listen.empty();
  rooms_ = rooms(s.server.listen);
  api_ = std::make_unique<api::Api>(*rooms_, apart ? api::Side::public_side : api::Side::both);
  if (!apart) return done();
  admin_rooms_ = rooms(s.server.admin_listen);
  admin_api_ = std::make_unique<api::Api>(*admin_rooms_, api::Side::admin_side);
  return done();
}

Co<> LiveService::serve(net::Exchange& exchange) {
  const auto generation = live_.get();
  co_await generation->api(side_).serve(exchange);
}

net::Response LiveService::refusal(const Error& error) {
  return live_.get()->api(side_).refusal(error);
}

net::Response LiveService::health() {
  // Not from the generation: the first look of a thread takes a lock, and health waits for nothing.
  net::Response response;
  response.body = api::kAlive;
  return response;
}

}  // namespace mainstay::app
