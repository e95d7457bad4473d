// Finding an engine and talking to it.
#include "app/remote.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>

#include "app/files.h"
#include "base/json_fields.h"
#include "base/random.h"
#include "base/text.h"
#include "net/sse.h"

namespace mainstay::app {
namespace {

constexpr auto kStarterWait = std::chrono::seconds(60);
constexpr auto kCallTime = std::chrono::minutes(10);
constexpr auto kUploadTime = std::chrono::hours(12);

Result<std::string> key_of(const Common& common) {
  if (common.key_file.empty()) {
    const char* key = std::getenv("MAINSTAY_API_KEY");
    return std::string(key != nullptr ? key : "");
  }
  auto text = read_file(common.key_file, 64_KiB);
  if (!text.ok() || trim(*text).empty()) {
    return Error::say(Errc::invalid, "key_file_unreadable",
                      "No API key can be read from " + common.key_file + ".", "--key-file");
  }
  return std::string(trim(*text));
}

Errc code_of(int status) {
  if (status == 401) return Errc::denied;
  if (status == 403) return Errc::forbidden;
  if (status == 404) return Errc::not_found;
  if (status == 413) return Errc::too_large;
  if (status == 429) return Errc::over_limit;
  if (status == 502) return Errc::bad_upstream;
  if (status == 503) return Errc::unavailable;
  if (status == 504) return Errc::deadline;
  if (status == 507) return Errc::disk_full;
  return status >= 500 ? Errc::internal : Errc::invalid;
}

constexpr std::string_view kNoTls = "upstream_tls_failed";

/// The server accepts connections, but none could be made secure.
Error not_trusted(const std::string& address, const Error& why) {
  return Error::say(
      Errc::unavailable, kNoTls,
      "No secure connection to the server at " + address + " (" + why.detail +
          "). Its certificate is not trusted here, or is for another name: name the authority "
          "that vouches for it with --set upstream.ca_file=FILE, or the server by the name in it "
          "with --url https://NAME:PORT.");
}

}  // namespace

std::string collection_of(Remote& remote, const AskOptions& options) {
  if (!options.collection.empty()) return options.collection;
  auto me = remote.call("GET", "/v1/me", "");
  auto known = me.ok() && me->status == 200 ? parse_json(me->body) : Result<Json>(Json());
  const bool hidden = known.ok() && field(field(*known, "may"), "knowledge") == false;
  return hidden ? std::string() : remote.settings().knowledge.default_collection;
}

Error error_of(const HttpAnswer& answer) {
  Error out = Error::log(code_of(answer.status), "HTTP " + std::to_string(answer.status));
  out.retry_after = answer.retry_after;
  auto parsed = parse_json(answer.body);
  if (parsed.ok()) {
    const Json& error = field(*parsed, "error");
    out.message = string_field(error, "message");
    out.reason = string_field(error, "code");
  }
  if (out.message.empty())
    out.message = "The server answered " + std::to_string(answer.status) + ".";
  return out;
}

net::FormWriter new_form() {
  return net::FormWriter("mainstay-" + std::to_string(RealRandom().next()));
}

Remote::Remote(Settings settings) : call_time_(kCallTime), settings_(std::move(settings)) {}

Remote::~Remote() {
  if (client_) client_->close();
  io_.poll();
  client_.reset();
}

Result<std::unique_ptr<Remote>> Remote::prepare(const Common& common) {
  auto loaded = load_settings(common);
  if (!loaded)
    return Error::say(Errc::invalid, "invalid_config", "The configuration is not valid.");
  std::unique_ptr<Remote> remote(new Remote(loaded->settings));
  auto key = key_of(common);
  if (!key.ok()) return key.error();
  remote->key_ = std::move(*key);
  LogSettings quiet;
  quiet.sink = "none";
  auto log = Log::open(quiet, remote->clock_);
  if (!log.ok()) return log.error();
  remote->log_ = std::move(*log);
  UpstreamSettings upstream = loaded->settings.upstream;
  upstream.proxy.clear();  // the engine is reached directly
  remote->client_ =
      net::make_client(upstream, remote->clock_, *remote->log_, remote->metrics_, {&remote->io_});
  remote->loaded_ = std::move(*loaded);
  return remote;
}

Result<std::unique_ptr<Remote>> Remote::open_running(const Common& common, AdminKey admin) {
  auto prepared = prepare(common);
  if (!prepared.ok()) return prepared.error();
  auto remote = std::move(*prepared);
  const std::string dir = data_dir_of(remote->settings_);
  auto address = common.url.empty() ? read_address(dir) : common.url;
  // The key of this data directory goes to its own server, nowhere else.
  if (admin == AdminKey::use && remote->key_.empty() && common.url.empty()) {
    auto key = read_file(dir + "/admin.key", 64_KiB);
    if (key.ok()) remote->key_ = trim(*key);
  }
  if (!address) {
    return Error::say(Errc::unavailable, "server_not_running",
                      "No server runs for the data directory " + dir +
                          ". Start it with mainstay serve, or name it with --url.");
  }
  const auto alone = common.url.empty() ? read_admin_address(dir) : std::nullopt;
  if (alone) {
    auto url = net::Url::parse(*alone);
    if (!url.ok()) return url.error();
    remote->admin_url_ = std::make_shared<net::Url>(std::move(*url));
  }
  auto connected = remote->connect(*address);
  if (connected.ok()) return remote;
  if (connected.error().reason == kNoTls) return connected.error();
  return Error::say(Errc::unavailable, "server_not_running",
                    "No server answers at " + *address + ".");
}

Result<std::unique_ptr<Remote>> Remote::open(const Common& common, std::vector<std::string> kinds,
                                             DataDir dir) {
  auto prepared = prepare(common);
  if (!prepared.ok()) return prepared.error();
  auto remote = std::move(*prepared);
  if (!common.url.empty()) {
    auto connected = remote->connect(common.url);
    if (!connected.ok()) return connected.error();
    return remote;
  }
  const std::string data_dir = data_dir_of(remote->settings_);
  if (dir == DataDir::expect && common.starter.empty()) {
    auto there = data_dir_there(data_dir,
                                "So nothing can be found; name the one you mean with "
                                "--data. `mainstay ingest` and `serve` make it.");
    if (!there.ok()) return there.error();
  }
  if (auto address = read_address(data_dir)) {
    auto connected = remote->connect(*address);
    if (connected.ok()) return remote;
    // A server is there, and holds the data directory.
    if (connected.error().reason == kNoTls) return connected.error();
  }
  config::Loaded own = remote->loaded_;
  own.settings.server.listen = "127.0.0.1:0";
  own.settings.server.health_listen.clear();
  own.settings.server.tls_certificate.clear();
  own.settings.server.tls_key.clear();
  own.settings.log.sink = "none";
  own.settings.limits.enabled = false;
  EngineOptions options;
  options.starter = common.starter;
  options.jobs = !kinds.empty();  // what waits is for a server, not for one command
  options.job_kinds = std::move(kinds);
  remote->engine_ = std::make_unique<Engine>(std::move(own), std::move(options));
  auto started = remote->engine_->start();
  if (!started.ok()) return started.error();
  remote->engine_->wait_until_ready(kStarterWait);
  auto connected = remote->connect(remote->engine_->address());
  if (!connected.ok()) return connected.error();
  return remote;
}

Status Remote::connect(const std::string& address) {
  auto url = net::Url::parse(address);
  if (!url.ok()) return url.error();
  url_ = std::make_shared<net::Url>(std::move(*url));
  address_ = address;
  auto health = call("GET", "/health", "");
  if (!health.ok()) {
    if (health.error().reason == kNoTls) return not_trusted(address, health.error());
    return Error::say(Errc::unavailable, "server_unreachable",
                      "No server answers at " + address + ".");
  }
  return done();
}

net::Call Remote::call_to(std::string_view method, std::string target, std::string body,
                          const std::string& content_type) const {
  net::Call call;
  call.method = method;
  call.url = url_;
  call.target = (url_->path == "/" ? "" : url_->path) + target;
  call.headers.add("content-type", content_type);
  if (!key_.empty()) call.headers.add("authorization", "Bearer " + key_);
  call.body = std::move(body);
  return call;
}

Result<HttpAnswer> Remote::call(std::string_view method, std::string target, std::string body,
                                const MoreHeaders& more) {
  net::Call call = call_to(method, std::move(target), std::move(body));
  for (const auto& [name, value] : more) call.headers.add(name, value);
  return stream_call(std::move(call), nullptr);
}

Result<HttpAnswer> Remote::call_admin(std::string_view method, std::string target,
                                      std::string body) {
  net::Call call = call_to(method, std::move(target), std::move(body));
  if (admin_url_) call.url = admin_url_;
  return stream_call(std::move(call), nullptr);
}

Result<HttpAnswer> Remote::send(std::string target, const std::string& content_type,
                                std::string body) {
  return stream_call(call_to("POST", std::move(target), std::move(body), content_type), nullptr);
}

Result<HttpAnswer> Remote::upload(std::string target, Upload what, OnEvent on_event) {
  net::Call call = call_to("POST", std::move(target), std::move(what.head), what.content_type);
  call.source = std::move(what.source);
  call.tail = std::move(what.tail);
  call_time_ = kUploadTime;
  auto answer = stream_call(std::move(call), std::move(on_event));
  call_time_ = kCallTime;
  return answer;
}

Result<HttpAnswer> Remote::events(std::string target, const std::string& place, OnEvent on_event) {
  net::Call call = call_to("GET", std::move(target), "");
  if (!place.empty()) call.headers.add("last-event-id", place);
  return stream_call(std::move(call), std::move(on_event));
}

void Remote::pause(Duration for_how_long) {
  const auto passed = [this](std::exception_ptr, bool) { io_.stop(); };
  asio::co_spawn(io_.get_executor(), sleep(clock_, for_how_long), passed);
  io_.restart();
  io_.run();
}

Result<HttpAnswer> Remote::stream(std::string target, std::string body, OnData on_data) {
  const auto on_event = [on_data = std::move(on_data)](const net::SseEvent& event) {
    on_data(event.data);
  };
  return stream_call(call_to("POST", std::move(target), std::move(body)), on_event);
}

Result<HttpAnswer> Remote::stream_call(net::Call call, OnEvent on_event) {
  Result<HttpAnswer> out;
  asio::co_spawn(io_.get_executor(), run_call(std::move(call), out, std::move(on_event)),
                 [this](std::exception_ptr) { io_.stop(); });
  io_.restart();
  io_.run();
  return out;
}

Co<> Remote::run_call(net::Call call, Result<HttpAnswer>& out, OnEvent on_event) {
  out = co_await exchange(std::move(call), std::move(on_event));
}

Co<Result<HttpAnswer>> Remote::exchange(net::Call call, OnEvent on_event) {
  const Deadline by = Deadline::in(clock_, call_time_);
  net::CallTimers timers;
  timers.first_byte = call_time_;
  timers.between_bytes = call_time_;
  auto reply = co_await client_->send(std::move(call), timers, by);
  if (!reply.ok()) co_return reply.error();
  HttpAnswer answer;
  answer.status = (*reply)->status();
  const std::string wait((*reply)->header("retry-after-ms"));
  answer.retry_after = std::chrono::milliseconds(std::strtoll(wait.c_str(), nullptr, 10));
  if (answer.status != 200 || !on_event) {
    auto body = co_await net::read_all(**reply, 64_MiB, by);
    if (!body.ok()) co_return body.error();
    answer.body = std::move(*body);
    co_return answer;
  }
  net::SseParser parser(4_MiB);
  for (;;) {
    auto piece = co_await (*reply)->read(by);
    if (!piece.ok()) co_return piece.error();
    if (piece->empty()) co_return answer;
    parser.feed(*piece);
    for (;;) {
      auto event = parser.next();
      if (!event.ok()) co_return event.error();
      if (!event->has_value()) break;
      on_event(**event);
    }
  }
}

}  // namespace mainstay::app
