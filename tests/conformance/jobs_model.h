// A model of a job store, small enough to be believed: plain lists, searched from end to end. It
// shares no code with the stores, not even the table of a job's life.
// Used by jobs_history_test.cpp.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/jobs.h"

namespace mainstay::storage {

/// Times are microseconds since the history began; `none` is no time.
struct ModelJob {
  static constexpr std::int64_t none = -1;
  std::string id, owner, key, digest, result;
  int priority = 1;
  std::string state;
  std::int64_t run_at = 0, expires = none, lease_end = none, ended_at = none;
  int attempts = 0, attempts_max = 3, silent = 0;
  int tokens = 0;         ///< attempts ever begun; a restart and a retry take one away, too
  std::string last_verb;  ///< what ended the attempt of the last token
  int turns = 0;          ///< its effects
};

class JobModel {
 public:
  int poison_after = 3;
  std::int64_t keep = 3'600'000'000, keep_dead = 7'200'000'000;
  std::int64_t now = 0;
  std::vector<ModelJob> all;  ///< in the order of arrival

  ModelJob* find(const std::string& id) {
    for (auto& job : all) {
      if (job.id == id) return &job;
    }
    return nullptr;
  }

  /// What happens by time alone, in any order of calls the same.
  void settle() {
    for (auto& job : all) {
      if ((job.state == "scheduled" || job.state == "queued") && expires_now(job)) {
        end(job, "expired");
      }
    }
    for (auto& job : all) {
      if (job.state == "running" && job.lease_end <= now) lose(job, true);
      if (job.state == "scheduled" && job.run_at <= now && !expires_now(job)) ready(job);
      if ((job.state == "scheduled" || job.state == "queued") && expires_now(job)) {
        end(job, "expired");
      }
    }
  }
  void restart() {
    settle();
    for (auto& job : all) {
      if (job.state != "running") continue;
      ++job.tokens;
      lose(job, false);
    }
    passed_over_.clear();
    settle();
  }

  std::string submit(ModelJob job, int waiting_max) {
    settle();
    const auto key = keys_.find({job.owner, job.key});
    if (!job.key.empty() && key != keys_.end()) {
      return key->second.second == job.digest ? "known " + key->second.first
                                              : "idempotency_key_reused";
    }
    if (find(job.id) != nullptr) return "known " + job.id;
    const bool expires = job.expires != ModelJob::none;
    if (expires && (job.expires <= now || job.expires <= job.run_at)) return "out_of_range";
    int waiting = 0;
    for (const auto& other : all) {
      waiting +=
          other.owner == job.owner && (other.state == "queued" || other.state == "scheduled");
    }
    if (waiting_max > 0 && waiting >= waiting_max) return "too_many_waiting_jobs";
    const std::string id = job.id;
    if (!job.key.empty()) keys_[{job.owner, job.key}] = {id, job.digest};
    all.push_back(std::move(job));
    ModelJob& mine = all.back();
    mine.state = "scheduled";
    if (mine.run_at <= now) ready(mine);
    return "new " + id;
  }

  /// The job that a store gave out; empty when it gave none. Answers what is wrong with that.
  std::string claim(const std::string& id, std::int64_t lease) {
    settle();
    const auto first = std::find_if(all.begin(), all.end(), [&](const ModelJob& job) {
      return job.state == "queued" && job.priority == best_ready();
    });
    if (id.empty()) return first == all.end() ? "" : first->id + " was ready";
    ModelJob* given = find(id);
    if (given == nullptr || given->state != "queued") return id + " was not ready";
    if (given->priority != best_ready()) return id + " is not of the highest class";
    std::set<std::string> others;
    for (const auto& job : all) {
      if (job.state != "queued" || job.priority != given->priority) continue;
      if (job.owner != given->owner) {
        others.insert(job.owner);
      } else if (&job < given) {
        return job.id + " is older than " + id;
      }
    }
    auto& waiting = passed_over_[given->priority];
    std::erase_if(waiting, [&](const auto& one) { return !others.contains(one.first); });
    for (const auto& other : others) {
      if (!waiting[other].insert(given->owner).second) {
        return given->owner + " came twice while " + other + " waited";
      }
    }
    given->state = "running";
    ++given->attempts;
    ++given->tokens;
    given->last_verb.clear();
    given->lease_end = now + lease;
    forget_turns();
    return "";
  }

  /// A verb with the lease of an attempt, given as how many attempts had begun with it.
  std::string verb(const std::string& what, const std::string& id, int tokens, std::int64_t again,
                   const std::string& result) {
    settle();
    ModelJob* job = find(id);
    if (job == nullptr) return "stale_lease";
    if (what != "extend" && job->tokens == tokens && job->last_verb == what) {
      if (what != "fail") return "ok";
      return job->state == "dead" ? "dead" : "scheduled";
    }
    if (job->state != "running" || job->tokens != tokens) return "stale_lease";
    if (what == "extend") {
      job->lease_end = now + again;
      return "ok";
    }
    job->last_verb = what;
    job->silent = 0;
    if (what == "complete") {
      job->result = result;
      ++job->turns;
      end(*job, "succeeded");
      return "ok";
    }
    if (what == "give_back") {
      --job->attempts;
      ready(*job);
      return "ok";
    }
    if (again < 0 || job->attempts >= job->attempts_max) {
      end(*job, "dead");
      return "dead";
    }
    job->state = "scheduled";
    job->run_at = now + again;
    return "scheduled";
  }

  std::string cancel(const std::string& id) {
    settle();
    ModelJob* job = find(id);
    if (job == nullptr) return "unknown_job";
    if (job->ended_at != ModelJob::none) return "job_ended";
    end(*job, "cancelled");
    return "ok";
  }
  std::string retry(const std::string& id) {
    settle();
    ModelJob* job = find(id);
    if (job == nullptr) return "unknown_job";
    if (job->ended_at == ModelJob::none) return "job_not_ended";
    if (job->state == "succeeded") return "job_succeeded";
    job->ended_at = job->expires = ModelJob::none;
    job->attempts = job->silent = 0;
    ++job->tokens;
    job->last_verb.clear();
    ready(*job);
    return "ok";
  }
  std::string erase(const std::string& id) {
    settle();
    ModelJob* job = find(id);
    if (job == nullptr) return "unknown_job";
    if (job->ended_at == ModelJob::none) return "job_not_ended";
    std::erase_if(all, [&](const ModelJob& one) { return one.id == id; });
    return "ok";
  }
  void upkeep() {
    settle();
    std::erase_if(all, [&](const ModelJob& job) {
      if (job.ended_at == ModelJob::none) return false;
      return job.ended_at + (job.state == "dead" ? keep_dead : keep) <= now;
    });
  }

  std::string describe(const ModelJob& job) const {
    return job.id.substr(4) + " " + job.state + " attempts " + std::to_string(job.attempts) +
           (job.result.empty() ? "" : " result " + job.result);
  }

 private:
  bool expires_now(const ModelJob& job) const {
    return job.expires != ModelJob::none && job.expires <= now;
  }
  int best_ready() const {
    int best = 99;
    for (const auto& job : all) {
      if (job.state == "queued") best = std::min(best, job.priority);
    }
    return best;
  }
  void lose(ModelJob& job, bool silently) {
    job.silent += silently ? 1 : 0;
    const bool dead = job.attempts >= job.attempts_max || (silently && job.silent >= poison_after);
    if (dead) {
      end(job, "dead");
    } else {
      ready(job);
    }
  }
  void ready(ModelJob& job) { job.state = "queued"; }
  void end(ModelJob& job, const char* how) {
    job.state = how;
    job.ended_at = now;
    forget_turns();
  }
  /// An owner without a ready job waits for no turn.
  void forget_turns() {
    for (auto& [priority, waiting] : passed_over_) {
      std::erase_if(waiting, [&, p = priority](const auto& one) {
        return std::none_of(all.begin(), all.end(), [&](const ModelJob& job) {
          return job.state == "queued" && job.priority == p && job.owner == one.first;
        });
      });
    }
  }

  /// For each class and waiting owner, who was served since it began to wait.
  std::map<int, std::map<std::string, std::set<std::string>>> passed_over_;
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::string>> keys_;
};

}  // namespace mainstay::storage
