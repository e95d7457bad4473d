// Rows of [media]: keys, bounds and sentences. Defaults are those of settings.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kMedia = &Settings::media;
using Media = MediaSettings;

constexpr std::array kRows = {
    row<kMedia, &Media::decoders>(
        "media.decoders", {0, 64},
        "Processes that read PDFs and images at once; 0: one for each core, at most 2."),
    text<kMedia, &Media::decoder>(
        "media.decoder", Form::any,
        "The decoder program; empty: mainstay-decoder beside mainstay or in ../libexec/mainstay."),
    row<kMedia, &Media::decoder_memory>("media.decoder_memory", {256 * kMiB, 64 * kGiB},
                                        "Address space of one decoder, its libraries included."),
    row<kMedia, &Media::decoder_resident>(
        "media.decoder_resident", {16 * kMiB, 64 * kGiB},
        "Memory that a decoder may hold after a file; one that holds more is replaced."),
    row<kMedia, &Media::decoder_deadline>(
        "media.decoder_deadline", {100, kHour},
        "Time for reading one file; the decoder is killed then, and the file fails."),
    row<kMedia, &Media::decoder_idle>(
        "media.decoder_idle", {100, kDay},
        "Time after which a decoder that has nothing to do is ended."),
    row<kMedia, &Media::decoder_waiting_max>(
        "media.decoder_waiting_max", kCount,
        "Files that may wait for a decoder; further ones are refused."),
    row<kMedia, &Media::items_per_decoder>("media.items_per_decoder", kCount,
                                           "Files that one decoder reads before it is replaced."),
    row<kMedia, &Media::pdf_pages_max>("media.pdf_pages_max", kCount, "Pages of one PDF."),
    row<kMedia, &Media::pdf_text_max>("media.pdf_text_max", {kKiB, 64 * kGiB}, "Text of one PDF."),
    row<kMedia, &Media::image_pixels_max>(
        "media.image_pixels_max", {1, 1'000'000'000},
        "Pixels of a picture, looked at in its head before it is decoded, and of a result."),
    row<kMedia, &Media::image_bytes_max>("media.image_bytes_max", {kKiB, 4 * kGiB},
                                         "Size of one picture as a file."),
    row<kMedia, &Media::image_result_max>("media.image_result_max", {kKiB, kGiB},
                                          "Size of one result as a file."),
    row<kMedia, &Media::images_max>("media.images_max", {1, 10'000},
                                    "Pictures in one POST /v1/images."),
    row<kMedia, &Media::images_bytes_max>("media.images_bytes_max", {kKiB, 64 * kGiB},
                                          "Size of all pictures in one POST /v1/images."),
};

}  // namespace

std::span<const Row> media_rows() {
  return kRows;
}

}  // namespace mainstay::config
