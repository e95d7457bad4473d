// The few calls of NVML that are needed, declared here: its header is not in Debian's main archive.
#include "resources/gpu.h"

#include <dlfcn.h>

#include <algorithm>
#include <string>

#include "resources/small_file.h"

namespace mainstay::resources {
namespace {

constexpr unsigned kGpusMax = 64;
constexpr unsigned kCoreTemperature = 0;  // NVML_TEMPERATURE_GPU

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct NvmlUse {
  unsigned gpu;
  unsigned memory;
};

template <class Function>
bool find(void* library, const char* symbol, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, symbol));
  return out != nullptr;
}

}  // namespace

struct GpuSensor::Library {
  using Device = void*;
  void* handle = nullptr;
  bool started = false;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, Device*) = nullptr;
  int (*memory)(Device, NvmlMemory*) = nullptr;
  int (*temperature)(Device, unsigned, unsigned*) = nullptr;
  int (*use)(Device, NvmlUse*) = nullptr;

  bool open(const std::string& path) {
    handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return false;
    const bool complete = find(handle, "nvmlInit_v2", init) &&
                          find(handle, "nvmlShutdown", shutdown) &&
                          find(handle, "nvmlDeviceGetCount_v2", count) &&
                          find(handle, "nvmlDeviceGetHandleByIndex_v2", device) &&
                          find(handle, "nvmlDeviceGetMemoryInfo", memory);
    find(handle, "nvmlDeviceGetTemperature", temperature);
    find(handle, "nvmlDeviceGetUtilizationRates", use);
    started = complete && init() == 0;
    return started;
  }
  ~Library() {
    if (started) shutdown();
    if (handle != nullptr) ::dlclose(handle);
  }
};

GpuSensor::GpuSensor(const Roots& roots) : roots_(roots) {
  if (roots_.nvml.empty()) return;
  auto library = std::make_unique<Library>();
  if (library->open(roots_.nvml)) library_ = std::move(library);
}

GpuSensor::~GpuSensor() = default;

std::vector<GpuFigures> GpuSensor::read() {
  std::vector<GpuFigures> out;
  unsigned count = 0;
  if (library_ && library_->count(&count) == 0) {
    for (unsigned i = 0; i < std::min(count, kGpusMax); ++i) {
      Library::Device device = nullptr;
      NvmlMemory memory{};
      if (library_->device(i, &device) != 0 || library_->memory(device, &memory) != 0) continue;
      GpuFigures gpu;
      gpu.index = i;
      gpu.memory_total = memory.total;
      gpu.memory_used = memory.used;
      unsigned degrees = 0;
      if (library_->temperature != nullptr &&
          library_->temperature(device, kCoreTemperature, &degrees) == 0) {
        gpu.temperature = degrees;
      }
      NvmlUse use{};
      if (library_->use != nullptr && library_->use(device, &use) == 0) {
        gpu.load = std::min(1.0, static_cast<double>(use.gpu) / 100);
      }
      out.push_back(gpu);
    }
  }
  if (!out.empty()) return out;
  // Jetson: thousandths of load; its memory is the machine's and is watched there.
  for (const char* place :
       {"/devices/gpu.0/load", "/devices/platform/gpu.0/load",
        "/devices/platform/17000000.gpu/load", "/devices/platform/17000000.ga10b/load",
        "/devices/platform/bus@0/17000000.gpu/load"}) {
    const auto load = read_number(roots_.sys + place);
    if (!load) continue;
    GpuFigures gpu;
    gpu.shares_memory = true;
    gpu.load = std::clamp(*load / 1000, 0.0, 1.0);
    out.push_back(gpu);
    break;
  }
  return out;
}

}  // namespace mainstay::resources
