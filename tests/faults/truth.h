// What the outside knows of the jobs that jobs_child.cpp hands in and runs, from the lines it
// prints, and what a store must therefore hold. No store keeps this: it is what stores are held
// against.
// Used by rig.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/jobs.h"

namespace mainstay::faults {

struct Report {
  std::uint64_t kills = 0;
  std::map<std::string, std::uint64_t> kills_at;  ///< by named point
  std::uint64_t confirmed = 0;
  std::uint64_t executions = 0;
  std::uint64_t repeats = 0;      ///< executions of a job after its first
  std::uint64_t stale = 0;        ///< outcomes refused for their lease
  std::uint64_t lost = 0;         ///< confirmed, and not there or without the end they must have
  std::uint64_t twice = 0;        ///< effects beyond the first
  std::uint64_t lost_writes = 0;  ///< by power cuts
  std::uint64_t mended = 0;       ///< files that Redis could not load without help
  std::vector<std::string> faults;

  std::string text() const {
    std::ostringstream out;
    out << kills << " kills, " << confirmed << " confirmed, lost " << lost << ", effects twice "
        << twice << ", " << executions << " executions (" << repeats << " repeated), " << stale
        << " stale outcomes refused";
    if (lost_writes > 0) out << ", " << lost_writes << " writes lost by power cuts";
    if (mended > 0) out << ", " << mended << " files mended by hand";
    return out.str();
  }
};

class Truth {
 public:
  void hear(const std::string& line) {
    std::istringstream words(line);
    std::string what, first, second;
    words >> what >> first >> second;
    if (what == "try") {
      keys_.try_emplace(first);
    } else if (what == "yes") {
      hear_confirmed(first, second);
    } else if (what == "run") {
      ++report.executions;
      if (++jobs_[first].runs > 1) ++report.repeats;
    } else if (what == "done") {
      auto& acked = jobs_[first].acked;
      if (!acked.empty() && acked != second) {
        ++report.twice;
        fault(first + " was completed by " + acked + " and " + second);
      }
      acked = second;
    } else if (what == "stale") {
      ++report.stale;
    } else if (what == "cancel?") {
      jobs_[first].cancel_tried = true;
    } else if (what == "cancelled") {
      jobs_[first].cancelled = true;
    } else if (what == "retry?") {
      jobs_[first].retry_tried = true;
    } else if (what == "fault") {
      fault(line);
    }
  }
  /// Keys that got no answer: a client sends them again.
  std::vector<std::string> unanswered() const {
    std::vector<std::string> out;
    for (const auto& [key, job] : keys_) {
      if (job.empty()) out.push_back(key);
    }
    return out;
  }

  /// All jobs of the store. `at_the_end`: nothing waits or runs any more.
  void hold_against(const std::vector<storage::Job>& all, bool at_the_end) {
    std::unordered_map<std::string, const storage::Job*> by_id;
    std::unordered_map<std::string, std::vector<const storage::Job*>> marks;
    std::set<std::string> keys;
    for (const auto& job : all) {
      if (!by_id.emplace(job.job.id.text(), &job).second) fault("twice listed");
      if (job.job.kind == "mark") marks[job.job.batch].push_back(&job);
      if (!job.job.key.empty() && !keys.insert(job.job.key).second) {
        ++report.twice;
        fault("two jobs of the key " + job.job.key);
      }
    }
    for (const auto& [key, id] : keys_) {
      if (!id.empty() && !by_id.contains(id)) lose(id, "is not there");
    }
    for (const auto& job : all) {
      if (job.job.kind == "work") hold_one(job, marks[job.job.id.text()], at_the_end);
      if (job.job.kind == "mark" && at_the_end && job.state != storage::JobState::succeeded) {
        lose(job.job.id.text(), "did not run and is " + std::string(name(job.state)));
      }
    }
  }

  void fault(const std::string& what) {
    if (report.faults.size() < 20) report.faults.push_back(what);
  }

  Report report;

 private:
  struct Known {
    std::uint64_t runs = 0;
    std::string acked;  ///< the token whose completion was confirmed
    bool cancel_tried = false;
    bool cancelled = false;
    bool retry_tried = false;
  };

  void lose(const std::string& id, const std::string& how) {
    ++report.lost;
    fault(id + " " + how);
  }
  void hear_confirmed(const std::string& key, const std::string& id) {
    std::string& known = keys_[key];
    if (!known.empty() && known != id) {
      ++report.twice;
      fault("the key " + key + " gave " + known + " and " + id);
    }
    if (known.empty()) ++report.confirmed;
    known = id;
  }
  void hold_one(const storage::Job& job, const std::vector<const storage::Job*>& marks,
                bool at_the_end) {
    using storage::JobState;
    const std::string& id = job.job.id.text();
    const Known& known = jobs_[id];
    if (marks.size() > 1) {
      report.twice += marks.size() - 1;
      fault(id + " had its effect " + std::to_string(marks.size()) + " times");
    }
    const bool succeeded = job.state == JobState::succeeded;
    if (succeeded != (marks.size() == 1))
      lose(id, "has a result without its effect, or the reverse");
    if (succeeded && !marks.empty() &&
        marks[0]->job.id.text() != id + "-t" + std::to_string(job.token)) {
      lose(id, "has the effect of another attempt than the recorded one");
    }
    if (!known.acked.empty() && (!succeeded || known.acked != std::to_string(job.token))) {
      lose(id, "was completed and is " + std::string(name(job.state)));
    }
    if (known.cancelled && !known.retry_tried && job.state != JobState::cancelled) {
      lose(id, "was cancelled and is " + std::string(name(job.state)));
    }
    const bool may_be_cancelled = known.cancel_tried && job.state == JobState::cancelled;
    if (at_the_end && !succeeded && !may_be_cancelled) {
      lose(id, "ended as " + std::string(name(job.state)));
    }
  }

  std::map<std::string, std::string> keys_;  ///< the job of each; empty: not confirmed
  std::unordered_map<std::string, Known> jobs_;
};

}  // namespace mainstay::faults
