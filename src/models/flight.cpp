// Flights: one mutex each, never held over a wait; the table's shards know only who flies.
#include "models/flight.h"

namespace mainstay::models {
namespace {

Error left_behind() {
  return Error::log(Errc::cancelled, "the request was cancelled");
}

Error stalled() {
  Error error = Error::log(Errc::deadline, "no chunk came from the shared stream in time");
  error.reason = "upstream_stalled";
  return error;
}

}  // namespace

Flight::Flight(Clock& clock, CacheKey key_of, std::shared_ptr<Hold> hold,
               const CacheSettings& settings)
    : key(key_of),
      changed(clock),
      hold_(std::move(hold)),
      followers_max_(settings.followers_max),
      buffer_max_(settings.stream_buffer_max.value) {}

template <class Outcome>
void Flight::finish_with(const Outcome& outcome, const Attribution& by) {
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::waiting) return;
    phase_ = Phase::finished;
    open_ = false;
    if (followers_ == 0) return;  // nobody to copy it for, nor to wake
    by_ = by;
    outcome_ = outcome;
  }
  changed.notify();
}

void Flight::finish(const ChatReply& reply, const Attribution& by) {
  finish_with(reply, by);
}

void Flight::finish(const Error& error, const Attribution& by) {
  finish_with(error, by);
}

void Flight::begin(const Attribution& by) {
  {
    std::lock_guard lock(mutex_);
    phase_ = Phase::streaming;
    by_ = by;
    tape_ = std::make_shared<ChunkTape>();
  }
  changed.notify();
}

bool Flight::append(const ChatChunk& chunk) {
  {
    std::lock_guard lock(mutex_);
    if (!recording_ || ended_) return false;
    if (tape_->bytes() + ChunkTape::most(chunk) > buffer_max_) {
      recording_ = open_ = false;
      if (followers_ > 0) {
        ended_ = true;
        error_ = Error::log(Errc::unavailable, "a shared stream grew past its buffer");
        error_->reason = "shared_stream_too_long";
      }
      tape_.reset();
    } else {
      tape_->append(chunk);
    }
  }
  changed.notify();
  return true;
}

void Flight::end(std::optional<Error> error) {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    open_ = false;
    error_ = std::move(error);
    if (tape_) tape_->finish();
  }
  changed.notify();
}

std::shared_ptr<const ChunkTape> Flight::tape() const {
  std::lock_guard lock(mutex_);
  if (!ended_ || error_) return nullptr;
  return tape_;
}

bool Flight::join() {
  std::lock_guard lock(mutex_);
  if (!open_ || followers_ >= followers_max_) return false;
  // Hold::keep() and drop() take the hold's own mutex only; cancelling merely posts.
  if (hold_ && !hold_->keep()) return false;
  ++followers_;
  return true;
}

void Flight::leave() {
  {
    std::lock_guard lock(mutex_);
    --followers_;
  }
  if (hold_) hold_->drop();
}

Flight::Phase Flight::phase() const {
  std::lock_guard lock(mutex_);
  return phase_;
}

Result<ChatReply> Flight::outcome() const {
  std::lock_guard lock(mutex_);
  return outcome_;
}

Attribution Flight::attribution() const {
  std::lock_guard lock(mutex_);
  return by_;
}

Flight::Next Flight::next(ChunkTape::Cursor& cursor) const {
  std::lock_guard lock(mutex_);
  Next out;
  if (tape_ && cursor.at < tape_->size()) {
    out.chunk = tape_->read(cursor);
  } else if (ended_) {
    out.error = error_;
  } else {
    out.pending = true;
  }
  return out;
}

FlightTable::Seat FlightTable::board(const CacheKey& key, const std::shared_ptr<Hold>& hold) {
  Shard& home = shard(key);
  std::lock_guard lock(home.mutex);
  auto [at, fresh] = home.map.try_emplace(key);
  if (fresh) {
    at->second = std::make_shared<Flight>(clock_, key, hold, settings_);
    return {at->second, true};
  }
  if (at->second->join()) return {at->second, false};
  return {};
}

void FlightTable::land(const Flight& flight) {
  Shard& home = shard(flight.key);
  std::lock_guard lock(home.mutex);
  const auto at = home.map.find(flight.key);
  if (at != home.map.end() && at->second.get() == &flight) home.map.erase(at);
}

Lead::~Lead() {
  if (!flight_) return;
  table_->land(*flight_);
  flight_->finish(left_behind(), {});
  flight_->end(left_behind());
}

void Lead::finish(const ChatReply& reply, const Attribution& by) {
  auto flight = std::move(flight_);
  table_->land(*flight);
  flight->finish(reply, by);
}

void Lead::finish(const Error& error, const Attribution& by) {
  auto flight = std::move(flight_);
  table_->land(*flight);
  flight->finish(error, by);
}

void Lead::end(std::optional<Error> error) {
  table_->land(*flight_);
  flight_->end(std::move(error));
}

Co<Result<std::optional<ChatChunk>>> FollowerStream::next(Deadline by) {
  const Deadline until = by.sooner(clock_.now(), patience_);
  while (true) {
    const auto seen = place_.flight->changed.version();
    auto got = place_.flight->next(cursor_);
    if (got.error) {
      // The leader left in the middle: for this reader the answer is cut.
      if (got.error->code == Errc::cancelled) {
        got.error->code = Errc::bad_upstream;
        got.error->reason = "upstream_truncated";
      }
      co_return std::move(*got.error);
    }
    if (!got.pending) co_return std::move(got.chunk);
    auto woken = co_await place_.flight->changed.wait(seen, until);
    if (woken) continue;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left_behind();
    co_return stalled();
  }
}

Co<Result<std::optional<ChatChunk>>> ReplayStream::next(Deadline) {
  if (cursor_.at >= tape_->size()) co_return std::optional<ChatChunk>();
  co_return std::optional<ChatChunk>(tape_->read(cursor_));
}

}  // namespace mainstay::models
