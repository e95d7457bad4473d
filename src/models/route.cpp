// Resolution of names, weights, and the list of models.
#include "models/route.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"

namespace mainstay::models {
namespace {

constexpr std::string_view kAuto = "auto";

/// Candidates by order; within one order drawn by weight, without putting back.
std::vector<CandidateSettings> draw(std::vector<CandidateSettings> left, Random& random) {
  const auto sooner = [](const auto& a, const auto& b) { return a.order < b.order; };
  for (auto at = left.begin(); at != left.end(); ++at) {  // stable; routes are short
    std::rotate(std::upper_bound(left.begin(), at, *at, sooner), at, at + 1);
  }
  for (std::size_t at = 0; at + 1 < left.size(); ++at) {
    std::uint64_t total = 0;
    std::size_t end = at;
    for (; end < left.size() && left[end].order == left[at].order; ++end) total += left[end].weight;
    if (end - at < 2 || total == 0) continue;
    std::uint64_t ticket = random.below(total);
    std::size_t chosen = at;
    while (ticket >= left[chosen].weight) ticket -= left[chosen++].weight;
    std::swap(left[at], left[chosen]);
  }
  return left;
}

}  // namespace

RouteTable::RouteTable(std::shared_ptr<const Settings> settings,
                       std::vector<std::shared_ptr<Upstream>> upstreams, Tools tools)
    : settings_(std::move(settings)), upstreams_(std::move(upstreams)), tools_(tools) {
  CHECK(!upstreams_.empty() && built_in()->kind == Upstream::Kind::built_in);
}

const RouteSettings* RouteTable::route_named(const std::string& model) const {
  for (const auto& route : settings_->routes) {
    if (route.model == model) return &route;
    for (const auto& alias : route.aliases) {
      if (alias == model) return &route;
    }
  }
  return nullptr;
}

std::shared_ptr<Upstream> RouteTable::upstream_named(std::string_view name) const {
  if (name == "mainstay" || name == kBuiltIn) return built_in();
  for (const auto& upstream : upstreams_) {
    if (upstream->name() == name) return upstream;
  }
  if (speech_ && speech_->name() == name) return speech_;
  return nullptr;
}

Result<Plan> RouteTable::routed(const RouteSettings& route) const {
  Plan plan;
  plan.fallback = route.extractive_fallback;
  for (auto& chosen : draw(route.candidates, tools_.random)) {
    auto upstream = upstream_named(chosen.provider);
    if (upstream) plan.candidates.push_back({std::move(upstream), std::move(chosen.model)});
  }
  if (!plan.candidates.empty()) return plan;
  return Error::say(Errc::unavailable, "no_provider",
                    fmt::format("No provider of the route '{}' is configured.", route.model));
}

Plan RouteTable::automatic() const {
  Plan plan;
  plan.fallback = true;
  const TimePoint now = tools_.clock.now();
  std::vector<Candidate> doubtful;
  for (const auto& upstream : upstreams_) {
    if (upstream->kind != Upstream::Kind::configured || !upstream->chats()) continue;
    // What is not likely to answer comes after what is, but is still tried.
    auto& into = upstream->likely(now) ? plan.candidates : doubtful;
    into.push_back({upstream, upstream->default_model()});
  }
  std::move(doubtful.begin(), doubtful.end(), std::back_inserter(plan.candidates));
  for (const auto& upstream : upstreams_) {
    if (upstream->kind != Upstream::Kind::discovered || !upstream->likely(now)) continue;
    auto model = upstream->default_model();
    if (!model.empty()) plan.candidates.push_back({upstream, std::move(model)});
  }
  if (plan.candidates.empty()) plan.candidates.push_back({built_in(), std::string(kBuiltIn)});
  return plan;
}

Result<Plan> RouteTable::plan(const std::string& model) const {
  if (const auto* route = route_named(model)) return routed(*route);
  if (model == kAuto) return automatic();
  Plan plan;
  if (model == kBuiltIn) {
    plan.candidates.push_back({built_in(), model});
    return plan;
  }
  const auto slash = model.find('/');
  if (slash != std::string::npos && slash + 1 < model.size()) {
    auto upstream = upstream_named(std::string_view(model).substr(0, slash));
    if (upstream && upstream != built_in()) {
      plan.candidates.push_back({std::move(upstream), model.substr(slash + 1)});
      return plan;
    }
  }
  for (const auto& upstream : upstreams_) {
    if (!upstream->serves(model)) continue;
    plan.candidates.push_back({upstream, model});
    return plan;
  }
  for (const auto& upstream : upstreams_) {
    if (upstream->kind != Upstream::Kind::configured || !upstream->may_serve()) continue;
    if (!upstream->chats()) continue;  // its names are its own
    plan.candidates.push_back({upstream, model});
    return plan;
  }
  const auto known = names();
  const std::string near = nearest(model, known);
  std::string sentence = fmt::format("The model '{}' is not known.", cut_utf8(model, 100));
  if (!near.empty()) sentence += fmt::format(" Did you mean '{}'?", near);
  sentence += " GET /v1/models lists what can be asked for.";
  return Error::say(Errc::not_found, "unknown_model", std::move(sentence), "model");
}

std::optional<ModelInfo> RouteTable::find(const std::string& model) const {
  auto known = plan(model);
  if (!known.ok()) return std::nullopt;
  const Candidate& first = known->candidates.front();
  auto found = first.upstream->model(first.model);
  if (found) found->id = model;
  return found;
}

std::string RouteTable::limited_as(const std::string& model) const {
  if (const auto* route = route_named(model)) return route->model;
  const auto slash = model.find('/');
  if (slash == std::string::npos || slash + 1 == model.size()) return model;
  const auto upstream = upstream_named(std::string_view(model).substr(0, slash));
  return upstream && upstream != built_in() ? model.substr(slash + 1) : model;
}

std::vector<std::string> RouteTable::names() const {
  std::vector<std::string> out{std::string(kAuto), std::string(kBuiltIn)};
  for (const auto& route : settings_->routes) {
    out.push_back(route.model);
    out.insert(out.end(), route.aliases.begin(), route.aliases.end());
  }
  for (const auto& upstream : upstreams_) {
    if (upstream == built_in()) continue;
    for (const auto& model : upstream->models()) {
      out.push_back(model.id);
      out.push_back(upstream->name() + "/" + model.id);
    }
  }
  if (!speech_) return out;
  for (const auto& model : speech_->models()) out.push_back(speech_->name() + "/" + model.id);
  return out;
}

std::vector<ModelInfo> RouteTable::list() const {
  std::vector<ModelInfo> out;
  std::set<std::string> seen;
  const auto add = [&](ModelInfo info) {
    if (seen.insert(info.id).second) out.push_back(std::move(info));
  };
  ModelInfo any;
  any.id = std::string(kAuto);
  any.provider = "mainstay";
  add(any);
  for (const auto& route : settings_->routes) {
    ModelInfo info;
    info.id = route.model;
    info.provider = "route";
    add(info);
    for (const auto& alias : route.aliases) {
      info.id = alias;
      add(info);
    }
  }
  for (const auto& upstream : upstreams_) {
    if (upstream == built_in()) continue;
    for (auto& model : upstream->models()) {
      // A name that another provider has already: it is reached with the provider's name before it.
      if (seen.contains(model.id)) model.id = upstream->name() + "/" + model.id;
      add(std::move(model));
    }
  }
  ModelInfo own;
  own.id = std::string(kBuiltIn);
  own.provider = "mainstay";
  own.tools = false;
  add(own);
  if (!speech_) return out;
  for (auto& model : speech_->models()) {
    model.id = speech_->name() + "/" + model.id;
    add(std::move(model));
  }
  return out;
}

}  // namespace mainstay::models
