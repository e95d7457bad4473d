// A stand-in for NVIDIA's management library: two GPUs whose figures come from the environment.
#include <cstdlib>

namespace {
constexpr unsigned long long kTotal = 1000;
unsigned long long used() {
  const char* text = std::getenv("FAKE_NVML_USED");
  return text == nullptr ? 100 : std::strtoull(text, nullptr, 10);
}
}  // namespace

extern "C" {
struct Memory {
  unsigned long long total, free, used;
};
struct Use {
  unsigned gpu, memory;
};
int nvmlInit_v2() {
  return std::getenv("FAKE_NVML_BROKEN") != nullptr ? 9 : 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static unsigned devices[2] = {0, 1};
  devices[index] = index;
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  *memory = {kTotal, kTotal - used(), used()};
  return *static_cast<unsigned*>(device) == 1 && std::getenv("FAKE_NVML_ONE") != nullptr ? 15 : 0;
}
int nvmlDeviceGetTemperature(void*, unsigned, unsigned* degrees) {
  *degrees = 61;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void*, Use* use) {
  *use = {37, 12};
  return 0;
}
}
