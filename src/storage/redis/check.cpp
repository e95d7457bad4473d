// The checks, in the order in which an operator would mend them.
#include "storage/redis/check.h"

#include <cstdlib>

namespace mainstay::storage::redis {
namespace {

constexpr int kVersionMin = 7;

Error wrong(const std::string& sentence) {
  return Error::say(Errc::invalid, "redis_misconfigured", sentence, "storage.redis_url");
}

Status check_sync(std::map<std::string, std::string>& config, const std::string& durability) {
  if (config["appendonly"] != "yes") {
    return wrong(
        "Redis keeps no append-only file, so accepted jobs could be lost; run "
        "'redis-cli CONFIG SET appendonly yes' and put it into redis.conf.");
  }
  const std::string& sync = config["appendfsync"];
  const bool enough = sync == "always" || (sync == "everysec" && durability == "everysec");
  if (!enough) {
    return wrong(
        "Redis syncs its append-only file '" + sync +
        "', so accepted jobs could be lost; run 'redis-cli CONFIG SET appendfsync always', "
        "or accept the loss with storage.redis_durability = \"everysec\".");
  }
  if (config["no-appendfsync-on-rewrite"] == "yes") {
    return wrong(
        "Redis stops syncing while it rewrites its append-only file; run "
        "'redis-cli CONFIG SET no-appendfsync-on-rewrite no'.");
  }
  return done();
}

std::map<std::string, std::string> config_of(const Reply& reply) {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    out[reply.items[i].text] = reply.items[i + 1].text;
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> info_fields(const Reply& reply) {
  std::map<std::string, std::string> out;
  std::size_t begin = 0;
  while (begin < reply.text.size()) {
    auto end = reply.text.find("\r\n", begin);
    if (end == std::string::npos) end = reply.text.size();
    const auto line = reply.text.substr(begin, end - begin);
    const auto colon = line.find(':');
    if (colon != std::string::npos) out[line.substr(0, colon)] = line.substr(colon + 1);
    begin = end + 2;
  }
  return out;
}

Status check_server(const Reply& info, const Reply& config_reply, const std::string& durability) {
  auto info_of = info_fields(info);
  if (info.failed() || config_reply.failed()) {
    const auto& failed = info.failed() ? info : config_reply;
    return wrong("Redis does not let us see whether it keeps what it accepts (" + failed.text +
                 "); allow this user INFO and CONFIG GET: 'redis-cli ACL SETUSER NAME +info "
                 "+config|get'.");
  }
  if (std::atoi(info_of["redis_version"].c_str()) < kVersionMin) {
    return wrong("Redis " + info_of["redis_version"] +
                 " is too old; install version 7.0 or newer.");
  }
  if (info_of["redis_mode"] == "cluster") {
    return wrong(
        "Redis runs as a cluster, which is not supported; start it with "
        "'cluster-enabled no'.");
  }
  if (info_of["loading"] == "1" || info_of["async_loading"] == "1") {
    return Error::log(Errc::unavailable, "redis: still loading its data");
  }
  if (info_of["role"] == "slave") {
    return Error::log(Errc::unavailable, "redis: this server is a replica");
  }
  auto config = config_of(config_reply);
  auto synced = check_sync(config, durability);
  if (!synced.ok()) return synced;
  if (config["maxmemory-policy"] != "noeviction") {
    return wrong(
        "Redis may evict jobs when its memory is full; run "
        "'redis-cli CONFIG SET maxmemory-policy noeviction'.");
  }
  return done();
}

std::string check_snapshots(const Reply& config_reply) {
  auto config = config_of(config_reply);
  if (config["save"].empty() || config["stop-writes-on-bgsave-error"] != "yes") return "";
  return "Redis also writes snapshots and takes nothing while one fails; run 'redis-cli CONFIG SET "
         "stop-writes-on-bgsave-error no': the append-only file holds the jobs.";
}

bool rewritten(const Reply& info) {
  const auto fields = info_fields(info);
  const auto took = fields.find("aof_last_rewrite_time_sec");
  const auto status = fields.find("aof_last_bgrewrite_status");
  const bool cannot = status != fields.end() && status->second != "ok";  // its own trouble
  return cannot || took == fields.end() || took->second != "-1";
}

Status check_rewrite(const Reply& reply) {
  // Other refusals mean that it is under way, or is when what is under way has ended.
  if (!reply.failed() || !reply.text.starts_with("NOPERM")) return done();
  return wrong("Redis does not let us write its append-only file anew after a start (" +
               reply.text +
               "); allow this user BGREWRITEAOF: 'redis-cli ACL SETUSER NAME +bgrewriteaof'.");
}

}  // namespace mainstay::storage::redis
