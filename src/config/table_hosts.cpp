// Rows of [[hosts]], [hosting] and [wyoming]: keys, bounds and sentences. Defaults are those of
// settings_hosts.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

using H = HostSettings;
constexpr std::array kHostRows = {
    text<&H::name>("name", Form::name, "Name of the host; required, used by providers.", {1, 64}),
    text<&H::command>("command", Form::any,
                      "Program to run: a path, or a name that is looked for in PATH; required.",
                      {1, 4096}),
    row<&H::arguments>("arguments", {0, 1000},
                       "Its arguments; {port} in them stands for the port."),
    row<&H::environment>("environment", {0, 1000},
                         "NAME=VALUE for the program, beside PATH, HOME and their like."),
    row<&H::port>("port", {1, 65'535}, "Port on 127.0.0.1 that the program listens on; required."),
    text<&H::ready_path>("ready_path", Form::any,
                         "Path that answers 2xx once the program is ready, as \"/health\"; empty: "
                         "it is ready when it takes connections.",
                         {0, 1024}),
    row<&H::memory>("memory", {0, 4096 * kGiB},
                    "Memory that it takes; 0: what was measured when it ran last."),
    row<&H::gpu_memory>("gpu_memory", {0, 4096 * kGiB},
                        "Memory that it takes on GPUs; 0: it is not placed on any."),
    row<&H::start_timeout>("start_timeout", kTimeout,
                           "Time to get ready; a program that takes longer is killed."),
    row<&H::stop_timeout>("stop_timeout", {1, kHour},
                          "Time between SIGTERM and SIGKILL for the program and all it started."),
    row<&H::idle_timeout>("idle_timeout", {0, 30 * kDay},
                          "Stop it when it was not used for so long; 0: never for that."),
    row<&H::restarts_max>("restarts_max", {0, 1000},
                          "Failures within restart_window; one more, and it is given up."),
    row<&H::restart_window>("restart_window", {1, 30 * kDay},
                            "Time over which failures count; one that was given up rests as long."),
    row<&H::backoff_min>("backoff_min", {1, kHour},
                         "Pause after the first failure; doubles with each."),
    row<&H::backoff_max>("backoff_max", {1, kDay}, "Longest pause between two starts."),
};

constexpr auto kHosting = &Settings::hosting;
using G = HostingSettings;
constexpr auto kWyoming = &Settings::wyoming;
using W = WyomingSettings;
constexpr std::array kRows = {
    row<kHosting, &G::memory_max>("hosting.memory_max", {0, 4096 * kGiB},
                                  "Memory of all model hosts together; 0: what the machine has "
                                  "free."),
    row<kHosting, &G::memory_spare>("hosting.memory_spare", {0, 4096 * kGiB},
                                    "Memory of the machine that a start of a host leaves free."),
    row<kHosting, &G::gpu_spare>("hosting.gpu_spare", {0, 4096 * kGiB},
                                 "Memory of a GPU that a start of a host leaves free."),
    row<kHosting, &G::waiting_max>("hosting.waiting_max", kCount,
                                   "Requests that may wait for one host; more are refused."),
    row<kHosting, &G::wait_timeout>("hosting.wait_timeout", kTimeout,
                                    "Longest wait of a request for its host to be ready."),
    row<kHosting, &G::patience>(
        "hosting.patience", kTimeout,
        "A host that waits so long for room makes busy ones take no further "
        "requests until they can be stopped."),
    row<kHosting, &G::probe_interval>("hosting.probe_interval", {10, kHour},
                                      "Time between two looks whether a host is ready."),
    row<kHosting, &G::measure_interval>("hosting.measure_interval", {100, kHour},
                                        "Time between two looks at the memory of a host."),
    row<kHosting, &G::settle>("hosting.settle", {1, kHour},
                              "Time in which the memory of a host must come back after its end."),
    text<kWyoming, &W::listen>("wyoming.listen", Form::host_port,
                               "Where the Wyoming server for Home Assistant listens, e.g. "
                               "127.0.0.1:10700; empty: it is off."),
    row<kWyoming, &W::allow>("wyoming.allow", {0, 1000},
                             "Addresses and networks (192.168.1.5, 192.168.1.0/24) that may "
                             "connect, beside this machine; the protocol has no passwords."),
    text<kWyoming, &W::user>("wyoming.user", Form::name,
                             "User to whom its conversations and limits are counted.", {1, 64}),
    text<kWyoming, &W::chat_model>("wyoming.chat_model", Form::any,
                                   "Model that answers; empty: models.default_model.", {0, 256}),
    text<kWyoming, &W::transcription_model>("wyoming.transcription_model", Form::any,
                                            "Model that hears; empty: models.transcription.",
                                            {0, 256}),
    text<kWyoming, &W::speech_model>("wyoming.speech_model", Form::any,
                                     "Model that speaks; empty: models.speech.", {0, 256}),
    row<kWyoming, &W::connections_max>("wyoming.connections_max", {1, 10'000},
                                       "Connections at once; further ones are closed."),
    row<kWyoming, &W::audio_max>("wyoming.audio_max", {kKiB, 4 * kGiB}, "Size of one recording."),
    row<kWyoming, &W::text_max>("wyoming.text_max", {1, 64 * kMiB},
                                "Size of one text to speak or to answer."),
    row<kWyoming, &W::idle_timeout>("wyoming.idle_timeout", {100, 30 * kDay},
                                    "A connection without an event for so long is closed."),
    row<kWyoming, &W::event_timeout>("wyoming.event_timeout", {100, kHour},
                                     "Time for the rest of an event that has begun, and for a "
                                     "write."),
    row<kWyoming, &W::answer_timeout>("wyoming.answer_timeout", {100, kHour},
                                      "Time for one transcript, one answer or one text spoken."),
};

}  // namespace

std::span<const Row> host_rows() {
  return kHostRows;
}
std::span<const Row> hosting_rows() {
  return kRows;
}

}  // namespace mainstay::config
