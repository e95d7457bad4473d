// Adds "redis" to the back ends of the suites in this folder.
#include "conformance/redis_back_end.h"

namespace mainstay::storage {
namespace {

std::unique_ptr<BackEnd> make_redis(Ground& ground) {
  return std::make_unique<InRedis>(ground);
}
[[maybe_unused]] const bool kAdded = more_back_ends().emplace("redis", &make_redis).second;

}  // namespace
}  // namespace mainstay::storage
