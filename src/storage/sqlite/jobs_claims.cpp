// The desk's claims: who waits for work, what each gets, and how callers are woken.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <new>

#include "storage/sqlite/jobs_ops.h"

namespace mainstay::storage::sqlite {
namespace {

/// How often waking a caller is tried when an allocation fails.
constexpr int kTries = 3;

}  // namespace

void JobDesk::extend(ExtendLease& op) {
  Entry* entry = book_->find(op.lease.id);
  const bool current = entry != nullptr && entry->life.state == JobState::running &&
                       entry->life.token == op.lease.token && entry->lease_until > moment_.at;
  if (!current) {
    op.error = std::make_shared<const Error>(stale());
    return;
  }
  change(*entry, entry->life, moment_.at + op.by_how_long);
}

bool JobDesk::somebody_can_claim() {
  if (book_->ready() == 0) return false;
  return std::any_of(claimers_.begin(), claimers_.end(), [&](const auto& claimer) {
    if (claimer->gone()) return false;
    return book_->next(claimer->claim.kinds, rationed_out(claimer->claim, 0)) != nullptr;
  });
}

/// Gives what is ready to those who wait, the first come first.
void JobDesk::serve() {
  if (claimers_.empty() || book_->ready() == 0) return;
  if (book_->expired(moment_.wall) != nullptr) return;  // the timers come first
  for (auto at = claimers_.begin(); at != claimers_.end() && book_->ready() > 0;) {
    ClaimJobs& op = **at;
    if (!op.gone()) {
      try {
        serve_one(op);
      } catch (const Failure& failure) {
        return_claims(op);
        op.found.clear();
        op.error = std::make_shared<const Error>(to_error(failure));
      }
      if (op.found.empty() && !op.error) {
        ++at;
        continue;
      }
      finish(*at, nullptr);
    }
    at = claimers_.erase(at);
  }
}

/// Those that nothing was found for know it; those whose time is over have their answer.
void JobDesk::answer_late_claimers() {
  for (auto at = claimers_.begin(); at != claimers_.end();) {
    ClaimJobs& op = **at;
    if (!op.by.passed(moment_.at)) {
      op.seen.store(true, std::memory_order_release);
      ++at;
      continue;
    }
    finish(*at, nullptr);
    at = claimers_.erase(at);
  }
}

void JobDesk::serve_one(ClaimJobs& op) {
  std::uint32_t of_rationed = 0;
  op.found.reserve(std::min<std::size_t>(op.claim.slots, book_->ready()));
  while (op.found.size() < op.claim.slots) {
    Entry* entry = book_->next(op.claim.kinds, rationed_out(op.claim, of_rationed));
    if (entry == nullptr) return;
    if (entry->kind() == op.claim.rationed) ++of_rationed;
    if (!claim_one(*entry, op)) return;
  }
}

/// Begins an attempt; what is known of the job is read before anything changes.
bool JobDesk::claim_one(Entry& entry, ClaimJobs& op) {
  auto next = step(entry.life, {JobEvent::claim, std::nullopt, moment_.wall, std::nullopt, 0});
  if (!next.ok()) return false;
  Claimed claimed;
  Job& job = claimed.job;
  if (entry.whole) {
    // Handed on, not copied: nobody else needs it, and another attempt reads it again.
    const auto whole =
        std::static_pointer_cast<WholeJob>(std::const_pointer_cast<NewJob>(entry.whole));
    drop_whole(entry);
    job.created = whole->created;
    if (whole.use_count() == 1) {
      job.job = std::move(static_cast<NewJob&>(*whole));
    } else {
      job.job = *whole;
    }
  } else {
    auto row = job_by_n(*db_, entry.n, moment_.wall, true);
    if (!row) return false;
    job = std::move(row->job);
  }
  job.state = next->state;
  job.attempts = next->attempts;
  job.token = next->token;
  job.worker = op.claim.worker;
  job.started = moment_.wall;
  claimed.lease = Lease{entry.id, next->token};
  op.found.push_back(std::move(claimed));
  change(entry, *next, moment_.at + op.claim.lease);
  std::lock_guard lock(mutex_);
  entry.worker = op.claim.worker;
  unwritten_[entry.n] = UnwrittenClaim{*next, entry.priority, op.claim.worker, moment_.wall, false};
  claims_due_ = std::min(claims_due_, moment_.at + kClaimLinger);
  ++counts_.claimed;
  return true;
}

/// The claims of this transaction, answered after its commit.
bool JobDesk::claim_strictly(Connection&) {
  if (book_->ready() == 0 || book_->expired(moment_.wall) != nullptr) return false;
  bool any = false;
  for (auto at = claimers_.begin(); at != claimers_.end() && book_->ready() > 0;) {
    if ((*at)->gone()) {
      at = claimers_.erase(at);
      continue;
    }
    const Claim& claim = (*at)->claim;
    if (book_->next(claim.kinds, rationed_out(claim, 0)) == nullptr) {
      ++at;
      continue;
    }
    strict_.push_back(std::move(*at));
    at = claimers_.erase(at);
    serve_one(*strict_.back());
    any = true;
  }
  return any;
}

/// What was taken for somebody who is gone is ready again with the next transaction.
void JobDesk::return_claims(const ClaimJobs& op) noexcept {
  try {
    for (const auto& claimed : op.found) {
      queue_.push_back(std::make_shared<GiveBackJob>(clock_, op.executor, claimed.lease));
    }
    more_ = true;
  } catch (const std::bad_alloc&) {
    // Their leases run out.
  }
}

/// Of a transaction that failed: these attempts never began.
void JobDesk::forget_claims(const ClaimJobs& op) {
  std::lock_guard lock(mutex_);
  for (const auto& claimed : op.found) {
    const Entry* entry = book_->find(claimed.lease.id);
    if (entry != nullptr) unwritten_.erase(entry->n);
  }
}

void JobDesk::finish(std::shared_ptr<JobOp> op,
                     const std::shared_ptr<const Error>& error) noexcept {
  if (error) op->error = error;
  const bool claims = op->needs() == JobOp::Needs::work;  // waiting for work is no delay
  const Duration took =
      claims ? Duration{} : std::max<Duration>(moment_.at - op->handed, Duration{});
  writer_->count(op->verb(), took, error.get());
  if (!op->answer()) {
    if (claims) return_claims(static_cast<const ClaimJobs&>(*op));
    return;
  }
  if (!op->awaited) return;
  try {
    for (auto& [executor, ops] : answers_) {
      if (executor != op->executor) continue;
      ops.push_back(std::move(op));
      return;
    }
    const Executor executor = op->executor;
    answers_.emplace_back(executor, Ops{});
    answers_.back().second.push_back(std::move(op));
  } catch (const std::bad_alloc&) {
    // The caller finds the answer at its deadline.
  }
}

/// One wake-up for all callers of a loop. The last reference to each call dies there, since its
/// alarm belongs to that loop.
void JobDesk::send_answers() noexcept {
  for (auto& [executor, ops] : answers_) {
    if (ops.empty()) continue;
    for (int tries = 0; tries < kTries; ++tries) {
      try {
        auto all = std::make_shared<Ops>();
        all->swap(ops);
        asio::post(executor, [all = std::move(all)] {
          for (const auto& op : *all) {
            if (op->alarm) op->alarm->ring();
          }
        });
        break;
      } catch (const std::bad_alloc&) {
        continue;
      }
    }
  }
  answers_.clear();
}

}  // namespace mainstay::storage::sqlite
