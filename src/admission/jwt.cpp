// The text of a token and what its claims say. Signatures are in jwt_key.cpp.
#include "admission/jwt.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "admission/base64url.h"
#include "admission/keys.h"
#include "base/json.h"

namespace mainstay::admission {
namespace {

constexpr std::size_t kHeaderMax = 1024;
constexpr std::size_t kKidMax = 256;
constexpr std::size_t kUserMax = 256;
constexpr double kTimeMax = 1e11;  // seconds; the year 5138

/// The same text for every reason: what exactly was wrong helps only who forges.
Error wrong(std::string why) {
  Error error = Error::say(Errc::denied, "wrong_token",
                           "The token is not accepted. Get a new one from its issuer.");
  error.detail = std::move(why);
  return error;
}

Error expired() {
  return Error::say(Errc::denied, "expired_token",
                    "The token has expired. Get a new one from its issuer.");
}

/// Who reads a name twice may read another value than who checks it.
bool has_repeated_name(simdjson::dom::element element) {
  if (element.is_array()) {
    for (const auto child : simdjson::dom::array(element)) {
      if (has_repeated_name(child)) return true;
    }
    return false;
  }
  if (!element.is_object()) return false;
  std::vector<std::string_view> names;
  for (const auto member : simdjson::dom::object(element)) {
    if (has_repeated_name(member.value)) return true;
    names.push_back(member.key);
  }
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

/// The object in `json`, without repeated names.
Result<simdjson::dom::object> object_in(const std::string& json) {
  auto parsed = read_json(json);
  if (!parsed.ok()) return wrong("not JSON: " + parsed.error().detail);
  simdjson::dom::object object;
  if (parsed->get(object) != simdjson::SUCCESS) return wrong("no JSON object");
  if (has_repeated_name(*parsed)) return wrong("a name is given twice");
  return object;
}

std::optional<std::string_view> text_of(simdjson::dom::object object, std::string_view name) {
  std::string_view out;
  if (object[name].get(out) != simdjson::SUCCESS) return std::nullopt;
  return out;
}

bool has(simdjson::dom::object object, std::string_view name) {
  return object[name].error() == simdjson::SUCCESS;
}

std::optional<Algorithm> algorithm_of(std::string_view name) {
  if (name == "HS256") return Algorithm::hs256;
  if (name == "RS256") return Algorithm::rs256;
  if (name == "ES256") return Algorithm::es256;
  if (name == "EdDSA") return Algorithm::eddsa;
  return std::nullopt;
}

Status read_header(const std::string& json, OpenToken& out) {
  auto header = object_in(json);
  if (!header.ok()) return header.error();
  const auto algorithm = algorithm_of(text_of(*header, "alg").value_or(""));
  if (!algorithm) return wrong("alg is missing or not accepted");
  out.algorithm = *algorithm;
  // `crit` names extensions that must be understood, and we know none; b64 needs it.
  if (has(*header, "crit") || has(*header, "b64")) return wrong("unknown critical extension");
  if (!has(*header, "kid")) return done();
  const auto kid = text_of(*header, "kid");
  if (!kid || kid->empty() || kid->size() > kKidMax) return wrong("kid is not a short text");
  out.kid = std::string(*kid);
  return done();
}

/// Seconds since 1970, perhaps with a fraction.
std::optional<double> time_of(simdjson::dom::object object, std::string_view name) {
  double out = 0;
  if (object[name].get(out) != simdjson::SUCCESS) return std::nullopt;
  if (!std::isfinite(out) || out < 0 || out > kTimeMax) return std::nullopt;
  return out;
}

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

Status check_times(simdjson::dom::object claims, Duration leeway, WallTime now, WallTime& until) {
  const double at = static_cast<double>(micros(now)) / 1e6;
  const auto expires = time_of(claims, "exp");
  if (!expires) return wrong("exp is missing or no time");
  if (has(claims, "nbf")) {
    const auto from = time_of(claims, "nbf");
    if (!from) return wrong("nbf is no time");
    if (at < *from - seconds(leeway)) return wrong("not valid yet");
  }
  const double end = *expires + seconds(leeway);
  if (at >= end) return expired();
  until = wall_from_micros(static_cast<std::int64_t>(end * 1e6));
  return done();
}

bool names_audience(simdjson::dom::object claims, std::string_view wanted) {
  if (text_of(claims, "aud") == wanted) return true;
  simdjson::dom::array list;
  if (claims["aud"].get(list) != simdjson::SUCCESS) return false;
  for (const auto one : list) {
    std::string_view text;
    if (one.get(text) == simdjson::SUCCESS && text == wanted) return true;
  }
  return false;
}

/// A claim that becomes an owner's name.
bool usable_name(std::string_view name) {
  if (name.empty() || name.size() > kUserMax) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Names that this server gives: an issuer cannot hand out the data behind them.
bool is_reserved(std::string_view user) {
  return user == "local" || user == "admin" || user.starts_with("key_");
}

Status read_scopes(simdjson::dom::object claims, const JwtSettings& settings, Scopes& out) {
  for (const auto& name : settings.scopes) add_scope(out, name);
  if (!has(claims, settings.scopes_claim)) return done();
  simdjson::dom::array list;
  if (claims[settings.scopes_claim].get(list) == simdjson::SUCCESS) {
    for (const auto one : list) {
      std::string_view text;
      if (one.get(text) != simdjson::SUCCESS) return wrong("a scope is no text");
      add_scope(out, text);
    }
    return done();
  }
  const auto text = text_of(claims, settings.scopes_claim);
  if (!text) return wrong("the scopes are neither a text nor a list");
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = std::min(rest.find(' '), rest.size());
    add_scope(out, rest.substr(0, end));  // scopes of other programs are not ours to refuse
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return done();
}

bool is_base64url_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

}  // namespace

bool looks_like_token(std::string_view key) noexcept {
  // An object's first bytes are '{"' or '{' and a blank: "ey" is how nearly every token starts.
  if (!key.starts_with("ey")) return false;
  std::size_t dots = 0;
  std::size_t part = 0;
  for (const char c : key) {
    if (c == '.') {
      if (part == 0 || ++dots > 2) return false;
      part = 0;
    } else if (is_base64url_letter(c)) {
      ++part;
    } else {
      return false;
    }
  }
  return dots == 2;
}

Result<OpenToken> take_apart(std::string_view token) {
  if (token.size() > kTokenMax) return wrong("longer than allowed");
  const auto first = token.find('.');
  const auto second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) {
    return wrong("not three parts");
  }
  OpenToken out;
  out.signed_part = token.substr(0, second);
  std::string header;
  if (!from_base64url(token.substr(0, first), header) || header.size() > kHeaderMax) {
    return wrong("the header is not base64url or too long");
  }
  if (!from_base64url(token.substr(first + 1, second - first - 1), out.claims)) {
    return wrong("the claims are not base64url");
  }
  if (!from_base64url(token.substr(second + 1), out.signature) || out.signature.empty()) {
    return wrong("the signature is empty or not base64url");
  }
  auto read = read_header(header, out);
  if (!read.ok()) return read.error();
  return out;
}

Result<Claims> check_claims(const std::string& json, const JwtSettings& settings, WallTime now) {
  auto object = object_in(json);
  if (!object.ok()) return object.error();
  Claims out;
  const auto issuer = text_of(*object, "iss");
  if (!issuer || *issuer != settings.issuer) return wrong("another issuer");
  if (!names_audience(*object, settings.audience)) return wrong("another audience");
  auto in_time = check_times(*object, settings.leeway, now, out.good_until);
  if (!in_time.ok()) return in_time.error();
  const auto user = text_of(*object, settings.user_claim);
  if (!user || !usable_name(*user) || is_reserved(*user)) return wrong("no usable user");
  std::string_view tenant = "default";
  if (!settings.tenant_claim.empty()) {
    const auto given = text_of(*object, settings.tenant_claim);
    if (!given || !usable_name(*given)) return wrong("no usable tenant");
    tenant = *given;
  }
  if (has(*object, "jti")) {
    const auto token_id = text_of(*object, "jti");
    if (!token_id || !usable_name(*token_id)) return wrong("jti is not a short text");
    out.token_id = std::string(*token_id);
  }
  auto scopes = read_scopes(*object, settings, out.scopes);
  if (!scopes.ok()) return scopes.error();
  out.issuer = std::string(*issuer);
  out.user = std::string(*user);
  out.tenant = std::string(tenant);
  return out;
}

}  // namespace mainstay::admission
