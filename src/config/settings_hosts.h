// Settings of model hosts and of the Wyoming server: [[hosts]], [hosting], [wyoming]. Included by
// settings.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"

namespace mainstay {

/// [[hosts]] one model server that Mainstay starts and ends itself.
struct HostSettings {
  std::string name;
  std::string command;                   ///< a path, or a name that is looked for in PATH
  std::vector<std::string> arguments;    ///< {port} stands for the port
  std::vector<std::string> environment;  ///< NAME=VALUE
  std::uint32_t port = 8090;             ///< on 127.0.0.1
  std::string ready_path;  ///< answers 2xx when it is ready; empty: it takes connections
  Bytes memory{0};         ///< that it takes; 0: measured once it ran
  Bytes gpu_memory{0};     ///< of GPUs; 0: it needs none
  std::chrono::milliseconds start_timeout{120'000};  ///< until it is ready
  std::chrono::milliseconds stop_timeout{10'000};    ///< from SIGTERM to SIGKILL
  std::chrono::milliseconds idle_timeout{600'000};   ///< stopped when unused so long; 0: never
  std::uint32_t restarts_max = 5;                    ///< failures in restart_window
  std::chrono::milliseconds restart_window{300'000};
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{30'000};
};

/// [hosting] what all model hosts share.
struct HostingSettings {
  Bytes memory_max{0};               ///< of all hosts together; 0: what the machine has free
  Bytes memory_spare = 256_MiB;      ///< left free when a host starts
  Bytes gpu_spare = 128_MiB;         ///< the same on each GPU
  std::uint32_t waiting_max = 1000;  ///< requests that wait for one host
  std::chrono::milliseconds wait_timeout{120'000};    ///< of one request
  std::chrono::milliseconds patience{10'000};         ///< of a host that waits for room
  std::chrono::milliseconds probe_interval{200};      ///< between two looks whether it is ready
  std::chrono::milliseconds measure_interval{2'000};  ///< between two looks at its memory
  std::chrono::milliseconds settle{5'000};            ///< for memory to come back after an end
};

/// [wyoming] the server for Home Assistant.
struct WyomingSettings {
  std::string listen;               ///< HOST:PORT; empty: off
  std::vector<std::string> allow;   ///< addresses and networks that may connect, beside loopback
  std::string user = "wyoming";     ///< whose conversations and limits its callers have
  std::string chat_model;           ///< empty: models.default_model
  std::string transcription_model;  ///< empty: models.transcription
  std::string speech_model;         ///< empty: models.speech
  std::uint32_t connections_max = 32;
  Bytes audio_max = 32_MiB;                           ///< of one recording
  Bytes text_max = 16_KiB;                            ///< of one text to speak or to answer
  std::chrono::milliseconds idle_timeout{3'600'000};  ///< of a connection without an event
  std::chrono::milliseconds event_timeout{30'000};    ///< for the rest of an event, and for a write
  std::chrono::milliseconds answer_timeout{120'000};  ///< for one transcript, answer or speech
};

}  // namespace mainstay
