// The blocking read, made while somebody waits.
#include "storage/redis/bell.h"

#include <charconv>

namespace mainstay::storage::redis {
namespace {

std::pair<std::uint64_t, std::uint64_t> numbers(const std::string& id) {
  std::pair<std::uint64_t, std::uint64_t> out{0, 0};
  const char* end = id.data() + id.size();
  const auto first = std::from_chars(id.data(), end, out.first);
  if (first.ptr != end && *first.ptr == '-') std::from_chars(first.ptr + 1, end, out.second);
  return out;
}

}  // namespace

bool later(const std::string& a, const std::string& b) {
  return numbers(a) > numbers(b);
}

/// Counts a wait, however it ends.
class Bell::Waiting {
 public:
  explicit Waiting(Bell& bell) : bell_(bell) {}
  ~Waiting() {
    std::lock_guard lock(bell_.mutex_);
    --bell_.waiting_;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Bell& bell_;
};

Bell::Bell(Client& client)
    : client_(client),
      rung_(client.clock()),
      pipe_(client.add("waiting", {}, [this] { rung_.notify(); })) {}

Co<bool> Bell::wait(std::string last, std::uint64_t seen, Deadline by) {
  bool start = false;
  {
    std::lock_guard lock(mutex_);
    ++waiting_;
    // An older id than the known one means that a ring came after it.
    if (last_.empty() || later(last, last_)) last_ = last;
    start = !reading_;
    reading_ = true;
  }
  const Waiting counted(*this);
  if (start) client_.post([this] { listen(); });
  co_return co_await rung_.wait(seen, by);
}

bool Bell::heard() const {
  std::lock_guard lock(mutex_);
  return reading_;
}

void Bell::listen() {
  std::string last;
  {
    std::lock_guard lock(mutex_);
    if (waiting_ == 0) {
      reading_ = false;
      return;
    }
    last = last_;
  }
  const Duration block(client_.settings().block);
  Call call;
  call.command.add("XREAD").add("COUNT").add(1).add("BLOCK").add(millis(block));
  call.command.add("STREAMS").add(client_.key("bell")).add(last);
  call.block = block;
  call.give_up = TimePoint::max();
  call.done = [this](Result<Reply> reply) { answered(std::move(reply)); };
  pipe_.send(std::move(call));
}

void Bell::answered(Result<Reply> reply) {
  if (!reply.ok()) {
    // Refused on a connection that lives on: nothing else would wake the waiting.
    if (pipe_.up()) return client_.spawn("bell", [this] { return wake_later(); });
    // The connection says when it is back, which wakes the waiting; they start the next read.
    std::lock_guard lock(mutex_);
    reading_ = false;
    return;
  }
  const std::string& id = reply->at(0).at(1).at(0).at(0).text;
  if (!id.empty()) {
    {
      std::lock_guard lock(mutex_);
      if (last_.empty() || later(id, last_)) last_ = id;
    }
    rung_.notify();
  }
  client_.post([this] { listen(); });
}

/// The waiting look for themselves and start the next read. After a pause: it may be refused again.
Co<> Bell::wake_later() {
  const bool slept = co_await sleep(client_.clock(), Duration(client_.settings().retry_cap));
  {
    std::lock_guard lock(mutex_);
    reading_ = false;
  }
  if (slept) rung_.notify();
}

}  // namespace mainstay::storage::redis
