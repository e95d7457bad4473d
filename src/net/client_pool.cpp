// Budget, Conn and LoopPool. The budget's lock is held for a few instructions and never over a
// wait.
#include "net/client_pool.h"

#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

#include <algorithm>
#include <iterator>

namespace mainstay::net {
namespace {

/// How late a timer of a call may fire.
constexpr Duration kTick = std::chrono::milliseconds(50);
/// How long a connection above keepalive_max is held for the next call of the same burst.
constexpr Duration kLinger = std::chrono::milliseconds(100);
/// How long the end of a reply is waited for once its reader has left.
constexpr Duration kWindUp = std::chrono::milliseconds(500);
/// Looks without a call before the sweep sleeps until an idle connection's end.
constexpr int kQuietLooks = 20;
/// A waiter older than this gets the next right to a connection, whatever its origin.
constexpr Duration kPassedOverMax = std::chrono::milliseconds(50);
constexpr std::size_t kOriginsMax = 256;
constexpr std::size_t kBufferFirst = 1024;  // grows when one read fills it
constexpr std::size_t kEndMax = 1024;       // room to read the end of a framing
constexpr std::size_t kBufferBig = 64 * 1024;

std::string_view sentence(std::string_view reason) {
  if (reason == "upstream_pool_full")
    return "All connections to model servers are in use. Try again.";
  if (reason == "upstream_refused") return "The model server refused the connection.";
  if (reason == "upstream_unresolved") return "The model server's name could not be resolved.";
  if (reason == "upstream_tls_failed") return "No secure connection to the model server.";
  if (reason == "upstream_truncated") return "The model server's reply ended too early.";
  if (reason == "upstream_reset") return "The model server closed the connection.";
  if (reason == "address_not_public") return "The address does not lead to a public one.";
  if (reason == "upstream_bad_reply") return "The model server's reply is not valid HTTP.";
  if (reason == "upstream_too_large") return "The model server's reply is too large.";
  return "The model server did not answer in time.";
}

}  // namespace

Error upstream_error(Errc code, std::string_view reason, std::string detail) {
  Error error = Error::say(code, reason, std::string(sentence(reason)));
  error.detail = std::move(detail);
  return error;
}

Error no_time_left() {
  return upstream_error(Errc::deadline, "upstream_timeout", "no time left for the call");
}

bool Budget::take() {
  std::lock_guard lock(mutex_);
  if (open_ >= settings_.connections_max) return false;
  ++open_;
  return true;
}

void Budget::give_back() {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    --open_;
    return;
  }
  Waiter* first = waiting_.front();
  waiting_.pop_front();
  first->slot = true;
  first->woken.notify();  // under the lock: leave() keeps the waiter alive until we are out
}

bool Budget::join(Waiter& waiter) {
  std::lock_guard lock(mutex_);
  if (closed() || waiting_.size() >= settings_.waiting_max) return false;
  if (open_ < settings_.connections_max) {  // freed since the caller looked
    ++open_;
    waiter.slot = true;
    return true;
  }
  waiting_.push_back(&waiter);
  return true;
}

void Budget::leave(Waiter& waiter) {
  std::lock_guard lock(mutex_);
  waiting_.remove(&waiter);
}

bool Budget::hand_over(std::unique_ptr<Conn>& conn, const LoopPool& loop) {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) return false;
  auto chosen = waiting_.begin();
  if (clock_.now() - (*chosen)->since < kPassedOverMax) {
    auto match = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiter* w) {
      return w->loop == &loop && w->origin == conn->origin.get();
    });
    if (match != waiting_.end()) chosen = match;
  }
  Waiter* waiter = *chosen;
  waiting_.erase(chosen);
  if (waiter->loop == &loop && waiter->origin == conn->origin.get()) {
    waiter->conn = std::move(conn);
  } else {
    conn->owns_slot = false;
    waiter->slot = true;
  }
  waiter->woken.notify();
  return true;
}

bool Budget::keep_idle() {
  std::lock_guard lock(mutex_);
  const std::uint64_t all = idle_ + curl_idle.load(std::memory_order_relaxed);
  if (all >= settings_.keepalive_max) return false;
  ++idle_;
  return true;
}

void Budget::unkeep_idle() {
  std::lock_guard lock(mutex_);
  --idle_;
}

void Budget::close() {
  closed_.store(true, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  for (Waiter* waiter : waiting_) waiter->woken.notify();
  waiting_.clear();
}

std::uint64_t Budget::idle() const {
  std::lock_guard lock(mutex_);
  return idle_;
}

ClientFigures Budget::figures() const {
  ClientFigures f;
  f.clients_created = 1;
  f.requests = requests.load(std::memory_order_relaxed);
  f.connections_created = created.load(std::memory_order_relaxed);
  f.connections_reused = reused.load(std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  f.open = open_;
  f.idle = idle_ + curl_idle.load(std::memory_order_relaxed);
  f.waiting = waiting_.size();
  return f;
}

Conn::Conn(LoopPool& owner, std::shared_ptr<Origin> to)
    : loop(owner),
      origin(std::move(to)),
      budget(owner.shared_budget()),
      socket(owner.io().get_executor()) {}

Conn::~Conn() {
  loop.out_of_use(*this);
  error_code ignored;
  socket.close(ignored);
  if (kept) budget->unkeep_idle();
  if (owns_slot) budget->give_back();
}

bool Conn::make_room(std::size_t max) {
  if (end < capacity) return true;
  if (capacity >= max) return false;
  const std::size_t bigger = std::min(max, capacity == 0 ? kBufferFirst : capacity * 2);
  auto grown = std::make_unique_for_overwrite<char[]>(bigger);
  if (end > 0) std::memcpy(grown.get(), buffer.get(), end);
  buffer = std::move(grown);
  capacity = bigger;
  return true;
}

bool Conn::alive() noexcept {
  char byte = 0;
  const auto got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

LoopPool::LoopPool(asio::io_context& io, std::shared_ptr<Budget> budget)
    : io_(io),
      budget_(std::move(budget)),
      resolver_(io.get_executor()),
      alarm_(budget_->clock().alarm(io.get_executor())) {}

LoopPool::~LoopPool() {
  close_idle();
}

std::shared_ptr<Origin> LoopPool::origin(const Url& url, bool public_only) {
  for (const auto& known : origins_) {
    if (known->port == url.port && known->host == url.host && known->public_only == public_only) {
      return known;
    }
  }
  if (origins_.size() >= kOriginsMax) {
    std::erase_if(origins_, [](const auto& o) { return o.use_count() == 1 && o->idle.empty(); });
  }
  auto fresh = std::make_shared<Origin>();
  fresh->host = url.host;
  fresh->port = url.port;
  fresh->public_only = public_only;
  fresh->authority = url.authority();
  origins_.push_back(fresh);
  return fresh;
}

std::unique_ptr<Conn> LoopPool::take_idle(Origin& origin) {
  while (!origin.idle.empty()) {
    auto conn = std::move(origin.idle.back());
    origin.idle.pop_back();
    --parked_;
    if (conn->kept) {
      conn->kept = false;
      budget_->unkeep_idle();
    }
    if (!conn->alive()) continue;
    conn->reused = true;
    in_use(*conn);
    return conn;
  }
  return nullptr;
}

std::unique_ptr<Conn> LoopPool::pop_oldest() {
  Origin* oldest = nullptr;
  for (const auto& origin : origins_) {
    if (origin->idle.empty()) continue;
    if (oldest == nullptr || origin->idle.front()->parked_at < oldest->idle.front()->parked_at) {
      oldest = origin.get();
    }
  }
  if (oldest == nullptr) return nullptr;
  auto conn = std::move(oldest->idle.front());
  oldest->idle.erase(oldest->idle.begin());
  --parked_;
  return conn;
}

bool LoopPool::steal_slot() {
  auto victim = pop_oldest();
  if (!victim) return false;
  victim->owns_slot = false;
  return true;
}

void LoopPool::evict_one() {
  pop_oldest().reset();
}

void LoopPool::ask_peers() {
  if (budget_->ask_curl) budget_->ask_curl();
  for (const auto& peer : peers_) {
    auto loop = peer.lock();
    if (loop) asio::post(loop->io(), [loop] { loop->evict_one(); });
  }
}

void LoopPool::release(std::unique_ptr<Conn> conn) {
  out_of_use(*conn);
  if (budget_->closed() || budget_->hand_over(conn, *this)) return;
  if (conn->capacity > kBufferBig) {
    conn->buffer.reset();
    conn->capacity = 0;
  }
  conn->begin = conn->end = 0;
  conn->parked_at = budget_->clock().now();
  conn->kept = budget_->keep_idle();
  ++parked_;
  auto& idle = conn->origin->idle;
  idle.push_back(std::move(conn));
  start_watch();
}

void LoopPool::await_end(std::unique_ptr<Conn> conn) {
  struct Held {
    std::shared_ptr<LoopPool> loop;
    std::unique_ptr<Conn> conn;  // destroyed first: it leaves the loop's list
  };
  Conn& c = *conn;
  c.begin = c.end = c.head.size;
  if (!c.make_room(c.capacity + kEndMax)) return;
  c.arm(budget_->clock().now() + kWindUp);
  const auto room = asio::buffer(c.buffer.get() + c.end, c.capacity - c.end);
  c.socket.async_read_some(room, [held = Held{shared_from_this(), std::move(conn)}](
                                     const error_code& failed, std::size_t got) mutable {
    Conn& end = *held.conn;
    end.end += got;
    const auto more = end.body.next(end.buffer.get(), end.begin, end.end);
    if (failed || !more.empty() || !end.body.done() || end.begin != end.end) return;
    held.loop->release(std::move(held.conn));
  });
}

void LoopPool::in_use(Conn& conn) {
  conn.disarm();
  conn.before = nullptr;
  conn.after = used_;
  if (used_ != nullptr) used_->before = &conn;
  used_ = &conn;
  ++in_use_;
  start_watch();
}

void LoopPool::out_of_use(Conn& conn) noexcept {
  if (used_ != &conn && conn.before == nullptr) return;
  --in_use_;
  if (conn.before != nullptr)
    conn.before->after = conn.after;
  else
    used_ = conn.after;
  if (conn.after != nullptr) conn.after->before = conn.before;
  conn.before = conn.after = nullptr;
}

void LoopPool::close_idle() {
  for (const auto& origin : origins_) {
    parked_ -= origin->idle.size();
    origin->idle.clear();
  }
  if (long_sleep_) alarm_->ring();
}

Co<> keep_watch(std::shared_ptr<LoopPool> loop) {
  while (true) {
    const TimePoint at = loop->next_look();
    if (at == TimePoint::max()) break;
    [[maybe_unused]] auto reached = co_await loop->alarm_->wait_until(at);
    loop->long_sleep_ = false;
    loop->sweep();
  }
  loop->watching_ = false;
}

void LoopPool::start_watch() {
  if (!watching_) {
    watching_ = true;
    quiet_ = 0;
    // Owned by the io_context until nothing is open; it throws nothing, so nobody listens.
    asio::co_spawn(io_.get_executor(), keep_watch(shared_from_this()), [](std::exception_ptr) {});
  } else if (long_sleep_ && used_ != nullptr) {
    long_sleep_ = false;
    alarm_->ring();
  }
}

// Every tick while calls run; then a while longer, so that a call now and then costs no ring; then
// only when an idle connection ends; nothing open: never.
TimePoint LoopPool::next_look() {
  const TimePoint now = budget_->clock().now();
  if (used_ != nullptr) quiet_ = 0;
  if (used_ == nullptr && parked_ == 0) return TimePoint::max();
  if (used_ != nullptr || ++quiet_ < kQuietLooks) return now + kTick;
  TimePoint oldest = now;
  for (const auto& origin : origins_) {
    if (!origin->idle.empty()) oldest = std::min(oldest, origin->idle.front()->parked_at);
  }
  long_sleep_ = true;
  return std::max(now + kTick, oldest + Duration(budget_->settings().keepalive_timeout));
}

void LoopPool::sweep() {
  const TimePoint now = budget_->clock().now();
  for (Conn* conn = used_; conn != nullptr; conn = conn->after) {
    if (now < conn->deadline) continue;
    conn->disarm();
    conn->expired = true;
    error_code ignored;
    conn->socket.cancel(ignored);
  }
  const Duration keep = budget_->settings().keepalive_timeout;
  for (const auto& origin : origins_) {
    auto& idle = origin->idle;
    const auto before = idle.size();
    std::erase_if(idle, [&](const std::unique_ptr<Conn>& conn) {
      const Duration parked = now - conn->parked_at;
      if (parked >= keep) return true;
      if (conn->kept || parked < kLinger) return false;
      conn->kept = budget_->keep_idle();
      return !conn->kept;
    });
    parked_ -= before - idle.size();
  }
}

}  // namespace mainstay::net
