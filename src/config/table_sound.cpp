// Rows of [sound]: keys, bounds and sentences. Defaults are those of settings_sound.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kSound = &Settings::sound;
using Sound = SoundSettings;
constexpr Range kProcesses{0, 64};

constexpr std::array kRows = {
    text<kSound, &Sound::program>(
        "sound.program", Form::any,
        "The program that reads sound; empty: mainstay-audio beside mainstay or in "
        "../libexec/mainstay."),
    row<kSound, &Sound::decoders>(
        "sound.decoders", kProcesses,
        "Processes that decode and encode sound at once; 0: one for each core, at most 2."),
    row<kSound, &Sound::recognisers>(
        "sound.recognisers", kProcesses,
        "Processes of the built-in recogniser at once, each with its model in memory; 0: one for "
        "each core, at most 2."),
    row<kSound, &Sound::speakers>(
        "sound.speakers", kProcesses,
        "Processes of the built-in voices at once; 0: one for each core, at most 2."),
    row<kSound, &Sound::threads>(
        "sound.threads", kProcesses,
        "Threads that decode one long file; 0: one for each core, at most 4."),
    row<kSound, &Sound::waiting_max>(
        "sound.waiting_max", kCount,
        "Files and texts that may wait for a process of each kind; further ones are refused."),
    row<kSound, &Sound::items_per_process>(
        "sound.items_per_process", kCount,
        "Files and texts that one process works at before it is replaced."),
    row<kSound, &Sound::memory>("sound.memory", {512 * kMiB, 64 * kGiB},
                                "Address space of one process, its libraries included."),
    row<kSound, &Sound::resident>(
        "sound.resident", {16 * kMiB, 64 * kGiB},
        "Memory that a process may hold after a file; one that holds more is replaced."),
    row<kSound, &Sound::recogniser_resident>("sound.recogniser_resident", {16 * kMiB, 64 * kGiB},
                                             "The same of a process of the recogniser."),
    row<kSound, &Sound::deadline>(
        "sound.deadline", {100, kDay},
        "Time that is waited for one file or text; its process is killed then."),
    row<kSound, &Sound::idle>("sound.idle", {100, kDay},
                              "Time after which a process that has nothing to do is ended."),
    row<kSound, &Sound::seconds_max>("sound.seconds_max", kCount, "Length of one file in seconds."),
    row<kSound, &Sound::channels_max>("sound.channels_max", {1, 64}, "Channels of one file."),
    row<kSound, &Sound::rate_max>("sound.rate_max", {8'000, 768'000},
                                  "Samples a second of one file."),
    row<kSound, &Sound::text_max>("sound.text_max", {1, 64 * kMiB},
                                  "Size of one text that the built-in voices speak."),
    text<kSound, &Sound::voice>("sound.voice", Form::any,
                                "The built-in voice where none is named: a voice of eSpeak NG.",
                                {1, 64}),
    text<kSound, &Sound::model>("sound.model", Form::any,
                                "Folder of the built-in recogniser's model.", {1, 4096}),
};

}  // namespace

std::span<const Row> sound_rows() {
  return kRows;
}

}  // namespace mainstay::config
