// The listener over TLS, with a certificate made for the test.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>

#include "unit/net/server_fixture.h"

namespace mainstay::net {
namespace {

struct Certificate {
  std::string folder;
  std::string certificate;
  std::string key;
  Certificate() {
    char name[] = "/tmp/mainstay_tls_XXXXXX";
    folder = ::mkdtemp(name);
    certificate = folder + "/cert.pem";
    key = folder + "/key.pem";
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pair);
    X509_NAME* subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_sign(x, pair, EVP_sha256());
    FILE* file = std::fopen(certificate.c_str(), "w");
    PEM_write_X509(file, x);
    std::fclose(file);
    file = std::fopen(key.c_str(), "w");
    PEM_write_PrivateKey(file, pair, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(x);
    EVP_PKEY_free(pair);
  }
  ~Certificate() { std::filesystem::remove_all(folder); }
};

class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int max_version = TLS1_3_VERSION) : wire_(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context_, max_version);
    SSL_CTX_set_security_level(context_, 0);
    ssl_ = SSL_new(context_);
    const unsigned char protocols[] = "\x02h2\x08http/1.1";
    SSL_set_alpn_protos(ssl_, protocols, sizeof protocols - 1);
    SSL_set_fd(ssl_, wire_.fd());
    agreed = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  void send(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const int n = SSL_write(ssl_, text.data() + at, static_cast<int>(text.size() - at));
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  bool until(std::string_view text) {
    char part[65536];
    for (std::size_t from = 0; in.find(text, from) == std::string::npos;) {
      from = in.size() - std::min(in.size(), text.size());
      const int n = SSL_read(ssl_, part, sizeof part);
      if (n <= 0) return false;
      in.append(part, static_cast<std::size_t>(n));
    }
    return true;
  }
  std::string protocol() {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  RawClient& wire() { return wire_; }
  bool agreed = false;
  std::string in;

 private:
  RawClient wire_;
  SSL_CTX* context_;
  SSL* ssl_;
};

ServerSettings tls_settings(const Certificate& made) {
  ServerSettings settings;
  settings.tls_certificate = made.certificate;
  settings.tls_key = made.key;
  return settings;
}

TEST(server_tls, serves_requests_bodies_and_streams) {
  Certificate made;
  Listener listener(tls_settings(made));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(listener.port(), version);
    ASSERT_TRUE(client.agreed);
    EXPECT_EQ(client.protocol(), "http/1.1");
    const std::string body(700'000, 'q');
    client.send(post("/echo", body) + get("/stream"));
    EXPECT_TRUE(client.until("0\r\n\r\n"));
    EXPECT_NE(client.in.find(body), std::string::npos);
    EXPECT_NE(client.in.find("3\r\n<2>\r\n"), std::string::npos);
  }
}

TEST(server_tls, large_replies_arrive_whole) {
  Certificate made;
  Listener listener(tls_settings(made));
  TlsClient client(listener.port());
  client.send(get("/big") + get("/next"));
  EXPECT_TRUE(client.until("ok GET /next?"));
  EXPECT_GT(client.in.size(), std::size_t{32} << 20);
}

TEST(server_tls, old_versions_and_plain_text_are_refused) {
  Certificate made;
  Listener listener(tls_settings(made));
  TlsClient old(listener.port(), TLS1_1_VERSION);
  EXPECT_FALSE(old.agreed);
  RawClient plain(listener.port());
  plain.send(get("/a"));
  EXPECT_EQ(plain.rest().find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(listener.service.served.now(), 0);
}

TEST(server_tls, a_silent_handshake_is_closed) {
  Certificate made;
  auto settings = tls_settings(made);
  settings.header_timeout = std::chrono::milliseconds(150);
  Listener listener(settings);
  RawClient silent(listener.port());
  EXPECT_EQ(silent.rest(), "");
}

TEST(server_tls, a_client_that_leaves_cancels_and_silence_is_pinged) {
  Certificate made;
  auto settings = tls_settings(made);
  settings.stream_ping_interval = std::chrono::milliseconds(120);
  Listener listener(settings);
  TlsClient client(listener.port());
  client.send(get("/sse"));
  EXPECT_TRUE(client.until(": ping\n\n"));
  client.wire().close();
  EXPECT_TRUE(listener.service.cancelled.reaches(1));
}

TEST(server_tls, a_wrong_certificate_is_named) {
  Certificate made;
  auto settings = tls_settings(made);
  settings.tls_key = made.folder + "/absent.pem";
  RealClock clock;
  auto log = Listener::quiet_log(clock);
  Metrics metrics;
  TestService service(clock);
  asio::io_context io;
  settings.listen = "127.0.0.1:0";
  Server server(settings, clock, *log, metrics, service, {&io});
  auto opened = server.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Errc::invalid);
  EXPECT_NE(opened.error().message.find("absent.pem"), std::string::npos);
}

}  // namespace
}  // namespace mainstay::net
