// Which providers may answer for a model's name, in which order. No waiting, no calls.
// Used by the router.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/upstream.h"

namespace mainstay::models {

/// One candidate: a provider and its own name for the model. An empty model: whichever the
/// provider serves, to be asked first.
struct Candidate {
  std::shared_ptr<Upstream> upstream;
  std::string model;
};

struct Plan {
  std::vector<Candidate> candidates;  ///< not empty
  bool fallback = false;              ///< the built-in answerer may stand in when all fail
};

/// The names and who serves them. Immutable but for what providers learn about themselves.
class RouteTable {
 public:
  /// The built-in answerer is last in `upstreams`.
  RouteTable(std::shared_ptr<const Settings> settings,
             std::vector<std::shared_ptr<Upstream>> upstreams, Tools tools);

  /// A route or alias; "auto"; "provider/model"; a model some provider serves; a name passed
  /// through to a provider whose list is not known yet. Errors: not_found "unknown_model" with the
  /// nearest name; unavailable "no_provider".
  Result<Plan> plan(const std::string& model) const;
  /// The built-in engine of speech, "builtin" in names. Before the first question.
  void add_speech(std::shared_ptr<Upstream> engine) { speech_ = std::move(engine); }
  /// What can be asked for.
  std::vector<ModelInfo> list() const;
  /// See Models::find().
  std::optional<ModelInfo> find(const std::string& model) const;
  /// See Models::limited_as().
  std::string limited_as(const std::string& model) const;

 private:
  const RouteSettings* route_named(const std::string& model) const;
  std::shared_ptr<Upstream> upstream_named(std::string_view name) const;
  Result<Plan> routed(const RouteSettings& route) const;
  Plan automatic() const;
  std::vector<std::string> names() const;
  const std::shared_ptr<Upstream>& built_in() const { return upstreams_.back(); }

  std::shared_ptr<const Settings> settings_;
  std::vector<std::shared_ptr<Upstream>> upstreams_;
  std::shared_ptr<Upstream> speech_;  ///< null: there is none
  Tools tools_;
};

}  // namespace mainstay::models
