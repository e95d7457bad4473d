// Holding and releasing, each one script.
#include "storage/redis/leader.h"

#include "base/ids.h"

namespace mainstay::storage::redis {

RedisLeader::RedisLeader(Client& client, Random& random)
    : client_(client), name_(make_id("holder_", client.clock(), random)) {}

Command RedisLeader::call(Script script, const std::string& role) const {
  Command out("EVALSHA");
  out.add(script_sha(script)).add(2);
  out.add(client_.key("role:" + role)).add(client_.key("term:" + role)).add(name_);
  return out;
}

Co<Result<std::optional<std::uint64_t>>> RedisLeader::hold(std::string role, Duration for_how_long,
                                                           Deadline by) {
  Command command = call(Script::hold, role);
  command.add(std::max<std::int64_t>(millis(for_how_long), 1));
  auto reply = co_await client_.ask(std::move(command), true, by);
  if (!reply.ok()) co_return reply.error();
  if (reply->count() < 0) co_return std::optional<std::uint64_t>();
  const auto term = static_cast<std::uint64_t>(reply->count());
  std::lock_guard lock(mutex_);
  terms_[role] = term;
  co_return std::optional<std::uint64_t>(term);
}

Co<Status> RedisLeader::release(std::string role, Deadline by) {
  Command command = call(Script::release, role);
  auto reply = co_await client_.ask(std::move(command), true, by);
  if (!reply.ok()) co_return reply.error();
  co_return done();
}

std::uint64_t RedisLeader::term(const std::string& role) const {
  std::lock_guard lock(mutex_);
  const auto found = terms_.find(role);
  return found == terms_.end() ? 0 : found->second;
}

}  // namespace mainstay::storage::redis
