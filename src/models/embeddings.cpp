// Callers lead by turns: whoever finds texts waiting and a call free makes it, for everybody.
#include "models/embeddings.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace mainstay::models {
namespace {

constexpr std::size_t kEntryBytes = 160;  ///< of a kept vector beside its floats, about
/// Longest wait for the kept vectors on the disk: without them it goes on as without a cache.
constexpr Duration kLookUp = std::chrono::milliseconds(500);
constexpr Duration kPersist = std::chrono::seconds(5);

Error busy() {
  Error error = Error::say(Errc::unavailable, "embeddings_busy",
                           "Too many texts wait to be embedded; try again.");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

Error late() {
  Error error = Error::log(Errc::deadline, "embeddings were not made in time");
  error.reason = "upstream_timeout";
  return error;
}

Error left() {
  return Error::log(Errc::cancelled, "the request was cancelled");
}

}  // namespace

storage::EmbeddingKey embedding_key(const EmbedWish& wish, std::string_view text) {
  std::string head = wish.model;
  head += '\0';
  head += name(wish.purpose);
  head += '\0';
  head += std::to_string(wish.dimensions);
  head += '\0';
  head += text;
  storage::EmbeddingKey key;
  SHA256(reinterpret_cast<const unsigned char*>(head.data()), head.size(), key.data());
  return key;
}

std::size_t EmbeddingDesk::KeyHash::operator()(const storage::EmbeddingKey& key) const noexcept {
  std::size_t out = 0;
  std::memcpy(&out, key.data(), sizeof(out));
  return out;
}

std::uint64_t RecentEmbeddings::size_of(const Values& values) {
  return values->size() * sizeof(float) + kEntryBytes;
}

RecentEmbeddings::Values RecentEmbeddings::find(const storage::EmbeddingKey& key) {
  const auto found = all_.find(key);
  if (found == all_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return found->second->values;
}

void RecentEmbeddings::keep(const storage::EmbeddingKey& key, Values values) {
  const std::uint64_t size = size_of(values);
  if (size > bytes_max_) return;
  forget(key);
  order_.push_front({key, std::move(values)});
  all_[key] = order_.begin();
  bytes_ += size;
  shrink_to(bytes_max_);
}

void RecentEmbeddings::forget(const storage::EmbeddingKey& key) {
  const auto found = all_.find(key);
  if (found == all_.end()) return;
  bytes_ -= size_of(found->second->values);
  order_.erase(found->second);
  all_.erase(found);
}

void RecentEmbeddings::shrink_to(std::uint64_t bytes) {
  while (bytes_ > bytes && !order_.empty()) {
    const storage::EmbeddingKey oldest = order_.back().key;
    forget(oldest);
  }
}

/// One caller's place: what it waits for is given up when it goes.
class EmbeddingDesk::Ticket {
 public:
  explicit Ticket(EmbeddingDesk& desk) : desk_(desk) {}
  ~Ticket() { desk_.leave(*this); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  LaneKey lane;
  std::vector<SlotPtr> slots;  ///< for each text; null: it was kept

 private:
  EmbeddingDesk& desk_;
};

/// A call under way: texts of one that ends without an answer wait again.
class EmbeddingDesk::Run {
 public:
  Run(EmbeddingDesk& desk, Batch texts) : batch(std::move(texts)), desk_(desk) {}
  ~Run() {
    if (!settled) desk_.give_back(*this);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  Batch batch;
  bool settled = false;

 private:
  EmbeddingDesk& desk_;
};

EmbeddingDesk::EmbeddingDesk(Models& models, storage::EmbeddingCache* cache,
                             const EmbeddingSettings& settings, Clock& clock, Metrics& metrics)
    : models_(models),
      cache_(cache),
      settings_(settings),
      clock_(clock),
      hits_(metrics.counter("mainstay_embedding_texts_total", "Texts to embed, by what they met",
                            {{"result", "hit"}})),
      misses_(metrics.counter("mainstay_embedding_texts_total", "Texts to embed, by what they met",
                              {{"result", "miss"}})),
      coalesced_(metrics.counter("mainstay_embedding_texts_total",
                                 "Texts to embed, by what they met", {{"result", "coalesced"}})),
      calls_(metrics.counter("mainstay_embedding_calls_total", "Calls for embeddings")),
      changed_(clock),
      recent_(settings.cache_memory.value) {}

std::uint64_t EmbeddingDesk::cache_bytes() const {
  std::lock_guard lock(mutex_);
  return recent_.bytes();
}

std::uint64_t EmbeddingDesk::shrink_cache(double fraction) {
  std::lock_guard lock(mutex_);
  const std::uint64_t before = recent_.bytes();
  const double keep = static_cast<double>(before) * (1 - std::clamp(fraction, 0.0, 1.0));
  recent_.shrink_to(static_cast<std::uint64_t>(keep));
  return before - recent_.bytes();
}

Co<Result<Embeddings>> EmbeddingDesk::embed(EmbedWish wish, Deadline by) {
  Embeddings out;
  if (wish.texts.empty()) co_return out;
  std::vector<storage::EmbeddingKey> keys;
  keys.reserve(wish.texts.size());
  for (const auto& text : wish.texts) keys.push_back(embedding_key(wish, text));
  std::vector<Values> found(keys.size());
  auto looked = co_await look_up(keys, found, by);
  if (!looked.ok()) co_return looked.error();
  for (int round = 1;; ++round) {
    auto paid = co_await fill(wish, keys, found, by);
    if (!paid.ok()) co_return paid.error();
    out.tokens += *paid;
    const std::size_t dimension = found.front()->size();
    const bool same = std::all_of(found.begin(), found.end(), [dimension](const Values& each) {
      return each->size() == dimension;
    });
    if (same) break;
    if (round == 2) {
      Error error = Error::log(Errc::bad_upstream, "embeddings of several dimensions");
      error.reason = "upstream_bad_reply";
      co_return error;
    }
    // The name stands for another model than when some were kept: all are made anew.
    found.assign(found.size(), nullptr);
  }
  out.dimension = static_cast<std::uint32_t>(found.front()->size());
  out.vectors.reserve(found.size());
  for (const auto& each : found) out.vectors.push_back(*each);
  co_return out;
}

Co<Status> EmbeddingDesk::look_up(const std::vector<storage::EmbeddingKey>& keys,
                                  std::vector<Values>& found, Deadline by) {
  std::vector<std::size_t> places;
  std::vector<storage::EmbeddingKey> wanted;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      found[i] = recent_.find(keys[i]);
      if (found[i]) continue;
      places.push_back(i);
      wanted.push_back(keys[i]);
    }
  }
  hits_.add(keys.size() - wanted.size());
  for (std::size_t at = 0; cache_ != nullptr && at < wanted.size();
       at += storage::kEmbeddingKeysMax) {
    const std::size_t end = std::min(wanted.size(), at + storage::kEmbeddingKeysMax);
    std::vector<storage::EmbeddingKey> some(wanted.begin() + static_cast<std::ptrdiff_t>(at),
                                            wanted.begin() + static_cast<std::ptrdiff_t>(end));
    const Deadline until = by.sooner(clock_.now(), kLookUp);
    auto kept = co_await cache_->find(std::move(some), until);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    if (!kept.ok()) break;  // it goes on without
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < kept->size() && at + i < end; ++i) {
      if (!(*kept)[i] || (*kept)[i]->empty()) continue;
      const std::size_t place = places[at + i];
      found[place] = std::make_shared<const std::vector<float>>(std::move(*(*kept)[i]));
      recent_.keep(keys[place], found[place]);
      hits_.add();
    }
  }
  co_return done();
}

Co<Result<std::uint64_t>> EmbeddingDesk::fill(const EmbedWish& wish,
                                              const std::vector<storage::EmbeddingKey>& keys,
                                              std::vector<Values>& found, Deadline by) {
  Ticket ticket(*this);
  ticket.lane = {wish.model, wish.purpose, wish.dimensions};
  if (!board(ticket, wish, keys, found)) co_return busy();
  auto paid = co_await drive(ticket, wish.request, by);
  if (!paid.ok()) co_return paid.error();
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (ticket.slots[i]) found[i] = ticket.slots[i]->values;
  }
  co_return *paid;
}

/// Gives each text that was not found a slot, its own or one that is on its way; false: no room.
bool EmbeddingDesk::board(Ticket& ticket, const EmbedWish& wish,
                          const std::vector<storage::EmbeddingKey>& keys,
                          const std::vector<Values>& found) {
  std::lock_guard lock(mutex_);
  const auto missing = static_cast<std::size_t>(std::count(found.begin(), found.end(), nullptr));
  ticket.slots.resize(keys.size());
  if (missing == 0) return true;
  if (waiting_ > 0 && waiting_ + missing > settings_.waiting_max) return false;
  const std::uint64_t group = next_group_++;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (found[i]) continue;
    SlotPtr& slot = slots_[keys[i]];
    if (slot) {
      coalesced_.add();
    } else {
      misses_.add();
      slot = std::make_shared<Slot>();
      slot->key = keys[i];
      slot->text = wish.texts[i];
      slot->tokens = estimate_tokens(slot->text);
      slot->group = group;
      lanes_[ticket.lane].push_back(slot);
      ++waiting_;
    }
    ++slot->wanted;
    ticket.slots[i] = slot;
  }
  return true;
}

/// Under the lock: nobody can join it any more.
void EmbeddingDesk::end(Slot& slot) noexcept {
  slots_.erase(slot.key);
}

void EmbeddingDesk::leave(Ticket& ticket) noexcept {
  std::lock_guard lock(mutex_);
  bool gone = false;
  for (const auto& slot : ticket.slots) {
    if (!slot || --slot->wanted > 0 || slot->state != State::waiting) continue;
    end(*slot);
    slot->state = State::failed;  // taken out of its lane below, or passed over by take()
    --waiting_;
    gone = true;
  }
  if (!gone) return;
  const auto lane = lanes_.find(ticket.lane);
  if (lane == lanes_.end()) return;
  std::erase_if(lane->second, [](const SlotPtr& each) { return each->state != State::waiting; });
  if (lane->second.empty()) lanes_.erase(lane);
}

/// Under the lock: the next call of a lane, if one may be made.
std::optional<EmbeddingDesk::Batch> EmbeddingDesk::take(const LaneKey& key) {
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end() || running_ >= settings_.at_once) return std::nullopt;
  Batch batch{key, {}};
  auto& queue = lane->second;
  std::size_t tokens = 0;
  while (!queue.empty() && batch.slots.size() < settings_.batch_max) {
    const SlotPtr& next = queue.front();
    if (!batch.slots.empty()) {
      const Slot& first = *batch.slots.front();
      if ((first.alone || next->alone) && first.group != next->group) break;
      if (tokens + next->tokens > settings_.batch_tokens) break;
    }
    tokens += next->tokens;
    next->state = State::running;
    batch.slots.push_back(next);
    queue.pop_front();
    --waiting_;
  }
  if (queue.empty()) lanes_.erase(lane);
  ++running_;
  return batch;
}

/// Until all of the ticket's texts are done: leads when there is something to lead, else waits.
/// Gives the tokens that its own calls used.
Co<Result<std::uint64_t>> EmbeddingDesk::drive(Ticket& ticket, RequestId request, Deadline by) {
  std::uint64_t tokens = 0;
  for (;;) {
    const auto seen = changed_.version();
    std::optional<Batch> batch;
    {
      std::lock_guard lock(mutex_);
      bool waiting = false;
      bool running = false;
      for (const auto& slot : ticket.slots) {
        if (!slot) continue;
        if (slot->state == State::failed) co_return slot->error;
        waiting = waiting || slot->state == State::waiting;
        running = running || slot->state == State::running;
      }
      if (!waiting && !running) co_return tokens;
      if (waiting) batch = take(ticket.lane);
    }
    if (by.passed(clock_.now())) {
      if (batch) const Run unused(*this, std::move(*batch));
      co_return late();
    }
    if (batch) {
      auto used = co_await run(std::move(*batch), request, by);
      tokens += used;
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
      continue;
    }
    auto woken = co_await changed_.wait(seen, by);
    if (woken) continue;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return left();
    co_return late();
  }
}

Co<std::uint64_t> EmbeddingDesk::run(Batch batch, RequestId request, Deadline by) {
  Run run(*this, std::move(batch));
  calls_.add();
  EmbedRequest asked;
  for (const auto& slot : run.batch.slots) asked.texts.push_back(slot->text);
  asked.purpose = run.batch.lane.purpose;
  asked.dimensions = run.batch.lane.dimensions;
  asked.request = std::move(request);
  auto answer = co_await models_.embed(std::move(asked), run.batch.lane.model, by);
  if (!answer.ok()) {
    // Out of this caller's time, or cancelled: the others' texts wait for their own callers.
    const bool own = answer.error().code == Errc::cancelled || by.passed(clock_.now());
    if (!own) settle(run, answer.error());
    co_return 0;
  }
  const std::uint64_t tokens = answer->embeddings->tokens;
  settle(run, *answer->embeddings);
  // A question is seldom asked again in the same words: it is not worth a commit.
  const bool keep = cache_ != nullptr && run.batch.lane.purpose != EmbedPurpose::query;
  if (keep) co_await persist(run.batch, by);
  co_return tokens;
}

Co<> EmbeddingDesk::persist(const Batch& batch, Deadline by) {
  std::vector<storage::KeptEmbedding> kept;
  kept.reserve(batch.slots.size());
  const bool passages = batch.lane.purpose == EmbedPurpose::document;
  for (const auto& slot : batch.slots) {
    const std::int64_t content = passages ? storage::content_mark(slot->text) : 0;
    kept.push_back({slot->key, *slot->values, content});
  }
  const Deadline until = by.sooner(clock_.now(), kPersist);
  // What cannot be kept is made again when it is needed.
  [[maybe_unused]] auto stored = co_await cache_->keep(std::move(kept), until);
}

void EmbeddingDesk::settle(Run& run, Embeddings& got) {
  run.settled = true;
  {
    std::lock_guard lock(mutex_);
    --running_;
    for (std::size_t i = 0; i < run.batch.slots.size(); ++i) {
      Slot& slot = *run.batch.slots[i];
      slot.values = std::make_shared<const std::vector<float>>(std::move(got.vectors[i]));
      slot.state = State::done;
      recent_.keep(slot.key, slot.values);
      end(slot);
    }
  }
  changed_.notify();
}

void EmbeddingDesk::settle(Run& run, const Error& error) {
  const auto& slots = run.batch.slots;
  const bool mixed = std::any_of(slots.begin(), slots.end(), [&](const SlotPtr& each) {
    return each->group != slots.front()->group;
  });
  if (mixed && error.code == Errc::invalid) {
    // One text of one caller: each caller's are asked for by themselves.
    for (const auto& slot : slots) slot->alone = true;
    return;  // the run gives them back
  }
  run.settled = true;
  {
    std::lock_guard lock(mutex_);
    --running_;
    for (const auto& slot : slots) {
      slot->error = error;
      slot->state = State::failed;
      end(*slot);
    }
  }
  changed_.notify();
}

void EmbeddingDesk::give_back(Run& run) noexcept {
  {
    std::lock_guard lock(mutex_);
    --running_;
    auto& slots = run.batch.slots;
    for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
      if ((*slot)->wanted == 0) {
        (*slot)->state = State::failed;
        end(**slot);
        continue;
      }
      try {
        lanes_[run.batch.lane].push_front(*slot);
        (*slot)->state = State::waiting;
        ++waiting_;
      } catch (const std::bad_alloc&) {
        (*slot)->state = State::failed;
        end(**slot);
      }
    }
  }
  changed_.notify();
}

}  // namespace mainstay::models
