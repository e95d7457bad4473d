// Calls to addresses that clients chose do not reach inside, whatever the name says and whatever
// connection is open already.
#include <gtest/gtest.h>

#include "client_rig.h"

namespace mainstay::net {
namespace {

Call outside_only(std::shared_ptr<const Url> url) {
  Call call = call_to(std::move(url));
  call.public_only = true;
  return call;
}

TEST(ClientPublic, neither_an_inside_address_nor_a_name_that_leads_to_one_is_connected_to) {
  ScriptServer server(echo);
  Rig rig;
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Got got = rig.get(outside_only(server.url(host)));
    EXPECT_FALSE(got.ok) << host;
    EXPECT_EQ(got.error.code, Errc::forbidden) << got.error.detail;
    EXPECT_EQ(got.error.reason, "address_not_public");
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(ClientPublic, a_connection_that_others_opened_is_not_used) {
  ScriptServer server(echo);
  Rig rig;
  ASSERT_TRUE(rig.get(call_to(server.url())).ok);
  EXPECT_EQ(rig.get(outside_only(server.url())).error.reason, "address_not_public");
  EXPECT_TRUE(rig.get(call_to(server.url())).reused) << "and theirs is left alone";
}

TEST(ClientPublic, the_same_holds_over_tls_and_past_a_proxy) {
  ScriptServer server(echo);
  UpstreamSettings settings;
  settings.proxy = "http://127.0.0.1:" + std::to_string(server.port());
  Rig rig(settings);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    auto url = Url::parse("https://" + std::string(host) + ":" + std::to_string(server.port()));
    const Got got = rig.get(outside_only(std::make_shared<const Url>(*url)));
    EXPECT_FALSE(got.ok) << host;
    EXPECT_EQ(got.error.reason, "address_not_public") << got.error.detail;
  }
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace mainstay::net
