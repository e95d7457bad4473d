// What `mainstay doctor` looks at: findings about the machine and about this installation.
// Used by app/doctor.cpp and tests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/load.h"
#include "config/profile.h"
#include "resources/disk.h"
#include "resources/roots.h"

namespace mainstay::app {

enum class Mark { fine, warn, bad };

/// One thing looked at.
struct Finding {
  Mark mark = Mark::fine;
  std::string check;  ///< stable word, for programs
  std::string says;   ///< what was found
  std::string fix;    ///< what to do; empty when nothing is wrong
};
using Findings = std::vector<Finding>;

const char* word(Mark mark);
/// One line for each, with its fix; colours on a terminal.
void print_findings(const Findings& findings);
/// [{"check", "state": "ok"|"warning"|"bad", "says", "fix"}]
Json findings_json(const Findings& findings);
/// Nothing is bad; warnings may be there.
bool all_fine_enough(const Findings& findings);

using DiskRoom = resources::DiskFigures;
/// Of the file system that holds `path`, or would; empty when it cannot be asked.
std::optional<DiskRoom> disk_room(const std::string& path);
Finding disk_finding(const DiskRoom& room, const std::string& dir, const ResourceSettings& limits);
Finding inode_finding(const DiskRoom& room, const std::string& dir);

/// Cores, memory, stalls, heat, GPU.
Findings machine_findings(const config::Machine& machine, const resources::Roots& roots,
                          const ResourceSettings& limits);
/// Disk, inodes and kind of the file system that holds `data_dir`.
Findings disk_findings(const std::string& data_dir, const ResourceSettings& limits);
/// Descriptors, threads, clock.
Findings process_findings(const Clock& clock);

/// Settings file, profile and what it chose, and why.
Findings choice_findings(const config::Loaded& loaded, const config::Machine& machine);
/// Data directory, permissions of what holds secrets, ports, the log's file.
Findings setup_findings(const config::Loaded& loaded, const std::string& data_dir);
/// The database files, read through when no server uses them.
Findings database_findings(const std::string& data_dir, const Clock& clock);
/// The server of storage.postgres_url, where there is one.
Findings postgres_findings(const Settings& settings);
/// The server of storage.redis_url, where there is one: its address, and whether it answers.
Findings redis_findings(const Settings& settings);
/// The certificate and key of server.tls_certificate, where there is one.
Findings tls_findings(const Settings& settings);
/// The decoder for PDFs and images, started once to be asked.
Findings decoder_findings(const Settings& settings);
/// The program for sound, started once to be asked, and what it hears and speaks with.
Findings sound_findings(const Settings& settings);
/// The programs of model hosts, and the room for them; none without hosts.
Findings host_findings(const Settings& settings, const resources::Roots& roots);
/// Each provider, asked for its models.
Findings provider_findings(const Settings& settings);

/// All of the above.
Findings all_findings(const config::Loaded& loaded, const Clock& clock);
/// What `mainstay doctor --json` and GET /admin/doctor say of them.
Json doctor_json(const config::Loaded& loaded, const Findings& findings);

/// Why `auto` picked `profile` for the machine.
std::string profile_reason(const config::Machine& machine, const std::string& profile);

}  // namespace mainstay::app
