// The environment's strings are those that the kernel shows: overwriting them in place is what
// counts; unsetenv keeps them from children.
#include "app/secrecy.h"

#include <sys/prctl.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

extern char** environ;

namespace mainstay::app {

bool holds_secret(const char* name) {
  const std::string lower = lower_ascii(name);
  for (const std::string_view end :
       {"_api_key", "__keys", "_secret", "_token", "_password", "redis_url", "postgres_url"}) {
    if (lower.ends_with(end)) return true;
  }
  return false;
}

void hide_secrets() {
  std::vector<std::string> names;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    char* equals = std::strchr(*at, '=');
    if (equals == nullptr) continue;
    std::string name(*at, static_cast<std::size_t>(equals - *at));
    if (!holds_secret(name.c_str())) continue;
    for (char* c = equals + 1; *c != '\0'; ++c) *static_cast<volatile char*>(c) = '*';
    names.push_back(std::move(name));
  }
  for (const auto& name : names) ::unsetenv(name.c_str());
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && \
    !__has_feature(thread_sanitizer)
  // The sanitizers' own checks at exit look at the process from outside.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

}  // namespace mainstay::app
