// One provider as the router sees it: breakers, permits, retry budget, pause, model list, counts.
// Used by the router alone.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "models/aimd.h"
#include "models/breakers.h"
#include "models/hosts.h"
#include "models/models.h"
#include "models/permits.h"
#include "models/provider.h"
#include "models/retry.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace mainstay::models {

/// The name of the built-in answerer, as a model.
inline constexpr std::string_view kBuiltIn = "mainstay/extractive";

/// A provider handed to the router.
struct NamedProvider {
  std::unique_ptr<ChatProvider> provider;
  ProviderSettings settings;  ///< models, default_model, concurrent_max
  bool discovered = false;    ///< looked for on loopback; used only after models() succeeded
  HostDoor host = {};         ///< empty: its server runs elsewhere
};

/// What every part of the router works with; all outlive it.
struct Tools {
  Clock& clock;
  Random& random;
  Log& log;
  Metrics& metrics;
};

/// Thread-safe. Shared by the router and the streams it gave out.
class Upstream {
 public:
  enum class Kind : std::uint8_t { configured, discovered, built_in };

  Upstream(NamedProvider parts, Kind kind, const Settings& settings, Tools tools);

  /// One call's accounting, its permit included. The first of succeeded() and failed() is counted
  /// and gives everything back; destroyed without one, the call was cancelled and says nothing
  /// about the provider.
  class Call {
   public:
    Call() = default;
    Call(std::shared_ptr<Upstream> upstream, Breakers::Pass pass, Permit permit, TimePoint started,
         std::string model);
    Call(Call&& other) noexcept = default;
    Call& operator=(Call&&) = delete;
    ~Call();
    /// The stream has begun: the breaker's probe has succeeded, however long the answer takes.
    void answers();
    void succeeded(TimePoint now);
    /// Counts against a breaker as verdict() says, and takes the provider's key out of the
    /// error's words: some providers repeat it.
    void failed(Error& error);
    TimePoint started() const noexcept { return started_; }
    /// Keeps the provider's host ready until the call ends.
    void hold(HostLease lease) noexcept { lease_ = std::move(lease); }
    /// The request that the log names when the call fails.
    void serves(const RequestId& request) { request_ = request; }

   private:
    friend class Upstream;
    void release();
    std::shared_ptr<Upstream> upstream_;  ///< null: nothing to give back
    Breakers::Pass pass_;
    Permit permit_;
    HostLease lease_;
    TimePoint started_{};
    std::string model_;
    RequestId request_;
  };

  const std::string& name() const noexcept { return provider->name(); }
  /// Asks the breakers and the pause that a 429 asked for, which is of one model: providers limit
  /// each by itself. The error is unavailable "circuit_open" or over_limit "upstream_rate_limited",
  /// with retry_after.
  Result<Breakers::Pass> ask(const std::string& model, TimePoint now);
  void give_back(const Breakers::Pass& pass);
  void answers(Breakers::Pass& pass);
  /// Counts a request towards the retry budget.
  void deposit(TimePoint now);
  bool withdraw(TimePoint now);

  /// Whether `auto` should prefer it: the last call of the model that it would ask, or a later
  /// probe, succeeded, and no breaker is in the way.
  bool likely(TimePoint now) const;
  bool probed() const;
  /// A probe is due: none within `interval`, and no call that succeeded either.
  bool probe_due(TimePoint now, Duration interval) const;
  /// Asks the provider for its models; remembers them, or why that failed. A host that is not ready
  /// is neither started for it nor blamed: unavailable "host_not_ready".
  Co<Status> probe(Deadline by);
  /// Configured models, or those a probe found, and how each is doing.
  std::vector<ModelInfo> models() const;
  /// What models() says of this one, ":latest" left out or not; for default_model, which need not
  /// be listed, only its name. nullopt: it is not served, or no list is known.
  std::optional<ModelInfo> model(const std::string& id) const;
  bool serves(const std::string& model) const;
  /// No list is known yet, so any name may be one of its models; but not where there is none.
  bool may_serve() const;
  /// False: a server of speech alone.
  bool chats() const noexcept { return settings_.kind != "wyoming"; }
  /// The model for `auto`; empty when none is known.
  std::string default_model() const;
  ProviderState state() const;

  /// How long its attempts may take: its own times, or those of [models].
  struct Patience {
    Duration first_token{};
    Duration whole_answer{};
    Duration between_tokens{};
    Duration total{};
  };

  const std::unique_ptr<ChatProvider> provider;
  const Kind kind;
  const Patience patience;
  const HostDoor host;  ///< empty: its server runs elsewhere
  Permits permits;

 private:
  std::vector<ModelInfo> listed() const;
  void set_reached(bool reached, const std::string& why);
  bool up_without_list(const Error& error);
  bool up() const;
  void end(const Call& call, const Error* error, TimePoint now);
  void pause(const std::string& model, Duration wait, TimePoint now);
  void hide_key(Error& error) const;
  void adapt(const Error* error, TimePoint started, TimePoint now);
  const ProviderSettings settings_;
  const std::string first_listed_;  ///< of its settings' models, for `auto`
  Tools tools_;
  mutable std::mutex mutex_;
  Breakers breakers_;
  RetryBudget budget_;
  Aimd aimd_;
  const Duration raise_every_;
  const Duration pause_max_;
  TimePoint pause_until_{};                        ///< of all models
  std::map<std::string, TimePoint> pauses_until_;  ///< of one; at most kPausesMax
  bool reached_ = true;                            ///< by the last call or probe
  bool probed_ = false;
  bool listless_ = false;  ///< the last probe found nothing where its list should be
  std::optional<TimePoint> last_probe_;
  std::optional<TimePoint> last_success_;
  std::string why_;  ///< not
  std::vector<ModelInfo> found_;
  std::atomic<std::uint32_t> in_flight_{0};
  Counter& succeeded_;
  Counter& failed_;
  Counter& opened_;
  const std::shared_ptr<Gauge> up_gauge_;  ///< held: not shown any more when the provider goes
  const std::shared_ptr<Gauge> limit_gauge_;
  Histogram& seconds_;
};

/// Names a wait for a provider that ended at a bound of the router's own. The provider was given
/// the sooner of two and takes either for that of the whole call, `whole`. `begun`: the answer had.
void name_wait(Error& error, bool begun, Deadline whole, TimePoint now);

}  // namespace mainstay::models
