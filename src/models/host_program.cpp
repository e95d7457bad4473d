// A model server's command line and environment.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "models/host_program.h"

extern char** environ;

namespace mainstay::models {
namespace {

/// Of our own environment; anything else might be a secret of ours.
constexpr std::array kPassed = {std::string_view("PATH"),    std::string_view("HOME"),
                                std::string_view("USER"),    std::string_view("LANG"),
                                std::string_view("LC_ALL"),  std::string_view("TZ"),
                                std::string_view("TMPDIR"),  std::string_view("LD_LIBRARY_PATH"),
                                std::string_view("HF_HOME"), std::string_view("VIRTUAL_ENV")};
constexpr std::array kPassedPrefixes = {
    std::string_view("CUDA_"),  std::string_view("NVIDIA_"), std::string_view("HIP_"),
    std::string_view("ROCR_"),  std::string_view("HSA_"),    std::string_view("GGML_"),
    std::string_view("LLAMA_"), std::string_view("OMP_"),    std::string_view("XDG_")};

bool may_pass(std::string_view name) {
  if (name.ends_with("_KEY") || name.ends_with("_TOKEN")) return false;  // e.g. LLAMA_API_KEY
  return std::find(kPassed.begin(), kPassed.end(), name) != kPassed.end() ||
         std::any_of(kPassedPrefixes.begin(), kPassedPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string_view name_of(std::string_view pair) {
  return pair.substr(0, pair.find('='));
}

/// A later pair of the same name replaces the earlier one.
void put(std::vector<std::string>& environment, std::string pair) {
  std::erase_if(environment, [&](const std::string& one) { return name_of(one) == name_of(pair); });
  environment.push_back(std::move(pair));
}

bool can_run(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::vector<std::string> host_environment(const HostSettings& host,
                                          const std::vector<std::uint32_t>& gpus) {
  std::vector<std::string> out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    if (may_pass(name_of(*at))) out.emplace_back(*at);
  }
  if (!gpus.empty()) {
    std::string list;
    for (const auto gpu : gpus) list += (list.empty() ? "" : ",") + std::to_string(gpu);
    put(out, "CUDA_DEVICE_ORDER=PCI_BUS_ID");  // the numbering that the sensors use
    put(out, "CUDA_VISIBLE_DEVICES=" + list);
    put(out, "NVIDIA_VISIBLE_DEVICES=" + list);
  }
  put(out, "PORT=" + std::to_string(host.port));
  for (const auto& pair : host.environment) put(out, pair);
  return out;
}

std::vector<std::string> host_arguments(const HostSettings& host) {
  constexpr std::string_view kPort = "{port}";
  std::vector<std::string> out{host.command};
  for (std::string argument : host.arguments) {
    const std::string port = std::to_string(host.port);
    for (auto at = argument.find(kPort); at != std::string::npos;
         at = argument.find(kPort, at + port.size())) {
      argument.replace(at, kPort.size(), port);
    }
    out.push_back(std::move(argument));
  }
  return out;
}

std::string find_program(const std::string& command) {
  if (command.find('/') != std::string::npos) return can_run(command) ? command : std::string();
  const char* const path = std::getenv("PATH");
  std::string_view left = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!left.empty()) {
    const auto end = std::min(left.find(':'), left.size());
    const std::string at = std::string(left.substr(0, end)) + "/" + command;
    if (end > 0 && can_run(at)) return at;
    left.remove_prefix(std::min(left.size(), end + 1));
  }
  return {};
}

}  // namespace mainstay::models
