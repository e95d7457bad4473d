// A scripted program behind the admin endpoints.
// Used by the api's tests.
#pragma once

#include "api/admin.h"

namespace mainstay::api::test {

class FakeProgram final : public Program {
 public:
  explicit FakeProgram(Clock& clock) : clock_(clock), started_(clock.wall()) {}
  ConfigFigures config() const override { return figures; }
  Json settings() const override { return {{"log.level", {{"value", "info"}}}}; }
  Co<Result<ReloadReport>> reload(std::string who, Deadline) override {
    reload_asked_by.push_back(std::move(who));
    if (reload_error) co_return *reload_error;
    ++figures.version;
    ReloadReport report;
    report.version = figures.version;
    report.changed = {"log.level"};
    report.restart = {"server.listen"};
    report.unreachable = {"provider-y"};
    report.models_rebuilt = true;
    report.took = std::chrono::milliseconds(12);
    co_return report;
  }
  Co<Result<CleanupReport>> cleanup(Deadline) override {
    CleanupReport report;
    report.sessions = 3;
    report.cached_answers = 17;
    report.bytes = 4096;
    co_return report;
  }
  std::vector<TaskInfo> tasks() const override {
    TaskInfo running;
    running.id = 7;
    running.name = "starter.ingest";
    running.state = "running";
    running.cancellable = true;
    running.started = started_;
    TaskInfo ended = running;
    ended.id = 5;
    ended.state = "failed";
    ended.why = "no disk";
    ended.ended = clock_.wall();
    return {running, ended};
  }
  Status cancel_task(std::uint64_t id) override {
    if (id == 7) return done();
    return Error::say(Errc::not_found, "unknown_task", "There is no such task.");
  }
  Co<Result<std::vector<storage::DatabaseFigures>>> databases(Deadline) override {
    storage::DatabaseFigures one;
    one.name = "conversations";
    one.page_size = 4096;
    one.pages = 11;
    one.free_pages = 2;
    one.timings.push_back({"append", 9, 0.0012345, 0.00125, 0.0025});
    std::vector<storage::DatabaseFigures> out;
    out.push_back(std::move(one));
    co_return out;
  }
  Co<Result<Json>> resources(Deadline) override {
    const Json out = {{"process", {{"resident_bytes", 1}}}};
    co_return out;
  }
  Json alerts() const override { return Json::array({{{"name", "disk"}}}); }
  Co<Result<Json>> doctor(Deadline) override {
    ++doctor_asked;
    const Json check = {{"check", "memory"}, {"state", "ok"}, {"says", "4 GiB"}, {"fix", ""}};
    const Json out = {{"ok", true},          {"version", "0"},
                      {"profile", "server"}, {"machine", {{"cores", 2}}},
                      {"took_ms", 3},        {"checks", Json::array({check})}};
    co_return out;
  }
  std::size_t cleanups() const override { return 3; }
  WallTime started() const override { return started_; }

  ConfigFigures figures;
  std::optional<Error> reload_error;
  std::vector<std::string> reload_asked_by;
  int doctor_asked = 0;

 private:
  Clock& clock_;
  const WallTime started_;
};

}  // namespace mainstay::api::test
