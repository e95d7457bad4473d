// The registry of kinds, and which failures are worth another attempt.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "jobs/kind.h"

namespace mainstay::jobs {
namespace {

/// What models refuse without asking a provider, and may grant a little later.
constexpr auto kNotNow =
    std::to_array<std::string_view>({"circuit_open", "provider_busy", "upstream_pool_full",
                                     "host_busy", "host_not_ready", "host_degraded"});

}  // namespace

void Kinds::add(std::unique_ptr<Kind> kind) {
  CHECK(find(kind->name()) == nullptr);
  all_.push_back(std::move(kind));
}

Kind* Kinds::find(std::string_view name) const noexcept {
  for (const auto& kind : all_) {
    if (kind->name() == name) return kind.get();
  }
  return nullptr;
}

std::vector<std::string> Kinds::names() const {
  std::vector<std::string> out;
  out.reserve(all_.size());
  for (const auto& kind : all_) out.emplace_back(kind->name());
  return out;
}

bool worth_another(const Error& error) noexcept {
  switch (error.code) {
    case Errc::invalid:
    case Errc::denied:
    case Errc::forbidden:
    case Errc::not_found:
    case Errc::conflict:
    case Errc::too_large:
    case Errc::unsupported:
    case Errc::unprocessable:
      return false;
    case Errc::over_limit:
    case Errc::cancelled:
    case Errc::bad_upstream:
    case Errc::unavailable:
    case Errc::deadline:
    case Errc::disk_full:
    case Errc::corrupt:
    case Errc::internal:
      return true;
  }
  return true;
}

bool is_not_now(const Error& error) noexcept {
  // A pause that a provider asked for has the code of its own refusal; both say when it is over.
  if (error.reason == "upstream_rate_limited") return error.retry_after.count() > 0;
  return std::find(kNotNow.begin(), kNotNow.end(), error.reason) != kNotNow.end();
}

}  // namespace mainstay::jobs
