// The breakers of one provider: one for its server, one for each model lately asked for.
// Pure, as breaker.h. Used by upstream.h under its mutex.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "models/breaker.h"

namespace mainstay::models {

/// A server that cannot be reached is left alone for all its models; a model that its server fails
/// at is left alone by itself. Remembers the models that answered or failed, at most 64. Not
/// thread-safe.
class Breakers {
 public:
  using State = Breaker::State;

  /// A model that was asked.
  struct Model {
    explicit Model(const ModelSettings& settings) : breaker(settings) {}
    Breaker breaker;
    std::string why;  ///< how the last call failed; empty: it did not
    TimePoint used{};
  };

  /// The right to make one call of one model; as Breaker::Pass.
  struct Pass {
    bool allowed = false;
    Duration retry_after{};  ///< when refused
    Breaker::Pass server;
    Breaker::Pass own;
    std::shared_ptr<Model> model;  ///< shared: it may be forgotten before the call ends
  };

  explicit Breakers(const ModelSettings& settings) : settings_(settings), server_(settings) {}
  Pass ask(const std::string& model, TimePoint now);
  void answers(Pass& pass);
  void success(const Pass& pass, const std::string& model, TimePoint now);
  /// The server could not be reached. True: its breaker opened.
  bool unreached(const Pass& pass, TimePoint now, Random& random);
  /// It was, and failed with the model, for the reason `why`. True: the model's breaker opened.
  bool failure(const Pass& pass, const std::string& model, std::string why, TimePoint now,
               Random& random);
  void ignored(const Pass& pass);

  /// Of the model and its server.
  State state(const std::string& model, TimePoint now) const;
  /// Of the provider: the server's, or, while that is closed, the best of its models'.
  State state(TimePoint now) const;
  /// Why the model's last call failed; empty when it did not.
  std::string why(const std::string& model) const;
  /// The same of some model, when the last calls of all that are known failed.
  std::string why() const;
  /// The server says that it is well: its models get the benefit of the doubt.
  void clear_whys();

 private:
  std::shared_ptr<Model> find(const std::string& model) const;
  Model& known(const Pass& pass, const std::string& model, TimePoint now);
  const ModelSettings settings_;
  Breaker server_;
  std::map<std::string, std::shared_ptr<Model>, std::less<>> models_;
};

}  // namespace mainstay::models
