// Kill cycles and power cuts of the job stores, as many as wanted: tests/faults has the rig and a
// short form. Prints what was confirmed, lost and done twice; exit status 1 when that is not zero.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "faults/rig.h"

namespace {

using mainstay::faults::Plan;
using mainstay::faults::Report;

int usage() {
  std::fprintf(stderr,
               "soak/jobs [--cycles N] [--cuts N] [--store sqlite|redis|both] [--seed N]\n"
               "          [--claims lazy|strict] [--folder DIR]\n");
  return 2;
}

bool tell(const std::string& name, const Report& report) {
  std::printf("%s: %s\n", name.c_str(), report.text().c_str());
  for (const auto& [point, times] : report.kills_at) {
    std::printf("  %6llu  %s\n", static_cast<unsigned long long>(times), point.c_str());
  }
  for (const auto& fault : report.faults) std::printf("  FAULT %s\n", fault.c_str());
  std::fflush(stdout);
  return report.lost == 0 && report.twice == 0 && report.faults.empty();
}

}  // namespace

int main(int count, char** values) {
  Plan plan;
  plan.cycles = 1000;
  plan.look_each = 100;
  plan.talk = true;
  int cuts = 50;
  std::string store = "both";
  for (int i = 1; i < count; i += 2) {
    const std::string name = values[i];
    if (i + 1 >= count) return usage();
    const std::string value = values[i + 1];
    if (name == "--cycles")
      plan.cycles = std::atoi(value.c_str());
    else if (name == "--cuts")
      cuts = std::atoi(value.c_str());
    else if (name == "--store")
      store = value;
    else if (name == "--seed")
      plan.seed = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--claims")
      plan.claims = value;
    else if (name == "--folder")
      plan.folder = value;
    else
      return usage();
  }
  bool good = true;
  Plan power = plan;
  power.cycles = cuts;
  power.power = true;
  if (store != "redis") {
    if (plan.cycles > 0) good &= tell("SQLite, kills", kill_on_sqlite(plan));
    if (cuts > 0) good &= tell("SQLite, power cuts", kill_on_sqlite(power));
  }
  if (store != "sqlite") {
    if (plan.cycles > 0) good &= tell("Redis, kills", kill_on_redis(plan));
    if (cuts > 0) good &= tell("Redis, power cuts", kill_on_redis(power));
  }
  return good ? 0 : 1;
}
