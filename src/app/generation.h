// One configuration and everything built from it: models, library, assistant, api. Immutable; a
// request keeps the generation it began on until its last byte, whatever is put in force meanwhile.
// Used by engine.cpp and reload.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "api/admin.h"
#include "api/analyze.h"
#include "api/service.h"
#include "app/wire.h"
#include "assistant/assistant.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "jobs/desk.h"
#include "knowledge/library.h"
#include "resources/governor.h"

namespace mainstay::app {

/// What every generation stands on; outlives them all.
struct Ground {
  Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
  OffloadPool& pool;
  storage::Stores& stores;
  net::Client& client;
  admission::Admission& admission;
  api::AdminDesk& admin;
  std::atomic<const char*>& not_ready;
  const resources::Governor& governor;
  jobs::Desk& jobs;
  std::function<void()> disk_was_full;
  storage::Shelf* shelf = nullptr;
  jobs::BatchDesk* batches = nullptr;
  const api::Launched* launched = nullptr;
  media::Decoders* decoders = nullptr;
  knowledge::Meaning* meaning = nullptr;
  models::Hosts* hosts = nullptr;
  media::Audio* sound = nullptr;
  storage::AudioStore* audio = nullptr;
  api::RunningChats* running_chats = nullptr;
};

/// Thread-safe. The last holder destroys it, on whichever thread that is.
class Generation {
 public:
  /// Builds from `loaded`. The models (with their cache and breakers) of `before` are kept when
  /// nothing that they depend on differs. Errors: of the providers' settings.
  static Result<std::shared_ptr<const Generation>> make(
      config::Loaded loaded, const Ground& ground, std::uint64_t version,
      const std::shared_ptr<const Generation>& before);

  std::uint64_t version() const noexcept { return version_; }
  const config::Loaded& loaded() const noexcept { return loaded_; }
  const Settings& settings() const noexcept { return loaded_.settings; }
  WiredModels& models() const noexcept { return *parts_->models; }
  knowledge::Library& library() const noexcept { return *parts_->library; }
  assistant::Assistant& assistant() const noexcept { return *assistant_; }
  const api::Rooms& rooms() const noexcept { return *rooms_; }
  /// True when the models were made for this generation.
  bool new_models() const noexcept { return new_models_; }
  api::Api& api(api::Side side) const noexcept {
    return side == api::Side::admin_side ? *admin_api_ : *api_;
  }

 private:
  /// What generations with the same model settings share.
  struct Parts {
    std::unique_ptr<knowledge::Library> library;
    std::unique_ptr<WiredModels> models;
  };
  Generation(config::Loaded loaded, std::uint64_t version)
      : loaded_(std::move(loaded)), version_(version) {}
  Status build(const Ground& ground, const std::shared_ptr<const Generation>& before);

  const config::Loaded loaded_;
  const std::uint64_t version_;
  bool new_models_ = true;
  std::shared_ptr<Parts> parts_;
  std::unique_ptr<assistant::Assistant> assistant_;
  std::unique_ptr<api::AnalyzeDesk> analyze_;
  std::unique_ptr<api::Rooms> rooms_;
  std::unique_ptr<api::Rooms> admin_rooms_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::Api> admin_api_;  ///< on server.admin_listen; null without
};

/// What a listener serves: each request goes to the generation in force when it began.
class LiveService final : public net::Service {
 public:
  LiveService(const config::Live<Generation>& live, api::Side side) : live_(live), side_(side) {}
  Co<> serve(net::Exchange& exchange) override;
  net::Response refusal(const Error& error) override;
  net::Response health() override;

 private:
  const config::Live<Generation>& live_;
  const api::Side side_;
};

}  // namespace mainstay::app
