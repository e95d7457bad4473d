// A job store behind a connection that may fail: before the verb, or after it (the answer is lost).
// Used by the tests of jobs.
#pragma once

#include <map>
#include <string>

#include "storage/jobs.h"

namespace mainstay::jobs::test {

/// Forwards to another store. A verb named in `fail` fails that many times.
class FaultyStore final : public storage::JobStore {
 public:
  explicit FaultyStore(storage::JobStore& inner) : inner_(inner) {}

  struct Fault {
    int before = 0;  ///< calls that do not reach the store
    int after = 0;   ///< calls whose answer is lost
  };
  std::map<std::string, Fault> faults;
  /// Each verb fails with this chance, half of the time after it took effect.
  Random* dice = nullptr;
  std::uint64_t one_in = 0;
  Clock* submit_takes = nullptr;  ///< set: a second
  bool submits_twice = false;     ///< the first answer is lost below, where the call is told again
  std::map<std::string, int> calls;
  std::uint32_t most_claimed = 0;  ///< slots asked for at once

  Co<Result<storage::Submitted>> submit(storage::NewJob job, std::uint32_t waiting_max,
                                        Deadline by) override {
    if (down("submit")) co_return fault();
    if (submit_takes != nullptr) co_await sleep(*submit_takes, std::chrono::seconds(1));
    if (submits_twice) {
      auto first = co_await inner_.submit(job, waiting_max, by);
      if (!first.ok()) co_return first;
    }
    auto out = co_await inner_.submit(std::move(job), waiting_max, by);
    if (lost("submit")) co_return fault();
    co_return out;
  }
  Co<Result<std::vector<storage::Claimed>>> claim(storage::Claim claim, Deadline by) override {
    most_claimed = std::max(most_claimed, claim.slots);
    if (down("claim")) co_return fault();
    auto out = co_await inner_.claim(std::move(claim), by);
    if (lost("claim")) co_return fault();
    co_return out;
  }
  Co<Status> extend(storage::Lease lease, Duration by_how_long, Deadline by) override {
    if (down("extend")) co_return fault();
    auto out = co_await inner_.extend(std::move(lease), by_how_long, by);
    if (lost("extend")) co_return fault();
    co_return out;
  }
  Co<Status> complete(storage::Lease lease, std::string result, storage::Effects effects,
                      Deadline by) override {
    if (down("complete")) co_return fault();
    auto out =
        co_await inner_.complete(std::move(lease), std::move(result), std::move(effects), by);
    if (lost("complete")) co_return fault();
    co_return out;
  }
  Co<Result<storage::JobState>> fail(storage::Lease lease, storage::JobFailure failure,
                                     std::optional<Duration> again, Deadline by) override {
    if (down("fail")) co_return fault();
    auto out = co_await inner_.fail(std::move(lease), std::move(failure), again, by);
    if (lost("fail")) co_return fault();
    co_return out;
  }
  Co<Status> give_back(storage::Lease lease, Duration later, Deadline by) override {
    if (down("give_back")) co_return fault();
    auto out = co_await inner_.give_back(std::move(lease), later, by);
    if (lost("give_back")) co_return fault();
    co_return out;
  }
  Co<Result<storage::Job>> cancel(std::optional<storage::Owner> owner, storage::JobId id,
                                  Deadline by) override {
    if (down("cancel")) co_return fault();
    auto out = co_await inner_.cancel(std::move(owner), std::move(id), by);
    if (lost("cancel")) co_return fault();
    co_return out;
  }
  Co<Result<storage::Job>> retry(std::optional<storage::Owner> owner, storage::JobId id,
                                 std::uint32_t waiting_max, Deadline by) override {
    auto out = co_await inner_.retry(std::move(owner), std::move(id), waiting_max, by);
    co_return out;
  }
  Co<Result<storage::Job>> get(std::optional<storage::Owner> owner, storage::JobId id,
                               Deadline by) override {
    ++calls["get"];
    auto out = co_await inner_.get(std::move(owner), std::move(id), by);
    co_return out;
  }
  Co<Result<storage::PageOfJobs>> list(storage::JobFilter filter, storage::JobId after,
                                       std::uint32_t limit, Deadline by) override {
    auto out = co_await inner_.list(std::move(filter), std::move(after), limit, by);
    co_return out;
  }
  Co<Status> erase(std::optional<storage::Owner> owner, storage::JobId id, Deadline by) override {
    auto out = co_await inner_.erase(std::move(owner), std::move(id), by);
    co_return out;
  }
  Co<Result<Duration>> upkeep(Deadline by) override {
    if (down("upkeep")) co_return fault();
    auto out = co_await inner_.upkeep(by);
    co_return out;
  }
  storage::JobFigures figures() const override { return inner_.figures(); }

 private:
  static Error fault() { return Error::log(Errc::unavailable, "scripted fault"); }
  bool unlucky() { return dice != nullptr && one_in > 0 && dice->below(2 * one_in) == 0; }
  bool down(const std::string& verb) {
    ++calls[verb];
    return unlucky() || faults[verb].before-- > 0;
  }
  bool lost(const std::string& verb) { return unlucky() || faults[verb].after-- > 0; }
  storage::JobStore& inner_;
};

}  // namespace mainstay::jobs::test
