// mainstay doctor: what was found, what was chosen and why, and a fix for each thing wrong.
#include "app/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "app/commands.h"
#include "app/engine.h"
#include "app/settings_check.h"
#include "app/terminal.h"
#include "base/version.h"

namespace mainstay::app {
void print_findings(const Findings& findings) {
  const bool color = wants_color(STDOUT_FILENO);
  for (const auto& f : findings) {
    const char* sign = f.mark == Mark::fine ? "✓" : f.mark == Mark::warn ? "!" : "✗";
    const char* paint = f.mark == Mark::fine   ? "\033[32m"
                        : f.mark == Mark::warn ? "\033[33m"
                                               : "\033[31m";
    std::printf("%s%s%s %-12s %s\n", color ? paint : "", sign, color ? "\033[0m" : "",
                f.check.c_str(), f.says.c_str());
    if (!f.fix.empty()) std::printf("  %-12s fix: %s\n", "", f.fix.c_str());
  }
  const auto count = [&](Mark mark) {
    return std::count_if(findings.begin(), findings.end(),
                         [mark](const Finding& f) { return f.mark == mark; });
  };
  const auto bad = count(Mark::bad);
  const auto warnings = count(Mark::warn);
  if (bad + warnings == 0) {
    std::printf("Nothing to fix.\n");
  } else {
    std::printf("%ld to fix, %ld to know about.\n", static_cast<long>(bad),
                static_cast<long>(warnings));
  }
}

Json findings_json(const Findings& findings) {
  Json checks = Json::array();
  for (const auto& f : findings) {
    checks.push_back(
        {{"check", f.check}, {"state", word(f.mark)}, {"says", f.says}, {"fix", f.fix}});
  }
  return checks;
}

bool all_fine_enough(const Findings& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& f) { return f.mark == Mark::bad; });
}

Findings all_findings(const config::Loaded& loaded, const Clock& clock) {
  const std::string dir = data_dir_of(loaded.settings);
  const config::Machine machine = config::read_machine("");
  const ResourceSettings& limits = loaded.settings.resources;
  Findings findings;
  for (auto part :
       {machine_findings(machine, resources::Roots{}, limits), choice_findings(loaded, machine),
        process_findings(clock), disk_findings(dir, limits), setup_findings(loaded, dir),
        database_findings(dir, clock), postgres_findings(loaded.settings),
        redis_findings(loaded.settings), tls_findings(loaded.settings),
        decoder_findings(loaded.settings), sound_findings(loaded.settings),
        host_findings(loaded.settings, resources::Roots{}), provider_findings(loaded.settings)}) {
    for (auto& finding : part) findings.push_back(std::move(finding));
  }
  return findings;
}

Json doctor_json(const config::Loaded& loaded, const Findings& findings) {
  const config::Machine machine = config::read_machine("");
  return {{"ok", all_fine_enough(findings)},
          {"version", version()},
          {"profile", loaded.profile},
          {"machine", {{"cores", machine.cores}, {"memory_bytes", machine.memory}}},
          {"checks", findings_json(findings)}};
}

Exit doctor(const Common& common) {
  auto loaded = load_settings(common);
  if (!loaded) return Exit::config;
  const RealClock clock;
  const Findings findings = all_findings(*loaded, clock);
  if (common.json) {
    std::printf("%s\n", doctor_json(*loaded, findings).dump(2).c_str());
  } else {
    print_findings(findings);
  }
  if (!unusable_settings(loaded->settings).empty()) return Exit::config;  // as a start would
  return all_fine_enough(findings) ? Exit::ok : Exit::failed;
}

}  // namespace mainstay::app
