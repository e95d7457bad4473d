// The parts of the Redis room that need no server: replies, addresses, the look at a server's
// settings; and what a start says when a server is not fit.
#include "conformance/redis_rig.h"
#include "storage/redis/bell.h"
#include "storage/redis/check.h"
#include "storage/redis/drain.h"
#include "storage/redis/job_codec.h"

namespace mainstay::storage::redis {
namespace {

std::string shape(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil:
      return "nil";
    case Reply::Kind::number:
      return std::to_string(reply.number);
    case Reply::Kind::text:
      return "'" + reply.text + "'";
    case Reply::Kind::error:
      return "!" + reply.text;
    case Reply::Kind::list:
      break;
  }
  std::string out = "[";
  for (const auto& item : reply.items) out += shape(item) + " ";
  return out + "]";
}

TEST(RedisReplies, are_the_same_however_their_bytes_are_cut) {
  const std::string bytes =
      "+OK\r\n:-42\r\n$5\r\na\r\nb!\r\n$-1\r\n$0\r\n\r\n*3\r\n:1\r\n*0\r\n*2\r\n$1\r\nx\r\n*-1\r\n"
      "-OOM no\r\n";
  const std::string expected = "'OK' -42 'a\r\nb!' nil '' [1 [] ['x' nil ] ] !OOM no ";
  for (std::size_t width = 1; width <= bytes.size(); ++width) {
    Parser parser(1000);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += width) {
      parser.feed(bytes.substr(at, width));
      for (;;) {
        auto reply = parser.next();
        ASSERT_TRUE(reply.ok());
        if (!*reply) break;
        out += shape(**reply) + " ";
      }
    }
    EXPECT_EQ(out, expected) << width;
  }
}

TEST(RedisReplies, that_are_none_are_refused) {
  for (const char* bytes : {"?\r\n", "$x\r\n", ":1x\r\n", "$-2\r\n", "$2\r\nabc\r\n", "*99999\r\n",
                            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    Parser parser(1000);
    parser.feed(bytes);
    EXPECT_FALSE(parser.next().ok()) << bytes;
  }
}

TEST(RedisReplies, are_bounded_at_their_limit) {
  Parser fits(20);
  fits.feed("$10\r\n0123456789\r\n");
  EXPECT_TRUE(fits.next().ok());
  Parser large(20);
  large.feed("$21\r\n");
  EXPECT_FALSE(large.next().ok());
}

TEST(RedisCommands, carry_any_bytes) {
  std::string out;
  Command("SET").add(std::string("k\r\n\0", 4)).add(-7).write_to(out);
  EXPECT_EQ(out, std::string("*3\r\n$3\r\nSET\r\n$4\r\nk\r\n\0\r\n$2\r\n-7\r\n", 31));
}

TEST(RedisAddresses, are_taken_apart) {
  auto out = parse_address("redis://:p%40ss@db.example:6380/3");
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->host + " " + out->port + " " + out->password, "db.example 6380 p@ss");
  EXPECT_EQ(out->database, 3U);
  EXPECT_EQ(out->shown(), "db.example:6380");
  EXPECT_EQ(parse_address("redis://[::1]:7000")->host, "::1");
  EXPECT_EQ(parse_address("redis://h")->port, "6379");
  EXPECT_EQ(parse_address("redis://me:pw@h/1")->user, "me");
  EXPECT_EQ(parse_address("unix://:pw@/run/r.sock?db=2")->socket, "/run/r.sock");
}

TEST(RedisAddresses, that_cannot_be_used_are_refused_without_their_password) {
  for (const char* url :
       {"", "http://h", "rediss://:geheim@h", "redis://", "redis://:geheim@h:x", "redis://h:0",
        "redis://h:65536", "redis://h/x", "unix://run", "redis://[::1"}) {
    const auto out = parse_address(url);
    ASSERT_FALSE(out.ok()) << url;
    EXPECT_EQ(out.error().reason, "redis_url_invalid");
    EXPECT_EQ(out.error().message.find("geheim"), std::string::npos);
  }
}

Reply text(const std::string& value) {
  Reply out;
  out.kind = Reply::Kind::text;
  out.text = value;
  return out;
}
std::string checked(const std::string& info, const std::string& append, const std::string& sync,
                    const std::string& rewrite, const std::string& policy,
                    const std::string& durability = "always") {
  Reply config;
  config.kind = Reply::Kind::list;
  for (const auto& word : {std::string("appendonly"), append, std::string("appendfsync"), sync,
                           std::string("no-appendfsync-on-rewrite"), rewrite,
                           std::string("maxmemory-policy"), policy}) {
    config.items.push_back(text(word));
  }
  const auto out = check_server(text(info), config, durability);
  return out.ok() ? "ok" : out.error().reason + out.error().detail.substr(0, 12);
}

TEST(RedisCheck, lets_no_server_pass_that_would_lose_jobs) {
  const std::string seven = "redis_version:7.0.15\r\nloading:0\r\nrole:master\r\n";
  EXPECT_EQ(checked(seven, "yes", "always", "no", "noeviction"), "ok");
  EXPECT_EQ(checked(seven, "yes", "everysec", "no", "noeviction", "everysec"), "ok");
  for (const auto& out :
       {checked(seven, "no", "always", "no", "noeviction"),
        checked(seven, "yes", "everysec", "no", "noeviction"),
        checked(seven, "yes", "no", "no", "noeviction", "everysec"),
        checked(seven, "yes", "always", "yes", "noeviction"),
        checked(seven, "yes", "always", "no", "allkeys-lru"),
        checked("redis_version:6.2.14\r\n", "yes", "always", "no", "noeviction")}) {
    EXPECT_TRUE(out.starts_with("redis_misconfigured")) << out;
  }
  EXPECT_EQ(checked("redis_version:7.2.1\r\nloading:1\r\n", "yes", "always", "no", "noeviction"),
            "redis: still");
  EXPECT_EQ(checked("redis_version:7.2.1\r\nrole:slave\r\n", "yes", "always", "no", "noeviction"),
            "redis: this ");
}

TEST(RedisCheck, wants_a_new_append_only_file_after_each_start) {
  EXPECT_FALSE(rewritten(text("aof_last_rewrite_time_sec:-1\r\naof_last_bgrewrite_status:ok\r\n")));
  EXPECT_TRUE(rewritten(text("aof_last_rewrite_time_sec:0\r\naof_last_bgrewrite_status:ok\r\n")));
  EXPECT_TRUE(rewritten(text("aof_last_rewrite_time_sec:-1\r\naof_last_bgrewrite_status:err\r\n")));
  EXPECT_TRUE(rewritten(text("redis_version:9.0.0\r\n")));
  Reply no;
  no.kind = Reply::Kind::error;
  no.text = "ERR Background append only file rewriting already in progress";
  EXPECT_TRUE(check_rewrite(no).ok());
  no.text = "NOPERM this user has no permissions";
  EXPECT_EQ(check_rewrite(no).error().reason, "redis_misconfigured");
}

TEST(RedisOwners, come_back_as_they_were) {
  for (const auto& owner :
       {owner_of("t", "u"), owner_of("", ""), owner_of("a:b", "3:c\n"), owner_of("12:", ":")}) {
    EXPECT_EQ(owner_from(owner_text(owner)), owner);
  }
  EXPECT_NE(owner_text(owner_of("a:", "b")), owner_text(owner_of("a", ":b")));
}

TEST(RedisBell, knows_the_later_of_two_entries) {
  EXPECT_TRUE(later("10-0", "9-5"));
  EXPECT_TRUE(later("10-10", "10-9"));
  EXPECT_FALSE(later("10-1", "10-1"));
  EXPECT_FALSE(later("0-0", "1-0"));
}

TEST(RedisDrain, follows_the_rate_at_which_jobs_end) {
  Drain drain;
  TimePoint now{seconds(5)};
  for (std::uint64_t ends = 0; ends <= 6000; ends += 100, now += seconds(1)) drain.saw(ends, now);
  EXPECT_NEAR(drain.per_second(), 100, 1);
  drain.saw(0, now + seconds(1));  // the server forgot
  EXPECT_GT(drain.per_second(), 0);
}

using mainstay::storage::OnRedis;

TEST_F(OnRedis, a_server_that_would_lose_jobs_is_refused_with_the_command_that_mends_it) {
  options_ = {"--appendfsync", "everysec"};
  auto out = try_open();
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().reason, "redis_misconfigured");
  EXPECT_NE(out.error().message.find("CONFIG SET appendfsync always"), std::string::npos);
  durability_ = "everysec";
  EXPECT_TRUE(try_open().ok());
}

TEST_F(OnRedis, a_start_without_a_server_says_so_within_its_time) {
  url_ = "unix:///tmp/mainstay-no-such-socket";
  settings_.start_timeout = milliseconds(200);
  const auto before = ground_.clock.now();
  const auto out = try_open();
  EXPECT_EQ(reason_of(out.error()), "redis_unavailable");
  EXPECT_LE(ground_.clock.now() - before, seconds(5));
}

TEST_F(OnRedis, a_wrong_password_ends_the_start_and_the_right_one_does_not) {
  options_ = {"--requirepass", "right"};
  url_ = "unix://:wrong@" + server().socket();
  auto out = try_open();
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().reason, "redis_denied");
  url_ = "unix://:right@" + server().socket() + "?db=2";
  EXPECT_TRUE(try_open().ok());
}

}  // namespace
}  // namespace mainstay::storage::redis
