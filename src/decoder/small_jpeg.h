// JPEGs that become much smaller, straight from libjpeg. libvips hands it 4 KiB at a time, which is
// too little for its quicker way of reading codes; here it gets sixteen times as much.
// Used by decoder/images.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "decoder/frame_size.h"

namespace mainstay::decoder {

/// Rows from the top without gaps; three bytes a point (red, green, blue), or one of grey.
struct SmallJpeg {
  Size size;
  int bands = 3;
  std::unique_ptr<unsigned char[]> points;
  std::uint64_t bytes() const noexcept { return pixels(size) * static_cast<unsigned>(bands); }
};

/// A file in one `shrink`th (2, 4 or 8) of its width and height, rounded down as libvips does. None
/// where libvips is to judge: damage of any kind, inks instead of colours, or a result of more than
/// 8 MiB, which libvips would not hold as a whole. The place in the file stays where it is.
std::optional<SmallJpeg> read_small_jpeg(int file, unsigned shrink);

}  // namespace mainstay::decoder
