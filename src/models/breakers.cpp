// Which breaker a call's end counts for.
#include "models/breakers.h"

#include <algorithm>

namespace mainstay::models {
namespace {

/// Clients may send any name, and some servers answer to any.
constexpr std::size_t kModelsMax = 64;

/// Ollama knows a model without a tag by this one too.
std::string_view key_of(std::string_view model) {
  constexpr std::string_view kTag = ":latest";
  if (model.ends_with(kTag)) model.remove_suffix(kTag.size());
  return model;
}

/// Fails a call; true: that opened the breaker.
bool fail(Breaker& breaker, const Breaker::Pass& pass, TimePoint now, Random& random) {
  const bool was_open = breaker.open_for(now) > Duration::zero();
  breaker.failure(pass, now, random);
  return !was_open && breaker.open_for(now) > Duration::zero();
}

}  // namespace

std::shared_ptr<Breakers::Model> Breakers::find(const std::string& model) const {
  const auto found = models_.find(key_of(model));
  return found != models_.end() ? found->second : nullptr;
}

/// The model that the call was of. Of many the one is forgotten whose breaker is closed and that
/// was not used for longest: what is left alone stays so as long as possible.
Breakers::Model& Breakers::known(const Pass& pass, const std::string& model, TimePoint now) {
  if (pass.model) return *pass.model;
  std::shared_ptr<Model> found = find(model);
  if (!found) {
    if (models_.size() >= kModelsMax) {
      models_.erase(std::ranges::min_element(models_, {}, [now](const auto& one) {
        const bool closed = one.second->breaker.state(now) == State::closed;
        return std::pair(!closed, one.second->used);
      }));
    }
    found = std::make_shared<Model>(settings_);
    models_.emplace(key_of(model), found);
  }
  return *found;
}

Breakers::Pass Breakers::ask(const std::string& model, TimePoint now) {
  Pass pass;
  pass.model = find(model);
  // A model becomes known when a call of it ends; all calls until then are of its first era.
  pass.own = pass.model ? pass.model->breaker.ask(now) : Breaker::Pass{true, 0, {}};
  pass.retry_after = pass.own.retry_after;
  if (!pass.own.allowed) return pass;
  pass.server = server_.ask(now);
  pass.retry_after = pass.server.retry_after;
  pass.allowed = pass.server.allowed;
  if (!pass.allowed) ignored(pass);
  return pass;
}

void Breakers::answers(Pass& pass) {
  server_.answers(pass.server);
  if (pass.model) pass.model->breaker.answers(pass.own);
}

void Breakers::success(const Pass& pass, const std::string& model, TimePoint now) {
  server_.success(pass.server);
  Model& one = known(pass, model, now);
  one.breaker.success(pass.own);
  one.why.clear();
  one.used = now;
}

bool Breakers::unreached(const Pass& pass, TimePoint now, Random& random) {
  if (pass.model) pass.model->breaker.ignored(pass.own);
  return fail(server_, pass.server, now, random);
}

bool Breakers::failure(const Pass& pass, const std::string& model, std::string why, TimePoint now,
                       Random& random) {
  server_.success(pass.server);
  Model& one = known(pass, model, now);
  one.why = std::move(why);
  one.used = now;
  return fail(one.breaker, pass.own, now, random);
}

void Breakers::ignored(const Pass& pass) {
  server_.ignored(pass.server);
  if (pass.model) pass.model->breaker.ignored(pass.own);
}

Breakers::State Breakers::state(const std::string& model, TimePoint now) const {
  const State server = server_.state(now);
  const auto one = find(model);
  return server == State::closed && one ? one->breaker.state(now) : server;
}

Breakers::State Breakers::state(TimePoint now) const {
  const State server = server_.state(now);
  if (server != State::closed) return server;
  State best = models_.empty() ? State::closed : State::open;
  for (const auto& [name, one] : models_) {
    const State its = one->breaker.state(now);
    if (its == State::closed) return its;
    if (its == State::half_open) best = its;
  }
  return best;
}

std::string Breakers::why(const std::string& model) const {
  const auto one = find(model);
  return one ? one->why : std::string();
}

std::string Breakers::why() const {
  std::string out;
  for (const auto& [name, one] : models_) {
    if (one->why.empty()) return {};
    out = one->why;
  }
  return out;
}

void Breakers::clear_whys() {
  for (const auto& [name, one] : models_) one->why.clear();
}

}  // namespace mainstay::models
