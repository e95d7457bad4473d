// Facts about the machine that do not change while the program runs: what `doctor` prints.
// Used by app. Never throws; what is not there is empty or zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "resources/disk.h"
#include "resources/gpu.h"
#include "resources/heat.h"
#include "resources/memory.h"
#include "resources/roots.h"

namespace mainstay::resources {

enum class DiskKind : std::uint8_t { unknown, memory, solid, rotating };
std::string_view name(DiskKind kind) noexcept;

struct Machine {
  std::uint32_t cores = 1;         ///< that the control group's quota leaves, rounded up
  std::uint32_t cores_online = 1;  ///< that this process may run on
  MemoryFigures memory;
  std::uint64_t memory_total = 0;  ///< bytes that count: the control group's limit, else all
  DiskKind data_kind = DiskKind::unknown;
  std::optional<DiskFigures> data_disk;
  std::string audio_folder;  ///< RAM for temporary files; empty: there is none with room
  std::vector<GpuFigures> gpus;
  std::vector<HeatZone> heat;
  bool container = false;
  std::string model;  ///< "NVIDIA Jetson Orin Nano ..." of the device tree; empty: none
};

/// Reads it all; some milliseconds. `data_dir` exists, or its nearest parent is looked at.
Machine read_machine(const Roots& roots, const std::string& data_dir);

/// Where temporary audio goes: RAM where it spares flash, else files, else inline in the reply.
enum class AudioPlace : std::uint8_t { memory, disk, inline_only };
std::string_view name(AudioPlace place) noexcept;
AudioPlace audio_place(const Machine& machine) noexcept;

}  // namespace mainstay::resources
