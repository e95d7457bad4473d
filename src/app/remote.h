// A command's way to an engine: the running server of the data directory (or --url), else an engine
// started for the length of the command. Either way over HTTP, so that there is one path.
// Used by ask, search, ingest.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/commands.h"
#include "app/engine.h"
#include "net/client.h"

namespace mainstay::app {

/// A JSON reply of the engine.
struct HttpAnswer {
  int status = 0;
  std::string body;
  std::chrono::milliseconds retry_after{0};
};

/// Called with the data of each event.
using OnData = std::function<void(std::string_view)>;

/// Blocking; main thread only.
class Remote {
 public:
  /// Finds or starts an engine. Errors: config problems are printed and become Errc::invalid
  /// "invalid_config"; unavailable when --url does not answer; the engine's own.
  static Result<std::unique_ptr<Remote>> open(const Common& common);
  /// The same for a running server alone; without a key given, DATA/admin.key is used when it can
  /// be read. Errors: also unavailable "server_not_running".
  static Result<std::unique_ptr<Remote>> open_running(const Common& common);
  ~Remote();
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;

  Result<HttpAnswer> call(std::string_view method, std::string target, std::string body);
  /// Streams a POST's events: `on_data` gets each event's data.
  Result<HttpAnswer> stream(std::string target, std::string body, OnData on_data);
  const Settings& settings() const noexcept { return settings_; }
  /// "http://127.0.0.1:8080"
  const std::string& address() const noexcept { return address_; }

 private:
  explicit Remote(Settings settings);
  static Result<std::unique_ptr<Remote>> prepare(const Common& common);
  Status connect(const std::string& address);
  net::Call call_to(std::string_view method, std::string target, std::string body) const;
  Result<HttpAnswer> stream_call(net::Call call, OnData on_data);
  Co<> run_call(net::Call call, Result<HttpAnswer>& out, OnData on_data);
  Co<Result<HttpAnswer>> exchange(net::Call call, OnData on_data);

  const Settings settings_;
  config::Loaded loaded_;
  std::unique_ptr<Engine> engine_;  ///< only when no server was running
  RealClock clock_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  asio::io_context io_{1};
  std::unique_ptr<net::Client> client_;
  std::shared_ptr<net::Url> url_;
  std::string key_;
  std::string address_;
};

/// The error that an HTTP answer stands for; its message is the server's.
Error error_of(const HttpAnswer& answer);

}  // namespace mainstay::app
