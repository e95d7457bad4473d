// libcurl's multi loop on a named thread; bytes cross to the caller's loop through a bounded
// buffer. When the buffer is full the transfer pauses, and so, through TCP or HTTP/2, does the
// provider.
#include "net/client_curl_engine.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace mainstay::net {
namespace {

constexpr std::size_t kBufferMax = 256 * 1024;  // of one reply's unread body
constexpr int kPollMs = 1000;
constexpr int kWindUpPollMs = 20;
constexpr Duration kWindUp = std::chrono::milliseconds(500);
constexpr std::size_t kSparesMax = 32;  // easy handles kept for the next calls

struct Reason {
  Errc code;
  std::string_view reason;
};

Reason reason_of(CURLcode code, bool head_done) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Errc::unavailable, "upstream_unresolved"};
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return {Errc::unavailable, "upstream_refused"};
    case CURLE_OPERATION_TIMEDOUT:  // only the connect timeout is left to libcurl
      return {Errc::deadline, "upstream_connect_timeout"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
      return {Errc::bad_upstream, "upstream_tls_failed"};
    case CURLE_PARTIAL_FILE:
      return {Errc::bad_upstream, "upstream_truncated"};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return {Errc::bad_upstream, "upstream_bad_reply"};
    default:
      return {Errc::bad_upstream, head_done ? "upstream_truncated" : "upstream_reset"};
  }
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

}  // namespace

namespace {

// One header line at a time, the status line first; interim replies are forgotten.
std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  std::string_view line(data, size);
  t.header_bytes += size;
  if (t.header_bytes > t.engine->budget->settings().header_max.value) {
    t.oversized_head = true;
    return 0;
  }
  line = trim(line);
  std::lock_guard lock(t.mutex);
  if (t.head_done) return size;  // trailers
  if (line.starts_with("HTTP/")) {
    t.headers.clear();
    t.header_bytes = size;
    return size;
  }
  if (!line.empty()) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    Header header;
    header.name = lower_ascii(trim(line.substr(0, colon)));
    header.value = trim(line.substr(std::min(line.size(), colon + 1)));
    t.headers.push_back(std::move(header));
    return size;
  }
  long status = 0;
  curl_easy_getinfo(t.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return size;
  t.status = static_cast<int>(status);
  t.head_done = true;
  curl_off_t connect_us = 0;
  long connects = 0;
  curl_easy_getinfo(t.easy.get(), CURLINFO_APPCONNECT_TIME_T, &connect_us);
  curl_easy_getinfo(t.easy.get(), CURLINFO_NUM_CONNECTS, &connects);
  t.reused = connects == 0;
  if (!t.reused) t.connect = std::chrono::microseconds(connect_us);
  t.changed.notify();
  return size;
}

/// Bytes of a body that has a source: what comes before it, the source, what comes behind it.
std::size_t on_read(char* into, std::size_t, std::size_t most, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::uint64_t head = t.call.body.size();
  const std::uint64_t source = head + t.call.source->size();
  const std::uint64_t whole = source + t.call.tail.size();
  if (t.sent >= whole || most == 0) return 0;
  std::size_t n = 0;
  if (t.sent < head) {
    n = t.call.body.copy(into, most, t.sent);
  } else if (t.sent < source) {
    const auto left = static_cast<std::size_t>(std::min<std::uint64_t>(most, source - t.sent));
    const std::int64_t got = t.call.source->read_now(t.sent - head, into, left);
    if (got <= 0) return CURL_READFUNC_ABORT;
    n = static_cast<std::size_t>(got);
  } else {
    n = t.call.tail.copy(into, most, t.sent - source);
  }
  t.sent += n;
  return n;
}

/// A call that is sent again begins with its first byte.
int on_seek(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  static_cast<Transfer*>(user)->sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  std::lock_guard lock(t.mutex);
  if (t.wound_up) return 0;  // more body after the caller's end: not worth waiting for
  if (t.body.size() + size > kBufferMax && !t.body.empty()) {
    t.paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  t.body.append(data, size);
  t.changed.notify();
  return size;
}

curl_socket_t on_open(void* user, curlsocktype, curl_sockaddr* address) {
  auto& t = *static_cast<Transfer*>(user);
  Budget& budget = *t.engine->budget;
  if (t.call.public_only && !leads_outside(*address)) {
    t.inside = true;
    return CURL_SOCKET_BAD;
  }
  if (!std::exchange(t.reserved, false) && !budget.take()) {
    t.no_slot = true;
    return CURL_SOCKET_BAD;
  }
  t.swept = false;
  return t.engine->sockets.open(*address);
}

// Belongs to the connection, which outlives the call that opened it.
int on_close(void* user, curl_socket_t fd) {
  return static_cast<CurlSockets*>(user)->close(fd);
}

}  // namespace

bool CurlTransport::Engine::submit(const TransferPtr& transfer) {
  std::lock_guard lock(mutex);
  const auto& s = budget->settings();
  if (stopping || in_flight >= std::size_t{s.connections_max} + s.waiting_max) return false;
  if (!started) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = new_multi();
    if (!multi) return false;
    started = true;
    thread = std::thread([this] { run(); });  // lint: thread joined in close()
    pthread_setname_np(thread.native_handle(), "upstream-tls");
  }
  ++in_flight;
  transfer->counted = true;
  transfer->engine = this;
  to_start.push_back(transfer);
  curl_multi_wakeup(multi.get());
  return true;
}

void CurlTransport::Engine::resume(const TransferPtr& transfer) {
  std::lock_guard lock(mutex);
  if (stopping) return;
  to_resume.push_back(transfer);
  curl_multi_wakeup(multi.get());
}

void CurlTransport::Engine::abandon(const TransferPtr& transfer) {
  std::lock_guard lock(mutex);
  if (stopping) return;
  to_abandon.push_back(transfer);
  curl_multi_wakeup(multi.get());
}

void CurlTransport::Engine::wind_up(const TransferPtr& transfer) {
  std::lock_guard lock(mutex);
  if (stopping) return;
  to_wind_up.push_back(transfer);
  curl_multi_wakeup(multi.get());
}

// Those that did not end in time are ended.
void CurlTransport::Engine::end_wound_up() {
  const TimePoint now = budget->clock().now();
  for (const auto& [until, transfer] : winding) {
    if (now >= until) remove(transfer);
  }
  std::erase_if(winding, [](const auto& w) { return !w.second->easy; });
}

void CurlTransport::Engine::close() {
  {
    std::lock_guard lock(mutex);
    if (stopping) return;
    stopping = true;
    if (multi) curl_multi_wakeup(multi.get());
  }
  if (thread.joinable()) thread.join();
}

void CurlTransport::Engine::trim() {
  std::lock_guard lock(mutex);
  if (stopping || !multi) return;
  trimming = true;
  curl_multi_wakeup(multi.get());
}

Multi CurlTransport::Engine::new_multi() const {
  const auto& s = budget->settings();
  Multi fresh(curl_multi_init());
  if (!fresh) return fresh;
  curl_multi_setopt(fresh.get(), CURLMOPT_PIPELINING, s.http2 ? CURLPIPE_MULTIPLEX : 0L);
  curl_multi_setopt(fresh.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, long{s.connections_max});
  return fresh;
}

// libcurl closes idle connections only with their multi handle. While transfers run their idle
// neighbours stay: the last one to end, or keepalive_timeout, frees them.
void CurlTransport::Engine::drop_idle() {
  if (!running.empty()) return;
  Multi old;
  {
    std::lock_guard lock(mutex);
    if (!std::exchange(trimming, false)) return;
    Multi fresh = new_multi();
    if (fresh) {
      old = std::move(multi);
      multi = std::move(fresh);
    }
  }
  old.reset();
  sockets.sweep();
}

void CurlTransport::Engine::run() {
  const auto& s = budget->settings();
  bool stop = false;
  while (!stop) {
    take_commands(stop);
    // What the plain transport keeps idle is not libcurl's to keep.
    const auto kept = std::min<std::uint64_t>(budget->idle(), s.keepalive_max);
    const auto room = std::max<std::uint64_t>(s.keepalive_max - kept, 1);
    curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(room));
    int active = 0;
    curl_multi_perform(multi.get(), &active);
    finish_done();
    end_wound_up();
    drop_idle();
    count_idle();
    const int wait = winding.empty() ? kPollMs : kWindUpPollMs;
    if (!stop) curl_multi_poll(multi.get(), nullptr, 0, wait, nullptr);
  }
  end_all();
}

void CurlTransport::Engine::take_commands(bool& stop) {
  std::vector<TransferPtr> start_now;
  std::vector<TransferPtr> resume_now;
  std::vector<TransferPtr> abandon_now;
  std::vector<TransferPtr> wind_now;
  {
    std::lock_guard lock(mutex);
    start_now.swap(to_start);
    resume_now.swap(to_resume);
    abandon_now.swap(to_abandon);
    wind_now.swap(to_wind_up);
    stop = stopping;
  }
  for (const auto& transfer : start_now) start(transfer);
  for (const auto& transfer : resume_now) {
    if (transfer->easy) curl_easy_pause(transfer->easy.get(), CURLPAUSE_CONT);
  }
  for (const auto& transfer : abandon_now) remove(transfer);
  for (const auto& transfer : wind_now) {
    winding.emplace_back(budget->clock().now() + kWindUp, transfer);
  }
}

void CurlTransport::Engine::prepare(Transfer& t) {
  const auto& s = budget->settings();
  CURL* easy = t.easy.get();
  const Url& url = *t.call.url;
  const std::string address = url.scheme + "://" + url.authority() + t.call.target;
  set(easy, CURLOPT_URL, address.c_str());
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_TCP_NODELAY, 1L);
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, t.connect_ms);
  set(easy, CURLOPT_DNS_CACHE_TIMEOUT,
      static_cast<long>(std::chrono::ceil<std::chrono::seconds>(s.dns_ttl).count()));
  set(easy, CURLOPT_MAXAGE_CONN,
      static_cast<long>(std::chrono::ceil<std::chrono::seconds>(s.keepalive_timeout).count()));
  set(easy, CURLOPT_PROXY, s.proxy.c_str());  // empty: none, whatever the environment says
  // A connection that was opened for others may lead inside; and a proxy would resolve the name.
  if (t.call.public_only) set(easy, CURLOPT_PROXY, "");
  if (t.call.public_only || t.call.once) {  // libcurl, too, repeats a call on a reused connection
    set(easy, CURLOPT_FRESH_CONNECT, 1L);
    set(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!s.ca_file.empty()) set(easy, CURLOPT_CAINFO, s.ca_file.c_str());
  set(easy, CURLOPT_HTTP_VERSION,
      s.http2 ? long{CURL_HTTP_VERSION_2TLS} : long{CURL_HTTP_VERSION_1_1});
  if (s.http2) set(easy, CURLOPT_PIPEWAIT, 1L);
  set(easy, CURLOPT_HEADERFUNCTION, &on_header);
  set(easy, CURLOPT_HEADERDATA, &t);
  set(easy, CURLOPT_WRITEFUNCTION, &on_body);
  set(easy, CURLOPT_WRITEDATA, &t);
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &on_open);
  set(easy, CURLOPT_OPENSOCKETDATA, &t);
  set(easy, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
  set(easy, CURLOPT_CLOSESOCKETDATA, &sockets);
  if (t.call.method == "GET") {
    set(easy, CURLOPT_HTTPGET, 1L);
  } else if (t.call.method == "HEAD") {
    set(easy, CURLOPT_NOBODY, 1L);
  } else if (t.call.source) {
    const std::uint64_t size = t.call.body.size() + t.call.source->size() + t.call.tail.size();
    t.sent = 0;
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
    set(easy, CURLOPT_READFUNCTION, &on_read);
    set(easy, CURLOPT_READDATA, &t);
    set(easy, CURLOPT_SEEKFUNCTION, &on_seek);
    set(easy, CURLOPT_SEEKDATA, &t);
  } else {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDS, t.call.body.data());
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.call.body.size()));
    const std::string method(t.call.method);
    if (method != "POST") set(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  set(easy, CURLOPT_HTTPHEADER, t.lines.get());
}

Lines header_list(const HeaderLines& headers) {
  curl_slist* list = nullptr;
  std::string_view rest = headers.text();
  bool typed = false;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("\r\n"), rest.size());
    const std::string line(rest.substr(0, end));
    typed = typed || equal_ascii_nocase(std::string_view(line).substr(0, 13), "content-type:");
    list = curl_slist_append(list, line.c_str());
    rest.remove_prefix(std::min(rest.size(), end + 2));
  }
  // libcurl's own additions, taken out.
  list = curl_slist_append(list, "expect:");
  if (!typed) list = curl_slist_append(list, "content-type:");
  return Lines(list);
}

void CurlTransport::Engine::start(const TransferPtr& transfer) {
  Transfer& t = *transfer;
  if (!spares.empty()) {
    t.easy = std::move(spares.back());
    spares.pop_back();
  } else {
    t.easy.reset(curl_easy_init());
  }
  if (!t.easy) {
    finish(transfer, CURLE_OUT_OF_MEMORY);
    return;
  }
  t.lines = header_list(t.call.headers);
  prepare(t);
  running.emplace(t.easy.get(), transfer);
  if (curl_multi_add_handle(multi.get(), t.easy.get()) != CURLM_OK) {
    finish(transfer, CURLE_FAILED_INIT);
  }
}

void CurlTransport::Engine::finish_done() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto found = running.find(message->easy_handle);
    if (found == running.end()) continue;
    const TransferPtr transfer = found->second;
    const CURLcode code = message->data.result;
    finish(transfer, code);
  }
}

void CurlTransport::Engine::finish(const TransferPtr& transfer, CURLcode code) {
  Transfer& t = *transfer;
  {
    std::lock_guard lock(t.mutex);
    if (code != CURLE_OK && !t.abandoned) {
      Reason why = reason_of(code, t.head_done);
      if (t.oversized_head) why = {Errc::bad_upstream, "upstream_bad_reply"};
      if (t.inside) why = {Errc::forbidden, "address_not_public"};
      if (t.no_slot) why = {Errc::unavailable, "upstream_pool_full"};
      t.error = upstream_error(why.code, why.reason,
                               t.call.url->authority() + ": " + curl_easy_strerror(code));
    } else if (code == CURLE_OK && !t.head_done) {
      t.error = upstream_error(Errc::bad_upstream, "upstream_bad_reply", "no head");
    }
    if (t.reused) budget->reused.fetch_add(1, std::memory_order_relaxed);
    t.finished = true;
    t.changed.notify();
  }
  remove(transfer);
}

void CurlTransport::Engine::remove(const TransferPtr& transfer) {
  Transfer& t = *transfer;
  if (t.easy) {
    running.erase(t.easy.get());
    curl_multi_remove_handle(multi.get(), t.easy.get());
    curl_easy_reset(t.easy.get());
    if (!std::exchange(t.swept, true)) sockets.sweep();
    if (spares.size() < kSparesMax) spares.push_back(std::move(t.easy));
    t.easy.reset();
    t.lines.reset();
  }
  if (std::exchange(t.reserved, false)) budget->give_back();
  std::lock_guard lock(mutex);
  if (std::exchange(t.counted, false)) --in_flight;
}

void CurlTransport::Engine::end_all() {
  {
    std::lock_guard lock(mutex);
    to_abandon.clear();
    to_wind_up.clear();
    to_resume.clear();
  }
  while (!running.empty()) {
    const TransferPtr transfer = running.begin()->second;  // outlives its place in the map
    finish(transfer, CURLE_ABORTED_BY_CALLBACK);
  }
  winding.clear();
  spares.clear();
  multi.reset();
  sockets.sweep();
  count_idle();
}

// A lower bound of what libcurl keeps: connections that no running transfer can be using.
void CurlTransport::Engine::count_idle() {
  const std::size_t open = sockets.count();
  budget->curl_idle.store(open > running.size() ? open - running.size() : 0,
                          std::memory_order_relaxed);
}

}  // namespace mainstay::net
