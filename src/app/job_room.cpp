// Making the parts, spreading the slots over the loops, and draining them together.
#include "app/job_room.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "api/status.h"
#include "jobs/figures.h"
#include "jobs/upkeep.h"

namespace mainstay::app {
namespace {

/// For a drain that nobody began: a start that failed, when nothing runs yet.
constexpr Duration kQuickDrain = std::chrono::seconds(1);

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

jobs::Tools tools_of(const JobRoom::Parts& parts, jobs::Post& post) {
  jobs::Tools tools{parts.settings,      parts.clock, parts.random, parts.log, parts.in_force,
                    parts.stores.jobs(), post,        {},           {},        {}};
  tools.cleanup = parts.cleanup;
  tools.status_of = [](const Error& error) { return api::http_status(error.code); };
  tools.body_of = [](const Error& error) { return api::error_json(error); };
  if (parts.shelf != nullptr) {
    tools.files = &parts.stores.files();
    tools.shelf = parts.shelf;
    tools.decoders = parts.decoders;
    tools.archives = parts.archives;
  }
  return tools;
}

}  // namespace

JobRoom::JobRoom(Parts parts)
    : parts_(std::move(parts)),
      post_(parts_.settings.jobs.webhooks, parts_.client),
      kinds_(jobs::all_kinds(tools_of(parts_, post_))),
      desk_(std::make_unique<jobs::Desk>(parts_.settings, parts_.clock, parts_.random, parts_.log,
                                         parts_.admission, *kinds_, parts_.stores.jobs(),
                                         parts_.stores.signal())),
      batches_(parts_.settings.batches, parts_.clock, parts_.random, parts_.stores) {
  make_groups();
  if (parts_.shelf != nullptr) {
    feeder_ = std::make_unique<jobs::BatchFeeder>(
        jobs::FeederParts{parts_.settings, parts_.clock, parts_.log, *desk_, parts_.stores,
                          *parts_.shelf},
        groups_.front()->loop->get_executor());
  }
  jobs::show_store(parts_.metrics, parts_.stores.jobs());
  for (const auto& group : groups_) jobs::show_workers(parts_.metrics, *group->workers);
}

JobRoom::~JobRoom() = default;

/// Names are of this start alone: a store tells a worker that came back from the one that died.
void JobRoom::make_groups() {
  const auto loops = parts_.loops.contexts();
  const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::uint32_t slots = jobs::worker_slots(parts_.settings.jobs.workers, cores);
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(loops.size(), slots));
  const std::string start = make_id((host_name() + "-").c_str(), parts_.clock, parts_.random);
  for (std::uint32_t i = 0; i < count; ++i) {
    jobs::WorkersSetup setup;
    setup.name = start + "-" + std::to_string(i);
    setup.slots = slots / count + (i < slots % count ? 1 : 0);
    setup.kinds = taken();
    setup.factor = [this] { return factor(); };
    auto group = std::make_unique<Group>();
    group->loop = loops[i];
    group->workers = std::make_unique<jobs::Workers>(
        parts_.settings, std::move(setup), parts_.clock, parts_.random, parts_.log, parts_.metrics,
        *kinds_, parts_.stores.jobs(), parts_.stores.signal(), loops[i]->get_executor());
    groups_.push_back(std::move(group));
  }
}

/// Kinds that the workers take; empty: all. With SQLite nobody shares the queue.
std::vector<std::string> JobRoom::taken() const {
  if (!parts_.kinds.empty()) return parts_.kinds;
  const std::string& runs = parts_.settings.jobs.runs;
  if (parts_.settings.storage.redis_url.empty() || runs == "all") return {};
  auto out = kinds_->names();
  if (runs == "own") {
    for (auto& name : out) name += storage::kAtHome;
  }
  return out;
}

/// Jobs can wait: they are the first that a machine under pressure does less of.
double JobRoom::factor() const {
  const double permits = parts_.governor.permit_factor();
  const bool sheds = parts_.governor.sheds(resources::ShedPoint::batch_jobs);
  return sheds ? std::min(permits, 0.5) : permits;
}

void JobRoom::start() {
  for (const auto& one : groups_) {
    Group* group = one.get();
    asio::post(*group->loop, [this, group] {
      if (draining_.load()) return;
      group->workers->start();
      const bool feeds = feeder_ && parts_.kinds.empty();
      if (feeds && group == groups_.front().get()) feeder_->start();
    });
  }
  parts_.loops.spawn("jobs.upkeep", [this] {
    return jobs::keep_up(parts_.clock, parts_.log, parts_.stores.jobs(), parts_.stores.leader());
  });
}

void JobRoom::begin_drain(Deadline by) {
  if (draining_.exchange(true)) return;
  for (const auto& one : groups_) {
    Group* group = one.get();
    asio::post(*group->loop, [this, group, by] {
      asio::co_spawn(group->loop->get_executor(), end(*group, by),
                     [group](std::exception_ptr) { group->ended.set_value(); });
    });
  }
}

Co<> JobRoom::end(Group& group, Deadline by) {
  if (feeder_ && &group == groups_.front().get()) co_await feeder_->close();
  const auto given_back = co_await group.workers->drain(by);
  if (given_back > 0) {
    parts_.log.info("jobs.given_back",
                    {{"worker", group.workers->figures().name}, {"jobs", given_back}});
  }
  co_await group.workers->close();
}

Status JobRoom::stop() {
  begin_drain(Deadline::in(parts_.clock, kQuickDrain));
  for (const auto& group : groups_) group->ended.get_future().wait();
  return done();
}

std::vector<jobs::WorkerFigures> JobRoom::figures() const {
  std::vector<jobs::WorkerFigures> out;
  for (const auto& group : groups_) out.push_back(group->workers->figures());
  return out;
}

}  // namespace mainstay::app
