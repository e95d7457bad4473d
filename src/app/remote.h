// A command's way to an engine: the running server of the data directory (or --url), else an engine
// started for the length of the command. Either way over HTTP, so that there is one path.
// Used by ask, search, ingest, status, jobs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "app/engine.h"
#include "net/client.h"
#include "net/form_writer.h"
#include "net/sse.h"

namespace mainstay::app {

/// A JSON reply of the engine.
struct HttpAnswer {
  int status = 0;
  std::string body;
  std::chrono::milliseconds retry_after{0};
};

/// Called with the data of each event.
using OnData = std::function<void(std::string_view)>;
/// Called with each event.
using OnEvent = std::function<void(const net::SseEvent&)>;
using MoreHeaders = std::vector<std::pair<std::string, std::string>>;

/// Whether DATA/admin.key stands in for a key that was not given.
enum class AdminKey { use, leave };

/// What open() does without a data directory: make it, or say that it is not there.
enum class DataDir { make, expect };

/// A form for send() and upload(), with a boundary drawn at random.
net::FormWriter new_form();

/// Blocking; main thread only.
class Remote {
 public:
  /// Finds or starts an engine. Errors: config problems are printed and become Errc::invalid
  /// "invalid_config"; unavailable when --url does not answer; the engine's own.
  /// `kinds`: of the jobs that an engine of its own runs; empty: none. `dir`: not_found
  /// "no_data_dir" when it is expected; an engine that begins with starter files makes it.
  static Result<std::unique_ptr<Remote>> open(const Common& common,
                                              std::vector<std::string> kinds = {},
                                              DataDir dir = DataDir::make);
  /// The same for a running server alone; without a key given, DATA/admin.key is used when it can
  /// be read. Errors: also unavailable "server_not_running", and as open() does
  /// "upstream_tls_failed" when no TLS comes about with a server that is there.
  static Result<std::unique_ptr<Remote>> open_running(const Common& common,
                                                      AdminKey admin = AdminKey::use);
  ~Remote();
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;

  Result<HttpAnswer> call(std::string_view method, std::string target, std::string body,
                          const MoreHeaders& more = {});
  /// The same of a path below /admin, which may have an address of its own.
  Result<HttpAnswer> call_admin(std::string_view method, std::string target, std::string body);
  /// A POST of anything but JSON.
  Result<HttpAnswer> send(std::string target, const std::string& content_type, std::string body);
  /// A POST of a body that is partly a file, which is read as it is sent. Takes up to half a day.
  /// An answer of events goes to `on_event` (null: it is read whole).
  struct Upload {
    std::string content_type;
    std::string head;
    std::shared_ptr<const net::BodySource> source;
    std::string tail;
  };
  Result<HttpAnswer> upload(std::string target, Upload what, OnEvent on_event);
  /// Streams a POST's events: `on_data` gets each event's data.
  Result<HttpAnswer> stream(std::string target, std::string body, OnData on_data);
  /// Streams what GET `target` tells after the event `place` (empty: from the first).
  Result<HttpAnswer> events(std::string target, const std::string& place, OnEvent on_event);
  void pause(Duration for_how_long);
  const Settings& settings() const noexcept { return settings_; }
  /// "http://127.0.0.1:8080"
  const std::string& address() const noexcept { return address_; }

 private:
  explicit Remote(Settings settings);
  static Result<std::unique_ptr<Remote>> prepare(const Common& common);
  Status connect(const std::string& address);
  net::Call call_to(std::string_view method, std::string target, std::string body,
                    const std::string& content_type = "application/json") const;
  Result<HttpAnswer> stream_call(net::Call call, OnEvent on_event);
  Co<> run_call(net::Call call, Result<HttpAnswer>& out, OnEvent on_event);
  Co<Result<HttpAnswer>> exchange(net::Call call, OnEvent on_event);

  Duration call_time_;  ///< of the next call
  const Settings settings_;
  config::Loaded loaded_;
  std::unique_ptr<Engine> engine_;  ///< only when no server was running
  RealClock clock_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  asio::io_context io_{1};
  std::unique_ptr<net::Client> client_;
  std::shared_ptr<net::Url> url_;
  std::shared_ptr<net::Url> admin_url_;  ///< null: the same
  std::string key_;
  std::string address_;
};

/// The collection to answer from: the one that was named, else the default one; none with a key
/// that may not read documents.
std::string collection_of(Remote& remote, const AskOptions& options);

/// The error that an HTTP answer stands for; its message is the server's.
Error error_of(const HttpAnswer& answer);

}  // namespace mainstay::app
