// Rows of the arrays of tables: [[providers]], [[routes]] and their candidates.
#include <array>

#include "config/row_makers.h"

namespace mainstay::config {
namespace {

using P = ProviderSettings;
constexpr Range kOwnTimeout{0, kDay};
constexpr std::array kProviderRows = {
    text<&P::name>("name", Form::name, "Name of the provider; required, used in routes.", {1, 64},
                   kLive),
    choice<&P::kind>(
        "kind", "openai|ollama|gemini|anthropic|wyoming",
        "Wire format it speaks; required. openai fits every compatible server; wyoming: "
        "a voice server of Home Assistant, tcp://HOST:PORT.",
        kLive),
    text<&P::base_url>("base_url", Form::server_url,
                       "Where it is; empty: the kind's usual address.", {0, 2048}, kLive),
    text<&P::host>("host", Form::any,
                   "Name of the [[hosts]] entry that runs it; empty: Mainstay does not start it.",
                   {0, 64}, kLive),
    row<&P::api_key>("api_key", {0, 4096}, "Key that is sent to it.", kLive),
    row<&P::models>("models", {0, 1000}, "Models it serves; empty: it is asked.", kLive),
    text<&P::default_model>("default_model", Form::any, "Its model for `auto`; empty: the first.",
                            {0, 256}, kLive),
    row<&P::concurrent_max>("concurrent_max", {1, 10'000}, "Calls to it at once.", kLive),
    row<&P::first_token_timeout>("first_token_timeout", kOwnTimeout,
                                 "Its own models.first_token_timeout; 0s: that one.", kLive),
    row<&P::whole_answer_timeout>("whole_answer_timeout", kOwnTimeout,
                                  "Its own models.whole_answer_timeout; 0s: that one.", kLive),
    row<&P::between_tokens_timeout>("between_tokens_timeout", kOwnTimeout,
                                    "Its own models.between_tokens_timeout; 0s: that one.", kLive),
    row<&P::total_timeout>("total_timeout", kOwnTimeout,
                           "Its own models.total_timeout; 0s: that one.", kLive),
};

using R = RouteSettings;
constexpr std::array kRouteRows = {
    text<&R::model>("model", Form::any, "Model's name as clients ask for it; required.", {1, 256},
                    kLive),
    row<&R::aliases>("aliases", {0, 100}, "Further names of the same model.", kLive),
    row<&R::extractive_fallback>("extractive_fallback", kOnOff,
                                 "Let the built-in answerer reply when every candidate fails.",
                                 kLive),
};

using C = CandidateSettings;
constexpr std::array kCandidateRows = {
    text<&C::provider>("provider", Form::name, "Name of a provider; required.", {1, 64}, kLive),
    text<&C::model>("model", Form::any, "Model's name at that provider; required.", {1, 256},
                    kLive),
    row<&C::weight>("weight", {1, 1000}, "Share among the candidates of the same order.", kLive),
    row<&C::order>("order", {0, 1000}, "Lower is tried first.", kLive),
};

}  // namespace

std::span<const Row> provider_rows() {
  return kProviderRows;
}
std::span<const Row> route_rows() {
  return kRouteRows;
}
std::span<const Row> candidate_rows() {
  return kCandidateRows;
}

}  // namespace mainstay::config
