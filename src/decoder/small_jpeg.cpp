// The decoder's own way around: memory in, rows out, damage by longjmp.
#include "decoder/small_jpeg.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
// Needs what <cstdio> brings.
#include <jpeglib.h>

namespace mainstay::decoder {
namespace {

constexpr std::uint64_t kResultMax = 8ULL << 20;
constexpr std::size_t kPiece = 64 << 10;

/// libjpeg's state, what its calls back need, and all that must outlive a jump.
struct Reading {
  jpeg_decompress_struct state{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  std::jmp_buf damaged{};
  int file = -1;
  off_t at = 0;
  SmallJpeg out;
  std::unique_ptr<unsigned char[]> row;
  std::array<JOCTET, kPiece> piece;

  explicit Reading(int from) : file(from) {
    state.err = jpeg_std_error(&errors);
    state.client_data = this;
    errors.error_exit = &give_up;
    errors.emit_message = &give_up_if_damaged;
    source.init_source = source.term_source = [](j_decompress_ptr) {};
    source.fill_input_buffer = &fill;
    source.skip_input_data = &skip;
    source.resync_to_restart = &jpeg_resync_to_restart;
  }
  ~Reading() { jpeg_destroy_decompress(&state); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  static Reading& of(void* client_data) { return *static_cast<Reading*>(client_data); }
  [[noreturn]] static void give_up(j_common_ptr state) {
    std::longjmp(of(state->client_data).damaged, 1);
  }
  static void give_up_if_damaged(j_common_ptr state, int level) {
    if (level < 0) give_up(state);  // others are traces
  }
  static boolean fill(j_decompress_ptr state) {
    Reading& self = of(state->client_data);
    const auto got = ::pread(self.file, self.piece.data(), self.piece.size(), self.at);
    if (got <= 0) std::longjmp(self.damaged, 1);
    self.at += got;
    self.source.next_input_byte = self.piece.data();
    self.source.bytes_in_buffer = static_cast<std::size_t>(got);
    return TRUE;
  }
  static void skip(j_decompress_ptr state, long count) {
    jpeg_source_mgr& source = of(state->client_data).source;
    while (count > static_cast<long>(source.bytes_in_buffer)) {
      count -= static_cast<long>(source.bytes_in_buffer);
      fill(state);
    }
    if (count <= 0) return;
    source.next_input_byte += count;
    source.bytes_in_buffer -= static_cast<std::size_t>(count);
  }
};

/// To the first row. Nothing in these two may own anything: damage jumps over them.
bool begin(Reading& reading, unsigned shrink) {
  jpeg_decompress_struct& state = reading.state;
  jpeg_create_decompress(&state);
  state.src = &reading.source;
  jpeg_read_header(&state, TRUE);
  const auto colours = state.jpeg_color_space;
  if (colours != JCS_YCbCr && colours != JCS_RGB && colours != JCS_GRAYSCALE) return false;
  SmallJpeg& out = reading.out;
  out.bands = colours == JCS_GRAYSCALE ? 1 : 3;
  state.out_color_space = colours == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  state.scale_num = 1;
  state.scale_denom = shrink;
  out.size = {state.image_width / shrink, state.image_height / shrink};
  if (pixels(out.size) == 0 || out.bytes() > kResultMax) return false;
  jpeg_start_decompress(&state);
  return state.output_width >= out.size.width && state.output_height >= out.size.height;
}

void read_rows(Reading& reading) {
  const SmallJpeg& out = reading.out;
  const std::size_t row_bytes = std::size_t{out.size.width} * static_cast<unsigned>(out.bands);
  while (reading.state.output_scanline < out.size.height) {
    const std::size_t at = reading.state.output_scanline * row_bytes;
    JSAMPROW whole = reading.row.get();
    jpeg_read_scanlines(&reading.state, &whole, 1);
    std::copy_n(whole, row_bytes, out.points.get() + at);
  }
}

}  // namespace

std::optional<SmallJpeg> read_small_jpeg(int file, unsigned shrink) {
  const auto reading = std::make_unique<Reading>(file);
  if (setjmp(reading->damaged) != 0) return std::nullopt;
  if (!begin(*reading, shrink)) return std::nullopt;
  const std::size_t whole_row = std::size_t{reading->state.output_width} *
                                static_cast<unsigned>(reading->state.output_components);
  reading->row = std::make_unique_for_overwrite<unsigned char[]>(whole_row);
  reading->out.points = std::make_unique_for_overwrite<unsigned char[]>(reading->out.bytes());
  read_rows(*reading);
  return std::move(reading->out);
}

}  // namespace mainstay::decoder
